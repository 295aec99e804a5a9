//! One version's file: a table `rows` with columns `c0`, `c1` and so on, an index for each column that can be sorted by, and a
//! table `stats` of what is known of each column. Row ids are 1, 2, 3 in the order of the source, with no gap.

use super::{unavailable, unfinished};
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OpenFlags, params, params_from_iter};
use shared::call::ColumnType;
use shared::model::data_product::{Column, Table};
use shared::time::Millis;
use shared::{Error, Result};
use std::path::Path;
use tempfile::TempPath;

/// Longest cell, in bytes.
pub(super) const MAX_CELL_BYTES: usize = 256 * 1024;
/// Longest row, in bytes of its cells.
pub(super) const MAX_ROW_BYTES: usize = 1024 * 1024;
/// Most rows.
pub(super) const MAX_ROWS: u64 = 100_000_000;
/// Most bytes of cells of a table: a compressed file may hold far more than its own length.
const MAX_TABLE_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Columns beyond cannot be sorted by: each has an index, which takes about as long to make as its column to read.
const MAX_INDEXES: usize = 64;
/// Columns with a longer text cannot be sorted by: cursors carry it, and its index would be a second copy of the texts.
const MAX_SORTED_BYTES: usize = 1_024;

/// A cell on its way into a table.
pub(crate) type Cell<'c> = ToSqlOutput<'c>;

/// What a column's cells are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) column_type: ColumnType,
    /// Of a timestamp: is it an instant? It is stored without its `Z`, so that texts sort as instants do.
    pub(crate) zoned: bool,
}

impl Kind {
    pub(crate) const fn new(column_type: ColumnType) -> Self {
        Self { column_type, zoned: false }
    }
}

/// A table that is filled and has no name yet.
pub(crate) struct Filled {
    pub(super) file: TempPath,
    pub(crate) table: Table,
}

/// A table that is being filled.
pub(crate) struct Writer {
    connection: Connection,
    file: TempPath,
    insert: String,
    stats: Vec<Stats>,
    rows: u64,
    bytes: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Stats {
    filled: u64,
    longest: usize,
}

impl Writer {
    /// Begins a table of so many columns.
    pub(crate) fn create(folder: &Path, width: usize) -> Result<Self> {
        let file = unfinished(folder)?.into_temp_path();
        let connection = Connection::open(&file).map_err(fault)?;
        // Nobody reads it before it is whole, and a crash throws it away: there is nothing to roll back.
        connection
            .execute_batch(
                "PRAGMA page_size = 8192; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
                PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -32768",
            )
            .map_err(fault)?;
        let names: Vec<String> = (0..width).map(|at| format!("c{at}")).collect();
        let marks = vec!["?"; width].join(", ");
        let create = format!("CREATE TABLE rows ({}); BEGIN", names.join(", "));
        connection.execute_batch(&create).map_err(fault)?;
        let insert = format!("INSERT INTO rows VALUES ({marks})");
        Ok(Self { connection, file, insert, stats: vec![Stats::default(); width], rows: 0, bytes: 0 })
    }

    /// Adds a row; `cells` are as many as the table has columns.
    ///
    /// # Errors
    /// What is wrong with it, at its row.
    pub(crate) fn insert(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        self.rows += 1;
        if self.rows > MAX_ROWS {
            return Err(refused("has over 100,000,000 rows"));
        }
        let mut row_bytes = 0;
        for (cell, stats) in cells.iter().zip(&mut self.stats) {
            let (filled, bytes) = measure(cell);
            if bytes > MAX_CELL_BYTES {
                return Err(refused(format!("has a cell of over 256 KiB in row {}", self.rows)));
            }
            row_bytes += bytes;
            stats.filled += u64::from(filled);
            stats.longest = stats.longest.max(bytes);
        }
        self.bytes += row_bytes as u64;
        if row_bytes > MAX_ROW_BYTES {
            return Err(refused(format!("has over 1 MiB in row {}", self.rows)));
        }
        if self.bytes > MAX_TABLE_BYTES {
            return Err(refused("has over 8 GiB of cells"));
        }
        let mut insert = self.connection.prepare_cached(&self.insert).map_err(fault)?;
        insert.execute(params_from_iter(cells)).map_err(fault)?;
        Ok(())
    }

    /// Changes all cells of a column by a fixed expression of it.
    pub(crate) fn change(&self, column: usize, expression: &str) -> Result<()> {
        self.connection.execute_batch(&format!("UPDATE rows SET c{column} = {expression}")).map_err(fault)
    }

