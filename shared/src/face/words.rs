//! What every dialect says of an error. Codes and shapes are each dialect's own.

use crate::Error;
use crate::error::Flaw;
use crate::model::protection::Need;
use std::borrow::Cow;
use std::time::Duration;

/// The error in words for whoever asked.
pub(super) fn words(error: &Error) -> Cow<'_, str> {
    match error {
        Error::Dead(_) => "This link is not valid or has expired.".into(),
        Error::AuthRequired(Need::Password) => "This link needs a password.".into(),
        Error::AuthRequired(Need::Opening) => {
            "This link opens only on purpose: each opening is counted.".into()
        }
        Error::SignInFailed => "The code or token is not valid or has expired.".into(),
        Error::SignIn { .. } => "This link is for invited people: sign in at the portal.".into(),
        Error::InvalidContext => "context_id names no context that you are in.".into(),
        Error::WrongPassword => "That is not the password.".into(),
        Error::Unauthenticated => "Missing or invalid API key.".into(),
        Error::Policy { slug, message } if slug.is_empty() => format!("The request {message}.").into(),
        Error::Policy { slug, message } => format!("Parameter \"{slug}\" {message}.").into(),
        Error::FilterDisabled { slug } => format!("Filter \"{slug}\" is not available on this share.").into(),
        Error::Query { message } => message.as_str().into(),
        Error::WrongFormat { has } => format!("The tiles are {has}.").into(),
        Error::Archive(_) => "The map's archive cannot be read.".into(),
        Error::Malformed(reason) => format!("The body is not acceptable JSON: {reason}.").into(),
        Error::Forbidden { scope } => format!("The API key lacks the scope {scope}.").into(),
        Error::NotFound(what) => format!("No such {what}.").into(),
        Error::MethodNotAllowed { allow } => format!("This path takes {allow}.").into(),
        Error::Conflict(reason) => format!("Not possible: {reason}.").into(),
        Error::TooLarge { limit_bytes } => format!("The body must have at most {limit_bytes} bytes.").into(),
        Error::UnsupportedMediaType => "The body must be application/json.".into(),
        Error::Invalid(flaws) => match flaws.as_slice() {
            [Flaw { pointer, message }] if pointer.is_empty() => format!("The request {message}.").into(),
            [Flaw { pointer, message }] => format!("{pointer} {message}.").into(),
            _ => format!("The body has {} mistakes.", flaws.len()).into(),
        },
        Error::IdempotencyMismatch => "This Idempotency-Key was used with another request.".into(),
        Error::Throttled { .. } => "Too many requests.".into(),
        Error::Internal(_) => "Something went wrong on our side.".into(),
        Error::Unavailable(_) => "The service is not available right now. Try again shortly.".into(),
    }
}

/// Whole seconds, rounded up, at least 1.
pub(super) fn seconds(duration: Duration) -> String {
    (duration.as_millis().div_ceil(1_000)).max(1).to_string()
}
