//! Compares what the policy function decides with what the rules say.

use crate::{corpus, generate, rules};
use fastrand::Rng;
use serde_json::{Map, Value};
use shared::app::redeem::Options;
use shared::error::Error;
use shared::face::{JSON, dashboard::public};
use shared::model::dashboard::FilterDefinition;
use shared::model::filter::{Filter, Typed};
use shared::model::policy::{self, OptionSource, Parameters, Rules};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Requests to each generated share.
pub const REQUESTS: u64 = 8;

/// How a request ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Requests that were answered with rows.
    pub accepted: u64,
    /// Requests that were refused.
    pub refused: u64,
}

impl Count {
    /// Adds another count.
    pub const fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
    }

    /// Both.
    pub const fn total(self) -> u64 {
        self.accepted + self.refused
    }
}

/// How many requests ended how.
#[derive(Debug, Default)]
pub struct Tally {
    /// All of them.
    pub all: Count,
    /// Those whose share had a filter of this kind in this mode.
    pub by_filter: BTreeMap<(String, String), Count>,
    /// Those of shares with a policy that does not fit.
    pub unfit: Count,
}

impl Tally {
    /// Adds another tally.
    pub fn add(&mut self, other: Self) {
        self.all.add(other.all);
        self.unfit.add(other.unfit);
        for (of, count) in other.by_filter {
            self.by_filter.entry(of).or_default().add(count);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { all, unfit, by_filter } = self;
        write!(formatter, "{} accepted, {} refused", all.accepted, all.refused)?;
        write!(formatter, "; {} of shares with a policy that does not fit", unfit.total())?;
        for ((kind, mode), count) in by_filter {
            write!(formatter, "\n  {kind} {mode}: {} accepted, {} refused", count.accepted, count.refused)?;
        }
        Ok(())
    }
}

/// A share for which the policy function and the rules disagree.
#[derive(Debug)]
pub struct Mismatch {
    seed: u64,
    share: Arc<Share>,
    body: Option<String>,
    what: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Share { filters, rules, .. } = &*self.share;
        writeln!(formatter, "{}", self.what)?;
        writeln!(formatter, "filters {}", Value::from(filters.clone()))?;
        writeln!(formatter, "rules {rules}")?;
        if let Some(body) = &self.body {
            writeln!(formatter, "body {body}")?;
        }
        write!(formatter, "again by: cargo xtask fuzz --seed {}", self.seed)
    }
}

#[derive(Debug)]
struct Share {
    filters: Vec<Value>,
    rules: Value,
    typed_filters: Vec<Filter>,
    typed_rules: Rules,
}

/// Makes a share and [`REQUESTS`] requests from a seed and compares all that is decided about them.
///
/// # Errors
/// The first difference.
///
/// # Panics
/// When the generator writes a share that cannot be read.
pub fn share(seed: u64, tally: &mut Tally) -> Result<(), Mismatch> {
    let rng = &mut Rng::with_seed(seed);
    let filters = generate::filters(rng);
    let rules = generate::rules(rng, &filters);
    let read =
        |filter: &Value| serde_json::from_value::<FilterDefinition>(filter.clone()).expect("a filter").view();
    let share = Arc::new(Share {
        typed_filters: filters.iter().map(read).collect(),
        typed_rules: serde_json::from_value(rules.clone()).expect("rules"),
        filters,
        rules,
    });
    let mismatch = |body: Option<String>| {
        let share = Arc::clone(&share);
        move |what: String| Mismatch { seed, share, body, what }
    };
    share.options(rng).map_err(mismatch(None))?;
    let mut count = Count::default();
    for _ in 0..REQUESTS {
        let body = generate::body(rng, &share.filters, &share.rules);
        if share.execute(&body).map_err(mismatch(Some(body)))? {
            count.accepted += 1;
        } else {
            count.refused += 1;
        }
    }
    tally.all.add(count);
    if !rules::fit(&share.filters, &share.rules) {
        tally.unfit.add(count);
    }
    for filter in &share.filters {
        let kind = filter["kind"].as_str().unwrap_or_default();
        let of = (kind.to_owned(), rules::mode(filter, &share.rules).to_owned());
        tally.by_filter.entry(of).or_default().add(count);
    }
    Ok(())
}

