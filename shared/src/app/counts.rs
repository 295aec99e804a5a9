//! What one isolate counts of tokens: openings and tiles that their gates have not heard of, and what gates know of today's tiles.
//! Apart from records, which may be forgotten to make room: what was counted is told all the same, and a budget holds.

use super::port::Told;
use crate::model::meter::{self, Meter};
use crate::model::token::RecordKey;
use crate::time::Millis;
use lru::LruCache;
use std::cell::RefCell;
use std::num::NonZeroUsize;

/// Tokens that are counted at once; some 150 bytes each.
const MAX_TOKENS: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

#[derive(Debug, Default)]
struct Count {
    untold: Told,
    /// Tiles of the day that its gate knows of, and when it said so.
    tiles_told: (u64, Millis),
    /// Will the gate be told?
    report_due: bool,
}

/// Counts by token.
#[derive(Debug)]
pub struct Counts(RefCell<LruCache<RecordKey, Count>>);

impl Default for Counts {
    fn default() -> Self {
        Self(RefCell::new(LruCache::new(MAX_TOKENS)))
    }
}

impl Counts {
    fn with<T>(&self, key: &RecordKey, change: impl FnOnce(&mut Count) -> T) -> T {
        let mut counts = self.0.borrow_mut();
        change(counts.get_or_insert_mut_ref(key, Count::default))
    }

    /// Counts that the token was opened. `true` when nobody has yet undertaken to tell its gate: the caller does, by a
    /// lease a little later, so that many openings are told at once and the last one is not forgotten.
    pub fn open(&self, key: &RecordKey) -> bool {
        self.with(key, |count| {
            count.untold.opens += 1;
            !std::mem::replace(&mut count.report_due, true)
        })
    }

    /// Counts a tile. `true` as of [`Self::open`].
    pub fn tile(&self, key: &RecordKey, tile: Meter) -> bool {
        self.with(key, |count| {
            count.untold.tiles = count.untold.tiles.plus(tile);
            !std::mem::replace(&mut count.report_due, true)
        })
    }

    /// Tiles of this UTC day: those that the gate knows of, and those of this isolate that it does not.
    pub fn tiles_today(&self, key: &RecordKey, now: Millis) -> u64 {
        self.0.borrow().peek(key).map_or(0, |count| {
            let (tiles, at) = count.tiles_told;
            let told = if meter::day(at) == meter::day(now) { tiles } else { 0 };
            told.saturating_add(count.untold.tiles.tiles)
        })
    }

    /// Notes what the gate knows. A token without tiles takes no room.
    pub fn learn_tiles(&self, key: &RecordKey, tiles_today: u64, now: Millis) {
        if tiles_today > 0 || self.0.borrow().contains(key) {
            self.with(key, |count| count.tiles_told = (tiles_today, now));
        }
    }

    /// Takes what the gate has to be told. [`Self::put_back`] undoes it should the gate not hear it.
    pub fn take(&self, key: &RecordKey) -> Told {
        self.0.borrow_mut().peek_mut(key).map_or_else(Told::default, |count| {
            count.report_due = false;
            std::mem::take(&mut count.untold)
        })
    }

    /// See [`Self::take`].
    pub fn put_back(&self, key: &RecordKey, told: Told) {
        if told.opens > 0 || !told.tiles.is_empty() {
            self.with(key, |count| {
                count.untold.opens += told.opens;
                count.untold.tiles = count.untold.tiles.plus(told.tiles);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> RecordKey {
        RecordKey::parse(&"a".repeat(32)).unwrap()
    }

    #[test]
    fn tiles_are_told_once_and_counted_until_midnight() {
        let counts = Counts::default();
        assert!(counts.tile(&key(), Meter::one(true, 5)));
        assert!(!counts.tile(&key(), Meter::one(false, 7)), "somebody has undertaken to tell it");
        assert_eq!(counts.tiles_today(&key(), Millis(0)), 2);
        let told = counts.take(&key());
        assert_eq!((told.tiles.tiles, told.tiles.hits, told.tiles.bytes), (2, 1, 12));
        counts.learn_tiles(&key(), 9, Millis(0));
        assert_eq!(counts.tiles_today(&key(), Millis(0)), 9);
        counts.put_back(&key(), told);
        assert_eq!(counts.tiles_today(&key(), Millis(0)), 11);
        assert_eq!(counts.tiles_today(&key(), Millis(86_400_000)), 2, "the gate's were of yesterday");
    }

    #[test]
    fn openings_that_the_gate_did_not_hear_are_told_again() {
        let counts = Counts::default();
        assert!(counts.open(&key()));
        let told = counts.take(&key());
        assert_eq!((told.opens, counts.take(&key()).opens), (1, 0));
        counts.put_back(&key(), told);
        assert_eq!(counts.take(&key()).opens, 1);
    }
}
