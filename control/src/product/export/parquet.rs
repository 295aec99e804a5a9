//! Parquet: a row group at a time, so that no more than one is in memory.

use super::Encode;
use crate::product::page::utf8;
use crate::product::table::Kind;
use bytes::Bytes;
use jiff::civil::{Date, DateTime};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::column::writer::{ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use rusqlite::types::ValueRef;
use shared::call::ColumnType;
use shared::{Error, Result};
use std::mem;
use std::sync::Arc;

/// A row group ends when its cells are this long, as they are in memory.
const GROUP_BYTES: usize = 8 * 1024 * 1024;
/// A row group ends after so many rows.
const GROUP_ROWS: usize = 65_536;
/// Texts that are handed over at once: as many as the library looks at before it ends a page.
const BATCH: usize = 1_024;

pub(super) struct Parquet {
    writer: SerializedFileWriter<Vec<u8>>,
    columns: Vec<Cells>,
    rows: usize,
    bytes: usize,
}

/// The cells of a column of the row group, and which of them are there.
struct Cells {
    kind: Kind,
    there: Vec<i16>,
    values: Values,
}

enum Values {
    Boolean(Vec<bool>),
    Days(Vec<i32>),
    Whole(Vec<i64>),
    Number(Vec<f64>),
    Text(Texts),
}

/// Texts one upon the other, in memory that the next row group uses again. An allocation for each would stay with the allocator: parts
/// are made on many threads, and each has a heap of its own.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The bytes while the library writes them.
    lent: Bytes,
}

