//! The documented rules for filters, written down a second time: on JSON as owners and viewers send it, with
//! nothing of the policy function. Meant to be read beside the README's table of modes, not to be fast.

use serde_json::{Map, Value};

mod read;

use read::{Choice, equal};

/// Which rows may be seen: those whose cell may, in the column of every filter.
#[derive(Debug)]
pub struct Rows(Vec<(String, Cells)>);

/// Which cells of a filter's column may be seen.
#[derive(Debug)]
pub enum Cells {
    /// All: nothing is asked of this column.
    All,
    /// These and no others.
    Of(Vec<Value>),
    /// Days from the first to the second, both included; a side that is `None` is open.
    Days(Option<String>, Option<String>),
}

impl Cells {
    /// May a cell be seen?
    pub fn show(&self, cell: &Value) -> bool {
        match self {
            Self::All => true,
            Self::Of(values) => values.iter().any(|value| equal(value, cell)),
            Self::Days(start, end) => cell.as_str().is_some_and(|day| {
                start.as_deref().is_none_or(|start| day >= start)
                    && end.as_deref().is_none_or(|end| day <= end)
            }),
        }
    }
}

impl Rows {
    /// The columns, by the filters' slugs.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Cells)> {
        self.0.iter().map(|(slug, cells)| (slug.as_str(), cells))
    }

    /// What may be seen of a filter's column.
    pub fn of(&self, slug: &str) -> &Cells {
        self.columns().find(|(of, _)| *of == slug).map_or(&Cells::All, |(_, cells)| cells)
    }
}

/// What a viewer may be offered for a filter.
#[derive(Debug, PartialEq)]
pub enum Offer {
    /// The filter has no options here, or is none that viewers may know of.
    Nothing,
    /// These.
    List(Vec<Value>),
    /// What its query finds.
    Query,
}

/// The rows that the answer to a request shows; `None` when the request is refused.
pub fn judge(filters: &[Value], rules: &Value, body: &str) -> Option<Rows> {
    let asked = parameters(body)?;
    if !fit(filters, rules) {
        return None;
    }
    let known = |name: &String| filters.iter().any(|filter| !hidden(filter, rules) && takes(filter, name));
    if !asked.keys().all(known) {
        return None;
    }
    rows(filters, |filter| decide(filter, rules, said(filter, &asked).ok()?))
}

/// The rows that options are found in: what the share fixes or lists holds, and nothing else does.
pub fn under(filters: &[Value], rules: &Value) -> Option<Rows> {
    if !fit(filters, rules) {
        return None;
    }
    rows(filters, |filter| match (mode(filter, rules), filter["kind"] == "multi_select") {
        ("selectable", true) => every(&allowed(filter, policy(filter, rules)?)?),
        ("locked" | "selectable", _) => decide(filter, rules, None),
        _ => Some(Cells::All),
    })
}

/// What viewers may be offered for the filter of this name.
pub fn offer(filters: &[Value], rules: &Value, slug: &str) -> Offer {
    let Some(filter) = filters.iter().find(|filter| filter["slug"] == slug) else { return Offer::Nothing };
    let mode = mode(filter, rules);
    let Some(options) = filter.get("options").filter(|_| fit(filters, rules) && mode != "disabled") else {
        return Offer::Nothing;
    };
    if hidden(filter, rules) {
        return Offer::Nothing;
    }
    if let ("locked" | "selectable", Some(policy)) = (mode, policy(filter, rules)) {
        return Offer::List(listed(policy).to_vec());
    }
    match options["static"].as_array() {
        Some(list) => Offer::List(list.iter().map(|choice| choice["value"].clone()).collect()),
        None => Offer::Query,
    }
}

/// Does each policy fit the filter that it names, and is it the only one that names it? If not, the share closes.
pub fn fit(filters: &[Value], rules: &Value) -> bool {
    policies(rules).iter().all(|policy| {
        let same = |other: &&Value| other["filter_slug"] == policy["filter_slug"];
        let filter = filters.iter().find(|filter| filter["slug"] == policy["filter_slug"]);
        policies(rules).iter().filter(same).count() == 1 && filter.is_some_and(|filter| fits(policy, filter))
    })
}

