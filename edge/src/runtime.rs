//! Everything JavaScript on the request path: requests and answers as bytes, promises, time, random bytes.
//!
//! What costs time in a Rust Worker is the border to JavaScript, not Rust (each `await` of the usual
//! executor queues a microtask, `worker::Request` reads `cf`, `Headers` are set one by one). So this module
//! crosses rarely: one call for an answer, one for a body, one for a gate; headers are read when asked for;
//! and [`run`] polls a request's future at once, so that an answer under a lease needs no promise at all.

use js_sys::{Function, Promise, Uint8Array};
use shared::face::Answer;
use shared::time::Millis;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// A request, as the platform gives it.
    #[derive(Clone)]
    pub type Request;
    #[wasm_bindgen(method, getter)]
    fn headers(this: &Request) -> Headers;

    type Headers;
    #[wasm_bindgen(method)]
    fn get(this: &Headers, name: &str) -> Option<String>;

    /// What lives as long as a request.
    #[derive(Clone)]
    pub type Context;
    #[wasm_bindgen(method, js_name = waitUntil)]
    fn wait_until(this: &Context, promise: &JsValue);

    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    fn date_now() -> f64;

    #[wasm_bindgen(js_namespace = console, js_name = log)]
    fn console_log(line: &str);

    /// Answer of a signed call to the control plane.
    pub type ControlAnswer;
    /// HTTP status.
    #[wasm_bindgen(method, getter)]
    pub fn status(this: &ControlAnswer) -> u16;
    /// May the body be kept?
    #[wasm_bindgen(method, getter)]
    pub fn cacheable(this: &ControlAnswer) -> bool;
    #[wasm_bindgen(method, getter)]
    fn body(this: &ControlAnswer) -> Uint8Array;
    /// Of an answer to [`ControlCall::open`] with status 200: the bytes to come.
    #[wasm_bindgen(method, getter)]
    pub fn stream(this: &ControlAnswer) -> JsValue;
}

#[wasm_bindgen(module = "/src/runtime.js")]
extern "C" {
    /// A text in Unicode's normal form C, by JavaScript's own tables: ours would be a fifth of the Worker.
    pub fn nfc(text: &str) -> String;
    #[wasm_bindgen(js_name = sleep)]
    fn timer(duration_ms: u32) -> Promise;
    fn watch(promise: &JsValue, slot: u32, settle: &Function);
    fn deferred() -> js_sys::Array;
    fn head(request: &Request) -> String;
    /// What the client takes, as `Accept-Encoding` says it; empty when it does not say.
    #[wasm_bindgen(js_name = clientEncodings)]
    pub fn client_encodings(request: &Request) -> String;
    #[wasm_bindgen(js_name = headerSet)]
    fn header_set(lines: &str) -> JsValue;
    fn respond(status: u16, set: &JsValue, lines: &str, body: &[u8]) -> JsValue;
    #[wasm_bindgen(js_name = readBody)]
    fn read_body(request: &Request, limit: u32) -> Promise;
    #[wasm_bindgen(js_name = readKv)]
    fn read_kv(namespace: &JsValue, key: &str, limit: u32) -> Promise;
    #[wasm_bindgen(js_name = callGate)]
    fn call_gate(namespace: &JsValue, name: &str, path: &str, body: Option<&[u8]>, limit: u32) -> Promise;
    #[wasm_bindgen(js_name = callControl)]
    fn call_control(
        context: &Context,
        flight: &str,
        limit: u32,
        url: &str,
        signature: &str,
        body: &[u8],
    ) -> Promise;
    #[wasm_bindgen(js_name = writePoint)]
    fn write_data_point(dataset: &JsValue, figures: &[f64]);
    fn post(url: &str, signature: &str, body: &[u8], limit: u32) -> Promise;
    #[wasm_bindgen(js_name = openStream)]
    fn open_stream(url: &str, signature: &str, body: &[u8], limit: u32) -> Promise;
    #[wasm_bindgen(js_name = passStream)]
    fn pass_stream(status: u16, stream: &JsValue, set: &JsValue, lines: &str) -> JsValue;
    fn forward(request: &Request, url: &str, own: &str, limit: u32) -> Promise;
}

impl ControlAnswer {
    /// The body.
    pub fn bytes(&self) -> Vec<u8> {
        self.body().to_vec()
    }
}

