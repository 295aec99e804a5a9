//! Embeds: a dashboard in a frame of a customer's own site, opened by a signed token that says what its viewer may ask.
//!
//! An embed is a share of the type `embed`: a dashboard has one in force at most, and its tokens are made without it. What a token
//! says is checked by its signature alone ([`token`]); whether it is still in force is one look at the record of the dashboard's
//! embed ([`Terms`]). Rows 1.13-1.16, 1.23, holes 1.s-1.v of API.md.

pub mod claims;
pub mod rules;
pub mod token;

use super::origin::Origin;
use super::policy::Policy;
use crate::call::WINDOW;
use crate::error::Why;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;
use uuid::Uuid;

/// Longest that a token lives.
pub const MAX_LIFE: Duration = Duration::from_hours(24);
/// How long a token lives if nothing else is asked for.
pub const DEFAULT_LIFE: Duration = Duration::from_hours(1);
/// Shortest life that the API gives.
pub const MIN_LIFE: Duration = Duration::from_mins(1);
/// Most keys of an organization that are in force at once.
pub const MAX_KEYS: usize = 2;
/// Most single tokens of one generation that are taken back; after that all of them must be.
pub const MAX_REVOKED: usize = 1_000;

/// What a token says.
#[derive(Debug, Clone, PartialEq)]
pub struct Embed {
    /// Whose key signed it.
    pub organization: Uuid,
    /// Which of its keys.
    pub key_generation: u64,
    /// The dashboard.
    pub dashboard: Uuid,
    /// The generation of the dashboard's embed: a rotation ends its tokens.
    pub generation: u64,
    /// Names the token, so that it can be taken back alone.
    pub id: String,
    /// In seconds since 1970, as the token has it.
    pub issued_at: i64,
    /// In seconds since 1970: dead from this instant on.
    pub expires_at: i64,
    /// Dead before this instant, in seconds since 1970.
    pub not_before: Option<i64>,
    /// What it lets its viewer do.
    pub terms: Granted,
}

/// What a token lets its viewer do, and how it looks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Granted {
    /// Parameters that the viewer may set.
    pub allowed_params: Vec<String>,
    /// Parameters that the viewer, or the token, must set.
    pub required_params: Vec<String>,
    /// Parameters that the token sets.
    pub fixed_params: Map<String, Value>,
    /// What the viewer may do with the filters, beyond that.
    pub policies: Vec<Policy>,
    /// Sites that may frame it, besides those of the organization.
    pub origins: Vec<Origin>,
    /// How it looks.
    pub look: Look,
}

/// How an embed looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// Without title and description.
    #[serde(default)]
    pub hide_header: bool,
    /// Without filters.
    #[serde(default)]
    pub hide_controls: bool,
    /// Light, dark, or as the viewer's system says.
    #[serde(default)]
    pub theme: Theme,
}

/// Colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Theme {
    /// As the viewer's system says.
    #[default]
    Auto,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

/// What must hold of all tokens of a dashboard's embed: part of its record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Generations of the organization's keys that are in force.
    pub keys: Vec<u64>,
    /// Tokens that were taken back, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<String>,
    /// Sites that may frame any embed of the organization.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Origin>,
}

/// A token that was taken back alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedToken {
    /// Its id.
    pub jti: String,
    /// It has ended by itself then.
    pub until: Millis,
}

impl Embed {
    /// Is it alive at `now`, to the second and with no leeway?
    ///
    /// # Errors
    /// Why not.
    pub const fn in_time(&self, now: Millis) -> Result<(), Why> {
        let begins = match self.not_before {
            Some(not_before) if not_before > self.issued_at => not_before,
            _ => self.issued_at,
        };
        if now.0 < begins.saturating_mul(1_000) {
            return Err(Why::Early);
        }
        if now.0 >= self.expires_at.saturating_mul(1_000) {
            return Err(Why::Expired);
        }
        Ok(())
    }

    /// Is it in force at `now`, under the terms of the embed of an organization's dashboard in its current generation?
    ///
    /// # Errors
    /// Why not.
    pub fn in_force(
        &self,
        (organization, dashboard, generation): (Uuid, Uuid, u64),
        terms: &Terms,
        now: Millis,
    ) -> Result<(), Why> {
        self.in_time(now)?;
        self.stands((organization, dashboard, generation), terms)
    }

    /// As [`Self::in_force`], whatever the time: for whoever asks on behalf of the edge, whose clock decides.
    ///
    /// # Errors
    /// Why not.
    pub fn stands(
        &self,
        (organization, dashboard, generation): (Uuid, Uuid, u64),
        terms: &Terms,
    ) -> Result<(), Why> {
        if self.organization != organization || self.dashboard != dashboard {
            return Err(Why::OtherTarget);
        }
        let is_revoked = self.generation != generation
            || !terms.keys.contains(&self.key_generation)
            || terms.revoked.contains(&self.id);
        if is_revoked { Err(Why::Revoked) } else { Ok(()) }
    }

    /// Sites that may frame it: its own, and those of the organization. None means that nobody may.
    pub fn origins<'a>(&'a self, terms: &'a Terms) -> impl Iterator<Item = &'a Origin> {
        let own = &self.terms.origins;
        own.iter().chain(terms.origins.iter().filter(|origin| !own.contains(origin)))
    }

    /// When it ends.
    pub const fn ends(&self) -> Millis {
        Millis(self.expires_at.saturating_mul(1_000))
    }
}

/// The number of the key or generation after this one. Minutes since 1970 where they are more, so that a database that was restored
/// from a backup never gives a number again that it has forgotten: tokens of that one may be about.
pub fn next_number(before: u64, now: Millis) -> u64 {
    let minutes = u64::try_from(now.0 / 60_000).unwrap_or(0);
    minutes.max(before + 1)
}

