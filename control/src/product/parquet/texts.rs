//! How long the texts of a column are. Each is at most what a cell may have, and a dictionary's may stand in a list very often.

use super::runs::Runs;
use super::{refused, unreadable};
use crate::product::table::MAX_CELL_BYTES;
use shared::Result;

/// The texts of a dictionary, by their lengths.
#[derive(Default)]
pub(super) struct Texts {
    lengths: Vec<u32>,
    longest: u64,
}

impl Texts {
    /// Looks at texts that stand one behind the other, each behind its length.
    ///
    /// # Errors
    /// [`shared::Error::Invalid`] when one is too long for a cell.
    pub(super) fn check(bytes: &[u8]) -> Result<()> {
        each(bytes, |_| ())
    }

    /// A dictionary, or more of it.
    ///
    /// # Errors
    /// As [`Texts::check`].
    pub(super) fn add(&mut self, dictionary: &[u8]) -> Result<()> {
        each(dictionary, |length| {
            self.lengths.push(length);
            self.longest = self.longest.max(length.into());
        })
    }

    /// Bytes that it takes to know them.
    pub(super) fn bytes(&self) -> u64 {
        self.lengths.len() as u64 * size_of::<u32>() as u64
    }

    /// The longest one, in bytes.
    pub(super) fn longest(&self) -> u64 {
        self.longest
    }

    /// How long the texts are to which a page of up to `values` values points.
    pub(super) fn pointed_at(&self, page: &[u8], values: u64) -> Result<u64> {
        let Some((width @ 0..=32, places)) =
            page.split_first().map(|(width, rest)| (u32::from(*width), rest))
        else {
            return if page.is_empty() { Ok(0) } else { Err(unreadable()) };
        };
        let (mut runs, mut left, mut bytes) = (Runs::new(places, width), values, 0_u64);
        while left > 0 {
            let Some((place, times)) = runs.next()? else { break };
            let times = times.min(left);
            let length = usize::try_from(place).ok().and_then(|place| self.lengths.get(place));
            // What points beside the dictionary is refused by the library.
            bytes = bytes.saturating_add(times.saturating_mul(length.copied().unwrap_or_default().into()));
            left -= times;
        }
        Ok(bytes)
    }
}

fn each(mut bytes: &[u8], mut see: impl FnMut(u32)) -> Result<()> {
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = u32::from_le_bytes(*length);
        if length as usize > MAX_CELL_BYTES {
            return Err(refused("has a cell of over 256 KiB"));
        }
        see(length);
        // The library finds out by itself that a text breaks off.
        bytes = rest.get(length as usize..).unwrap_or_default();
    }
    Ok(())
}
