//! CSV. A text that a spreadsheet would run as a formula gets an apostrophe before it (RELIABILITY.md E16); numbers are what
//! they are.

use super::{Encode, PART_BYTES};
use crate::product::page::utf8;
use crate::product::table::Kind;
use csv::{Terminator, Writer, WriterBuilder};
use rusqlite::types::ValueRef;
use shared::call::ColumnType;
use shared::{Error, Result};
use std::io::Write as _;

/// With what spreadsheets begin a formula, or what they take away before one.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

pub(super) struct Csv {
    writer: Writer<Vec<u8>>,
    kinds: Vec<Kind>,
    field: Vec<u8>,
}

impl Csv {
    /// Begins with the names of the columns.
    pub(super) fn new(columns: &[(String, Kind)]) -> Result<Self> {
        let mut csv = Self {
            writer: writer(),
            kinds: columns.iter().map(|(_, kind)| *kind).collect(),
            field: Vec::new(),
        };
        for (name, _) in columns {
            csv.text(name)?;
        }
        csv.end_row()?;
        Ok(csv)
    }

    fn text(&mut self, text: &str) -> Result<()> {
        if !text.starts_with(FORMULA) {
            return self.writer.write_field(text).map_err(|error| fault(&error));
        }
        self.field.clear();
        self.field.push(b'\'');
        self.field.extend_from_slice(text.as_bytes());
        self.writer.write_field(&self.field).map_err(|error| fault(&error))
    }

    fn end_row(&mut self) -> Result<()> {
        self.writer.write_record(None::<&[u8]>).map_err(|error| fault(&error))
    }
}

impl Encode for Csv {
    fn row(&mut self, cells: &[ValueRef<'_>]) -> Result<()> {
        for at in 0..cells.len() {
            let (Some(cell), Some(kind)) = (cells.get(at), self.kinds.get(at).copied()) else { continue };
            self.field.clear();
            // Writing into memory does not fail.
            let _ = match (kind.column_type, *cell) {
                (ColumnType::Boolean, ValueRef::Integer(truth)) => write!(self.field, "{}", truth != 0),
                (_, ValueRef::Integer(number)) => write!(self.field, "{number}"),
                (_, ValueRef::Real(number)) => write!(self.field, "{number}"),
                (ColumnType::Timestamp, ValueRef::Text(text)) if kind.zoned => {
                    self.field.extend_from_slice(text);
                    write!(self.field, "Z")
                }
                (_, ValueRef::Text(text)) => {
                    self.text(utf8(text)?)?;
                    continue;
                }
                _ => Ok(()),
            };
            self.writer.write_field(&self.field).map_err(|error| fault(&error))?;
        }
        self.end_row()
    }

    fn is_full(&self) -> bool {
        self.writer.get_ref().len() >= PART_BYTES
    }

    fn take(&mut self, _: bool) -> Result<Vec<u8>> {
        let full = std::mem::replace(&mut self.writer, writer());
        full.into_inner().map_err(|error| Error::Internal(format!("CSV: {error}")))
    }
}

fn writer() -> Writer<Vec<u8>> {
    WriterBuilder::new().terminator(Terminator::CRLF).buffer_capacity(8 * 1024).from_writer(Vec::new())
}

fn fault(error: &csv::Error) -> Error {
    Error::Internal(format!("CSV: {error}"))
}
