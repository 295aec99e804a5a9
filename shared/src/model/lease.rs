//! Leases: for how long an isolate may serve a public share without asking its gate again
//! (DESIGN.md, "Revocation"). Only durations are compared, measured by one clock from before the
//! gate was asked, so clocks need not agree.

use crate::time::Millis;
use std::time::Duration;

/// How long an isolate may serve after it asked. A revoke waits this long before it answers, so
/// it bounds what "immediately" means: 2.5 s with the calls around it.
pub const LEASE: Duration = Duration::from_secs(2);
/// How much longer a public share is served when its gate cannot be reached.
pub const GRACE: Duration = Duration::from_mins(1);

/// What a lease taken at `asked_at` is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Serve.
    Fresh,
    /// Serve, and ask again in the background, so that a hot link never waits.
    Due,
    /// Ask the gate first; serve only if it cannot be reached.
    Grace,
    /// Ask the gate first.
    Over,
}

/// Where a lease stands at `now`.
pub fn standing(asked_at: Millis, now: Millis) -> Standing {
    // A clock that went back tells nothing about the age.
    if now < asked_at {
        return Standing::Over;
    }
    match now.since(asked_at) {
        age if age < LEASE / 2 => Standing::Fresh,
        age if age < LEASE => Standing::Due,
        age if age < LEASE + GRACE => Standing::Grace,
        _ => Standing::Over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ages() {
        let check = |now, expected| assert_eq!(standing(Millis(10_000), Millis(now)), expected, "{now}");
        check(9_999, Standing::Over);
        check(10_000, Standing::Fresh);
        check(10_999, Standing::Fresh);
        check(11_000, Standing::Due);
        check(11_999, Standing::Due);
        check(12_000, Standing::Grace);
        check(71_999, Standing::Grace);
        check(72_000, Standing::Over);
    }
}
