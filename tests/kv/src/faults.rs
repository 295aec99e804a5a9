//! How badly KV behaves.

use fastrand::Rng;
use std::time::Duration;

/// How often what goes wrong, as shares from 0.0 (never) to 1.0 (always). The defaults are worse than Workers KV on a
/// usual day: code that holds out against them holds out against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Faults {
    /// Longest time until a location sees what was written. Each location's own is drawn anew for each version,
    /// uniformly from zero. ("up to 60 seconds or more": Workers KV, how KV works.)
    pub longest_delay: Duration,
    /// Versions that even the location they were written from sees only after such a delay. ("usually immediately",
    /// "not guaranteed": Workers KV, how KV works.)
    pub slow_at_home: f64,
    /// Calls to write that are answered 500 and do nothing.
    pub write_failed: f64,
    /// Calls to write that are applied, though the caller sees a time-out.
    pub write_timed_out: f64,
    /// Calls to write whose caller sees a time-out and that are applied only later, perhaps over something newer.
    pub write_late: f64,
    /// Longest time until a late write is applied; each one's is drawn uniformly from zero.
    pub latest: Duration,
    /// Uncached reads, and REST calls that read, that are answered 500.
    pub read_failed: f64,
    /// Keys of a bulk call that are named in `unsuccessful_keys` and not written. ("should be retried": Workers KV,
    /// REST API, bulk.)
    pub bulk_unsuccessful: f64,
}

impl Default for Faults {
    /// Misbehaves.
    fn default() -> Self {
        Self {
            longest_delay: Duration::from_mins(2),
            slow_at_home: 0.1,
            write_failed: 0.05,
            write_timed_out: 0.03,
            write_late: 0.02,
            latest: Duration::from_secs(10),
            read_failed: 0.02,
            bulk_unsuccessful: 0.05,
        }
    }
}

impl Faults {
    /// Nothing fails. What is no fault stays: caches, limits, and the delay to all locations but the writer's own.
    pub fn none() -> Self {
        Self {
            slow_at_home: 0.0,
            write_failed: 0.0,
            write_timed_out: 0.0,
            write_late: 0.0,
            read_failed: 0.0,
            bulk_unsuccessful: 0.0,
            ..Self::default()
        }
    }
}

/// Does something happen that happens in this share of all cases?
pub(crate) fn happens(rng: &mut Rng, share: f64) -> bool {
    rng.f64() < share
}

/// Uniformly from zero to `longest`, in whole milliseconds.
pub(crate) fn delay(rng: &mut Rng, longest: Duration) -> Duration {
    Duration::from_millis(rng.u64(..=u64::try_from(longest.as_millis()).unwrap_or(u64::MAX)))
}