impl Share {
    /// Was the request accepted?
    fn execute(&self, body: &str) -> Result<bool, String> {
        let expected = rules::judge(&self.filters, &self.rules, body);
        let asked = public::parse_execute(Some(JSON), body.as_bytes());
        let decided = asked.and_then(|asked| self.apply(&asked));
        match (expected, decided) {
            (None, Err(error)) => match error {
                Error::Policy { .. } | Error::Malformed(_) | Error::Invalid(_) | Error::TooLarge { .. } => {
                    Ok(false)
                }
                other => Err(format!("{other:?} is no refusal")),
            },
            (None, Ok(parameters)) => {
                Err(format!("a bypass: {parameters:?} is decided of what must be refused"))
            }
            (Some(rows), Ok(parameters)) => {
                let asked = serde_json::from_str(body).unwrap_or_default();
                self.same_rows(&rows, &parameters, &asked)?;
                // The control plane reads what the edge wrote, and decides again.
                let sent = Value::Object(parameters.to_json()).to_string();
                let again = serde_json::from_str(&sent).map_err(|error| error.to_string())?;
                match self.apply(&again) {
                    Ok(again) if again == parameters => Ok(true),
                    other => Err(format!("decided again, {sent} is {other:?} instead of {parameters:?}")),
                }
            }
            (rows, Err(error)) => Err(format!("{error:?} is no answer where {rows:?} is expected")),
        }
    }

    fn apply(&self, asked: &Map<String, Value>) -> shared::Result<Parameters> {
        policy::apply(&self.typed_filters, &self.typed_rules, asked)
    }

    fn options(&self, rng: &mut Rng) -> Result<(), String> {
        match (
            rules::under(&self.filters, &self.rules),
            policy::constraints(&self.typed_filters, &self.typed_rules),
        ) {
            (None, Err(Error::Policy { .. })) => {}
            (Some(rows), Ok(parameters)) => self.same_rows(&rows, &parameters, &Value::Null)?,
            (rows, constraints) => {
                return Err(format!("constraints are {constraints:?} instead of {rows:?}"));
            }
        }
        for slug in self.typed_filters.iter().map(|filter| filter.slug.as_str()).chain(["gone", "A"]) {
            let offer = rules::offer(&self.filters, &self.rules, slug);
            match (offer, policy::options(&self.typed_filters, &self.typed_rules, slug)) {
                (rules::Offer::Nothing, Err(Error::FilterDisabled { .. }))
                | (rules::Offer::Query, Ok(OptionSource::Dynamic)) => {}
                (rules::Offer::List(list), Ok(OptionSource::Known { choices, source })) => {
                    let search = corpus::word(rng);
                    let known = Options::Known { choices, source };
                    let whole = offered(slug, &known, None);
                    let found = offered(slug, &known, search.as_str());
                    if whole != list || !found.iter().all(|value| list.contains(value)) {
                        return Err(format!("options of {slug} are {whole:?}, and {found:?} by {search}"));
                    }
                }
                (offer, options) => {
                    return Err(format!("options of {slug} are {options:?} instead of {offer:?}"));
                }
            }
        }
        Ok(())
    }

    /// Compares both on every value that stands somewhere in the share or the request, and on some that do not.
    fn same_rows(&self, rows: &rules::Rows, parameters: &Parameters, asked: &Value) -> Result<(), String> {
        let decided: Vec<Value> =
            parameters.iter().filter_map(|(_, typed)| typed.map(Typed::to_json)).collect();
        let mut cells: Vec<&Value> = Vec::new();
        self.filters
            .iter()
            .chain(&decided)
            .chain([&self.rules, asked])
            .for_each(|value| scalars(value, &mut cells));
        let days = corpus::DAYS.map(Value::from);
        cells.extend(&days);
        for (slug, shown) in rows.columns() {
            let decided = parameters.get(slug);
            if let Some(cell) = cells.iter().find(|cell| shown.show(cell) != shows(decided, cell)) {
                return Err(format!("for {slug}, {decided:?} and {shown:?} disagree about {cell}"));
            }
        }
        Ok(())
    }
}

/// May a cell be seen by these parameters?
fn shows(decided: Option<&Typed>, cell: &Value) -> bool {
    match decided {
        None => true,
        Some(Typed::One(one)) => same_cell(&one.to_json(), cell),
        Some(Typed::Many(many)) => many.iter().any(|one| same_cell(&one.to_json(), cell)),
        Some(Typed::Range { start, end }) => cell.as_str().is_some_and(|day| {
            start.as_deref().is_none_or(|start| start <= day) && end.as_deref().is_none_or(|end| day <= end)
        }),
    }
}

fn same_cell(bound: &Value, cell: &Value) -> bool {
    match (bound, cell) {
        (Value::Number(bound), Value::Number(cell)) => bound.as_f64() == cell.as_f64(),
        _ => bound == cell,
    }
}

fn scalars<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter().for_each(|item| scalars(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| scalars(field, found)),
        scalar => found.push(scalar),
    }
}

fn offered(slug: &str, options: &Options, search: Option<&str>) -> Vec<Value> {
    let answer: Value =
        serde_json::from_slice(&public::options(slug, options, search).body).unwrap_or_default();
    let options = answer["options"].as_array().cloned().unwrap_or_default();
    options.into_iter().map(|mut option| option["value"].take()).collect()
}
