//! A page of rows, by keyset: whatever page it is, only its own rows are read, by the index of the column that is sorted by.
//! A search looks at the rows in the order one after the other, for no longer than [`SLICE`]; what it has not seen is the next
//! page's.

use super::table::{self, Kind, fault, selected};
use memchr::memmem::Finder;
use rusqlite::types::{Type, Value as Stored, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};
use serde_json::Value;
use shared::call::ColumnType;
use shared::model::data_product::{Column, Page, Position, Sort, Start};
use shared::{Error, Result};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest that one page searches.
const SLICE: Duration = Duration::from_millis(1_000);
/// How many rows are searched between two looks at the clock.
const CLOCK_EVERY: u64 = 1_024;
/// A page of longer rows ends early.
const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// What was found.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) rows: Vec<Vec<Value>>,
    /// Of a search that has seen all rows, from the first: how many have it.
    pub(super) matched: Option<u64>,
    /// Where the next page begins.
    pub(super) next: Option<Position>,
}

/// One walk through an index, or through the rows themselves. An order is a few walks, one after the other.
struct Walk {
    sql: String,
    binds: Vec<Stored>,
}

/// Reads a page.
///
/// # Errors
/// [`Error::Unavailable`] when the file is gone.
pub(super) fn read(path: &Path, columns: &[Column], page: &Page) -> Result<Found> {
    let connection = table::open(path)?;
    let kinds = table::kinds(&connection, columns)?;
    let walks = match page.sort {
        None => vec![in_source_order(columns.len(), &page.start)],
        Some(sort) => sorted(&connection, columns.len(), sort, &page.start)?,
    };
    let mut taking = Taking::new(page, &kinds);
    for Walk { sql, binds } in walks {
        let mut statement = connection.prepare(&sql).map_err(fault)?;
        let mut rows = statement.query(params_from_iter(&binds)).map_err(fault)?;
        while let Some(row) = rows.next().map_err(fault)? {
            if !taking.take(row)? {
                return Ok(taking.broken_off());
            }
        }
    }
    Ok(taking.ended(matches!(page.start, Start::Offset(0))))
}

/// Rows by number.
fn in_source_order(width: usize, start: &Start) -> Walk {
    let after = match start {
        Start::Offset(offset) => i64::try_from(*offset).unwrap_or(i64::MAX),
        Start::After(position) => position.row,
    };
    let sql = format!("SELECT rowid, {} FROM rows WHERE rowid > ?1 ORDER BY rowid", selected(width));
    Walk { sql, binds: vec![Stored::Integer(after)] }
}

/// Rows by a column: those that have something in it, by its index, then the others. Rows that are equal in it are found by
/// equality first, so that the number of them does not matter.
fn sorted(connection: &Connection, width: usize, sort: Sort, start: &Start) -> Result<Vec<Walk>> {
    let Sort { column, descending } = sort;
    let (direction, beyond) = if descending { ("DESC", "<") } else { ("ASC", ">") };
    let from = format!("SELECT rowid, {} FROM rows INDEXED BY i{column} WHERE", selected(width));
    let walk = |condition: String, binds: Vec<Stored>, order: &str| Walk {
        sql: format!("{from} {condition} ORDER BY {order}"),
        binds,
    };
    let by_value = format!("c{column} {direction}, rowid {direction}");
    let by_row = format!("rowid {direction}");
    let all = |binds| walk(format!("c{column} IS NOT NULL"), binds, &by_value);
    let ties = |value: &Stored, row: i64, inclusive: &str| {
        walk(
            format!("c{column} = ?1 AND rowid {beyond}{inclusive} ?2"),
            vec![value.clone(), Stored::Integer(row)],
            &by_row,
        )
    };
    let others = |value: Stored| walk(format!("c{column} {beyond} ?1"), vec![value], &by_value);
    let empty = |condition: &str, binds| walk(format!("c{column} IS NULL {condition}"), binds, &by_row);
    Ok(match start {
        Start::After(Position { value: None, row }) => {
            vec![empty(&format!("AND rowid {beyond} ?1"), vec![Stored::Integer(*row)])]
        }
        Start::After(Position { value: Some(value), row }) => {
            let value = stored(value)?;
            vec![ties(&value, *row, ""), others(value), empty("", Vec::new())]
        }
        Start::Offset(0) => vec![all(Vec::new()), empty("", Vec::new())],
        Start::Offset(offset) => {
            let filled = filled(connection, column)?;
            if *offset >= filled {
                let skipped = i64::try_from(offset - filled).unwrap_or(i64::MAX);
                let Walk { sql, .. } = empty("", Vec::new());
                return Ok(vec![Walk { sql: format!("{sql} LIMIT -1 OFFSET {skipped}"), binds: Vec::new() }]);
            }
            let (value, row) = nth(connection, sort, *offset, filled)?;
            vec![ties(&value, row, "="), others(value), empty("", Vec::new())]
        }
    })
}

