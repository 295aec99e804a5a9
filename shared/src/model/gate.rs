//! The gate of one token, as pure steps: which revision is in force, how long old leases may still
//! live, and when its KV copy is written. The Durable Object only holds the state between steps.
//!
//! A gate belongs to a token, not to a share: it is named by the token's record key, so the edge can
//! ask it while KV is still being read, and it is the only writer of exactly one KV key. A rotation
//! makes one gate dead and another live.

use super::lease::LEASE;
use crate::time::Millis;
use std::time::Duration;

/// Workers KV takes one write a second for a key.
pub const KV_WRITE_INTERVAL: Duration = Duration::from_secs(1);
/// Longest pause between tries to write KV.
pub const KV_RETRY_LIMIT: Duration = Duration::from_mins(1);

/// What a gate keeps in its storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Revision in force.
    pub revision: u64,
    /// Newest revision known to be in KV; 0 for none.
    pub flushed_revision: u64,
    /// KV is not written before this instant.
    pub flush_not_before: Millis,
    /// Failed writes since the last good one.
    pub failures: u32,
}

/// What a gate's instance knows only while it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Leases handed out by an instance before this one are no younger.
    pub started_at: Millis,
    /// When this instance last handed out a lease.
    pub leased_at: Option<Millis>,
}

impl Memory {
    /// How long from `now` some isolate may still serve under a lease that it holds.
    pub fn drain(&self, now: Millis) -> Duration {
        let last = self.leased_at.unwrap_or(self.started_at).max(self.started_at);
        LEASE.saturating_sub(now.since(last))
    }
}

/// What a push leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Revision in force afterwards.
    pub revision: u64,
    /// What to save; `None` when the push was not newer than what is in force.
    pub taken: Option<Stored>,
    /// How long the rule before it may still be served somewhere.
    pub drain: Duration,
}

/// Takes a pushed revision. A gate that held nothing has handed out no lease, so nothing drains.
pub fn push(stored: Option<&Stored>, memory: &Memory, revision: u64, now: Millis) -> Pushed {
    let Some(old) = stored else {
        let taken = Stored { revision, flushed_revision: 0, flush_not_before: now, failures: 0 };
        return Pushed { revision, taken: Some(taken), drain: Duration::ZERO };
    };
    let taken = (revision > old.revision).then(|| Stored { revision, ..old.clone() });
    Pushed { revision: revision.max(old.revision), taken, drain: memory.drain(now) }
}

/// What to do about the KV copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// KV has what is in force.
    Done,
    /// Write what is in force.
    Write,
    /// Come back then.
    Wait(Millis),
}

/// Is a write due?
pub fn flush(stored: &Stored, now: Millis) -> Flush {
    if stored.flushed_revision >= stored.revision {
        Flush::Done
    } else if now < stored.flush_not_before {
        Flush::Wait(stored.flush_not_before)
    } else {
        Flush::Write
    }
}

/// A write of `revision` has ended, well or not.
#[must_use]
pub fn flushed(stored: &Stored, revision: u64, succeeded: bool, now: Millis) -> Stored {
    if succeeded {
        return Stored {
            flushed_revision: stored.flushed_revision.max(revision),
            flush_not_before: now.plus(KV_WRITE_INTERVAL),
            failures: 0,
            ..stored.clone()
        };
    }
    let failures = stored.failures.saturating_add(1);
    let pause = KV_WRITE_INTERVAL
        .saturating_mul(1_u32.checked_shl(failures.min(6)).unwrap_or(64))
        .min(KV_RETRY_LIMIT);
    Stored { flush_not_before: now.plus(pause), failures, ..stored.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MEMORY: Memory = Memory { started_at: Millis(0), leased_at: None };

    fn first(revision: u64) -> Stored {
        push(None, &MEMORY, revision, Millis(0)).taken.unwrap()
    }

    fn next(stored: &Stored, revision: u64, now: Millis) -> Option<Stored> {
        push(Some(stored), &MEMORY, revision, now).taken
    }

    #[test]
    fn only_newer_revisions_are_taken() {
        let first = first(3);
        assert_eq!(next(&first, 3, Millis(1)), None);
        assert_eq!(next(&first, 2, Millis(1)), None);
        assert_eq!(next(&first, 4, Millis(1)).unwrap().revision, 4);
        assert_eq!(push(Some(&first), &MEMORY, 2, Millis(1)).revision, 3, "tells what is in force");
    }

    #[test]
    fn an_empty_gate_has_nothing_to_drain() {
        assert_eq!(push(None, &MEMORY, 1, Millis(0)).drain, Duration::ZERO);
        assert_eq!(push(Some(&first(1)), &MEMORY, 2, Millis(0)).drain, LEASE);
    }

    #[test]
    fn kv_is_written_at_most_once_a_second() {
        let stored = first(1);
        assert_eq!(flush(&stored, Millis(0)), Flush::Write);
        let stored = flushed(&stored, 1, true, Millis(0));
        assert_eq!(flush(&stored, Millis(0)), Flush::Done);
        let stored = next(&stored, 2, Millis(10)).unwrap();
        assert_eq!(flush(&stored, Millis(10)), Flush::Wait(Millis(1_000)));
        assert_eq!(flush(&stored, Millis(1_000)), Flush::Write);
    }

    #[test]
    fn failed_writes_are_tried_again_ever_more_slowly() {
        let mut stored = first(1);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            stored = flushed(&stored, 1, false, Millis(0));
            pauses.push(stored.flush_not_before.0);
        }
        assert_eq!(pauses, [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
        assert_eq!(flushed(&stored, 1, true, Millis(0)).failures, 0);
    }

    #[test]
    fn drain_covers_leases_of_this_instance_and_the_one_before() {
        let fresh = Memory { started_at: Millis(1_000), leased_at: None };
        assert_eq!(fresh.drain(Millis(1_000)), LEASE);
        assert_eq!(fresh.drain(Millis(3_000)), Duration::ZERO);
        let leased = Memory { leased_at: Some(Millis(9_500)), ..fresh };
        assert_eq!(leased.drain(Millis(10_000)), Duration::from_millis(1_500));
        assert_eq!(leased.drain(Millis(60_000)), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn whatever_the_order_the_newest_revision_wins(revisions in prop::collection::vec(1_u64..50, 1..40)) {
            let mut stored = None;
            for revision in &revisions {
                stored = push(stored.as_ref(), &MEMORY, *revision, Millis(0)).taken.or(stored);
            }
            prop_assert_eq!(stored.unwrap().revision, *revisions.iter().max().unwrap());
        }

        #[test]
        fn kv_ends_at_the_newest_revision_and_is_never_hurried(
            steps in prop::collection::vec((1_u64..20, 0_i64..3_000, any::<bool>()), 1..60),
        ) {
            let (mut stored, mut now, mut last_write) = (first(1), Millis(0), None);
            for (revision, pause, succeeds) in steps {
                now = Millis(now.0 + pause);
                stored = next(&stored, revision, now).unwrap_or(stored);
                if flush(&stored, now) == Flush::Write {
                    if let Some(last) = last_write {
                        prop_assert!(now.since(last) >= KV_WRITE_INTERVAL);
                    }
                    last_write = Some(now);
                    stored = flushed(&stored, stored.revision, succeeds, now);
                }
            }
            while let Flush::Write | Flush::Wait(_) = flush(&stored, now) {
                now = now.max(stored.flush_not_before);
                stored = flushed(&stored, stored.revision, true, now);
            }
            prop_assert_eq!(stored.flushed_revision, stored.revision);
        }
    }
}
