//! How often something may happen within windows of time, exactly: each time is remembered as long as a window looks back.

use crate::time::Millis;
use std::time::Duration;

/// So many times within so long.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// How far back it looks.
    pub within: Duration,
    /// How often it may happen in that time.
    pub most: usize,
}

/// Lets it happen at `now`, if every rule allows it, and remembers it in `instants`; forgets those that no rule looks at.
///
/// # Errors
/// How long it must wait.
pub fn allow(instants: &mut Vec<Millis>, rules: &[Rule], now: Millis) -> Result<(), Duration> {
    let longest = rules.iter().map(|rule| rule.within).max().unwrap_or_default();
    instants.retain(|instant| now.since(*instant) < longest);
    let wait = |rule: &Rule| {
        let mut within: Vec<Millis> =
            instants.iter().copied().filter(|instant| now.since(*instant) < rule.within).collect();
        within.sort();
        // When so many have left the window that one more fits.
        let blocking = within.len().checked_sub(rule.most).and_then(|at| within.get(at));
        blocking.map(|instant| rule.within.saturating_sub(now.since(*instant)))
    };
    if let Some(wait) = rules.iter().filter_map(wait).max() {
        return Err(wait);
    }
    instants.push(now);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: [Rule; 2] = [
        Rule { within: Duration::from_secs(30), most: 1 },
        Rule { within: Duration::from_hours(1), most: 5 },
    ];

    #[test]
    fn both_windows_hold_to_the_millisecond() {
        let mut instants = Vec::new();
        let mut at = |millis| allow(&mut instants, &RULES, Millis(millis));
        assert_eq!(at(0), Ok(()));
        assert_eq!(at(29_999), Err(Duration::from_millis(1)));
        for send in 1..5 {
            assert_eq!(at(30_000 * send), Ok(()));
        }
        assert_eq!(at(150_000), Err(Duration::from_secs(3_450)));
        assert_eq!(at(3_599_999), Err(Duration::from_millis(1)));
        assert_eq!(at(3_600_000), Ok(()));
        assert_eq!(at(3_629_999), Err(Duration::from_millis(1)));
        assert_eq!(at(3_630_000), Ok(()));
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more(pauses in proptest::collection::vec(0_i64..90_000, 1..200)) {
            let (mut instants, mut allowed, mut now) = (Vec::new(), Vec::new(), 0);
            for pause in pauses {
                now += pause;
                if allow(&mut instants, &RULES, Millis(now)).is_ok() {
                    allowed.push(now);
                }
                prop_assert!(instants.len() <= 5);
            }
            for (place, first) in allowed.iter().enumerate() {
                prop_assert!(allowed.get(place + 1).is_none_or(|next| next - first >= 30_000));
                prop_assert!(allowed.get(place + 5).is_none_or(|sixth| sixth - first >= 3_600_000));
            }
        }
    }
}
