//! How the values of a column that repeats fall into rows. A list of any length may be a few bytes in a file, and the library makes
//! a row whole before anybody sees how long it is.

use super::refused;
use super::runs::Runs;
use crate::product::table::MAX_CELL_BYTES;
use shared::Result;

/// Most values of a list, or of lists in lists: as JSON, each takes two bytes at least.
const MAX_VALUES: u64 = MAX_CELL_BYTES as u64 / 2;

/// The rows of a chunk, as far as its pages were looked at.
#[derive(Default)]
pub(super) struct Records {
    open: u64,
    longest: u64,
    begun: u64,
}

/// Where rows begin in a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beginnings {
    /// At its first value?
    pub(super) at_first: bool,
    /// At a later one?
    pub(super) later: bool,
}

impl Records {
    /// Most values of a row so far.
    pub(super) fn longest(&self) -> u64 {
        self.longest
    }

    /// Rows that have begun so far.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    /// Looks at values of which each is a row.
    pub(super) fn add_rows(&mut self, values: u64) {
        self.begun = self.begun.saturating_add(values);
    }

    /// Looks at the repetition levels of a page of `values` values: runs of levels of `width` bits each.
    ///
    /// # Errors
    /// [`shared::Error::Invalid`] when a row has too many, or the levels are no levels.
    pub(super) fn add(&mut self, levels: &[u8], width: u32, values: u64) -> Result<Beginnings> {
        let mut found = Beginnings { at_first: false, later: false };
        let (mut runs, mut left) = (Runs::new(levels, width), values);
        while left > 0 {
            // Some writers cut the last run of a page.
            let Some((level, times)) = runs.next()? else { break };
            let (times, is_first) = (times.min(left), left == values);
            if level > 0 {
                self.open += times;
            } else if times > 0 {
                self.open = 1;
                self.begun += times;
                found.at_first |= is_first;
                found.later |= !is_first || times > 1;
            }
            self.longest = self.longest.max(self.open);
            if self.open > MAX_VALUES {
                return Err(refused("has a cell of over 256 KiB"));
            }
            left -= times;
        }
        Ok(found)
    }
}
