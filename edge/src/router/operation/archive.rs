//! The archive behind a map, whole or by range, for visitors whose link permits it: `GET /v1/share/archives/{ticket}`, an extension.
//! API.md 2.l; RELIABILITY.md G8, G9.

use super::tile::matches;
use super::{Reply, Visit, finish, ticketed};
use crate::bucket;
use crate::router::data;
use crate::runtime;
use shared::app::map;
use shared::error::Why;
use shared::face::Answer;
use shared::face::range::{self, Wanted};
use shared::model::file_name;
use shared::model::item::Profile;
use shared::model::meter::Meter;
use shared::model::share::Permission;
use shared::model::ticket::Kind;
use shared::{Error, Result};
use wasm_bindgen::JsValue;

const MEDIA_TYPE: &str = "application/vnd.pmtiles";
/// Longest wait for the beginning.
const LIMIT_MS: u32 = 8_000;

/// The archive by a ticket.
pub(super) async fn ticketed(visit: Visit, ticket: String) -> JsValue {
    match visit.head.method.as_str() {
        "GET" | "HEAD" => {}
        "OPTIONS" => return Reply::preflight("GET, HEAD, OPTIONS").send(),
        _ => return finish(&visit, Err(Error::MethodNotAllowed { allow: "GET, HEAD, OPTIONS" })),
    }
    match answer(&visit, &ticket).await {
        Ok(answer) => answer,
        Err(error) => finish(&visit, Err(error)),
    }
}

async fn answer(visit: &Visit, ticket: &str) -> Result<JsValue> {
    let found = ticketed::open(visit, Kind::Archive, ticket).await?;
    let live = found.opened.live()?;
    if live.share.permission != Permission::Download {
        return Err(Error::Dead(Why::Forged));
    }
    let (item, profile) = found.find()?;
    let edge = &visit.port.edge;
    // Each range counts as a tile, so that nobody reads an archive again and again at its sharer's cost.
    map::check_budget(&edge.memory, &found.key, live, runtime::now())?;
    let tag = format!("\"{}\"", profile.archive.etag);
    let file = file_name::harmless(&format!("{} {}", item.name, profile.name), "pmtiles");
    let head = Answer { status: 200, content_type: MEDIA_TYPE, headers: Vec::new(), body: Vec::new() }
        .with("accept-ranges", "bytes")
        .with("cache-control", "private, no-cache")
        .with("content-disposition", format!("attachment; filename=\"{file}\""))
        .with("etag", tag.clone());
    let header = |name| runtime::header(&visit.request, name);
    let (reply, sent) = if header("if-none-match").is_some_and(|known| matches(&known, &tag)) {
        (Reply::api(Answer { status: 304, ..head }, &visit.request_id).send(), 0)
    } else if visit.head.method == "HEAD" {
        let length = profile.archive.bytes.to_string();
        (Reply::api(head.with("content-length", length), &visit.request_id).send(), 0)
    } else {
        // A range of other bytes than the visitor knows would be no use.
        let in_parts = header("if-range").is_none_or(|known| known == tag);
        let range = header("range").filter(|_| in_parts);
        read(visit, head, profile, range::wanted(range.as_deref(), profile.archive.bytes)).await?
    };
    data::count_tile(visit, &found.key, Meter::one(false, sent));
    Ok(reply)
}

/// What the bucket gives, passed on without being read here, and how many bytes that are.
async fn read(visit: &Visit, head: Answer, profile: &Profile, wanted: Wanted) -> Result<(JsValue, usize)> {
    let bytes = profile.archive.bytes;
    let (answer, offset, length) = match wanted {
        Wanted::Whole => (head, 0, bytes),
        Wanted::Part(range) => {
            let (first, last) = range.into_inner();
            let answer = Answer { status: 206, ..head };
            let answer = answer.with("content-range", format!("bytes {first}-{last}/{bytes}"));
            (answer, first, last - first + 1)
        }
        Wanted::Nothing => {
            let answer = Answer { status: 416, ..head }.with("content-range", format!("bytes */{bytes}"));
            return Ok((Reply::api(answer, &visit.request_id).send(), 0));
        }
    };
    let (tiles, tag) = (&visit.port.edge.tiles, &profile.archive.etag);
    let opened = bucket::open_object(tiles, &profile.key, tag, (offset, length), LIMIT_MS).await;
    let stream = opened
        .map_err(|error| Error::Unavailable(format!("R2: {error:?}")))?
        .ok_or_else(|| Error::Unavailable("archive: it is another than was registered".to_owned()))?;
    let reply = Reply::api(answer, &visit.request_id).stream(&stream);
    Ok((reply, usize::try_from(length).unwrap_or(usize::MAX)))
}
