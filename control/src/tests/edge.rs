//! A stand-in for the Worker: takes signed pushes, keeps the newest revision of each record, knows what lies in a bucket, and
//! fails on request.

use crate::clock::Clock;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::header::DATE;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use shared::call::{ARCHIVES_PATH, ArchiveCall, Probed, SIGNATURE_HEADER, verify};
use shared::model::key::Key;
use shared::replica::{Outcome, PUSH_PATH, Push, Pushed, Receipt, Record};
use shared::time::Millis;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What the edge does with pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// Takes them.
    Takes,
    /// Answers 500.
    Fails,
    /// Answers 500 to a push with the word "poison" in it.
    Chokes,
    /// Answers, but takes nothing.
    Refuses,
    /// Takes the first change of each push alone.
    TakesFirst,
}

pub(super) struct Edge {
    pub(super) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    key: Key,
    clock: Clock,
    /// Milliseconds that its clock shows more than the world's.
    ahead: AtomicI64,
    mood: Mutex<Mood>,
    drain_ms: Mutex<u64>,
    /// How long a push takes.
    delay: Mutex<Duration>,
    /// Every change that was taken, in order.
    log: Mutex<Vec<(String, u64)>>,
    records: watch::Sender<HashMap<String, Record>>,
    /// What lies in the bucket.
    archives: Mutex<HashMap<String, Probed>>,
}

impl Edge {
    pub(super) async fn start(key: Key, clock: Clock) -> Self {
        let shared = Arc::new(Shared {
            key,
            clock,
            ahead: AtomicI64::new(0),
            mood: Mutex::new(Mood::Takes),
            drain_ms: Mutex::new(0),
            delay: Mutex::default(),
            log: Mutex::default(),
            records: watch::channel(HashMap::new()).0,
            archives: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route(PUSH_PATH, post(take))
            .route(&probe_path(), post(probe))
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum_serve(listener, router).await });
        Self { url, shared }
    }

    pub(super) fn set(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// Lays something into its bucket.
    pub(super) fn store(&self, key: &str, archive: Probed) {
        self.shared.archives.lock().unwrap().insert(key.to_owned(), archive);
    }

    pub(super) fn drain(&self, millis: u64) {
        *self.shared.drain_ms.lock().unwrap() = millis;
    }

    /// Lets its clock show so many milliseconds more than the world's, or fewer.
    pub(super) fn set_ahead(&self, millis: i64) {
        self.shared.ahead.store(millis, SeqCst);
    }

    /// Takes so long for each push.
    pub(super) fn delay(&self, delay: Duration) {
        *self.shared.delay.lock().unwrap() = delay;
    }

    /// Raises every record that it holds, as if the database had lost what came after a backup.
    pub(super) fn leap(&self, revision: u64) {
        self.shared.records.send_modify(|records| {
            for record in records.values_mut() {
                record.revision = revision;
            }
        });
    }

    /// Makes every record that it holds a tombstone, as if the database had lost the changes that did so.
    pub(super) fn bury(&self, revision: u64) {
        self.shared.records.send_modify(|records| {
            for record in records.values_mut() {
                *record = Record::tombstone(revision);
            }
        });
    }

    /// Records by key.
    pub(super) fn records(&self) -> HashMap<String, Record> {
        self.shared.records.borrow().clone()
    }

    /// Keys in the order in which they came.
    pub(super) fn log(&self) -> Vec<(String, u64)> {
        self.shared.log.lock().unwrap().clone()
    }

    /// Waits for the next push that is looked at.
    pub(super) async fn changed(&self) {
        self.shared.records.subscribe().changed().await.unwrap();
    }

    /// Records that open something.
    pub(super) fn live(&self) -> Vec<Record> {
        self.records().into_values().filter(|record| record.live.is_some()).collect()
    }
}

impl Shared {
    fn now(&self) -> Millis {
        Millis(self.clock.now().0 + self.ahead.load(SeqCst))
    }
}

/// The accept loop of the program itself, so that the tests need no other server.
async fn axum_serve(listener: TcpListener, router: Router) {
    let (_stop, stopped) = watch::channel(false);
    crate::server::serve(listener, router, 100, stopped).await;
}

fn probe_path() -> String {
    format!("{ARCHIVES_PATH}/probe")
}

async fn probe(State(edge): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let signature = headers.get(SIGNATURE_HEADER).map(|value| value.to_str().unwrap()).unwrap_or_default();
    if !verify([&edge.key], signature, ("POST", &probe_path(), &body), edge.now()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    if *edge.mood.lock().unwrap() == Mood::Fails {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let call: ArchiveCall = serde_json::from_slice(&body).unwrap();
    let found = edge.archives.lock().unwrap().get(&call.key).cloned();
    axum::Json(found.unwrap_or(Probed::Missing)).into_response()
}

async fn take(State(edge): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let signature = headers.get(SIGNATURE_HEADER).map(|value| value.to_str().unwrap()).unwrap_or_default();
    if !verify([&edge.key], signature, ("POST", PUSH_PATH, &body), edge.now()) {
        // As the Worker answers whomever it does not believe, with the date that Cloudflare adds.
        let now = Timestamp::from_millisecond(edge.now().0).unwrap();
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap();
        return (StatusCode::NOT_FOUND, [(DATE, date)]).into_response();
    }
    let delay = *edge.delay.lock().unwrap();
    tokio::time::sleep(delay).await;
    let mood = *edge.mood.lock().unwrap();
    let poisoned = body.windows(6).any(|word| word == b"poison");
    if mood == Mood::Fails || (mood == Mood::Chokes && poisoned) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let push: Push = serde_json::from_slice(&body).unwrap();
    let drain_ms = *edge.drain_ms.lock().unwrap();
    let mut receipts = Vec::new();
    edge.records.send_modify(|records| {
        for (place, change) in push.changes.into_iter().enumerate() {
            let outcome = if mood == Mood::Refuses || (mood == Mood::TakesFirst && place > 0) {
                Outcome::Failed { reason: "told to".to_owned() }
            } else {
                let record = Record::parse(change.record.get().as_bytes()).unwrap();
                edge.log.lock().unwrap().push((change.key.clone(), record.revision));
                match records.get(&change.key) {
                    Some(held)
                        if (held.revision >= record.revision && *held != record)
                            || (held.is_dead() && !record.is_dead()) =>
                    {
                        Outcome::Ahead { revision: held.revision, dead: held.is_dead() }
                    }
                    _ => {
                        let revision = record.revision;
                        records.insert(change.key.clone(), record);
                        Outcome::InForce { revision, drain_ms }
                    }
                }
            };
            receipts.push(Receipt { key: change.key, outcome });
        }
    });
    axum::Json(Pushed { at: edge.now(), receipts }).into_response()
}
