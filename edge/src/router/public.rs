//! Resolve, execute, options and unlock of a public link.

use super::{Reply, Visit, visitor};
use crate::env::Counters;
use crate::host::Port;
use crate::runtime;
use percent_encoding::percent_decode_str;
use shared::app::redeem::{self, Found, Opened};
use shared::app::unlock;
use shared::error::Why;
use shared::face::dashboard::public;
use shared::face::{Answer, JSON, MAX_BODY_BYTES};
use shared::model::password::Password;
use shared::model::token::{self, RecordKey};
use shared::{Error, Result};
use std::time::Duration;
use wasm_bindgen::JsValue;

/// Openings within this are told to the gate together.
const REPORT_PAUSE: Duration = Duration::from_secs(1);

/// Routes what comes after `/api/v1/public/shares/{token}`.
pub fn route(visit: Visit, token: &str, verb: &[&str]) -> JsValue {
    let allow = match verb {
        ["resolve"] | ["filters", _, "options"] => "GET",
        ["execute" | "unlock"] => "POST",
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
        ["unlock"] => runtime::run(unlock(visit, key)),
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

/// Opens a link for its visitor, and renews its lease in the background when that is due.
pub async fn open(visit: &Visit, key: &RecordKey) -> Result<Opened> {
    let opened = redeem::open(&visit.port, &visit.port.edge.memory, key).await?;
    if opened.renewal_due {
        renew_later(visit, key, Duration::ZERO);
    }
    let grant = if opened.needs_grant() { visitor::grant(visit, key) } else { None };
    Ok(opened.with_grant(grant))
}

/// Counts that somebody looked at what a link opens; its gate hears of it a little later.
fn count_open(visit: &Visit, key: &RecordKey) {
    if visit.port.edge.memory.count_open(key) {
        renew_later(visit, key, REPORT_PAUSE);
    }
}

fn renew_later(visit: &Visit, key: &RecordKey, pause: Duration) {
    let (port, key) = (visit.port.clone(), key.clone());
    runtime::in_background(&visit.port.context, async move {
        if !pause.is_zero() {
            runtime::sleep(pause).await;
        }
        redeem::renew(&port, &port.edge.memory, &key).await;
    });
}

async fn resolve(visit: Visit, key: Result<RecordKey>) -> JsValue {
    let answer = async {
        let key = key?;
        let opened = open(&visit, &key).await?;
        let body = opened.resolved(|live, view| public::resolve(live, view).body)?.to_vec();
        if visit.head.method == "GET" {
            count_open(&visit, &key);
        }
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

async fn unlock(visit: Visit, key: Result<RecordKey>) -> JsValue {
    let answer = async {
        let content_type = runtime::header(&visit.request, "content-type");
        let body = runtime::body(&visit.request, MAX_BODY_BYTES)
            .await
            .map_err(|_| Error::Malformed("the body broke off".to_owned()))?
            .ok_or(Error::TooLarge { limit_bytes: MAX_BODY_BYTES })?;
        let password = public::parse_unlock(content_type.as_deref(), &body)?;
        let password = password.map(|typed| Password::new(runtime::nfc(&typed.0))).transpose()?;
        let key = key?;
        let Port { edge, .. } = &visit.port;
        let opened = redeem::open(&visit.port, &edge.memory, &key).await?;
        let network = visitor::network(&visit, &key);
        let proof = (password.as_ref(), network.as_str());
        let grant = unlock::unlock(&visit.port, &edge.memory, &edge.ring, (&key, &opened), proof).await?;
        Ok((visitor::keep(public::unlock(&grant), &key, &grant), record_timing(opened.found).to_owned()))
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
