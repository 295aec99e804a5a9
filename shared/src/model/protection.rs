//! What a visitor must do before a share opens: give a password, or open it by a deliberate act that is counted.

use super::grant::Grant;
use super::password::Hashed;
use serde::{Deserialize, Serialize};

/// How a share is protected. Part of the share's record, so that no failure can part them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// The password, if one is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Hashed>,
    /// Grows whenever the password is set or removed: grants of an older one are worth nothing.
    #[serde(default)]
    pub version: u64,
    /// Grows whenever the owner has the count of guesses begin anew.
    #[serde(default)]
    pub resets: u64,
    /// How often a token may be opened, over all visitors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_access_count: Option<u64>,
}

/// What a visitor must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Give the password.
    Password,
    /// Say that they want to open it: that is counted.
    Opening,
}

impl Protection {
    /// What a visitor must do first; `None` when the link alone opens the share.
    pub const fn need(&self) -> Option<Need> {
        match (&self.password, self.max_access_count) {
            (Some(_), _) => Some(Need::Password),
            (None, Some(_)) => Some(Need::Opening),
            (None, None) => None,
        }
    }

    /// Is every read checked with the gate, so that no lease is needed?
    pub const fn is_strict(&self) -> bool {
        self.need().is_some()
    }

    /// Does a grant satisfy it?
    pub fn admits(&self, grant: Option<&Grant>) -> Result<(), Need> {
        match (self.need(), grant) {
            (None, _) => Ok(()),
            (Some(_), Some(grant)) if grant.version == self.version => Ok(()),
            (Some(need), _) => Err(need),
        }
    }

    /// May a token that was opened `accesses` times be opened once more?
    pub fn allows_another(&self, accesses: u64) -> bool {
        self.max_access_count.is_none_or(|max| accesses < max)
    }
}
