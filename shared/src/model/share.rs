//! A share: what is opened, for whom, until when; and how it changes. One model for every dialect
//! (DESIGN.md, "One share, five dialects").

use super::address::Address;
use super::embed::{self, RevokedToken};
use super::filter::Filter;
use super::limits::Limits;
use super::origin::Origin;
use super::password::Hashed;
use super::policy::{DefaultMode, Policy, Rules};
use super::portal;
use super::protection::Protection;
use crate::time::Millis;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest name of a share, in characters.
pub const MAX_NAME_CHARS: usize = 200;
/// Largest `max_access_count`.
pub const MAX_ACCESS_COUNT: u64 = 1_000_000_000;

/// How a share is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ShareType {
    /// A link that a person opens.
    Link,
    /// A dashboard in frames of other sites, opened by tokens of [`super::embed`].
    Embed,
    /// A share context, opened by access tokens of [`super::portal`]. Its owners know it as the context that it is.
    Portal,
}

/// Kinds of what shares open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// A dashboard.
    Dashboard,
    /// A data product: one table (seed 000).
    DataProduct,
    /// A map item (seed 002).
    Item,
    /// Map items that are shown together (seed 002).
    Collection,
    /// A share context: the dashboards that its members may open (seed 001, flow 2).
    Context,
}

/// What a share opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Of which kind.
    pub kind: TargetKind,
    /// Its id.
    pub id: Uuid,
}

impl Target {
    /// A dashboard, by id.
    pub const fn dashboard(id: Uuid) -> Self {
        Self { kind: TargetKind::Dashboard, id }
    }

    /// A data product, by id.
    pub const fn data_product(id: Uuid) -> Self {
        Self { kind: TargetKind::DataProduct, id }
    }
}

/// What whoever opens a share may do with what it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Look at it.
    #[default]
    View,
    /// Take it away, too.
    Download,
}

impl Permission {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Download => "download",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::View, Self::Download].into_iter().find(|permission| permission.name() == name)
    }

    /// Is it the one that every share gives? Records need not say so.
    pub const fn is_view(&self) -> bool {
        matches!(self, Self::View)
    }
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
    /// What its visitors may do.
    pub permission: Permission,
    /// Of a map: tiles that it gives a day; [`super::meter::DEFAULT_BUDGET`] when absent.
    pub tile_budget: Option<u64>,
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
    /// What visitors must do first.
    pub protection: Protection,
    /// Only members of this context may open it; everybody who has the link when absent (row 1.21).
    pub context: Option<Uuid>,
    /// Who is told when it is opened for the first time.
    pub notify: Option<Address>,
    /// Dead before this instant.
    pub not_before: Option<Millis>,
    /// Dead from this instant on.
    pub expires_at: Option<Millis>,
    /// When the share was made.
    pub created_at: Millis,
    /// When the current token was issued.
    pub issued_at: Millis,
    /// When it was revoked.
    pub revoked_at: Option<Millis>,
    /// Sites that may frame the page of a link that nothing protects.
    pub frame_origins: Vec<Origin>,
    /// Of an embed: tokens of its generation that were taken back alone. Of a context: members and sessions, by id, whose access ended
    /// before their access tokens do.
    pub revoked_tokens: Vec<RevokedToken>,
}

