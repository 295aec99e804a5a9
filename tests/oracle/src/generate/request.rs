//! Requests: what a share allows, and near misses of it.

use super::{choice, item, one_in, spell, text, value};
use crate::corpus::{self, pick};
use fastrand::Rng;
use serde_json::{Value, json};

/// The body of an execute. About half of them ask nothing but what the share allows.
pub fn body(rng: &mut Rng, filters: &[Value], rules: &Value) -> String {
    let mut members = Vec::new();
    for filter in filters {
        if let Some(asked) = allowed(rng, filter, rules) {
            say(rng, filter, &asked, &mut members);
        }
    }
    if rng.u8(0..100) < 45 {
        attack(rng, filters, rules, &mut members);
    }
    if one_in(rng, 4) {
        rng.shuffle(&mut members);
    }
    let mut parameters = String::new();
    spell::object(rng, &members, &mut parameters);
    whole(rng, parameters)
}

/// Something that the share allows to say of a filter, perhaps nothing.
fn allowed(rng: &mut Rng, filter: &Value, rules: &Value) -> Option<Value> {
    let kind = text(filter, "kind");
    let policy = policy(filter, rules);
    let mode = policy.map_or(&rules["default_mode"], |policy| &policy["mode"]);
    match (mode.as_str()?, policy) {
        ("open", _) => match rng.u8(0..6) {
            _ if filter["required"] == true => Some(value(rng, kind)),
            0..2 => None,
            2 => Some(Value::Null),
            _ => Some(value(rng, kind)),
        },
        ("locked", Some(policy)) if policy["hidden"] != true && one_in(rng, 2) => {
            let mut fixed = policy["allowed_values"].as_array()?.clone();
            if kind != "multi_select" {
                return fixed.pop();
            }
            rng.shuffle(&mut fixed);
            if one_in(rng, 3) {
                fixed.push(fixed.first()?.clone());
            }
            Some(Value::Array(fixed))
        }
        ("selectable", Some(policy)) if !one_in(rng, 4) => Some(choice(rng, kind, policy)),
        _ => None,
    }
}

/// Adds what is asked of a filter: by its name, or by the names of a range's sides.
fn say(rng: &mut Rng, filter: &Value, asked: &Value, members: &mut Vec<(String, String)>) {
    let slug = text(filter, "slug");
    match asked {
        Value::Object(sides) if filter["kind"] == "date_range" && rng.bool() => {
            for (side, day) in sides {
                members.push((spell::text(rng, &format!("{slug}_{side}")), spell::value(rng, day)));
            }
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_)
            if filter["kind"] == "select" && one_in(rng, 4) =>
        {
            members.push((spell::text(rng, slug), spell::value(rng, &json!([asked]))));
        }
        asked => members.push((spell::text(rng, slug), spell::value(rng, asked))),
    }
}

/// Does one thing that the share may not allow.
fn attack(rng: &mut Rng, filters: &[Value], rules: &Value, members: &mut Vec<(String, String)>) {
    let filter = &pick(rng, filters);
    let slug = text(filter, "slug");
    match rng.u8(0..10) {
        0 => {
            let name = other_name(rng, slug);
            let asked = near(rng, filter, rules);
            members.push((spell::text(rng, &name), asked));
        }
        1 if !members.is_empty() => {
            let (name, asked) = pick(rng, members);
            let again = if rng.bool() { asked } else { near(rng, filter, rules) };
            members.push((if rng.bool() { escape_first(&name) } else { name }, again));
        }
        2 => members.push((spell::text(rng, slug), "null".to_owned())),
        _ => {
            let own = [slug.to_owned(), format!("{slug}_start"), format!("{slug}_end")]
                .map(|name| json!(name).to_string());
            members.retain(|(name, _)| !own.contains(name));
            let asked = near(rng, filter, rules);
            members.push((spell::text(rng, slug), asked));
        }
    }
}

/// The key of a member with its first character escaped.
fn escape_first(name: &str) -> String {
    match name.as_bytes() {
        [b'"', first, ..] if first.is_ascii_lowercase() => {
            format!("\"\\u{:04x}{}", u32::from(*first), &name[2..])
        }
        _ => name.to_owned(),
    }
}

/// A name that is almost a filter's.
fn other_name(rng: &mut Rng, slug: &str) -> String {
    match rng.u8(0..9) {
        0 => format!("{slug}_start"),
        1 => format!("{slug}_end"),
        2 => format!("{slug}[]"),
        3 => format!("{slug}.start"),
        4 => pick(rng, &["__proto__", "$where", "search", "parameters", "", "gone"]).to_owned(),
        _ => corpus::twin(rng, slug),
    }
}

