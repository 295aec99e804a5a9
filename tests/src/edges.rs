//! The Worker in several locations over one Workers KV that misbehaves. The first location owns the gates; the others
//! reach them through it, as isolates elsewhere in the world do.
//!
//! Each location is a `workerd` process with the Worker as it is built. Its KV binding leads to its own side of the
//! simulator, so that each sees old values, misses and failures of its own.

use crate::Client;
use crate::signed;
use crate::stack::free_port;
use anyhow::{Context, Result, bail};
use kv_sim::{Clock, Core, Faults, Kv, Server, Settings};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use shared::model::key::KeyRing;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

mod config;

/// The root key of these installations.
pub const ROOT_KEY: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";
const START_LIMIT: Duration = Duration::from_secs(20);

/// A location's process and where it listens.
struct Place {
    child: Mutex<Option<Child>>,
    folder: PathBuf,
    port: String,
    metrics_port: String,
}

/// The locations.
pub struct Edges {
    places: Vec<Place>,
    kv: Arc<Kv>,
    server: Server,
    _folder: TempDir,
}

/// How the simulated KV behaves.
#[derive(Debug, Clone)]
pub struct Weather {
    /// Virtual seconds of KV in a second.
    pub rate: f64,
    /// What goes wrong there.
    pub faults: Faults,
    /// How long a caller waits, in real time, for a call that times out.
    pub time_out: Duration,
    /// Of everything random in it.
    pub seed: u64,
}

impl Weather {
    /// What callers wait unless told otherwise.
    pub const TIME_OUT: Duration = Duration::from_millis(100);
}

impl Edges {
    /// Starts so many locations, which reach the control plane at `control_url`.
    ///
    /// # Errors
    /// When one does not come up.
    pub fn start(locations: usize, control_url: &str, weather: Weather) -> Result<Self> {
        let folder = TempDir::with_prefix("postern-edges-")?;
        let kv =
            Arc::new(Kv::new(Core::new(locations, weather.faults, weather.seed), Clock::real(weather.rate)));
        let settings = Settings { time_out: weather.time_out, ..Settings::default() };
        let server = Server::start(Arc::clone(&kv), settings)?;
        let gates_port = free_port()?;
        let mut places = Vec::new();
        for location in 0..locations {
            let folder = folder.path().join(location.to_string());
            let (port, metrics_port) = (free_port()?, free_port()?);
            let kv_address = server.location_address(location).context("a location of KV")?;
            let wires = config::Wires {
                port: &port,
                metrics_port: &metrics_port,
                gates_port: &gates_port,
                owns_gates: location == 0,
                kv_address: &kv_address,
                control_url,
            };
            config::write(&folder, &wires)?;
            places.push(Place { child: Mutex::new(None), folder, port, metrics_port });
        }
        let edges = Self { places, kv, server, _folder: folder };
        for location in 0..locations {
            edges.revive(location)?;
        }
        Ok(edges)
    }

    /// A stranger at a location.
    ///
    /// # Panics
    /// When there is no such location.
    pub fn at(&self, location: usize) -> Client {
        Client::new(self.url(location))
    }

    /// Origin of a location; the control plane pushes to the first.
    ///
    /// # Panics
    /// When there is no such location.
    pub fn url(&self, location: usize) -> String {
        format!("http://127.0.0.1:{}", self.place(location).port)
    }

    /// How many there are.
    pub fn locations(&self) -> usize {
        self.places.len()
    }

    /// The KV behind all of them.
    pub fn kv(&self) -> &Kv {
        &self.kv
    }

    /// Cloudflare's REST API of that KV.
    pub fn kv_api(&self) -> String {
        self.server.rest_base()
    }

