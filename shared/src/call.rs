//! Calls between edge and control plane: how they are signed, and the bodies of the data plane.
//!
//! A signature covers instant, method, path and body, and lives 60 s in either direction. Each direction
//! has its own key ([`crate::model::key::Purpose::Push`], [`crate::model::key::Purpose::Origin`]), so an
//! answer to one can never be replayed as the other.

use crate::model::data_product::{self, Format, Page};
use crate::model::embed::token::EmbedToken;
use crate::model::item::ArchiveView;
use crate::model::key::Key;
use crate::model::meter::Days;
use crate::model::portal::PortalToken;
use crate::model::usage::Usage;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::time::Duration;
use uuid::Uuid;

/// Header that carries the signature: `t=<ms since 1970>,d=<SHA-256 of the body>,v1=<MAC>`, both as 64 hex digits. The
/// digest stands beside the MAC, so that a receiver refuses a stranger before it has read the body.
pub const SIGNATURE_HEADER: &str = "x-postern-signature";
/// How far the clocks of signer and verifier may differ, delivery included.
pub const WINDOW: Duration = Duration::from_mins(1);

/// Signs a call.
pub fn sign(key: &Key, method: &str, path: &str, body: &[u8], now: Millis) -> String {
    let digest = Sha256::digest(body);
    let mac = key.mac(&parts(&now.0.to_be_bytes(), method, path, &digest));
    format!("t={},d={},v1={}", now.0, hex::encode(digest), hex::encode(mac))
}

/// A signature that is good, for a body that has yet to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    digest: [u8; 32],
}

impl Signed {
    /// Checks a signature by one of the keys, made within [`WINDOW`] of `now`. No body is needed.
    pub fn check<'k>(
        keys: impl IntoIterator<Item = &'k Key>,
        signature: &str,
        (method, path): (&str, &str),
        now: Millis,
    ) -> Option<Self> {
        let (instant, rest) = signature.strip_prefix("t=")?.split_once(",d=")?;
        let (digest_hex, mac_hex) = rest.split_once(",v1=")?;
        let instant = Millis(instant.parse().ok()?);
        let (mut digest, mut mac) = ([0; 32], [0; 32]);
        hex::decode_to_slice(digest_hex, &mut digest).ok()?;
        hex::decode_to_slice(mac_hex, &mut mac).ok()?;
        if instant.since(now).max(now.since(instant)) > WINDOW {
            return None;
        }
        let instant = instant.0.to_be_bytes();
        let signed = keys.into_iter().any(|key| key.verify(&parts(&instant, method, path, &digest), &mac));
        signed.then_some(Self { digest })
    }

    /// Was it made for this body?
    pub fn covers(&self, body: &[u8]) -> bool {
        Sha256::digest(body)[..] == self.digest
    }
}

/// Is this the signature of this call by one of the keys, made within [`WINDOW`] of `now`?
pub fn verify<'k>(
    keys: impl IntoIterator<Item = &'k Key>,
    signature: &str,
    (method, path, body): (&str, &str, &[u8]),
    now: Millis,
) -> bool {
    Signed::check(keys, signature, (method, path), now).is_some_and(|signed| signed.covers(body))
}

/// Header by which the edge tells whose management call it forwards: `<address> <signature>`. The control plane
/// takes nobody else's word for an address: rate limits hang on it.
pub const CLIENT_HEADER: &str = "x-postern-client";

/// Value of [`CLIENT_HEADER`] for a call that is forwarded.
pub fn vouch(key: &Key, method: &str, path: &str, client: IpAddr, now: Millis) -> String {
    let client = client.to_string();
    format!("{client} {}", sign(key, method, path, client.as_bytes(), now))
}

/// The client that the edge vouches for, if the value is the edge's own.
pub fn vouched<'k>(
    keys: impl IntoIterator<Item = &'k Key>,
    value: &str,
    (method, path): (&str, &str),
    now: Millis,
) -> Option<IpAddr> {
    let (client, signature) = value.split_once(' ')?;
    verify(keys, signature, (method, path, client.as_bytes()), now).then(|| client.parse().ok()).flatten()
}

fn parts<'a>(instant: &'a [u8], method: &'a str, path: &'a str, digest: &'a [u8]) -> [&'a [u8]; 4] {
    [instant, method.as_bytes(), path.as_bytes(), digest]
}

/// Where the control plane runs the widgets' queries.
pub const EXECUTE_PATH: &str = "/internal/data/execute";
/// Where the control plane runs a filter's query.
pub const OPTIONS_PATH: &str = "/internal/data/options";
/// Where the control plane reads a page of a data product.
pub const PAGE_PATH: &str = "/internal/data/page";
/// Where the control plane streams a whole data product.
pub const DOWNLOAD_PATH: &str = "/internal/data/download";
/// Where an empty gate asks for its record, and an isolate that cannot reach a gate for the one in the database.
pub const RECORD_PATH: &str = "/internal/records";
/// Where a gate reports what it has counted.
pub const USAGE_PATH: &str = "/internal/usage";
/// Where the edge tells who opened what.
pub const ACCESS_PATH: &str = "/internal/accesses";
/// Most entries of one report.
pub const MAX_ACCESSES: usize = 200;
/// Answer header of [`EXECUTE_PATH`]: `1` when the answer may be kept (no panel failed).
pub const CACHEABLE_HEADER: &str = "x-postern-cacheable";

