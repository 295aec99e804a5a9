//! Parquet files as tables, row by row: no more than a page and a dictionary of each column are in memory, and the library gets no
//! page that was not looked at before. What has no type of its own here, such as lists and groups, becomes JSON.

mod footer;
mod group;
mod held;
mod json;
mod lengths;
mod page;
mod records;
mod runs;
mod shape;
#[cfg(test)]
mod tests;
mod texts;
mod thrift;
mod value;

use self::group::Group;
use self::held::{Budget, MAX_VALUES};
use self::shape::Source;
use super::table::{Cell, Filled, Kind, MAX_ROWS, Writer, refused};
use super::unavailable;
use ::parquet::errors::ParquetError;
use ::parquet::record::Row;
use ::parquet::record::reader::TreeBuilder;
use rusqlite::types::ToSqlOutput;
use shared::model::data_product::check_columns;
use shared::time::Millis;
use shared::{Error, Result};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Reads a file into a new table.
pub(super) fn fill(folder: &Path, file: &Path, now: Millis) -> Result<Filled> {
    let mut file = File::open(file).map_err(|error| unavailable(&error))?;
    let footer = footer::read(&mut file)?;
    let metadata = footer.file_metadata();
    if u64::try_from(metadata.num_rows()).is_ok_and(|rows| rows > MAX_ROWS) {
        return Err(refused("has over 100,000,000 rows"));
    }
    let fields = metadata.schema_descr().root_schema().get_fields();
    check_columns(fields.iter().map(|field| field.name())).map_err(refused)?;
    let names: Vec<String> = fields.iter().map(|field| field.name().to_owned()).collect();
    let sources = shape::sources(metadata)?;
    let leaves = metadata.schema_descr().num_columns() as u64;
    let mut values = 0_u64;
    let mut writer = Writer::create(folder, names.len())?;
    let (file, budget) = (Arc::new(file), Arc::new(Budget::default()));
    for metadata in footer.row_groups() {
        let group = Group { file: Arc::clone(&file), metadata, budget: Arc::clone(&budget) };
        // A value that is read ahead keeps its whole page.
        budget.begin_group();
        let rows = TreeBuilder::new().with_batch_size(1).as_iter(metadata.schema_descr_ptr(), &group);
        for row in rows.map_err(failure)? {
            values += leaves;
            if values > MAX_VALUES {
                return Err(refused("has over 8,589,934,592 values"));
            }
            writer.insert(&cells(&row.map_err(failure)?, &sources)?)?;
            budget.end_row();
        }
    }
    let kinds: Vec<Kind> = sources.iter().map(|source| source.kind).collect();
    writer.finish(names, &kinds, now)
}

fn cells(row: &Row, sources: &[Source]) -> Result<Vec<Cell<'static>>> {
    if row.len() != sources.len() {
        return Err(refused("has a row that does not fit its schema"));
    }
    let columns = row.get_column_iter().zip(sources);
    columns
        .map(|((name, field), source)| match value::cell(field, &source.shape) {
            Ok(value) => Ok(ToSqlOutput::Owned(value)),
            Err(flaw) => Err(refused(format!("has {flaw}, in column {name:?}"))),
        })
        .collect()
}

/// What the library says, or what was said to it.
fn failure(error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) if inner.is::<Error>() => {
            inner.downcast().map_or_else(|_| unreadable(), |ours| *ours)
        }
        error => {
            // What it says in words may be what the file says.
            let kind = match error {
                ParquetError::General(_) => "general",
                ParquetError::NYI(_) => "not implemented",
                ParquetError::EOF(_) => "ends too early",
                ParquetError::IndexOutOfBound(..) => "out of bounds",
                _ => "other",
            };
            tracing::info!(kind, "the Parquet library refused a file");
            unreadable()
        }
    }
}

fn unreadable() -> Error {
    refused("is no Parquet file that can be read")
}