/// Almost a value that the share allows, as it is written.
fn near(rng: &mut Rng, filter: &Value, rules: &Value) -> String {
    let kind = text(filter, "kind");
    let listed = policy(filter, rules).and_then(|policy| policy["allowed_values"].as_array());
    let mut near = match listed.filter(|listed| !listed.is_empty() && !one_in(rng, 4)) {
        Some(listed) => pick(rng, listed),
        None => item(rng, kind),
    };
    // Most of the other values of a list are allowed ones.
    let mut beside: Vec<Value> = listed.filter(|_| rng.bool()).cloned().unwrap_or_default();
    if !one_in(rng, 3) {
        near = confused(rng, near);
    }
    if kind == "multi_select" && !one_in(rng, 4) {
        let times = if one_in(rng, 20) { 200 } else { 1 };
        beside.extend(vec![near; times]);
        return spell::value(rng, &Value::Array(beside));
    }
    match rng.u8(0..12) {
        0 => spell::value(rng, &json!([near])),
        1 => spell::value(rng, &json!([[near]])),
        2 => spell::value(rng, &json!([near, near])),
        3 => {
            let other = item(rng, kind);
            spell::value(rng, &json!([near, other]))
        }
        4 => {
            let name = pick(rng, &["$ne", "0", "value", "start", "toString"]);
            spell::value(rng, &json!({ name: near }))
        }
        5 => pick(rng, &corpus::TOKENS).to_owned(),
        6 => {
            let asked = spell::value(rng, &near);
            format!(r#"{{"start":"{}","end":{asked},"start":{asked}}}"#, corpus::day(rng))
        }
        _ => spell::value(rng, &near),
    }
}

fn confused(rng: &mut Rng, value: Value) -> Value {
    match value {
        Value::String(text) => match rng.u8(0..8) {
            0 => text.parse::<f64>().map_or_else(|_| Value::from(text == "true"), Value::from),
            1 => json!(pick(rng, &corpus::NO_DAYS)),
            2 => json!(format!("{text}\0")),
            3 => json!("x".repeat(rng.usize(999..1_002))),
            _ => json!(corpus::twin(rng, &text)),
        },
        Value::Number(number) => match rng.u8(0..3) {
            0 => json!(number.to_string()),
            1 => json!(number.as_f64() == Some(1.0)),
            _ => json!(number.as_f64().map(|number| number + pick(rng, &[1.0, -1.0, 1e-9]))),
        },
        Value::Bool(truth) => match rng.u8(0..3) {
            0 => json!(truth.to_string()),
            1 => json!(u8::from(truth)),
            _ => json!(!truth),
        },
        Value::Object(mut sides) => {
            match rng.u8(0..4) {
                0 => drop(sides.remove(pick(rng, &["start", "end"]))),
                1 => drop(sides.insert("step".to_owned(), json!(1))),
                _ => {
                    let side = pick(rng, &["start", "end"]);
                    let other = if rng.bool() { corpus::day(rng) } else { pick(rng, &corpus::NO_DAYS) };
                    sides.insert(side.to_owned(), json!(other));
                }
            }
            Value::Object(sides)
        }
        other => other,
    }
}

/// A body around its parameters: nearly always the documented one.
fn whole(rng: &mut Rng, parameters: String) -> String {
    match rng.u8(0..200) {
        0 => String::new(),
        1 => "{}".to_owned(),
        2 => parameters,
        3 => format!(r#"{{"parameters":{parameters},"parameters":{{}}}}"#),
        4 => format!(r#"{{"parameters":{{}},"parameter\u0073":{parameters}}}"#),
        5 => format!(r#"{{"parameters":{parameters},"limit":1}}"#),
        6 => format!(r#"{{"parameters":[{parameters}]}}"#),
        7 => r#"{"parameters":null}"#.to_owned(),
        8 => format!(r#"{{"parameters":{parameters}}}{{}}"#),
        9 => format!(r#"{{"parameters":{parameters}"#),
        10 => format!("\u{feff}{{\"parameters\":{parameters}}}"),
        11 => format!(r#"[{{"parameters":{parameters}}}]"#),
        _ => format!(r#"{{"parameters":{parameters}}}"#),
    }
}

fn policy<'r>(filter: &Value, rules: &'r Value) -> Option<&'r Value> {
    rules["policies"].as_array()?.iter().find(|policy| policy["filter_slug"] == filter["slug"])
}
