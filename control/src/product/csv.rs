//! CSV files (RFC 4180, comma, UTF-8, a head) as tables. A file is read twice: once to learn what its columns are, once to fill the
//! table. No more than one row of it is in memory.

use super::infer::{self, Guess};
use super::table::{Cell, Filled, Kind, MAX_ROW_BYTES, Writer, refused};
use super::unavailable;
use ::csv::{ByteRecord, ErrorKind, ReaderBuilder};
use rusqlite::types::{Null, ToSqlOutput, Value, ValueRef};
use shared::call::ColumnType;
use shared::model::data_product::check_columns;
use shared::time::Millis;
use shared::{Error, Result};
use std::cell::Cell as Counter;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

/// Reads a file into a new table.
pub(super) fn fill(folder: &Path, file: &Path, now: Millis) -> Result<Filled> {
    let mut guesses = Vec::new();
    let names = each(file, |_, cells| {
        guesses.resize(cells.len(), Guess::default());
        for (cell, guess) in cells.iter().zip(&mut guesses).filter(|(cell, _)| !cell.is_empty()) {
            guess.see(cell);
        }
        Ok(())
    })?;
    guesses.resize(names.len(), Guess::default());
    let kinds: Vec<Kind> = guesses.into_iter().map(Guess::kind).collect();
    let mut writer = Writer::create(folder, names.len())?;
    each(file, |_, cells| {
        let row: Vec<Cell<'_>> = cells.iter().zip(&kinds).map(|(cell, kind)| typed(*kind, cell)).collect();
        writer.insert(&row)
    })?;
    writer.finish(names, &kinds, now)
}

/// A text as a cell of a column whose every text is of its kind. An empty one is none.
fn typed(kind: Kind, cell: &str) -> Cell<'_> {
    let owned = |value: Option<Value>| value.map_or(ToSqlOutput::from(Null), ToSqlOutput::Owned);
    match kind.column_type {
        _ if cell.is_empty() => ToSqlOutput::from(Null),
        ColumnType::Integer => owned(infer::integer(cell).map(Value::Integer)),
        ColumnType::Number => owned(infer::number(cell).map(Value::Real)),
        ColumnType::Boolean => owned(infer::boolean(cell).map(|truth| Value::Integer(i64::from(truth)))),
        ColumnType::Timestamp => owned(infer::moment(cell).map(|(text, _)| Value::Text(text))),
        ColumnType::Text | ColumnType::Date | ColumnType::Json => {
            ToSqlOutput::Borrowed(ValueRef::Text(cell.as_bytes()))
        }
    }
}

/// Gives each row after the head to `see`, with its number from 1, and then the head.
fn each(file: &Path, mut see: impl FnMut(u64, &[&str]) -> Result<()>) -> Result<Vec<String>> {
    let read = Rc::new(Counter::new(0));
    let file = File::open(file).map_err(|error| unavailable(&error))?;
    let bounded = Bounded { file, read: Rc::clone(&read) };
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(bounded);
    let (mut record, mut names, mut row) = (ByteRecord::new(), Vec::new(), 0_u64);
    while reader.read_byte_record(&mut record).map_err(failure)? {
        read.set(0);
        let cells = record.iter().map(|cell| text(cell, row)).collect::<Result<Vec<&str>>>()?;
        if row == 0 {
            // What editors put before a file in UTF-8.
            let first = cells.first().map(|name| name.strip_prefix('\u{feff}').unwrap_or(name));
            names = first.into_iter().chain(cells.iter().skip(1).copied()).map(str::to_owned).collect();
            check_columns(names.iter().map(String::as_str)).map_err(refused)?;
        } else {
            see(row, &cells)?;
        }
        row += 1;
    }
    if names.is_empty() {
        Err(refused("has an empty body: a head with the names of the columns is needed"))
    } else {
        Ok(names)
    }
}

fn text(cell: &[u8], row: u64) -> Result<&str> {
    match std::str::from_utf8(cell) {
        Ok(text) if !cell.contains(&0) => Ok(text),
        Ok(_) => Err(refused(format!("has a NUL in row {row}"))),
        Err(_) => Err(refused(format!("is not UTF-8 in row {row}"))),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn failure(error: ::csv::Error) -> Error {
    match error.kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let row = pos.as_ref().map_or(0, ::csv::Position::record);
            refused(format!("has {len} cells in row {row}, and {expected_len} columns"))
        }
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            refused("has a row of over 4 MiB: is a quotation mark missing?")
        }
        ErrorKind::Io(error) => unavailable(error),
        _ => refused("is no CSV"),
    }
}

/// A file that ends with an error when a single row goes on for too long: the reader keeps all of a row.
struct Bounded {
    file: File,
    /// Bytes since the last row ended.
    read: Rc<Counter<usize>>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read.get() > 4 * MAX_ROW_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let count = self.file.read(buffer)?;
        self.read.set(self.read.get() + count);
        Ok(count)
    }
}
