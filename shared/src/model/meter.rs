//! What tiles cost their sharer: counted for each link and day. Absolute figures that only grow, so that reports may be lost,
//! repeated or late. API.md 2.m; RELIABILITY.md G10.

use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

const DAY: i64 = 24 * 60 * 60 * 1_000;
/// Days that a gate remembers: the control plane may be out of reach for so long.
const KEPT_DAYS: i64 = 32;
/// Tiles that a link gives a day when its owner names no number.
pub const DEFAULT_BUDGET: u64 = 100_000;
/// Most that an owner can name.
pub const MAX_BUDGET: u64 = 1_000_000_000;

/// Tiles, and what of them was spared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// Tiles answered, those included that were not there or had not changed.
    pub tiles: u64,
    /// Of them, those for which the archive was not read.
    pub hits: u64,
    /// Bytes of tiles sent.
    pub bytes: u64,
}

impl Meter {
    /// One tile.
    pub fn one(hit: bool, bytes: usize) -> Self {
        Self { tiles: 1, hits: u64::from(hit), bytes: bytes as u64 }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            tiles: self.tiles.saturating_add(other.tiles),
            hits: self.hits.saturating_add(other.hits),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// What two reports of one count say together.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        Self {
            tiles: self.tiles.max(other.tiles),
            hits: self.hits.max(other.hits),
            bytes: self.bytes.max(other.bytes),
        }
    }

    /// Was anything counted?
    pub const fn is_empty(&self) -> bool {
        self.tiles == 0
    }
}

/// Tiles by day.
pub type TilesByDay = BTreeMap<i64, u64>;

/// A count of one UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Days since 1970.
    pub day: i64,
    /// What was counted.
    #[serde(flatten)]
    pub meter: Meter,
}

/// The counts of one gate. A gate that lost its storage counts anew under another name, so that nothing it counted before is
/// lost or counted twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    /// Names this count among those of its token; random, empty until something is counted.
    pub epoch: String,
    /// Oldest first.
    pub days: Vec<Day>,
}

impl Days {
    /// Adds what isolates have counted. `epoch` names the count should it begin now.
    pub fn add(&mut self, meter: Meter, epoch: impl FnOnce() -> String, now: Millis) {
        if meter.is_empty() {
            return;
        }
        if self.epoch.is_empty() {
            self.epoch = epoch();
        }
        let today = day(now);
        match self.days.iter_mut().find(|day| day.day == today) {
            Some(day) => day.meter = day.meter.plus(meter),
            None => self.days.push(Day { day: today, meter }),
        }
        self.days.retain(|day| day.day > today - KEPT_DAYS);
    }

    /// Tiles of today.
    pub fn today(&self, now: Millis) -> u64 {
        let today = day(now);
        self.days.iter().find(|day| day.day == today).map_or(0, |day| day.meter.tiles)
    }
}

/// The UTC day of an instant.
pub const fn day(now: Millis) -> i64 {
    now.0.div_euclid(DAY)
}

/// A UTC day as `2026-01-31`.
pub fn date(day: i64) -> String {
    let begin = Millis(day.saturating_mul(DAY)).to_rfc3339();
    begin.split('T').next().unwrap_or_default().to_owned()
}

/// Days on which a link's tiles have reached its budget since `before`, with those tiles. Figures only grow, so that a day is
/// among them once at most, whatever is reported again.
pub fn newly_spent(before: &TilesByDay, after: &TilesByDay, budget: u64) -> TilesByDay {
    let was_spent = |day: &i64| before.get(day).is_some_and(|tiles| *tiles >= budget);
    after
        .iter()
        .filter(|(day, tiles)| **tiles >= budget && !was_spent(day))
        .map(|(day, tiles)| (*day, *tiles))
        .collect()
}

/// How long until the next UTC day begins.
pub fn until_tomorrow(now: Millis) -> Duration {
    Millis((day(now) + 1) * DAY).since(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_are_counted_apart_and_the_oldest_are_forgotten() {
        let mut days = Days::default();
        days.add(Meter::default(), || unreachable!("nothing is counted"), Millis(0));
        assert_eq!(days, Days::default());
        days.add(Meter::one(true, 5), || "e".into(), Millis(DAY - 1));
        days.add(Meter::one(false, 7), || unreachable!("it has a name"), Millis(DAY - 1));
        days.add(Meter::one(false, 0), || unreachable!("it has a name"), Millis(DAY));
        assert_eq!(days.days[0], Day { day: 0, meter: Meter { tiles: 2, hits: 1, bytes: 12 } });
        assert_eq!((days.today(Millis(DAY)), days.today(Millis(2 * DAY))), (1, 0));
        for later in 2..50 {
            days.add(Meter::one(false, 0), String::new, Millis(later * DAY));
        }
        assert_eq!((days.days.len(), days.days[0].day), (32, 18));
    }

    #[test]
    fn a_day_ends_at_midnight() {
        assert_eq!(until_tomorrow(Millis(0)), Duration::from_hours(24));
        assert_eq!(until_tomorrow(Millis(DAY - 1)), Duration::from_millis(1));
    }

    #[test]
    fn days_are_dates() {
        assert_eq!((date(0).as_str(), date(20_454).as_str()), ("1970-01-01", "2026-01-01"));
    }

    #[test]
    fn a_budget_is_spent_once_a_day() {
        let spent = |before: &[(i64, u64)], after: &[(i64, u64)]| {
            let tiles = |days: &[(i64, u64)]| days.iter().copied().collect();
            newly_spent(&tiles(before), &tiles(after), 10).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(spent(&[], &[(1, 9)]), []);
        assert_eq!(spent(&[(1, 9)], &[(1, 10)]), [(1, 10)]);
        assert_eq!(spent(&[(1, 10)], &[(1, 12)]), []);
        assert_eq!(spent(&[(1, 10)], &[(1, 12), (2, 30), (3, 1)]), [(2, 30)]);
    }

    proptest! {
        #[test]
        fn reports_may_be_late_and_repeated(a in any::<[u32; 3]>(), b in any::<[u32; 3]>(), c in any::<[u32; 3]>()) {
            let meter = |[tiles, hits, bytes]: [u32; 3]|
                Meter { tiles: tiles.into(), hits: hits.into(), bytes: bytes.into() };
            let (a, b, c) = (meter(a), meter(b), meter(c));
            prop_assert_eq!(a.merged(b), b.merged(a));
            prop_assert_eq!(a.merged(b).merged(c), a.merged(b.merged(c)));
            prop_assert_eq!(a.merged(b).merged(b), a.merged(b));
        }
    }
}
