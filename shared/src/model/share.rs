//! A share: what is opened, for whom, until when; and how it changes. One model for every dialect
//! (DESIGN.md, "One share, five dialects").

use super::filter::Filter;
use super::policy::{DefaultMode, Policy, Rules};
use crate::time::Millis;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest name of a share, in characters.
pub const MAX_NAME_CHARS: usize = 200;

/// How a share is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ShareType {
    /// A link that a person opens.
    Link,
}

/// What a share opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A dashboard, by id.
    Dashboard(Uuid),
}

/// Is the share in force?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its current token opens it.
    Live,
    /// Taken back, for good.
    Revoked,
}

/// A share as the control plane holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// Never changes.
    pub id: Uuid,
    /// The organization that owns it.
    pub organization_id: Uuid,
    /// What it opens.
    pub target: Target,
    /// How it is used.
    pub share_type: ShareType,
    /// For its owner, and shown to viewers.
    pub name: String,
    /// In force?
    pub state: State,
    /// Grows with each rotation; each has its own token.
    pub generation: u64,
    /// Grows with each change of anything that the edge must know.
    pub revision: u64,
    /// Random part of the current token's derivation.
    pub nonce: [u8; 16],
    /// Which root key the current token was derived from.
    pub key_epoch: String,
    /// What viewers may ask.
    pub rules: Rules,
    /// The rules no longer fit what the share opens, so it opens nothing until either is changed.
    pub closed: bool,
    /// Dead from this instant on.
    pub expires_at: Option<Millis>,
    /// When the share was made.
    pub created_at: Millis,
    /// When the current token was issued.
    pub issued_at: Millis,
    /// When it was revoked.
    pub revoked_at: Option<Millis>,
}

/// A change of a share's own fields; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Amendment {
    /// New name.
    pub name: Option<String>,
    /// New expiry; the inner `None` removes it.
    pub expires_at: Option<Option<Millis>>,
    /// New policies, in place of all old ones.
    pub policies: Option<Vec<Policy>>,
    /// New mode of filters without a policy.
    pub default_mode: Option<DefaultMode>,
}

impl Amendment {
    /// Does it change what viewers may ask?
    pub const fn changes_rules(&self) -> bool {
        self.policies.is_some() || self.default_mode.is_some()
    }
}

impl Share {
    /// Gives the share a new token; the old one is dead. Name, rules and expiry stay.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the share is revoked.
    pub fn rotate(&mut self, nonce: [u8; 16], key_epoch: &str, now: Millis) -> Result<()> {
        self.must_be_live()?;
        self.generation += 1;
        self.revision += 1;
        self.nonce = nonce;
        key_epoch.clone_into(&mut self.key_epoch);
        self.issued_at = now;
        Ok(())
    }

    /// Takes the share back. `false` when it was revoked before: nothing changes.
    pub fn revoke(&mut self, now: Millis) -> bool {
        if self.state == State::Revoked {
            return false;
        }
        self.state = State::Revoked;
        self.revision += 1;
        self.revoked_at = Some(now);
        true
    }

    /// Changes name, expiry or rules; `filters` are those of what the share opens.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the share is revoked, [`Error::Invalid`] for a bad name, an expiry that has passed, or
    /// rules that do not fit the filters.
    pub fn amend(&mut self, change: Amendment, filters: &[Filter], now: Millis) -> Result<()> {
        self.must_be_live()?;
        let mut amended = self.clone();
        if change.changes_rules() {
            amended.rules.default_mode = change.default_mode.unwrap_or(self.rules.default_mode);
            amended.rules.policies = change.policies.unwrap_or_else(|| self.rules.policies.clone());
            check_rules(&amended.rules, filters)?;
            amended.closed = false;
        }
        if let Some(name) = change.name {
            check_name(&name)?;
            amended.name = name;
        }
        if let Some(expires_at) = change.expires_at {
            check_expiry(expires_at, now)?;
            amended.expires_at = expires_at;
        }
        amended.revision += 1;
        *self = amended;
        Ok(())
    }

    fn must_be_live(&self) -> Result<()> {
        match self.state {
            State::Live => Ok(()),
            State::Revoked => Err(Error::Conflict("the share is revoked".to_owned())),
        }
    }
}

