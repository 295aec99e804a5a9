//! The dialect's one table from [`Error`] to status, code and words. API.md 1.30-1.35, X10.

use crate::Error;
use crate::face::words::{seconds, words};
use crate::face::{Answer, page};
use crate::model::protection::Need;
use serde::Serialize;
use std::borrow::Cow;

/// Every error of this dialect.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorOut<'a> {
    /// For people.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub error: Cow<'a, str>,
    /// For programs.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "TOKEN_INVALID"))]
    pub error_code: &'static str,
    /// For whoever asks the operator about it; the same as in `X-Request-Id`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub request_id: &'a str,
    /// What the visitor must do first: `password`, or `opening` (a deliberate act, which is counted).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub requires: Option<&'static str>,
    /// Whose portal a link is for whose share is only for invited people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub company_slug: Option<&'a str>,
    /// Where they sign in, relative to this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub auth_url: Option<String>,
    /// The parameter that broke a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub filter_slug: Option<&'a str>,
    /// What is wrong with a body, and where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FlawOut<'a>>,
}

/// One thing that is wrong with a body.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlawOut<'a> {
    /// JSON pointer into the body.
    #[serde(rename = "instancePath")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "/expires_at"))]
    pub instance_path: &'a str,
    /// What is wrong.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub message: &'a str,
}

/// Status and code of an error. A new kind of error stops the build here.
pub const fn classify(error: &Error) -> (u16, &'static str) {
    match error {
        Error::Dead(_) | Error::SignInFailed => (401, "TOKEN_INVALID"),
        Error::AuthRequired(_) | Error::SignIn { .. } => (401, "AUTH_REQUIRED"),
        Error::InvalidContext => (400, "INVALID_CONTEXT_ID"),
        Error::WrongPassword => (401, "PASSWORD_INVALID"),
        Error::Unauthenticated => (401, "UNAUTHORIZED"),
        Error::Policy { .. } => (400, "SHARE_FILTER_POLICY_VIOLATION"),
        Error::FilterDisabled { .. } => (403, "FILTER_DISABLED_BY_POLICY"),
        Error::Query { .. } => (400, "DB_QUERY_ERROR"),
        Error::WrongFormat { .. } => (400, "WRONG_TILE_FORMAT"),
        Error::Malformed(_) => (400, "MALFORMED_JSON"),
        Error::Forbidden { .. } => (403, "FORBIDDEN"),
        Error::NotFound(_) => (404, "NOT_FOUND"),
        Error::MethodNotAllowed { .. } => (405, "METHOD_NOT_ALLOWED"),
        Error::Conflict(_) => (409, "CONFLICT"),
        Error::TooLarge { .. } => (413, "PAYLOAD_TOO_LARGE"),
        Error::UnsupportedMediaType => (415, "UNSUPPORTED_MEDIA_TYPE"),
        Error::Invalid(_) => (422, "VALIDATION_ERROR"),
        Error::IdempotencyMismatch => (422, "IDEMPOTENCY_KEY_REUSED"),
        Error::Throttled { .. } => (429, "RATE_LIMITED"),
        Error::Internal(_) => (500, "INTERNAL_ERROR"),
        Error::Archive(_) => (502, "ARCHIVE_BROKEN"),
        Error::Unavailable(_) => (503, "SERVICE_UNAVAILABLE"),
    }
}

/// The error as this dialect shows it. `request_id` goes into the body; the host adds the header.
pub fn render(error: &Error, request_id: &str) -> Answer {
    let (status, error_code) = classify(error);
    let (filter_slug, flaws) = match error {
        Error::Policy { slug, .. } | Error::FilterDisabled { slug } => (Some(slug.as_str()), [].as_slice()),
        Error::Invalid(flaws) => (None, flaws.as_slice()),
        _ => (None, [].as_slice()),
    };
    let requires = match error {
        Error::AuthRequired(Need::Password) => Some("password"),
        Error::AuthRequired(Need::Opening) => Some("opening"),
        _ => None,
    };
    let company_slug = match error {
        Error::SignIn { company_slug } => Some(company_slug.as_str()),
        _ => None,
    };
    let auth_url = company_slug.map(page::portal_path);
    let errors =
        flaws.iter().map(|flaw| FlawOut { instance_path: &flaw.pointer, message: &flaw.message }).collect();
    let answer = Answer::json(
        status,
        &ErrorOut {
            error: words(error),
            error_code,
            request_id,
            requires,
            company_slug,
            auth_url,
            filter_slug,
            errors,
        },
    );
    match error {
        Error::Throttled { retry_after } => answer.with("retry-after", seconds(*retry_after)),
        Error::Unavailable(_) => answer.with("retry-after", "2"),
        Error::MethodNotAllowed { allow } => answer.with("allow", *allow),
        Error::Unauthenticated => answer.with("www-authenticate", "Bearer"),
        _ => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Why;
    use std::time::Duration;

    fn check(error: &Error, status: u16, body: &str) {
        let answer = render(error, "req_1");
        assert_eq!(answer.status, status);
        assert_eq!(String::from_utf8(answer.body).unwrap(), body);
    }

    #[test]
    fn all_dead_links_look_the_same() {
        for why in
            [Why::Forged, Why::Unknown, Why::Revoked, Why::Expired, Why::Early, Why::Spent, Why::OtherTarget]
        {
            check(
                &Error::Dead(why),
                401,
                r#"{"error":"This link is not valid or has expired.","error_code":"TOKEN_INVALID","request_id":"req_1"}"#,
            );
        }
    }

    #[test]
    fn a_protected_link_tells_only_what_it_needs() {
        check(
            &Error::AuthRequired(Need::Password),
            401,
            r#"{"error":"This link needs a password.","error_code":"AUTH_REQUIRED","request_id":"req_1","requires":"password"}"#,
        );
    }

    #[test]
    fn a_link_for_invited_people_tells_whose_portal_and_nothing_else() {
        check(
            &Error::SignIn { company_slug: "acme".into() },
            401,
            r#"{"error":"This link is for invited people: sign in at the portal.","error_code":"AUTH_REQUIRED","request_id":"req_1","company_slug":"acme","auth_url":"/portal/acme"}"#,
        );
    }

    #[test]
    fn a_policy_error_names_its_filter() {
        check(
            &Error::policy("status", "is not a value that this share allows"),
            400,
            r#"{"error":"Parameter \"status\" is not a value that this share allows.","error_code":"SHARE_FILTER_POLICY_VIOLATION","request_id":"req_1","filter_slug":"status"}"#,
        );
    }

    #[test]
    fn validation_names_each_place() {
        check(
            &Error::invalid("/name", "must have 1 to 200 characters"),
            422,
            r#"{"error":"/name must have 1 to 200 characters.","error_code":"VALIDATION_ERROR","request_id":"req_1","errors":[{"instancePath":"/name","message":"must have 1 to 200 characters"}]}"#,
        );
    }

    #[test]
    fn faults_of_ours_tell_nothing() {
        check(
            &Error::Internal("secret path".into()),
            500,
            r#"{"error":"Something went wrong on our side.","error_code":"INTERNAL_ERROR","request_id":"req_1"}"#,
        );
        assert!(
            !String::from_utf8(render(&Error::Unavailable("10.0.0.1".into()), "r").body)
                .unwrap()
                .contains("10.0")
        );
    }

    #[test]
    fn retry_after_is_in_whole_seconds() {
        for (millis, shown) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (60_000, "60")] {
            let answer = render(&Error::Throttled { retry_after: Duration::from_millis(millis) }, "r");
            assert_eq!(answer.headers, [("retry-after", shown.to_owned().into())], "{millis}");
        }
    }
}
