//! What an embed token lets its viewer ask, as rules for the one policy function: a filter whose parameters the token fixes is locked,
//! one whose parameters it allows is open or as a policy says, and every other stays at its default, or does not exist for the viewer.

use super::Granted;
use crate::error::Flaw;
use crate::model::filter::{Filter, Kind};
use crate::model::policy::{self, DefaultMode, Mode, Parameters, Policy, Rules};
use crate::{Error, Result};
use serde_json::{Map, Value};
use std::collections::HashSet;

impl Granted {
    /// The token's rules for a dashboard's filters.
    ///
    /// # Errors
    /// Everything in which they do not fit; places are those of the body that asks for a token.
    pub fn rules(&self, filters: &[Filter]) -> Result<Rules, Vec<Flaw>> {
        let mut flaws = self.strangers(filters);
        let mut policies = Vec::new();
        for filter in filters {
            match self.rule(filter) {
                Ok(policy) => policies.extend(policy),
                Err(flaw) => flaws.push(flaw),
            }
        }
        if flaws.is_empty() {
            Ok(Rules { default_mode: DefaultMode::Disabled, policies })
        } else {
            Err(flaws)
        }
    }

    /// Everything that is wrong with them when a token is made: also names that nothing answers to, and what is required but cannot be
    /// given.
    pub fn flaws(&self, filters: &[Filter]) -> Vec<Flaw> {
        let known: HashSet<String> = filters.iter().flat_map(Filter::parameters).collect();
        let mut flaws = self.rules(filters).err().unwrap_or_default();
        for (at, name) in self.allowed_params.iter().enumerate() {
            if !known.contains(name) {
                flaws
                    .push(Flaw::new(format!("/allowed_params/{at}"), "names no parameter of this dashboard"));
            }
        }
        for (at, name) in self.required_params.iter().enumerate() {
            if !self.allowed_params.contains(name) && !self.fixed_params.contains_key(name) {
                let message = "must stand in allowed_params or fixed_params";
                flaws.push(Flaw::new(format!("/required_params/{at}"), message));
            }
        }
        flaws
    }