/// Body of [`RECORD_PATH`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordCall {
    /// Record key of the token.
    pub key: String,
}

/// Body of [`USAGE_PATH`]. Reports may be lost, repeated or late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageReport {
    /// Record key of the token.
    pub key: String,
    /// All that was ever counted of it.
    pub usage: Usage,
    /// Tiles of the last days.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub tiles: Days,
}

fn is_empty(days: &Days) -> bool {
    days.days.is_empty()
}

/// Where the edge asks what an API key may do.
pub const KEY_PATH: &str = "/internal/keys";

/// Body of [`KEY_PATH`]: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCall {
    /// See [`crate::model::api_key::hash`].
    pub hash: String,
    /// Who presents it: trying keys is limited by network.
    pub client: Option<IpAddr>,
}

/// Answer of [`KEY_PATH`] to a key that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFound {
    /// What it may do.
    pub scopes: Vec<String>,
}

/// Where the Worker takes archives of tiles for its bucket, and looks into those that lie there.
pub const ARCHIVES_PATH: &str = "/internal/archives";
/// Bytes of each part of an upload but the last.
pub const PART_BYTES: usize = 8 * 1024 * 1024;

/// Body of `probe` and `begin` below [`ARCHIVES_PATH`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveCall {
    /// Where it lies in the bucket.
    pub key: String,
}

/// Answer of `begin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadBegun {
    /// The bucket's name of the upload.
    pub upload: String,
}

/// Path of a part. What it is of stands in the path, which is signed: the body is the part alone.
pub fn part_path(key: &str, upload: &str, number: u32) -> String {
    format!("{ARCHIVES_PATH}/part/{number}/{}/{}", hex::encode(upload), hex::encode(key))
}

/// A part that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// From 1 on.
    pub number: u32,
    /// What the bucket calls its bytes.
    pub etag: String,
}

/// Body of `end` and, without parts, of `abort`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadEnd {
    /// Where it will lie.
    pub key: String,
    /// See [`UploadBegun`].
    pub upload: String,
    /// In order.
    pub parts: Vec<Part>,
}

/// Answer of `probe` and `end`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probed {
    /// An archive that maps can be made of.
    Good(ArchiveView),
    /// What is wrong with it, for whoever registers it.
    Broken(String),
    /// Nothing lies there.
    Missing,
}

/// Body of [`ACCESS_PATH`]. Reports may be repeated or late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessReport {
    /// At most [`MAX_ACCESSES`].
    pub entries: Vec<Access>,
}

/// That a member of a context asked for something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Names the entry: one that is told twice is kept once.
    pub id: Uuid,
    /// The share by which it was opened.
    pub share: Uuid,
    /// Through which context.
    pub context: Uuid,
    /// Through which member.
    pub member: Uuid,
    /// In which session.
    pub session: Uuid,
    /// What was asked for.
    pub action: Action,
    /// When.
    pub at: Millis,
}

/// What a member asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The dashboard.
    Open,
    /// Its figures.
    Execute,
    /// Options of a filter.
    Options,
}

impl Action {
    /// As the log names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Execute => "execute",
            Self::Options => "options",
        }
    }
}

/// Answer of [`RECORD_PATH`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Healed {
    /// What is in force, see [`crate::replica::Record`]; passed on byte for byte.
    pub record: Box<RawValue>,
    /// What was reported of the token: the gate goes on counting from there.
    pub usage: Usage,
}

/// A request to the data plane. The control plane decides on it again from its own database:
/// the edge's word is not enough to read rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataCall {
    /// The share.
    pub share_id: Uuid,
    /// Its revision as the edge knows it. Another one in the database is answered 409: the edge must not
    /// keep rows under a rule that they were not read by.
    pub revision: u64,
    /// For execute: canonical parameters, as [`crate::model::policy::Parameters::to_json`] writes them. Options take
    /// none: they are found under [`crate::model::policy::constraints`].
    pub parameters: Map<String, Value>,
    /// For options: the filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_slug: Option<String>,
    /// For options: what the viewer typed, at most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// Of an embed: the viewer's token, which the control plane checks again. See [`crate::model::embed::token`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embed_token: Option<EmbedToken>,
    /// Of a share of a context: the member's access token, which the control plane checks again. See [`crate::model::portal`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal_token: Option<PortalToken>,
}

/// A request for rows of a data product. As with [`DataCall`], the control plane decides again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductCall<Asked> {
    /// The share.
    pub share_id: Uuid,
    /// Its revision as the edge knows it, see [`DataCall::revision`].
    pub revision: u64,
    /// What is asked: see [`PageCall`] and [`DownloadCall`].
    pub asked: Asked,
}

/// Body of [`PAGE_PATH`].
pub type PageCall = ProductCall<Page>;
/// Body of [`DOWNLOAD_PATH`].
pub type DownloadCall = ProductCall<Format>;

