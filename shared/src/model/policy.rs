//! THE policy function: (filters, rules, what the caller asks) -> canonical typed parameters.
//! [`Parameters`] has no other constructor, and rows can only be read with one, so no route can
//! forget a policy (RELIABILITY.md E10). Rows 1.28, 1.33, 1.35 and holes 1.f-1.l of API.md.

use super::dashboard::{MAX_FILTERS, MAX_OPTIONS};
use super::filter::{Choice, Choices, Filter, Kind, MAX_VALUES, Scalar, Typed};
use crate::error::Flaw;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Most parameters in one request.
pub const MAX_PARAMETERS: usize = 100;

/// What a share lets its viewers do with one filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Mode {
    /// Any value of the filter's kind.
    Open,
    /// One fixed value; the viewer may only repeat it.
    Locked,
    /// Values from a list.
    Selectable,
    /// The filter does not exist for viewers.
    Disabled,
}

/// A share's rule for one filter. Row 1.28.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Policy {
    /// The filter.
    pub filter_slug: String,
    /// The kind that the filter had when the policy was written; another kind closes the share.
    pub filter_kind: Kind,
    /// What viewers may do.
    pub mode: Mode,
    /// For `selectable` the list, at most 1,000; for `locked` the fixed value (several for a `multi_select`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub allowed_values: Vec<Value>,
    /// Value taken when a viewer gives none; must be allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub default: Option<Value>,
    /// For `locked`: viewers do not see that the filter exists.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// Mode of the filters that have no policy row of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DefaultMode {
    /// Free, as in the seed's first flow.
    #[default]
    Open,
    /// Deny by default.
    Disabled,
}

/// All of a share's rules about filters.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// For filters without a policy.
    #[serde(default)]
    pub default_mode: DefaultMode,
    /// At most one for each filter.
    #[serde(default)]
    pub policies: Vec<Policy>,
}

impl Rules {
    /// The policy row of a filter, if it has one.
    pub fn policy(&self, slug: &str) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.filter_slug == slug)
    }

    /// What viewers may do with a filter.
    pub fn mode(&self, slug: &str) -> Mode {
        match (self.policy(slug), self.default_mode) {
            (Some(policy), _) => policy.mode,
            (None, DefaultMode::Open) => Mode::Open,
            (None, DefaultMode::Disabled) => Mode::Disabled,
        }
    }

    /// Everything in which the rules do not fit a dashboard's filters; places are those of a share's body.
    pub fn flaws(&self, filters: &[Filter]) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if self.policies.len() > MAX_FILTERS {
            flaws.push(Flaw::new("/share_filter_policies", "must have at most 50 items"));
        }
        for (at, policy) in self.policies.iter().enumerate() {
            let earlier = self.policies.iter().take(at).any(|other| other.filter_slug == policy.filter_slug);
            let message = match filters.iter().find(|filter| filter.slug == policy.filter_slug) {
                _ if earlier => "names a filter that another policy names",
                None => "names no filter of this dashboard",
                Some(_) if policy.allowed_values.len() > MAX_OPTIONS => "must allow at most 1,000 values",
                Some(filter) => match check(policy, filter) {
                    Err(message) => message,
                    Ok(()) => continue,
                },
            };
            flaws.push(Flaw::new(format!("/share_filter_policies/{at}"), message));
        }
        flaws
    }

    /// Rules of which some do not fit close as a whole: what such a policy was to narrow is not known any more.
    fn must_fit(&self, filters: &[Filter]) -> Result<()> {
        if self.flaws(filters).is_empty() {
            return Ok(());
        }
        Err(Error::policy("", "cannot be answered: the share does not fit its dashboard any more"))
    }

    /// May viewers know that the filter exists?
    pub fn shows(&self, slug: &str) -> bool {
        match self.mode(slug) {
            Mode::Disabled => false,
            Mode::Locked => !self.policy(slug).is_some_and(|policy| policy.hidden),
            Mode::Open | Mode::Selectable => true,
        }
    }
}

/// What may be asked of the data: for each filter that is not disabled a typed value, or none.
/// Only [`apply`] and [`constraints`] make one.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters(BTreeMap<String, Decided>);

#[derive(Debug, Clone, PartialEq)]
struct Decided {
    value: Option<Typed>,
    /// Of a filter that viewers must not know of.
    hidden: bool,
}

