//! Lists, groups and maps as JSON, each value in it as a cell has it.

use super::shape::Shape;
use super::value::{self, Flaw};
use crate::product::table::{Kind, MAX_CELL_BYTES};
use ::parquet::record::Field;
use rusqlite::types::Value;
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};
use shared::call::ColumnType;
use std::collections::HashSet;
use std::io;

/// What `field` is as JSON, no longer than a cell may be.
///
/// # Errors
/// What is wrong with it.
pub(super) fn text(field: &Field, shape: &Shape) -> Result<String, Flaw> {
    let mut text = Bounded(Vec::new());
    match serde_json::to_writer(&mut text, &Json { field, shape }) {
        Ok(()) => Ok(String::from_utf8_lossy(&text.0).into_owned()),
        Err(error) if error.is_io() => Err(value::too_long()),
        Err(error) => Err(error.to_string()),
    }
}

struct Json<'f> {
    field: &'f Field,
    shape: &'f Shape,
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { field, shape } = *self;
        match (field, shape) {
            (Field::Group(group), shape) => {
                let shapes = match shape {
                    Shape::Group(shapes) if shapes.len() == group.len() => shapes.as_slice(),
                    shape => std::slice::from_ref(shape),
                };
                let members = group.get_column_iter().zip(shapes.iter().cycle());
                serializer.collect_map(members.map(|((name, field), shape)| (name, Json { field, shape })))
            }
            (Field::ListInternal(list), Shape::Bare(of)) => {
                let elements = match list.elements() {
                    [Field::ListInternal(only)] => only.elements(),
                    elements => elements,
                };
                serializer.collect_seq(elements.iter().map(|field| Json { field, shape: of }))
            }
            (Field::ListInternal(list), shape) => {
                serializer.collect_seq(list.elements().iter().map(|field| Json { field, shape }))
            }
            (Field::MapInternal(map), shape) => {
                let (of_keys, of_values) = match shape {
                    Shape::Map(keys, values) => (keys.as_ref(), values.as_ref()),
                    shape => (shape, shape),
                };
                let (mut object, mut names) = (serializer.serialize_map(Some(map.len()))?, HashSet::new());
                for (key, field) in map.entries() {
                    let name = name(key, of_keys).map_err(S::Error::custom)?;
                    object.serialize_entry(&name, &Json { field, shape: of_values })?;
                    if !names.insert(name) {
                        return Err(S::Error::custom("a key twice in a map"));
                    }
                }
                object.end()
            }
            (Field::Bool(truth), _) => serializer.serialize_bool(*truth),
            (field, shape) => match value::cell(field, shape).map_err(S::Error::custom)? {
                Value::Null => serializer.serialize_unit(),
                Value::Integer(number) => serializer.serialize_i64(number),
                Value::Real(number) => serializer.serialize_f64(number),
                Value::Text(text) if is_instant(shape) => serializer.collect_str(&format_args!("{text}Z")),
                Value::Text(text) => serializer.serialize_str(&text),
                Value::Blob(bytes) => serializer.serialize_str(&hex::encode(bytes)),
            },
        }
    }
}

/// Is it a timestamp whose zone a column would tell?
fn is_instant(shape: &Shape) -> bool {
    matches!(shape, Shape::Value(leaf) if leaf.kind == Kind { column_type: ColumnType::Timestamp, zoned: true })
}

/// A key of a map, which JSON has as a text.
fn name(key: &Field, shape: &Shape) -> Result<String, Flaw> {
    match value::cell(key, shape)? {
        Value::Text(text) if is_instant(shape) => Ok(format!("{text}Z")),
        Value::Text(text) => Ok(text),
        _ => text(key, shape),
    }
}

/// As many bytes as a cell may have.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_CELL_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
