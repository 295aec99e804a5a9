//! What a test may count.

/// What was asked of a KV since it began. Each is a number of operations; a bulk call has one for each of its keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Reads at locations, however they ended.
    pub reads: u64,
    /// Those of `reads` that a location's cache answered.
    pub cached_reads: u64,
    /// Those of `reads` that failed.
    pub failed_reads: u64,
    /// Writes and deletions that were or will be applied, whatever the caller was told.
    pub writes: u64,
    /// Writes and deletions that never will be: malformed, too soon, failed, in a blackout, or unsuccessful in bulk.
    pub refused: u64,
    /// Those of `writes` whose caller saw a time-out.
    pub timed_out: u64,
    /// Those of `timed_out` that were applied only afterwards, or are still to be.
    pub late: u64,
    /// REST calls with the right token, those beyond the limit too.
    pub rest_calls: u64,
    /// Most `rest_calls` within any 5 minutes.
    pub most_rest_calls: usize,
}