impl Parameters {
    /// Each filter's slug and value, in order of the slugs.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&Typed>)> {
        self.0.iter().map(|(slug, decided)| (slug.as_str(), decided.value.as_ref()))
    }

    /// A filter's value.
    pub fn get(&self, slug: &str) -> Option<&Typed> {
        self.0.get(slug)?.value.as_ref()
    }

    /// The one JSON form: every filter that is neither disabled nor hidden, `null` where it has no value. Applying
    /// the same rules to it gives the same parameters, which is how the control plane checks the edge.
    pub fn to_json(&self) -> Map<String, Value> {
        let json = |value: &Option<Typed>| value.as_ref().map_or(Value::Null, Typed::to_json);
        let shown = self.0.iter().filter(|(_, decided)| !decided.hidden);
        shown.map(|(slug, decided)| (slug.clone(), json(&decided.value))).collect()
    }

    /// All that is decided, hidden filters included, as JSON: two requests with the same get the same rows. For names of results, not
    /// for viewers.
    pub fn identity(&self) -> Vec<u8> {
        let all: BTreeMap<&str, Option<Value>> =
            self.iter().map(|(slug, value)| (slug, value.map(Typed::to_json))).collect();
        serde_json::to_vec(&all).unwrap_or_default()
    }
}

/// Decides what a request may ask.
///
/// Absent means the default of the policy, else of the filter. `null` means "no value" and is
/// taken for open filters only. A `date_range` is given as `<slug>_start` and `<slug>_end`, or
/// as `<slug>: {"start", "end"}`, not both.
///
/// # Errors
/// [`Error::Policy`] naming the parameter, for anything undeclared, mistyped, disabled, outside
/// the allowed values, against a locked value, or missing although required. Naming none, when a policy does not
/// fit the filters.
pub fn apply(filters: &[Filter], rules: &Rules, asked: &Map<String, Value>) -> Result<Parameters> {
    if asked.len() > MAX_PARAMETERS {
        return Err(Error::policy("", "more than 100 parameters"));
    }
    rules.must_fit(filters)?;
    // A hidden filter is as unknown as one that does not exist, or its value could be guessed.
    let known = |name: &str| filters.iter().any(|filter| takes(filter, name) && !is_hidden(filter, rules));
    if let Some(unknown) = asked.keys().find(|name| !known(name)) {
        return Err(Error::policy(unknown, "is not a parameter of this dashboard"));
    }
    let mut decided = BTreeMap::new();
    for filter in filters {
        let asked = asked_value(filter, asked)?;
        if rules.mode(&filter.slug) == Mode::Disabled {
            if asked.is_some() {
                return Err(Error::policy(&filter.slug, "cannot be used on this share"));
            }
            continue;
        }
        let value = decide(filter, rules.policy(&filter.slug), asked.as_ref())?;
        decided.insert(filter.slug.clone(), Decided { value, hidden: is_hidden(filter, rules) });
    }
    Ok(Parameters(decided))
}

/// The value that a locked filter is fixed to, if viewers may see it.
pub fn shown_value(filter: &Filter, rules: &Rules) -> Option<Value> {
    let policy = rules.policy(&filter.slug).filter(|policy| policy.mode == Mode::Locked && !policy.hidden)?;
    locked_value(filter, policy).ok().map(|value| value.to_json())
}

/// What a share imposes on its own, whatever the viewer asks: locked values, and the allowed ones of
/// selectable filters. Options are found under these, or viewers would learn other tenants' values (1.k);
/// open filters do not narrow them, not even by their defaults. A selectable filter of one value holds its
/// default or first value here, since SQL that compares one value can hold no more.
///
/// # Errors
/// [`Error::Policy`] when a policy does not fit the filters.
pub fn constraints(filters: &[Filter], rules: &Rules) -> Result<Parameters> {
    rules.must_fit(filters)?;
    let narrowed = |filter: &&Filter| matches!(rules.mode(&filter.slug), Mode::Locked | Mode::Selectable);
    filters
        .iter()
        .filter(narrowed)
        .map(|filter| {
            let policy = rules.policy(&filter.slug);
            // All allowed values of a list, whatever is chosen first.
            let value = match policy {
                Some(policy) if filter.kind == Kind::MultiSelect => {
                    let whole = Policy { default: None, ..policy.clone() };
                    decide(&Filter { default: None, ..filter.clone() }, Some(&whole), None)?
                }
                _ => decide(filter, policy, None)?,
            };
            Ok((filter.slug.clone(), Decided { value, hidden: is_hidden(filter, rules) }))
        })
        .collect::<Result<_>>()
        .map(Parameters)
}

