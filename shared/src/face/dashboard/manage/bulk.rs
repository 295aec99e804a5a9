//! One change of many shares.

use super::filter::{ShareFilter, ShareStatus};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Most shares of one bulk change.
pub const MAX_BULK_SHARES: usize = 1_000;

/// What is done to each share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum BulkAction {
    /// It is taken back, for good.
    Revoke,
    /// It gets a new link; the old one is dead.
    Rotate,
}

/// Body of `POST /api/v1/dashboard-shares/bulk`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BulkIn {
    /// What is done.
    pub action: BulkAction,
    /// To which shares; at most 1,000. Without any field it needs `all`.
    pub filter: ShareFilter,
    /// An empty filter is meant: every share of the organization.
    #[serde(default)]
    pub all: bool,
    /// Only tell which shares those are.
    #[serde(default)]
    pub dry_run: bool,
}

impl BulkIn {
    /// "Everything" is said on purpose, or not at all.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `/filter` or `/all`.
    pub fn check(&self) -> Result<()> {
        match (self.all, self.filter.is_empty()) {
            (false, true) => Err(Error::invalid(
                "/filter",
                "must have a field, or come with \"all\": true for every share",
            )),
            (true, false) => Err(Error::invalid("/all", "is for an empty filter")),
            _ => Ok(()),
        }
    }
}

/// Answer of a bulk change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BulkOut {
    /// How many shares the filter matches that are not revoked.
    pub matched: u64,
    /// How many were changed; 0 in a dry run.
    pub changed: u64,
    /// `live` when no request that begins now is served by what was before, `pending` while the edge has yet to learn:
    /// of a revocation, also of matching shares that were revoked before.
    pub effective: String,
    /// Those that were changed, or would be; newest first.
    pub shares: Vec<BulkShareOut>,
}

/// A share of a bulk change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BulkShareOut {
    /// Its id.
    pub id: Uuid,
    /// Afterwards.
    pub status: ShareStatus,
    /// The new one of a rotation; null when the share is revoked.
    pub token: Option<String>,
    /// The page; null when the share is revoked.
    pub url: Option<String>,
    /// Grows with each rotation.
    pub generation: u64,
    /// `live` or `pending`.
    pub effective: String,
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use crate::face::JSON;

    #[test]
    fn everything_is_said_on_purpose() {
        let check = |rest: &str| {
            let body = format!(r#"{{"action":"revoke",{rest}}}"#);
            parse::<BulkIn>(Some(JSON), body.as_bytes()).and_then(|input| input.check())
        };
        let pointer = |rest: &str| match check(rest) {
            Err(Error::Invalid(flaws)) => flaws[0].pointer.clone(),
            other => panic!("{rest} gave {other:?}"),
        };
        assert_eq!(pointer(r#""filter":{}"#), "/filter");
        assert_eq!(pointer(r#""filter":{"status":null},"all":false"#), "/filter");
        assert_eq!(pointer(r#""filter":{"status":"active"},"all":true"#), "/all");
        assert_eq!(pointer(r#""filter":{"ids":[]}"#), "/filter/ids");
        assert_eq!(pointer(r#""filter":{"ids":["x"]}"#), "/filter/ids/0");
        assert_eq!(pointer(r#""filter":{"name_contains":""}"#), "/filter/name_contains");
        assert!(check(r#""filter":{},"all":true"#).is_ok());
        assert!(check(r#""filter":{"status":"active"},"dry_run":true"#).is_ok());
    }
}
