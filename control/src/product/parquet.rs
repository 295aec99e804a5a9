//! Parquet files as tables, row by row: no more than some pages of each column are in memory. What has no type of its own here, such
//! as lists and groups, becomes JSON.

use super::table::{Cell, Filled, Kind, MAX_ROWS, Writer, refused};
use super::{infer, unavailable};
use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::{Field, Row};
use ::parquet::schema::types::Type;
use jiff::civil::Date;
use jiff::{Span, Timestamp};
use rusqlite::types::{Null, ToSqlOutput, Value};
use shared::call::ColumnType;
use shared::model::data_product::check_columns;
use shared::time::Millis;
use shared::{Error, Result};
use std::fs::File;
use std::path::Path;

/// What a column of the file is here.
#[derive(Debug, Clone, Copy)]
struct Source {
    kind: Kind,
    /// Whole numbers that are nanoseconds since 1970.
    nanoseconds: bool,
}

/// Reads a file into a new table.
pub(super) fn fill(folder: &Path, file: &Path, now: Millis) -> Result<Filled> {
    let file = File::open(file).map_err(|error| unavailable(&error))?;
    let reader = SerializedFileReader::new(file).map_err(|error| failure(&error))?;
    let metadata = reader.metadata().file_metadata();
    if u64::try_from(metadata.num_rows()).is_ok_and(|rows| rows > MAX_ROWS) {
        return Err(refused("has over 100,000,000 rows"));
    }
    let fields = metadata.schema_descr().root_schema().get_fields();
    check_columns(fields.iter().map(|field| field.name())).map_err(refused)?;
    let names: Vec<String> = fields.iter().map(|field| field.name().to_owned()).collect();
    let sources: Vec<Source> = fields.iter().map(|field| source(field)).collect();
    let mut writer = Writer::create(folder, names.len())?;
    for row in reader.get_row_iter(None).map_err(|error| failure(&error))? {
        let row = row.map_err(|error| failure(&error))?;
        let cells: Vec<Cell<'_>> = cells(&row, &sources)?;
        writer.insert(&cells)?;
    }
    let kinds: Vec<Kind> = sources.iter().map(|source| source.kind).collect();
    writer.finish(names, &kinds, now)
}

fn cells(row: &Row, sources: &[Source]) -> Result<Vec<Cell<'static>>> {
    if row.len() != sources.len() {
        return Err(refused("has a row that does not fit its schema"));
    }
    row.get_column_iter().zip(sources).map(|((_, field), source)| cell(field, *source)).collect()
}

fn source(field: &Type) -> Source {
    let plain = |column_type| Source { kind: Kind::new(column_type), nanoseconds: false };
    let info = field.get_basic_info();
    if !field.is_primitive()
        || info.has_repetition() && info.repetition() == ::parquet::basic::Repetition::REPEATED
    {
        return plain(ColumnType::Json);
    }
    let timestamp =
        |zoned, nanoseconds| Source { kind: Kind { column_type: ColumnType::Timestamp, zoned }, nanoseconds };
    match (info.logical_type_ref(), info.converted_type(), field.get_physical_type()) {
        (Some(LogicalType::Timestamp(kind)), ..) => {
            timestamp(kind.is_adjusted_to_u_t_c, matches!(kind.unit, TimeUnit::NANOS))
        }
        (_, ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS, _)
        | (_, _, Physical::INT96) => timestamp(true, false),
        (_, ConvertedType::DATE, _) => plain(ColumnType::Date),
        (_, ConvertedType::JSON, _) => plain(ColumnType::Json),
        (
            _,
            ConvertedType::DECIMAL
            | ConvertedType::UINT_64
            | ConvertedType::TIME_MILLIS
            | ConvertedType::TIME_MICROS,
            _,
        ) => plain(ColumnType::Text),
        (_, _, Physical::BOOLEAN) => plain(ColumnType::Boolean),
        (_, _, Physical::INT32 | Physical::INT64) => plain(ColumnType::Integer),
        (_, _, Physical::FLOAT | Physical::DOUBLE) => plain(ColumnType::Number),
        (Some(LogicalType::Float16), ..) => plain(ColumnType::Number),
        _ => plain(ColumnType::Text),
    }
}

fn cell(field: &Field, source: Source) -> Result<Cell<'static>> {
    let owned = |value: Value| ToSqlOutput::Owned(value);
    let integer = |number: i64| Ok(owned(Value::Integer(number)));
    let number = |number: f64| {
        Ok(if number.is_finite() { owned(Value::Real(number)) } else { ToSqlOutput::from(Null) })
    };
    match field {
        Field::Null => Ok(ToSqlOutput::from(Null)),
        Field::Bool(truth) => integer(i64::from(*truth)),
        Field::Byte(value) => integer(i64::from(*value)),
        Field::Short(value) => integer(i64::from(*value)),
        Field::Int(value) => integer(i64::from(*value)),
        Field::Long(value) if source.nanoseconds => moment(value.div_euclid(1_000)),
        Field::Long(value) => integer(*value),
        Field::UByte(value) => integer(i64::from(*value)),
        Field::UShort(value) => integer(i64::from(*value)),
        Field::UInt(value) => integer(i64::from(*value)),
        Field::Float16(value) => number(f64::from(*value)),
        // As it is written in decimals: 0.1, and not 0.10000000149011612.
        Field::Float(value) => number(value.to_string().parse().unwrap_or(f64::from(*value))),
        Field::Double(value) => number(*value),
        Field::Date(days) => {
            let date = Date::constant(1970, 1, 1)
                .checked_add(Span::new().try_days(*days).map_err(|_| date_error())?);
            text(date.ok().filter(|date| date.year() >= 1).ok_or_else(date_error)?.to_string())
        }
        Field::TimestampMillis(millis) => moment(millis.saturating_mul(1_000)),
        Field::TimestampMicros(micros) => moment(*micros),
        Field::Str(value) => text(value.clone()),
        Field::Bytes(value) => match std::str::from_utf8(value.data()) {
            // Old programs do not say that their texts are texts.
            Ok(value) => text(value.to_owned()),
            Err(_) => text(hex::encode(value.data())),
        },
        Field::ULong(value) => text(value.to_string()),
        Field::TimeMillis(millis) => time(i64::from(*millis).saturating_mul(1_000)),
        Field::TimeMicros(micros) => time(*micros),
        Field::Decimal(_) => match field.to_json_value() {
            serde_json::Value::String(digits) => text(digits),
            other => text(other.to_string()),
        },
        Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => {
            text(field.to_json_value().to_string())
        }
    }
}

fn text(text: String) -> Result<Cell<'static>> {
    if text.contains('\0') {
        return Err(refused("has a NUL in a text"));
    }
    Ok(ToSqlOutput::Owned(Value::Text(text)))
}

fn moment(micros: i64) -> Result<Cell<'static>> {
    let wrong = || refused("has a timestamp that is none");
    let instant = Timestamp::from_microsecond(micros).map_err(|_| wrong())?;
    let (stored, _) = infer::moment(&instant.to_string()).ok_or_else(wrong)?;
    text(stored)
}

fn time(micros: i64) -> Result<Cell<'static>> {
    let (seconds, micros) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = format!(".{micros:06}");
    text(format!("{clock}{}", fraction.trim_end_matches('0').trim_end_matches('.')))
}

fn date_error() -> Error {
    refused("has a date that is none")
}

fn failure(error: &ParquetError) -> Error {
    tracing::info!(%error, "a Parquet file was refused");
    refused("is no Parquet file that can be read")
}
