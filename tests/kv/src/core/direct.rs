//! What a test may see and do behind KV's back, with no limit, fault or blackout.

use super::{Core, Write};
use crate::location::Content;
use crate::stored::Stored;
use bytes::Bytes;
use shared::time::Millis;
use std::sync::Arc;

impl Core {
    /// What was applied last under a key, wherever it may have arrived. Late writes count once they are applied.
    pub fn authoritative(&mut self, now: Millis, key: &str) -> Option<Stored> {
        self.newest(now, key).map(|stored| Stored::clone(&stored))
    }

    /// All keys that hold something by the same measure, sorted by their bytes.
    pub fn keys(&mut self, now: Millis) -> Vec<String> {
        self.settle(now);
        let held = self.newest.iter().filter(|(_, stored)| !stored.is_gone(now));
        held.map(|(key, _)| key.clone()).collect()
    }

    /// Puts something under a key, as an operator would by hand. Locations see it after the usual delays.
    pub fn put_direct(&mut self, now: Millis, key: &str, stored: Stored) {
        self.by_hand(now, key, Some(Arc::new(stored)));
    }

    /// Removes a key, as an operator would by hand. Locations see it after the usual delays.
    pub fn remove_direct(&mut self, now: Millis, key: &str) {
        self.by_hand(now, key, None);
    }

    /// Replaces the value under a key and keeps its metadata and expiration. False when there is none.
    pub fn tamper(&mut self, now: Millis, key: &str, value: Bytes) -> bool {
        let Some(stored) = self.authoritative(now, key) else { return false };
        self.put_direct(now, key, Stored { value, ..stored });
        true
    }

    pub(super) fn newest(&mut self, now: Millis, key: &str) -> Content {
        self.settle(now);
        self.newest.get(key).filter(|stored| !stored.is_gone(now)).cloned()
    }

    fn by_hand(&mut self, now: Millis, key: &str, content: Content) {
        self.settle(now);
        self.apply(now, Write { from: None, key: key.to_owned(), content });
    }
}
