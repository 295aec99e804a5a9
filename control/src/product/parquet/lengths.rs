//! Lengths of texts that stand before all the texts of a page, each as its difference from the one before.

use super::runs::{unpack, varint};
use super::{refused, unreadable};
use shared::Result;

/// What lengths tell before a text is made.
#[derive(Default)]
pub(super) struct Lengths {
    /// Bytes that the library takes to keep them.
    pub(super) room: u64,
    /// All of them together.
    pub(super) total: u64,
    /// The greatest.
    pub(super) longest: u64,
}

impl Lengths {
    /// Looks at the lengths of a page of up to `values` values; `have_prefixes` says that there are two for each: how much it has of the
    /// text before, and how much of its own.
    ///
    /// # Errors
    /// [`shared::Error::Invalid`] when there are more than values, for which the library would make room, or they are none.
    pub(super) fn of(mut cells: &[u8], values: u64, have_prefixes: bool) -> Result<Self> {
        let mut found = Self::default();
        for _ in 0..=u8::from(have_prefixes) {
            let mut next = || varint(&mut cells)?.ok_or_else(unreadable);
            let (block, minis, count, first) = (next()?, next()?, next()?, next()?);
            if count > values {
                return Err(refused("has a page of more values than it says"));
            }
            found.room += count * size_of::<i32>() as u64;
            let of_mini = block.checked_div(minis).filter(|of_mini| *of_mini > 0).ok_or_else(unreadable)?;
            let (mut length, mut longest) = (signed(first), 0);
            let mut see = |length: i32| {
                let length = u64::try_from(length).map_err(|_| unreadable())?;
                longest = longest.max(length);
                found.total = found.total.saturating_add(length);
                Ok(())
            };
            if count > 0 {
                see(length)?;
            }
            let mut left = count.saturating_sub(1);
            while left > 0 {
                let least = signed(varint(&mut cells)?.ok_or_else(unreadable)?);
                let minis = usize::try_from(minis).map_err(|_| unreadable())?;
                let (widths, rest) = cells.split_at_checked(minis).ok_or_else(unreadable)?;
                cells = rest;
                for width in widths.iter().map(|width| u32::from(*width)) {
                    if left == 0 {
                        break;
                    }
                    if width > i32::BITS {
                        return Err(unreadable());
                    }
                    for at in 0..of_mini.min(left) {
                        let above = unpack(cells, at, width).cast_signed();
                        #[expect(
                            clippy::cast_possible_truncation,
                            reason = "the library counts in as many bits"
                        )]
                        let above = above as i32;
                        length = length.wrapping_add(least).wrapping_add(above);
                        see(length)?;
                    }
                    let bytes = usize::try_from(of_mini.saturating_mul(width.into()) / 8)
                        .map_err(|_| unreadable())?;
                    // Some writers cut the last block.
                    cells = cells.get(bytes..).unwrap_or_default();
                    left = left.saturating_sub(of_mini);
                }
            }
            found.longest += longest;
        }
        Ok(found)
    }
}

/// A number whose last bit is its sign, in as many bits as the library counts.
fn signed(number: u64) -> i32 {
    let number = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
    #[expect(clippy::cast_possible_truncation, reason = "the library counts in as many bits")]
    let number = number as i32;
    number
}