fn fits(policy: &Value, filter: &Value) -> bool {
    let (listed, default) = (listed(policy), policy.get("default").filter(|default| !default.is_null()));
    let many = filter["kind"] == "multi_select";
    policy["filter_kind"] == filter["kind"]
        && match policy["mode"].as_str() {
            Some("open") => {
                listed.is_empty()
                    && !is_set(policy, "hidden")
                    && default.is_none_or(|default| read::choice(&filter["kind"], default).is_some())
            }
            Some("disabled") => listed.is_empty() && !is_set(policy, "hidden") && default.is_none(),
            Some("locked") => default.is_none() && fixed(filter, policy).is_some(),
            Some("selectable") => {
                let allowed = allowed(filter, policy).filter(|allowed| !allowed.is_empty());
                let most = if many { 200 } else { 1_000 };
                !is_set(policy, "hidden")
                    && listed.len() <= most
                    && allowed.is_some_and(|allowed| {
                        default.is_none_or(|default| {
                            read::choice(&filter["kind"], default)
                                .is_some_and(|default| within(&default, &allowed))
                        })
                    })
            }
            _ => false,
        }
}

/// What an execute asks: nothing without a body or without `parameters`, no key twice, no other field.
fn parameters(body: &str) -> Option<Map<String, Value>> {
    if body.is_empty() {
        return Some(Map::new());
    }
    if body.len() > 64 * 1024 {
        return None;
    }
    let value: Value = serde_json::from_str(body).ok()?;
    if read::repeats_a_key(body, &value) {
        return None;
    }
    let Value::Object(mut fields) = value else { return None };
    let parameters = fields.remove("parameters").unwrap_or_else(|| Value::Object(Map::new()));
    match parameters {
        Value::Object(parameters) if fields.is_empty() => Some(parameters),
        _ => None,
    }
}

/// A range is given by its name and by its sides.
struct Twice;

/// What the request says about one filter, if anything.
fn said(filter: &Value, asked: &Map<String, Value>) -> Result<Option<Value>, Twice> {
    let slug = slug(filter);
    let whole = asked.get(slug).cloned();
    if filter["kind"] != "date_range" {
        return Ok(whole);
    }
    let side = |side: &str| asked.get(&format!("{slug}_{side}"));
    let sides = match (side("start"), side("end")) {
        (None, None) => return Ok(whole),
        _ if whole.is_some() => return Err(Twice),
        (None | Some(Value::Null), None | Some(Value::Null)) => Value::Null,
        (start, end) => serde_json::json!({ "start": start, "end": end }),
    };
    Ok(Some(sides))
}

fn decide(filter: &Value, rules: &Value, said: Option<Value>) -> Option<Cells> {
    let policy = policy(filter, rules);
    let read = |value: &Value| read::choice(&filter["kind"], value);
    let own = policy.and_then(|policy| policy.get("default")).filter(|default| !default.is_null());
    let default = own.or_else(|| filter.get("default")).filter(|default| !default.is_null());
    match mode(filter, rules) {
        "disabled" => said.is_none().then_some(Cells::All),
        "open" => {
            let value = match (said, default) {
                (Some(Value::Null), _) | (None, None) => None,
                (Some(value), _) => Some(read(&value)?),
                (None, Some(default)) => Some(read(default)?),
            };
            match value {
                None => (!is_set(filter, "required")).then_some(Cells::All),
                // An empty list asks for nothing in particular.
                Some(Choice::Many(values)) if values.is_empty() => {
                    (!is_set(filter, "required")).then_some(Cells::All)
                }
                Some(value) => Some(value.into()),
            }
        }
        "locked" => {
            let fixed = fixed(filter, policy?)?;
            match said {
                Some(value) if !read(&value)?.same(&fixed) => None,
                _ => Some(fixed.into()),
            }
        }
        "selectable" => {
            let allowed = allowed(filter, policy?)?;
            let value = match (said, default) {
                (Some(value), _) => read(&value).filter(|value| within(value, &allowed))?,
                (None, Some(default)) => match read(default)? {
                    default if within(&default, &allowed) => default,
                    _ => return every_or_first(filter, &allowed),
                },
                (None, None) => return every_or_first(filter, &allowed),
            };
            Some(value.into())
        }
        _ => None,
    }
}

