//! Values of a file as cells.

use super::json;
use super::shape::Shape;
use crate::product::infer;
use crate::product::table::MAX_CELL_BYTES;
use ::parquet::record::Field;
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Span};
use rusqlite::types::Value;
use uuid::Uuid;

/// Longest decimal, in bytes; a longer one takes hours to be written out.
const MAX_DECIMAL_BYTES: usize = 512;

/// The end of a day is a time, too.
const DAY_NANOS: i64 = 24 * 3_600 * 1_000_000_000;

/// What a file must not have: a noun.
pub(super) type Flaw = String;

/// What the library does not say of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// There is no more to say.
    Plain,
    /// Whole numbers that are nanoseconds since 1970.
    Moment,
    /// Whole numbers that are nanoseconds since midnight.
    Time,
    /// Sixteen bytes that are a UUID.
    Uuid,
    /// Bytes that may be a text, if nothing is said of them.
    Guess,
}

/// A value of a column, or within one.
///
/// # Errors
/// What is wrong with it.
pub(super) fn cell(field: &Field, shape: &Shape) -> Result<Value, Flaw> {
    let form = if let Shape::Value(leaf) = shape { leaf.form } else { Form::Plain };
    let number = |number: f64| if number.is_finite() { Value::Real(number) } else { Value::Null };
    Ok(match (field, form) {
        (Field::Null, _) => Value::Null,
        (Field::Bool(truth), _) => Value::Integer(i64::from(*truth)),
        (Field::Byte(value), _) => Value::Integer(i64::from(*value)),
        (Field::Short(value), _) => Value::Integer(i64::from(*value)),
        (Field::Int(value), _) => Value::Integer(i64::from(*value)),
        (Field::Long(nanos), Form::Moment) => moment(nanos.div_euclid(1_000))?,
        (Field::Long(nanos), Form::Time) => time(*nanos)?,
        (Field::Long(value), _) => Value::Integer(*value),
        (Field::UByte(value), _) => Value::Integer(i64::from(*value)),
        (Field::UShort(value), _) => Value::Integer(i64::from(*value)),
        (Field::UInt(value), _) => Value::Integer(i64::from(*value)),
        (Field::ULong(value), _) => Value::Text(value.to_string()),
        (Field::Float16(value), _) => number(f64::from(*value)),
        // As it is written in decimals: 0.1, and not 0.10000000149011612.
        (Field::Float(value), _) => number(value.to_string().parse().unwrap_or(f64::from(*value))),
        (Field::Double(value), _) => number(*value),
        (Field::Date(days), _) => date(*days)?,
        (Field::TimestampMillis(millis), _) => moment(millis.saturating_mul(1_000))?,
        (Field::TimestampMicros(micros), _) => moment(*micros)?,
        (Field::TimeMillis(millis), _) => time(i64::from(*millis).saturating_mul(1_000_000))?,
        (Field::TimeMicros(micros), _) => time(micros.saturating_mul(1_000))?,
        (Field::Str(value), _) => text(value)?,
        (Field::Bytes(value), Form::Uuid) => uuid(value.data()),
        (Field::Bytes(value), Form::Guess) => readable(value.data())?,
        (Field::Bytes(value), _) => Value::Text(hexadecimal(value.data())?),
        (Field::Decimal(decimal), _) if decimal.data().len() > MAX_DECIMAL_BYTES => {
            return Err("a decimal of over 1,000 digits".to_owned());
        }
        (Field::Decimal(_), _) => match field.to_json_value() {
            // The library writes a point behind whole numbers, too.
            serde_json::Value::String(digits) => Value::Text(digits.trim_end_matches('.').to_owned()),
            other => Value::Text(other.to_string()),
        },
        (Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_), _) => {
            Value::Text(json::text(field, shape)?)
        }
    })
}

fn uuid(bytes: &[u8]) -> Value {
    Value::Text(Uuid::from_slice(bytes).map_or_else(|_| hex::encode(bytes), |uuid| uuid.to_string()))
}

/// Bytes as the text that they are, or else in hexadecimal digits.
fn readable(bytes: &[u8]) -> Result<Value, Flaw> {
    match std::str::from_utf8(bytes) {
        Ok(readable) if !readable.contains('\0') => text(readable),
        _ => hexadecimal(bytes).map(Value::Text),
    }
}

fn hexadecimal(bytes: &[u8]) -> Result<String, Flaw> {
    if bytes.len() > MAX_CELL_BYTES / 2 { Err(too_long()) } else { Ok(hex::encode(bytes)) }
}

fn text(text: &str) -> Result<Value, Flaw> {
    if text.len() > MAX_CELL_BYTES {
        return Err(too_long());
    }
    if text.contains('\0') { Err("a NUL in a text".to_owned()) } else { Ok(Value::Text(text.to_owned())) }
}

pub(super) fn too_long() -> Flaw {
    "a cell of over 256 KiB".to_owned()
}

fn date(days: i32) -> Result<Value, Flaw> {
    let epoch = Date::constant(1970, 1, 1);
    let date = Span::new().try_days(days).and_then(|days| epoch.checked_add(days)).ok();
    let date = date.filter(|date| date.year() >= 1).ok_or("a date beyond the years 1 to 9999")?;
    Ok(Value::Text(date.to_string()))
}

fn moment(micros: i64) -> Result<Value, Flaw> {
    // No instant of the library for dates is as late as the last one here.
    let moment =
        DateTime::constant(1970, 1, 1, 0, 0, 0, 0).checked_add(SignedDuration::from_micros(micros)).ok();
    let stored =
        moment.filter(|moment| moment.year() >= 1).and_then(|moment| infer::moment(&moment.to_string()));
    let (text, _) = stored.ok_or("a timestamp beyond the years 1 to 9999")?;
    Ok(Value::Text(text))
}

fn time(nanos: i64) -> Result<Value, Flaw> {
    if !(0..=DAY_NANOS).contains(&nanos) {
        return Err("a time that is not within a day".to_owned());
    }
    let (seconds, nanos) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = format!(".{nanos:09}");
    Ok(Value::Text(format!("{clock}{}", fraction.trim_end_matches('0').trim_end_matches('.'))))
}
