//! Shares: filters as an owner writes them, and rules for them, a few of which do not fit. [`body`] makes requests.

use crate::corpus::{self, pick};
use fastrand::Rng;
use serde_json::{Map, Value, json};

mod request;
mod spell;

pub use request::body;

/// What filters take.
pub const KINDS: [&str; 7] = ["select", "multi_select", "text", "number", "date", "date_range", "boolean"];
/// Names that begin with one another, but are never the parameters of another filter.
const SLUGS: [&str; 6] = ["a", "a_day", "ab", "region", "region_starting", "b"];

/// One to five filters.
pub fn filters(rng: &mut Rng) -> Vec<Value> {
    let mut slugs = SLUGS;
    rng.shuffle(&mut slugs);
    let count = rng.usize(1..=5);
    let mut one = |slug: &&str| {
        let kind = pick(rng, &KINDS);
        filter(rng, slug, kind)
    };
    slugs[..count].iter().map(&mut one).collect()
}

/// A filter, perhaps with a default.
pub fn filter(rng: &mut Rng, slug: &str, kind: &str) -> Value {
    let mut filter = json!({ "slug": slug, "label": slug, "kind": kind });
    if one_in(rng, 6) {
        filter["required"] = json!(true);
    }
    if one_in(rng, 4) {
        // One that the kind does not take is none that a dashboard is saved with.
        let kind = if one_in(rng, 40) { pick(rng, &KINDS) } else { kind };
        filter["default"] = value(rng, kind);
    }
    if is_list(kind) {
        filter["options"] = if one_in(rng, 4) {
            json!({ "sql": "SELECT 1 AS value" })
        } else {
            let choice = |rng: &mut Rng| json!({ "label": "An option", "value": item(rng, kind) });
            json!({ "static": (0..rng.usize(1..5)).map(|_| choice(rng)).collect::<Vec<_>>() })
        };
    }
    filter
}

/// What a share says of filters: some have a policy, some of the policies do not fit.
pub fn rules(rng: &mut Rng, filters: &[Value]) -> Value {
    let mut policies = Vec::new();
    for filter in filters {
        if !one_in(rng, 5) {
            policies.push(policy(rng, filter));
        }
    }
    if one_in(rng, 10) && !policies.is_empty() {
        spoil(rng, &mut policies);
    }
    json!({ "default_mode": if one_in(rng, 5) { "disabled" } else { "open" }, "policies": policies })
}

fn policy(rng: &mut Rng, filter: &Value) -> Value {
    let kind = text(filter, "kind");
    let mut policy = json!({ "filter_slug": filter["slug"], "filter_kind": kind });
    match rng.u8(0..10) {
        0..2 => {
            policy["mode"] = json!("open");
            if one_in(rng, 3) {
                policy["default"] = value(rng, kind);
            }
        }
        2..5 => {
            let count = if kind == "multi_select" { rng.usize(1..5) } else { 1 };
            policy["mode"] = json!("locked");
            policy["allowed_values"] = items(rng, kind, count);
            policy["hidden"] = json!(one_in(rng, 3));
        }
        5..9 => {
            let count = rng.usize(1..5);
            policy["mode"] = json!("selectable");
            policy["allowed_values"] = items(rng, kind, count);
            if one_in(rng, 3) {
                policy["default"] = choice(rng, kind, &policy);
            }
        }
        _ => policy["mode"] = json!("disabled"),
    }
    policy
}

/// Makes one of the policies one that does not fit.
fn spoil(rng: &mut Rng, policies: &mut Vec<Value>) {
    let at = rng.usize(0..policies.len());
    let mut other = policies[at].clone();
    let mode = pick(rng, &["open", "locked", "selectable", "disabled"]);
    match rng.u8(0..9) {
        0 => other["filter_kind"] = json!(pick(rng, &KINDS)),
        1 => other["allowed_values"] = json!([]),
        2 => other["allowed_values"] = json!(["north", null]),
        3 => other["allowed_values"] = json!([1, "1"]),
        4 => other["hidden"] = json!(true),
        5 => other["default"] = json!("nowhere"),
        6 => other["mode"] = json!(mode),
        7 => other["filter_slug"] = json!("gone"),
        _ => {
            // The filter has two, and which one comes first must not matter.
            let mut second = json!({ "filter_slug": other["filter_slug"], "filter_kind": other["filter_kind"], "mode": mode });
            if matches!(mode, "locked" | "selectable") {
                second["allowed_values"] = items(rng, text(&other, "filter_kind"), 1);
            }
            policies.insert(rng.usize(0..=policies.len()), second);
            return;
        }
    }
    policies[at] = other;
}

fn items(rng: &mut Rng, kind: &str, count: usize) -> Value {
    (0..count).map(|_| item(rng, kind)).collect()
}

/// A value as it stands in a list of options or of allowed values.
pub fn item(rng: &mut Rng, kind: &str) -> Value {
    match kind {
        "select" | "multi_select" => match rng.u8(0..10) {
            0..7 => corpus::word(rng),
            7..9 => corpus::number(rng),
            _ => json!(rng.bool()),
        },
        kind => value(rng, kind),
    }
}

/// A value that a filter of this kind takes.
fn value(rng: &mut Rng, kind: &str) -> Value {
    match kind {
        "multi_select" => (0..rng.usize(0..4)).map(|_| item(rng, kind)).collect(),
        "text" => corpus::word(rng),
        "number" => corpus::number(rng),
        "boolean" => json!(rng.bool()),
        "date" => json!(corpus::day(rng)),
        "date_range" => {
            let (one, other) = (corpus::day(rng), corpus::day(rng));
            match rng.u8(0..6) {
                0 => json!({ "start": one }),
                1 => json!({ "end": one, "start": null }),
                _ => json!({ "start": one.min(other), "end": one.max(other) }),
            }
        }
        kind => item(rng, kind),
    }
}

/// A value that a selectable filter allows.
fn choice(rng: &mut Rng, kind: &str, policy: &Value) -> Value {
    let Some(allowed) = policy["allowed_values"].as_array().filter(|allowed| !allowed.is_empty()) else {
        return value(rng, kind);
    };
    let one = |rng: &mut Rng| pick(rng, allowed);
    match kind {
        "multi_select" => (0..rng.usize(0..=allowed.len() + 1)).map(|_| one(rng)).collect(),
        "date_range" => {
            let whole = one(rng);
            let mut part = whole.as_object().cloned().unwrap_or_else(Map::new);
            for side in ["start", "end"] {
                let inside = corpus::day(rng);
                let from = whole["start"].as_str().is_none_or(|from| inside >= from);
                let to = whole["end"].as_str().is_none_or(|to| inside <= to);
                let ordered = match side {
                    "start" => part.get("end").and_then(Value::as_str).is_none_or(|end| inside <= end),
                    _ => part.get("start").and_then(Value::as_str).is_none_or(|start| inside >= start),
                };
                if from && to && ordered && rng.bool() {
                    part.insert(side.to_owned(), json!(inside));
                }
            }
            Value::Object(part)
        }
        _ => one(rng),
    }
}

fn is_list(kind: &str) -> bool {
    matches!(kind, "select" | "multi_select")
}

fn text<'v>(object: &'v Value, field: &str) -> &'v str {
    object[field].as_str().unwrap_or_default()
}

fn one_in(rng: &mut Rng, count: u32) -> bool {
    rng.u32(0..count) == 0
}
