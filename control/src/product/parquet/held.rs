//! What the library holds of a column, and is about to make of a page: a few bytes of it may stand for very many values.

use super::lengths::Lengths;
use super::records::{Beginnings, Records};
use super::texts::Texts;
use super::{refused, unreadable};
use crate::product::table::MAX_CELL_BYTES;
use ::parquet::basic::{Encoding, Type as Physical};
use ::parquet::column::page::Page;
use ::parquet::schema::types::ColumnDescPtr;
use shared::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most bytes of all columns of a row group at once: 256 columns may each have a page and a dictionary of 1 MiB, as writers make them.
const MAX_HELD_BYTES: u64 = 640 * 1024 * 1024;
/// Most bytes of all pages of a file, inflated: eight times what a table may have of cells.
const MAX_INFLATED_BYTES: u64 = 64 * 1024 * 1024 * 1024;
/// What a reader of a column takes before its first page, most of it Zstandard's.
const COLUMN_BYTES: u64 = 192 * 1024;
/// What a value within a list takes on its way to JSON, for each group that it is in.
const NODE_BYTES: u64 = 256;

/// Most values of a file, absent ones among them, which cost it nothing, and the library as much as others: as many as a table may have
/// bytes.
pub(super) const MAX_VALUES: u64 = 8 * 1024 * 1024 * 1024;
/// Rows that a column may be ahead: the one that is being read, and a value that is read before it is asked for.
const AHEAD: u64 = 2;

/// What a file has taken so far.
#[derive(Default)]
pub(super) struct Budget {
    held: AtomicU64,
    inflated: AtomicU64,
    values: AtomicU64,
    /// Rows of the row group that have been read.
    rows: AtomicU64,
}

impl Budget {
    /// Another row group begins.
    pub(super) fn begin_group(&self) {
        self.rows.store(0, Ordering::Relaxed);
    }

    /// Another row has been read.
    pub(super) fn end_row(&self) {
        self.rows.fetch_add(1, Ordering::Relaxed);
    }
}

/// What is held of a chunk of a column, until it is dropped.
pub(super) struct Held {
    column: ColumnDescPtr,
    budget: Arc<Budget>,
    charged: u64,
    dictionary: u64,
    /// Of a dictionary of texts that may stand in a list.
    texts: Texts,
    /// The last page of each encoding: each has a decoder, which keeps it.
    pages: Vec<(Encoding, u64)>,
    /// Pages before the last one that the row at its beginning goes through.
    row: u64,
    records: Records,
    /// Is no other column in the same list? The library takes as many values of each as the first one has.
    is_alone: bool,
}

impl Held {
    /// Begins with no page.
    pub(super) fn new(column: ColumnDescPtr, is_alone: bool, budget: Arc<Budget>) -> Result<Self> {
        let mut held = Self {
            column,
            budget,
            charged: 0,
            dictionary: 0,
            texts: Texts::default(),
            pages: Vec::new(),
            row: 0,
            records: Records::default(),
            is_alone,
        };
        held.charge(COLUMN_BYTES)?;
        Ok(held)
    }

    /// Notes that so many bytes are about to be inflated.
    ///
    /// # Errors
    /// [`shared::Error::Invalid`] when it is too much, or when the pages before, which have been read to their end, have other rows than
    /// those that were made of them.
    pub(super) fn inflate(&mut self, bytes: u64) -> Result<()> {
        if self.records.begun() > self.budget.rows.load(Ordering::Relaxed) + AHEAD {
            return Err(refused("has columns that disagree on where a row ends"));
        }
        let inflated = self.budget.inflated.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if inflated > MAX_INFLATED_BYTES {
            return Err(refused("has over 64 GiB of pages"));
        }
        self.charge(self.charged.saturating_add(bytes))
    }

    /// Looks at a page before it is decoded.
    ///
    /// # Errors
    /// [`shared::Error::Invalid`] when it would take too much, or tells of more than it has.
    pub(super) fn add(&mut self, page: &Page) -> Result<()> {
        let values = u64::from(page.num_values());
        let mut bytes = page.buffer().len() as u64;
        if let Page::DictionaryPage { .. } = page {
            if values > bytes {
                return Err(refused("has a dictionary of more values than bytes"));
            }
            // Texts lie where they are in the page; numbers are copied.
            let kept = if self.bytes_of_cell() > 12 { bytes } else { 0 };
            if self.is_text() {
                if self.repeats() {
                    self.texts.add(page.buffer())?;
                } else {
                    Texts::check(page.buffer())?;
                }
            }
            self.dictionary += kept + values * self.bytes_of_cell() + self.texts.bytes();
            return self.settle();
        }
        let (repetitions, cells) = self.parts(page)?;
        let mut began = Beginnings { at_first: true, later: true };
        let encoding = page.encoding();
        if self.repeats() {
            let width = u32::BITS - u32::from(self.column.max_rep_level().unsigned_abs()).leading_zeros();
            began = self.records.add(repetitions, width, values)?;
        } else {
            self.records.add_rows(values);
        }
        let seen = self.budget.values.fetch_add(values, Ordering::Relaxed).saturating_add(values);
        if seen > MAX_VALUES {
            return Err(refused("has over 8,589,934,592 values"));
        }
        bytes = bytes.saturating_add(self.made_of(cells, encoding, values)?);
        if began.at_first {
            self.row = 0;
        }
        match self.pages.iter_mut().find(|(of, _)| *of == encoding) {
            Some((_, page)) => *page = bytes,
            None => self.pages.push((encoding, bytes)),
        }
        self.settle()?;
        if began.later {
            self.row = 0;
        }
        self.row = self.row.saturating_add(bytes);
        Ok(())
    }

