//! Data products: one table of rows that an owner registered, and what a viewer may ask of it (seed 000). A product's rows are
//! a snapshot: they are read once, when it is registered or refreshed, and each snapshot is a version.

mod cursor;
mod page;

pub use cursor::Position;
pub use page::{Asked, DEFAULT_LIMIT, Format, MAX_LIMIT, MAX_SEARCH_CHARS, Page, Sort, Start};

use crate::call::ColumnType;
use crate::error::Flaw;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Most columns of a product.
pub const MAX_COLUMNS: usize = 256;
/// Longest name of a column, in bytes.
pub const MAX_COLUMN_NAME_BYTES: usize = 200;
/// Longest description, in characters.
const MAX_DESCRIPTION_CHARS: usize = 1_000;
/// Longest query, in bytes.
const MAX_SQL_BYTES: usize = 64 * 1024;

/// A product as the control plane keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Its name for people.
    pub name: String,
    /// A sentence under the name.
    pub description: Option<String>,
    /// Where its rows come from.
    pub source: Source,
    /// Its rows as they are now; none before the first file of an upload.
    pub table: Option<Table>,
}

/// Where the rows of a product come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// Files that the owner sends.
    Upload,
    /// A query that is run when the product is made or refreshed.
    Query(Query),
}

/// A query on a data source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Query {
    /// The data source that it runs on.
    pub data_source_id: Uuid,
    /// One `SELECT` without parameters, at most 64 KiB.
    pub sql: String,
}

/// What is known of a version's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// In the order of the source.
    pub columns: Vec<Column>,
    /// How many rows there are.
    pub row_count: u64,
    /// When they were read.
    pub loaded_at: Millis,
}

/// A column of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Column {
    /// As the source names it.
    pub name: String,
    /// What its cells are; any may be null.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Can rows be sorted by it? Not by JSON, by long texts, and beyond the first 64 columns.
    pub sortable: bool,
}

/// A product as viewers may know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// A sentence under the name.
    pub description: Option<String>,
    /// Grows with each change.
    pub version: u64,
    /// What is known of its rows.
    #[serde(flatten)]
    pub table: Table,
}

impl Definition {
    /// Everything that is wrong with it, but for what its data source thinks of its query.
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if super::share::check_name(&self.name).is_err() {
            flaws.push(Flaw::new("/name", "must have 1 to 200 characters and no control characters"));
        }
        let description = self.description.as_deref().unwrap_or_default();
        if description.chars().count() > MAX_DESCRIPTION_CHARS || description.contains('\0') {
            flaws.push(Flaw::new("/description", "must have at most 1,000 characters"));
        }
        if let Source::Query(query) = &self.source
            && (query.sql.trim().is_empty() || query.sql.len() > MAX_SQL_BYTES || query.sql.contains('\0'))
        {
            flaws.push(Flaw::new("/query/sql", "must be a query of at most 65,536 bytes"));
        }
        flaws
    }

    /// What viewers may know of this version; nothing while there are no rows.
    pub fn view(&self, id: Uuid, version: u64) -> Option<View> {
        let (name, description) = (self.name.clone(), self.description.clone());
        Some(View { id, name, description, version, table: self.table.clone()? })
    }
}

/// Names of columns are there, bounded and unique.
///
/// # Errors
/// What is wrong, in words for the owner.
pub fn check_columns<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for (at, name) in names.enumerate() {
        if at >= MAX_COLUMNS {
            return Err("has more than 256 columns".to_owned());
        }
        if name.trim().is_empty() {
            return Err(format!("has no name for column {}", at + 1));
        }
        if name.len() > MAX_COLUMN_NAME_BYTES || name.chars().any(char::is_control) {
            return Err(format!(
                "has a name for column {} of over 200 bytes, or with control characters",
                at + 1
            ));
        }
        if !seen.insert(name) {
            return Err(format!("names column {} like another", at + 1));
        }
    }
    if seen.is_empty() { Err("has no column".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A product of three columns, as other modules' tests use it.
    pub(crate) fn view() -> View {
        let column = |name: &str, column_type, sortable| Column { name: name.into(), column_type, sortable };
        View {
            id: Uuid::from_u128(4),
            name: "Prices".into(),
            description: None,
            version: 3,
            table: Table {
                columns: vec![
                    column("city", ColumnType::Text, true),
                    column("price", ColumnType::Number, true),
                    column("notes", ColumnType::Json, false),
                ],
                row_count: 10,
                loaded_at: Millis(0),
            },
        }
    }

    #[test]
    fn columns_have_bounded_unique_names() {
        let check = |names: &[&str]| check_columns(names.iter().copied());
        assert_eq!(check(&["a", "A", "é "]), Ok(()));
        assert_eq!(check(&[]), Err("has no column".into()));
        assert_eq!(check(&["a", " "]), Err("has no name for column 2".into()));
        assert_eq!(check(&["a", "b", "a"]), Err("names column 3 like another".into()));
        assert!(check(&["a\nb"]).is_err());
        assert!(check(&["x".repeat(201).as_str()]).is_err());
        let many: Vec<String> = (0..257).map(|at| at.to_string()).collect();
        assert!(check_columns(many.iter().map(String::as_str)).is_err());
        assert!(check_columns(many.iter().take(256).map(String::as_str)).is_ok());
    }

    #[test]
    fn a_product_without_rows_shows_nothing() {
        let empty = Definition { name: "P".into(), description: None, source: Source::Upload, table: None };
        assert_eq!(empty.view(Uuid::nil(), 1), None);
        assert_eq!(empty.flaws(), []);
    }

    #[test]
    fn flaws_are_named_by_their_place() {
        let query = Query { data_source_id: Uuid::nil(), sql: " ".into() };
        let bad = Definition {
            name: String::new(),
            description: Some("x".repeat(1_001)),
            source: Source::Query(query),
            table: None,
        };
        let places: Vec<_> = bad.flaws().into_iter().map(|flaw| flaw.pointer).collect();
        assert_eq!(places, ["/name", "/description", "/query/sql"]);
    }
}
