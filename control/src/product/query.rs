//! Tables from the rows of a query, as they stream in: what is in memory is a batch of rows.

use super::table::{Cell, Filled, Kind, Writer, refused};
use super::{blocking, infer};
use rusqlite::types::{Null, ToSqlOutput, Value, ValueRef};
use shared::call::ColumnType;
use shared::model::data_product::check_columns;
use shared::time::{Millis, is_civil_date};
use shared::{Error, Result};
use std::path::Path;

/// Rows of a query with dynamic cells, of which only the last one tells what its columns are.
pub(crate) struct Dynamic {
    writer: Writer,
    names: Vec<String>,
    seen: Vec<Seen>,
}

/// What was seen of a column.
#[derive(Debug, Clone, Copy)]
struct Seen {
    declared_boolean: bool,
    any: bool,
    text: bool,
    number: bool,
    only_whole: bool,
    only_truths: bool,
    only_dates: bool,
    only_moments: bool,
}

impl Dynamic {
    /// Begins a table of named columns, of which some are declared as truth values.
    pub(crate) fn begin(folder: &Path, columns: Vec<(String, bool)>) -> Result<Self> {
        check(columns.iter().map(|(name, _)| name.as_str()))?;
        let seen = |declared_boolean| Seen {
            declared_boolean,
            any: false,
            text: false,
            number: false,
            only_whole: true,
            only_truths: true,
            only_dates: true,
            only_moments: true,
        };
        let writer = Writer::create(folder, columns.len())?;
        let (names, seen) = columns.into_iter().map(|(name, declared)| (name, seen(declared))).unzip();
        Ok(Self { writer, names, seen })
    }

    /// Adds a row.
    pub(crate) fn insert<'c>(&mut self, cells: impl Iterator<Item = ValueRef<'c>>) -> Result<()> {
        let row: Vec<Cell<'_>> =
            cells.zip(&mut self.seen).map(|(cell, seen)| seen.see(cell)).collect::<Result<_>>()?;
        self.writer.insert(&row)
    }

    /// Ends the table: what its columns are is known now.
    pub(crate) fn finish(self, now: Millis) -> Result<Filled> {
        let Self { writer, names, seen } = self;
        for (at, seen) in seen.iter().enumerate() {
            match seen.column_type() {
                ColumnType::Text if seen.number => writer.change(at, &format!("CAST(c{at} AS TEXT)"))?,
                ColumnType::Timestamp => writer.change(at, &format!("replace(c{at}, ' ', 'T')"))?,
                _ => {}
            }
        }
        let kinds: Vec<Kind> = seen.iter().map(|seen| Kind::new(seen.column_type())).collect();
        writer.finish(names, &kinds, now)
    }
}

impl Seen {
    fn see<'c>(&mut self, cell: ValueRef<'c>) -> Result<Cell<'c>> {
        self.any |= cell != ValueRef::Null;
        match cell {
            ValueRef::Null => {}
            ValueRef::Integer(number) => {
                self.number = true;
                self.only_truths &= matches!(number, 0 | 1);
            }
            // Infinities, which JSON does not know, become null.
            ValueRef::Real(number) if !number.is_finite() => return Ok(ToSqlOutput::from(Null)),
            ValueRef::Real(_) => {
                self.number = true;
                self.only_whole = false;
            }
            ValueRef::Text(bytes) => {
                let text = std::str::from_utf8(bytes)
                    .map_err(|_| refused("has rows with a text that is not UTF-8"))?;
                self.see_text(text);
            }
            ValueRef::Blob(bytes) => {
                self.see_text("");
                return Ok(ToSqlOutput::Owned(Value::Text(hex::encode(bytes))));
            }
        }
        Ok(ToSqlOutput::Borrowed(cell))
    }

    fn see_text(&mut self, text: &str) {
        self.text = true;
        self.only_dates = self.only_dates && is_civil_date(text);
        // Only what is the same text but for its T: the texts themselves stand in the table already.
        self.only_moments = self.only_moments
            && infer::moment(text)
                .is_some_and(|(stored, zoned)| !zoned && stored == text.replacen(' ', "T", 1));
    }

    const fn column_type(self) -> ColumnType {
        match self {
            Self { any: false, .. } => ColumnType::Text,
            Self { text: false, only_whole: true, only_truths: true, declared_boolean: true, .. } => {
                ColumnType::Boolean
            }
            Self { text: false, only_whole: true, .. } => ColumnType::Integer,
            Self { text: false, .. } => ColumnType::Number,
            Self { number: false, only_dates: true, .. } => ColumnType::Date,
            Self { number: false, only_moments: true, .. } => ColumnType::Timestamp,
            _ => ColumnType::Text,
        }
    }
}

/// Rows of a query whose cells come as texts of known types.
pub(crate) struct Typed {
    writer: Writer,
    names: Vec<String>,
    kinds: Vec<Kind>,
}

impl Typed {
    /// Begins a table.
    pub(crate) async fn begin(folder: &Path, columns: Vec<(String, ColumnType, bool)>) -> Result<Self> {
        check(columns.iter().map(|(name, ..)| name.as_str()))?;
        let folder = folder.to_owned();
        blocking(move || {
            let writer = Writer::create(&folder, columns.len())?;
            let (names, kinds) = columns
                .into_iter()
                .map(|(name, column_type, zoned)| (name, Kind { column_type, zoned }))
                .unzip();
            Ok(Self { writer, names, kinds })
        })
        .await
    }

    /// Adds rows.
    pub(crate) async fn insert(self, rows: Vec<Vec<Option<String>>>) -> Result<Self> {
        blocking(move || {
            let Self { mut writer, names, kinds } = self;
            for row in &rows {
                let cells: Vec<Cell<'_>> =
                    row.iter().zip(&kinds).map(|(cell, kind)| typed(*kind, cell.as_deref())).collect();
                writer.insert(&cells)?;
            }
            Ok(Self { writer, names, kinds })
        })
        .await
    }

    /// Ends the table.
    pub(crate) async fn finish(self, now: Millis) -> Result<Filled> {
        let Self { writer, names, kinds } = self;
        blocking(move || writer.finish(names, &kinds, now)).await
    }
}

/// PostgreSQL's text of a value. What has no place in the type here, such as `infinity` or `NaN`, is none.
fn typed(kind: Kind, cell: Option<&str>) -> Cell<'_> {
    let owned = |value: Option<Value>| value.map_or(ToSqlOutput::from(Null), ToSqlOutput::Owned);
    let Some(text) = cell else { return ToSqlOutput::from(Null) };
    match kind.column_type {
        ColumnType::Integer => owned(text.parse().ok().map(Value::Integer)),
        ColumnType::Number => {
            owned(text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Real))
        }
        ColumnType::Boolean => owned(Some(Value::Integer(i64::from(text == "true")))),
        ColumnType::Timestamp => owned(infer::moment(text).map(|(stored, _)| Value::Text(stored))),
        ColumnType::Date if !is_civil_date(text) => ToSqlOutput::from(Null),
        ColumnType::Date | ColumnType::Text | ColumnType::Json => {
            ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
        }
    }
}

/// Names of columns, in words about the query.
fn check<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    check_columns(names).map_err(|message| Error::invalid("/query/sql", message))
}
