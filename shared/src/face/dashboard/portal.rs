//! What members of share contexts send and get: signing in by a one-time code, their dashboards. Rows 1.8-1.12, holes 1.m-1.r.

use super::public::{ResolvedDashboard, ResolvedFilter, ResolvedShare};
use crate::face::dashboard::manage::parse;
use crate::face::{Answer, MAX_BODY_BYTES, is_json};
use crate::model::address::MAX_ADDRESS_BYTES;
use crate::model::context::{Bound, ContextView};
use crate::model::portal::{ACCESS_LIFE, PortalToken, SESSION_LIFE};
use crate::time::Millis;
use crate::{Error, Result, json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use uuid::Uuid;

/// Longest slug of a company that is looked up, in bytes.
pub const MAX_SLUG_BYTES: usize = 64;
/// Longest code as it is typed, in bytes.
pub const MAX_CODE_BYTES: usize = 32;

/// Body of `POST /api/v1/share-auth/request`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CodeRequestIn {
    /// Whose portal.
    pub company_slug: String,
    /// Who wants to sign in.
    pub email: String,
}

/// Answer to it: always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CodeRequestOut {
    /// Always `sent`: whether somebody is a member is not told.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub status: &'static str,
}

/// A text that is shown to nobody.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// Where a session keeps its refresh token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Keep {
    /// With the caller, who finds it in the answer.
    #[default]
    Body,
    /// In a cookie of the browser, which its scripts cannot read.
    Cookie,
}

/// Body of `POST /api/v1/share-auth/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifyIn {
    /// Whose portal.
    pub company_slug: String,
    /// As it was in the request.
    pub email: String,
    /// `1234-5678`; spaces and hyphens do not matter.
    #[cfg_attr(feature = "openapi", schema(value_type = String, write_only, example = "1234-5678"))]
    pub code: Secret,
    /// Where the refresh token goes: `body` when absent.
    #[serde(default)]
    pub keep: Keep,
}

/// Body of `POST /api/v1/share-auth/refresh` and of `POST /api/v1/share-auth/logout`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefreshIn {
    /// The refresh token, unless a cookie has it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, write_only))]
    pub refresh_token: Option<Secret>,
    /// Whose portal: which cookie is meant.
    #[serde(default)]
    pub company_slug: Option<String>,
}

/// Answer of verify and refresh (hole 1.o).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionOut {
    /// For `Authorization: Bearer` at the portal.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub access_token: PortalToken,
    /// For the next refresh: each is taken once. Absent when a cookie has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Always `share_access`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u64,
    /// Seconds.
    pub refresh_expires_in: u64,
    /// What the person is a member of.
    pub contexts: Vec<ContextName>,
}

/// A context as its members see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContextName {
    /// Its id, for `context_id`.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

impl SessionOut {
    /// Renders a session.
    pub fn new(access_token: PortalToken, refresh_token: Option<String>, contexts: Vec<ContextName>) -> Self {
        let (expires_in, refresh_expires_in) = (ACCESS_LIFE.as_secs(), SESSION_LIFE.as_secs());
        let token_type = "share_access";
        Self { access_token, refresh_token, token_type, expires_in, refresh_expires_in, contexts }
    }
}

impl CodeRequestIn {
    /// Reads the body. Whether an address is one is not said: a strange one is nobody's.
    ///
    /// # Errors
    /// As [`parse`], and [`Error::Invalid`] for texts that are too long.
    pub fn read(content_type: Option<&str>, body: &[u8]) -> Result<Self> {
        let read: Self = parse(content_type, body)?;
        check_who(&read.company_slug, &read.email)?;
        Ok(read)
    }
}

impl VerifyIn {
    /// Reads the body.
    ///
    /// # Errors
    /// As [`CodeRequestIn::read`].
    pub fn read(content_type: Option<&str>, body: &[u8]) -> Result<Self> {
        let read: Self = parse(content_type, body)?;
        check_who(&read.company_slug, &read.email)?;
        if read.code.0.len() > MAX_CODE_BYTES {
            return Err(Error::invalid("/code", "must have at most 32 bytes"));
        }
        Ok(read)
    }
}

fn check_who(company_slug: &str, email: &str) -> Result<()> {
    if !(1..=MAX_SLUG_BYTES).contains(&company_slug.len()) {
        return Err(Error::invalid("/company_slug", "must have 1 to 64 bytes"));
    }
    if !(1..=MAX_ADDRESS_BYTES).contains(&email.len()) {
        return Err(Error::invalid("/email", "must have 1 to 254 bytes"));
    }
    Ok(())
}

/// The dashboards of a member.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PortalDashboardsOut<'a> {
    /// How many there are.
    pub total: usize,
    /// How many of them are here: all.
    pub quantity: usize,
    /// By context, then by title.
    pub records: Vec<PortalDashboard<'a>>,
}

/// A dashboard that a member may open.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PortalDashboard<'a> {
    /// Through which context: one dashboard may be in several.
    pub context: ContextName,
    /// Its name in URLs.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub slug: &'a str,
    /// Its name for people.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub title: &'a str,
    /// A sentence under the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Option<&'a str>,
    /// The share by which it is opened.
    pub share: PortalShare<'a>,
}