    /// What the library makes of the values of a page besides the page, at once.
    fn made_of(&self, cells: &[u8], encoding: Encoding, values: u64) -> Result<u64> {
        let (mut room, total, longest) = match encoding {
            Encoding::PLAIN if self.is_text() => {
                Texts::check(cells)?;
                (0, cells.len() as u64, MAX_CELL_BYTES as u64)
            }
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY if self.is_text() && self.repeats() => {
                (0, self.texts.pointed_at(cells, values)?, self.texts.longest())
            }
            Encoding::DELTA_LENGTH_BYTE_ARRAY | Encoding::DELTA_BYTE_ARRAY => {
                let have_prefixes = encoding == Encoding::DELTA_BYTE_ARRAY;
                let Lengths { room, total, longest } = Lengths::of(cells, values, have_prefixes)?;
                if self.is_text() && longest > 2 * MAX_CELL_BYTES as u64 {
                    return Err(refused("has a cell of over 256 KiB"));
                }
                // A text is made of the one before, and copied.
                (room + 2 * longest, total, longest)
            }
            _ => return Ok(0),
        };
        if self.repeats() {
            // All texts of a row are copied before any is written.
            let in_a_row = self.records.longest().saturating_mul(longest);
            room = room.saturating_add(if self.is_alone { total.min(in_a_row) } else { total });
        }
        Ok(room)
    }

    fn is_text(&self) -> bool {
        self.column.physical_type() == Physical::BYTE_ARRAY
    }

    /// May a row have several values?
    fn repeats(&self) -> bool {
        self.column.max_rep_level() > 0
    }

    /// The repetition levels of a page, and its values.
    fn parts<'p>(&self, page: &'p Page) -> Result<(&'p [u8], &'p [u8])> {
        let (repeats, may_lack) = (self.repeats(), self.column.max_def_level() > 0);
        match page {
            Page::DataPageV2 { buf, rep_levels_byte_len, def_levels_byte_len, .. } => {
                let split =
                    |bytes: &'p [u8], at: u32| bytes.split_at_checked(at as usize).ok_or_else(unreadable);
                let (repetitions, rest) = split(buf, *rep_levels_byte_len)?;
                Ok((repetitions, split(rest, *def_levels_byte_len)?.1))
            }
            Page::DataPage { buf, rep_level_encoding, def_level_encoding, .. } => {
                let split =
                    |bytes: &'p [u8], exists: bool, encoding: Encoding| match bytes.split_first_chunk() {
                        _ if !exists => Ok((&[] as &[u8], bytes)),
                        Some((length, rest)) if encoding == Encoding::RLE => {
                            rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(unreadable)
                        }
                        _ => Err(unreadable()),
                    };
                let (repetitions, rest) = split(buf, repeats, *rep_level_encoding)?;
                Ok((repetitions, split(rest, may_lack, *def_level_encoding)?.1))
            }
            Page::DictionaryPage { .. } => Err(unreadable()),
        }
    }

    fn settle(&mut self) -> Result<()> {
        let pages: u64 = self.pages.iter().map(|(_, bytes)| *bytes).fold(0, u64::saturating_add);
        let values = self.records.longest().saturating_mul(self.bytes_of_value());
        let row = self.row.saturating_add(values);
        self.charge(COLUMN_BYTES.saturating_add(self.dictionary).saturating_add(pages).saturating_add(row))
    }

    /// What a value of a list takes.
    fn bytes_of_value(&self) -> u64 {
        let path = self.column.path().parts().iter().map(|part| part.len() as u64 + NODE_BYTES);
        let length = match self.column.physical_type() {
            Physical::FIXED_LEN_BYTE_ARRAY => u64::from(self.column.type_length().unsigned_abs()),
            _ => 0,
        };
        path.sum::<u64>() + self.bytes_of_cell() + length
    }

    /// What a value takes besides the bytes of a text.
    fn bytes_of_cell(&self) -> u64 {
        match self.column.physical_type() {
            Physical::BOOLEAN => 1,
            Physical::INT32 | Physical::FLOAT => 4,
            Physical::INT64 | Physical::DOUBLE => 8,
            Physical::INT96 => 12,
            Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => 32,
        }
    }

    fn charge(&mut self, bytes: u64) -> Result<()> {
        self.budget.held.fetch_sub(self.charged, Ordering::Relaxed);
        self.charged = bytes;
        let held = self.budget.held.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if held > MAX_HELD_BYTES { Err(refused("takes over 640 MiB at once to be read")) } else { Ok(()) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.charged, Ordering::Relaxed);
    }
}
