//! Tiles of a map: `GET /v1/share/tiles/{ticket}/{z}/{x}/{y}.{ext}`, and what `share.tile.render` answers. API.md 2.f to 2.m.

use super::{Reply, Visit, finish, ticketed};
use crate::router::data;
use crate::runtime;
use shared::app::map::{self, Tile};
use shared::app::redeem::Opened;
use shared::face::Answer;
use shared::face::operation::map::parse_file;
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

fn accepts_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused =
            weight.trim().strip_prefix("q=").is_some_and(|weight| weight.trim().parse() == Ok(0.0_f32));
        matches!(name.trim(), "gzip" | "x-gzip" | "*") && !refused
    })
}