/// How many rows have something in a column.
fn filled(connection: &Connection, column: usize) -> Result<u64> {
    let column = i64::try_from(column).unwrap_or(i64::MAX);
    let filled =
        connection.query_row("SELECT filled FROM stats WHERE at = ?1", [column], |row| row.get::<_, i64>(0));
    filled.map(|filled| u64::try_from(filled).unwrap_or_default()).map_err(fault)
}

/// The row of a number in an order: walks the index alone, from its nearer end.
fn nth(connection: &Connection, sort: Sort, number: u64, filled: u64) -> Result<(Stored, i64)> {
    let Sort { column, descending } = sort;
    let (steps, backward) =
        if number > filled / 2 { (filled - 1 - number, !descending) } else { (number, descending) };
    let direction = if backward { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT c{column}, rowid FROM rows INDEXED BY i{column} WHERE c{column} IS NOT NULL
        ORDER BY c{column} {direction}, rowid {direction} LIMIT 1 OFFSET ?1"
    );
    let steps = i64::try_from(steps).unwrap_or(i64::MAX);
    connection.query_row(&sql, [steps], |row| Ok((row.get(0)?, row.get(1)?))).map_err(fault)
}

/// A cursor's cell as it stands in the table.
fn stored(value: &Value) -> Result<Stored> {
    match value {
        Value::String(text) => Ok(Stored::Text(text.clone())),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(Stored::Integer(whole)),
            (None, Some(number)) => Ok(Stored::Real(number)),
            (None, None) => Err(Error::Internal("a cursor's number".to_owned())),
        },
        _ => Err(Error::Internal("a cursor's cell".to_owned())),
    }
}

/// Rows as they are taken for a page.
struct Taking<'p> {
    page: &'p Page,
    kinds: &'p [Kind],
    search: Option<Search>,
    rows: Vec<Vec<Value>>,
    bytes: usize,
    seen: u64,
    last: Option<Position>,
    begun: Instant,
}

impl<'p> Taking<'p> {
    fn new(page: &'p Page, kinds: &'p [Kind]) -> Self {
        let search = page.search.as_deref().map(Search::new);
        Self { page, kinds, search, rows: Vec::new(), bytes: 0, seen: 0, last: None, begun: Instant::now() }
    }

    /// Takes the next row of the order. `false` when it belongs to the next page.
    fn take(&mut self, row: &Row<'_>) -> Result<bool> {
        self.seen += 1;
        let late = self.seen.is_multiple_of(CLOCK_EVERY) && self.begun.elapsed() > SLICE;
        if self.rows.len() >= self.page.limit as usize || (self.search.is_some() && late) {
            return Ok(false);
        }
        let is_wanted = match &mut self.search {
            None => true,
            Some(search) => search.finds(row, self.kinds)?,
        };
        if is_wanted {
            let bytes = bytes(row, self.kinds.len())?;
            if self.bytes + bytes > MAX_PAGE_BYTES && !self.rows.is_empty() {
                return Ok(false);
            }
            self.bytes += bytes;
            self.rows.push(cells(row, self.kinds)?);
        }
        // Of rows that are passed over, only the last is gone on from.
        if is_wanted || (self.seen + 1).is_multiple_of(CLOCK_EVERY) {
            let value = match self.page.sort {
                Some(sort) => position(row.get_ref(sort.column + 1).map_err(fault)?)?,
                None => None,
            };
            self.last = Some(Position { value, row: row.get(0).map_err(fault)? });
        }
        Ok(true)
    }

    fn broken_off(self) -> Found {
        Found { rows: self.rows, matched: None, next: self.last }
    }

    fn ended(self, from_the_first: bool) -> Found {
        let matched = (self.search.is_some() && from_the_first).then_some(self.rows.len() as u64);
        Found { rows: self.rows, matched, next: None }
    }
}

