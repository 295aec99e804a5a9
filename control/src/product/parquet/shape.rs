//! What the values of a file are by its schema: what the library does not say of them.
//!
//! A schema on which the library would give up by a panic is refused here, before it is asked to read a row.

use super::value::Form;
use super::{refused, unreadable};
use crate::product::table::Kind;
use ::parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use ::parquet::file::metadata::FileMetaData;
use ::parquet::schema::types::Type;
use shared::Result;
use shared::call::ColumnType;
use std::collections::HashSet;
use std::sync::Arc;

/// What a column of the file is here.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) kind: Kind,
    pub(super) shape: Shape,
}

/// What the values within a value are. Lists, and groups of one member, are of the shape of what is in them: writers wrap the values of
/// a list in several ways, and the library unwraps most of them.
#[derive(Debug)]
pub(super) enum Shape {
    Value(Leaf),
    Group(Vec<Shape>),
    Map(Box<Shape>, Box<Shape>),
    /// An old list without a wrapper around its values: the library gives a list of one list.
    Bare(Box<Shape>),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf {
    pub(super) kind: Kind,
    pub(super) form: Form,
}

/// What each column of a file is, whose names have been checked.
///
/// # Errors
/// [`shared::Error::Invalid`] when one is nothing that can be read.
pub(super) fn sources(file: &FileMetaData) -> Result<Vec<Source>> {
    let schema = file.schema_descr();
    // Old programs do not say that their texts are texts. One that says it of a column says it of all.
    let says_text = schema.columns().iter().any(|column| column.converted_type() == ConvertedType::UTF8);
    let bytes = if says_text { Form::Plain } else { Form::Guess };
    let source = |field: &Type| {
        let shape = shape(field, bytes).map_err(|reason| match reason {
            Unreadable::Interval => {
                refused(format!("has intervals, in column {:?}: store them as texts", field.name()))
            }
            Unreadable::Twice => {
                refused(format!("has two members of one name, in column {:?}", field.name()))
            }
            Unreadable::Schema => unreadable(),
        })?;
        let kind = match &shape {
            Shape::Value(leaf) if field.is_primitive() && !repeats(field) => leaf.kind,
            _ => Kind::new(ColumnType::Json),
        };
        Ok(Source { kind, shape })
    };
    schema.root_schema().get_fields().iter().map(|field| source(field)).collect()
}

enum Unreadable {
    /// The library makes no value of it.
    Interval,
    /// Two members of a group have one name.
    Twice,
    /// It is no schema.
    Schema,
}

/// The shape of a column or member, whose bytes are of the form `bytes` if nothing is said of them. No schema is deep: the footer was
/// looked at.
fn shape(field: &Type, bytes: Form) -> std::result::Result<Shape, Unreadable> {
    let info = field.get_basic_info();
    if !info.has_repetition() {
        return Err(Unreadable::Schema);
    }
    if field.is_primitive() {
        return if info.converted_type() == ConvertedType::INTERVAL {
            Err(Unreadable::Interval)
        } else {
            Ok(Shape::Value(leaf(field, bytes)))
        };
    }
    let members = field.get_fields();
    let mut names = HashSet::new();
    if !members.iter().all(|member| names.insert(member.name())) {
        return Err(Unreadable::Twice);
    }
    match (info.converted_type(), members) {
        (ConvertedType::LIST, [member]) if repeats(member) => match members_of(member) {
            [within] if repeats(within) || is_list(member) => shape(within, bytes),
            [within] if !is_bare(member) => shape(within, bytes),
            _ => Ok(Shape::Bare(shape(member, bytes)?.into())),
        },
        (ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE, [entry])
            if repeats(entry) && entry.is_group() =>
        {
            match entry.get_fields() {
                // A set.
                [key] => shape(key, bytes),
                [key, value] => Ok(Shape::Map(shape(key, bytes)?.into(), shape(value, bytes)?.into())),
                _ => Err(Unreadable::Schema),
            }
        }
        (ConvertedType::LIST | ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE, _) | (_, []) => {
            Err(Unreadable::Schema)
        }
        (_, [member]) => shape(member, bytes),
        (_, members) => members
            .iter()
            .map(|member| shape(member, bytes))
            .collect::<std::result::Result<_, _>>()
            .map(Shape::Group),
    }
}

fn members_of(field: &Type) -> &[Arc<Type>] {
    if field.is_primitive() { &[] } else { field.get_fields() }
}

fn is_list(field: &Type) -> bool {
    field.get_basic_info().converted_type() == ConvertedType::LIST
}

/// Is what repeats in a list the value itself, and no wrapper? So old programs name it.
fn is_bare(field: &Type) -> bool {
    field.name() == "array" || field.name().ends_with("_tuple")
}

fn repeats(field: &Type) -> bool {
    let info = field.get_basic_info();
    info.has_repetition() && info.repetition() == Repetition::REPEATED
}

fn leaf(field: &Type, bytes: Form) -> Leaf {
    let formed = |column_type, form| Leaf { kind: Kind::new(column_type), form };
    let plain = |column_type| formed(column_type, Form::Plain);
    let timestamp = |zoned, form| Leaf { kind: Kind { column_type: ColumnType::Timestamp, zoned }, form };
    let info = field.get_basic_info();
    match (info.logical_type_ref(), info.converted_type(), field.get_physical_type()) {
        (Some(LogicalType::Timestamp(of)), ..) => {
            let form = if matches!(of.unit, TimeUnit::NANOS) { Form::Moment } else { Form::Plain };
            timestamp(of.is_adjusted_to_u_t_c, form)
        }
        (_, ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS, _)
        | (_, _, Physical::INT96) => timestamp(true, Form::Plain),
        (Some(LogicalType::Time(of)), ..) if matches!(of.unit, TimeUnit::NANOS) => {
            formed(ColumnType::Text, Form::Time)
        }
        (Some(LogicalType::Uuid), ..) => formed(ColumnType::Text, Form::Uuid),
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
        (_, _, Physical::FLOAT | Physical::DOUBLE) | (Some(LogicalType::Float16), ..) => {
            plain(ColumnType::Number)
        }
        (None, ConvertedType::NONE, Physical::BYTE_ARRAY) => formed(ColumnType::Text, bytes),
        _ => plain(ColumnType::Text),
    }
}