    /// Ends the table: makes its indexes, and sees to it that the disk has it.
    pub(crate) fn finish(self, names: Vec<String>, kinds: &[Kind], now: Millis) -> Result<Filled> {
        let Self { connection, file, stats, rows, .. } = self;
        connection
            .execute_batch(
                "CREATE TABLE stats (at INTEGER PRIMARY KEY, filled INTEGER NOT NULL, zoned INTEGER NOT NULL)",
            )
            .map_err(fault)?;
        let mut columns = Vec::with_capacity(names.len());
        for (at, ((name, kind), stats)) in names.into_iter().zip(kinds).zip(stats).enumerate() {
            let sortable =
                at < MAX_INDEXES && kind.column_type != ColumnType::Json && stats.longest <= MAX_SORTED_BYTES;
            let at_column = i64::try_from(at).unwrap_or(i64::MAX);
            let filled = i64::try_from(stats.filled).unwrap_or(i64::MAX);
            connection
                .execute("INSERT INTO stats VALUES (?1, ?2, ?3)", params![at_column, filled, kind.zoned])
                .map_err(fault)?;
            if sortable {
                connection.execute_batch(&format!("CREATE INDEX i{at} ON rows (c{at})")).map_err(fault)?;
            }
            columns.push(Column { name, column_type: kind.column_type, sortable });
        }
        connection.execute_batch("COMMIT").map_err(fault)?;
        connection.close().map_err(|(_, error)| fault(error))?;
        let synced = std::fs::File::open(&file).and_then(|opened| opened.sync_all());
        synced.map_err(|error| unavailable(&error))?;
        Ok(Filled { file, table: Table { columns, row_count: rows, loaded_at: now } })
    }
}

/// Is there something in a cell, and how long is it?
fn measure(cell: &Cell<'_>) -> (bool, usize) {
    use rusqlite::types::{Value, ValueRef};
    match cell {
        ToSqlOutput::Borrowed(ValueRef::Null) | ToSqlOutput::Owned(Value::Null) => (false, 1),
        ToSqlOutput::Borrowed(ValueRef::Text(text)) => (true, text.len()),
        ToSqlOutput::Owned(Value::Text(text)) => (true, text.len()),
        _ => (true, size_of::<i64>()),
    }
}

/// Opens a version's file to be read.
///
/// # Errors
/// [`Error::Unavailable`] when it is not there: a newer version may just have taken its place.
pub(super) fn open(path: &Path) -> Result<Connection> {
    // Nobody writes it any more: no lock is needed, and none is looked for.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let name = path.to_str().ok_or_else(|| Error::Internal("the folder's name is not UTF-8".to_owned()))?;
    let name = name.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let opened = Connection::open_with_flags(format!("file:{name}?immutable=1"), flags);
    let connection =
        opened.map_err(|error| Error::Unavailable(format!("rows of a data product: {error}")))?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096").map_err(fault)?;
    Ok(connection)
}

/// What columns are, beyond what the product's row tells.
pub(super) fn kinds(connection: &Connection, columns: &[Column]) -> Result<Vec<Kind>> {
    let mut statement = connection.prepare("SELECT zoned FROM stats ORDER BY at").map_err(fault)?;
    let zoned = statement.query_map([], |row| row.get::<_, bool>(0)).map_err(fault)?;
    let zoned: Vec<bool> = zoned.collect::<std::result::Result<_, _>>().map_err(fault)?;
    if zoned.len() != columns.len() {
        return Err(Error::Internal("the rows of a data product are of another version".to_owned()));
    }
    Ok(columns
        .iter()
        .zip(zoned)
        .map(|(column, zoned)| Kind { column_type: column.column_type, zoned })
        .collect())
}

/// `c0, c1, ...`
pub(super) fn selected(width: usize) -> String {
    (0..width).map(|at| format!("c{at}")).collect::<Vec<_>>().join(", ")
}

#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
pub(super) fn fault(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, SystemIoFailure};
    match error.sqlite_error_code() {
        Some(CannotOpen | DiskFull | SystemIoFailure) => {
            Error::Unavailable(format!("rows of a data product: {error}"))
        }
        _ => Error::Internal(format!("rows of a data product: {error}")),
    }
}

/// What is wrong with what was sent.
pub(super) fn refused(message: impl Into<String>) -> Error {
    Error::invalid("", message)
}
