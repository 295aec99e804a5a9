//! How often the REST API may be called.

use shared::time::Millis;
use std::collections::VecDeque;
use std::time::Duration;

/// Calls that a token may make within [`WINDOW`]. (Cloudflare API, rate limits.)
pub const CALLS: usize = 1_200;
/// The time in which calls are counted. (Cloudflare API, rate limits.)
pub const WINDOW: Duration = Duration::from_mins(5);
/// How long all calls are refused once there were too many. (Cloudflare API, rate limits.)
pub const BLOCKED: Duration = Duration::from_mins(5);

/// What a token may still do after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Calls that are left.
    pub remaining: usize,
    /// How long until there are more.
    pub reset: Duration,
    /// The call is refused, and so is every other for `reset`.
    pub blocked: bool,
}

/// The calls of one token.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    /// All calls of the last window, refused ones too, oldest first.
    calls: VecDeque<Millis>,
    /// When calls began to count: the end of the last time that all were refused.
    counted_from: Millis,
    pub(crate) total: u64,
    pub(crate) most: usize,
}

impl Rate {
    /// Counts a call.
    pub(crate) fn call(&mut self, now: Millis) -> Quota {
        while self.calls.front().is_some_and(|call| now.since(*call) >= WINDOW) {
            self.calls.pop_front();
        }
        self.calls.push_back(now);
        self.total += 1;
        self.most = self.most.max(self.calls.len());
        let earlier = self.calls.partition_point(|call| *call < self.counted_from);
        let counted = self.calls.len() - earlier;
        if now >= self.counted_from && counted > CALLS {
            self.counted_from = now.plus(BLOCKED);
        }
        if now < self.counted_from {
            return Quota { remaining: 0, reset: self.counted_from.since(now), blocked: true };
        }
        let reset = self.calls.get(earlier).map_or(WINDOW, |oldest| oldest.plus(WINDOW).since(now));
        Quota { remaining: CALLS - counted, reset, blocked: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_call_too_many_blocks_all_for_five_minutes() {
        let mut rate = Rate::default();
        for call in 0..1_200 {
            let quota = rate.call(Millis(call));
            assert_eq!(quota.remaining, 1_199 - usize::try_from(call).unwrap());
            assert_eq!(quota.reset, Duration::from_millis(300_000 - u64::try_from(call).unwrap()));
            assert!(!quota.blocked);
        }
        let blocked = Quota { remaining: 0, reset: BLOCKED, blocked: true };
        assert_eq!(rate.call(Millis(10_000)), blocked);
        assert!(rate.call(Millis(309_999)).blocked);
        assert_eq!(rate.call(Millis(310_000)), Quota { remaining: 1_199, reset: WINDOW, blocked: false });
        assert_eq!((rate.total, rate.most), (1_203, 1_201));
    }

    #[test]
    fn old_calls_count_no_longer() {
        let mut rate = Rate::default();
        for call in 0..5_000 {
            assert!(!rate.call(Millis(call * 250)).blocked, "{call}");
        }
        assert_eq!(rate.most, 1_200);
    }

    proptest! {
        #[test]
        fn no_five_minutes_have_more_calls_than_allowed(pauses in prop::collection::vec(0_i64..400, 1..8_000)) {
            let mut rate = Rate::default();
            let (mut now, mut taken) = (Millis(0), Vec::new());
            for pause in pauses {
                now = Millis(now.0 + pause);
                if !rate.call(now).blocked {
                    taken.push(now);
                }
            }
            for ends in taken.windows(CALLS + 1) {
                prop_assert!(ends[CALLS].since(ends[0]) >= WINDOW);
            }
        }
    }
}
