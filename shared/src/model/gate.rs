//! The gate of one token, as pure steps: which revision is in force, how long old leases may still
//! live, and when its KV copy is written. The Durable Object only holds the state between steps.
//!
//! A gate belongs to a token, not to a share: it is named by the token's record key, so the edge can
//! ask it while KV is still being read, and it is the only writer of exactly one KV key. A rotation
//! makes one gate dead and another live.

use super::lease::LEASE;
use crate::replica::{self, Record, Unreadable};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Workers KV takes one write a second for a key.
pub const KV_WRITE_INTERVAL: Duration = Duration::from_secs(1);
/// Longest pause between tries to write KV.
pub const KV_RETRY_LIMIT: Duration = Duration::from_secs(30);
/// A write of which nobody knows the outcome may still arrive, after the one that followed it: then KV is written once
/// more, this much later.
pub const KV_REPEAT_AFTER: Duration = Duration::from_secs(20);

/// What a gate keeps in its storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what is in force, and how its KV copy stands: independent facts"
)]
pub struct Stored {
    /// Revision in force.
    pub revision: u64,
    /// Digest of the record in force, see [`crate::replica::digest`].
    #[serde(default)]
    pub digest: String,
    /// Newest revision known to be in KV; 0 for none.
    pub flushed_revision: u64,
    /// KV is not written before this instant.
    pub flush_not_before: Millis,
    /// Failed writes since the last good one.
    pub failures: u32,
    /// Did a write begin of which nothing was heard since?
    #[serde(default)]
    pub writing: bool,
    /// May a write be on its way that was given up?
    #[serde(default)]
    pub unsure: bool,
    /// Then what is in force is written once more.
    #[serde(default)]
    pub repeat_at: Option<Millis>,
    /// Is it the tombstone of a link that never opens again? Then no live record takes its place, whatever its revision: a
    /// restored backup may have gone on counting.
    #[serde(default)]
    pub dead: bool,
    /// Is every read of what is in force checked here? Then nobody serves it under a lease.
    pub strict: bool,
    /// Are tiles of it read by tickets? They are served under a lease all the same.
    #[serde(default)]
    pub ticketed: bool,
    /// How often its token may be opened.
    pub max_access_count: Option<u64>,
    /// Leases on what was in force before are over from this instant on.
    pub drained_at: Millis,
}

impl Stored {
    /// Does anybody serve what is in force under a lease?
    pub const fn is_leased(&self) -> bool {
        !self.strict || self.ticketed
    }
}

/// What a gate must know of a record without reading it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// The record's revision.
    pub revision: u64,
    /// Digest of its bytes.
    pub digest: String,
    /// See [`Stored::dead`].
    pub dead: bool,
    /// See [`Stored::strict`].
    pub strict: bool,
    /// See [`Stored::ticketed`].
    pub ticketed: bool,
    /// See [`Stored::max_access_count`].
    pub max_access_count: Option<u64>,
}

