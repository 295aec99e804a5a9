//! The only reader of the Worker's environment: bindings, variables, secrets. Read once for each isolate.

use crate::accesses::Waiting;
use crate::archive::InBucket;
use crate::runtime::{self, Context};
use lru::LruCache;
use shared::app::map::Maps;
use shared::app::memory::Memory;
use shared::app::places::{self, Places};
use shared::app::throttle::{self, Throttle};
use shared::model::attempt::Network;
use shared::model::key::KeyRing;
use shared::model::token::RecordKey;
use shared::time::Millis;
use std::cell::{Cell, OnceCell, RefCell};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen::JsValue;

/// Workers KV with the share records.
pub const SHARES: &str = "SHARES";
/// The gates' Durable Object namespace.
pub const GATES: &str = "GATES";
/// R2 bucket with archives of map tiles; may be missing, then maps are out of reach.
pub const TILES: &str = "TILES";
/// Analytics Engine data set for what requests cost; may be missing.
pub const METRICS: &str = "METRICS";
/// Variable: origin of the control plane.
pub const CONTROL_URL: &str = "CONTROL_URL";
/// Variable: `true` when visitors of the operation dialect must come with an API key, but for those of the page who have given
/// the password there.
pub const REDEEM_REQUIRES_BEARER: &str = "REDEEM_REQUIRES_BEARER";
/// Variable: tiles a second that one link gives to one network; [`throttle::TILES_PER_SECOND`] when absent.
pub const TILES_PER_SECOND: &str = "TILES_PER_SECOND";
/// Secret: the root key.
pub const ROOT_KEY: &str = "POSTERN_ROOT_KEY";
/// Secret: the root key before it, during a rotation.
pub const PREVIOUS_ROOT_KEY: &str = "POSTERN_ROOT_KEY_PREVIOUS";

/// What an isolate holds for as long as it lives.
pub struct Edge {
    /// Verifies tokens, signs and verifies calls.
    pub ring: KeyRing,
    /// Origin of the control plane, without a trailing slash.
    pub control_url: String,
    /// Binding of [`SHARES`].
    pub shares: JsValue,
    /// Binding of [`GATES`].
    pub gates: JsValue,
    /// Binding of [`TILES`]; undefined without one, so that reads of it fail.
    pub tiles: JsValue,
    /// See [`REDEEM_REQUIRES_BEARER`].
    pub redeem_requires_bearer: bool,
    /// Archives and tiles.
    pub maps: Maps<InBucket>,
    /// How often visitors of maps may ask.
    pub throttle: Throttle,
    /// Who is being sent an archive.
    pub downloads: RefCell<Places<(RecordKey, Network)>>,
    /// API keys that were good a moment ago.
    pub keys: RefCell<LruCache<String, (Vec<String>, Millis)>>,
    /// Binding of [`METRICS`].
    metrics: Option<JsValue>,
    /// Records under lease, and results.
    pub memory: Memory,
    /// What requests have cost so far.
    pub counters: Counters,
    /// Who opened what, as far as the control plane has yet to hear of it.
    pub accesses: Waiting,
}

/// What requests have cost this isolate, for tests and metrics.
#[derive(Default)]
pub struct Counters {
    /// Requests.
    pub requests: Cell<u64>,
    /// Tokens refused by their tag alone.
    pub forged: Cell<u64>,
    /// Reads of Workers KV.
    pub kv_reads: Cell<u64>,
    /// Calls of gates.
    pub gate_calls: Cell<u64>,
    /// Calls of the control plane for visitors, those that joined one under way included.
    pub origin_calls: Cell<u64>,
    /// What [`METRICS`] was told of.
    told: Cell<[u64; 5]>,
    /// Since when somebody has undertaken to tell it.
    telling_since: Cell<Option<Millis>>,
}

/// API keys that are remembered.
const MAX_KEYS: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");

/// How long what requests cost is added up before it is told.
const METRICS_PAUSE: Duration = Duration::from_secs(1);
/// Whoever undertook to tell it and has not by then was stopped.
const METRICS_LIMIT: Duration = Duration::from_secs(10);

/// Figures in the order in which [`METRICS`] gets them, as `double1` and so on.
pub const FIGURES: [&str; 5] = ["requests", "forged", "kv_reads", "gate_calls", "origin_calls"];

