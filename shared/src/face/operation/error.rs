//! The dialect's one table from [`Error`] to a problem of RFC 9457, or to the list of its 422. API.md 2.k, X10.

use crate::face::Answer;
use crate::{Error, error::Flaw};
use serde_json::{Value, json};
use std::borrow::Cow;

/// Content type of problems.
const PROBLEM: &str = "application/problem+json";

/// Status and title of an error. A new kind of error stops the build here.
const fn classify(error: &Error) -> (u16, &'static str) {
    match error {
        Error::Policy { .. }
        | Error::FilterDisabled { .. }
        | Error::Query { .. }
        | Error::WrongFormat { .. } => (400, "Bad Request"),
        Error::Unauthenticated => (401, "Unauthorized"),
        Error::Forbidden { .. } => (403, "Forbidden"),
        // Those of the portal are its own: nothing here asks anybody to sign in by a code.
        Error::Dead(_)
        | Error::AuthRequired(_)
        | Error::WrongPassword
        | Error::NotFound(_)
        | Error::SignIn { .. }
        | Error::SignInFailed
        | Error::InvalidContext => (404, "Not Found"),
        Error::MethodNotAllowed { .. } => (405, "Method Not Allowed"),
        Error::Conflict(_) => (409, "Conflict"),
        Error::TooLarge { .. } => (413, "Content Too Large"),
        Error::UnsupportedMediaType => (415, "Unsupported Media Type"),
        Error::Malformed(_) | Error::Invalid(_) | Error::IdempotencyMismatch => {
            (422, "Unprocessable Content")
        }
        Error::Throttled { .. } => (429, "Too Many Requests"),
        Error::Internal(_) => (500, "Internal Server Error"),
        Error::Archive(_) => (502, "Bad Gateway"),
        Error::Unavailable(_) => (503, "Service Unavailable"),
    }
}

fn words(error: &Error) -> Cow<'_, str> {
    match error {
        // The same bytes for all of them: unknown, expired, revoked, and a wrong password.
        Error::Dead(_) | Error::AuthRequired(_) | Error::WrongPassword => {
            "There is no such link, or this is not its password.".into()
        }
        Error::SignIn { .. } | Error::SignInFailed | Error::InvalidContext => "No such link.".into(),
        Error::NotFound(what) => format!("No such {what}.").into(),
        Error::WrongFormat { has } => format!("The tiles are {has}.").into(),
        Error::Query { message } => message.as_str().into(),
        Error::Policy { .. } | Error::FilterDisabled { .. } => "The request is not allowed.".into(),
        Error::Unauthenticated => "Missing or invalid API key.".into(),
        Error::Forbidden { scope } => format!("The API key lacks the scope {scope}.").into(),
        Error::MethodNotAllowed { allow } => format!("This path takes {allow}.").into(),
        Error::Conflict(reason) => format!("Not possible: {reason}.").into(),
        Error::TooLarge { limit_bytes } => format!("The body must have at most {limit_bytes} bytes.").into(),
        Error::UnsupportedMediaType => "The body must be application/json.".into(),
        Error::Malformed(reason) => format!("The body is not acceptable JSON: {reason}.").into(),
        Error::Invalid(_) => "The request is not valid.".into(),
        Error::IdempotencyMismatch => "This Idempotency-Key was used with another request.".into(),
        Error::Throttled { .. } => "Too many requests, or the link's tiles of today are used up.".into(),
        Error::Internal(_) => "Something went wrong on our side.".into(),
        Error::Archive(_) => "The map's archive cannot be read.".into(),
        Error::Unavailable(_) => "The service is not available right now. Try again shortly.".into(),
    }
}

/// An entry of a 422: where, what, and of which kind.
fn entry(flaw: &Flaw) -> Value {
    let parts = flaw.pointer.split('/').skip(1).map(|part| match part.parse::<u64>() {
        Ok(index) => json!(index),
        Err(_) => json!(part.replace("~1", "/").replace("~0", "~")),
    });
    let place: Vec<Value> = std::iter::once(json!("body")).chain(parts).collect();
    let kind = if flaw.message == super::fields::MISSING { "missing" } else { "value_error" };
    json!({ "loc": place, "msg": flaw.message, "type": kind })
}

/// The error as this dialect shows it.
pub fn render(error: &Error) -> Answer {
    let (status, title) = classify(error);
    let answer = match error {
        Error::Invalid(flaws) => {
            Answer::json(status, &json!({ "detail": flaws.iter().map(entry).collect::<Vec<_>>() }))
        }
        Error::Malformed(_) | Error::IdempotencyMismatch => {
            let kind = if matches!(error, Error::Malformed(_)) { "json_invalid" } else { "value_error" };
            Answer::json(
                status,
                &json!({ "detail": [{ "loc": ["body"], "msg": words(error), "type": kind }] }),
            )
        }
        error => {
            let problem =
                json!({ "type": "about:blank", "title": title, "status": status, "detail": words(error) });
            Answer { content_type: PROBLEM, ..Answer::json(status, &problem) }
        }
    };
    match error {
        Error::Throttled { retry_after } => {
            answer.with("retry-after", retry_after.as_millis().div_ceil(1_000).max(1).to_string())
        }
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
    use crate::model::protection::Need;

    fn check(error: &Error, status: u16, content_type: &str, body: &str) {
        let answer = render(error);
        assert_eq!((answer.status, answer.content_type), (status, content_type));
        assert_eq!(String::from_utf8(answer.body).unwrap(), body);
    }

    #[test]
    fn dead_links_and_wrong_passwords_are_the_same_bytes() {
        let expected = r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"There is no such link, or this is not its password."}"#;
        let expected: Value = serde_json::from_str(expected).unwrap();
        let expected = expected.to_string();
        for why in
            [Why::Forged, Why::Unknown, Why::Revoked, Why::Expired, Why::Early, Why::Spent, Why::OtherTarget]
        {
            check(&Error::Dead(why), 404, PROBLEM, &expected);
        }
        check(&Error::WrongPassword, 404, PROBLEM, &expected);
        check(&Error::AuthRequired(Need::Password), 404, PROBLEM, &expected);
    }

    #[test]
    fn a_422_names_each_place() {
        let flaws =
            vec![Flaw::new("/token", super::super::fields::MISSING), Flaw::new("/a~1b/3", "is wrong")];
        let body: Value = serde_json::from_slice(&render(&Error::Invalid(flaws)).body).unwrap();
        assert_eq!(
            body,
            json!({"detail": [
                {"loc": ["body", "token"], "msg": "Field required", "type": "missing"},
                {"loc": ["body", "a/b", 3], "msg": "is wrong", "type": "value_error"},
            ]})
        );
        let malformed: Value = serde_json::from_slice(&render(&Error::Malformed("x".into())).body).unwrap();
        assert_eq!(malformed["detail"][0]["type"], "json_invalid");
    }

    #[test]
    fn faults_of_ours_tell_nothing() {
        for error in [
            Error::Internal("10.0.0.1".into()),
            Error::Unavailable("10.0.0.1".into()),
            Error::Archive("10.0.0.1".into()),
        ] {
            assert!(!String::from_utf8(render(&error).body).unwrap().contains("10.0"));
        }
    }
}