impl Parquet {
    pub(super) fn new(columns: &[(String, Kind)]) -> Result<Self> {
        let fields = columns.iter().map(|(name, kind)| field(name, *kind).map(Arc::new));
        let fields = fields.collect::<std::result::Result<_, _>>().map_err(|error| fault(&error))?;
        let schema = Type::group_type_builder("schema").with_fields(fields).build();
        let schema = Arc::new(schema.map_err(|error| fault(&error))?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            // An index of pages would be kept until the end, and grow with the table.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_created_by("postern".to_owned())
            .build();
        let writer = SerializedFileWriter::new(room(), schema, Arc::new(properties));
        let writer = writer.map_err(|error| fault(&error))?;
        let columns = columns.iter().map(|(_, kind)| Cells::new(*kind)).collect();
        Ok(Self { writer, columns, rows: 0, bytes: 0 })
    }

    fn write_group(&mut self) -> std::result::Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for cells in &mut self.columns {
            let Some(mut column) = group.next_column()? else { break };
            cells.write(column.untyped())?;
            column.close()?;
            cells.clear();
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl Encode for Parquet {
    fn row(&mut self, cells: &[ValueRef<'_>]) -> Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            self.bytes += column.push(*cell)?;
        }
        self.rows += 1;
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES
    }

    fn take(&mut self, ended: bool) -> Result<Vec<u8>> {
        if self.rows > 0 && (ended || self.is_full()) {
            self.write_group().map_err(|error| fault(&error))?;
        }
        if ended {
            self.writer.finish().map_err(|error| fault(&error))?;
        }
        self.writer.flush().map_err(|error| Error::Internal(format!("Parquet: {error}")))?;
        let written = self.writer.inner_mut();
        Ok(if written.is_empty() { Vec::new() } else { mem::replace(written, room()) })
    }
}

impl Cells {
    fn new(kind: Kind) -> Self {
        let values = match kind.column_type {
            ColumnType::Boolean => Values::Boolean(Vec::new()),
            ColumnType::Date => Values::Days(Vec::new()),
            ColumnType::Integer | ColumnType::Timestamp => Values::Whole(Vec::new()),
            ColumnType::Number => Values::Number(Vec::new()),
            ColumnType::Text | ColumnType::Json => Values::Text(Texts::default()),
        };
        Self { kind, there: Vec::new(), values }
    }

    /// Adds a cell and tells how many bytes it takes.
    fn push(&mut self, cell: ValueRef<'_>) -> Result<usize> {
        let strange = || Error::Internal(format!("a stored cell is no {:?}", self.kind.column_type));
        if cell == ValueRef::Null {
            self.there.push(0);
            return Ok(size_of::<i16>());
        }
        self.there.push(1);
        match (&mut self.values, cell) {
            (Values::Boolean(values), ValueRef::Integer(truth)) => values.push(truth != 0),
            (Values::Whole(values), ValueRef::Integer(number)) => values.push(number),
            (Values::Whole(values), ValueRef::Text(text)) => {
                values.push(micros(utf8(text)?).ok_or_else(strange)?);
            }
            (Values::Number(values), ValueRef::Real(number)) => values.push(number),
            #[expect(clippy::cast_precision_loss, reason = "a column of numbers holds them as floats")]
            (Values::Number(values), ValueRef::Integer(number)) => values.push(number as f64),
            (Values::Days(values), ValueRef::Text(text)) => {
                values.push(days(utf8(text)?).ok_or_else(strange)?);
            }
            (Values::Text(texts), ValueRef::Text(text)) => {
                texts.bytes.extend_from_slice(text);
                texts.ends.push(texts.bytes.len());
                return Ok(text.len() + size_of::<usize>() + size_of::<i16>());
            }
            _ => return Err(strange()),
        }
        Ok(size_of::<i64>() + size_of::<i16>())
    }

    fn write(&mut self, column: &mut ColumnWriter<'_>) -> std::result::Result<(), ParquetError> {
        let there = Some(self.there.as_slice());
        let written = match (&mut self.values, column) {
            (Values::Boolean(values), ColumnWriter::BoolColumnWriter(column)) => {
                column.write_batch(values, there, None)
            }
            (Values::Days(values), ColumnWriter::Int32ColumnWriter(column)) => {
                column.write_batch(values, there, None)
            }
            (Values::Whole(values), ColumnWriter::Int64ColumnWriter(column)) => {
                column.write_batch(values, there, None)
            }
            (Values::Number(values), ColumnWriter::DoubleColumnWriter(column)) => {
                column.write_batch(values, there, None)
            }
            (Values::Text(texts), ColumnWriter::ByteArrayColumnWriter(column)) => {
                return texts.write(&self.there, column);
            }
            _ => return Err(ParquetError::General("a column of another type".to_owned())),
        };
        written.map(drop)
    }

    /// Forgets the cells, and keeps their memory.
    fn clear(&mut self) {
        match &mut self.values {
            Values::Boolean(values) => values.clear(),
            Values::Days(values) => values.clear(),
            Values::Whole(values) => values.clear(),
            Values::Number(values) => values.clear(),
            Values::Text(texts) => {
                texts.bytes = mem::take(&mut texts.lent).into();
                texts.bytes.clear();
                texts.ends.clear();
            }
        }
        self.there.clear();
    }
}

impl Texts {
    fn write(
        &mut self,
        there: &[i16],
        column: &mut ColumnWriterImpl<'_, ByteArrayType>,
    ) -> std::result::Result<(), ParquetError> {
        self.lent = mem::take(&mut self.bytes).into();
        let (mut ends, mut start) = (self.ends.iter(), 0);
        let mut batch = Vec::with_capacity(BATCH);
        for there in there.chunks(BATCH) {
            let texts = there.iter().filter(|level| **level > 0).count();
            batch.clear();
            batch.extend(ends.by_ref().take(texts).map(|end| {
                let text = self.lent.slice(start..*end);
                start = *end;
                ByteArray::from(text)
            }));
            column.write_batch(&batch, Some(there), None)?;
        }
        Ok(())
    }
}

/// Room for a row group as it is written. It is always of one size, which the allocator takes from the system and gives back to it; a
/// buffer that grows would leave as much again behind.
fn room() -> Vec<u8> {
    Vec::with_capacity(GROUP_BYTES)
}

fn field(name: &str, kind: Kind) -> std::result::Result<Type, ParquetError> {
    let (physical, logical) = match kind.column_type {
        ColumnType::Boolean => (Physical::BOOLEAN, None),
        ColumnType::Integer => (Physical::INT64, None),
        ColumnType::Number => (Physical::DOUBLE, None),
        ColumnType::Date => (Physical::INT32, Some(LogicalType::Date)),
        ColumnType::Timestamp => {
            (Physical::INT64, Some(LogicalType::timestamp(kind.zoned, parquet::basic::TimeUnit::MICROS)))
        }
        ColumnType::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnType::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
    };
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

/// Days since 1970 of a stored date.
fn days(text: &str) -> Option<i32> {
    let date: Date = text.parse().ok()?;
    Some(Date::constant(1970, 1, 1).until(date).ok()?.get_days())
}

/// Microseconds since 1970 of a stored timestamp.
fn micros(text: &str) -> Option<i64> {
    let moment: DateTime = text.parse().ok()?;
    i64::try_from(moment.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).as_micros()).ok()
}

fn fault(error: &ParquetError) -> Error {
    Error::Internal(format!("Parquet: {error}"))
}
