//! Who opened what, on its way to the control plane. An isolate tells it in batches, a second late, and keeps what it could not tell
//! until the next one: rows are served whether or not anybody can be told.

use crate::env::Edge;
use crate::host::Port;
use crate::runtime::{self, ControlCall};
use shared::call::{self, ACCESS_PATH, Access, AccessReport, Action, MAX_ACCESSES};
use shared::model::portal::Membership;
use shared::time::Millis;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use uuid::{Builder, Uuid};

/// What happens within this is told together.
const PAUSE: Duration = Duration::from_secs(1);
/// Pauses before a report that failed is sent again; after the last the next access sends it.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// Most reports of one request: the platform gives what goes on in the background half a minute.
const MOST_REPORTS: usize = 10;
/// Whoever undertook to tell it and has not by then was stopped.
const TELLING_LIMIT: Duration = Duration::from_secs(30);
/// Most entries that wait; the oldest are forgotten, and the log says so.
const MOST_WAITING: usize = 10_000;
/// Longest that a report may take, in milliseconds.
const LIMIT_MS: u32 = 3_000;

/// What this isolate has yet to tell.
#[derive(Default)]
pub struct Waiting {
    entries: RefCell<Vec<Access>>,
    /// Since when a request has undertaken to tell it.
    telling_since: Cell<Option<Millis>>,
}

/// Notes an access.
pub fn note(port: &Port, share: Uuid, (membership, session): (Membership, Uuid), action: Action) {
    let at = runtime::now();
    let mut random = [0; 10];
    // Without random bytes two entries of one millisecond would be taken for one.
    if getrandom::fill(&mut random).is_err() {
        return;
    }
    let id =
        Builder::from_unix_timestamp_millis(u64::try_from(at.0).unwrap_or_default(), &random).into_uuid();
    let Membership { context, member, .. } = membership;
    let waiting = &port.edge.accesses;
    let mut entries = waiting.entries.borrow_mut();
    if entries.len() >= MOST_WAITING {
        entries.remove(0);
        runtime::log("error", "an access was forgotten: the control plane has been out of reach", "");
    }
    entries.push(Access { id, share, context, member, session, action, at });
    drop(entries);
    if waiting.telling_since.get().is_some_and(|since| at.since(since) < TELLING_LIMIT) {
        return;
    }
    waiting.telling_since.set(Some(at));
    let edge = Rc::clone(&port.edge);
    runtime::in_background(&port.context, async move {
        runtime::sleep(PAUSE).await;
        tell_all(&edge).await;
        edge.accesses.telling_since.set(None);
    });
}

async fn tell_all(edge: &Edge) {
    let mut pauses = RETRY_PAUSES.into_iter();
    for _ in 0..MOST_REPORTS {
        let entries: Vec<Access> =
            edge.accesses.entries.borrow().iter().take(MAX_ACCESSES).cloned().collect();
        if entries.is_empty() {
            return;
        }
        let told: Vec<Uuid> = entries.iter().map(|entry| entry.id).collect();
        if tell(edge, AccessReport { entries }).await {
            edge.accesses.entries.borrow_mut().retain(|entry| !told.contains(&entry.id));
            continue;
        }
        let Some(pause) = pauses.next() else { return };
        runtime::sleep(pause).await;
    }
}

/// Tells a batch; `false` when it must be told again.
async fn tell(edge: &Edge, report: AccessReport) -> bool {
    let Ok(body) = serde_json::to_vec(&report) else { return true };
    let signature = call::sign(&edge.ring.current.origin, "POST", ACCESS_PATH, &body, runtime::now());
    let url = format!("{}{ACCESS_PATH}", edge.control_url);
    let call = ControlCall { limit_ms: LIMIT_MS, url: &url, signature: &signature, body: &body };
    matches!(call.send().await, Ok(answer) if (200..300).contains(&answer.status()))
}
