//! Fields of a body, read so that each mistake is named, in the words of the contract's validator.

use crate::error::Flaw;
use crate::{Error, Result};
use serde_json::{Map, Value};
use uuid::Uuid;

/// What is said of a field that is not there.
pub(super) const MISSING: &str = "Field required";

/// Fields of a body, and what is wrong with them.
pub(super) struct Fields<'a> {
    pub(super) body: &'a Map<String, Value>,
    flaws: Vec<Flaw>,
}

impl<'a> Fields<'a> {
    pub(super) const fn of(body: &'a Map<String, Value>) -> Self {
        Self { body, flaws: Vec::new() }
    }

    fn flaw(&mut self, name: &str, message: impl Into<String>) {
        self.flaws.push(Flaw::new(format!("/{name}"), message));
    }

    /// A field that must be there; `read` gives `None` for what it is not.
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        words: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let Some(value) = self.body.get(name) else {
            self.flaw(name, MISSING);
            return None;
        };
        let read = read(value);
        if read.is_none() {
            self.flaw(name, words);
        }
        read
    }

    /// A field that need not be there, nor say anything.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        words: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        match self.body.get(name) {
            None | Some(Value::Null) => None,
            Some(_) => self.required(name, words, read),
        }
    }

    /// Adds the flaws of a check.
    pub(super) fn check<T>(&mut self, checked: Result<T>) -> Result<Option<T>> {
        match checked {
            Ok(value) => Ok(Some(value)),
            Err(Error::Invalid(flaws)) => {
                self.flaws.extend(flaws);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn done<T>(self, made: Option<T>) -> Result<T> {
        match made {
            Some(made) if self.flaws.is_empty() => Ok(made),
            _ => Err(Error::Invalid(self.flaws)),
        }
    }
}

pub(super) fn uuid(value: &Value) -> Option<Uuid> {
    let text = value.as_str().filter(|text| text.len() == 36)?;
    Uuid::parse_str(text).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::face::operation) fn body(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(fields) => fields,
            other => panic!("{other}"),
        }
    }

    /// Places of what is wrong.
    pub(in crate::face::operation) fn places<T: std::fmt::Debug>(outcome: Result<T>) -> Vec<String> {
        match outcome {
            Err(Error::Invalid(flaws)) => flaws.into_iter().map(|flaw| flaw.pointer).collect(),
            other => panic!("{other:?}"),
        }
    }
}
