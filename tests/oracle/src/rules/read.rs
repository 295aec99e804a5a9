//! What a JSON value says to a filter of a kind. Types are exact, and so are texts.

use super::Cells;
use serde_json::Value;

/// Largest whole number that every reader of JSON keeps.
const LARGEST: f64 = 9_007_199_254_740_991.0;

/// A value, as a filter takes it.
#[derive(Debug, Clone)]
pub(super) enum Choice {
    One(Value),
    Many(Vec<Value>),
    Days(Option<String>, Option<String>),
}

impl Choice {
    /// Do both say the same? The order of a list says nothing, nor does a value that stands in it twice.
    pub(super) fn same(&self, other: &Self) -> bool {
        let has = |values: &[Value], value: &Value| values.iter().any(|other| equal(value, other));
        match (self, other) {
            (Self::One(one), Self::One(other)) => equal(one, other),
            (Self::Many(left), Self::Many(right)) => {
                left.iter().all(|one| has(right, one)) && right.iter().all(|one| has(left, one))
            }
            (Self::Days(start, end), Self::Days(from, to)) => start == from && end == to,
            _ => false,
        }
    }
}

impl From<Choice> for Cells {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::One(value) => Self::Of(vec![value]),
            Choice::Many(values) => Self::Of(values),
            Choice::Days(start, end) => Self::Days(start, end),
        }
    }
}

/// Equal in type and value; `1` and `1.0` are one number.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        _ => left == right,
    }
}

/// Reads a value as the kind demands.
pub(super) fn choice(kind: &Value, value: &Value) -> Option<Choice> {
    let one = |fits: bool| fits.then(|| Choice::One(value.clone()));
    match kind.as_str()? {
        "select" => match value {
            Value::Array(items) => match items.as_slice() {
                [item] if scalar(item) => Some(Choice::One(item.clone())),
                _ => None,
            },
            value => one(scalar(value)),
        },
        "multi_select" => {
            let items = value.as_array()?;
            (items.len() <= 200 && items.iter().all(scalar)).then(|| Choice::Many(items.clone()))
        }
        "text" => one(value.is_string() && scalar(value)),
        "number" => one(value.is_number() && scalar(value)),
        "boolean" => one(value.is_boolean()),
        "date" => one(value.as_str().is_some_and(is_day)),
        "date_range" => {
            let sides = value.as_object()?;
            let side = |name: &str| match sides.get(name) {
                None | Some(Value::Null) => Some(None),
                Some(Value::String(day)) if is_day(day) => Some(Some(day.clone())),
                Some(_) => None,
            };
            let (start, end) = (side("start")?, side("end")?);
            let named = sides.keys().all(|name| matches!(name.as_str(), "start" | "end"));
            let ordered = match (&start, &end) {
                (None, None) => false,
                (Some(start), Some(end)) => start <= end,
                _ => true,
            };
            (named && ordered).then_some(Choice::Days(start, end))
        }
        _ => None,
    }
}

/// A text of at most 1,000 characters without NUL, a truth value, or a number that every reader keeps.
fn scalar(value: &Value) -> bool {
    match value {
        Value::String(text) => text.chars().count() <= 1_000 && !text.contains('\0'),
        Value::Number(number) => number.as_f64().is_some_and(|number| {
            number.is_finite() && (number.fract().abs() > 0.0 || (-LARGEST..=LARGEST).contains(&number))
        }),
        Value::Bool(_) => true,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// `YYYY-MM-DD`, a day that there is, from year 1 on.
fn is_day(text: &str) -> bool {
    let shape = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    let number = |part: Option<&str>| part.and_then(|digits| digits.parse::<u32>().ok()).unwrap_or_default();
    let (year, month, day) = (number(text.get(..4)), number(text.get(5..7)), number(text.get(8..)));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    shape && year >= 1 && (1..=days).contains(&day)
}

/// Does some object have a key twice? Each member has one colon outside of texts, and a plain reader keeps one
/// of two members with equal keys.
pub(super) fn repeats_a_key(text: &str, value: &Value) -> bool {
    let (mut colons, mut quoted, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b':' if !quoted => colons += 1,
            _ => {}
        }
    }
    colons != members(value)
}

fn members(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(members).sum(),
        Value::Object(fields) => fields.len() + fields.values().map(members).sum::<usize>(),
        _ => 0,
    }
}