/// A share, in the list of a member.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PortalShare<'a> {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: &'a str,
    /// RFC 3339, or null.
    pub expires_at: Option<String>,
}

/// Renders the dashboards of some contexts that may be opened at `now`.
pub fn dashboards(contexts: &[&ContextView], now: Millis) -> Answer {
    let mut records: Vec<PortalDashboard<'_>> = contexts
        .iter()
        .flat_map(|context| {
            let in_time = context.dashboards.iter().filter(|bound| bound.is_in_time(now));
            in_time.map(|bound| dashboard(context, bound))
        })
        .collect();
    records.sort_by(|one, other| {
        (&one.context.name, one.context.id, one.title).cmp(&(
            &other.context.name,
            other.context.id,
            other.title,
        ))
    });
    let total = records.len();
    Answer::json(200, &PortalDashboardsOut { total, quantity: total, records })
}

fn dashboard<'a>(context: &'a ContextView, bound: &'a Bound) -> PortalDashboard<'a> {
    PortalDashboard {
        context: ContextName { id: context.id, name: context.name.clone() },
        slug: &bound.slug,
        title: &bound.title,
        description: bound.description.as_deref(),
        share: PortalShare {
            id: bound.share,
            name: &bound.name,
            expires_at: bound.expires_at.map(Millis::to_rfc3339),
        },
    }
}

/// Answer of `GET /api/v1/share-portal/:company_slug/dashboards/:dashboard_slug`: what [`super::public::resolve`] gives.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PortalResolveOut<'a> {
    /// The share.
    pub share: ResolvedShare<'a>,
    /// What it shows.
    pub dashboard: ResolvedDashboard<'a>,
    /// What the member may narrow; disabled and hidden filters are left out.
    pub filters: Vec<ResolvedFilter<'a>>,
}

/// Body of `POST /api/v1/share-portal/:company_slug/dashboards/:dashboard_slug/execute`, for the documentation.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PortalExecuteIn {
    /// Through which context.
    pub context_id: Uuid,
    /// As in an execute of a public link.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    #[serde(default)]
    pub parameters: Map<String, Value>,
}

/// Reads the body of an execute: `{"context_id": "...", "parameters": {...}}`. Which context is judged with the rest of the access:
/// whatever is no id is `None`.
///
/// # Errors
/// As [`super::public::parse_execute`].
pub fn parse_execute(content_type: Option<&str>, body: &[u8]) -> Result<(Option<Uuid>, Map<String, Value>)> {
    if body.len() > MAX_BODY_BYTES {
        return Err(Error::TooLarge { limit_bytes: MAX_BODY_BYTES });
    }
    if !is_json(content_type) {
        return Err(Error::UnsupportedMediaType);
    }
    let mut body = json::parse_object(body)?;
    let context = match body.remove("context_id") {
        Some(Value::String(text)) => context_id(&text),
        _ => None,
    };
    let parameters = super::public::parameters(body)?;
    Ok((context, parameters))
}

/// Reads the id of a context, as it stands in a body or a query.
pub fn context_id(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text).ok().filter(|_| text.len() == 36)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::JSON;

    #[test]
    fn whatever_is_no_context_is_none() {
        let id = "00000000-0000-0000-0000-000000000005";
        let context = |body: &str| parse_execute(Some(JSON), body.as_bytes()).unwrap().0;
        assert_eq!(context(&format!(r#"{{"context_id":"{id}"}}"#)), Some(Uuid::from_u128(5)));
        for body in [
            "{}",
            r#"{"context_id":null}"#,
            r#"{"context_id":5}"#,
            r#"{"context_id":"5"}"#,
            r#"{"context_id":"00000000000000000000000000000005"}"#,
            r#"{"context_id":["00000000-0000-0000-0000-000000000005"]}"#,
        ] {
            assert_eq!(context(body), None, "{body}");
        }
    }

    #[test]
    fn an_execute_takes_nothing_else() {
        let parsed = parse_execute(Some(JSON), br#"{"parameters":{"status":["Active"]}}"#).unwrap();
        assert_eq!(parsed.1["status"][0], "Active");
        let refused = |body: &str| parse_execute(Some(JSON), body.as_bytes()).is_err();
        for body in
            ["", "[]", r#"{"more":1}"#, r#"{"parameters":[]}"#, r#"{"context_id":"a","context_id":"b"}"#]
        {
            assert!(refused(body), "{body}");
        }
        assert!(parse_execute(Some("text/plain"), b"{}").is_err());
    }

    #[test]
    fn who_is_bounded_and_codes_are_not_shown() {
        let read = |email: &str| {
            let body = format!(r#"{{"company_slug":"acme","email":"{email}","code":"1234-5678"}}"#);
            VerifyIn::read(Some(JSON), body.as_bytes())
        };
        let verify = read("a@b.com").unwrap();
        assert!(!format!("{verify:?}").contains("1234"));
        assert_eq!(verify.keep, Keep::Body);
        assert!(read("").is_err());
        assert!(read(&"x".repeat(255)).is_err());
        assert!(read("no address").is_ok());
    }
}
