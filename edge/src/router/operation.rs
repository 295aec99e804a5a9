//! The operation dialect (seed 002): `/v1/op/{operation}` and `/v1/share/...`. Links are made and revoked by the control plane;
//! what visitors ask of a map is answered here.

use super::data;
use super::{Reply, Visit, manage, visitor};
use crate::env::Counters;
use crate::runtime;
use futures_util::future::join;
use serde_json::{Map, Value};
use shared::app::map::{self, Proof, Tile};
use shared::app::redeem::{self, Opened};
use shared::error::Why;
use shared::face::Answer;
use shared::face::operation::{self as face, Asked, Credentials};
use shared::model::access::Pass;
use shared::model::api_key;
use shared::model::grant::Grant;
use shared::model::item::Profile;
use shared::model::meter::Meter;
use shared::model::password::Password;
use shared::model::ticket::{self, Kind, Ticket};
use shared::model::tile::{Coordinates, Format};
use shared::model::token::{self, RecordKey};
use shared::{Error, Result};
use std::time::Duration;
use wasm_bindgen::JsValue;

/// What a caller of these operations needs who comes with an API key.
const SCOPE: &str = "shares:read";

/// What a visitor asks.
#[derive(Clone, Copy)]
enum Operation {
    Validate,
    Tile,
    Tilejson,
}

/// Routes what comes after `/v1`, if it is of this dialect.
pub fn route(visit: Visit, rest: &[&str]) -> JsValue {
    let operation = match rest {
        ["op", "share.link.validate"] | ["share", "link", "validate"] => Operation::Validate,
        ["op", "share.tile.render"] | ["share", "tile", "render"] => Operation::Tile,
        ["op", "share.tilejson"] | ["share", "tilejson"] => Operation::Tilejson,
        ["op", "share.link.create" | "share.link.revoke"] | ["share", "link", "create" | "revoke"] => {
            return runtime::run(manage::forward(visit));
        }
        ["share", "tiles", ticket, z, x, file] => {
            let place = [ticket, z, x, file].map(|part| (*part).to_owned());
            return runtime::run(ticketed(visit, place));
        }
        _ => return finish(&visit, Err(Error::NotFound("operation"))),
    };
    match visit.head.method.as_str() {
        "POST" => runtime::run(perform(visit, operation)),
        "OPTIONS" => Reply::preflight("POST, OPTIONS").send(),
        _ => finish(&visit, Err(Error::MethodNotAllowed { allow: "POST, OPTIONS" })),
    }
}

fn finish(visit: &Visit, outcome: Result<Answer>) -> JsValue {
    let reply = match outcome {
        Ok(answer) => Reply::api(answer, &visit.request_id),
        Err(error) => {
            super::reply::note(&error, &visit.request_id);
            Reply::api(face::error::render(&error), &visit.request_id)
        }
    };
    reply.without_body(visit.head.method == "HEAD").send()
}

async fn perform(visit: Visit, operation: Operation) -> JsValue {
    let outcome = async {
        // A request that is wrong is so whatever it is about, and costs no I/O.
        let (content_type, body) = data::body(&visit).await?;
        let body = face::parse(content_type.as_deref(), &body)?;
        match operation {
            Operation::Validate => validate(&visit, &body).await,
            Operation::Tile => render(&visit, &body).await,
            Operation::Tilejson => tilejson(&visit, &body).await,
        }
    };
    let outcome = outcome.await;
    finish(&visit, outcome)
}

