//! What a run expects to take, and what it found and did.

use super::compare::Difference;
use super::kv::{BULK, BULK_BYTES, BULK_GET, PAGE};
use super::pace;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Keys of each kind that are named.
const NAMED: usize = 20;

/// What was found and done so far.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Tokens of the database that were looked at.
    pub(crate) tokens: u64,
    /// Keys that KV listed.
    pub(crate) listed: u64,
    /// Values that were read.
    pub(crate) values_read: u64,
    /// Calls of the API.
    pub(crate) calls: u64,
    /// What was different.
    pub(crate) differences: BTreeMap<Difference, Tally>,
}

/// Keys that differ in one way.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) found: u64,
    /// Repaired, or handed to whoever does.
    pub(crate) repaired: u64,
    /// The first of them.
    pub(crate) keys: Vec<String>,
}

impl Counts {
    pub(crate) fn found(&mut self, difference: Difference, key: &str) {
        let tally = self.differences.entry(difference).or_default();
        tally.found += 1;
        if tally.keys.len() < NAMED {
            tally.keys.push(key.to_owned());
        }
    }

    pub(crate) fn repaired(&mut self, difference: Difference) {
        self.differences.entry(difference).or_default().repaired += 1;
    }

    pub(crate) fn of(&self, difference: Difference) -> Tally {
        self.differences.get(&difference).cloned().unwrap_or_default()
    }

    /// Is nothing left that differs?
    pub(crate) fn is_equal(&self) -> bool {
        self.differences.values().all(|tally| tally.repaired >= tally.found)
    }

    /// Do most of the keys belong to somebody else? Then the namespace may be the wrong one.
    pub(crate) fn is_mostly_foreign(&self) -> bool {
        self.of(Difference::Foreign).found.saturating_mul(2) > self.listed
    }
}

/// What a run expects to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Plan {
    /// Tokens in the database.
    pub(crate) tokens: u64,
    pub(crate) parts: u32,
    /// Parts that an earlier run has done.
    pub(crate) parts_done: u32,
    /// Calls to compare what is left.
    pub(crate) calls: u64,
    /// Further calls, should none of it be in KV.
    pub(crate) calls_to_write: u64,
}

impl Plan {
    /// `bytes` is what one record takes in a bulk write.
    pub(crate) fn new(tokens: u64, (parts_done, parts): (u32, u32), with_values: bool, bytes: u64) -> Self {
        let left = u64::from(parts.saturating_sub(parts_done));
        let of = |calls: u64| (calls * left).div_ceil(u64::from(parts.max(1))) + left;
        let by = |tokens: u64, at_once: usize| tokens.div_ceil(u64::try_from(at_once).unwrap_or(u64::MAX));
        let values = if with_values { of(by(tokens, BULK_GET)) } else { 0 };
        let writes = by(tokens, BULK).max(by(tokens.saturating_mul(bytes), BULK_BYTES));
        Self {
            tokens,
            parts,
            parts_done,
            calls: of(by(tokens, PAGE)) + values,
            calls_to_write: if tokens == 0 { 0 } else { of(writes) },
        }
    }

    /// May tokens be killed that the database does not know? Not if it knows none: it may be the wrong one.
    pub(crate) const fn may_kill(&self) -> bool {
        self.tokens > 0
    }

    /// How long so many calls take at their pace.
    pub(crate) fn duration(calls: u64) -> Duration {
        pace::INTERVAL.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX))
    }
}

/// What a run has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) plan: Plan,
    pub(crate) counts: Counts,
    /// Since it began, with the runs that it went on from.
    pub(crate) took: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_tokens_take_minutes() {
        let plan = Plan::new(1_000_000, (0, 16), false, 1_500);
        assert_eq!((plan.calls, plan.calls_to_write), (1_016, 116));
        assert!(Plan::duration(plan.calls + plan.calls_to_write) < Duration::from_mins(10));
        let rest = Plan::new(1_000_000, (12, 16), true, 1_500);
        assert_eq!((rest.calls, rest.calls_to_write), (254 + 2_504, 29));
        assert_eq!(Plan::new(0, (0, 1), false, 0).calls, 1);
    }

    #[test]
    fn counts_are_kept_as_json_and_name_twenty_keys() {
        let mut counts = Counts::default();
        for number in 0..30 {
            counts.found(Difference::Missing, &number.to_string());
        }
        counts.repaired(Difference::Missing);
        assert!(!counts.is_equal());
        assert_eq!(counts.of(Difference::Missing).keys.len(), 20);
        let kept = serde_json::to_string(&counts).unwrap();
        assert_eq!(serde_json::from_str::<Counts>(&kept).unwrap(), counts);
    }
}