/// Answer of [`PAGE_PATH`]; the edge passes it on byte for byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PageRows {
    /// Of all rows.
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub columns: Vec<data_product::Column>,
    /// JSON scalars in the order of the columns; whole numbers beyond 2^53 keep their digits.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<Object>>))]
    pub rows: Vec<Vec<Value>>,
    /// How many rows the data product has, whatever is searched for.
    pub total: u64,
    /// How many rows have what is searched for, when this page has seen all of them; else null.
    pub matched: Option<u64>,
    /// `cursor` of the next page; null after the last. A page of a search may be short, or empty, and still have a next: then the
    /// search has yet to see the other rows.
    pub next_cursor: Option<String>,
    /// Of the data product: grows when its rows or its name change.
    pub version: u64,
}

/// Answer of [`EXECUTE_PATH`]; the edge passes it on byte for byte and adds what it knows of its cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Executed {
    /// One for each widget, in order.
    pub panels: Vec<PanelRows>,
    /// When the queries ran, RFC 3339.
    pub generated_at: String,
}

/// Rows of one widget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PanelRows {
    /// The widget.
    pub id: String,
    /// Names and types of the cells.
    pub columns: Vec<Column>,
    /// JSON scalars; whole numbers beyond 2^53 keep their digits.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<Object>>))]
    pub rows: Vec<Vec<Value>>,
    /// The query had more than 10,000 rows; these are the first.
    pub truncated: bool,
    /// The query failed: rows are empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<PanelError>,
}

/// Why a widget has no rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PanelError {
    /// For people.
    pub error: String,
    /// For programs.
    pub error_code: String,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Column {
    /// As the query names it.
    pub name: String,
    /// What its cells are.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
}

/// Types of cells; any cell may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ColumnType {
    /// Whole numbers.
    Integer,
    /// Numbers.
    Number,
    /// Texts.
    Text,
    /// Truth values.
    Boolean,
    /// `YYYY-MM-DD`.
    Date,
    /// RFC 3339, or without an offset where the source has none.
    Timestamp,
    /// Any JSON.
    Json,
}

/// Answer of [`OPTIONS_PATH`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptionsFound {
    /// At most 1,000.
    pub options: Vec<crate::model::filter::Choice>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::{Keys, RootKey};

    fn keys() -> Keys {
        Keys::derive(
            &RootKey::parse("9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41").unwrap(),
        )
    }

    #[test]
    fn a_signature_is_pinned() {
        assert_eq!(
            sign(&keys().push, "POST", "/p", b"{}", Millis(1_000)),
            "t=1000,d=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a,v1=419ccf58e5b55c00941af60ef0af8962f724889c6af6886089aafd73b788fc83"
        );
    }

    #[test]
    fn what_was_signed_verifies_within_the_window() {
        let keys = keys();
        let signature = sign(&keys.push, "POST", "/p", b"{}", Millis(100_000));
        let check = |call, now, expected| {
            assert_eq!(verify([&keys.push], &signature, call, Millis(now)), expected, "{call:?} {now}");
        };
        check(("POST", "/p", b"{}"), 100_000, true);
        check(("POST", "/p", b"{}"), 160_000, true);
        check(("POST", "/p", b"{}"), 40_000, true);
        check(("POST", "/p", b"{}"), 160_001, false);
        check(("POST", "/p", b"{}"), 39_999, false);
        check(("GET", "/p", b"{}"), 100_000, false);
        check(("POST", "/q", b"{}"), 100_000, false);
        check(("POST", "/p", b"{ }"), 100_000, false);
        assert!(!verify([&keys.origin], &signature, ("POST", "/p", b"{}"), Millis(100_000)));
    }

    #[test]
    fn a_client_is_believed_only_from_the_edge() {
        let keys = keys();
        let client: IpAddr = "2001:db8::7".parse().unwrap();
        let value = vouch(&keys.origin, "GET", "/p", client, Millis(1_000));
        let check = |value: &str, call, now| vouched([&keys.origin], value, call, Millis(now));
        assert_eq!(check(&value, ("GET", "/p"), 1_000), Some(client));
        assert_eq!(check(&value.replace("::7", "::8"), ("GET", "/p"), 1_000), None);
        assert_eq!(check(&value, ("GET", "/q"), 1_000), None);
        assert_eq!(check(&value, ("GET", "/p"), 100_000), None);
        assert_eq!(check("10.0.0.1", ("GET", "/p"), 1_000), None);
        assert_eq!(check("", ("GET", "/p"), 1_000), None);
    }

    #[test]
    fn forged_signatures_are_refused() {
        let keys = keys();
        for signature in [
            "",
            "t=100000",
            "t=100000,d=,v1=",
            "v1=00,t=1",
            "t=x,v1=00",
            &format!("t=100000,d={0},v1={0}", "0".repeat(64)),
            "t=9223372036854775807,v1=00",
            "t=-9223372036854775808,v1=00",
        ] {
            assert!(!verify([&keys.push], signature, ("POST", "/p", b""), Millis(100_000)), "{signature}");
        }
    }
}