/// Without a choice: all of the list where a filter takes several values, else the first.
fn every_or_first(filter: &Value, allowed: &[Choice]) -> Option<Cells> {
    if filter["kind"] == "multi_select" { every(allowed) } else { allowed.first().cloned().map(Cells::from) }
}

fn every(allowed: &[Choice]) -> Option<Cells> {
    let one = |choice: &Choice| match choice {
        Choice::One(value) => Some(value.clone()),
        Choice::Many(_) | Choice::Days(..) => None,
    };
    allowed.iter().map(one).collect::<Option<_>>().map(Cells::Of)
}

/// The value of a locked filter: its whole list for a `multi_select`, else the only value there.
fn fixed(filter: &Value, policy: &Value) -> Option<Choice> {
    match (filter["kind"] == "multi_select", listed(policy)) {
        (_, []) => None,
        (true, list) => read::choice(&filter["kind"], &Value::Array(list.to_vec())),
        (false, [value]) => read::choice(&filter["kind"], value),
        (false, _) => None,
    }
}

/// The values of a selectable filter, each one of the list.
fn allowed(filter: &Value, policy: &Value) -> Option<Vec<Choice>> {
    let one = Value::from("select");
    let kind = if filter["kind"] == "multi_select" { &one } else { &filter["kind"] };
    listed(policy).iter().map(|value| read::choice(kind, value)).collect()
}

fn within(value: &Choice, allowed: &[Choice]) -> bool {
    match value {
        Choice::One(_) => allowed.iter().any(|one| one.same(value)),
        Choice::Many(values) => {
            values.iter().all(|value| allowed.iter().any(|one| one.same(&Choice::One(value.clone()))))
        }
        Choice::Days(start, end) => allowed.iter().any(|one| {
            let Choice::Days(from, to) = one else { return false };
            let begins = from.as_ref().is_none_or(|from| start.as_ref().is_some_and(|start| start >= from));
            let ends = to.as_ref().is_none_or(|to| end.as_ref().is_some_and(|end| end <= to));
            begins && ends
        }),
    }
}

fn rows(filters: &[Value], cells: impl Fn(&Value) -> Option<Cells>) -> Option<Rows> {
    filters
        .iter()
        .map(|filter| Some((slug(filter).to_owned(), cells(filter)?)))
        .collect::<Option<_>>()
        .map(Rows)
}

fn takes(filter: &Value, name: &str) -> bool {
    let side = name.strip_prefix(slug(filter));
    side == Some("") || (filter["kind"] == "date_range" && matches!(side, Some("_start" | "_end")))
}

fn hidden(filter: &Value, rules: &Value) -> bool {
    policy(filter, rules).is_some_and(|policy| policy["mode"] == "locked" && is_set(policy, "hidden"))
}

/// What viewers may do with a filter.
pub fn mode<'r>(filter: &Value, rules: &'r Value) -> &'r str {
    let mode = policy(filter, rules).map_or(&rules["default_mode"], |policy| &policy["mode"]);
    mode.as_str().unwrap_or("open")
}

fn policy<'r>(filter: &Value, rules: &'r Value) -> Option<&'r Value> {
    policies(rules).iter().find(|policy| policy["filter_slug"] == filter["slug"])
}

fn policies(rules: &Value) -> &[Value] {
    rules["policies"].as_array().map_or(&[], Vec::as_slice)
}

fn listed(policy: &Value) -> &[Value] {
    policy["allowed_values"].as_array().map_or(&[], Vec::as_slice)
}

fn slug(filter: &Value) -> &str {
    filter["slug"].as_str().unwrap_or_default()
}

fn is_set(object: &Value, field: &str) -> bool {
    object[field] == true
}