/// Checks a policy against the filter that it is for, when it is saved and when the dashboard changes.
///
/// # Errors
/// What is wrong with it, for its owner.
pub fn check(policy: &Policy, filter: &Filter) -> std::result::Result<(), &'static str> {
    if policy.filter_kind != filter.kind {
        return Err("filter_kind is not the filter's kind");
    }
    let narrows = matches!(policy.mode, Mode::Locked | Mode::Selectable);
    if !narrows && !policy.allowed_values.is_empty() {
        return Err("allowed_values are for locked and selectable filters");
    }
    if narrows && policy.allowed_values.is_empty() {
        return Err("allowed_values must name at least one value");
    }
    if filter.kind == Kind::MultiSelect && policy.allowed_values.len() > MAX_VALUES {
        return Err("allowed_values of a multi_select must name at most 200 values");
    }
    if policy.hidden && policy.mode != Mode::Locked {
        return Err("only a locked filter can be hidden");
    }
    if policy.default.is_some() && matches!(policy.mode, Mode::Locked | Mode::Disabled) {
        return Err("default is for open and selectable filters");
    }
    match policy.mode {
        Mode::Locked => locked_value(filter, policy).map(drop),
        Mode::Selectable => {
            let allowed = allowed_values(filter, policy)?;
            match &policy.default {
                Some(default) if !within(&Typed::read(filter.kind, default)?, &allowed) => {
                    Err("default is not one of allowed_values")
                }
                _ => Ok(()),
            }
        }
        Mode::Open => {
            policy.default.as_ref().map_or(Ok(()), |default| Typed::read(filter.kind, default).map(drop))
        }
        Mode::Disabled => Ok(()),
    }
}

fn is_hidden(filter: &Filter, rules: &Rules) -> bool {
    rules.mode(&filter.slug) == Mode::Locked && !rules.shows(&filter.slug)
}

fn takes(filter: &Filter, name: &str) -> bool {
    name == filter.slug || (filter.kind == Kind::DateRange && range_side(filter, name).is_some())
}

fn range_side(filter: &Filter, name: &str) -> Option<&'static str> {
    match name.strip_prefix(filter.slug.as_str())? {
        "_start" => Some("start"),
        "_end" => Some("end"),
        _ => None,
    }
}

/// What the caller says about one filter: `None` when nothing.
fn asked_value(filter: &Filter, asked: &Map<String, Value>) -> Result<Option<Value>> {
    let whole = asked.get(&filter.slug);
    if filter.kind != Kind::DateRange {
        return Ok(whole.cloned());
    }
    let sides: Map<String, Value> = asked
        .iter()
        .filter_map(|(name, value)| range_side(filter, name).map(|side| (side.to_owned(), value.clone())))
        .collect();
    match (whole, sides.is_empty()) {
        (Some(_), false) => Err(Error::policy(&filter.slug, "is given twice")),
        (whole, true) => Ok(whole.cloned()),
        (None, false) if sides.values().all(Value::is_null) => Ok(Some(Value::Null)),
        (None, false) => Ok(Some(Value::Object(sides))),
    }
}

fn decide(filter: &Filter, policy: Option<&Policy>, asked: Option<&Value>) -> Result<Option<Typed>> {
    let read = |value: &Value| {
        Typed::read(filter.kind, value).map_err(|message| Error::policy(&filter.slug, message))
    };
    // Rules that do not fit come never this far; if they did, this would close too.
    let broken = |_| Error::policy(&filter.slug, "does not fit this share any more");
    let fallback = policy.and_then(|policy| policy.default.as_ref()).or(filter.default.as_ref());
    let Some(policy) = policy.filter(|policy| policy.mode != Mode::Open) else {
        let value = match asked {
            Some(Value::Null) => None,
            Some(value) => Some(read(value)?),
            None => fallback.map(read).transpose()?,
        }
        .filter(|typed| *typed != Typed::Many(Vec::new()));
        if filter.required && value.is_none() {
            return Err(Error::policy(&filter.slug, "needs a value"));
        }
        return Ok(value);
    };
    if policy.mode == Mode::Locked {
        let fixed = locked_value(filter, policy).map_err(broken)?;
        return match asked {
            Some(value) if !same(&read(value)?, &fixed) => {
                Err(Error::policy(&filter.slug, "cannot be changed on this share"))
            }
            _ => Ok(Some(fixed)),
        };
    }
    let allowed = allowed_values(filter, policy).map_err(broken)?;
    let value = match asked {
        Some(value) => read(value)?,
        // The filter's own default may lie outside what this share allows; then the list decides.
        None => match fallback.map(read).transpose()?.filter(|typed| within(typed, &allowed)) {
            Some(default) => default,
            None => every_allowed(filter.kind, &allowed).ok_or_else(|| broken(""))?,
        },
    };
    if !within(&value, &allowed) {
        return Err(Error::policy(&filter.slug, "is not a value that this share allows"));
    }
    Ok(Some(value))
}