/// Notes that a token was taken back at `now`, and forgets those that have ended by themselves. `false` when it was before.
///
/// # Errors
/// [`crate::Error::Conflict`] when there are [`MAX_REVOKED`] already.
pub fn revoke_token(revoked: &mut Vec<RevokedToken>, jti: &str, now: Millis) -> crate::Result<bool> {
    end_token(revoked, jti, MAX_LIFE, now)
}

/// As [`revoke_token`], for tokens that live so long.
///
/// # Errors
/// As [`revoke_token`].
pub fn end_token(
    revoked: &mut Vec<RevokedToken>,
    jti: &str,
    life: Duration,
    now: Millis,
) -> crate::Result<bool> {
    revoked.retain(|token| now < token.until);
    if revoked.iter().any(|token| token.jti == jti) {
        return Ok(false);
    }
    if revoked.len() >= MAX_REVOKED {
        let reason = "1,000 tokens of this dashboard are revoked already: rotate, which revokes them all";
        return Err(crate::Error::Conflict(reason.to_owned()));
    }
    // The edge's clock may be ahead of ours, by as much as the clocks of signed calls may differ.
    revoked.push(RevokedToken { jti: jti.to_owned(), until: now.plus(life + WINDOW) });
    Ok(true)
}

/// Is this a token's id: 1 to 64 letters, digits and `._~-`? Not `.` and `..`, which paths drop: it must stand in one.
pub fn is_token_id(text: &str) -> bool {
    !matches!(text, "." | "..")
        && (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A token's content, alive from 1,700,000,000 s on for an hour.
    pub(crate) fn embed() -> Embed {
        Embed {
            organization: Uuid::from_u128(1),
            key_generation: 1,
            dashboard: Uuid::from_u128(3),
            generation: 1,
            id: "t1".into(),
            issued_at: 1_700_000_000,
            expires_at: 1_700_003_600,
            not_before: None,
            terms: Granted::default(),
        }
    }

    const NOW: Millis = Millis(1_700_000_000_000);

    fn terms() -> Terms {
        Terms { keys: vec![1, 2], revoked: vec!["gone".into()], origins: Vec::new() }
    }

    #[test]
    fn a_token_lives_from_its_first_second_to_its_last() {
        let at = |millis: i64| embed().in_time(Millis(NOW.0 + millis)).err();
        assert_eq!(at(-1), Some(Why::Early));
        assert_eq!(at(0), None);
        assert_eq!(at(3_599_999), None);
        assert_eq!(at(3_600_000), Some(Why::Expired));
        let later = Embed { not_before: Some(1_700_000_001), ..embed() };
        assert_eq!(later.in_time(NOW).err(), Some(Why::Early));
        assert_eq!(later.in_time(Millis(NOW.0 + 1_000)), Ok(()));
    }

    #[test]
    fn token_generation_and_key_are_taken_back_each_by_itself() {
        let own = (Uuid::from_u128(1), Uuid::from_u128(3), 1);
        let refused = |embed: Embed| embed.in_force(own, &terms(), NOW).err();
        assert_eq!(refused(embed()), None);
        assert_eq!(refused(Embed { key_generation: 2, ..embed() }), None);
        assert_eq!(refused(Embed { key_generation: 3, ..embed() }), Some(Why::Revoked));
        assert_eq!(refused(Embed { generation: 2, ..embed() }), Some(Why::Revoked));
        assert_eq!(refused(Embed { id: "gone".into(), ..embed() }), Some(Why::Revoked));
        assert_eq!(refused(Embed { organization: Uuid::from_u128(9), ..embed() }), Some(Why::OtherTarget));
        assert_eq!(refused(Embed { dashboard: Uuid::from_u128(9), ..embed() }), Some(Why::OtherTarget));
    }

    #[test]
    fn revoked_tokens_are_forgotten_when_they_have_ended() {
        let mut revoked = Vec::new();
        assert_eq!(revoke_token(&mut revoked, "a", NOW), Ok(true));
        assert_eq!(revoke_token(&mut revoked, "a", NOW), Ok(false));
        let day = Millis(NOW.0 + 86_460_000);
        assert_eq!(revoke_token(&mut revoked, "b", Millis(day.0 - 1)), Ok(true));
        assert_eq!(revoked.len(), 2);
        assert_eq!(revoke_token(&mut revoked, "c", day), Ok(true));
        assert_eq!(revoked.iter().map(|token| token.jti.as_str()).collect::<Vec<_>>(), ["b", "c"]);
        for number in 2..MAX_REVOKED {
            revoke_token(&mut revoked, &number.to_string(), day).unwrap();
        }
        assert!(matches!(revoke_token(&mut revoked, "more", day), Err(crate::Error::Conflict(_))));
    }

    #[test]
    fn numbers_grow_and_are_never_given_again() {
        assert_eq!(next_number(1, NOW), 28_333_333);
        assert_eq!(next_number(28_333_333, NOW), 28_333_334);
        assert_eq!(next_number(0, Millis(-1)), 1);
    }

    #[test]
    fn the_organizations_origins_count_once() {
        let origin = |text: &str| Origin::parse(text).unwrap();
        let (a, b) = (origin("https://a.com"), origin("https://b.com"));
        let granted = Granted { origins: vec![a.clone()], ..Granted::default() };
        let terms = Terms { origins: vec![a.clone(), b.clone()], ..terms() };
        let embed = Embed { terms: granted, ..embed() };
        assert_eq!(embed.origins(&terms).collect::<Vec<_>>(), [&a, &b]);
    }
}
