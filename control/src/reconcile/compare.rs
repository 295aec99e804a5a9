//! What is different about one key: pure, told from the database's record and from what a list of KV says.

use serde::{Deserialize, Serialize};
use shared::model::token::RecordKey;
use shared::replica::{Metadata, Record};
use std::cmp::Ordering;

/// What the database says of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// `None` when the record cannot be made; the token is known all the same.
    pub(crate) expected: Option<Expected>,
}

/// What KV should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) metadata: Metadata,
    pub(crate) is_tombstone: bool,
}

impl Expected {
    pub(crate) fn of(record: &Record) -> Self {
        Self {
            metadata: Metadata::of(record.revision, &record.to_json()),
            is_tombstone: record.live.is_none(),
        }
    }
}

/// A key that KV holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) key: String,
    /// `None` when there is none, or none of ours.
    pub(crate) metadata: Option<Metadata>,
}

/// How KV and the database differ about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Difference {
    /// KV lacks it.
    Missing,
    /// KV has an older revision.
    Stale,
    /// KV has this revision with other bytes, or says nothing readable about it.
    Altered,
    /// KV has a newer revision: the database was restored from a backup.
    Ahead,
    /// KV has a record that may be live, of a token that the database does not know.
    Surplus,
    /// KV has a key that is no record key.
    Foreign,
    /// The database holds something of which no record can be made.
    Unreadable,
}

impl Difference {
    /// All there are.
    pub(crate) const ALL: [Self; 7] = [
        Self::Missing,
        Self::Stale,
        Self::Altered,
        Self::Ahead,
        Self::Surplus,
        Self::Foreign,
        Self::Unreadable,
    ];

    /// Does the database's record belong into KV now? Not where KV is newer: the share is raised above it first.
    pub(crate) const fn is_written(self) -> bool {
        matches!(self, Self::Missing | Self::Stale | Self::Altered)
    }

    /// May the token's gate hold something else than the database, so that it must be told?
    pub(crate) const fn is_pushed(self) -> bool {
        matches!(self, Self::Stale | Self::Altered | Self::Ahead)
    }
}

/// Compares one key. Two tombstones are alike whatever their revisions: a retired token's share goes on changing,
/// and its tombstone is not written again.
pub(crate) fn compare(entry: Option<&Entry>, listed: Option<&Listed>) -> Option<Difference> {
    let (entry, listed) = match (entry, listed) {
        (None, None) => return None,
        (None, Some(listed)) => return unknown(listed),
        (Some(Entry { expected: None, .. }), _) => return Some(Difference::Unreadable),
        (Some(_), None) => return Some(Difference::Missing),
        (Some(Entry { expected: Some(expected), .. }), Some(listed)) => (expected, listed),
    };
    let Some(metadata) = &listed.metadata else { return Some(Difference::Altered) };
    if *metadata == entry.metadata || (entry.is_tombstone && metadata.is_tombstone()) {
        return None;
    }
    Some(match metadata.revision.cmp(&entry.metadata.revision) {
        Ordering::Less => Difference::Stale,
        Ordering::Equal => Difference::Altered,
        Ordering::Greater => Difference::Ahead,
    })
}

/// A key that the database does not know; a tombstone is as good as none.
fn unknown(listed: &Listed) -> Option<Difference> {
    if RecordKey::parse(&listed.key).is_none() {
        return Some(Difference::Foreign);
    }
    let is_dead = listed.metadata.as_ref().is_some_and(Metadata::is_tombstone);
    (!is_dead).then_some(Difference::Surplus)
}

/// Whose turn it is in a merge of two sorted streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Database,
    Kv,
    Both,
}