/// The fixed value: the list itself for a `multi_select`, else its only item.
fn locked_value(filter: &Filter, policy: &Policy) -> std::result::Result<Typed, &'static str> {
    match (filter.kind, policy.allowed_values.as_slice()) {
        (Kind::MultiSelect, values) => Typed::read(Kind::MultiSelect, &Value::Array(values.to_vec())),
        (kind, [value]) => Typed::read(kind, value),
        _ => Err("a locked filter takes exactly one value"),
    }
}

fn allowed_values(filter: &Filter, policy: &Policy) -> std::result::Result<Vec<Typed>, &'static str> {
    let item_kind = if filter.kind == Kind::MultiSelect { Kind::Select } else { filter.kind };
    policy.allowed_values.iter().map(|value| Typed::read(item_kind, value)).collect()
}

/// Is all of `value` allowed? Days of a range must lie within one allowed range.
fn within(value: &Typed, allowed: &[Typed]) -> bool {
    match value {
        Typed::Many(items) => items.iter().all(|item| allowed.contains(&Typed::One(item.clone()))),
        Typed::One(_) => allowed.contains(value),
        Typed::Range { start, end } => allowed.iter().any(|range| match range {
            Typed::Range { start: from, end: to } => {
                (from.is_none() || (start.is_some() && start >= from))
                    && (to.is_none() || end.as_ref().is_some_and(|end| to.as_ref() >= Some(end)))
            }
            _ => false,
        }),
    }
}

/// What stands for "no choice made": all allowed values where the kind can say so, else the first.
fn every_allowed(kind: Kind, allowed: &[Typed]) -> Option<Typed> {
    if kind != Kind::MultiSelect {
        return allowed.first().cloned();
    }
    let mut scalars = Vec::new();
    for typed in allowed {
        let Typed::One(scalar) = typed else { return None };
        if !scalars.contains(scalar) {
            scalars.push(scalar.clone());
        }
    }
    Some(Typed::Many(scalars))
}

/// Equal as sets for lists, as values else.
fn same(left: &Typed, right: &Typed) -> bool {
    match (left, right) {
        (Typed::Many(left), Typed::Many(right)) => {
            left.len() == right.len() && left.iter().all(|item| right.contains(item))
        }
        _ => left == right,
    }
}

/// Where a filter's options come from for viewers of a share (API.md 1.26, 1.i).
#[derive(Debug, Clone, PartialEq)]
pub enum OptionSource {
    /// A list that is known without a query.
    Known {
        /// In the owner's order.
        choices: Vec<Choice>,
        /// Whose list it is.
        source: ChoiceSource,
    },
    /// The filter's SQL, at the control plane.
    Dynamic,
}

/// Whose list of options it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChoiceSource {
    /// The dashboard's.
    Static,
    /// The share's: no SQL runs.
    Policy,
}

/// Which options viewers may be offered for `slug`.
///
/// # Errors
/// [`Error::FilterDisabled`] for a disabled or hidden filter, for one that does not exist or has no options, and
/// when a policy does not fit the filters: a viewer cannot tell these apart.
pub fn options(filters: &[Filter], rules: &Rules, slug: &str) -> Result<OptionSource> {
    let disabled = || Error::FilterDisabled { slug: slug.chars().take(64).collect() };
    rules.must_fit(filters).map_err(|_| disabled())?;
    let filter = filters.iter().find(|filter| filter.slug == slug).ok_or_else(disabled)?;
    let choices = filter.choices.as_ref().filter(|_| rules.shows(slug)).ok_or_else(disabled)?;
    let policy = rules.policy(slug).filter(|policy| matches!(policy.mode, Mode::Locked | Mode::Selectable));
    Ok(match (policy, choices) {
        (Some(policy), _) => OptionSource::Known {
            choices: policy.allowed_values.iter().map(|value| labelled(value, choices)).collect(),
            source: ChoiceSource::Policy,
        },
        (None, Choices::Static(list)) => {
            OptionSource::Known { choices: list.clone(), source: ChoiceSource::Static }
        }
        (None, Choices::Dynamic) => OptionSource::Dynamic,
    })
}

/// An allowed value with the definition's label where that has one, else itself for a label.
fn labelled(value: &Value, choices: &Choices) -> Choice {
    let known = match choices {
        Choices::Static(list) => {
            list.iter().find(|choice| Scalar::read(&choice.value) == Scalar::read(value))
        }
        Choices::Dynamic => None,
    };
    let label = match (known, value) {
        (Some(choice), _) => choice.label.clone(),
        (None, Value::String(text)) => text.clone(),
        (None, other) => other.to_string(),
    };
    Choice { label, value: value.clone() }
}

#[cfg(test)]
mod tests;
