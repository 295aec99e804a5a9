//! What can go wrong, in the domain's words. Status codes and wordings belong to a dialect
//! ([`crate::face`]); [`Why`] is for the log and is never rendered.

use crate::model::protection::Need;
use std::time::Duration;

/// Result of anything in the domain.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a link opens nothing. All look the same from outside (API.md X3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Not of a token's shape, or its keyed tag is not ours.
    Forged,
    /// Well formed, but no record or gate knows it.
    Unknown,
    /// Revoked, or replaced by a rotation.
    Revoked,
    /// `now >= expires_at`.
    Expired,
    /// `now < not_before`.
    Early,
    /// Opened as often as it may be.
    Spent,
    /// The token opens another kind of thing than was asked for.
    OtherTarget,
}

/// One thing that is wrong with a request's body, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// JSON pointer (RFC 6901) into the body; empty for the whole.
    pub pointer: String,
    /// What is wrong, in words for a caller.
    pub message: String,
}

impl Flaw {
    /// A flaw at `pointer`.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// Everything that a request can end in, but for success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The link opens nothing.
    #[error("dead link: {0:?}")]
    Dead(Why),
    /// The visitor must do something first.
    #[error("the share needs authentication: {0:?}")]
    AuthRequired(Need),
    /// Only members of a share context may open it: they sign in at the portal of the company.
    #[error("members only")]
    SignIn {
        /// Whose portal.
        company_slug: String,
    },
    /// A code, an access token or a refresh token of the portal is not good; why is not told, and neither is whether there is such a
    /// company or person.
    #[error("sign-in failed")]
    SignInFailed,
    /// The context that was named is none of those that the caller is in.
    #[error("no such context")]
    InvalidContext,
    /// Not the share's password.
    #[error("wrong password")]
    WrongPassword,
    /// A parameter that the share's rules or its filter's kind do not allow.
    #[error("parameter {slug}: {message}")]
    Policy {
        /// The filter, or the undeclared name, as the caller wrote it (bounded).
        slug: String,
        /// What is wrong; never says which values would be allowed.
        message: &'static str,
    },
    /// Options were asked of a filter that the share does not offer.
    #[error("filter {slug} is disabled")]
    FilterDisabled {
        /// The filter's slug.
        slug: String,
    },
    /// A query of the dashboard failed at its data source.
    #[error("query failed: {message}")]
    Query {
        /// What the visitor may know.
        message: String,
    },
    /// A map's tiles are of another form than was asked for.
    #[error("the tiles are {has}")]
    WrongFormat {
        /// What they are.
        has: &'static str,
    },
    /// An archive of tiles is not what it should be. The text is for the log, and for whoever registers it.
    #[error("archive: {0}")]
    Archive(String),
    /// The body is not JSON that we accept (syntax, duplicate key, depth).
    #[error("malformed JSON: {0}")]
    Malformed(String),
    /// The body is JSON, but not of the documented shape.
    #[error("invalid: {0:?}")]
    Invalid(Vec<Flaw>),
    /// The body is longer than `limit_bytes`.
    #[error("body over {limit_bytes} bytes")]
    TooLarge {
        /// The route's limit.
        limit_bytes: usize,
    },
    /// The body is not `application/json`.
    #[error("unsupported media type")]
    UnsupportedMediaType,
    /// The path exists, but not with this method.
    #[error("method not allowed")]
    MethodNotAllowed {
        /// Value of the `Allow` header.
        allow: &'static str,
    },
    /// No credential, or one that is not valid.
    #[error("unauthenticated")]
    Unauthenticated,
    /// The credential is valid, but lacks a scope.
    #[error("needs scope {scope}")]
    Forbidden {
        /// The scope that is missing.
        scope: &'static str,
    },
    /// Unknown, or another organization's: the same from outside.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The change contradicts what is stored.
    #[error("conflict: {0}")]
    Conflict(String),
    /// An `Idempotency-Key` was used again with another request.
    #[error("idempotency key reused")]
    IdempotencyMismatch,
    /// Too many requests.
    #[error("throttled for {retry_after:?}")]
    Throttled {
        /// When to try again; rendered in whole seconds, at least 1.
        retry_after: Duration,
    },
    /// Something that we depend on is out of reach; trying again may help.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A fault of ours. The text is for the log.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// One flaw at one place.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Flaw::new(pointer, message)])
    }

    /// A parameter that may not be. The slug is cut to 64 characters, since it may be a stranger's text.
    pub fn policy(slug: &str, message: &'static str) -> Self {
        Self::Policy { slug: slug.chars().take(64).collect(), message }
    }
}
