//! From a request's typed parameters to what its queries bind.

use super::template::{Bind, NullType, Value, Values};
use shared::model::dashboard::Definition;
use shared::model::filter::{Kind, Scalar, Typed};
use shared::model::policy::Parameters;

/// Name of what a viewer typed, in options SQL.
pub(super) const SEARCH: &str = "search";

/// Each parameter's value. Filters that are disabled on the share are absent.
pub(super) fn values(definition: &Definition, parameters: &Parameters) -> Values {
    named(definition, |slug| parameters.get(slug))
}

/// Every parameter absent: what is checked when a dashboard is saved.
pub(super) fn no_values(definition: &Definition) -> Values {
    named(definition, |_| None)
}

/// What a viewer typed; absent when nothing.
pub(super) fn search(text: Option<&str>) -> Value {
    text.map_or(Value::Absent(NullType::Text), |text| Value::One(Bind::Text(text.to_owned())))
}

fn named<'t>(definition: &Definition, typed: impl Fn(&str) -> Option<&'t Typed>) -> Values {
    let mut values = Values::new();
    for filter in &definition.filters {
        let typed = typed(&filter.slug);
        if filter.kind == Kind::DateRange {
            let (start, end) = match typed {
                Some(Typed::Range { start, end }) => (start.clone(), end.clone()),
                _ => (None, None),
            };
            values.insert(format!("{}_start", filter.slug), day(start));
            values.insert(format!("{}_end", filter.slug), day(end));
            continue;
        }
        let value = match typed {
            Some(Typed::One(scalar)) => Value::One(bind(filter.kind, scalar)),
            Some(Typed::Many(scalars)) => {
                Value::Many(scalars.iter().map(|scalar| bind(filter.kind, scalar)).collect())
            }
            // Only a date range holds a range.
            Some(Typed::Range { .. }) | None => Value::Absent(null(filter.kind)),
        };
        values.insert(filter.slug.clone(), value);
    }
    values
}

fn day(day: Option<String>) -> Value {
    day.map_or(Value::Absent(NullType::Date), |day| Value::One(Bind::Date(day)))
}

fn bind(kind: Kind, scalar: &Scalar) -> Bind {
    match scalar {
        Scalar::Text(text) if kind == Kind::Date => Bind::Date(text.clone()),
        Scalar::Text(text) => Bind::Text(text.clone()),
        Scalar::Integer(number) => Bind::Integer(*number),
        Scalar::Float(number) => Bind::Float(*number),
        Scalar::Boolean(truth) => Bind::Boolean(*truth),
    }
}

const fn null(kind: Kind) -> NullType {
    match kind {
        // Options have the type of their column, which is not known here.
        Kind::Select | Kind::MultiSelect => NullType::Any,
        Kind::Text => NullType::Text,
        Kind::Number => NullType::Number,
        Kind::Date | Kind::DateRange => NullType::Date,
        Kind::Boolean => NullType::Boolean,
    }
}
