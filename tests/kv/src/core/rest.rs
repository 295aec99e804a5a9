//! What only the REST API can do: bulk calls and lists. It reads what was applied last, with no cache between.

use super::{Core, Fate, Write};
use crate::faults::happens;
use crate::refusal::Refusal;
use crate::stored::{Stored, check_key};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use shared::time::Millis;
use std::collections::BTreeMap;
use std::ops::{Bound, RangeInclusive};
use std::sync::Arc;

/// Most pairs or keys of a bulk write or deletion. (Workers KV, write key-value pairs.)
pub const MAX_BULK_PAIRS: usize = 10_000;
/// Most keys of a bulk read. (Cloudflare API, KV, bulk get.)
pub const MAX_BULK_GET: usize = 100;
/// How many keys a page of a list may have at least and at most; the most is also what it has unless told otherwise.
/// (Cloudflare API, KV, list keys.)
const PAGE_LIMITS: RangeInclusive<usize> = 10..=1_000;

/// How a bulk write or deletion ended that was answered 200.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bulk {
    /// How many keys were written.
    pub successful_key_count: usize,
    /// Keys that were not written and should be tried again, sorted: by a fault, or within a second of the last write.
    pub unsuccessful_keys: Vec<String>,
}

/// One page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys sorted by their bytes.
    pub keys: Vec<Listed>,
    /// Where the next page begins; none after the last.
    pub cursor: Option<String>,
}

/// A key as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub name: String,
    /// What [`Stored::metadata`] says.
    pub metadata: Option<Value>,
    /// What [`Stored::expiration`] says.
    pub expiration: Option<Millis>,
}

impl Core {
    /// Writes up to [`MAX_BULK_PAIRS`] pairs; of several for one key, the last. One that is malformed refuses all.
    pub fn bulk_put(&mut self, now: Millis, pairs: Vec<(String, Stored)>) -> Result<Bulk, Refusal> {
        let writes =
            pairs.into_iter().map(|(key, stored)| Write { from: None, key, content: Some(Arc::new(stored)) });
        self.bulk(now, writes.collect())
    }

    /// Deletes up to [`MAX_BULK_PAIRS`] keys, whether they are there or not.
    pub fn bulk_delete(&mut self, now: Millis, keys: Vec<String>) -> Result<Bulk, Refusal> {
        self.bulk(now, keys.into_iter().map(|key| Write { from: None, key, content: None }).collect())
    }

    fn bulk(&mut self, now: Millis, writes: Vec<Write>) -> Result<Bulk, Refusal> {
        let asked = u64::try_from(writes.len()).unwrap_or(u64::MAX);
        let fate = self.admit_bulk(now, &writes).inspect_err(|_| self.counters.refused += asked)?;
        let writes: BTreeMap<_, _> = writes.into_iter().map(|write| (write.key.clone(), write)).collect();
        let mut bulk = Bulk::default();
        for (key, write) in writes {
            if self.is_too_soon(now, &key) || happens(&mut self.rng, self.faults.bulk_unsuccessful) {
                self.counters.refused += 1;
                bulk.unsuccessful_keys.push(key);
            } else {
                self.take(now, write, fate);
                bulk.successful_key_count += 1;
            }
        }
        fate.told().map(|()| bulk)
    }

    fn admit_bulk(&mut self, now: Millis, writes: &[Write]) -> Result<Fate, Refusal> {
        if writes.len() > MAX_BULK_PAIRS {
            return Err(Refusal::Invalid("more than 10000 keys"));
        }
        writes.iter().try_for_each(|write| write.check(now))?;
        self.reach(now)?;
        self.fate()
    }

    /// Reads one key.
    pub fn get(&mut self, now: Millis, key: &str) -> Result<Option<Arc<Stored>>, Refusal> {
        check_key(key)?;
        self.reach_to_read(now)?;
        Ok(self.newest(now, key))
    }

    /// Reads up to [`MAX_BULK_GET`] keys; those that are not there have none.
    pub fn bulk_get(
        &mut self,
        now: Millis,
        keys: Vec<String>,
    ) -> Result<BTreeMap<String, Option<Arc<Stored>>>, Refusal> {
        if keys.len() > MAX_BULK_GET {
            return Err(Refusal::Invalid("more than 100 keys"));
        }
        keys.iter().try_for_each(|key| check_key(key))?;
        self.reach_to_read(now)?;
        Ok(keys
            .into_iter()
            .map(|key| {
                let stored = self.newest(now, &key);
                (key, stored)
            })
            .collect())
    }

    /// Lists the keys that begin with `prefix`, 10 to 1,000 on a page, 1,000 unless told otherwise. A later page shows
    /// what is there when it is asked for.
    pub fn list(
        &mut self,
        now: Millis,
        prefix: &str,
        limit: Option<usize>,
        cursor: Option<&str>,
    ) -> Result<Page, Refusal> {
        let limit = limit.unwrap_or(*PAGE_LIMITS.end());
        if !PAGE_LIMITS.contains(&limit) {
            return Err(Refusal::Invalid("limit must be from 10 to 1000"));
        }
        let after = cursor.map(read_cursor).transpose()?;
        self.reach_to_read(now)?;
        self.settle(now);
        let after = after.as_deref().filter(|after| *after >= prefix);
        let start = after.map_or(Bound::Included(prefix), Bound::Excluded);
        let mut keys = self
            .newest
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(_, stored)| !stored.is_gone(now))
            .map(|(key, stored)| Listed {
                name: key.clone(),
                metadata: stored.metadata.clone(),
                expiration: stored.expiration,
            });
        let page: Vec<_> = keys.by_ref().take(limit).collect();
        let cursor = match (page.last(), keys.next()) {
            (Some(last), Some(_)) => Some(BASE64_URL_SAFE_NO_PAD.encode(&last.name)),
            _ => None,
        };
        Ok(Page { keys: page, cursor })
    }
}

/// The last key of the page before.
fn read_cursor(cursor: &str) -> Result<String, Refusal> {
    let key = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|key| String::from_utf8(key).ok());
    key.ok_or(Refusal::Invalid("not a cursor"))
}
