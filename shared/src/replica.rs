//! What the control plane tells the edge: one record for each token, and the messages that carry them.
//! Versioned: a record of a schema that this build does not know closes the share.

use crate::model::context::ContextView;
use crate::model::dashboard::View;
use crate::model::data_product;
use crate::model::embed::Terms;
use crate::model::item::{Collection, Item};
use crate::model::meter::DEFAULT_BUDGET;
use crate::model::origin::Origin;
use crate::model::policy::Rules;
use crate::model::protection::Protection;
use crate::model::share::{Permission, ShareType};
use crate::model::usage::Usage;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::ops::RangeInclusive;
use uuid::Uuid;

/// Schema of the records of links that this build writes. It reads the one before, too, so that records written before
/// a deployment stay readable: schema 1 knew no protection and no beginning.
pub const SCHEMA: u32 = 2;
/// Schema of the records of embeds: a build that knows none of them must not take one for a link's. Records of links keep theirs,
/// since raising it would alter each of them.
pub const EMBED_SCHEMA: u32 = 3;
/// Schema of the records of contexts and of the shares that are bound to one: a build that knows none of them must not take such a
/// share for a public one.
pub const CONTEXT_SCHEMA: u32 = 4;
/// Schema of the records of data products.
pub const PRODUCT_SCHEMA: u32 = 5;
/// Oldest schema that this build reads, and newest.
const READABLE: RangeInclusive<u32> = 1..=PRODUCT_SCHEMA;
/// Where the Worker takes pushes.
pub const PUSH_PATH: &str = "/internal/changes";
/// Most changes in one push.
pub const MAX_CHANGES: usize = 100;
/// Longest push, in bytes.
pub const MAX_PUSH_BYTES: usize = 8 * 1024 * 1024;

/// All that the public path needs to know of one token. In KV, in the token's gate, and in pushes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// The share's revision that this record tells.
    pub revision: u64,
    /// What the token opens; `None` is a tombstone.
    pub live: Option<Live>,
    /// Of a tombstone: may it open again? A share closes while its rules do not fit its dashboard; what was revoked or
    /// rotated away stays dead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
}

/// A share in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// Who shares.
    pub organization: Organization,
    /// The share.
    pub share: ShareView,
    /// What visitors must do first.
    #[serde(default)]
    pub protection: Protection,
    /// Only members of this context may open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Uuid>,
    /// What viewers may ask; those of an embed are told by its tokens.
    pub rules: Rules,
    /// Of an embed: what must hold of its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embed: Option<Terms>,
    /// What it opens.
    pub target: TargetView,
}

impl Live {
    /// Is it closed as soon as no lease is left, whatever else is out of reach?
    pub const fn needs_lease(&self) -> bool {
        self.embed.is_some() || self.context.is_some() || matches!(self.target, TargetView::Context(_))
    }
}

/// An organization as viewers may know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Organization {
    /// Its id.
    pub id: Uuid,
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub name: String,
}

/// A share as viewers may know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShareView {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// How it is used.
    pub share_type: ShareType,
    /// What its visitors may do.
    #[serde(default, skip_serializing_if = "Permission::is_view")]
    pub permission: Permission,
    /// Grows with each rotation.
    pub generation: u64,
    /// Dead before this instant.
    #[serde(default)]
    pub not_before: Option<Millis>,
    /// Dead from this instant on.
    pub expires_at: Option<Millis>,
    /// Sites that may frame its page; none when it is protected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frame_origins: Vec<Origin>,
    /// Of a map: tiles that it gives a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tile_budget: Option<u64>,
}

impl ShareView {
    /// Tiles that it gives a day.
    pub fn tile_budget(&self) -> u64 {
        self.tile_budget.unwrap_or(DEFAULT_BUDGET)
    }
}

/// What a token opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetView {
    /// A dashboard.
    Dashboard(View),
    /// A map item.
    Item(Item),
    /// Map items that are shown together.
    Collection(Collection),
    /// A data product.
    DataProduct(data_product::View),
    /// A share context.
    Context(ContextView),
}

