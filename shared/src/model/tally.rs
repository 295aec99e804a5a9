//! What a gate counts, as pure steps: guesses, authentications, openings, and what of it the control plane has yet to
//! hear. The Durable Object only holds it between steps, each of which it does without waiting for anything.

use super::attempt::{self, Attempt};
use super::meter::{Days, Meter};
use super::protection::Protection;
use super::usage::{REPORT_INTERVAL, REPORT_RETRY_LIMIT, Usage};
use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// Names of reports that are remembered: an isolate repeats one within seconds, and others tell theirs meanwhile.
const KEPT_REPORTS: usize = 64;

/// A gate's counts. Kept in its storage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// What the control plane is told.
    pub usage: Usage,
    /// Tiles, by day; the control plane is told of them, too.
    #[serde(default)]
    pub tiles: Days,
    /// Reports of tiles by isolates that were counted, by name; the oldest first.
    #[serde(default)]
    heard: Vec<u64>,
    /// Guesses that count, oldest first; at most a hundred.
    attempts: Vec<Attempt>,
    /// Guesses so far: numbers them.
    guesses: u64,
    /// Grows with each change of `usage`.
    changes: u64,
    /// Changes that the control plane has heard of.
    reported: u64,
    /// It is not told before this instant.
    report_not_before: Millis,
    /// Reports that failed since the last good one.
    #[serde(default)]
    failures: u32,
}

/// What a gate says to a guess, before anything is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Admission {
    /// Counted: compare.
    Admitted {
        /// Names the attempt, so that it can be given back.
        attempt: u64,
    },
    /// Too many: do not compare, even if it were right.
    Refused {
        /// How long to wait.
        retry_after_ms: u64,
    },
    /// There is nothing to open any more.
    Dead,
}

/// What a gate says to a visitor who has proved that they may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Entry {
    /// Counted.
    Granted,
    /// Opened as often as it may be.
    Spent,
    /// What is in force is not what the proof was checked against.
    Changed,
}

/// Is there something to tell the control plane?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// No.
    Nothing,
    /// Now: the usage, as of so many changes.
    Due(u64),
    /// Not before then.
    Wait(Millis),
}

impl Tally {
    /// Goes on from what the control plane knows, if that is more: a gate may have lost its storage.
    pub fn learn(&mut self, known: Usage) {
        self.usage = self.usage.merged(known);
    }

    /// Counts a guess from `network`, unless there were too many.
    pub fn attempt(&mut self, protection: &Protection, network: &str, now: Millis) -> Admission {
        if !protection.allows_another(self.usage.accesses) {
            return Admission::Dead;
        }
        self.forget(protection, now);
        match attempt::admit(&self.attempts, network, now) {
            Ok(()) => {
                self.guesses += 1;
                self.attempts.push(Attempt { number: self.guesses, at: now, network: network.to_owned() });
                Admission::Admitted { attempt: self.guesses }
            }
            Err(refused) => {
                if refused.locked {
                    let usage = self.usage.locked(now.plus(refused.retry_after), protection.resets);
                    self.change(usage);
                }
                let retry_after_ms = u64::try_from(refused.retry_after.as_millis()).unwrap_or(u64::MAX);
                Admission::Refused { retry_after_ms }
            }
        }
    }

    /// Takes back a guess that was not compared, or that was right.
    pub fn give_back(&mut self, number: u64) {
        self.attempts.retain(|attempt| attempt.number != number);
    }

    /// Lets a visitor in, by the right guess `attempt` if the share has a password.
    pub fn enter(&mut self, protection: &Protection, attempt: Option<u64>, now: Millis) -> Entry {
        if let Some(number) = attempt {
            self.give_back(number);
        }
        if !protection.allows_another(self.usage.accesses) {
            return Entry::Spent;
        }
        self.change(self.usage.authenticated(now));
        Entry::Granted
    }

    /// Adds openings that isolates have seen.
    pub fn opened(&mut self, opens: u64, now: Millis) {
        self.change(self.usage.opened(opens, now));
    }

    /// Adds tiles that an isolate has answered, once for each name of a report; 0 is none. `epoch` names the count should it begin now.
    /// `false` when there is nothing new.
    pub fn metered(
        &mut self,
        (report, meter): (u64, Meter),
        epoch: impl FnOnce() -> String,
        now: Millis,
    ) -> bool {
        if meter.is_empty() || (report != 0 && self.heard.contains(&report)) {
            return false;
        }
        self.tiles.add(meter, epoch, now);
        self.changes += 1;
        self.heard.extend((report != 0).then_some(report));
        let old = self.heard.len().saturating_sub(KEPT_REPORTS);
        self.heard.drain(..old);
        true
    }

    /// Is a report due?
    pub const fn report(&self, now: Millis) -> Report {
        if self.reported >= self.changes {
            Report::Nothing
        } else if now.0 < self.report_not_before.0 {
            Report::Wait(self.report_not_before)
        } else {
            Report::Due(self.changes)
        }
    }

    /// When the control plane may be told again.
    pub const fn report_not_before(&self) -> Millis {
        self.report_not_before
    }

    /// A report of so many changes has ended, well or not. Heard is also what nobody wants to know.
    pub fn reported(&mut self, changes: u64, succeeded: bool, now: Millis) {
        if succeeded {
            self.reported = self.reported.max(changes);
            self.failures = 0;
        } else {
            self.failures = self.failures.saturating_add(1);
        }
        let pause = REPORT_INTERVAL.saturating_mul(1 << self.failures.min(6)).min(REPORT_RETRY_LIMIT);
        self.report_not_before = now.plus(pause);
    }