/// Names have 1 to 200 characters and no control characters.
///
/// # Errors
/// [`Error::Invalid`] at `/name`.
pub fn check_name(name: &str) -> Result<()> {
    let length = name.chars().count();
    if name.trim().is_empty() || length > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(Error::invalid("/name", "must have 1 to 200 characters and no control characters"));
    }
    Ok(())
}

/// Rules fit the filters that they are about.
///
/// # Errors
/// [`Error::Invalid`] naming each policy that does not.
pub fn check_rules(rules: &Rules, filters: &[Filter]) -> Result<()> {
    let flaws = rules.flaws(filters);
    if flaws.is_empty() { Ok(()) } else { Err(Error::Invalid(flaws)) }
}

/// An expiry lies in the future.
///
/// # Errors
/// [`Error::Invalid`] at `/expires_at`.
pub fn check_expiry(expires_at: Option<Millis>, now: Millis) -> Result<()> {
    match expires_at {
        Some(at) if at <= now => Err(Error::invalid("/expires_at", "must be in the future")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share() -> Share {
        Share {
            id: Uuid::from_u128(1),
            organization_id: Uuid::from_u128(2),
            target: Target::Dashboard(Uuid::from_u128(3)),
            share_type: ShareType::Link,
            name: "Sales".into(),
            state: State::Live,
            generation: 1,
            revision: 1,
            nonce: [0; 16],
            key_epoch: "aa".into(),
            rules: Rules::default(),
            closed: false,
            expires_at: None,
            created_at: Millis(0),
            issued_at: Millis(0),
            revoked_at: None,
        }
    }

    #[test]
    fn rotation_changes_the_token_and_nothing_else() {
        let (before, mut after) = (share(), share());
        after.rotate([1; 16], "bb", Millis(5)).unwrap();
        assert_eq!((after.generation, after.revision, after.issued_at), (2, 2, Millis(5)));
        let rest = Share {
            generation: 1,
            revision: 1,
            nonce: [0; 16],
            key_epoch: "aa".into(),
            issued_at: Millis(0),
            ..after
        };
        assert_eq!(rest, before);
    }

    #[test]
    fn revoking_is_for_good_and_idempotent() {
        let mut share = share();
        assert!(share.revoke(Millis(5)));
        let revoked = share.clone();
        assert!(!share.revoke(Millis(6)));
        assert!(share.rotate([1; 16], "bb", Millis(7)).is_err());
        assert!(share.amend(Amendment::default(), &[], Millis(7)).is_err());
        assert_eq!(share, revoked);
    }

    #[test]
    fn an_expiry_lies_in_the_future() {
        let mut share = share();
        let expiry = |at| Amendment { expires_at: Some(Some(Millis(at))), ..Amendment::default() };
        assert!(share.amend(expiry(10), &[], Millis(10)).is_err());
        assert!(share.amend(expiry(11), &[], Millis(10)).is_ok());
        assert_eq!(share.expires_at, Some(Millis(11)));
        share.amend(Amendment { expires_at: Some(None), ..Amendment::default() }, &[], Millis(10)).unwrap();
        assert_eq!(share.expires_at, None);
    }

    #[test]
    fn rules_that_do_not_fit_change_nothing() {
        let mut share = share();
        let policy = Policy {
            filter_slug: "gone".into(),
            filter_kind: crate::model::filter::Kind::Text,
            mode: crate::model::policy::Mode::Disabled,
            allowed_values: Vec::new(),
            default: None,
            hidden: false,
        };
        let change =
            Amendment { name: Some("New".into()), policies: Some(vec![policy]), ..Amendment::default() };
        let before = share.clone();
        assert!(matches!(share.amend(change, &[], Millis(1)), Err(Error::Invalid(_))));
        assert_eq!(share, before);
        let closed = Amendment { default_mode: Some(DefaultMode::Disabled), ..Amendment::default() };
        share.amend(closed, &[], Millis(1)).unwrap();
        assert_eq!((share.rules.default_mode, share.revision), (DefaultMode::Disabled, 2));
    }

    #[test]
    fn names_are_bounded() {
        for bad in ["", "  ", "a\u{0}b", "a\nb", &"x".repeat(201)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert!(check_name(&"é".repeat(200)).is_ok());
    }
}