/// The parts of a request that routing needs, read once.
pub struct Head {
    /// `GET`, ...
    pub method: String,
    /// Ids that the caller and the platform gave the request, unchecked; empty for none.
    pub given_ids: [String; 2],
    url: String,
    path_at: usize,
    query_at: usize,
}

impl Head {
    /// Reads them, in one crossing.
    pub fn read(request: &Request) -> Self {
        let head = head(request);
        let mut lines = head.split('\n').map(str::to_owned);
        let mut line = || lines.next().unwrap_or_default();
        let (method, url) = (line(), line());
        let given_ids = [line(), line()];
        // The platform has parsed the URL: it is absolute and its path begins with a slash.
        let path_at = url.find("://").and_then(|at| url.get(at + 3..)?.find('/').map(|slash| at + 3 + slash));
        let end = url.find('#').unwrap_or(url.len());
        let query_at = url.find('?').unwrap_or(end).min(end);
        Self { method, given_ids, path_at: path_at.unwrap_or(url.len()).min(query_at), query_at, url }
    }

    /// Scheme and host, as the caller sees them.
    pub fn origin(&self) -> &str {
        self.url.get(..self.path_at).unwrap_or_default()
    }

    /// The path, percent-encoded as it came, dot segments resolved by the platform.
    pub fn path(&self) -> &str {
        self.url.get(self.path_at..self.query_at).unwrap_or_default()
    }

    /// The query without its question mark.
    pub fn query(&self) -> &str {
        self.path_and_query().get(self.path().len()..).unwrap_or_default().trim_start_matches('?')
    }

    /// Path and query, to be passed on.
    pub fn path_and_query(&self) -> &str {
        let rest = self.url.get(self.path_at..).unwrap_or_default();
        rest.split('#').next().unwrap_or_default()
    }
}

/// A header of the request.
pub fn header(request: &Request, name: &str) -> Option<String> {
    request.headers().get(name)
}

/// The body, or `None` when it has more than `limit` bytes.
pub async fn body(request: &Request, limit: usize) -> Result<Option<Vec<u8>>, JsValue> {
    let bytes = settled(&read_body(request, u32::try_from(limit).unwrap_or(u32::MAX))).await?;
    Ok(optional_bytes(&bytes))
}

/// A value of Workers KV. Given up after `limit_ms`.
pub async fn kv_value(namespace: &JsValue, key: &str, limit_ms: u32) -> Result<Option<Vec<u8>>, JsValue> {
    Ok(optional_bytes(&settled(&read_kv(namespace, key, limit_ms)).await?))
}

/// Asks a gate: `GET` without a body, `POST` with one. `None` when the gate holds nothing. Given up after `limit_ms`.
pub async fn gate(
    namespace: &JsValue,
    name: &str,
    path: &str,
    body: Option<&[u8]>,
    limit_ms: u32,
) -> Result<Option<Vec<u8>>, JsValue> {
    Ok(optional_bytes(&settled(&call_gate(namespace, name, path, body, limit_ms)).await?))
}

/// A signed call to the control plane.
pub struct ControlCall<'a> {
    /// Given up after this many milliseconds.
    pub limit_ms: u32,
    /// Where to.
    pub url: &'a str,
    /// See [`shared::call::sign`].
    pub signature: &'a str,
    /// JSON.
    pub body: &'a [u8],
}

impl ControlCall<'_> {
    /// Sends it.
    pub async fn send(&self) -> Result<ControlAnswer, JsValue> {
        let promise = post(self.url, self.signature, self.body, self.limit_ms);
        Ok(settled(&promise).await?.unchecked_into())
    }

    /// Sends it and waits for the beginning of its answer, which may be of any length.
    pub async fn open(&self) -> Result<ControlAnswer, JsValue> {
        let promise = open_stream(self.url, self.signature, self.body, self.limit_ms);
        Ok(settled(&promise).await?.unchecked_into())
    }

    /// Sends it, or joins one under way with the same `flight`: everything that the answer depends on.
    pub async fn join(&self, context: &Context, flight: &str) -> Result<ControlAnswer, JsValue> {
        let promise = call_control(context, flight, self.limit_ms, self.url, self.signature, self.body);
        Ok(settled(&promise).await?.unchecked_into())
    }
}

/// Writes a point to an Analytics Engine data set. Nobody waits for it.
pub fn write_point(dataset: &JsValue, figures: &[u64]) {
    #[expect(clippy::cast_precision_loss, reason = "counts of a second, far below 2^53")]
    let figures: Vec<f64> = figures.iter().map(|figure| *figure as f64).collect();
    write_data_point(dataset, &figures);
}

