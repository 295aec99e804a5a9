//! Places of those who are served for long: few for each, and whoever is not heard of gives theirs to the next.

use crate::time::Millis;
use std::collections::HashMap;
use std::time::Duration;

/// How many places there are.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// For one.
    pub of_one: usize,
    /// For all together.
    pub of_all: usize,
    /// Whoever was not heard of for so long has lost their place.
    pub stalled: Duration,
}

/// Archives that one isolate sends: each network that of one link, and all together. Heard of while they are looked after, however
/// slowly they are read; nobody is heard of while the bucket is slow to begin, for 8 s, or a gate to answer, for 3 s after 2. Whoever
/// went away without a word keeps a place for so long, too.
pub const ARCHIVES: Room = Room { of_one: 4, of_all: 1_024, stalled: Duration::from_secs(12) };

/// Who has a place.
#[derive(Debug)]
pub struct Places<K> {
    room: Room,
    next: u64,
    taken: HashMap<u64, (K, Millis)>,
}

impl<K: PartialEq> Places<K> {
    /// All of them free.
    pub fn new(room: Room) -> Self {
        Self { room, next: 0, taken: HashMap::new() }
    }

    /// Takes a place and names it. `None` when there is none for `who`.
    pub fn enter(&mut self, who: K, now: Millis) -> Option<u64> {
        self.taken.retain(|_, (_, heard_at)| now.since(*heard_at) < self.room.stalled);
        let own = self.taken.values().filter(|(other, _)| *other == who).count();
        if own >= self.room.of_one || self.taken.len() >= self.room.of_all {
            return None;
        }
        self.next += 1;
        self.taken.insert(self.next, (who, now));
        Some(self.next)
    }

    /// Notes that somebody is heard of. `false` when the place was lost.
    pub fn keep(&mut self, place: u64, now: Millis) -> bool {
        self.taken.get_mut(&place).map(|(_, heard_at)| *heard_at = now).is_some()
    }

    /// Gives a place back.
    pub fn leave(&mut self, place: u64) {
        self.taken.remove(&place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_few_and_the_stalled_lose_theirs() {
        let mut places = Places::new(Room { of_one: 2, of_all: 3, stalled: Duration::from_secs(10) });
        let first = places.enter('a', Millis(0)).unwrap();
        let second = places.enter('a', Millis(0)).unwrap();
        assert_eq!(places.enter('a', Millis(0)), None);
        assert!(places.enter('b', Millis(0)).is_some());
        assert_eq!(places.enter('c', Millis(0)), None, "all are taken");
        assert!(places.keep(first, Millis(9_000)));
        let third = places.enter('a', Millis(10_000)).unwrap();
        assert!(places.keep(first, Millis(10_000)) && !places.keep(second, Millis(10_000)));
        assert_eq!(places.enter('a', Millis(10_000)), None);
        places.leave(third);
        assert!(places.enter('a', Millis(10_000)).is_some());
    }
}
