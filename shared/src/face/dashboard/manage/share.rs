//! Shares of dashboards: made, changed, told to their owners. Rows 1.1, 1.2.

use super::{ShareStatus, effective};
use crate::model::address::Address;
use crate::model::filter::Filter;
use crate::model::limits::Limits;
use crate::model::origin::{self, Origin};
use crate::model::password::Typed;
use crate::model::policy::{DefaultMode, Policy, Rules};
use crate::model::share::{
    Amendment, Share, ShareType, check_expiry, check_max_access_count, check_name, check_order, check_public,
    check_rules,
};
use crate::model::usage::Usage;
use crate::time::Millis;
use crate::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// Body of `POST /api/v1/dashboards/:id/shares`. Rows 1.1, 1.2.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ShareIn {
    /// 1 to 200 characters; viewers see it.
    pub name: String,
    /// Only `link`: a dashboard is embedded by `POST /api/v1/embed/dashboards/{id}`.
    pub share_type: ShareType,
    /// Only members of this context may open it, at the portal; everybody who has the link when absent or null (row 1.21).
    #[serde(default)]
    pub share_context_id: Option<Uuid>,
    /// An address that is told when the share is opened for the first time. Absent or null for nobody.
    #[serde(default)]
    pub notify_email: Option<String>,
    /// RFC 3339; the link is dead before it. Absent or null for now.
    #[serde(default)]
    pub not_before: Option<String>,
    /// RFC 3339, in the future; absent or null for the organization's default, or none.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// How often the link may be opened, over all visitors; absent or null for the organization's default, or any number.
    #[serde(default)]
    pub max_access_count: Option<u64>,
    /// Visitors must give it: 1 to 128 bytes. Never shown again.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, write_only))]
    pub password: Option<Typed>,
    /// Sites that may frame the page while nothing protects it: `https://blog.example.com`, `https://*.example.com`, or `*` alone
    /// for any; at most 20. None when absent.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// What viewers may do with the filters, at most one policy for each.
    #[serde(default)]
    pub share_filter_policies: Vec<Policy>,
    /// For filters without a policy: `open` when absent.
    #[serde(default)]
    pub default_mode: DefaultMode,
}

/// A share that is about to be made: a body that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct NewShare {
    /// See [`ShareIn`].
    pub name: String,
    /// See [`ShareIn`].
    pub share_type: ShareType,
    /// See [`ShareIn::share_context_id`].
    pub context: Option<Uuid>,
    /// See [`ShareIn::notify_email`].
    pub notify: Option<Address>,
    /// See [`ShareIn`].
    pub not_before: Option<Millis>,
    /// See [`ShareIn`].
    pub expires_at: Option<Millis>,
    /// See [`ShareIn`].
    pub max_access_count: Option<u64>,
    /// See [`ShareIn::allowed_origins`].
    pub frame_origins: Vec<Origin>,
    /// See [`ShareIn`].
    pub rules: Rules,
}

impl ShareIn {
    /// Everything but the password, checked; `filters` are those of the dashboard, `limits` the organization's.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the field, [`Error::Conflict`] when a password is missing that must be there.
    pub fn check(self, filters: &[Filter], limits: &Limits, now: Millis) -> Result<NewShare> {
        check_name(&self.name)?;
        if self.share_type != ShareType::Link {
            return Err(Error::invalid(
                "/share_type",
                "must be link: POST /api/v1/embed/dashboards/{id} embeds a dashboard",
            ));
        }
        let not_before = self.not_before.as_deref().map(|text| instant("/not_before", text)).transpose()?;
        let expires_at = self.expires_at.as_deref().map(|text| instant("/expires_at", text)).transpose()?;
        check_expiry(expires_at, now)?;
        let expires_at = limits.expiry(expires_at, now)?;
        check_order(not_before, expires_at)?;
        check_max_access_count(self.max_access_count)?;
        let max_access_count = limits.count(self.max_access_count)?;
        let context = self.share_context_id;
        check_public(context, "/password", self.password.is_some())?;
        check_public(context, "/max_access_count", self.max_access_count.is_some())?;
        check_public(context, "/allowed_origins", !self.allowed_origins.is_empty())?;
        // What an organization demands of links that anybody may have, members of a context do by signing in.
        limits.check_password(self.password.is_some() || context.is_some())?;
        let max_access_count = max_access_count.filter(|_| context.is_none());
        let frame_origins = frame_origins(&self.allowed_origins)?;
        let notify = self.notify_email.as_deref().map(notify_address).transpose()?;
        let rules = Rules { default_mode: self.default_mode, policies: self.share_filter_policies };
        check_rules(&rules, filters)?;
        let Self { name, share_type, .. } = self;
        Ok(NewShare {
            name,
            share_type,
            context,
            notify,
            not_before,
            expires_at,
            max_access_count,
            frame_origins,
            rules,
        })
    }
}

