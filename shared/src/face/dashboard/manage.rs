//! What owners of dashboards and shares send and get. Rows 1.1, 1.b and the vendor's sibling endpoints.

use crate::face::{MAX_BODY_BYTES, is_json};
use crate::{Error, Result, json};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

mod bulk;
mod context;
mod dashboard;
mod data_product;
mod embed;
mod filter;
mod map;
mod preview;
mod session_token;
mod share;
mod target_share;

pub use bulk::{BulkAction, BulkIn, BulkOut, BulkShareOut, MAX_BULK_SHARES};
pub use context::{
    AccessOut, ContextDeletedOut, ContextIn, ContextOut, ContextPatchIn, MemberIn, MemberOut,
    MemberRemovedOut, MembersAddedOut, MembersIn,
};
pub use dashboard::{DashboardOut, DataSourceIn, DataSourceOut};
pub use data_product::{DataProductIn, DataProductOut};
pub use embed::{
    EmbedDashboardOut, EmbedIn, EmbedKeyOut, EmbedKeysOut, EmbedOriginsIn, EmbedOriginsOut, EmbedOut,
    EmbedParameterOut, EmbedRevokedOut, KeyRevokedOut, TokenRevokedOut,
};
pub use filter::{ProtectionKind, ShareFilter, ShareStatus};
pub use map::{
    ArchiveOut, CollectionIn, CollectionOut, ItemIn, ItemOut, ProfileIn, ProfileOut, ProjectIn, ProjectOut,
    UsageDayOut, UsageOut,
};
pub use preview::{PreviewIn, PreviewOut, PreviewWidget, Unnarrowed};
pub use session_token::{SessionTokenIn, SessionTokenOut};
pub use share::{NewShare, PasswordIn, RevokedOut, ShareIn, ShareOut, SharePatchIn};
pub use target_share::TargetShareOut;

/// Reads a JSON body of one of the types here, of at most [`MAX_BODY_BYTES`]; see [`parse_within`].
///
/// # Errors
/// As [`parse_within`].
pub fn parse<T: DeserializeOwned>(content_type: Option<&str>, body: &[u8]) -> Result<T> {
    parse_within(content_type, body, MAX_BODY_BYTES)
}

/// Reads a JSON body of one of the types here: strict syntax, no unknown field, mistakes named by place.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::UnsupportedMediaType`], [`Error::Malformed`], [`Error::Invalid`].
pub fn parse_within<T: DeserializeOwned>(
    content_type: Option<&str>,
    body: &[u8],
    limit_bytes: usize,
) -> Result<T> {
    if body.len() > limit_bytes {
        return Err(Error::TooLarge { limit_bytes });
    }
    if !is_json(content_type) {
        return Err(Error::UnsupportedMediaType);
    }
    read(json::parse_object(body)?)
}

fn read<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T> {
    serde_path_to_error::deserialize(Value::Object(fields))
        .map_err(|error| Error::invalid(pointer(error.path()), error.into_inner().to_string()))
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// How the edge is told to stand to a change: `live` when it knows of it, `pending` while it has yet to learn.
pub fn effective(pending: bool) -> String {
    if pending { "pending" } else { "live" }.to_owned()
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListOut<T> {
    /// How many there are in all.
    pub total: u64,
    /// How many are in this answer.
    pub quantity: u64,
    /// Newest first.
    pub records: Vec<T>,
    /// Give it back as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Flaw;
    use crate::face::JSON;
    use crate::model::dashboard::Definition;

    fn flaw<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> Flaw {
        match parse::<T>(Some(JSON), body.as_bytes()) {
            Err(Error::Invalid(mut flaws)) => flaws.remove(0),
            other => panic!("{body} gave {other:?}"),
        }
    }

    #[test]
    fn mistakes_are_named_by_place() {
        assert_eq!(flaw::<ShareIn>(r#"{"name":5,"share_type":"link"}"#).pointer, "/name");
        assert_eq!(flaw::<ShareIn>(r#"{"name":"a","share_type":"page"}"#).pointer, "/share_type");
        assert_eq!(flaw::<ShareIn>(r#"{"name":"a","share_type":"link","colour":1}"#).pointer, "/colour");
        assert!(flaw::<ShareIn>(r#"{"name":"a"}"#).message.contains("share_type"));
        assert_eq!(
            flaw::<Definition>(r#"{"slug":"a","title":"b","data_source_id":"x","widgets":[]}"#).pointer,
            "/data_source_id"
        );
    }
}