    /// Decides what a viewer's request may ask. Fixed parameters win over whatever is asked.
    ///
    /// # Errors
    /// [`Error::Policy`] naming the parameter, as [`policy::apply`]; also for one that is not allowed, and for one that is required and
    /// not given. Naming none, when the token does not fit the dashboard.
    pub fn apply(&self, filters: &[Filter], asked: &Map<String, Value>) -> Result<Parameters> {
        let rules = self.fitting_rules(filters)?;
        if let Some(name) = asked.keys().find(|name| !self.allows(name, filters)) {
            return Err(Error::policy(name, "is not a parameter of this dashboard"));
        }
        if let Some(name) = self.required_params.iter().find(|name| !self.is_given(name, filters, asked)) {
            return Err(Error::policy(name, "needs a value"));
        }
        let free: Map<String, Value> = asked
            .iter()
            .filter(|(name, _)| !self.fixed_params.contains_key(*name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        policy::apply(filters, &rules, &free)
    }

    /// As [`Self::rules`], for a viewer.
    ///
    /// # Errors
    /// [`Error::Policy`] naming no parameter.
    pub fn fitting_rules(&self, filters: &[Filter]) -> Result<Rules> {
        self.rules(filters).map_err(|_| {
            Error::policy("", "cannot be answered: the embed does not fit its dashboard any more")
        })
    }

    /// Fixed parameters and policies of filters that are not there: what they were to narrow is not known any more.
    fn strangers(&self, filters: &[Filter]) -> Vec<Flaw> {
        let known: HashSet<String> = filters.iter().flat_map(Filter::parameters).collect();
        let mut flaws = Vec::new();
        for name in self.fixed_params.keys().filter(|name| !known.contains(*name)) {
            let pointer = format!("/fixed_params/{}", name.replace('~', "~0").replace('/', "~1"));
            flaws.push(Flaw::new(pointer, "names no parameter of this dashboard"));
        }
        for (at, policy) in self.policies.iter().enumerate() {
            let earlier = self.policies.iter().take(at).any(|other| other.filter_slug == policy.filter_slug);
            let message = if earlier {
                "names a filter that another policy names"
            } else if filters.iter().all(|filter| filter.slug != policy.filter_slug) {
                "names no filter of this dashboard"
            } else {
                continue;
            };
            flaws.push(Flaw::new(format!("/share_filter_policies/{at}"), message));
        }
        flaws
    }

    /// The rule for one filter; none when it does not exist for the viewer.
    fn rule(&self, filter: &Filter) -> Result<Option<Policy>, Flaw> {
        let names = filter.parameters();
        let is_fixed = names.iter().any(|name| self.fixed_params.contains_key(name));
        let is_allowed = |name: &&String| {
            self.allowed_params.contains(name) && !self.fixed_params.contains_key(name.as_str())
        };
        let allowed = names.iter().filter(is_allowed).count();
        let policy = self.policies.iter().enumerate().find(|(_, policy)| policy.filter_slug == filter.slug);
        let at_policy = |at: usize| format!("/share_filter_policies/{at}");
        if allowed > 0 && (is_fixed || allowed < names.len()) {
            return Err(Flaw::new("/allowed_params", "must name both ends of a date range, or none"));
        }
        let (rule, pointer) = match (is_fixed, policy) {
            (true, Some((at, _))) => {
                return Err(Flaw::new(at_policy(at), "is for a filter that fixed_params set"));
            }
            (true, None) => {
                (locked(filter, &self.fixed_value(filter, &names)), format!("/fixed_params/{}", filter.slug))
            }
            (false, Some((at, policy))) => {
                let is_free = matches!(policy.mode, Mode::Open | Mode::Selectable);
                if is_free != (allowed > 0) {
                    let message = "must be open or selectable where allowed_params name its filter, else locked or disabled";
                    return Err(Flaw::new(at_policy(at), message));
                }
                (policy.clone(), at_policy(at))
            }
            (false, None) if allowed > 0 => (own(filter, Mode::Open, Vec::new()), String::new()),
            (false, None) => match &filter.default {
                Some(Value::Array(none)) if filter.kind == Kind::MultiSelect && none.is_empty() => {
                    return Ok(None);
                }
                Some(default) => (locked(filter, default), String::new()),
                None if filter.required => {
                    let message = format!(
                        "must name {}, which needs a value, or fixed_params must set it",
                        filter.slug
                    );
                    return Err(Flaw::new("/allowed_params", message));
                }
                None => return Ok(None),
            },
        };
        policy::check(&rule, filter).map_err(|message| Flaw::new(pointer, message))?;
        Ok(Some(rule))
    }

    fn fixed_value(&self, filter: &Filter, names: &[String]) -> Value {
        let value = |name: &String| self.fixed_params.get(name).cloned().unwrap_or_default();
        match (filter.kind, names) {
            (Kind::DateRange, [start, end]) => {
                serde_json::json!({ "start": value(start), "end": value(end) })
            }
            _ => names.first().map(value).unwrap_or_default(),
        }
    }

    /// May a viewer name this parameter? A date range may be given whole, too.
    fn allows(&self, name: &str, filters: &[Filter]) -> bool {
        let is = |other: &String| other == name;
        self.allowed_params.iter().any(is)
            || filters.iter().any(|filter| {
                filter.slug == name
                    && filter.parameters().iter().all(|part| self.allowed_params.contains(part))
            })
    }

    fn is_given(&self, name: &str, filters: &[Filter], asked: &Map<String, Value>) -> bool {
        let is_empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        let is_set = |value: Option<&Value>| value.is_some_and(|value| !is_empty(value));
        let within_range = || {
            let range = filters.iter().find(|filter| {
                filter.kind == Kind::DateRange && filter.parameters().iter().any(|part| part == name)
            })?;
            let side = name.strip_prefix(range.slug.as_str())?.strip_prefix('_')?;
            asked.get(&range.slug)?.get(side)
        };
        is_set(self.fixed_params.get(name)) || is_set(asked.get(name)) || is_set(within_range())
    }
}

/// A filter fixed to a value that its viewers do not see.
fn locked(filter: &Filter, value: &Value) -> Policy {
    let values = match value {
        Value::Array(items) if filter.kind == Kind::MultiSelect => items.clone(),
        // A list is what a filter of many values takes; anything else is refused as what it is.
        other if filter.kind == Kind::MultiSelect => vec![Value::Array(vec![other.clone()])],
        other => vec![other.clone()],
    };
    Policy { hidden: true, ..own(filter, Mode::Locked, values) }
}

fn own(filter: &Filter, mode: Mode, allowed_values: Vec<Value>) -> Policy {
    Policy {
        filter_slug: filter.slug.clone(),
        filter_kind: filter.kind,
        mode,
        allowed_values,
        default: None,
        hidden: false,
    }
}

#[cfg(test)]
mod tests;
