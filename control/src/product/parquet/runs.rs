//! Numbers of few bits, one upon the other: the levels of values, and their places in a dictionary.

use super::unreadable;
use shared::Result;

/// Runs of numbers: a number and how often it stands there.
pub(super) struct Runs<'b> {
    bytes: &'b [u8],
    width: u32,
    /// Numbers that stand one by one, the next of them, and how many there are.
    packed: (&'b [u8], u64, u64),
}

impl<'b> Runs<'b> {
    /// Numbers of `width` bits each, up to 32.
    pub(super) fn new(bytes: &'b [u8], width: u32) -> Self {
        Self { bytes, width, packed: (&[], 0, 0) }
    }

    /// The next run. `None` at the end, and where the bytes end before it does.
    pub(super) fn next(&mut self) -> Result<Option<(u64, u64)>> {
        loop {
            let (packed, at, count) = self.packed;
            if at < count {
                self.packed.1 += 1;
                return Ok(Some((unpack(packed, at, self.width), 1)));
            }
            let Some(run) = varint(&mut self.bytes)? else { return Ok(None) };
            // Some writers fill a page with zeros. The library passes over one, and goes on behind it.
            if run == 0 {
                continue;
            }
            let (length, is_packed) = (run >> 1, run & 1 == 1);
            if !is_packed {
                let (number, rest) =
                    self.bytes.split_at_checked(self.width.div_ceil(8) as usize).ok_or_else(unreadable)?;
                self.bytes = rest;
                return Ok(Some((
                    number.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)),
                    length,
                )));
            }
            let count = length.checked_mul(8).ok_or_else(unreadable)?;
            if self.width == 0 {
                return Ok(Some((0, count)));
            }
            let end = usize::try_from(length.saturating_mul(self.width.into())).unwrap_or(usize::MAX);
            let (packed, rest) = self.bytes.split_at(end.min(self.bytes.len()));
            self.bytes = rest;
            self.packed = (packed, 0, count.min(packed.len() as u64 * 8 / u64::from(self.width)));
        }
    }
}

/// The number at a place.
pub(super) fn unpack(bytes: &[u8], at: u64, width: u32) -> u64 {
    let first = at * u64::from(width);
    let (byte, bit) = (usize::try_from(first / 8).unwrap_or(usize::MAX), first % 8);
    let window = bytes.iter().skip(byte).take(5).rev().fold(0, |window, byte| window << 8 | u64::from(*byte));
    window >> bit & ((1 << width) - 1)
}

/// A number of seven bits a byte; `None` at the end.
pub(super) fn varint(bytes: &mut &[u8]) -> Result<Option<u64>> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else { return Ok(None) };
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    Err(unreadable())
}