/// Of the next keys of both streams the smaller one, or both; `None` when both have ended.
pub(crate) fn turn(database: Option<&str>, kv: Option<&str>) -> Option<Turn> {
    Some(match (database, kv) {
        (None, None) => return None,
        (Some(_), None) => Turn::Database,
        (None, Some(_)) => Turn::Kv,
        (Some(database), Some(kv)) => match database.cmp(kv) {
            Ordering::Less => Turn::Database,
            Ordering::Greater => Turn::Kv,
            Ordering::Equal => Turn::Both,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_map;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const KEY: &str = "00112233445566778899aabbccddeeff";

    fn live(revision: u64) -> Entry {
        let metadata = Metadata::of(revision, format!("live {revision}").as_bytes());
        Entry { key: KEY.into(), expected: Some(Expected { metadata, is_tombstone: false }) }
    }

    fn dead(revision: u64) -> Entry {
        Entry { key: KEY.into(), expected: Some(Expected::of(&Record::tombstone(revision))) }
    }

    fn listed(entry: &Entry) -> Listed {
        Listed { key: entry.key.clone(), metadata: entry.expected.clone().map(|expected| expected.metadata) }
    }

    #[test]
    fn each_difference_has_its_name() {
        let other = Listed { key: KEY.into(), metadata: Some(Metadata::of(5, b"other")) };
        let bare = Listed { key: KEY.into(), metadata: None };
        let foreign = Listed { key: "config".into(), metadata: None };
        let unreadable = Entry { key: KEY.into(), expected: None };
        for (entry, kv, expected) in [
            (None, None, None),
            (Some(live(5)), Some(listed(&live(5))), None),
            (Some(live(5)), None, Some(Difference::Missing)),
            (Some(dead(5)), None, Some(Difference::Missing)),
            (Some(live(5)), Some(listed(&live(4))), Some(Difference::Stale)),
            (Some(live(5)), Some(listed(&dead(4))), Some(Difference::Stale)),
            (Some(dead(5)), Some(listed(&live(4))), Some(Difference::Stale)),
            (Some(live(5)), Some(listed(&live(6))), Some(Difference::Ahead)),
            (Some(live(5)), Some(listed(&dead(6))), Some(Difference::Ahead)),
            (Some(dead(5)), Some(listed(&live(6))), Some(Difference::Ahead)),
            (Some(live(5)), Some(other), Some(Difference::Altered)),
            (Some(live(5)), Some(bare.clone()), Some(Difference::Altered)),
            (Some(dead(5)), Some(bare.clone()), Some(Difference::Altered)),
            (Some(dead(5)), Some(listed(&live(5))), Some(Difference::Altered)),
            (None, Some(listed(&live(5))), Some(Difference::Surplus)),
            (None, Some(bare.clone()), Some(Difference::Surplus)),
            (None, Some(listed(&dead(5))), None),
            (None, Some(foreign), Some(Difference::Foreign)),
            (Some(unreadable.clone()), None, Some(Difference::Unreadable)),
            (Some(unreadable), Some(bare), Some(Difference::Unreadable)),
        ] {
            assert_eq!(compare(entry.as_ref(), kv.as_ref()), expected, "{entry:?} {kv:?}");
        }
    }

    #[test]
    fn tombstones_are_alike() {
        for revision in 1..9 {
            assert_eq!(compare(Some(&dead(5)), Some(&listed(&dead(revision)))), None);
        }
    }

    #[test]
    fn a_known_token_is_never_killed_for_what_kv_says() {
        let metadata = [None, Some(Metadata::of(0, b"")), Some(Metadata::of(u64::MAX, b"x"))];
        for entry in [live(5), dead(5), Entry { key: KEY.into(), expected: None }] {
            for metadata in metadata.clone() {
                let listed = Listed { key: KEY.into(), metadata };
                let found = compare(Some(&entry), Some(&listed));
                assert!(!matches!(found, Some(Difference::Surplus | Difference::Foreign)), "{found:?}");
            }
        }
    }

    proptest! {
        /// A merge by turns meets each key once, and what has one key at the same time.
        #[test]
        fn a_merge_is_an_outer_join(
            database in btree_map("[0-9a-f]{1,3}", 0..4_u64, 0..40),
            kv in btree_map("[0-9a-z]{1,3}", 0..4_u64, 0..40),
        ) {
            let (mut left, mut right) = (database.iter().peekable(), kv.iter().peekable());
            let mut met = BTreeMap::new();
            loop {
                let keys = (left.peek().map(|(key, _)| key.as_str()), right.peek().map(|(key, _)| key.as_str()));
                let Some(turn) = turn(keys.0, keys.1) else { break };
                let one = if turn == Turn::Kv { None } else { left.next() };
                let other = if turn == Turn::Database { None } else { right.next() };
                let (key, _) = one.or(other).unwrap();
                prop_assert!(met.insert(key, (one.is_some(), other.is_some())).is_none());
            }
            let all: BTreeSet<_> = database.keys().chain(kv.keys()).collect();
            prop_assert_eq!(met.keys().copied().collect::<BTreeSet<_>>(), all);
            for (key, both) in met {
                prop_assert_eq!(both, (database.contains_key(key), kv.contains_key(key)));
            }
        }

        /// What was repaired by a write is the same afterwards.
        #[test]
        fn a_written_record_is_the_same(revision in 1..9_u64, is_dead: bool, held in proptest::option::of(1..9_u64)) {
            let entry = if is_dead { dead(revision) } else { live(revision) };
            let kv = held.map(|revision| listed(&live(revision)));
            if compare(Some(&entry), kv.as_ref()).is_none_or(Difference::is_written) {
                prop_assert_eq!(compare(Some(&entry), Some(&listed(&entry))), None);
            } else {
                prop_assert!(held.is_some_and(|held| held > revision));
            }
        }
    }
}