/// The API key of a visitor who has one: it must be good, though none is needed. API.md 2.a.
async fn check_caller(visit: &Visit) -> Result<()> {
    let header = |name| runtime::header(&visit.request, name);
    let presented = match (header("authorization"), header("x-api-key")) {
        (None, None) if visit.port.edge.redeem_requires_bearer => return Err(Error::Unauthenticated),
        (None, None) => return Ok(()),
        (Some(_), None) => visitor::bearer(visit),
        (None, Some(key)) => Some(key),
        (Some(_), Some(key)) => visitor::bearer(visit).filter(|bearer| *bearer == key),
    };
    let key = presented.filter(|key| api_key::well_formed(key).is_some()).ok_or(Error::Unauthenticated)?;
    let client = header("cf-connecting-ip").and_then(|address| address.parse().ok());
    let scopes = visit.port.key_scopes(api_key::hash(&key), client).await?;
    if scopes.iter().any(|scope| scope == SCOPE) { Ok(()) } else { Err(Error::Forbidden { scope: SCOPE }) }
}

/// A map that a visitor may see.
struct Admitted {
    key: RecordKey,
    opened: Opened,
    grant: Grant,
    /// By what an earlier visit left, and not by a password or a ticket for renewals.
    by_cookie: bool,
}

/// `cookies` says that the page's own grant is as good as the password.
async fn admit(visit: &Visit, given: &Credentials, cookies: bool) -> Result<Admitted> {
    let edge = &visit.port.edge;
    let key = token::locate(&edge.ring, &given.token).ok_or_else(|| {
        Counters::add(&edge.counters.forged);
        Error::Dead(Why::Forged)
    });
    let password = given.password.clone().map(|typed| Password::new(runtime::nfc(&typed.0))).transpose()?;
    let admitted = async {
        let key = key?;
        let held = if cookies && password.is_none() { visitor::map_grant(visit, &key) } else { None };
        let network = visitor::network(visit, &key);
        let proof = Proof {
            token: &given.token,
            grant: held.as_ref().map(|(grant, _)| grant.clone()),
            password: password.as_ref(),
            network: &network,
        };
        let (opened, grant) = map::admit(&visit.port, &edge.memory, &edge.ring, &key, &proof).await?;
        Ok(Admitted { key, opened, grant, by_cookie: held.is_some_and(|(_, by_password)| by_password) })
    };
    // Both at once: a good key costs a visitor no time.
    let (caller, admitted) = join(check_caller(visit), admitted).await;
    caller.and(admitted)
}

async fn validate(visit: &Visit, body: &Map<String, Value>) -> Result<Answer> {
    let given = face::parse_validate(body)?;
    let Admitted { opened, .. } = admit(visit, &given, false).await?;
    Ok(face::validated(opened.live()?))
}

async fn tilejson(visit: &Visit, body: &Map<String, Value>) -> Result<Answer> {
    let (given, asked) = face::parse_tilejson(body)?;
    let Admitted { key, opened, grant, by_cookie } = admit(visit, &given, true).await?;
    let (item, profile) = asked.find(&opened.live()?.target)?;
    let ring = &visit.port.edge.ring;
    let make = |kind, item, profile: &str| {
        let ticket = Ticket { key: key.clone(), grant: grant.clone(), item, profile: profile.to_owned() };
        ticket::issue(ring, kind, &ticket, runtime::now())
            .ok_or_else(|| Error::Internal("no ticket can be made".to_owned()))
    };
    let answer =
        face::tilejson(item, profile, visit.head.origin(), &make(Kind::Tiles, item.id, &profile.name)?);
    if !by_cookie {
        return Ok(answer);
    }
    // The page goes on by this when its grant has ended, a day at most after the password was given.
    Ok(visitor::keep_renewal(answer, &key, &make(Kind::Renewal, uuid::Uuid::nil(), "")?))
}

async fn render(visit: &Visit, body: &Map<String, Value>) -> Result<Answer> {
    let asked = face::parse_tile(body)?;
    let Admitted { key, opened, .. } = admit(visit, &asked.credentials, false).await?;
    let (_, profile) = asked.asked.find(&opened.live()?.target)?;
    answer_tile(visit, (&key, &opened, profile), asked.at, asked.format).await
}

