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

impl TargetKind {
    /// Those of the dashboard dialect.
    pub const DASHBOARDS: &'static [Self] = &[Self::Dashboard];
    /// Those of the operation dialect: what is drawn on maps.
    pub const MAPS: &'static [Self] = &[Self::Item, Self::Collection];
    /// Those that have links or embeds.
    pub const SHARED: &'static [Self] = &[Self::Dashboard, Self::DataProduct, Self::Item, Self::Collection];

    /// As the API says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dashboard => "dashboard",
            Self::DataProduct => "data_product",
            Self::Item => "item",
            Self::Collection => "collection",
            Self::Context => "context",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        let kinds = Self::SHARED.iter().chain(&[Self::Context]);
        kinds.copied().find(|kind| kind.name() == name)
    }

    /// Shortest password of a link to it, in characters.
    pub const fn min_password_chars(self) -> usize {
        if self.is_map() { 8 } else { 1 }
    }

    /// Is it drawn on maps?
    pub const fn is_map(self) -> bool {
        matches!(self, Self::Item | Self::Collection)
    }
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
        if password.is_none() && self.target.kind.is_map() {
            return Err(Error::Conflict("a link to a map has a password".to_owned()));
        }
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
mod tests;