fn notify_address(text: &str) -> Result<Address> {
    let message = "must be an e-mail address of ASCII letters, such as name@example.com";
    Address::parse(text).ok_or_else(|| Error::invalid("/notify_email", message))
}

/// Body of `PUT /api/v1/dashboard-shares/:id/password`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PasswordIn {
    /// 1 to 128 bytes, neither trimmed nor otherwise changed but for Unicode's normal form.
    #[cfg_attr(feature = "openapi", schema(value_type = String, write_only))]
    pub password: Typed,
}

/// Body of `PATCH /api/v1/dashboard-shares/:id`; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SharePatchIn {
    /// 1 to 200 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// RFC 3339; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub not_before: Option<Option<String>>,
    /// RFC 3339, in the future; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub expires_at: Option<Option<String>>,
    /// How often a link may be opened, those before included; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub max_access_count: Option<Option<u64>>,
    /// Sites that may frame the page, in place of all old ones.
    #[serde(default)]
    pub allowed_origins: Option<Vec<String>>,
    /// In place of all old ones.
    #[serde(default)]
    pub share_filter_policies: Option<Vec<Policy>>,
    /// For filters without a policy.
    #[serde(default)]
    pub default_mode: Option<DefaultMode>,
}

/// Tells null (`Some(None)`) from absent (`None`).
#[expect(clippy::option_option, reason = "a patch has three states: absent, null and a value")]
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl SharePatchIn {
    /// The change that it asks for.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it changes nothing or the instant is no RFC 3339.
    pub fn into_amendment(self) -> Result<Amendment> {
        if self == Self::default() {
            return Err(Error::invalid(
                "",
                "changes nothing: give name, not_before, expires_at, max_access_count, allowed_origins, \
                    share_filter_policies or default_mode",
            ));
        }
        Ok(Amendment {
            name: self.name,
            not_before: optional_instant("/not_before", self.not_before)?,
            expires_at: optional_instant("/expires_at", self.expires_at)?,
            max_access_count: self.max_access_count,
            frame_origins: self.allowed_origins.as_deref().map(frame_origins).transpose()?,
            policies: self.share_filter_policies,
            default_mode: self.default_mode,
        })
    }
}

fn frame_origins(texts: &[String]) -> Result<Vec<Origin>> {
    origin::parse_all_or_any(texts, "/allowed_origins").map_err(Error::Invalid)
}

#[expect(clippy::option_option, reason = "a patch has three states: absent, null and a value")]
fn optional_instant(pointer: &str, text: Option<Option<String>>) -> Result<Option<Option<Millis>>> {
    text.map(|text| text.map(|text| instant(pointer, &text)).transpose()).transpose()
}

fn instant(pointer: &str, text: &str) -> Result<Millis> {
    Millis::parse_rfc3339(text).ok_or_else(|| Error::invalid(pointer, "must be an RFC 3339 date-time"))
}

/// A share, as its owner sees it. The token is derived anew for each answer; no store holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ShareOut {
    /// Its id.
    pub id: Uuid,
    /// What it opens.
    pub dashboard_id: Uuid,
    /// Its name.
    pub name: String,
    /// A link, or an embed, which has no token and page of its own.
    pub share_type: ShareType,
    /// The context whose members alone may open it; null for everybody who has the link.
    pub share_context_id: Option<Uuid>,
    /// Who is told when the share is opened for the first time, or null.
    pub notify_email: Option<String>,
    /// Does its link open it?
    pub status: ShareStatus,
    /// Null when the share is revoked, and for an embed.
    pub token: Option<String>,
    /// The page; null when there is no token.
    pub url: Option<String>,
    /// Grows with each rotation.
    pub generation: u64,
    /// Grows with each change.
    pub revision: u64,
    /// `live` when the edge serves this revision, `pending` while it has yet to learn it.
    pub effective: String,
    /// RFC 3339, or null.
    pub not_before: Option<String>,
    /// RFC 3339, or null.
    pub expires_at: Option<String>,
    /// Must visitors give a password?
    pub has_password: bool,
    /// RFC 3339: nobody may guess the password before this instant, since it was guessed wrong too often. Null when
    /// guessing is possible.
    pub password_locked_until: Option<String>,
    /// How often the current link may be opened; null for any number.
    pub max_access_count: Option<u64>,
    /// How often it was: right passwords, and deliberate openings of counted links. A rotation begins anew.
    pub access_count: u64,
    /// How often somebody looked at what the share opens, under any of its links; at least.
    pub open_count: u64,
    /// RFC 3339: when somebody last did, some seconds late; null for never.
    pub last_opened_at: Option<String>,
    /// Sites that may frame the page while nothing protects it.
    pub allowed_origins: Vec<String>,
    /// What viewers may do with the filters.
    pub share_filter_policies: Vec<Policy>,
    /// For filters without a policy.
    pub default_mode: DefaultMode,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339: when the current token was issued.
    pub token_issued_at: String,
    /// RFC 3339, or null.
    pub revoked_at: Option<String>,
}

