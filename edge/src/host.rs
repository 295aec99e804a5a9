//! The Worker as a host of the public path: KV, gates and the data plane behind [`shared::app::port::Host`].

use crate::env::{Counters, Edge};
use crate::runtime::{self, Context, ControlAnswer, ControlCall};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use shared::Error;
use shared::app::memory::ResultKey;
use shared::app::port::{Host, Lease, NoRows, Rows, Told, Unreachable};
use shared::call::{
    self, DOWNLOAD_PATH, DataCall, DownloadCall, EXECUTE_PATH, Healed, KEY_PATH, KeyCall, KeyFound,
    OPTIONS_PATH, OptionsFound, PAGE_PATH, PageCall, RECORD_PATH, RecordCall,
};
use shared::model::tally::{Admission, Entry};
use shared::model::token::RecordKey;
use shared::time::Millis;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue};

/// The data plane ends its queries after 10 s; this leaves it time to say so.
const CONTROL_LIMIT_MS: u32 = 12_000;

/// A visitor waits while the control plane is asked in a gate's place.
const WORD_LIMIT_MS: u32 = 3_000;
/// The gate has the record too, and answers sooner than a KV that is that slow.
const KV_LIMIT_MS: u32 = 1_000;
/// An empty gate asks the control plane first, for up to 5 s.
const GATE_LIMIT_MS: u32 = 8_000;

/// How long a good API key is remembered as such.
const KEY_MEMORY: Duration = Duration::from_secs(30);
/// What whoever tries too many keys is told.
const THROTTLED: Duration = Duration::from_mins(1);

/// One request's view of the platform.
#[derive(Clone)]
pub struct Port {
    /// The isolate.
    pub edge: Rc<Edge>,
    /// The request's lifetime.
    pub context: Context,
}

impl Host for Port {
    fn now(&self) -> Millis {
        runtime::now()
    }

    async fn read_record(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, Unreachable> {
        Counters::add(&self.edge.counters.kv_reads);
        runtime::kv_value(&self.edge.shares, key.as_str(), KV_LIMIT_MS)
            .await
            .map_err(|error| unreachable("KV", &error))
    }

    async fn lease(&self, key: &RecordKey, told: Told) -> Result<Option<Lease>, Unreachable> {
        let Told { id, opens, tiles } = told;
        let path = format!("/lease/{key}/{opens}/{}/{}/{}/{id}", tiles.tiles, tiles.hits, tiles.bytes);
        let Some(lease) = self.gate(&path, key, None).await? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&lease);
        let mut words = text.split(' ');
        match (words.next().and_then(|revision| revision.parse().ok()), words.next()) {
            (Some(revision), Some(digest)) => {
                let mut lease = Lease { revision, digest: digest.to_owned(), spent: false, tiles_today: 0 };
                for word in words {
                    match word.strip_prefix("tiles=") {
                        Some(tiles) => lease.tiles_today = tiles.parse().unwrap_or(u64::MAX),
                        None => lease.spent |= word == "spent",
                    }
                }
                Ok(Some(lease))
            }
            _ => Err(Unreachable(format!("gate gave no lease: {text}"))),
        }
    }

