//! How fast Cloudflare's API may be called. It takes 1,200 calls in 5 minutes from one user, of all their programs
//! together, and blocks all of them for the next 5 minutes beyond that: this program keeps to a half.

use http::HeaderMap;
use http::header::RETRY_AFTER;
use shared::time::Millis;
use std::time::Duration;

/// Calls at once after a pause.
const BURST: u32 = 20;
/// Time that each call takes up, in the long run: 5 minutes, cut by what a burst leaves of 600 calls.
pub(crate) const INTERVAL: Duration = Duration::from_millis(518);
/// Longest pause that an answer can ask for.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// A bucket of turns. Knows no clock.
#[derive(Debug)]
pub(crate) struct Pace {
    /// When the bucket is full again.
    full_at: Millis,
    /// No turn before this instant.
    not_before: Millis,
}

impl Pace {
    pub(crate) const fn new() -> Self {
        Self { full_at: Millis(i64::MIN), not_before: Millis(i64::MIN) }
    }

    /// Takes a turn, and tells how long to wait for it.
    pub(crate) fn turn(&mut self, now: Millis) -> Duration {
        // A clock that was set back must not stop the program for as long.
        self.not_before = self.not_before.min(now.plus(LONGEST_PAUSE));
        self.full_at = self.full_at.max(now).min(now.plus(INTERVAL * BURST));
        let wait = self.full_at.since(now).saturating_sub(INTERVAL * (BURST - 1));
        let begins = now.plus(wait).max(self.not_before);
        self.full_at = self.full_at.max(begins).plus(INTERVAL);
        begins.since(now)
    }

    /// No turn for so long.
    pub(crate) fn pause(&mut self, now: Millis, duration: Duration) {
        self.not_before = self.not_before.max(now.plus(duration.min(LONGEST_PAUSE)));
    }
}

/// The pause that an answer asks for: `Retry-After` in seconds, or no calls left (`r=0`) for `t` seconds in
/// `Ratelimit`, such as `"default";r=0;t=12`.
pub(crate) fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let after = text(RETRY_AFTER.as_str()).and_then(|seconds| seconds.trim().parse().ok());
    let spent = text("ratelimit").and_then(|limit| {
        let number = |name: &str| {
            limit.split([';', ',']).find_map(|part| part.trim().strip_prefix(name)?.parse::<u64>().ok())
        };
        (number("r=")? == 0).then(|| number("t="))?
    });
    after.max(spent).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: Duration = Duration::from_mins(5);

    /// When calls begin that come so long after one another.
    fn begins(gaps: &[u64]) -> Vec<i64> {
        let (mut pace, mut now, mut begins) = (Pace::new(), 1_000_000, Vec::new());
        for gap in gaps {
            now += i64::try_from(*gap).unwrap();
            now += i64::try_from(pace.turn(Millis(now)).as_millis()).unwrap();
            begins.push(now);
        }
        begins
    }

    fn most_in_a_window(begins: &[i64]) -> usize {
        let window = i64::try_from(WINDOW.as_millis()).unwrap();
        let within = |from: &i64| begins.iter().filter(|at| (*from..from + window).contains(at)).count();
        begins.iter().map(within).max().unwrap_or(0)
    }

    #[test]
    fn a_long_run_stays_below_half_of_the_limit_and_near_it() {
        let begins = begins(&vec![0; 3_000]);
        let most = most_in_a_window(&begins);
        assert!((590..=600).contains(&most), "{most}");
        let last_window = most_in_a_window(&begins[1_000..]);
        assert!(last_window >= 570, "{last_window}");
        assert_eq!(begins.iter().filter(|at| **at == begins[0]).count(), 20, "a burst begins at once");
    }

    #[test]
    fn a_pause_holds_all_turns_back() {
        let mut pace = Pace::new();
        pace.turn(Millis(0));
        pace.pause(Millis(0), Duration::from_mins(5));
        assert_eq!(pace.turn(Millis(1_000)), Duration::from_secs(299));
        assert!(pace.turn(Millis(300_000)) < INTERVAL);
        // Nobody waits longer, whatever an answer says and wherever the clock goes.
        pace.pause(Millis(300_000), Duration::from_secs(u64::MAX));
        assert!(pace.turn(Millis(300_000)) <= LONGEST_PAUSE + INTERVAL);
        assert!(pace.turn(Millis(-900_000_000)) <= LONGEST_PAUSE + INTERVAL);
    }

    #[test]
    fn answers_ask_for_pauses() {
        let asked = |pairs: &[(&'static str, &str)]| {
            asked(
                &pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect(),
            )
        };
        assert_eq!(asked(&[]), None);
        assert_eq!(asked(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(asked(&[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")]), None);
        assert_eq!(asked(&[("ratelimit", "\"default\";r=3;t=9")]), None);
        assert_eq!(asked(&[("ratelimit", "\"default\";r=0;t=9")]), Some(Duration::from_secs(9)));
        assert_eq!(
            asked(&[("ratelimit", "\"default\";r=0;t=9"), ("retry-after", "300")]),
            Some(Duration::from_mins(5))
        );
    }

    proptest! {
        #[test]
        fn no_window_holds_more(gaps in proptest::collection::vec(prop_oneof![Just(0), 0..2_000_u64, 0..60_000_u64], 0..1_500)) {
            prop_assert!(most_in_a_window(&begins(&gaps)) <= 600);
        }
    }
}
