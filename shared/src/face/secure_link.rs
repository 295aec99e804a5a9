//! The secure-link dialect (seed 003), as far as it is here: the envelope of its answers. Its operations are not served yet, and
//! its create says so in this envelope, since it shares a path with the operation dialect (API.md X1).

use super::Answer;
use crate::time::Millis;
use serde_json::json;

/// Why a create of this dialect is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The body is of two dialects at once.
    Ambiguous,
    /// The body says nothing that this dialect knows.
    NoLinks,
    /// The dialect's operations are not there yet.
    NotServed,
}

/// A refusal in the dialect's envelope.
pub fn refuse(refusal: Refusal, request_id: &str, now: Millis) -> Answer {
    let (http, status, summary) = match refusal {
        Refusal::Ambiguous => {
            (400, "ValidationError", "The body is ambiguous: it is of two dialects at once.")
        }
        Refusal::NoLinks => (400, "ValidationError", "The body must have links: 1 to 100 of them."),
        Refusal::NotServed => (501, "NotImplemented", "Secure links are not served here yet."),
    };
    let at = now.to_rfc3339();
    let envelope = json!({
        "request_id": request_id, "request_time": at, "response_time": at,
        "status": status, "summary": summary, "result": null,
    });
    Answer::json(http, &envelope)
}