/// Waits.
pub async fn sleep(duration: Duration) {
    let timer = timer(u32::try_from(duration.as_millis()).unwrap_or(u32::MAX));
    // A timer does not fail.
    let _ = settled(&timer).await;
}

/// Passes the request on, with headers of our own; the answer is the platform's own, streamed.
pub async fn pass_on(
    request: &Request,
    url: &str,
    own: &[(&str, &str)],
    limit_ms: u32,
) -> Result<JsValue, JsValue> {
    settled(&forward(request, url, &lines(own.iter().copied()), limit_ms)).await
}

/// Bytes, unless it is null.
pub fn optional_bytes(value: &JsValue) -> Option<Vec<u8>> {
    (!value.is_null()).then(|| value.unchecked_ref::<Uint8Array>().to_vec())
}

/// The time. In production it stands still between two I/O operations of a request.
pub fn now() -> Millis {
    #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds, far below 2^53")]
    Millis(date_now() as i64)
}

/// Writes one line of JSON to the log.
pub fn log(level: &str, message: &str, request_id: &str) {
    let line = serde_json::json!({ "level": level, "message": message, "request_id": request_id });
    console_log(&line.to_string());
}

/// Headers that many answers share, built once for each isolate and set.
pub struct HeaderSet(JsValue);

impl HeaderSet {
    /// Builds a set of (lower case name, value).
    pub fn new(headers: &[(&str, &str)]) -> Self {
        Self(header_set(&lines(headers.iter().copied())))
    }

    /// The platform's own answer: these headers, and those of the answer itself.
    pub fn answer(&self, answer: &Answer) -> JsValue {
        let own = answer.headers.iter().map(|(name, value)| (*name, value.as_ref()));
        let own = lines(std::iter::once(("content-type", answer.content_type)).chain(own));
        respond(answer.status, &self.0, &own, &answer.body)
    }

    /// As [`Self::answer`], with a stream as its body, which the platform passes on by itself.
    pub fn stream(&self, answer: &Answer, stream: &JsValue) -> JsValue {
        let own = answer.headers.iter().map(|(name, value)| (*name, value.as_ref()));
        let own = lines(std::iter::once(("content-type", answer.content_type)).chain(own));
        pass_stream(answer.status, stream, &self.0, &own)
    }
}

/// One `name:value` a line. A line break in a value would begin another header, so it ends the value.
fn lines<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut lines = String::with_capacity(128);
    for (name, value) in headers {
        let value = value.split(['\r', '\n']).next().unwrap_or_default();
        let separator = if lines.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = write!(lines, "{separator}{name}:{value}");
    }
    lines
}

// --- Futures -----------------------------------------------------------------------------------

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// No request waits longer, but for the end of a long body, which is waited for in short tasks. What is older belongs to one whose client went away: the platform drops its promises
/// without a word, so nobody else would ever free it.
const ABANDONED_AFTER: Duration = Duration::from_mins(5);
/// How often, in tasks and waits, the executor looks for such.
const SWEEP_EVERY: u32 = 1_024;

#[derive(Default)]
struct Executor {
    next_id: u32,
    /// Since when each id is there, oldest first.
    begun: VecDeque<(u32, Millis)>,
    /// A task is taken out while it is polled.
    tasks: HashMap<u32, Option<Task>>,
    /// Tasks that were woken while they were polled.
    woken: Vec<u32>,
    slots: HashMap<u32, Waiting>,
}

type Waiting = Rc<RefCell<Slot>>;

#[derive(Default)]
struct Slot {
    outcome: Option<Result<JsValue, JsValue>>,
    waker: Option<Waker>,
}

thread_local! {
    static EXECUTOR: RefCell<Executor> = RefCell::default();
    static SETTLE: Closure<dyn Fn(u32, bool, JsValue)> = Closure::new(settle);
}

fn with_executor<T>(use_it: impl FnOnce(&mut Executor) -> T) -> T {
    EXECUTOR.with(|executor| use_it(&mut executor.borrow_mut()))
}

impl Executor {
    fn fresh_id(&mut self) -> u32 {
        self.next_id = self.next_id.wrapping_add(1);
        self.begun.push_back((self.next_id, now()));
        self.next_id
    }

