//! What a gate counts of its token, and tells the control plane: absolute figures that only grow, so that reports may
//! be lost, repeated or late.

use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A gate reports at most this often.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// How long it waits after a report that failed, at most: each failure doubles the wait.
pub const REPORT_RETRY_LIMIT: Duration = Duration::from_mins(10);

/// Usage of one token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Successful authentications: right passwords, and deliberate openings of counted links.
    pub accesses: u64,
    /// Times that somebody looked at what it opens. At least so many: an isolate that ends forgets a few.
    pub opens: u64,
    /// The last of either.
    pub last_opened_at: Option<Millis>,
    /// Nobody may guess the password before this instant.
    pub locked_until: Option<Millis>,
    /// Resets that `locked_until` knows of, see [`super::protection::Protection::resets`].
    pub resets: u64,
}

impl Usage {
    /// Adds what isolates have seen.
    #[must_use]
    pub fn opened(self, opens: u64, now: Millis) -> Self {
        if opens == 0 {
            return self;
        }
        Self {
            opens: self.opens.saturating_add(opens),
            last_opened_at: self.last_opened_at.max(Some(now)),
            ..self
        }
    }

    /// Adds an authentication.
    #[must_use]
    pub fn authenticated(self, now: Millis) -> Self {
        Self { accesses: self.accesses + 1, last_opened_at: self.last_opened_at.max(Some(now)), ..self }
    }

    /// What two reports of one token say together. Order, repetition and loss do not matter: every figure is the larger
    /// one, and a lock is that of the later reset.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        let (resets, locked_until) = (self.resets, self.locked_until).max((other.resets, other.locked_until));
        Self {
            accesses: self.accesses.max(other.accesses),
            opens: self.opens.max(other.opens),
            last_opened_at: self.last_opened_at.max(other.last_opened_at),
            locked_until,
            resets,
        }
    }

    /// Is guessing locked here that was not locked in `before`?
    pub fn begins_lock(&self, before: &Self, now: Millis) -> bool {
        let locks = |usage: &Self| usage.locked_until.is_some_and(|until| now < until);
        locks(self) && (!locks(before) || before.resets < self.resets)
    }

    /// Notes that guessing is over for a while.
    #[must_use]
    pub fn locked(self, until: Millis, resets: u64) -> Self {
        Self { locked_until: Some(until), resets, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn figures_only_grow() {
        let usage = Usage::default().opened(2, Millis(5)).authenticated(Millis(3)).opened(0, Millis(9));
        assert_eq!((usage.opens, usage.accesses, usage.last_opened_at), (2, 1, Some(Millis(5))));
        assert_eq!(usage.locked(Millis(7), 1).locked_until, Some(Millis(7)));
    }

    #[test]
    fn a_lock_is_that_of_the_later_reset() {
        let (old, new) = (Usage::default().locked(Millis(90), 1), Usage::default().locked(Millis(50), 2));
        assert_eq!(old.merged(new), new);
        assert_eq!(new.merged(old), new);
        assert_eq!(old.merged(old.locked(Millis(95), 1)).locked_until, Some(Millis(95)));
    }

    #[test]
    fn a_lock_begins_once() {
        let none = Usage::default();
        let locked = none.locked(Millis(50), 1);
        assert!(locked.begins_lock(&none, Millis(49)));
        assert!(!locked.begins_lock(&none, Millis(50)), "it is over");
        assert!(!locked.begins_lock(&locked, Millis(10)));
        assert!(!locked.locked(Millis(60), 1).begins_lock(&locked, Millis(10)), "it goes on");
        assert!(locked.locked(Millis(90), 1).begins_lock(&locked, Millis(50)));
        assert!(locked.locked(Millis(50), 2).begins_lock(&locked, Millis(10)));
    }

    prop_compose! {
        fn usages()(
            accesses in 0..5_u64,
            opens in 0..5_u64,
            last in prop::option::of(0..5_i64),
            locked in prop::option::of(0..5_i64),
            resets in 0..3_u64,
        ) -> Usage {
            Usage {
                accesses, opens, last_opened_at: last.map(Millis), locked_until: locked.map(Millis), resets
            }
        }
    }

    proptest! {
        #[test]
        fn reports_may_be_late_and_repeated(a in usages(), b in usages(), c in usages()) {
            prop_assert_eq!(a.merged(b), b.merged(a));
            prop_assert_eq!(a.merged(b).merged(c), a.merged(b.merged(c)));
            prop_assert_eq!(a.merged(b).merged(b), a.merged(b));
        }
    }
}
