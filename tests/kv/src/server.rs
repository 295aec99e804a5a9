//! Lets others reach a [`Kv`] over HTTP, on free ports of the loopback interface.

mod binding;
mod rest;

use crate::kv::Kv;
use crate::refusal::Refusal;
use crate::stored::Stored;
use axum::Router;
use axum::body::{Body, Bytes};
use serde_json::Value;
use shared::time::Millis;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// What a server's clients must know, and how long they wait. Durations are real time, whatever KV's clock does.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What REST calls must show: `Authorization: Bearer <token>`.
    pub token: String,
    /// How long a caller waits for a time-out, which is answered 504.
    pub time_out: Duration,
    /// How long a location takes to answer a read.
    pub read_delay: Duration,
}

impl Default for Settings {
    /// The token `kv-sim`, 100 ms, no delay.
    fn default() -> Self {
        Self { token: "kv-sim".to_owned(), time_out: Duration::from_millis(100), read_delay: Duration::ZERO }
    }
}

/// A running server. It ends when it is dropped, and so does every connection to it.
#[derive(Debug)]
pub struct Server {
    locations: Vec<SocketAddr>,
    rest: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What every handler has.
#[derive(Debug)]
struct Host {
    kv: Arc<Kv>,
    settings: Settings,
}

impl Server {
    /// Serves each location of `kv` on a port of its own, as workerd's KV binding asks, and Cloudflare's REST API on
    /// another.
    ///
    /// # Errors
    /// When the machine has no port or thread left.
    pub fn start(kv: Arc<Kv>, settings: Settings) -> io::Result<Self> {
        let host = Arc::new(Host { kv, settings });
        let (rest, rest_port) = bind()?;
        let mut routers = vec![(rest_port, rest::router(Arc::clone(&host)))];
        let mut locations = Vec::new();
        for location in 0..host.kv.locations() {
            let (address, port) = bind()?;
            locations.push(address);
            routers.push((port, binding::router(Arc::clone(&host), location)));
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("kv-sim".to_owned()).spawn(move || {
            runtime.block_on(async {
                for (port, router) in routers {
                    tokio::spawn(serve(port, router));
                }
                _ = stopped.await;
            });
        })?;
        Ok(Self { locations, rest, stop: Some(stop), thread: Some(thread) })
    }

    /// `host:port` of a location, numbered from 0; for an `external` service of workerd that a `kvNamespace` names.
    pub fn location_address(&self, location: usize) -> Option<String> {
        self.locations.get(location).map(SocketAddr::to_string)
    }

    /// `http://host:port/client/v4/accounts/acct`, to be followed by `/storage/kv/namespaces/{namespace}/...`.
    /// Account and namespace may have any name; they are always the same.
    pub fn rest_base(&self) -> String {
        format!("http://{}/client/v4/accounts/acct", self.rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The thread drops its runtime, which ends every task and closes every socket.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

fn bind() -> io::Result<(SocketAddr, TcpListener)> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    port.set_nonblocking(true)?;
    Ok((port.local_addr()?, port))
}

async fn serve(port: TcpListener, router: Router) -> io::Result<()> {
    axum::serve(tokio::net::TcpListener::from_std(port)?, router).await
}

impl Host {
    /// Lets the caller of what timed out wait.
    async fn waited<T>(&self, result: Result<T, Refusal>) -> Result<T, Refusal> {
        if matches!(result, Err(Refusal::TimedOut)) {
            tokio::time::sleep(self.settings.time_out).await;
        }
        result
    }
}

/// Reads a body of at most `most` bytes.
async fn read_body(body: Body, most: usize) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(body, most).await.map_err(|_| Refusal::TooLarge)
}

/// The parameters of a URL's query; of several with one name, the last.
fn parameters(query: Option<&str>) -> HashMap<String, String> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect()
}

/// A whole number, if it is there.
fn number<T: std::str::FromStr>(
    parameters: &HashMap<String, String>,
    name: &str,
) -> Result<Option<T>, Refusal> {
    let number = parameters.get(name).map(|text| text.parse());
    number.transpose().map_err(|_| Refusal::Invalid("a parameter is no number"))
}

/// What is written, as both surfaces spell it: `expiration` in seconds since 1970, `expiration_ttl` in seconds from
/// `now`.
fn stored(
    now: Millis,
    value: Bytes,
    metadata: Option<Value>,
    expiration: Option<u64>,
    expiration_ttl: Option<u64>,
) -> Stored {
    let at = expiration.map(|seconds| Millis(0).plus(Duration::from_secs(seconds)));
    let ttl = expiration_ttl.map(|seconds| now.plus(Duration::from_secs(seconds)));
    Stored { value, metadata, expiration: ttl.or(at) }
}