impl TargetView {
    /// The dashboard, if it is one.
    pub const fn dashboard(&self) -> Option<&View> {
        match self {
            Self::Dashboard(view) => Some(view),
            Self::DataProduct(_) | Self::Item(_) | Self::Collection(_) | Self::Context(_) => None,
        }
    }

    /// The data product, if it is one.
    pub const fn data_product(&self) -> Option<&data_product::View> {
        match self {
            Self::DataProduct(view) => Some(view),
            Self::Dashboard(_) | Self::Item(_) | Self::Collection(_) | Self::Context(_) => None,
        }
    }

    /// Is it a map, whose tiles are read by tickets?
    pub const fn is_map(&self) -> bool {
        matches!(self, Self::Item(_) | Self::Collection(_))
    }

    /// The map item itself, if it is one, or the one of a collection that is named.
    pub fn item(&self, id: Option<Uuid>) -> Option<&Item> {
        match (self, id) {
            (Self::Item(item), None) => Some(item),
            (Self::Item(item), Some(id)) => (item.id == id).then_some(item),
            (Self::Collection(collection), Some(id)) => collection.items.iter().find(|item| item.id == id),
            (Self::Collection(_), None)
            | (Self::Dashboard(_) | Self::DataProduct(_) | Self::Context(_), _) => None,
        }
    }

    /// What people call it.
    pub fn title(&self) -> &str {
        match self {
            Self::Dashboard(view) => &view.title,
            Self::Item(item) => &item.name,
            Self::Collection(collection) => &collection.name,
            Self::DataProduct(view) => &view.name,
            Self::Context(view) => &view.name,
        }
    }
}

/// Why a record cannot be used. The share closes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Written by a newer or foreign build.
    #[error("schema {0} is none of those that this build knows")]
    Schema(u32),
    /// Not a record.
    #[error("not a record: {0}")]
    Shape(String),
}

impl Record {
    /// The record of a token that opens nothing any more.
    pub const fn tombstone(revision: u64) -> Self {
        Self { schema: SCHEMA, revision, live: None, closed: false }
    }

    /// The record of a token that opens nothing as long as its share is closed.
    pub const fn closed(revision: u64) -> Self {
        Self { schema: SCHEMA, revision, live: None, closed: true }
    }

    /// Will it never open anything again?
    pub const fn is_dead(&self) -> bool {
        self.live.is_none() && !self.closed
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`Unreadable`] for another schema, and for what is cut, altered or no record at all.
    pub fn parse(json: &[u8]) -> Result<Self, Unreadable> {
        let record: Self = match serde_json::from_slice(json) {
            Ok(record) => record,
            Err(error) => {
                return Err(match Head::parse(json) {
                    Ok(_) => Unreadable::Shape(error.to_string()),
                    Err(unreadable) => unreadable,
                });
            }
        };
        readable(record.schema)?;
        Ok(record)
    }

    /// Is every read of it checked with the gate? A tombstone may be kept under a lease: it only ever refuses.
    pub fn is_strict(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.protection.is_strict())
    }

    /// Are tiles of it read by tickets? Those are served under a lease, though the record is strict.
    pub fn is_ticketed(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.target.is_map())
    }

    /// The record's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        // Maps with text keys, numbers and texts: nothing that JSON cannot hold.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Metadata of a KV value: which record it holds, without reading it. Workers KV takes 1,024 bytes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// See [`Record::revision`].
    pub revision: u64,
    /// See [`digest`].
    pub digest: String,
}

impl Metadata {
    /// Of a record's bytes.
    pub fn of(revision: u64, json: &[u8]) -> Self {
        Self { revision, digest: digest(json) }
    }

    /// Is the record a tombstone? It holds nothing but its revision, so its digest alone tells.
    pub fn is_tombstone(&self) -> bool {
        READABLE.clone().any(|schema| {
            let tombstone = Record { schema, ..Record::tombstone(self.revision) };
            self.digest == digest(&tombstone.to_json())
        })
    }
}