impl ShareOut {
    /// Renders a share. `link` is its current token and page, if it has one; `pending` says that the edge
    /// has yet to learn of the last change; `usage` is what the edge has told of it.
    pub fn new(
        share: &Share,
        link: Option<(String, String)>,
        (pending, usage): (bool, &Usage),
        now: Millis,
    ) -> Self {
        let locked_until = usage.locked_until.filter(|until| {
            share.protection.password.is_some() && usage.resets >= share.protection.resets && now < *until
        });
        let (token, url) = link.unzip();
        Self {
            id: share.id,
            dashboard_id: share.target.id,
            name: share.name.clone(),
            share_type: share.share_type,
            share_context_id: share.context,
            notify_email: share.notify.as_ref().map(|address| address.as_str().to_owned()),
            status: ShareStatus::of(share, usage, now),
            token,
            url,
            generation: share.generation,
            revision: share.revision,
            effective: effective(pending),
            not_before: share.not_before.map(Millis::to_rfc3339),
            expires_at: share.expires_at.map(Millis::to_rfc3339),
            has_password: share.protection.password.is_some(),
            password_locked_until: locked_until.map(Millis::to_rfc3339),
            max_access_count: share.protection.max_access_count,
            access_count: usage.accesses,
            open_count: usage.opens,
            last_opened_at: usage.last_opened_at.map(Millis::to_rfc3339),
            allowed_origins: share.frame_origins.iter().map(|origin| origin.as_str().to_owned()).collect(),
            share_filter_policies: share.rules.policies.clone(),
            default_mode: share.rules.default_mode,
            created_at: share.created_at.to_rfc3339(),
            token_issued_at: share.issued_at.to_rfc3339(),
            revoked_at: share.revoked_at.map(Millis::to_rfc3339),
        }
    }
}

/// Answer of `DELETE /api/v1/dashboard-shares/:id`; the same when it is called again, with `revoked: false`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokedOut {
    /// Was a live share revoked by this call?
    pub revoked: bool,
    /// The share.
    pub id: Uuid,
    /// `live` when no request that begins now is served, `pending` while the edge is out of reach.
    pub effective: String,
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use crate::face::JSON;

    #[test]
    fn an_embed_is_made_elsewhere() {
        let embed: ShareIn = parse(Some(JSON), br#"{"name":"a","share_type":"embed"}"#).unwrap();
        match embed.check(&[], &Limits::default(), Millis(0)) {
            Err(Error::Invalid(flaws)) => assert_eq!(flaws[0].pointer, "/share_type"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_patch_tells_null_from_absent() {
        let patch = |body: &str| {
            parse::<SharePatchIn>(Some(JSON), body.as_bytes()).and_then(SharePatchIn::into_amendment)
        };
        assert_eq!(patch(r#"{"expires_at":null}"#).unwrap().expires_at, Some(None));
        assert_eq!(patch(r#"{"name":"n"}"#).unwrap().expires_at, None);
        assert_eq!(
            patch(r#"{"expires_at":"2030-01-01T00:00:00Z"}"#).unwrap().expires_at,
            Some(Some(Millis(1_893_456_000_000)))
        );
        let count = |body: &str| patch(body).unwrap().max_access_count;
        assert_eq!(count(r#"{"max_access_count":null}"#), Some(None));
        assert_eq!(count(r#"{"max_access_count":3}"#), Some(Some(3)));
        assert_eq!(count(r#"{"name":"n"}"#), None);
        assert!(patch("{}").is_err());
        assert!(patch(r#"{"expires_at":"soon"}"#).is_err());
    }
}
