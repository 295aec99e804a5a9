//! Answers with the headers that their kind always carries.

use crate::runtime::{self, Head, HeaderSet};
use shared::Error;
use shared::face::{Answer, dashboard};
use std::cell::Cell;
use wasm_bindgen::JsValue;

/// Everything: no sniffing, no referrer (tokens stand in paths), no index, no framing.
const COMMON: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-robots-tag", "noindex, nofollow"),
    ("strict-transport-security", "max-age=31536000"),
    ("cache-control", "no-store"),
];

/// Public reads carry no credential, so any site may make them.
const API: [(&str, &str); 4] = [
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "x-request-id, server-timing, retry-after"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "cross-origin"),
];

/// Only our own scripts, styles and calls; no eval, no inline, no frame.
const PAGE: [(&str, &str); 4] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
         font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

thread_local! {
    static API_SET: HeaderSet = HeaderSet::new(&[COMMON.as_slice(), API.as_slice()].concat());
    static PAGE_SET: HeaderSet = HeaderSet::new(&[COMMON.as_slice(), PAGE.as_slice()].concat());
    static SEQUENCE: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// An answer on its way out.
pub struct Reply {
    answer: Answer,
    page: bool,
}

impl Reply {
    /// An answer to a program.
    pub fn api(answer: Answer, request_id: &str) -> Self {
        Self { answer: answer.with("x-request-id", request_id.to_owned()), page: false }
    }

    /// An answer to a person. No request id: dead links must be the same byte for byte.
    pub const fn page(answer: Answer) -> Self {
        Self { answer, page: true }
    }

    /// An error in the dashboard dialect; what is ours to mend goes to the log.
    pub fn error(error: &Error, request_id: &str) -> Self {
        if let Error::Unavailable(_) | Error::Internal(_) = error {
            runtime::log("error", &error.to_string(), request_id);
        }
        Self::api(dashboard::error::render(error, request_id), request_id)
    }

    /// The answer to a CORS preflight.
    pub fn preflight(methods: &'static str) -> Self {
        let answer =
            Answer { status: 204, content_type: shared::face::JSON, headers: Vec::new(), body: Vec::new() };
        let answer = answer
            .with("access-control-allow-methods", methods)
            .with("access-control-allow-headers", "content-type, authorization")
            .with("access-control-max-age", "86400");
        Self { answer, page: false }
    }

    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: String) -> Self {
        self.answer = self.answer.with(name, value);
        self
    }

    /// Leaves the body out, as an answer to HEAD.
    pub fn without_body(mut self, head: bool) -> Self {
        if head {
            self.answer.body = Vec::new();
        }
        self
    }

    /// The platform's own answer.
    pub fn send(self) -> JsValue {
        let set = if self.page { &PAGE_SET } else { &API_SET };
        set.with(|set| set.answer(&self.answer))
    }
}

/// The caller's `X-Request-Id` if it is a harmless one, else Cloudflare's ray, else one of our own: a
/// random number for the isolate and a counter, so that no request pays for random bytes.
pub fn request_id(head: &Head) -> String {
    let harmless = |id: &&String| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    head.given_ids.iter().find(harmless).cloned().unwrap_or_else(own_request_id)
}

fn own_request_id() -> String {
    SEQUENCE.with(|sequence| {
        let (mut isolate, count) = sequence.get();
        if isolate == 0 {
            // Without random bytes ids are only less telling.
            isolate = getrandom::u64().unwrap_or(1);
        }
        sequence.set((isolate, count + 1));
        format!("req_{isolate:016x}{count:x}")
    })
}