fn position(cell: ValueRef<'_>) -> Result<Option<Value>> {
    Ok(match cell {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(Value::from(number)),
        ValueRef::Real(number) => Some(Value::from(number)),
        ValueRef::Text(text) => Some(Value::String(utf8(text)?.to_owned())),
        ValueRef::Blob(_) => return Err(Error::Internal("a stored cell is no text".to_owned())),
    })
}

fn bytes(row: &Row<'_>, width: usize) -> Result<usize> {
    (1..=width).try_fold(0, |sum, at| {
        let cell = row.get_ref(at).map_err(fault)?;
        let length = if cell.data_type() == Type::Text { cell.as_bytes().map_or(0, <[u8]>::len) } else { 8 };
        Ok(sum + length)
    })
}

/// A row as JSON, without its number.
fn cells(row: &Row<'_>, kinds: &[Kind]) -> Result<Vec<Value>> {
    let cell = |(at, kind): (usize, &Kind)| json(*kind, row.get_ref(at + 1).map_err(fault)?);
    kinds.iter().enumerate().map(cell).collect()
}

/// A stored cell as JSON.
pub(super) fn json(kind: Kind, cell: ValueRef<'_>) -> Result<Value> {
    Ok(match (kind.column_type, cell) {
        (_, ValueRef::Null) => Value::Null,
        (ColumnType::Boolean, ValueRef::Integer(truth)) => Value::Bool(truth != 0),
        (_, ValueRef::Integer(number)) => Value::from(number),
        (_, ValueRef::Real(number)) => Value::from(number),
        (ColumnType::Timestamp, ValueRef::Text(text)) if kind.zoned => {
            Value::String(format!("{}Z", utf8(text)?))
        }
        (ColumnType::Json, ValueRef::Text(text)) => serde_json::from_slice(text)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(text).into_owned())),
        (_, ValueRef::Text(text)) => Value::String(utf8(text)?.to_owned()),
        (_, ValueRef::Blob(_)) => return Err(Error::Internal("a stored cell is no text".to_owned())),
    })
}

pub(super) fn utf8(text: &[u8]) -> Result<&str> {
    std::str::from_utf8(text).map_err(|_| Error::Internal("a stored text is not UTF-8".to_owned()))
}

/// What is searched for, in any case.
struct Search {
    lower: Finder<'static>,
    buffer: Vec<u8>,
}

impl Search {
    fn new(text: &str) -> Self {
        Self { lower: Finder::new(text.to_lowercase().as_bytes()).into_owned(), buffer: Vec::new() }
    }

