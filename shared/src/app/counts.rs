//! What one isolate counts of tokens: openings and tiles that their gates have not heard of, and what gates know of today's tiles.
//! Apart from records, which may be forgotten to make room: what was counted is told all the same, and a budget holds.

use super::port::Told;
use crate::model::meter::{self, Meter};
use crate::model::token::RecordKey;
use crate::time::Millis;
use lru::LruCache;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::num::NonZeroUsize;

/// Tokens that are counted at once; some 150 bytes each.
const MAX_TOKENS: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

#[derive(Debug, Default)]
struct Count {
    /// What nobody was told.
    untold: Told,
    /// What the gate was told without an answer: it may have heard it. The oldest first, which it would forget first.
    unsure: VecDeque<Told>,
    /// Tiles of the day that its gate knows of, and when it said so.
    tiles_told: (u64, Millis),
    /// Will the gate be told?
    report_due: bool,
}

/// Counts by token.
#[derive(Debug)]
pub struct Counts {
    counts: RefCell<LruCache<RecordKey, Count>>,
    next_id: Cell<u64>,
}

impl Counts {
    /// Counts nothing yet. `isolate` is random, so that no two isolates name what they tell alike.
    pub fn new(isolate: u64) -> Self {
        Self { counts: RefCell::new(LruCache::new(MAX_TOKENS)), next_id: Cell::new(isolate) }
    }

    fn with<T>(&self, key: &RecordKey, change: impl FnOnce(&mut Count) -> T) -> T {
        let mut counts = self.counts.borrow_mut();
        change(counts.get_or_insert_mut_ref(key, Count::default))
    }

    fn next_id(&self) -> u64 {
        let id = self.next_id.get().max(1);
        self.next_id.set(id.wrapping_add(1));
        id
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

    /// Tiles of this UTC day: those that the gate knows of, and those of this isolate that it may not know.
    pub fn tiles_today(&self, key: &RecordKey, now: Millis) -> u64 {
        self.counts.borrow().peek(key).map_or(0, |count| {
            let (tiles, at) = count.tiles_told;
            let told = if meter::day(at) == meter::day(now) { tiles } else { 0 };
            let own = count.unsure.iter().chain([&count.untold]).map(|told| told.tiles.tiles);
            own.fold(told, u64::saturating_add)
        })
    }

    /// Notes what the gate knows. A token without tiles takes no room.
    pub fn learn_tiles(&self, key: &RecordKey, tiles_today: u64, now: Millis) {
        if tiles_today > 0 || self.counts.borrow().contains(key) {
            self.with(key, |count| count.tiles_told = (tiles_today, now));
        }
    }

    /// Takes what the gate has to be told; what it may have heard comes first, as it was told. [`Self::put_back`] undoes it should
    /// the gate not answer.
    pub fn take(&self, key: &RecordKey) -> Told {
        let mut counts = self.counts.borrow_mut();
        let Some(count) = counts.peek_mut(key) else { return Told::default() };
        count.report_due = false;
        if let Some(told) = count.unsure.pop_front() {
            return told;
        }
        let untold = std::mem::take(&mut count.untold);
        if untold == Told::default() { untold } else { Told { id: self.next_id(), ..untold } }
    }

    /// See [`Self::take`].
    pub fn put_back(&self, key: &RecordKey, told: Told) {
        if told != Told::default() {
            self.with(key, |count| count.unsure.push_back(told));
        }
    }

    /// How often [`Self::take`] gives something.
    pub fn reports(&self, key: &RecordKey) -> usize {
        let counts = self.counts.borrow();
        counts.peek(key).map_or(0, |count| count.unsure.len() + usize::from(count.untold != Told::default()))
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
        let counts = Counts::new(1);
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
    fn what_a_gate_did_not_answer_is_told_again_by_the_same_name() {
        let counts = Counts::new(7);
        assert!(counts.open(&key()));
        let first = counts.take(&key());
        assert_eq!((first.id, first.opens, counts.take(&key())), (7, 1, Told::default()));
        counts.open(&key());
        counts.put_back(&key(), first);
        assert_eq!(counts.take(&key()), first, "what was counted since does not change it");
        let second = counts.take(&key());
        assert_eq!((second.id, second.opens, counts.reports(&key())), (8, 1, 0));
        counts.put_back(&key(), second);
        counts.put_back(&key(), Told::default());
        counts.open(&key());
        assert_eq!(counts.reports(&key()), 2);
        assert_eq!((counts.take(&key()), counts.reports(&key())), (second, 1));
    }
}
