//! What a caller gets instead of an answer.

use std::time::Duration;
use thiserror::Error;

/// Why an operation was not answered as asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// What is asked breaks a documented limit or cannot be read. 400.
    #[error("{0}")]
    Invalid(&'static str),
    /// A value over 25 MiB, or a bulk call of 100 MB. 413. (Workers KV, limits.)
    #[error("Payload Too Large")]
    TooLarge,
    /// A second write to one key within a second. 429. (Workers KV, write key-value pairs.)
    #[error("Too Many Requests")]
    TooOften,
    /// Nothing was done. 500.
    #[error("Internal Server Error")]
    Failed,
    /// A blackout: nothing was done. 503 at locations, 429 over REST.
    #[error("Service Unavailable")]
    Unavailable {
        /// How long the blackout still lasts.
        retry_after: Duration,
    },
    /// The caller cannot know, but it was applied, or will be. 504.
    #[error("Gateway Timeout")]
    TimedOut,
}

impl Refusal {
    /// The HTTP status at a location.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Invalid(_) => 400,
            Self::TooLarge => 413,
            Self::TooOften => 429,
            Self::Failed => 500,
            Self::Unavailable { .. } => 503,
            Self::TimedOut => 504,
        }
    }
}
