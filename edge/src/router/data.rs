//! What links and embeds have in common: opening, rows, options.

use super::{Reply, Visit};
use crate::runtime;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use shared::app::redeem::{self, Found, Opened};
use shared::face::dashboard::{error, public};
use shared::face::{Answer, MAX_BODY_BYTES};
use shared::model::access::Pass;
use shared::model::meter::Meter;
use shared::model::token::RecordKey;
use shared::{Error, Result};
use std::time::Duration;
use wasm_bindgen::JsValue;

/// Openings within this are told to the gate together.
const REPORT_PAUSE: Duration = Duration::from_secs(1);

/// What a visitor came with, checked as far as that needs no I/O.
pub trait Ticket {
    /// The record of what it opens.
    ///
    /// # Errors
    /// [`Error::Dead`].
    fn key(&self) -> Result<&RecordKey>;

    /// What the access decision needs to know; `needs_grant` says that a link's record asks for a grant.
    fn pass(&self, visit: &Visit, key: &RecordKey, needs_grant: bool) -> Pass;

    /// Is told what was opened.
    ///
    /// # Errors
    /// As [`Opened::live`].
    fn opened(&self, _visit: &Visit, opened: &Opened) -> Result<()> {
        opened.live().map(drop)
    }

    /// The answer with the headers of its kind.
    fn reply(&self, answer: Answer, visit: &Visit) -> Reply;
}

/// Opens what a ticket is for, and renews its lease in the background when that is due.
pub async fn open(visit: &Visit, ticket: &impl Ticket) -> Result<Opened> {
    let key = ticket.key()?;
    let opened = redeem::open(&visit.port, &visit.port.edge.memory, key).await?;
    if opened.renewal_due {
        renew_later(visit, key, Duration::ZERO);
    }
    let pass = ticket.pass(visit, key, opened.needs_grant());
    let opened = opened.with_pass(pass);
    ticket.opened(visit, &opened)?;
    Ok(opened)
}

/// Counts that somebody looked at what a record opens; its gate hears of it a little later.
pub fn count_open(visit: &Visit, key: &RecordKey) {
    if visit.port.edge.memory.counts.open(key) {
        renew_later(visit, key, REPORT_PAUSE);
    }
}

/// Counts a tile; its gate hears of it a little later.
pub fn count_tile(visit: &Visit, key: &RecordKey, tile: Meter) {
    if visit.port.edge.memory.counts.tile(key, tile) {
        renew_later(visit, key, REPORT_PAUSE);
    }
}

/// Renews a lease in the background.
pub fn renew_later(visit: &Visit, key: &RecordKey, pause: Duration) {
    let (port, key) = (visit.port.clone(), key.clone());
    runtime::in_background(&visit.port.context, async move {
        if !pause.is_zero() {
            runtime::sleep(pause).await;
        }
        redeem::renew(&port, &port.edge.memory, &key).await;
    });
}

/// The answer to a preflight, or to a method that the path does not take; `None` for one that it does.
pub fn check_method(visit: &Visit, allow: &str) -> Option<Reply> {
    let methods = if allow == "GET" { "GET, HEAD, OPTIONS" } else { "POST, OPTIONS" };
    match visit.head.method.as_str() {
        "OPTIONS" => Some(Reply::preflight(methods)),
        "HEAD" if allow == "GET" => None,
        method if method == allow => None,
        _ => Some(Reply::error(&Error::MethodNotAllowed { allow: methods }, &visit.request_id)),
    }
}

/// A part of a path.
pub fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// A JSON request's type and body.
pub async fn body(visit: &Visit) -> Result<(Option<String>, Vec<u8>)> {
    let content_type = runtime::header(&visit.request, "content-type");
    let body = runtime::body(&visit.request, MAX_BODY_BYTES)
        .await
        .map_err(|_| Error::Malformed("the body broke off".to_owned()))?
        .ok_or(Error::TooLarge { limit_bytes: MAX_BODY_BYTES })?;
    Ok((content_type, body))
}

/// Rows. What is asked is judged before the ticket, so that a bad request looks the same with any.
pub async fn execute(visit: Visit, ticket: impl Ticket) -> JsValue {
    let answer = async {
        let (content_type, body) = body(&visit).await?;
        let asked = public::parse_execute(content_type.as_deref(), &body)?;
        let opened = open(&visit, &ticket).await?;
        rows(&visit, &ticket, &opened, &asked).await
    };
    let outcome = answer.await;
    finish(&visit, &ticket, outcome)
}

/// Rows of what was opened, and what they took.
pub async fn rows(
    visit: &Visit,
    ticket: &impl Ticket,
    opened: &Opened,
    asked: &Map<String, Value>,
) -> Result<(Answer, String)> {
    let begun = runtime::now();
    let done = redeem::execute(&visit.port, &visit.port.edge.memory, ticket.key()?, opened, asked).await?;
    let cache = match (done.freshness.hit, done.freshness.stale) {
        (_, true) => "stale",
        (true, false) => "hit",
        (false, false) => "miss",
    };
    let origin = runtime::now().since(begun).as_millis();
    let timing = format!("{}, cache;desc={cache}, origin;dur={origin}", record_timing(opened.found));
    Ok((public::execute(&done.json, done.freshness), timing))
}

/// Options of a filter.
pub async fn options(visit: Visit, ticket: impl Ticket, slug: String) -> JsValue {
    let answer = async {
        let search = search(&visit)?;
        let opened = open(&visit, &ticket).await?;
        choices(&visit, &ticket, &opened, (&slug, search.as_deref())).await
    };
    let outcome = answer.await;
    finish(&visit, &ticket, outcome)
}

/// What the viewer typed to narrow options.
pub fn search(visit: &Visit) -> Result<Option<String>> {
    let mut pairs = form_urlencoded::parse(visit.head.query().as_bytes());
    let search = pairs.find(|(name, _)| name == "search").map(|(_, value)| value.into_owned());
    public::check_search(search)
}

/// Options of a filter of what was opened, and what they took.
pub async fn choices(
    visit: &Visit,
    ticket: &impl Ticket,
    opened: &Opened,
    (slug, search): (&str, Option<&str>),
) -> Result<(Answer, String)> {
    let begun = runtime::now();
    let memory = &visit.port.edge.memory;
    let found = redeem::options(&visit.port, memory, ticket.key()?, opened, slug, search).await?;
    let answer = public::options(slug, &found, search);
    let origin = runtime::now().since(begun).as_millis();
    Ok((answer, format!("{}, origin;dur={origin}", record_timing(opened.found))))
}

/// Sends an answer and what it took, or an error.
pub fn finish(visit: &Visit, ticket: &impl Ticket, outcome: Result<(Answer, String)>) -> JsValue {
    let reply = match outcome {
        Ok((answer, timing)) => ticket.reply(answer, visit).with("server-timing", timing),
        Err(error) => {
            super::reply::note(&error, &visit.request_id);
            ticket.reply(error::render(&error, &visit.request_id), visit)
        }
    };
    reply.without_body(visit.head.method == "HEAD").send()
}

/// `Server-Timing`: where the record came from, and what was asked of the gate.
pub const fn record_timing(found: Found) -> &'static str {
    match found {
        Found::Lease => "record;desc=memory, gate;desc=lease",
        Found::Confirmed => "record;desc=memory, gate;desc=asked",
        Found::Kv => "record;desc=kv, gate;desc=asked",
        Found::Gate => "record;desc=gate, gate;desc=asked",
        Found::Grace => "record;desc=memory, gate;desc=down",
    }
}
