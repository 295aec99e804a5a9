//! SQLite's dynamic cells as typed columns. A declared type counts when every cell fits it; an expression has
//! none, and is what its cells are.

use super::super::Rows;
use rusqlite::types::Value as Stored;
use serde_json::Value;
use shared::call::{Column, ColumnType};
use shared::time::is_civil_date;

/// Rows as they are read.
pub(super) struct Taken {
    names: Vec<String>,
    declared: Vec<Option<String>>,
    rows: Vec<Vec<Stored>>,
    truncated: bool,
}

impl Taken {
    pub(super) fn new(names: Vec<String>, declared: Vec<Option<String>>) -> Self {
        Self { names, declared, rows: Vec::new(), truncated: false }
    }

    pub(super) const fn width(&self) -> usize {
        self.names.len()
    }

    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn push(&mut self, row: Vec<Stored>) {
        self.rows.push(row);
    }

    /// There were more.
    pub(super) const fn truncate(&mut self) {
        self.truncated = true;
    }

    /// The rows, typed.
    pub(super) fn finish(self) -> Rows {
        let types: Vec<ColumnType> = (0..self.width())
            .map(|at| {
                let cells = || self.rows.iter().filter_map(|row| row.get(at));
                let declared = self.declared.get(at).and_then(Option::as_deref).and_then(declared_type);
                declared
                    .filter(|declared| cells().all(|cell| fits(*declared, cell)))
                    .unwrap_or_else(|| common(cells()))
            })
            .collect();
        let cells = self
            .rows
            .into_iter()
            .map(|row| {
                row.into_iter().zip(&types).map(|(cell, column_type)| json(*column_type, cell)).collect()
            })
            .collect();
        let columns =
            self.names.into_iter().zip(types).map(|(name, column_type)| Column { name, column_type });
        Rows { columns: columns.collect(), cells, truncated: self.truncated }
    }
}

/// How much of an answer's budget a row takes.
pub(super) fn bytes(row: &[Stored]) -> usize {
    row.iter()
        .map(|cell| match cell {
            Stored::Text(text) => text.len(),
            Stored::Blob(bytes) => 2 * bytes.len(),
            _ => size_of::<i64>(),
        })
        .sum()
}

/// By SQLite's own rules of affinity, and the names that people give to what SQLite lacks.
fn declared_type(declared: &str) -> Option<ColumnType> {
    let declared = declared.to_ascii_uppercase();
    let has = |part: &str| declared.contains(part);
    if has("BOOL") {
        Some(ColumnType::Boolean)
    } else if has("DATETIME") || has("TIMESTAMP") {
        Some(ColumnType::Timestamp)
    } else if has("DATE") {
        Some(ColumnType::Date)
    } else if has("INT") {
        Some(ColumnType::Integer)
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Some(ColumnType::Text)
    } else if has("REAL") || has("FLOA") || has("DOUB") || has("NUM") || has("DEC") {
        Some(ColumnType::Number)
    } else {
        None
    }
}

fn fits(column_type: ColumnType, cell: &Stored) -> bool {
    match (column_type, cell) {
        (_, Stored::Null)
        | (ColumnType::Boolean, Stored::Integer(0 | 1))
        | (ColumnType::Integer | ColumnType::Number, Stored::Integer(_))
        | (ColumnType::Number, Stored::Real(_))
        | (ColumnType::Text, Stored::Text(_)) => true,
        (ColumnType::Date, Stored::Text(text)) => is_civil_date(text),
        (ColumnType::Timestamp, Stored::Text(text)) => is_timestamp(text),
        _ => false,
    }
}

/// `YYYY-MM-DD hh:mm` or longer, with a space or a T between, as SQLite's own functions write it.
fn is_timestamp(text: &str) -> bool {
    text.get(..10).is_some_and(is_civil_date)
        && text.as_bytes().get(10).is_some_and(|between| matches!(between, b' ' | b'T'))
        && text
            .get(11..)
            .is_some_and(|time| time.len() >= 5 && time.starts_with(|first: char| first.is_ascii_digit()))
}

fn common<'c>(cells: impl Iterator<Item = &'c Stored> + Clone) -> ColumnType {
    let mut cells = cells.filter(|cell| **cell != Stored::Null).peekable();
    if cells.peek().is_none() {
        return ColumnType::Text;
    }
    [ColumnType::Integer, ColumnType::Number]
        .into_iter()
        .find(|column_type| cells.clone().all(|cell| fits(*column_type, cell)))
        .unwrap_or(ColumnType::Text)
}

fn json(column_type: ColumnType, cell: Stored) -> Value {
    match (column_type, cell) {
        (_, Stored::Null) => Value::Null,
        (ColumnType::Boolean, Stored::Integer(number)) => Value::Bool(number != 0),
        (ColumnType::Timestamp, Stored::Text(text)) => Value::String(text.replacen(' ', "T", 1)),
        (_, Stored::Integer(number)) => Value::from(number),
        // Infinities, which JSON does not know, become null.
        (_, Stored::Real(number)) => Value::from(number),
        (_, Stored::Text(text)) => Value::String(text),
        (_, Stored::Blob(bytes)) => Value::String(hex::encode(bytes)),
    }
}