/// `GET /v1/share/tiles/{ticket}/{z}/{x}/{y}.{ext}`
async fn ticketed(visit: Visit, [ticket, z, x, file]: [String; 4]) -> JsValue {
    match visit.head.method.as_str() {
        "GET" | "HEAD" => {}
        "OPTIONS" => return Reply::preflight("GET, HEAD, OPTIONS").send(),
        _ => return finish(&visit, Err(Error::MethodNotAllowed { allow: "GET, HEAD, OPTIONS" })),
    }
    let outcome = async {
        let (y, format) = face::parse_file(&file)?;
        let at = Coordinates::parse(&z, &x, y)?;
        let edge = &visit.port.edge;
        let ticket = ticket::verify(&edge.ring, Kind::Tiles, &ticket, runtime::now()).ok_or_else(|| {
            Counters::add(&edge.counters.forged);
            Error::Dead(Why::Forged)
        })?;
        let opened = redeem::open_ticketed(&visit.port, &edge.memory, &ticket.key).await?;
        if opened.renewal_due {
            data::renew_later(&visit, &ticket.key, Duration::ZERO);
        }
        let opened = opened.with_pass(Pass::Link(Some(ticket.grant)));
        let asked = Asked { profile: Some(ticket.profile), item: Some(ticket.item) };
        let (_, profile) = asked.find(&map::map_of(opened.live()?)?.target)?;
        answer_tile(&visit, (&ticket.key, &opened, profile), at, format).await
    };
    let outcome = outcome.await;
    finish(&visit, outcome)
}

/// A tile: judged, found, counted.
async fn answer_tile(
    visit: &Visit,
    (key, opened, profile): (&RecordKey, &Opened, &Profile),
    at: Coordinates,
    format: Format,
) -> Result<Answer> {
    let edge = &visit.port.edge;
    map::check_place(profile, at, format)?;
    map::check_budget(&edge.memory, key, opened.live()?, runtime::now())?;
    let tag = map::entity_tag(profile, at);
    let known = runtime::header(&visit.request, "if-none-match");
    let (tile, unchanged) = if known.is_some_and(|known| matches(&known, &tag)) {
        (Tile { bytes: None, hit: true }, true)
    } else {
        let ranges = || visit.port.edge.archive(&profile.key, Some(&profile.archive.etag));
        (edge.maps.tile(profile, at, ranges).await?, false)
    };
    let mut answer = match tile.bytes {
        Some(bytes) => packed(visit, profile, bytes.into())?,
        None => Answer {
            status: if unchanged { 304 } else { 204 },
            content_type: format.content_type(),
            headers: Vec::new(),
            body: Vec::new(),
        },
    };
    data::count_tile(visit, key, Meter::one(tile.hit, answer.body.len()));
    if answer.status != 204 {
        answer = answer.with("etag", tag);
    }
    // Kept by the visitor's browser alone, which asks each time whether it may still show it.
    let answer = answer.with("cache-control", "private, no-cache").with("vary", "accept-encoding");
    Ok(answer.with("server-timing", if tile.hit { "cache;desc=hit" } else { "cache;desc=miss" }))
}

/// Is one of the tags of `If-None-Match` this one? They are compared weakly, as RFC 9110 says.
fn matches(known: &str, tag: &str) -> bool {
    known.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// The stored bytes as they are. Those that are stored with gzip are inflated for whoever does not take it.
fn packed(visit: &Visit, profile: &Profile, body: Vec<u8>) -> Result<Answer> {
    let answer = Answer {
        status: 200,
        content_type: profile.archive.format.content_type(),
        headers: Vec::new(),
        body,
    };
    if !profile.archive.gzip {
        return Ok(answer);
    }
    if accepts_gzip(&runtime::client_encodings(&visit.request)) {
        return Ok(answer.with("content-encoding", "gzip"));
    }
    Ok(Answer { body: shared::app::archive::inflate(&answer.body)?, ..answer })
}

fn accepts_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused =
            weight.trim().strip_prefix("q=").is_some_and(|weight| weight.trim().parse() == Ok(0.0_f32));
        matches!(name.trim(), "gzip" | "x-gzip" | "*") && !refused
    })
}