    /// Ends a location's process at once, as a crash does. What its gates have stored stays.
    ///
    /// # Panics
    /// When there is no such location.
    pub fn crash(&self, location: usize) {
        let child = self.place(location).child.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = child {
            // An error means that it is gone.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops or continues a location's process: to others it hangs.
    ///
    /// # Panics
    /// When there is no such location, or it does not run.
    pub fn signal(&self, location: usize, signal: Signal) {
        let id = i32::try_from(self.process(location)).expect("an id of a process");
        kill(Pid::from_raw(id), signal).expect("the signal is sent");
    }

    /// The process of a location.
    ///
    /// # Panics
    /// When there is no such location, or it does not run.
    pub fn process(&self, location: usize) -> u32 {
        let child = self.place(location).child.lock().unwrap_or_else(PoisonError::into_inner);
        child.as_ref().map(Child::id).expect("a running location")
    }

    /// Starts a location that does not run.
    ///
    /// # Errors
    /// When it does not come up.
    ///
    /// # Panics
    /// When there is no such location.
    pub fn revive(&self, location: usize) -> Result<()> {
        let place = self.place(location);
        let program =
            std::env::var_os("WORKERD_BIN").context("WORKERD_BIN is not set: run `cargo xtask test`")?;
        let log = fs::File::options().create(true).append(true).open(place.folder.join("log"))?;
        let mut child = Command::new(program)
            .args(["serve", "--experimental", "config.capnp"])
            .current_dir(&place.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("workerd does not start")?;
        let begun = Instant::now();
        while TcpStream::connect(format!("127.0.0.1:{}", place.port)).is_err() {
            if begun.elapsed() > START_LIMIT || child.try_wait()?.is_some() {
                bail!("a location is not up:\n{}", self.log(location));
            }
            thread::sleep(Duration::from_millis(5));
        }
        *place.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        // Compiles the Worker of the location that is pushed to, before a push waits for it. What others do is counted.
        if location == 0 {
            self.at(location).try_get("/healthz");
        }
        Ok(())
    }

    /// The database of the gate of a record key, as it lies on the disk. Only while the first location does not run.
    ///
    /// # Errors
    /// When there is none.
    pub fn gate_storage(&self, record_key: &str) -> Result<rusqlite::Connection> {
        let objects = self.place(0).folder.join("objects/gates");
        for file in fs::read_dir(&objects)? {
            let file = file?.path();
            if file.extension().is_none_or(|extension| extension != "sqlite") {
                continue;
            }
            let storage = rusqlite::Connection::open(&file)?;
            let held = storage.query_row("SELECT key FROM held", [], |row| row.get::<_, String>(0));
            // workerd keeps a file of its own beside those of gates.
            if held.is_ok_and(|held| held == record_key) {
                return Ok(storage);
            }
        }
        bail!("no gate of {record_key} in {}", objects.display())
    }

    /// What a location's process wrote.
    ///
    /// # Panics
    /// When there is no such location.
    pub fn log(&self, location: usize) -> String {
        fs::read_to_string(self.place(location).folder.join("log")).unwrap_or_default()
    }

    /// What a location's isolate has been asked to do so far.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn counters(&self, location: usize) -> Value {
        let keys = KeyRing::parse(ROOT_KEY, None).expect("a strong key").current;
        signed::send(&self.at(location), &keys.push, "GET", "/internal/counters", "", signed::now())
            .expect(200)
            .json()
    }

    /// Points that a location wrote to Analytics Engine.
    ///
    /// # Panics
    /// When there is no such location, or it does not run.
    pub fn metrics(&self, location: usize) -> Vec<Value> {
        let sink = Client::new(format!("http://127.0.0.1:{}", self.place(location).metrics_port));
        match sink.get("/").expect(200).json() {
            Value::Array(points) => points,
            other => panic!("not points: {other}"),
        }
    }

    fn place(&self, location: usize) -> &Place {
        self.places.get(location).unwrap_or_else(|| panic!("no location {location}"))
    }
}

impl Drop for Edges {
    fn drop(&mut self) {
        for location in 0..self.places.len() {
            self.crash(location);
        }
    }
}

/// The Worker as it was built.
fn built(file: &str) -> Result<PathBuf> {
    let build = std::env::var_os("POSTERN_EDGE_BUILD").context("POSTERN_EDGE_BUILD is not set")?;
    Ok(Path::new(&build).join(file))
}