    async fn read_gate(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, Unreachable> {
        self.gate(&format!("/record/{key}"), key, None).await
    }

    async fn read_origin(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, Unreachable> {
        Counters::add(&self.edge.counters.origin_calls);
        let call = RecordCall { key: key.as_str().to_owned() };
        let body = serde_json::to_vec(&call).map_err(|error| Unreachable(error.to_string()))?;
        let signature =
            call::sign(&self.edge.ring.current.origin, "POST", RECORD_PATH, &body, runtime::now());
        let url = format!("{}{RECORD_PATH}", self.edge.control_url);
        // A call of its own: the answer to one that began before this visit may be older than a change.
        let call = ControlCall { limit_ms: WORD_LIMIT_MS, url: &url, signature: &signature, body: &body };
        let answer = call.send().await.map_err(|error| unreachable("control plane", &error))?;
        match answer.status() {
            200 => {
                parse::<Healed>(&answer.bytes()).map(|healed| Some(healed.record.get().as_bytes().to_vec()))
            }
            404 => Ok(None),
            status => Err(Unreachable(format!("control plane answered {status}"))),
        }
    }

    async fn attempt(&self, key: &RecordKey, network: &str) -> Result<Admission, Unreachable> {
        let guess = json!({ "network": network }).to_string();
        match self.gate(&format!("/attempt/{key}"), key, Some(&guess)).await? {
            Some(admission) => parse(&admission),
            None => Ok(Admission::Dead),
        }
    }

    async fn give_back(&self, key: &RecordKey, attempt: u64) -> Result<(), Unreachable> {
        let attempt = json!({ "attempt": attempt }).to_string();
        self.gate(&format!("/give-back/{key}"), key, Some(&attempt)).await.map(drop)
    }

    async fn enter(
        &self,
        key: &RecordKey,
        revision: u64,
        attempt: Option<u64>,
    ) -> Result<Entry, Unreachable> {
        let proof = json!({ "revision": revision, "attempt": attempt }).to_string();
        match self.gate(&format!("/enter/{key}"), key, Some(&proof)).await? {
            Some(entry) => parse(&entry),
            None => Ok(Entry::Changed),
        }
    }

    async fn wait(&self, duration: Duration) {
        runtime::sleep(duration).await;
    }

    async fn execute(&self, flight: &ResultKey, call: &DataCall) -> Result<Rows, NoRows> {
        let answer = self.data_plane(EXECUTE_PATH, flight, call).await?;
        Ok(Rows { json: answer.bytes(), cacheable: answer.cacheable() })
    }

    async fn page(&self, flight: &ResultKey, call: &PageCall) -> Result<Vec<u8>, NoRows> {
        Ok(self.data_plane(PAGE_PATH, flight, call).await?.bytes())
    }

    async fn options(&self, flight: &ResultKey, call: &DataCall) -> Result<OptionsFound, NoRows> {
        let answer = self.data_plane(OPTIONS_PATH, flight, call).await?;
        parse(&answer.bytes()).map_err(NoRows::Unreachable)
    }
}

impl Port {
    async fn gate(
        &self,
        path: &str,
        key: &RecordKey,
        body: Option<&str>,
    ) -> Result<Option<Vec<u8>>, Unreachable> {
        Counters::add(&self.edge.counters.gate_calls);
        runtime::gate(&self.edge.gates, key.as_str(), path, body.map(str::as_bytes), GATE_LIMIT_MS)
            .await
            .map_err(|error| unreachable("gate", &error))
    }

    /// What an API key may do that was good a moment ago.
    pub fn known_scopes(&self, hash: &str) -> Option<Vec<String>> {
        let known = self.edge.keys.borrow_mut().get(hash).cloned();
        known.filter(|(_, at)| runtime::now().since(*at) < KEY_MEMORY).map(|(scopes, _)| scopes)
    }

    /// What an API key may do, by its hash. What was good a moment ago is good still: nothing hangs on it but whether a caller
    /// who needs no key has a bad one.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Throttled`], [`Error::Unavailable`].
    pub async fn key_scopes(&self, hash: String, client: Option<IpAddr>) -> shared::Result<Vec<String>> {
        if let Some(scopes) = self.known_scopes(&hash) {
            return Ok(scopes);
        }
        Counters::add(&self.edge.counters.origin_calls);
        let call = KeyCall { hash, client };
        let body = serde_json::to_vec(&call).map_err(|error| Error::Internal(error.to_string()))?;
        let signature = call::sign(&self.edge.ring.current.origin, "POST", KEY_PATH, &body, runtime::now());
        let url = format!("{}{KEY_PATH}", self.edge.control_url);
        let sent = ControlCall { limit_ms: WORD_LIMIT_MS, url: &url, signature: &signature, body: &body };
        let answer = sent.send().await;
        let answer = answer.map_err(|error| Error::Unavailable(unreachable("control plane", &error).0))?;
        match answer.status() {
            200 => {
                let found: KeyFound =
                    parse(&answer.bytes()).map_err(|unreachable| Error::Unavailable(unreachable.0))?;
                self.edge.keys.borrow_mut().put(call.hash, (found.scopes.clone(), runtime::now()));
                Ok(found.scopes)
            }
            401 => Err(Error::Unauthenticated),
            429 => Err(Error::Throttled { retry_after: THROTTLED }),
            status => Err(Error::Unavailable(format!("control plane answered {status}"))),
        }
    }

    async fn data_plane(
        &self,
        path: &str,
        flight: &ResultKey,
        call: &impl Serialize,
    ) -> Result<ControlAnswer, NoRows> {
        Counters::add(&self.edge.counters.origin_calls);
        let body =
            serde_json::to_vec(call).map_err(|error| NoRows::Unreachable(Unreachable(error.to_string())))?;
        let signature = call::sign(&self.edge.ring.current.origin, "POST", path, &body, runtime::now());
        let url = format!("{}{path}", self.edge.control_url);
        let flight = hex::encode(flight);
        let call = ControlCall { limit_ms: CONTROL_LIMIT_MS, url: &url, signature: &signature, body: &body };
        let answer = call
            .join(&self.context, &flight)
            .await
            .map_err(|error| NoRows::Unreachable(unreachable("control plane", &error)))?;
        judge(answer)
    }

    /// Begins a download: the answer has a stream.
    pub async fn download(&self, call: &DownloadCall) -> Result<ControlAnswer, NoRows> {
        Counters::add(&self.edge.counters.origin_calls);
        let body =
            serde_json::to_vec(call).map_err(|error| NoRows::Unreachable(Unreachable(error.to_string())))?;
        let signature =
            call::sign(&self.edge.ring.current.origin, "POST", DOWNLOAD_PATH, &body, runtime::now());
        let url = format!("{}{DOWNLOAD_PATH}", self.edge.control_url);
        let call = ControlCall { limit_ms: CONTROL_LIMIT_MS, url: &url, signature: &signature, body: &body };
        let answer =
            call.open().await.map_err(|error| NoRows::Unreachable(unreachable("control plane", &error)))?;
        judge(answer)
    }
}

/// What the data plane's status means.
fn judge(answer: ControlAnswer) -> Result<ControlAnswer, NoRows> {
    match answer.status() {
        200 => Ok(answer),
        409 => Err(NoRows::OtherRevision),
        410 => Err(NoRows::Dead),
        429 => Err(NoRows::Busy),
        400 => Err(refusal(&answer.bytes())),
        status => Err(NoRows::Unreachable(Unreachable(format!("control plane answered {status}")))),
    }
}

/// A 400 of the data plane carries words for the visitor.
fn refusal(body: &[u8]) -> NoRows {
    #[derive(serde::Deserialize)]
    struct Refusal {
        error: String,
    }
    match parse::<Refusal>(body) {
        Ok(refusal) => NoRows::Query(refusal.error),
        Err(unreachable) => NoRows::Unreachable(unreachable),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreachable> {
    serde_json::from_slice(body).map_err(|error| Unreachable(format!("not an answer that we know: {error}")))
}

fn unreachable(what: &str, error: &JsValue) -> Unreachable {
    let message = error
        .dyn_ref::<js_sys::Error>()
        .map_or_else(|| format!("{error:?}"), |error| String::from(error.message()));
    Unreachable(format!("{what}: {message}"))
}
