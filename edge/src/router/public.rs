//! Resolve, execute and options of a public link.

use super::{Reply, Visit};
use crate::env::Counters;
use crate::runtime;
use percent_encoding::percent_decode_str;
use shared::app::redeem::{self, Found, Opened};
use shared::error::Why;
use shared::face::dashboard::public;
use shared::face::{Answer, JSON, MAX_BODY_BYTES};
use shared::model::token::{self, RecordKey};
use shared::{Error, Result};
use wasm_bindgen::JsValue;

/// Routes what comes after `/api/v1/public/shares/{token}`.
pub fn route(visit: Visit, token: &str, verb: &[&str]) -> JsValue {
    let allow = match verb {
        ["resolve"] | ["filters", _, "options"] => "GET",
        ["execute"] => "POST",
        _ => return Reply::error(&Error::NotFound("path"), &visit.request_id).send(),
    };
    let method = visit.head.method.as_str();
    if method == "OPTIONS" {
        return Reply::preflight(if allow == "GET" { "GET, HEAD, OPTIONS" } else { "POST, OPTIONS" }).send();
    }
    if method != allow && !(allow == "GET" && method == "HEAD") {
        let allow = if allow == "GET" { "GET, HEAD, OPTIONS" } else { "POST, OPTIONS" };
        return Reply::error(&Error::MethodNotAllowed { allow }, &visit.request_id).send();
    }
    let key = locate(&visit, token);
    // What is asked is judged before the link, so that a bad request looks the same on any link.
    match verb {
        ["resolve"] => runtime::run(resolve(visit, key)),
        ["filters", slug, "options"] => {
            let slug = percent_decode_str(slug).decode_utf8_lossy().into_owned();
            runtime::run(options(visit, key, slug))
        }
        _ => runtime::run(execute(visit, key)),
    }
}

/// Checks the token by its tag: a guess costs no I/O.
pub fn locate(visit: &Visit, token: &str) -> Result<RecordKey> {
    token::locate(&visit.port.edge.ring, token).ok_or_else(|| {
        Counters::add(&visit.port.edge.counters.forged);
        Error::Dead(Why::Forged)
    })
}

/// Opens a link, and renews its lease in the background when that is due.
pub async fn open(visit: &Visit, key: &RecordKey) -> Result<Opened> {
    let opened = redeem::open(&visit.port, &visit.port.edge.memory, key).await?;
    if opened.renewal_due {
        let (port, key) = (visit.port.clone(), key.clone());
        runtime::in_background(&visit.port.context, async move {
            redeem::renew(&port, &port.edge.memory, &key).await;
        });
    }
    Ok(opened)
}

async fn resolve(visit: Visit, key: Result<RecordKey>) -> JsValue {
    let answer = async {
        let key = key?;
        let opened = open(&visit, &key).await?;
        let body = opened.resolved(|live, view| public::resolve(live, view).body)?.to_vec();
        Ok((
            Answer { status: 200, content_type: JSON, headers: Vec::new(), body },
            record_timing(opened.found).to_owned(),
        ))
    };
    finish(&visit, answer.await)
}

async fn execute(visit: Visit, key: Result<RecordKey>) -> JsValue {
    let answer = async {
        let content_type = runtime::header(&visit.request, "content-type");
        let body = runtime::body(&visit.request, MAX_BODY_BYTES)
            .await
            .map_err(|_| Error::Malformed("the body broke off".to_owned()))?
            .ok_or(Error::TooLarge { limit_bytes: MAX_BODY_BYTES })?;
        let asked = public::parse_execute(content_type.as_deref(), &body)?;
        let key = key?;
        let opened = open(&visit, &key).await?;
        let begun = runtime::now();
        let done = redeem::execute(&visit.port, &visit.port.edge.memory, &key, &opened, &asked).await?;
        let cache = match (done.freshness.hit, done.freshness.stale) {
            (_, true) => "stale",
            (true, false) => "hit",
            (false, false) => "miss",
        };
        let origin = runtime::now().since(begun).as_millis();
        let timing = format!("{}, cache;desc={cache}, origin;dur={origin}", record_timing(opened.found));
        Ok((public::execute(&done.json, done.freshness), timing))
    };
    finish(&visit, answer.await)
}

async fn options(visit: Visit, key: Result<RecordKey>, slug: String) -> JsValue {
    let answer = async {
        let search = form_urlencoded::parse(visit.head.query().as_bytes())
            .find(|(name, _)| name == "search")
            .map(|(_, value)| value.into_owned());
        let search = public::check_search(search)?;
        let key = key?;
        let opened = open(&visit, &key).await?;
        let begun = runtime::now();
        let memory = &visit.port.edge.memory;
        let found = redeem::options(&visit.port, memory, &key, &opened, &slug, search.as_deref()).await?;
        let answer = public::options(&slug, &found, search.as_deref());
        let origin = runtime::now().since(begun).as_millis();
        Ok((answer, format!("{}, origin;dur={origin}", record_timing(opened.found))))
    };
    finish(&visit, answer.await)
}

fn finish(visit: &Visit, outcome: Result<(Answer, String)>) -> JsValue {
    let reply = match outcome {
        Ok((answer, timing)) => Reply::api(answer, &visit.request_id).with("server-timing", timing),
        Err(error) => Reply::error(&error, &visit.request_id),
    };
    reply.without_body(visit.head.method == "HEAD").send()
}

/// `Server-Timing`: where the record came from, and what was asked of the gate.
const fn record_timing(found: Found) -> &'static str {
    match found {
        Found::Lease => "record;desc=memory, gate;desc=lease",
        Found::Confirmed => "record;desc=memory, gate;desc=asked",
        Found::Kv => "record;desc=kv, gate;desc=asked",
        Found::Gate => "record;desc=gate, gate;desc=asked",
        Found::Grace => "record;desc=memory, gate;desc=down",
    }
}