/// Digest of a record's bytes, 32 hex digits: a copy that was cut, altered or exchanged has another one.
pub fn digest(json: &[u8]) -> String {
    let digest = Sha256::digest(json);
    let (half, _) = digest.split_at(16);
    hex::encode(half)
}

/// What a gate must know of a record that it holds for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Head {
    /// See [`Record::schema`].
    pub schema: u32,
    /// See [`Record::revision`].
    pub revision: u64,
}

impl Head {
    /// Reads no more than schema and revision.
    ///
    /// # Errors
    /// As [`Record::parse`].
    pub fn parse(json: &[u8]) -> Result<Self, Unreadable> {
        let head: Self =
            serde_json::from_slice(json).map_err(|error| Unreadable::Shape(error.to_string()))?;
        readable(head.schema)?;
        Ok(head)
    }
}

fn readable(schema: u32) -> Result<(), Unreadable> {
    if READABLE.contains(&schema) { Ok(()) } else { Err(Unreadable::Schema(schema)) }
}

/// A push: `POST /internal/changes`, signed (see [`crate::call`]).
#[derive(Debug, Serialize, Deserialize)]
pub struct Push {
    /// At most [`MAX_CHANGES`], each key once.
    pub changes: Vec<Change>,
}

/// One record on its way to its gate.
#[derive(Debug, Serialize, Deserialize)]
pub struct Change {
    /// Record key of the token, see [`crate::model::token::RecordKey`].
    pub key: String,
    /// The record, passed on byte for byte.
    pub record: Box<RawValue>,
    /// What the control plane knows that the token's gate has counted, should that have lost it.
    #[serde(default)]
    pub usage: Usage,
}

