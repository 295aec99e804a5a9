//! A share context: people who may open some dashboards, each under the rules of its own share (rows 1.6, 1.7, 1.21).
//!
//! At the edge a context is a record with a gate like any share's. It names what its members may open, and those whose access ended
//! before their access tokens did; who its members are it does not say. An access token says of which contexts its holder is a
//! member, and lives ten minutes ([`super::portal`]): whoever is added has one that says so, whoever is removed stands here as long
//! as an older one lives.

use crate::model::access::in_time;
use crate::model::token::RecordKey;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Most dashboards of one context.
pub const MAX_DASHBOARDS: usize = 200;
/// Most members of one context.
pub const MAX_MEMBERS: u64 = 100_000;
/// Most members in one request.
pub const MAX_BULK_MEMBERS: usize = 1_000;
/// Longest description, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 2_000;

/// A context as the edge knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextView {
    /// Its id.
    pub id: Uuid,
    /// Its name, which its members see.
    pub name: String,
    /// Members and sessions whose access ended, by id, as long as access tokens from before may live.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<Uuid>,
    /// What its members may open.
    pub dashboards: Vec<Bound>,
}

/// A dashboard of a context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The record of the share by which it is opened.
    pub record: RecordKey,
    /// The share.
    pub share: Uuid,
    /// The share's name.
    pub name: String,
    /// The dashboard's name in URLs.
    pub slug: String,
    /// The dashboard's name for people.
    pub title: String,
    /// A sentence under the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The share is dead before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Millis>,
    /// The share is dead from this instant on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
}

impl Bound {
    /// Has its share begun at `now`, and not yet ended?
    pub fn is_in_time(&self, now: Millis) -> bool {
        in_time(self.not_before, self.expires_at, now).is_ok()
    }
}

impl ContextView {
    /// The dashboard of this slug.
    pub fn dashboard(&self, slug: &str) -> Option<&Bound> {
        self.dashboards.iter().find(|bound| bound.slug == slug)
    }
}
