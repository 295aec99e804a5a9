//! The data product dialect: seed 000, `/v1/data-products/{id}/share`. Rows 0.1-0.25. Errors are
//! `{"error": {"code", "message"}}` (0.c). Its password routes are an extension (0.a).

use super::Answer;
use super::words::{seconds, words};
use crate::Error;
use crate::model::password::Typed;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use uuid::Uuid;

/// How every path of this dialect begins.
pub const PREFIX: &str = "/v1/";

/// Answer of `GET` and `POST /v1/data-products/:id/share`. Rows 0.6, 0.7.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProductShareOut {
    /// Null when no token exists.
    pub share: Option<ProductLink>,
}

/// A product's link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProductLink {
    /// Opaque.
    pub token: String,
    /// The page.
    pub url: String,
    /// Must visitors give a password?
    pub has_password: bool,
    /// RFC 3339: when the current token was issued.
    pub created_at: String,
}

impl ProductShareOut {
    /// No link.
    pub const NONE: Self = Self { share: None };

    /// The link of a token that was issued at this instant.
    pub fn new((token, url): (String, String), has_password: bool, issued_at: Millis) -> Self {
        Self { share: Some(ProductLink { token, url, has_password, created_at: issued_at.to_rfc3339() }) }
    }
}

/// Answer of `DELETE /v1/data-products/:id/share`. Rows 0.14, 0.15.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProductRevokedOut {
    /// False when there was no link.
    pub revoked: bool,
    /// The data product.
    pub id: Uuid,
}

/// Body of `PUT /v1/data-products/:id/share/password`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProductPasswordIn {
    /// 1 to 128 bytes, neither trimmed nor otherwise changed but for Unicode's normal form.
    #[cfg_attr(feature = "openapi", schema(value_type = String, write_only))]
    pub password: Typed,
}

/// Every error of this dialect.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProductErrorOut<'a> {
    /// What went wrong.
    pub error: ProductError<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProductError<'a> {
    /// For programs.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "not_found"))]
    pub code: &'static str,
    /// For people.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub message: Cow<'a, str>,
}

/// Status and code of an error. A new kind of error stops the build here.
pub const fn classify(error: &Error) -> (u16, &'static str) {
    match error {
        Error::Malformed(_)
        | Error::Query { .. }
        | Error::Policy { .. }
        | Error::InvalidContext
        | Error::WrongFormat { .. } => (400, "invalid_request"),
        Error::Unauthenticated => (401, "unauthorized"),
        Error::AuthRequired(_) | Error::WrongPassword => (401, "password_required"),
        Error::SignIn { .. } | Error::SignInFailed => (401, "sign_in_required"),
        Error::Forbidden { .. } | Error::FilterDisabled { .. } => (403, "forbidden"),
        Error::Dead(_) | Error::NotFound(_) => (404, "not_found"),
        Error::MethodNotAllowed { .. } => (405, "method_not_allowed"),
        Error::Conflict(_) => (409, "conflict"),
        Error::TooLarge { .. } => (413, "too_large"),
        Error::UnsupportedMediaType => (415, "unsupported_media_type"),
        Error::Invalid(_) => (422, "invalid_request"),
        Error::IdempotencyMismatch => (422, "idempotency_key_reused"),
        Error::Throttled { .. } => (429, "rate_limited"),
        Error::Internal(_) => (500, "internal_error"),
        Error::Archive(_) => (502, "archive_broken"),
        Error::Unavailable(_) => (503, "unavailable"),
    }
}

/// The error as this dialect shows it.
pub fn render(error: &Error) -> Answer {
    let (status, code) = classify(error);
    let answer =
        Answer::json(status, &ProductErrorOut { error: ProductError { code, message: words(error) } });
    match error {
        // Seed 000 asks for it, though its vendor's own error page says otherwise (0.h).
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
    use serde_json::{Value, json};
    use std::time::Duration;

    #[test]
    fn the_documented_errors_have_their_codes() {
        for (error, status, code) in [
            (Error::Unauthenticated, 401, "unauthorized"),
            (Error::NotFound("data product"), 404, "not_found"),
            (Error::Throttled { retry_after: Duration::from_millis(1_200) }, 429, "rate_limited"),
        ] {
            let answer = render(&error);
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!((answer.status, &body["error"]["code"]), (status, &json!(code)));
            assert_eq!(body.as_object().unwrap().len(), 1);
            assert!(!body["error"]["message"].as_str().unwrap().is_empty());
        }
        let throttled = render(&Error::Throttled { retry_after: Duration::from_millis(1_200) });
        assert_eq!(throttled.headers, [("retry-after", "2".into())]);
    }

    #[test]
    fn a_link_has_the_documented_shape() {
        let link = ProductShareOut::new(("shr_1".into(), "https://x/share/shr_1".into()), false, Millis(0));
        assert_eq!(
            serde_json::to_value(link).unwrap(),
            json!({"share": {"token": "shr_1", "url": "https://x/share/shr_1", "has_password": false,
                "created_at": "1970-01-01T00:00:00.000Z"}})
        );
        assert_eq!(serde_json::to_value(ProductShareOut::NONE).unwrap(), json!({"share": null}));
    }
}
