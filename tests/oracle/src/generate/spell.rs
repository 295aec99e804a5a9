//! One value, written in one of the ways that JSON allows.

use super::one_in;
use crate::corpus::pick;
use fastrand::Rng;
use serde_json::Value;
use std::fmt::Write as _;

/// Writes a value.
pub(super) fn value(rng: &mut Rng, value: &Value) -> String {
    let mut out = String::new();
    write(rng, value, &mut out);
    out
}

fn write(rng: &mut Rng, value: &Value, out: &mut String) {
    match value {
        Value::String(text) => out.push_str(&self::text(rng, text)),
        Value::Number(number) => {
            out.push_str(&number.to_string());
            if number.is_i64() {
                out.push_str(pick(rng, &["", "", "", ".0", "e0", ".00E+0"]));
            }
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write(rng, item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let members: Vec<_> =
                fields.iter().map(|(name, field)| (text(rng, name), self::value(rng, field))).collect();
            object(rng, &members, out);
        }
        Value::Null | Value::Bool(_) => out.push_str(&value.to_string()),
    }
}

/// Writes a text, at times with escapes.
pub(super) fn text(rng: &mut Rng, text: &str) -> String {
    let plain = Value::from(text).to_string();
    if !one_in(rng, 8) {
        return plain;
    }
    let mut escaped = String::from("\"");
    for unit in text.encode_utf16() {
        // Writing to a text does not fail.
        let _ = write!(escaped, "\\u{unit:04x}");
    }
    escaped.push('"');
    escaped
}

/// Writes an object of members that are written already.
pub(super) fn object(rng: &mut Rng, members: &[(String, String)], out: &mut String) {
    let space = if one_in(rng, 10) { pick(rng, &[" ", "\n", "\t\r"]) } else { "" };
    out.push('{');
    for (at, (name, value)) in members.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        out.extend([space, name, space, ":", space, value, space]);
    }
    out.push('}');
}
