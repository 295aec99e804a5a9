//! Filters of a dashboard: their kinds, and reading a JSON value as the kind demands.
//! Types are exact: `"1"`, `1` and `[1]` are three things (RELIABILITY.md E1).

use crate::time::is_civil_date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest text value, in characters.
pub const MAX_TEXT_CHARS: usize = 1_000;
/// Most values in one `multi_select` parameter.
pub const MAX_VALUES: usize = 200;
/// Largest integer that JSON readers everywhere keep exact.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// What a filter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Kind {
    /// One of the options: a scalar (an array of one is taken as its item).
    Select,
    /// Some of the options: an array.
    MultiSelect,
    /// Free text.
    Text,
    /// A finite number.
    Number,
    /// `YYYY-MM-DD`.
    Date,
    /// From a date to a date, both included; parameters `<slug>_start` and `<slug>_end`.
    DateRange,
    /// `true` or `false`.
    Boolean,
}

/// One value, of one type, in one spelling: equal values are equal byte for byte.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Text, exact code points.
    Text(String),
    /// A whole number within ±(2^53 − 1).
    Integer(i64),
    /// Any other finite number.
    Float(f64),
    /// A truth value.
    Boolean(bool),
}

impl Scalar {
    /// Reads a JSON scalar. `None` for null, containers, text that is too long or holds NUL,
    /// and numbers that JSON readers do not keep exact.
    pub fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => {
                let fits = text.chars().count() <= MAX_TEXT_CHARS && !text.contains('\0');
                fits.then(|| Self::Text(text.clone()))
            }
            Value::Number(number) => Self::number(number.as_f64()?),
            Value::Bool(truth) => Some(Self::Boolean(*truth)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn number(number: f64) -> Option<Self> {
        if !number.is_finite() {
            return None;
        }
        if number.fract() != 0.0 {
            return Some(Self::Float(number));
        }
        if number.abs() > MAX_SAFE_INTEGER {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        Some(Self::Integer(number as i64))
    }

    /// Back to JSON.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Integer(number) => Value::from(*number),
            Self::Float(number) => Value::from(*number),
            Self::Boolean(truth) => Value::from(*truth),
        }
    }
}

/// What a filter's parameter says, typed.
#[derive(Debug, Clone, PartialEq)]
pub enum Typed {
    /// One value.
    One(Scalar),
    /// Some values, in the order given, each once. Empty means: no row at all.
    Many(Vec<Scalar>),
    /// Days from `start` to `end`; an open side is `None`, but not both.
    Range {
        /// First day, `YYYY-MM-DD`.
        start: Option<String>,
        /// Last day, `YYYY-MM-DD`.
        end: Option<String>,
    },
}

impl Typed {
    /// Reads a JSON value as `kind` demands; the message says what is wrong.
    pub fn read(kind: Kind, value: &Value) -> Result<Self, &'static str> {
        match kind {
            Kind::Select => {
                let one = match value {
                    Value::Array(items) => match items.as_slice() {
                        [one] => one,
                        _ => return Err("takes one value"),
                    },
                    other => other,
                };
                Scalar::read(one).map(Self::One).ok_or("takes one text, number or boolean")
            }
            Kind::MultiSelect => {
                let Value::Array(items) = value else { return Err("takes an array of values") };
                if items.len() > MAX_VALUES {
                    return Err("takes at most 200 values");
                }
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    let scalar = Scalar::read(item).ok_or("takes texts, numbers or booleans")?;
                    if !values.contains(&scalar) {
                        values.push(scalar);
                    }
                }
                Ok(Self::Many(values))
            }
            Kind::Text => match Scalar::read(value) {
                Some(text @ Scalar::Text(_)) => Ok(Self::One(text)),
                _ => Err("takes a text of at most 1,000 characters"),
            },
            Kind::Number => match Scalar::read(value) {
                Some(number @ (Scalar::Integer(_) | Scalar::Float(_))) => Ok(Self::One(number)),
                _ => Err("takes a number"),
            },
            Kind::Date => match value {
                Value::String(day) if is_civil_date(day) => Ok(Self::One(Scalar::Text(day.clone()))),
                _ => Err("takes a date, YYYY-MM-DD"),
            },
            Kind::DateRange => read_range(value),
            Kind::Boolean => match value {
                Value::Bool(truth) => Ok(Self::One(Scalar::Boolean(*truth))),
                _ => Err("takes true or false"),
            },
        }
    }

    /// Back to JSON, so that reading it again gives the same.
    pub fn to_json(&self) -> Value {
        match self {
            Self::One(scalar) => scalar.to_json(),
            Self::Many(scalars) => Value::Array(scalars.iter().map(Scalar::to_json).collect()),
            Self::Range { start, end } => serde_json::json!({ "start": start, "end": end }),
        }
    }
}