    /// Forgets guesses that count no more: those of long ago, and those before the owner's last reset.
    fn forget(&mut self, protection: &Protection, now: Millis) {
        // Another number, not only a larger one: a restored database begins anew from an older one.
        if self.usage.resets != protection.resets {
            self.attempts.clear();
            self.usage = Usage { locked_until: None, resets: protection.resets, ..self.usage };
        }
        self.attempts.retain(|attempt| now.since(attempt.at) < attempt::MEMORY);
    }

    fn change(&mut self, usage: Usage) {
        if usage != self.usage {
            self.usage = usage;
            self.changes += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn protection(resets: u64, max_access_count: Option<u64>) -> Protection {
        Protection { resets, max_access_count, ..Protection::default() }
    }

    /// Twenty guesses from twenty networks.
    fn exhausted(tally: &mut Tally) {
        for network in 0..20 {
            let admission = tally.attempt(&protection(1, None), &network.to_string(), Millis(0));
            assert!(matches!(admission, Admission::Admitted { .. }));
        }
    }

    #[test]
    fn a_lock_is_reported_once_and_a_reset_ends_it() {
        let mut tally = Tally::default();
        exhausted(&mut tally);
        assert_eq!(tally.report(Millis(0)), Report::Nothing, "guesses are not reported");
        for at in [1, 2] {
            let refused = tally.attempt(&protection(1, None), "new", Millis(at));
            assert!(matches!(refused, Admission::Refused { .. }));
        }
        assert_eq!(tally.usage.locked_until, Some(Millis(900_000)));
        assert_eq!(tally.report(Millis(2)), Report::Due(1), "the second refusal changed nothing");
        assert!(matches!(tally.attempt(&protection(2, None), "new", Millis(3)), Admission::Admitted { .. }));
        assert_eq!((tally.usage.locked_until, tally.usage.resets), (None, 2));
    }

    #[test]
    fn what_is_given_back_counts_no_more() {
        let mut tally = Tally::default();
        for _ in 0..50 {
            let Admission::Admitted { attempt } = tally.attempt(&protection(1, None), "a", Millis(0)) else {
                panic!("refused");
            };
            tally.give_back(attempt);
        }
    }

    #[test]
    fn reports_are_paced_and_repeated_until_heard() {
        let mut tally = Tally::default();
        tally.opened(1, Millis(0));
        assert_eq!(tally.report(Millis(0)), Report::Due(1));
        tally.opened(1, Millis(5));
        tally.reported(1, true, Millis(5));
        assert_eq!(
            tally.report(Millis(6)),
            Report::Wait(Millis(10_005)),
            "the second opening is not told yet"
        );
        tally.reported(2, false, Millis(10_005));
        assert_eq!(tally.report(Millis(10_006)), Report::Wait(Millis(30_005)));
        for _ in 0..9 {
            tally.reported(2, false, Millis(0));
        }
        assert_eq!(tally.report(Millis(0)), Report::Wait(Millis(600_000)), "ever more slowly");
        tally.reported(2, true, Millis(70_005));
        assert_eq!(tally.report(Millis(99_999)), Report::Nothing);
        assert_eq!(tally.report_not_before(), Millis(80_005));
    }

    #[test]
    fn a_healed_gate_goes_on_counting() {
        let mut tally = Tally::default();
        tally.opened(1, Millis(0));
        tally.learn(Usage { accesses: 2, opens: 5, ..Usage::default() });
        tally.learn(Usage::default());
        assert_eq!(tally.usage.opens, 5);
        assert_eq!(tally.enter(&protection(0, Some(3)), None, Millis(0)), Entry::Granted);
        assert_eq!(tally.enter(&protection(0, Some(3)), None, Millis(0)), Entry::Spent);
        assert_eq!(tally.attempt(&protection(0, Some(3)), "a", Millis(0)), Admission::Dead);
    }

    proptest! {
        #[test]
        fn nobody_enters_beyond_the_count(max in 1_u64..6, tries in 1_u64..64) {
            let mut tally = Tally::default();
            let entered = (0..tries).filter(|_| tally.enter(&protection(0, Some(max)), None, Millis(0)) == Entry::Granted);
            prop_assert_eq!(entered.count() as u64, max.min(tries));
        }

        #[test]
        fn a_report_of_tiles_counts_once_however_often_it_comes(reports in proptest::collection::vec((1_u64..32, 1_u64..9), 0..64)) {
            let mut tally = Tally::default();
            let mut once = std::collections::BTreeMap::new();
            for (report, tiles) in reports {
                let meter = Meter { tiles, hits: 0, bytes: 1 };
                let is_new = !once.contains_key(&report);
                once.entry(report).or_insert(tiles);
                prop_assert_eq!(tally.metered((report, meter), || "e".to_owned(), Millis(0)), is_new);
            }
            prop_assert_eq!(tally.tiles.today(Millis(0)), once.values().sum::<u64>());
        }

        #[test]
        fn kept_as_json_it_stays_the_same(opens in 0_u64..9, guesses in 0_u64..9, tiles in 0_u64..9) {
            let mut tally = Tally::default();
            tally.opened(opens, Millis(1));
            tally.metered((u64::MAX - tiles, Meter { tiles, hits: tiles, bytes: 1 }), || "e".to_owned(), Millis(1));
            for network in 0..guesses {
                tally.attempt(&protection(1, None), &network.to_string(), Millis(2));
            }
            let json = serde_json::to_string(&tally).unwrap();
            prop_assert_eq!(serde_json::from_str::<Tally>(&json).unwrap(), tally);
        }
    }
}