/// A change of a share's own fields; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Amendment {
    /// New name.
    pub name: Option<String>,
    /// New beginning; the inner `None` removes it.
    pub not_before: Option<Option<Millis>>,
    /// New expiry; the inner `None` removes it.
    pub expires_at: Option<Option<Millis>>,
    /// How often a token may be opened; the inner `None` removes it.
    pub max_access_count: Option<Option<u64>>,
    /// New sites that may frame its page, in place of all old ones.
    pub frame_origins: Option<Vec<Origin>>,
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
    /// Gives the share a new token; the old one is dead. Name, rules, password and expiry stay.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the share is revoked.
    pub fn rotate(&mut self, nonce: [u8; 16], key_epoch: &str, now: Millis) -> Result<()> {
        self.must_be_live()?;
        self.generation = match self.share_type {
            ShareType::Link => self.generation + 1,
            ShareType::Embed | ShareType::Portal => embed::next_number(self.generation, now),
        };
        self.revision += 1;
        self.nonce = nonce;
        key_epoch.clone_into(&mut self.key_epoch);
        self.issued_at = now;
        self.revoked_tokens.clear();
        Ok(())
    }

    /// Takes back one token of an embed. `false` when it was before.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the embed is revoked, or when too many of its tokens are.
    pub fn revoke_token(&mut self, jti: &str, now: Millis) -> Result<bool> {
        self.must_be_live()?;
        if !embed::revoke_token(&mut self.revoked_tokens, jti, now)? {
            return Ok(false);
        }
        self.revision += 1;
        Ok(true)
    }

    /// Of a context: ends the access of a member or a session, whose access tokens may live on for a while.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the context is deleted, or when so many ended lately that it must be rotated: that ends all access
    /// tokens, and whoever may have a new one gets it.
    pub fn end_access(&mut self, whose: Uuid, now: Millis) -> Result<()> {
        self.must_be_live()?;
        embed::end_token(&mut self.revoked_tokens, &whose.to_string(), portal::ACCESS_LIFE, now)?;
        self.revision += 1;
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

    /// Changes name, times, count or rules; `filters` are those of what the share opens, `limits` the organization's.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the share is revoked, [`Error::Invalid`] for a bad name, an expiry that has passed, rules
    /// that do not fit the filters, or what the organization does not allow.
    pub fn amend(
        &mut self,
        change: Amendment,
        filters: &[Filter],
        limits: &Limits,
        now: Millis,
    ) -> Result<()> {
        self.must_be_live_link()?;
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
        if let Some(frame_origins) = change.frame_origins {
            self.must_be_public("/allowed_origins", !frame_origins.is_empty())?;
            amended.frame_origins = frame_origins;
        }
        if let Some(not_before) = change.not_before {
            amended.not_before = not_before;
        }
        if let Some(expires_at) = change.expires_at {
            check_expiry(expires_at, now)?;
            limits.check_expiry(expires_at, now)?;
            amended.expires_at = expires_at;
        }
        if change.not_before.is_some() || change.expires_at.is_some() {
            check_order(amended.not_before, amended.expires_at)?;
        }
        if let Some(max_access_count) = change.max_access_count {
            self.must_be_public("/max_access_count", max_access_count.is_some())?;
            check_max_access_count(max_access_count)?;
            limits.check_max_access_count(max_access_count)?;
            amended.protection.max_access_count = max_access_count;
        }
        amended.revision += 1;
        *self = amended;
        Ok(())
    }

    /// Sets the password, or removes it. Whoever is in must give the new one; guesses are counted anew.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the share is revoked, or when the organization demands a password.
    pub fn set_password(&mut self, password: Option<Hashed>, limits: &Limits) -> Result<()> {
        self.must_be_live_link()?;
        self.must_be_public("/password", password.is_some())?;
        limits.check_password(password.is_some() || self.context.is_some())?;
        self.protection.password = password;
        self.protection.version += 1;
        self.protection.resets += 1;
        self.revision += 1;
        Ok(())
    }

    /// Has the guesses of the password counted anew.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the share is revoked.
    pub fn reset_attempts(&mut self) -> Result<()> {
        self.must_be_live_link()?;
        self.protection.resets += 1;
        self.revision += 1;
        Ok(())
    }

    /// Members prove who they are: a share of a context takes none of what is for links that anybody may have.
    fn must_be_public(&self, pointer: &str, wanted: bool) -> Result<()> {
        check_public(self.context, pointer, wanted)
    }

    /// What viewers of an embed may do, and until when, is said by its tokens.
    fn must_be_live_link(&self) -> Result<()> {
        self.must_be_live()?;
        match self.share_type {
            ShareType::Link => Ok(()),
            ShareType::Embed => Err(Error::Conflict("an embed takes its terms from its tokens".to_owned())),
            ShareType::Portal => Err(Error::Conflict("a context has members instead".to_owned())),
        }
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

/// A share of a context has neither password nor count, and no site frames it.
///
/// # Errors
/// [`Error::Invalid`] at `pointer`.
pub fn check_public(context: Option<Uuid>, pointer: &str, wanted: bool) -> Result<()> {
    match context {
        Some(_) if wanted => Err(Error::invalid(pointer, "is only for shares without share_context_id")),
        _ => Ok(()),
    }
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

/// A share ends after it has begun.
///
/// # Errors
/// [`Error::Invalid`] at `/not_before`.
pub fn check_order(not_before: Option<Millis>, expires_at: Option<Millis>) -> Result<()> {
    match (not_before, expires_at) {
        (Some(begin), Some(end)) if begin >= end => {
            Err(Error::invalid("/not_before", "must be before expires_at"))
        }
        _ => Ok(()),
    }
}

/// A count is at least 1.
///
/// # Errors
/// [`Error::Invalid`] at `/max_access_count`.
pub fn check_max_access_count(max_access_count: Option<u64>) -> Result<()> {
    match max_access_count {
        Some(count) if !(1..=MAX_ACCESS_COUNT).contains(&count) => {
            Err(Error::invalid("/max_access_count", "must be 1 to 1,000,000,000"))
        }
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
            target: Target::dashboard(Uuid::from_u128(3)),
            share_type: ShareType::Link,
            permission: Permission::View,
            tile_budget: None,
            name: "Sales".into(),
            state: State::Live,
            generation: 1,
            revision: 1,
            nonce: [0; 16],
            key_epoch: "aa".into(),
            rules: Rules::default(),
            closed: false,
            protection: Protection::default(),
            context: None,
            notify: None,
            not_before: None,
            expires_at: None,
            created_at: Millis(0),
            issued_at: Millis(0),
            revoked_at: None,
            frame_origins: Vec::new(),
            revoked_tokens: Vec::new(),
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
        assert!(share.amend(Amendment::default(), &[], &Limits::default(), Millis(7)).is_err());
        assert_eq!(share, revoked);
    }

    #[test]
    fn an_expiry_lies_in_the_future() {
        let mut share = share();
        let expiry = |at| Amendment { expires_at: Some(Some(Millis(at))), ..Amendment::default() };
        assert!(share.amend(expiry(10), &[], &Limits::default(), Millis(10)).is_err());
        assert!(share.amend(expiry(11), &[], &Limits::default(), Millis(10)).is_ok());
        assert_eq!(share.expires_at, Some(Millis(11)));
        share
            .amend(
                Amendment { expires_at: Some(None), ..Amendment::default() },
                &[],
                &Limits::default(),
                Millis(10),
            )
            .unwrap();
        assert_eq!(share.expires_at, None);
    }

    #[test]
    fn a_share_begins_before_it_ends() {
        let mut share = share();
        let times = |begin: Option<i64>, end: Option<i64>| Amendment {
            not_before: begin.map(|at| Some(Millis(at))),
            expires_at: end.map(|at| Some(Millis(at))),
            ..Amendment::default()
        };
        let mut amend = |change| share.amend(change, &[], &Limits::default(), Millis(10));
        assert!(amend(times(Some(20), Some(20))).is_err());
        assert!(amend(times(Some(20), Some(21))).is_ok());
        assert!(amend(times(Some(21), None)).is_err());
        assert!(amend(times(None, Some(15))).is_err());
        assert!(amend(times(Some(5), None)).is_ok());
    }

    #[test]
    fn a_password_begins_a_version_and_counts_guesses_anew() {
        let mut share = share();
        let hashed = Hashed { hash: "x".into(), key_epoch: "aa".into() };
        share.set_password(Some(hashed.clone()), &Limits::default()).unwrap();
        assert_eq!((share.protection.version, share.protection.resets, share.revision), (1, 1, 2));
        share.rotate([1; 16], "bb", Millis(5)).unwrap();
        assert_eq!(share.protection.password, Some(hashed), "a rotation keeps it");
        share.reset_attempts().unwrap();
        assert_eq!((share.protection.version, share.protection.resets), (1, 2));
        share.set_password(None, &Limits::default()).unwrap();
        assert_eq!((share.protection.version, share.protection.need()), (2, None));
        let demanding = Limits { password_required: true, ..Limits::default() };
        assert!(matches!(share.set_password(None, &demanding), Err(Error::Conflict(_))));
    }

    #[test]
    fn counts_are_bounded() {
        for (count, good) in [(0, false), (1, true), (MAX_ACCESS_COUNT, true), (MAX_ACCESS_COUNT + 1, false)]
        {
            assert_eq!(check_max_access_count(Some(count)).is_ok(), good, "{count}");
        }
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
        assert!(matches!(share.amend(change, &[], &Limits::default(), Millis(1)), Err(Error::Invalid(_))));
        assert_eq!(share, before);
        let closed = Amendment { default_mode: Some(DefaultMode::Disabled), ..Amendment::default() };
        share.amend(closed, &[], &Limits::default(), Millis(1)).unwrap();
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