    /// Has a text of the row a part like it?
    fn finds(&mut self, row: &Row<'_>, kinds: &[Kind]) -> Result<bool> {
        for (at, kind) in kinds.iter().enumerate() {
            if !matches!(kind.column_type, ColumnType::Text | ColumnType::Date | ColumnType::Json) {
                continue;
            }
            if let ValueRef::Text(text) = row.get_ref(at + 1).map_err(fault)?
                && self.is_in(text)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_in(&mut self, text: &[u8]) -> bool {
        if text.is_ascii() {
            self.buffer.clear();
            self.buffer.extend(text.iter().map(u8::to_ascii_lowercase));
            return self.lower.find(&self.buffer).is_some();
        }
        self.lower.find(String::from_utf8_lossy(text).to_lowercase().as_bytes()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::table::{Cell, Writer};
    use proptest::prelude::*;
    use rusqlite::types::ToSqlOutput;
    use shared::model::data_product::Table;
    use shared::time::Millis;
    use tempfile::TempDir;

    type Rows = Vec<(Option<i64>, Option<String>)>;

    /// A file of these rows.
    fn file(rows: &Rows) -> (TempDir, std::path::PathBuf, Table) {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(folder.path(), 2).unwrap();
        for (number, text) in rows {
            let cell =
                |value: Option<Stored>| value.map_or(Cell::from(rusqlite::types::Null), ToSqlOutput::Owned);
            writer
                .insert(&[cell(number.map(Stored::Integer)), cell(text.clone().map(Stored::Text))])
                .unwrap();
        }
        let kinds = [Kind::new(ColumnType::Integer), Kind::new(ColumnType::Text)];
        let filled = writer.finish(vec!["n".into(), "t".into()], &kinds, Millis(0)).unwrap();
        let path = folder.path().join("rows.db");
        filled.file.persist(&path).unwrap();
        (folder, path, filled.table)
    }

    /// All rows of a question, page by page.
    fn all(path: &Path, table: &Table, page: &Page) -> Vec<Vec<Value>> {
        let (mut rows, mut page) = (Vec::new(), page.clone());
        loop {
            let found = read(path, &table.columns, &page).unwrap();
            assert!(found.rows.len() <= page.limit as usize);
            rows.extend(found.rows);
            match found.next {
                Some(position) => page.start = Start::After(position),
                None => return rows,
            }
        }
    }

    /// What the rows are in an order, said a second time: empty cells last, ties as the rows stand, or from the last up.
    fn expected(rows: &Rows, sort: Option<Sort>) -> Vec<Vec<Value>> {
        let mut numbered: Vec<_> = rows.iter().enumerate().collect();
        if let Some(Sort { column, descending }) = sort {
            numbered.sort_by(|(a, left), (b, right)| {
                let order = match column {
                    0 => left
                        .0
                        .is_none()
                        .cmp(&right.0.is_none())
                        .then_with(|| flip(left.0.cmp(&right.0), descending)),
                    _ => left
                        .1
                        .is_none()
                        .cmp(&right.1.is_none())
                        .then_with(|| flip(left.1.cmp(&right.1), descending)),
                };
                order.then_with(|| flip(a.cmp(b), descending))
            });
        }
        numbered
            .into_iter()
            .map(|(_, (number, text))| vec![Value::from(*number), Value::from(text.clone())])
            .collect()
    }

    fn flip(order: std::cmp::Ordering, descending: bool) -> std::cmp::Ordering {
        if descending { order.reverse() } else { order }
    }

    fn rows() -> impl Strategy<Value = Rows> {
        let number = proptest::option::weighted(0.8, -3..3_i64);
        let text = proptest::option::weighted(0.8, "[abAé]{0,2}");
        proptest::collection::vec((number, text), 0..40)
    }

    fn sorts() -> impl Strategy<Value = Option<Sort>> {
        proptest::option::weighted(
            0.8,
            (0..2_usize, any::<bool>()).prop_map(|(column, descending)| Sort { column, descending }),
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn pages_put_together_are_the_whole_in_order(rows in rows(), sort in sorts(), limit in 1..12_u32) {
            let (_folder, path, table) = file(&rows);
            let page = Page { limit, sort, search: None, start: Start::Offset(0) };
            prop_assert_eq!(all(&path, &table, &page), expected(&rows, sort));
        }

        #[test]
        fn an_offset_is_the_same_place(rows in rows(), sort in sorts(), offset in 0..45_u64) {
            let (_folder, path, table) = file(&rows);
            let page = Page { limit: 7, sort, search: None, start: Start::Offset(offset) };
            let expected: Vec<_> = expected(&rows, sort).into_iter().skip(usize::try_from(offset).unwrap()).collect();
            prop_assert_eq!(all(&path, &table, &page), expected);
        }

        #[test]
        fn a_search_finds_what_has_it(rows in rows(), sort in sorts(), limit in 1..12_u32, wanted in "[aAbé]{1,2}") {
            let (_folder, path, table) = file(&rows);
            let page = Page { limit, sort, search: Some(wanted.clone()), start: Start::Offset(0) };
            let has = |row: &Vec<Value>| row[1].as_str().is_some_and(|text| text.to_lowercase().contains(&wanted.to_lowercase()));
            let expected: Vec<_> = expected(&rows, sort).into_iter().filter(has).collect();
            prop_assert_eq!(all(&path, &table, &page), expected);
        }
    }

    #[test]
    fn every_walk_goes_by_an_index() {
        let rows: Rows = (0..100).map(|at| (Some(at % 3), None)).collect();
        let (_folder, path, table) = file(&rows);
        let connection = table::open(&path).unwrap();
        for descending in [false, true] {
            for start in
                [Start::Offset(0), Start::Offset(60), Start::After(Position::new(Some(1.into()), 40))]
            {
                for walk in sorted(&connection, 2, Sort { column: 0, descending }, &start).unwrap() {
                    let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", walk.sql)).unwrap();
                    let steps =
                        plan.query_map(params_from_iter(&walk.binds), |row| row.get::<_, String>(3)).unwrap();
                    for step in steps {
                        let step = step.unwrap();
                        assert!(step.contains("USING INDEX i0"), "{}: {step}", walk.sql);
                    }
                }
            }
        }
        assert_eq!(table.row_count, 100);
    }
}