fn read_range(value: &Value) -> Result<Typed, &'static str> {
    const SHAPE: &str = "takes {\"start\", \"end\"}, dates as YYYY-MM-DD";
    let Value::Object(sides) = value else { return Err(SHAPE) };
    if sides.keys().any(|key| key != "start" && key != "end") {
        return Err(SHAPE);
    }
    let side = |name: &str| match sides.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(day)) if is_civil_date(day) => Ok(Some(day.clone())),
        Some(_) => Err(SHAPE),
    };
    let (start, end) = (side("start")?, side("end")?);
    if start.is_none() && end.is_none() {
        return Err("takes a start, an end or both");
    }
    // ISO dates of years 0001 to 9999 sort as text.
    if let (Some(start), Some(end)) = (&start, &end)
        && start > end
    {
        return Err("starts after it ends");
    }
    Ok(Typed::Range { start, end })
}

/// One choice of a `select` or `multi_select` filter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Choice {
    /// What a person reads.
    pub label: String,
    /// What the parameter carries: text, number or boolean.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub value: Value,
}

/// Where a filter's choices come from, as far as the edge knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choices {
    /// Written in the dashboard's definition.
    Static(Vec<Choice>),
    /// The answer of the filter's SQL; only the control plane knows it.
    Dynamic,
}

/// A filter as the edge knows it: all but its SQL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    /// Its name in parameters, `[a-z][a-z0-9_]*`.
    pub slug: String,
    /// Its name for people.
    pub label: String,
    /// What it takes.
    pub kind: Kind,
    /// Must an open filter have a value?
    #[serde(default)]
    pub required: bool,
    /// Value taken when the parameter is absent; checked when the dashboard is saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// For `select` and `multi_select`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Choices>,
}

impl Filter {
    /// Names of the parameters by which a caller sets it.
    pub fn parameters(&self) -> Vec<String> {
        match self.kind {
            Kind::DateRange => vec![format!("{}_start", self.slug), format!("{}_end", self.slug)],
            _ => vec![self.slug.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good(kind: Kind, value: &Value, canonical: &Value) {
        let typed = Typed::read(kind, value).unwrap_or_else(|error| panic!("{kind:?} {value}: {error}"));
        assert_eq!(&typed.to_json(), canonical, "{kind:?} {value}");
        assert_eq!(Typed::read(kind, canonical), Ok(typed), "reading again");
    }

    fn bad(kind: Kind, values: &[Value]) {
        for value in values {
            assert!(Typed::read(kind, value).is_err(), "{kind:?} took {value}");
        }
    }

    #[test]
    fn select_takes_a_scalar_or_an_array_of_one() {
        good(Kind::Select, &json!("a"), &json!("a"));
        good(Kind::Select, &json!(["a"]), &json!("a"));
        good(Kind::Select, &json!(1.0), &json!(1));
        bad(
            Kind::Select,
            &[json!(null), json!([]), json!(["a", "b"]), json!({"a": 1}), json!([["a"]]), json!("\0")],
        );
    }

    #[test]
    fn multi_select_takes_an_array_and_keeps_each_value_once() {
        good(Kind::MultiSelect, &json!(["b", "a", "b"]), &json!(["b", "a"]));
        good(Kind::MultiSelect, &json!([]), &json!([]));
        good(Kind::MultiSelect, &json!([1, "1", true, 1.0]), &json!([1, "1", true]));
        bad(
            Kind::MultiSelect,
            &[json!("a"), json!(null), json!([null]), json!([["a"]]), json!({}), json!(vec![0; 201])],
        );
    }

    #[test]
    fn text_number_and_boolean_are_not_confused() {
        good(Kind::Text, &json!("1"), &json!("1"));
        good(Kind::Number, &json!(-0.0), &json!(0));
        good(Kind::Number, &json!(1.5), &json!(1.5));
        good(Kind::Boolean, &json!(false), &json!(false));
        bad(Kind::Text, &[json!(1), json!(true), json!(null), json!(["a"]), json!("x".repeat(1_001))]);
        bad(
            Kind::Number,
            &[
                json!("1"),
                json!(true),
                json!(null),
                json!([1]),
                json!(1e300),
                json!(9_007_199_254_740_993_i64),
            ],
        );
        bad(Kind::Boolean, &[json!("true"), json!(1), json!(0), json!(null)]);
    }

    #[test]
    fn dates_and_ranges_are_real_days_in_order() {
        good(Kind::Date, &json!("2024-02-29"), &json!("2024-02-29"));
        bad(Kind::Date, &[json!("2023-02-29"), json!("2024-02-29 "), json!("' OR 1=1"), json!(20_240_101)]);
        good(
            Kind::DateRange,
            &json!({"start": "2024-01-01", "end": "2024-01-01"}),
            &json!({"start": "2024-01-01", "end": "2024-01-01"}),
        );
        good(Kind::DateRange, &json!({"start": "2024-01-01"}), &json!({"start": "2024-01-01", "end": null}));
        bad(
            Kind::DateRange,
            &[
                json!({}),
                json!({"start": null, "end": null}),
                json!({"start": "2024-01-02", "end": "2024-01-01"}),
                json!({"start": "2024-01-01", "step": 1}),
                json!(["2024-01-01", "2024-01-02"]),
                json!("2024-01-01"),
            ],
        );
    }
}
