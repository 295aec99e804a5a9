//! A whole table as bytes, some rows at a time. Nothing runs and nothing waits between two parts: a slow reader holds a
//! connection and what is left of one part, no thread.

mod csv;
mod jsonl;
mod parquet;

use super::table::{self, Kind, fault, selected};
use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use shared::Result;
use shared::model::data_product::{Column, Format};
use std::path::Path;

/// Rows that are read at once, at most.
const ROWS: usize = 4_096;
/// A part of text ends when it is this long.
const PART_BYTES: usize = 256 * 1024;

/// Writes rows in a format.
trait Encode {
    /// Writes a row: its cells, in the order of the columns.
    fn row(&mut self, cells: &[ValueRef<'_>]) -> Result<()>;
    /// Is it time to give away what was written?
    fn is_full(&self) -> bool;
    /// What was written since the last time; `ended` after the last row.
    fn take(&mut self, ended: bool) -> Result<Vec<u8>>;
}

/// A download under way.
pub(super) struct Export {
    connection: Connection,
    sql: String,
    width: usize,
    after: i64,
    encoder: Box<dyn Encode + Send>,
    ended: bool,
}

impl Export {
    /// Begins with the first row.
    ///
    /// # Errors
    /// [`shared::Error::Unavailable`] when the file is gone.
    pub(super) fn begin(path: &Path, columns: &[Column], format: Format) -> Result<Self> {
        let connection = table::open(path)?;
        let kinds = table::kinds(&connection, columns)?;
        let described: Vec<(String, Kind)> =
            columns.iter().map(|column| column.name.clone()).zip(kinds).collect();
        let encoder: Box<dyn Encode + Send> = match format {
            Format::Csv => Box::new(csv::Csv::new(&described)?),
            Format::Jsonl => Box::new(jsonl::Jsonl::new(described)),
            Format::Parquet => Box::new(parquet::Parquet::new(&described)?),
        };
        let width = columns.len();
        let sql = format!("SELECT rowid, {} FROM rows WHERE rowid > ?1 ORDER BY rowid", selected(width));
        Ok(Self { connection, sql, width, after: 0, encoder, ended: false })
    }

    /// The next part; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.ended {
            let part = self.part()?;
            if !part.is_empty() {
                return Ok(Some(part.into()));
            }
        }
        Ok(None)
    }

    fn part(&mut self) -> Result<Vec<u8>> {
        let mut statement = self.connection.prepare_cached(&self.sql).map_err(fault)?;
        let mut rows = statement.query([self.after]).map_err(fault)?;
        for _ in 0..ROWS {
            let Some(row) = rows.next().map_err(fault)? else {
                self.ended = true;
                break;
            };
            self.after = row.get(0).map_err(fault)?;
            self.encoder.row(&cells(row, self.width)?)?;
            if self.encoder.is_full() {
                break;
            }
        }
        self.encoder.take(self.ended)
    }
}

fn cells<'r>(row: &'r Row<'_>, width: usize) -> Result<Vec<ValueRef<'r>>> {
    (1..=width).map(|at| row.get_ref(at).map_err(fault)).collect()
}
