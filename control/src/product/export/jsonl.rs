//! JSON lines: an object a row, with all columns, in their order.

use super::{Encode, PART_BYTES};
use crate::product::page::{json, utf8};
use crate::product::table::Kind;
use rusqlite::types::ValueRef;
use shared::call::ColumnType;
use shared::{Error, Result};

pub(super) struct Jsonl {
    /// Each column's name with its quotes and colon.
    columns: Vec<(Vec<u8>, Kind)>,
    written: Vec<u8>,
}

impl Jsonl {
    pub(super) fn new(columns: Vec<(String, Kind)>) -> Self {
        let columns = columns
            .into_iter()
            .map(|(name, kind)| (format!("{}:", serde_json::Value::String(name)).into_bytes(), kind))
            .collect();
        Self { columns, written: Vec::new() }
    }
}

impl Encode for Jsonl {
    fn row(&mut self, cells: &[ValueRef<'_>]) -> Result<()> {
        let fault = |error: serde_json::Error| Error::Internal(format!("JSON: {error}"));
        for (at, ((name, kind), cell)) in self.columns.iter().zip(cells).enumerate() {
            self.written.push(if at == 0 { b'{' } else { b',' });
            self.written.extend_from_slice(name);
            match (kind.column_type, *cell) {
                // The most common ones, without a copy.
                (ColumnType::Text | ColumnType::Date, ValueRef::Text(text)) => {
                    serde_json::to_writer(&mut self.written, utf8(text)?).map_err(fault)?;
                }
                (_, cell) => serde_json::to_writer(&mut self.written, &json(*kind, cell)?).map_err(fault)?,
            }
        }
        self.written.extend_from_slice(b"}\n");
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.written.len() >= PART_BYTES
    }

    fn take(&mut self, _: bool) -> Result<Vec<u8>> {
        Ok(std::mem::take(&mut self.written))
    }
}
