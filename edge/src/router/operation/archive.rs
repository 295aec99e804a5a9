//! The archive behind a map, whole or by range, for visitors whose link permits it: `GET /v1/share/archives/{ticket}`, an extension.
//! API.md 2.l; RELIABILITY.md G8, G9.

use super::ticketed::{self, Ticketed};
use super::tile::matches;
use super::{Reply, Visit, finish};
use crate::bucket;
use crate::host::Port;
use crate::router::{data, visitor};
use crate::runtime;
use futures_util::future::{Either, select};
use shared::app::{map, redeem};
use shared::error::Why;
use shared::face::Answer;
use shared::face::range::{self, Wanted};
use shared::model::access::Pass;
use shared::model::attempt::network_of;
use shared::model::file_name;
use shared::model::item::Profile;
use shared::model::meter::Meter;
use shared::model::share::Permission;
use shared::model::ticket::Kind;
use shared::model::token::RecordKey;
use shared::{Error, Result};
use std::pin::pin;
use std::time::Duration;
use wasm_bindgen::JsValue;

const MEDIA_TYPE: &str = "application/vnd.pmtiles";
/// Longest wait for the beginning.
const LIMIT_MS: u32 = 8_000;
/// A range is counted as so many bytes at least: a shorter one costs the bucket no less.
const LEAST_BYTES: usize = 64 * 1024;
/// How often a download asks whether its link still opens: a lease has ended by then, so each time costs a call of its gate.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// How long it waits for the gate's word.
const PATIENCE: Duration = Duration::from_secs(3);
/// When there is room for another download, as far as anybody can say.
const FULL_PAUSE: Duration = Duration::from_secs(10);

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
    let (edge, now) = (&visit.port.edge, runtime::now());
    edge.throttle.tile(&found.key, network_of(visitor::address(visit)), now)?;
    // Each range counts as a tile, so that nobody reads an archive again and again at its sharer's cost.
    map::check_budget(&edge.memory, &found.key, live, now)?;
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
        read(visit, head, &found, profile, range::wanted(range.as_deref(), profile.archive.bytes)).await?
    };
    data::count_tile(visit, &found.key, Meter::one(sent == 0, sent));
    Ok(reply)
}

/// What the bucket gives, passed on without being read here, and how many bytes that are.
async fn read(
    visit: &Visit,
    head: Answer,
    found: &Ticketed,
    profile: &Profile,
    wanted: Wanted,
) -> Result<(JsValue, usize)> {
    let bytes = profile.archive.bytes;
    let (answer, offset, length, least) = match wanted {
        Wanted::Whole => (head, 0, bytes, 0),
        Wanted::Part(range) => {
            let (first, last) = range.into_inner();
            let answer = Answer { status: 206, ..head };
            let answer = answer.with("content-range", format!("bytes {first}-{last}/{bytes}"));
            (answer, first, last - first + 1, LEAST_BYTES)
        }
        Wanted::Nothing => {
            let answer = Answer { status: 416, ..head }.with("content-range", format!("bytes */{bytes}"));
            return Ok((Reply::api(answer, &visit.request_id).send(), 0));
        }
    };
    let place = Place::take(visit, found)?;
    let (tiles, tag) = (&visit.port.edge.tiles, &profile.archive.etag);
    let opened = bucket::open_object(tiles, &profile.key, tag, (offset, length), LIMIT_MS).await;
    let stream = opened
        .map_err(|error| Error::Unavailable(format!("R2: {error:?}")))?
        .ok_or_else(|| Error::Unavailable("archive: it is another than was registered".to_owned()))?;
    let guarded = bucket::Guarded::new(&stream, length);
    let reply = Reply::api(answer, &visit.request_id).stream(&guarded.stream);
    place.watch(found.pass(), guarded);
    Ok((reply, usize::try_from(length).unwrap_or(usize::MAX).max(least)))
}

/// A place among those who are sent archives, until it is dropped; however slowly they read.
struct Place {
    port: Port,
    key: RecordKey,
    id: u64,
}

impl Place {
    /// # Errors
    /// [`Error::Throttled`] when there is none.
    fn take(visit: &Visit, found: &Ticketed) -> Result<Self> {
        let who = (found.key.clone(), network_of(visitor::address(visit)));
        let id = visit.port.edge.downloads.borrow_mut().enter(who, runtime::now());
        let id = id.ok_or(Error::Throttled { retry_after: FULL_PAUSE })?;
        Ok(Self { port: visit.port.clone(), key: found.key.clone(), id })
    }

    /// Keeps the place until the download has ended, and breaks that off soon after its link's end. Each look is a task of its own: the
    /// executor gives up what is some minutes old.
    fn watch(self, pass: Pass, download: bucket::Guarded) {
        runtime::meanwhile(async move {
            if !self.port.edge.downloads.borrow_mut().keep(self.id, runtime::now()) {
                return;
            }
            {
                let ended = pin!(runtime::settled(&download.ended));
                if let Either::Left(_) = select(ended, pin!(runtime::sleep(CHECK_EVERY))).await {
                    return;
                }
            }
            let is_open = match select(pin!(self.is_open(&pass)), pin!(runtime::sleep(PATIENCE))).await {
                Either::Left((is_open, _)) => is_open,
                Either::Right(_) => false,
            };
            if is_open {
                self.watch(pass, download);
            }
        });
    }

    async fn is_open(&self, pass: &Pass) -> bool {
        let Self { port, key, .. } = self;
        let opened = redeem::open_ticketed(port, &port.edge.memory, key).await;
        opened.is_ok_and(|opened| opened.with_pass(pass.clone()).live().is_ok())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.port.edge.downloads.borrow_mut().leave(self.id);
    }
}
