//! Tiles of a map: `GET /v1/share/tiles/{ticket}/{z}/{x}/{y}.{ext}`, and what `share.tile.render` answers. API.md 2.f to 2.m.

use super::{Reply, Visit, finish, ticketed};
use crate::router::{data, visitor};
use crate::runtime;
use shared::app::map;
use shared::app::redeem::Opened;
use shared::face::Answer;
use shared::face::operation::map::parse_file;
use shared::model::attempt::network_of;
use shared::model::item::Profile;
use shared::model::meter::Meter;
use shared::model::ticket::Kind;
use shared::model::tile::{Coordinates, Format};
use shared::model::token::RecordKey;
use shared::{Error, Result};
use wasm_bindgen::JsValue;

/// A tile by a ticket.
pub(super) async fn ticketed(visit: Visit, [ticket, z, x, file]: [String; 4]) -> JsValue {
    match visit.head.method.as_str() {
        "GET" | "HEAD" => {}
        "OPTIONS" => return Reply::preflight("GET, HEAD, OPTIONS").send(),
        _ => return finish(&visit, Err(Error::MethodNotAllowed { allow: "GET, HEAD, OPTIONS" })),
    }
    let outcome = async {
        let (y, format) = parse_file(&file)?;
        let at = Coordinates::parse(&z, &x, y)?;
        let found = ticketed::open(&visit, Kind::Tiles, &ticket).await?;
        let (_, profile) = found.find()?;
        answer(&visit, (&found.key, &found.opened, profile), at, format).await
    };
    let outcome = outcome.await;
    finish(&visit, outcome)
}

/// A tile: judged, found, counted.
pub(super) async fn answer(
    visit: &Visit,
    (key, opened, profile): (&RecordKey, &Opened, &Profile),
    at: Coordinates,
    format: Format,
) -> Result<Answer> {
    let (edge, now) = (&visit.port.edge, runtime::now());
    map::check_place(profile, at, format)?;
    edge.throttle.tile(key, network_of(visitor::address(visit)), now)?;
    map::check_budget(&edge.memory, key, opened.live()?, now)?;
    let tag = map::entity_tag(profile, at);
    let known = runtime::header(&visit.request, "if-none-match");
    let found = if known.is_some_and(|known| matches(&known, &tag)) {
        Ok((empty(304, format), true))
    } else {
        read(visit, profile, at).await
    };
    // What could not be read cost its reads.
    let (hit, bytes) = match &found {
        Ok((answer, hit)) if visit.head.method != "HEAD" => (*hit, answer.body.len()),
        Ok((_, hit)) => (*hit, 0),
        Err(_) => (false, 0),
    };
    data::count_tile(visit, key, Meter::one(hit, bytes));
    let (answer, hit) = found?;
    let is_inflated =
        profile.archive.gzip && !answer.headers.iter().any(|(name, _)| *name == "content-encoding");
    let answer = match answer.status {
        204 => answer,
        200 if is_inflated => answer.with("etag", format!("W/{tag}")),
        _ => answer.with("etag", tag),
    };
    // Kept by the visitor's browser alone, which asks each time whether it may still show it.
    let answer = answer.with("cache-control", "private, no-cache").with("vary", "accept-encoding");
    Ok(answer.with("server-timing", if hit { "cache;desc=hit" } else { "cache;desc=miss" }))
}

/// A tile as it is sent, and whether the archive was spared.
async fn read(visit: &Visit, profile: &Profile, at: Coordinates) -> Result<(Answer, bool)> {
    let edge = &visit.port.edge;
    let ranges = || edge.archive(&profile.key, Some(&profile.archive.etag));
    let tile = edge.maps.tile(profile, at, ranges).await?;
    let answer = match tile.bytes {
        Some(bytes) => packed(visit, profile, bytes.into())?,
        None => empty(204, profile.archive.format),
    };
    Ok((answer, tile.hit))
}

const fn empty(status: u16, format: Format) -> Answer {
    Answer { status, content_type: format.content_type(), headers: Vec::new(), body: Vec::new() }
}

/// Is one of the tags of `If-None-Match` this one? They are compared weakly, as RFC 9110 says.
pub(super) fn matches(known: &str, tag: &str) -> bool {
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

/// What is said of gzip itself counts before what is said of all codings.
fn accepts_gzip(accepted: &str) -> bool {
    let said = |wanted: &[&str]| {
        accepted.split(',').find_map(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let refused =
                weight.trim().strip_prefix("q=").is_some_and(|weight| weight.trim().parse() == Ok(0.0_f32));
            wanted.contains(&name.trim()).then_some(!refused)
        })
    };
    said(&["gzip", "x-gzip"]).or_else(|| said(&["*"])).unwrap_or(false)
}