impl Counters {
    /// Counts one.
    pub fn add(counter: &Cell<u64>) {
        counter.set(counter.get().wrapping_add(1));
    }

    /// What was counted so far, in the order of [`FIGURES`].
    pub fn figures(&self) -> [u64; 5] {
        [&self.requests, &self.forged, &self.kv_reads, &self.gate_calls, &self.origin_calls].map(Cell::get)
    }
}

thread_local! {
    static EDGE: OnceCell<Rc<Edge>> = const { OnceCell::new() };
}

impl Edge {
    /// An archive of the bucket.
    pub fn archive(&self, key: &str, etag: Option<&str>) -> InBucket {
        InBucket::new(&self.tiles, key, etag)
    }

    /// This isolate's, made at its first request.
    ///
    /// # Errors
    /// What is missing or weak, for the log: without its keys the Worker serves nothing.
    pub fn of(env: &JsValue) -> Result<Rc<Self>, String> {
        EDGE.with(|cell| {
            if let Some(edge) = cell.get() {
                return Ok(Rc::clone(edge));
            }
            let edge = Rc::new(Self::read(env)?);
            Ok(Rc::clone(cell.get_or_init(|| edge)))
        })
    }

    /// Tells [`METRICS`] what requests cost, a second from now; one request a second does so for all.
    pub fn tell_metrics(self: &Rc<Self>, context: &Context) {
        if self.metrics.is_none() {
            return;
        }
        let (now, counters) = (runtime::now(), &self.counters);
        if counters.telling_since.get().is_some_and(|since| now.since(since) < METRICS_LIMIT) {
            return;
        }
        counters.telling_since.set(Some(now));
        let edge = Rc::clone(self);
        runtime::in_background(context, async move {
            runtime::sleep(METRICS_PAUSE).await;
            edge.counters.telling_since.set(None);
            let (figures, told) = (edge.counters.figures(), edge.counters.told.get());
            edge.counters.told.set(figures);
            let mut new = figures;
            for (figure, before) in new.iter_mut().zip(told) {
                *figure = figure.wrapping_sub(before);
            }
            if let Some(metrics) = &edge.metrics {
                runtime::write_point(metrics, &new);
            }
        });
    }

    fn read(env: &JsValue) -> Result<Self, String> {
        let root = text(env, ROOT_KEY).ok_or_else(|| format!("{ROOT_KEY} is not set"))?;
        let previous = text(env, PREVIOUS_ROOT_KEY);
        let ring = KeyRing::parse(&root, previous.as_deref()).map_err(|weak| format!("{ROOT_KEY} {weak}"))?;
        let control_url = text(env, CONTROL_URL).ok_or_else(|| format!("{CONTROL_URL} is not set"))?;
        let tiles_per_second = match text(env, TILES_PER_SECOND) {
            None => throttle::TILES_PER_SECOND,
            Some(text) => text.parse().map_err(|_| format!("{TILES_PER_SECOND} is no whole number"))?,
        };
        Ok(Self {
            ring,
            control_url: control_url.trim_end_matches('/').to_owned(),
            shares: binding(env, SHARES)?,
            gates: binding(env, GATES)?,
            tiles: binding(env, TILES).unwrap_or(JsValue::UNDEFINED),
            redeem_requires_bearer: text(env, REDEEM_REQUIRES_BEARER).as_deref() == Some("true"),
            maps: Maps::default(),
            throttle: Throttle::new(tiles_per_second),
            downloads: RefCell::new(Places::new(places::ARCHIVES)),
            keys: RefCell::new(LruCache::new(MAX_KEYS)),
            metrics: binding(env, METRICS).ok(),
            memory: Memory::new(getrandom::u64().map_err(|error| error.to_string())?),
            counters: Counters::default(),
            accesses: Waiting::default(),
        })
    }
}

fn binding(env: &JsValue, name: &str) -> Result<JsValue, String> {
    match js_sys::Reflect::get(env, &JsValue::from_str(name)) {
        Ok(binding) if binding.is_object() => Ok(binding),
        _ => Err(format!("binding {name} is missing")),
    }
}

fn text(env: &JsValue, name: &str) -> Option<String> {
    js_sys::Reflect::get(env, &JsValue::from_str(name)).ok()?.as_string().filter(|text| !text.is_empty())
}
