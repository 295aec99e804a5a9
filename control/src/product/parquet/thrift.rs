//! As much of Thrift's compact protocol as it takes to look into a Parquet file before a library does. It is stricter than the
//! protocol: what no writer writes, such as a field twice, is refused, so that no bytes mean one thing here and another there.

use super::unreadable;
use shared::Result;
use std::io::{self, Read};

/// What a field or an element is.
pub(super) type Kind = u8;
pub(super) const TRUE: Kind = 1;
pub(super) const FALSE: Kind = 2;
const BYTE: Kind = 3;
const I16: Kind = 4;
pub(super) const I32: Kind = 5;
const I64: Kind = 6;
const DOUBLE: Kind = 7;
const BINARY: Kind = 8;
pub(super) const LIST: Kind = 9;
const SET: Kind = 10;
pub(super) const STRUCT: Kind = 12;

/// Deepest nesting that is passed over; Parquet's own is half of it.
const MAX_DEPTH: usize = 16;

/// Reads one thing after another.
pub(super) struct Thrift<R> {
    input: R,
    consumed: u64,
}

impl<R: Read> Thrift<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, consumed: 0 }
    }

    /// Bytes that were read so far.
    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The next field of a struct, whose number it leaves in `number`, which is 0 before the first; `None` after the last.
    pub(super) fn field(&mut self, number: &mut i16) -> Result<Option<Kind>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        let next = match i16::from(byte >> 4) {
            0 => i16::try_from(self.integer()?).ok(),
            step => number.checked_add(step),
        };
        *number = next.filter(|next| next > number).ok_or_else(unreadable)?;
        Ok(Some(byte & 0x0f))
    }

    /// The beginning of a list: what its elements are, and how many.
    pub(super) fn list(&mut self) -> Result<(Kind, u64)> {
        let byte = self.byte()?;
        let length = match u64::from(byte >> 4) {
            15 => self.varint()?,
            length => length,
        };
        Ok((byte & 0x0f, length))
    }

    /// The beginning of a list of structs: how many they are.
    pub(super) fn structs(&mut self) -> Result<u64> {
        match self.list()? {
            (STRUCT, length) | (_, length @ 0) => Ok(length),
            _ => Err(unreadable()),
        }
    }

    /// A whole number of 32 bits.
    pub(super) fn i32(&mut self) -> Result<i32> {
        i32::try_from(self.integer()?).map_err(|_| unreadable())
    }

    /// Passes over what is of `kind`.
    pub(super) fn skip(&mut self, kind: Kind) -> Result<()> {
        self.skip_within(kind, MAX_DEPTH)
    }

    fn skip_within(&mut self, kind: Kind, depth: usize) -> Result<()> {
        let depth = depth.checked_sub(1).ok_or_else(unreadable)?;
        match kind {
            TRUE | FALSE => Ok(()),
            BYTE => self.pass(1),
            I16 | I32 | I64 => self.varint().map(drop),
            DOUBLE => self.pass(8),
            BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            LIST | SET => match self.list()? {
                (_, 0) => Ok(()),
                // Readers do not agree on how long these are, and a Parquet file has none outside its indexes.
                (TRUE | FALSE, _) => Err(unreadable()),
                (element, length) => (0..length).try_for_each(|_| self.skip_within(element, depth)),
            },
            STRUCT => {
                let mut number = 0;
                while let Some(field) = self.field(&mut number)? {
                    self.skip_within(field, depth)?;
                }
                Ok(())
            }
            _ => Err(unreadable()),
        }
    }

    fn integer(&mut self) -> Result<i64> {
        let coded = self.varint()?;
        Ok((coded >> 1).cast_signed() ^ -(coded & 1).cast_signed())
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(unreadable())
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.input.read_exact(&mut byte).map_err(|_| unreadable())?;
        self.consumed += 1;
        Ok(byte[0])
    }

    fn pass(&mut self, length: u64) -> Result<()> {
        let passed = io::copy(&mut self.input.by_ref().take(length), &mut io::sink());
        if passed.ok() != Some(length) {
            return Err(unreadable());
        }
        self.consumed += length;
        Ok(())
    }
}
