//! Session tokens: what an API key exchanges itself for. API.md 2.2, X8.

use crate::model::api_key::{DEFAULT_SESSION, MAX_SESSION, MIN_SESSION};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Body of `POST /api/v1/session-tokens`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionTokenIn {
    /// What it may do: some of the key's scopes, at least one. All of them when absent or null.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// Seconds that it lives: 60 to 43,200, 3,600 when absent or null.
    #[serde(default)]
    pub expires_in: Option<u64>,
}

impl SessionTokenIn {
    /// How long it lives.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn life(&self) -> Result<Duration> {
        let life = self.expires_in.map_or(DEFAULT_SESSION, Duration::from_secs);
        if (MIN_SESSION..=MAX_SESSION).contains(&life) {
            return Ok(life);
        }
        Err(Error::invalid("/expires_in", "must be 60 to 43,200 seconds"))
    }
}

/// Answer of `POST /api/v1/session-tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionTokenOut {
    /// `pss_` and 48 hex digits, for `Authorization: Bearer`. Shown only here.
    pub token: String,
    /// RFC 3339; it is dead from then on.
    pub expires_at: String,
    /// What it may do.
    pub scopes: Vec<String>,
}