    /// Takes out what nobody will ever wake, for the caller to drop when the executor is not borrowed: dropping a
    /// task may run code that needs it.
    fn abandoned(&mut self) -> Vec<(Option<Task>, Option<Waiting>)> {
        let (tasks, slots) = (&self.tasks, &self.slots);
        self.begun.retain(|(id, _)| tasks.contains_key(id) || slots.contains_key(id));
        let mut abandoned = Vec::new();
        while let Some((id, _)) = self.begun.pop_front_if(|(_, begun)| now().since(*begun) >= ABANDONED_AFTER)
        {
            abandoned.push((self.tasks.remove(&id).flatten(), self.slots.remove(&id)));
        }
        abandoned
    }
}

struct TaskWaker(u32);

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let polled_right_now = with_executor(|executor| {
            let polled = matches!(executor.tasks.get(&self.0), Some(None));
            if polled {
                executor.woken.push(self.0);
            }
            polled
        });
        if !polled_right_now {
            poll_task(self.0);
        }
    }
}

/// Polls a task until it waits for something. Settled promises call this straight from their own microtask.
fn poll_task(id: u32) {
    loop {
        let Some(mut task) = with_executor(|executor| executor.tasks.get_mut(&id).and_then(Option::take))
        else {
            return;
        };
        let waker = Waker::from(Arc::new(TaskWaker(id)));
        let done = task.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_ready();
        let again = with_executor(|executor| {
            if done {
                executor.tasks.remove(&id);
            } else {
                executor.tasks.insert(id, Some(task));
            }
            let woken = executor.woken.contains(&id);
            executor.woken.retain(|other| *other != id);
            woken && !done
        });
        if !again {
            return;
        }
    }
}

fn spawn(future: impl Future<Output = ()> + 'static) {
    if with_executor(|executor| executor.next_id.is_multiple_of(SWEEP_EVERY)) {
        drop(with_executor(Executor::abandoned));
    }
    let id = with_executor(|executor| {
        let id = executor.fresh_id();
        executor.tasks.insert(id, Some(Box::pin(future)));
        id
    });
    poll_task(id);
}

/// Runs a future to its value: the value itself when it needs no waiting, else a promise of it.
pub fn run(future: impl Future<Output = JsValue> + 'static) -> JsValue {
    let outcome: Rc<RefCell<Outcome>> = Rc::default();
    let ended = Rc::clone(&outcome);
    spawn(async move {
        let value = future.await;
        let before = ended.replace(Outcome::Running);
        match before {
            Outcome::Promised(fulfil) => drop(fulfil.call1(&JsValue::UNDEFINED, &value)),
            _ => drop(ended.replace(Outcome::Ended(value))),
        }
    });
    if let Outcome::Ended(value) = outcome.replace(Outcome::Running) {
        return value;
    }
    let pair = deferred();
    outcome.replace(Outcome::Promised(pair.get(1).unchecked_into()));
    pair.get(0)
}

#[derive(Default)]
enum Outcome {
    #[default]
    Running,
    Ended(JsValue),
    Promised(Function),
}

/// Goes on while the answer's body is being sent, and ends with it at the latest; also after some minutes, unless it is done by then.
pub fn meanwhile(future: impl Future<Output = ()> + 'static) {
    spawn(future);
}

/// Goes on after the answer was sent, up to 30 s.
pub fn in_background(context: &Context, future: impl Future<Output = ()> + 'static) {
    let promise = run(async move {
        future.await;
        JsValue::UNDEFINED
    });
    if promise.is_instance_of::<Promise>() {
        context.wait_until(&promise);
    }
}

/// Waits for a promise.
pub async fn settled(promise: &JsValue) -> Result<JsValue, JsValue> {
    let slot = Waiting::default();
    let id = with_executor(|executor| {
        let id = executor.fresh_id();
        executor.slots.insert(id, Rc::clone(&slot));
        id
    });
    SETTLE.with(|settle| watch(promise, id, settle.as_ref().unchecked_ref()));
    std::future::poll_fn(|context| {
        let mut slot = slot.borrow_mut();
        if let Some(outcome) = slot.outcome.take() {
            return Poll::Ready(outcome);
        }
        slot.waker = Some(context.waker().clone());
        Poll::Pending
    })
    .await
}

fn settle(id: u32, fulfilled: bool, value: JsValue) {
    let Some(slot) = with_executor(|executor| executor.slots.remove(&id)) else { return };
    let waker = {
        let mut slot = slot.borrow_mut();
        slot.outcome = Some(if fulfilled { Ok(value) } else { Err(value) });
        slot.waker.take()
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}