/// Answer to a push: one entry for each change, in order.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pushed {
    /// The edge's clock, so that the control plane sees how far theirs differ.
    pub at: Millis,
    /// See [`Receipt`].
    pub receipts: Vec<Receipt>,
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The change's key.
    pub key: String,
    /// What the gate did.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What a gate did with a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// What was pushed is in force. Wait `drain_ms` before telling anybody that the old rule is dead.
    InForce {
        /// Revision in force.
        revision: u64,
        /// How long some isolate may still serve under a lease.
        drain_ms: u64,
    },
    /// Not taken: the gate holds something else under this revision, which is not older. Either a newer push came
    /// first, or the database has lost revisions that the edge has seen.
    Ahead {
        /// Revision in force.
        revision: u64,
        /// Is it the tombstone of a link that never opens again?
        dead: bool,
    },
    /// Not taken; try again.
    Failed {
        /// For the log.
        reason: String,
    },
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::filter::{Choices, Filter, Kind};

    /// A live record of a dashboard with one dynamic filter, as other modules' tests use it.
    pub(crate) fn live_record(revision: u64) -> Record {
        Record {
            schema: SCHEMA,
            revision,
            closed: false,
            live: Some(Live {
                organization: Organization {
                    id: Uuid::from_u128(1),
                    slug: "acme".into(),
                    name: "Acme".into(),
                },
                share: ShareView {
                    id: Uuid::from_u128(2),
                    name: "Public link".into(),
                    share_type: ShareType::Link,
                    permission: Permission::View,
                    generation: 1,
                    not_before: None,
                    expires_at: None,
                    frame_origins: Vec::new(),
                    tile_budget: None,
                },
                protection: Protection::default(),
                context: None,
                rules: Rules::default(),
                embed: None,
                target: TargetView::Dashboard(View {
                    id: Uuid::from_u128(3),
                    slug: "sales".into(),
                    title: "Sales".into(),
                    description: None,
                    version: 1,
                    filters: vec![Filter {
                        slug: "status".into(),
                        label: "Status".into(),
                        kind: Kind::Select,
                        required: false,
                        default: None,
                        choices: Some(Choices::Dynamic),
                    }],
                    layout: Vec::new(),
                }),
            }),
        }
    }

    #[test]
    fn records_are_pinned() {
        assert_eq!(
            String::from_utf8(Record::tombstone(7).to_json()).unwrap(),
            r#"{"schema":2,"revision":7,"live":null}"#
        );
        let expected = concat!(
            r#"{"schema":2,"revision":7,"live":{"organization":{"id":"00000000-0000-0000-0000-000000000001","slug":"acme","name":"Acme"},"#,
            r#""share":{"id":"00000000-0000-0000-0000-000000000002","name":"Public link","share_type":"link","generation":1,"not_before":null,"expires_at":null},"protection":{"version":0,"resets":0},"#,
            r#""rules":{"default_mode":"open","policies":[]},"target":{"dashboard":{"id":"00000000-0000-0000-0000-000000000003","slug":"sales","#,
            r#""title":"Sales","version":1,"filters":[{"slug":"status","label":"Status","kind":"select","required":false,"choices":"dynamic"}],"layout":[]}}}}"#
        );
        assert_eq!(String::from_utf8(live_record(7).to_json()).unwrap(), expected);
        assert_eq!(Record::parse(expected.as_bytes()), Ok(live_record(7)));
    }

    #[test]
    fn a_future_schema_closes_whatever_its_shape() {
        assert_eq!(Record::parse(br#"{"schema":6,"revision":1,"live":null}"#), Err(Unreadable::Schema(6)));
        assert_eq!(Record::parse(br#"{"schema":6,"revision":1,"live":[1]}"#), Err(Unreadable::Schema(6)));
        assert_eq!(Record::parse(br#"{"schema":0,"revision":1,"live":null}"#), Err(Unreadable::Schema(0)));
        assert!(matches!(Record::parse(b"{}"), Err(Unreadable::Shape(_))));
    }

    #[test]
    fn a_record_of_the_schema_before_is_read() {
        let old = concat!(
            r#"{"schema":1,"revision":7,"live":{"organization":{"id":"00000000-0000-0000-0000-000000000001","slug":"acme","name":"Acme"},"#,
            r#""share":{"id":"00000000-0000-0000-0000-000000000002","name":"Public link","share_type":"link","generation":1,"expires_at":null},"#,
            r#""rules":{"default_mode":"open","policies":[]},"target":{"dashboard":{"id":"00000000-0000-0000-0000-000000000003","slug":"sales","#,
            r#""title":"Sales","version":1,"filters":[{"slug":"status","label":"Status","kind":"select","required":false,"choices":"dynamic"}],"layout":[]}}}}"#
        );
        assert_eq!(Record::parse(old.as_bytes()), Ok(Record { schema: 1, ..live_record(7) }));
    }

    #[test]
    fn a_cut_record_closes() {
        let whole = live_record(7).to_json();
        for length in 0..whole.len() {
            assert!(Record::parse(&whole[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn digests_are_pinned() {
        assert_eq!(digest(b"{}"), "44136fa355b3678a1146ad16f7e8649e");
    }

    #[test]
    fn a_tombstone_is_known_by_its_metadata() {
        for old in [r#"{"schema":1,"revision":7,"live":null}"#, r#"{"schema":2,"revision":7,"live":null}"#] {
            assert!(Metadata::of(7, old.as_bytes()).is_tombstone(), "{old}");
            assert!(!Metadata::of(8, old.as_bytes()).is_tombstone(), "{old}");
        }
        assert!(!Metadata::of(7, &live_record(7).to_json()).is_tombstone());
    }

    #[test]
    fn receipts_are_flat() {
        let receipt = Receipt { key: "k".into(), outcome: Outcome::InForce { revision: 2, drain_ms: 5 } };
        assert_eq!(
            serde_json::to_string(&receipt).unwrap(),
            r#"{"key":"k","outcome":"in_force","revision":2,"drain_ms":5}"#
        );
    }
}
