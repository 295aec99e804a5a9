//! Answers with the headers that their kind always carries.

use crate::runtime::{self, Head, HeaderSet};
use shared::Error;
use shared::face::{Answer, dashboard, data_product};
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
    (
        "access-control-expose-headers",
        "x-request-id, server-timing, retry-after, content-disposition, content-range, etag",
    ),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "cross-origin"),
];

/// Only our own scripts, styles and calls; no eval, no inline.
macro_rules! page_policy {
    () => {
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
         font-src 'self'; base-uri 'none'; form-action 'self'"
    };
}
const PAGE_POLICY: &str = page_policy!();

/// The page of a map: what draws it runs in a worker of ours. Nobody frames it.
pub fn with_workers(answer: Answer) -> Answer {
    answer
        .with("content-security-policy", format!("{PAGE_POLICY}; worker-src 'self'; frame-ancestors 'none'"))
}

/// Nobody frames a page, but for those of embeds.
const PAGE: [(&str, &str); 4] = [
    ("content-security-policy", concat!(page_policy!(), "; frame-ancestors 'none'")),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

thread_local! {
    static API_SET: HeaderSet = HeaderSet::new(&[COMMON.as_slice(), API.as_slice()].concat());
    static EMBED_SET: HeaderSet = HeaderSet::new(&[COMMON.as_slice(), EMBED.as_slice()].concat());
    static PAGE_SET: HeaderSet = HeaderSet::new(&[COMMON.as_slice(), PAGE.as_slice()].concat());
    static SEQUENCE: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// As [`API`], but only the sites that an embed names may read it: they are told one by one.
const EMBED: [(&str, &str); 4] = [
    ("access-control-expose-headers", "x-request-id, server-timing, retry-after"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("vary", "origin"),
];

/// An answer on its way out.
pub struct Reply {
    answer: Answer,
    kind: Kind,
}

/// Which headers an answer always carries.
#[derive(Clone, Copy)]
enum Kind {
    Api,
    Embed,
    Page,
}

impl Reply {
    /// An answer to a program.
    pub fn api(answer: Answer, request_id: &str) -> Self {
        Self { answer: answer.with("x-request-id", request_id.to_owned()), kind: Kind::Api }
    }

    /// An answer to a program about an embed, which a page of `reader`, an origin, may read.
    pub fn embed(answer: Answer, request_id: &str, reader: Option<String>) -> Self {
        let answer = answer.with("x-request-id", request_id.to_owned());
        let answer = match reader {
            Some(origin) => answer.with("access-control-allow-origin", origin),
            None => answer,
        };
        Self { answer, kind: Kind::Embed }
    }

    /// An answer to a person. No request id: dead links must be the same byte for byte.
    pub const fn page(answer: Answer) -> Self {
        Self { answer, kind: Kind::Page }
    }

    /// A page that sites may frame: `ancestors` is a source list.
    pub fn framed(answer: Answer, ancestors: &str) -> Self {
        let policy = format!("{PAGE_POLICY}; frame-ancestors {ancestors}");
        let answer = answer
            .with("content-security-policy", policy)
            .with("cross-origin-opener-policy", "unsafe-none")
            .with("cross-origin-resource-policy", "cross-origin");
        Self { answer, kind: Kind::Page }
    }

    /// An error in the dashboard dialect; what is ours to mend goes to the log.
    pub fn error(error: &Error, request_id: &str) -> Self {
        note(error, request_id);
        Self::api(dashboard::error::render(error, request_id), request_id)
    }

    /// An error in the dialect of a path.
    pub fn error_at(path: &str, error: &Error, request_id: &str) -> Self {
        if !path.starts_with(data_product::PREFIX) {
            return Self::error(error, request_id);
        }
        note(error, request_id);
        Self::api(data_product::render(error), request_id)
    }

    /// The answer to a CORS preflight.
    pub fn preflight(methods: &'static str) -> Self {
        let answer =
            Answer { status: 204, content_type: shared::face::JSON, headers: Vec::new(), body: Vec::new() };
        let answer = answer
            .with("access-control-allow-methods", methods)
            .with("access-control-allow-headers", "content-type, authorization, range")
            .with("access-control-max-age", "86400");
        Self { answer, kind: Kind::Api }
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

    /// The platform's own answer, with a stream as its body.
    pub fn stream(self, stream: &JsValue) -> JsValue {
        API_SET.with(|set| set.stream(&self.answer, stream))
    }

    /// The platform's own answer.
    pub fn send(self) -> JsValue {
        let set = match self.kind {
            Kind::Api => &API_SET,
            Kind::Embed => &EMBED_SET,
            Kind::Page => &PAGE_SET,
        };
        set.with(|set| set.answer(&self.answer))
    }
}

/// Writes to the log what is ours to mend.
pub fn note(error: &Error, request_id: &str) {
    if let Error::Unavailable(_) | Error::Internal(_) = error {
        runtime::log("error", &error.to_string(), request_id);
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