impl Announced {
    /// Of a record in its bytes.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn of(json: &[u8]) -> Result<Self, Unreadable> {
        let record = Record::parse(json)?;
        Ok(Self {
            revision: record.revision,
            digest: replica::digest(json),
            dead: record.is_dead(),
            strict: record.is_strict(),
            ticketed: record.is_ticketed(),
            max_access_count: record.live.and_then(|live| live.protection.max_access_count),
        })
    }
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
    /// How long from `now` some isolate may still serve under a lease that it holds: on what is in force, or on what
    /// was before it.
    pub fn drain(&self, stored: &Stored, now: Millis) -> Duration {
        let earlier = stored.drained_at.since(now);
        if !stored.is_leased() {
            return earlier;
        }
        let last = self.leased_at.unwrap_or(self.started_at).max(self.started_at);
        LEASE.saturating_sub(now.since(last)).max(earlier)
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
pub fn push(stored: Option<&Stored>, memory: &Memory, pushed: Announced, now: Millis) -> Pushed {
    let Announced { revision, digest, dead, strict, ticketed, max_access_count } = pushed;
    let Some(old) = stored else {
        let taken = Stored {
            revision,
            digest,
            flushed_revision: 0,
            flush_not_before: now,
            failures: 0,
            writing: false,
            unsure: false,
            repeat_at: None,
            dead,
            strict,
            ticketed,
            max_access_count,
            drained_at: now,
        };
        return Pushed { revision, taken: Some(taken), drain: Duration::ZERO };
    };
    let drain = memory.drain(old, now);
    let revives = old.dead && !dead;
    let taken = (revision > old.revision && !revives).then(|| Stored {
        revision,
        digest,
        dead,
        strict,
        ticketed,
        max_access_count,
        drained_at: now.plus(drain),
        ..old.clone()
    });
    let revision = taken.as_ref().map_or(old.revision, |taken| taken.revision);
    Pushed { revision, taken, drain }
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
    let due = if stored.flushed_revision < stored.revision {
        stored.flush_not_before
    } else {
        match stored.repeat_at {
            Some(at) => at.max(stored.flush_not_before),
            None => return Flush::Done,
        }
    };
    if now < due { Flush::Wait(due) } else { Flush::Write }
}

/// A write begins. Saved before it does: should the instance end in the middle, the next one knows that a write may be on
/// its way.
#[must_use]
pub fn flushing(stored: &Stored) -> Stored {
    Stored { writing: true, unsure: stored.unsure || stored.writing, ..stored.clone() }
}

/// A write of `revision` has ended, well or not.
#[must_use]
pub fn flushed(stored: &Stored, revision: u64, succeeded: bool, now: Millis) -> Stored {
    if succeeded {
        let repeated = stored.repeat_at.filter(|at| now < *at);
        return Stored {
            flushed_revision: stored.flushed_revision.max(revision),
            flush_not_before: now.plus(KV_WRITE_INTERVAL),
            failures: 0,
            writing: false,
            unsure: false,
            repeat_at: if stored.unsure { Some(now.plus(KV_REPEAT_AFTER)) } else { repeated },
            ..stored.clone()
        };
    }
    let failures = stored.failures.saturating_add(1);
    let pause = KV_WRITE_INTERVAL
        .saturating_mul(1_u32.checked_shl(failures.min(6)).unwrap_or(64))
        .min(KV_RETRY_LIMIT);
    Stored { flush_not_before: now.plus(pause), failures, writing: false, unsure: true, ..stored.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MEMORY: Memory = Memory { started_at: Millis(0), leased_at: None };

    fn announced(revision: u64, strict: bool) -> Announced {
        Announced {
            revision,
            digest: format!("digest of {revision}"),
            dead: false,
            strict,
            ticketed: false,
            max_access_count: None,
        }
    }

    fn first(revision: u64) -> Stored {
        push(None, &MEMORY, announced(revision, false), Millis(0)).taken.unwrap()
    }

    fn next(stored: &Stored, revision: u64, now: Millis) -> Option<Stored> {
        push(Some(stored), &MEMORY, announced(revision, false), now).taken
    }

    #[test]
    fn only_newer_revisions_are_taken() {
        let first = first(3);
        assert_eq!(next(&first, 3, Millis(1)), None);
        assert_eq!(next(&first, 2, Millis(1)), None);
        assert_eq!(next(&first, 4, Millis(1)).unwrap().revision, 4);
        assert_eq!(
            push(Some(&first), &MEMORY, announced(2, false), Millis(1)).revision,
            3,
            "tells what is in force"
        );
    }

    #[test]
    fn what_died_stays_dead_whatever_is_pushed() {
        let at = |revision, dead| Announced { dead, ..announced(revision, false) };
        let dead = push(Some(&first(1)), &MEMORY, at(2, true), Millis(0)).taken.unwrap();
        let revived = push(Some(&dead), &MEMORY, at(9, false), Millis(0));
        assert_eq!((revived.taken, revived.revision), (None, 2));
        assert_eq!(push(Some(&dead), &MEMORY, at(9, true), Millis(0)).taken.unwrap().revision, 9);
    }

    #[test]
    fn an_empty_gate_has_nothing_to_drain() {
        assert_eq!(push(None, &MEMORY, announced(1, false), Millis(0)).drain, Duration::ZERO);
        assert_eq!(push(Some(&first(1)), &MEMORY, announced(2, false), Millis(0)).drain, LEASE);
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
        assert_eq!(pauses, [2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
        assert_eq!(flushed(&stored, 1, true, Millis(0)).failures, 0);
    }

    #[test]
    fn after_a_write_that_may_still_arrive_kv_is_written_once_more() {
        let failed = flushed(&flushing(&first(1)), 1, false, Millis(0));
        let good = flushed(&flushing(&failed), 1, true, Millis(2_000));
        assert_eq!(flush(&good, Millis(2_000)), Flush::Wait(Millis(22_000)));
        let newer = next(&good, 2, Millis(5_000)).unwrap();
        assert_eq!(flush(&newer, Millis(5_000)), Flush::Write);
        let newer = flushed(&flushing(&newer), 2, true, Millis(5_000));
        assert_eq!(flush(&newer, Millis(5_000)), Flush::Wait(Millis(22_000)));
        assert_eq!(flush(&newer, Millis(22_000)), Flush::Write);
        let repeated = flushed(&flushing(&newer), 2, true, Millis(22_000));
        assert_eq!(flush(&repeated, Millis(90_000)), Flush::Done);
    }

    #[test]
    fn an_instance_that_ended_in_the_middle_of_a_write_leaves_one_that_may_arrive() {
        let ended = flushing(&first(1));
        assert_eq!(flush(&ended, Millis(0)), Flush::Write);
        let good = flushed(&flushing(&ended), 1, true, Millis(100));
        assert_eq!(flush(&good, Millis(100)), Flush::Wait(Millis(20_100)));
    }

    #[test]
    fn drain_covers_leases_of_this_instance_and_the_one_before() {
        let (stored, fresh) = (first(1), Memory { started_at: Millis(1_000), leased_at: None });
        assert_eq!(fresh.drain(&stored, Millis(1_000)), LEASE);
        assert_eq!(fresh.drain(&stored, Millis(3_000)), Duration::ZERO);
        let leased = Memory { leased_at: Some(Millis(9_500)), ..fresh };
        assert_eq!(leased.drain(&stored, Millis(10_000)), Duration::from_millis(1_500));
        assert_eq!(leased.drain(&stored, Millis(60_000)), Duration::ZERO);
    }

    #[test]
    fn a_strict_revision_waits_only_for_leases_on_the_one_before() {
        let memory = Memory { started_at: Millis(0), leased_at: Some(Millis(9_500)) };
        let protect = push(Some(&first(1)), &memory, announced(2, true), Millis(10_000));
        assert_eq!(protect.drain, Duration::from_millis(1_500));
        let protected = protect.taken.unwrap();
        let soon = push(Some(&protected), &memory, announced(3, false), Millis(10_500));
        assert_eq!(soon.drain, Duration::from_secs(1), "somebody may still hold a lease on revision 1");
        let restarted = Memory { started_at: Millis(10_400), leased_at: None };
        assert_eq!(
            push(Some(&protected), &restarted, announced(3, false), Millis(10_500)).drain,
            Duration::from_secs(1)
        );
        assert_eq!(
            push(Some(&protected), &memory, announced(3, false), Millis(11_500)).drain,
            Duration::ZERO
        );
    }

    proptest! {
        #[test]
        fn whatever_the_order_the_newest_revision_wins(revisions in prop::collection::vec(1_u64..50, 1..40)) {
            let mut stored = None;
            for revision in &revisions {
                stored = push(stored.as_ref(), &MEMORY, announced(*revision, false), Millis(0)).taken.or(stored);
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
                    stored = flushed(&flushing(&stored), stored.revision, succeeds, now);
                }
            }
            loop {
                match flush(&stored, now) {
                    Flush::Done => break,
                    Flush::Wait(until) => now = until,
                    Flush::Write => stored = flushed(&flushing(&stored), stored.revision, true, now),
                }
            }
            prop_assert_eq!(stored.flushed_revision, stored.revision);
        }
    }
}
