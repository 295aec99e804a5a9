//! API dialects: how each reads requests and writes answers. Only the delta is in a dialect's file;
//! status codes exist nowhere else. Dialects never import one another.

pub mod dashboard;
pub mod data_product;
pub mod dispatch;
pub mod oembed;
pub mod operation;
pub mod page;
pub mod range;
pub mod secure_link;
mod words;

use std::borrow::Cow;

/// Content type of JSON answers.
pub const JSON: &str = "application/json";
/// Content type of pages.
pub const HTML: &str = "text/html; charset=utf-8";

/// Longest body of a JSON request, in bytes (RELIABILITY.md H1).
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// An answer as bytes; each host turns it into its own kind once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// Further headers, names in lower case.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A JSON answer; the value must serialize, which every type here does.
    pub fn json(status: u16, value: &impl serde::Serialize) -> Self {
        Self {
            status,
            content_type: JSON,
            headers: Vec::new(),
            body: serde_json::to_vec(value).unwrap_or_default(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Is this media type JSON? Parameters such as `charset` are allowed.
pub fn is_json(content_type: Option<&str>) -> bool {
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(JSON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_recognised_with_parameters() {
        for good in ["application/json", "Application/JSON; charset=utf-8", " application/json ;x=y"] {
            assert!(is_json(Some(good)), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/json+ld",
            "application/x-www-form-urlencoded",
            "application/jsonx",
        ] {
            assert!(!is_json(Some(bad)), "{bad}");
        }
        assert!(!is_json(None));
    }
}
