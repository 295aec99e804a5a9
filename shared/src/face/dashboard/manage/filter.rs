//! Which shares are meant: by the query of a list, or by the body of a bulk change.

use super::bulk::MAX_BULK_SHARES;
use super::read;
use crate::Result;
use crate::model::share::{MAX_NAME_CHARS, Share, ShareType, State};
use crate::model::usage::Usage;
use crate::time::Millis;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// Does a share's link open it? `active`: yes; `scheduled`: not before `not_before`; `expired`: not since `expires_at`;
/// `spent`: it was opened `max_access_count` times; `revoked`: never again; `closed`: its policies no longer fit the
/// dashboard, so it opens nothing until either is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ShareStatus {
    /// Yes.
    Active,
    /// Not yet.
    Scheduled,
    /// Not any more.
    Expired,
    /// Only for those who are in.
    Spent,
    /// Never again.
    Revoked,
    /// Not until share or dashboard is changed.
    Closed,
}

impl ShareStatus {
    /// That of a share with this usage.
    pub fn of(share: &Share, usage: &Usage, now: Millis) -> Self {
        if share.state == State::Revoked {
            Self::Revoked
        } else if share.closed {
            Self::Closed
        } else if share.expires_at.is_some_and(|end| now >= end) {
            Self::Expired
        } else if share.not_before.is_some_and(|begin| now < begin) {
            Self::Scheduled
        } else if share.protection.allows_another(usage.accesses) {
            Self::Active
        } else {
            Self::Spent
        }
    }

    /// As the API says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Scheduled => "scheduled",
            Self::Expired => "expired",
            Self::Spent => "spent",
            Self::Revoked => "revoked",
            Self::Closed => "closed",
        }
    }
}

/// What visitors of a share must do first: nothing (`none`), give a password (`password`), or open it on purpose, which
/// is counted (`counted`: it has a `max_access_count` and no password).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ProtectionKind {
    /// Nothing.
    None,
    /// Give it.
    Password,
    /// Open it on purpose.
    Counted,
}

impl ProtectionKind {
    /// As the API says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Password => "password",
            Self::Counted => "counted",
        }
    }
}

/// Shares that all of what is given is true of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct ShareFilter {
    /// Does the link open it?
    #[serde(default)]
    #[cfg_attr(feature = "openapi", param(required = false))]
    pub status: Option<ShareStatus>,
    /// What must visitors do first?
    #[serde(default)]
    #[cfg_attr(feature = "openapi", param(required = false))]
    pub protection: Option<ProtectionKind>,
    /// A link, or an embed?
    #[serde(default)]
    #[cfg_attr(feature = "openapi", param(required = false))]
    pub share_type: Option<ShareType>,
    /// A part of the name, in any case; 1 to 200 characters.
    #[serde(default, deserialize_with = "name_part")]
    #[cfg_attr(feature = "openapi", param(required = false, min_length = 1, max_length = 200))]
    pub name_contains: Option<String>,
    /// The dashboard that they open.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", param(ignore))]
    pub dashboard_id: Option<Uuid>,
    /// RFC 3339: made before this instant.
    #[serde(default, deserialize_with = "instant")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    #[cfg_attr(feature = "openapi", param(required = false, value_type = Option<String>))]
    pub created_before: Option<Millis>,
    /// RFC 3339: made at this instant or later.
    #[serde(default, deserialize_with = "instant")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    #[cfg_attr(feature = "openapi", param(required = false, value_type = Option<String>))]
    pub created_after: Option<Millis>,
    /// One of these, 1 to 1,000.
    #[serde(default, deserialize_with = "ids")]
    #[cfg_attr(feature = "openapi", param(ignore))]
    pub ids: Option<Vec<Uuid>>,
}

impl ShareFilter {
    /// Reads the parameters of a query; `ids` cannot stand in one.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] naming the parameter.
    pub fn from_query(parameters: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        read(parameters.into_iter().map(|(name, value)| (name, Value::String(value))).collect())
    }

    /// Does it leave nothing out?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn name_part<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let part = Option::<String>::deserialize(deserializer)?;
    match &part {
        Some(text) if text.is_empty() || text.chars().count() > MAX_NAME_CHARS || text.contains('\0') => {
            Err(D::Error::custom("must have 1 to 200 characters"))
        }
        _ => Ok(part),
    }
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Millis>, D::Error> {
    let read = |text: String| {
        Millis::parse_rfc3339(&text).ok_or_else(|| D::Error::custom("must be an RFC 3339 date-time"))
    };
    Option::<String>::deserialize(deserializer)?.map(read).transpose()
}

fn ids<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Uuid>>, D::Error> {
    let ids = Option::<Vec<Uuid>>::deserialize(deserializer)?;
    match &ids {
        Some(ids) if !(1..=MAX_BULK_SHARES).contains(&ids.len()) => {
            Err(D::Error::custom("must have 1 to 1,000 items"))
        }
        _ => Ok(ids),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn read(query: &[(&str, &str)]) -> Result<ShareFilter> {
        ShareFilter::from_query(query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn what_is_absent_leaves_nothing_out() {
        assert!(read(&[]).unwrap().is_empty());
        let filter = read(&[("status", "scheduled"), ("created_after", "2030-01-01T00:00:00Z")]).unwrap();
        assert!(!filter.is_empty());
        assert_eq!(filter.status, Some(ShareStatus::Scheduled));
        assert_eq!(filter.created_after, Some(Millis(1_893_456_000_000)));
    }

    #[test]
    fn mistakes_name_the_parameter() {
        for (name, value) in [
            ("status", "dead"),
            ("status", ""),
            ("protection", "some"),
            ("name_contains", ""),
            ("name_contains", &"x".repeat(201)),
            ("name_contains", "a\0b"),
            ("dashboard_id", "x"),
            ("created_before", "soon"),
            ("created_after", "1"),
            ("ids", "0190a8c0-0000-7000-8000-000000000001"),
            ("colour", "red"),
        ] {
            match read(&[(name, value)]) {
                Err(Error::Invalid(flaws)) => assert_eq!(flaws[0].pointer, format!("/{name}")),
                other => panic!("{name}={value} gave {other:?}"),
            }
        }
    }

    #[test]
    fn names_are_those_of_the_json() {
        for status in [ShareStatus::Active, ShareStatus::Scheduled, ShareStatus::Spent, ShareStatus::Closed] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
        for kind in [ProtectionKind::None, ProtectionKind::Password, ProtectionKind::Counted] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
