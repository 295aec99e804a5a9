//! Crashes and faults between database, control plane and edge, and what must be true after them: no change that an owner
//! was told of is lost, none happens twice, no dead link comes back, and KV ends up equal to the database.
//!
//! A round breaks something while an owner changes a share. The owner does what the documentation says: a request without
//! an answer, or with a 5xx, is repeated with the same `Idempotency-Key` until it is answered.

use crate::client::{Client, Reply};
use crate::control::Control;
use crate::edges::{Edges, ROOT_KEY, Weather};
use crate::postgres::Server;
use crate::signed;
use crate::stack::{Database, free_port};
use crate::wire::{From, Pass, When, Wire};
use anyhow::{Context, Result, bail, ensure};
use database::Direct;
use fastrand::Rng;
use kv_sim::Faults;
use serde_json::{Value, json};
use shared::call::RECORD_PATH;
use shared::model::key::KeyRing;
use shared::model::token::locate;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

mod backup;
mod database;
mod fault;

use fault::Fault;

/// How long everything may take to be equal again after the last fault.
const CONVERGENCE: Duration = Duration::from_mins(1);
/// How long an owner goes on repeating a request.
const PATIENCE: Duration = Duration::from_secs(40);
/// Dead links that are looked at after each round, beside those that died in it.
const LOOKED_AT: usize = 4;

/// What was seen.
#[derive(Debug, Default)]
pub struct Report {
    /// Rounds, by what was broken in them.
    pub rounds: BTreeMap<String, usize>,
    /// Rounds in which it broke indeed.
    pub struck: usize,
    /// The same, by what was broken.
    pub struck_by: BTreeMap<String, usize>,
    /// Times that PostgreSQL itself gave up, and recovered.
    pub panics: usize,
    /// Requests that were repeated.
    pub repeated: usize,
    /// Links that came back.
    pub revived: Vec<String>,
    /// How long it took at the end until KV was equal to the database.
    pub converged_after: Duration,
}

/// A share as its owner knows it.
struct Known {
    id: String,
    /// The link in force; none when it was revoked.
    token: Option<String>,
    generation: u64,
}

struct Trial {
    edges: Arc<Edges>,
    control: Arc<Control>,
    /// From the control plane to the edge.
    edge_wire: Wire,
    /// From the control plane to PostgreSQL.
    database_wire: Option<Wire>,
    /// PostgreSQL.
    server: Option<Arc<Server>>,
    direct: Direct,
    dashboard: String,
    shares: Vec<Known>,
    dead: Vec<String>,
    /// Links whose death was pending when the call returned: dead in the end.
    doomed: Vec<String>,
    rng: Rng,
    report: Report,
}

/// Breaks so many things, one after the other.
///
/// # Errors
/// When an installation cannot be started, or an owner is not answered in time.
pub fn run(database: Database, rounds: usize, seed: u64) -> Result<Report> {
    let mut trial = Trial::start(database, seed)?;
    let faults = Fault::all(database);
    for round in 0..rounds {
        // Each of them in turn, at places that chance chooses.
        let fault = faults[(round + usize::try_from(seed)?) % faults.len()];
        trial.round(fault).with_context(|| format!("round {round}, {fault:?}\n{}", trial.log_end()))?;
    }
    if database == Database::Sqlite {
        trial.restore_a_backup().with_context(|| format!("backup\n{}", trial.log_end()))?;
    }
    trial.converge().with_context(|| trial.log_end())?;
    if let Some(server) = &trial.server {
        trial.report.panics = server.log().matches("PANIC:").count();
    }
    Ok(trial.report)
}

impl Trial {
    fn start(database: Database, seed: u64) -> Result<Self> {
        let control_port = free_port()?;
        let weather = Weather { rate: 10.0, faults: Faults::default(), time_out: Weather::TIME_OUT, seed };
        let edges = Edges::start(1, &Control::url(&control_port), weather)?;
        let edge_wire = Wire::to(edges.url(0).trim_start_matches("http://"))?;
        let (url, database_wire, server) = match database {
            Database::Sqlite => (None, None, None),
            Database::Postgres => {
                let server = Server::start()?;
                let url = server.url();
                let address = url.split(['@', '/']).nth(3).context("an address")?.to_owned();
                let wire = Wire::to(&address)?;
                let url = url.replace(&address, &format!("127.0.0.1:{}", wire.port()));
                (Some(url), Some(wire), Some(server))
            }
        };
        let control = Control::start(&Control::url(edge_wire.port()), control_port, url)?;
        let dashboard = control.dashboard()?;
        let direct = Direct::of(&control);
        let mut trial = Self {
            edges: Arc::new(edges),
            control: Arc::new(control),
            edge_wire,
            database_wire,
            server,
            direct,
            dashboard,
            shares: Vec::new(),
            dead: Vec::new(),
            doomed: Vec::new(),
            rng: Rng::with_seed(seed),
            report: Report::default(),
        };
        for _ in 0..3 {
            trial.create()?;
        }
        Ok(trial)
    }

    /// What control plane and PostgreSQL logged last.
    fn log_end(&self) -> String {
        let server = self.server.as_ref().map(|server| server.log()).unwrap_or_default();
        let lines: Vec<&str> = server.lines().collect();
        format!("{}\n{}", self.control.log_end(), lines[lines.len().saturating_sub(24)..].join("\n"))
    }

    fn round(&mut self, fault: Fault) -> Result<()> {
        *self.report.rounds.entry(fault.name()).or_default() += 1;
        let struck = fault.strike(self)?;
        self.report.struck += usize::from(struck);
        *self.report.struck_by.entry(fault.name()).or_default() += usize::from(struck);
        self.look()
    }

    /// Links that died must be dead, whatever happened.
    fn look(&mut self) -> Result<()> {
        let newest = self.dead.len().saturating_sub(2);
        let chosen: Vec<usize> = (newest..self.dead.len())
            .chain((0..LOOKED_AT).map(|_| self.rng.usize(..self.dead.len().max(1))))
            .collect();
        let edge = self.edges.at(0);
        for token in chosen.into_iter().filter_map(|at| self.dead.get(at)) {
            let path = format!("/api/v1/public/shares/{token}/resolve");
            let seen = edge.try_get(&path).context("the edge does not answer")?;
            if seen.status == 200 {
                self.report.revived.push(seen.text());
            }
        }
        Ok(())
    }

    // --- What an owner does ---

    /// One change, of a kind that chance chooses.
    fn change(&mut self) -> Result<()> {
        let live: Vec<usize> = (0..self.shares.len()).filter(|at| self.shares[*at].token.is_some()).collect();
        let Some(at) = self.rng.choice(live) else { return self.create() };
        match self.rng.u8(..5) {
            0 => self.create(),
            1 => self.revoke(at),
            2 => self.amend(at),
            _ => self.rotate(at),
        }
    }

    fn create(&mut self) -> Result<()> {
        let path = format!("/api/v1/dashboards/{}/shares", self.dashboard);
        let made = self.persist("POST", &path, Some(json!({ "name": "Link", "share_type": "link" })))?.json();
        let text =
            |field: &str| made[field].as_str().map(str::to_owned).with_context(|| format!("{field}: {made}"));
        self.shares.push(Known { id: text("id")?, token: Some(text("token")?), generation: 1 });
        Ok(())
    }

    fn rotate(&mut self, at: usize) -> Result<()> {
        let path = format!("/api/v1/dashboard-shares/{}/rotate", self.shares[at].id);
        let rotated = self.persist("POST", &path, Some(json!({})))?;
        let body = rotated.json();
        let token = body["token"].as_str().context("a token")?.to_owned();
        let share = &mut self.shares[at];
        share.generation += 1;
        ensure!(body["generation"] == share.generation, "rotated more often than asked: {body}");
        let before = share.token.replace(token);
        self.bury(&rotated, before);
        Ok(())
    }

    fn revoke(&mut self, at: usize) -> Result<()> {
        let revoked =
            self.persist("DELETE", &format!("/api/v1/dashboard-shares/{}", self.shares[at].id), None)?;
        let before = self.shares[at].token.take();
        self.bury(&revoked, before);
        Ok(())
    }

    fn amend(&mut self, at: usize) -> Result<()> {
        let name = format!("Link {}", self.rng.u32(..));
        let path = format!("/api/v1/dashboard-shares/{}", self.shares[at].id);
        let amended = self.persist("PATCH", &path, Some(json!({ "name": name })))?.json();
        ensure!(amended["name"] == name.as_str(), "{amended}");
        Ok(())
    }

    /// What was said to be in force is, from now on; what is pending will be at the end.
    fn bury(&mut self, reply: &Reply, token: Option<String>) {
        let in_force = reply.json()["effective"] == "live";
        if in_force { self.dead.extend(token) } else { self.doomed.extend(token) }
    }

    /// Sends a request, again and again, until it is answered.
    fn persist(&mut self, method: &str, path: &str, body: Option<Value>) -> Result<Reply> {
        let (admin, begun) = (self.control.admin(), Instant::now());
        let key = format!("{:032x}", self.rng.u128(..));
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        let body = body.map(|body| body.to_string());
        loop {
            let sent = admin.try_send(method, path, &headers, body.as_ref().map(String::as_bytes));
            match sent {
                Ok(reply) if reply.status < 300 => return Ok(reply),
                Ok(reply) if reply.status < 500 => {
                    bail!("{method} {path}: {} {}", reply.status, reply.text())
                }
                Ok(reply) if reply.status == 500 => bail!("{method} {path}: {}", reply.text()),
                _ => {}
            }
            ensure!(begun.elapsed() < PATIENCE, "{method} {path}: no answer in time: {sent:?}");
            self.report.repeated += 1;
            if let Some(server) = &self.server {
                server.revive()?;
            }
            if self.control.has_ended() {
                self.control.revive()?;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    // --- The end ---

    /// Everybody agrees before long, on what the owner was told.
    fn converge(&mut self) -> Result<()> {
        self.report.converged_after = self.agree()?;
        let admin = self.control.admin();
        let edge = self.edges.at(0);
        let resolve = |token: &str| edge.get(&format!("/api/v1/public/shares/{token}/resolve")).status;
        for share in &self.shares {
            let found = admin.get(&format!("/api/v1/dashboard-shares/{}", share.id)).expect(200).json();
            ensure!(found["generation"] == share.generation, "{found} instead of {}", share.generation);
            ensure!((found["status"] == "active") == share.token.is_some(), "{found}");
            if let Some(token) = &share.token {
                ensure!(resolve(token) == 200, "a live link is lost: {found}");
            }
        }
        for token in self.dead.iter().chain(&self.doomed) {
            if resolve(token) != 401 {
                self.report.revived.push(token.clone());
            }
        }
        let listed = admin.get("/api/v1/dashboard-shares?limit=1").expect(200).json();
        ensure!(
            listed["total"] == self.shares.len(),
            "{} shares instead of {}",
            listed["total"],
            self.shares.len()
        );
        Ok(())
    }

    /// Waits until KV is equal to the database, with nothing broken any more.
    fn agree(&self) -> Result<Duration> {
        let begun = Instant::now();
        self.edges.kv().set_faults(Faults::none());
        loop {
            let different = self.differences()?;
            if different.is_empty() {
                return Ok(begun.elapsed());
            }
            ensure!(begun.elapsed() < CONVERGENCE, "KV differs from the database: {different:?}");
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Shares that are not said to be in force, and keys of tokens whose record in KV is not the one in the database.
    fn differences(&self) -> Result<Vec<String>> {
        let ring = KeyRing::parse(ROOT_KEY, None)?;
        let admin = self.control.admin();
        let control = Client::new(admin.origin());
        let tokens =
            self.shares.iter().filter_map(|share| share.token.as_ref()).chain(&self.dead).chain(&self.doomed);
        let mut different = Vec::new();
        for share in &self.shares {
            let found = admin.get(&format!("/api/v1/dashboard-shares/{}", share.id)).expect(200).json();
            if found["effective"] != "live" {
                different.push(found.to_string());
            }
        }
        for token in tokens {
            let key = locate(&ring, token).context("a token of ours")?;
            let body = json!({ "key": key.as_str() }).to_string();
            let told =
                signed::send(&control, &ring.current.origin, "POST", RECORD_PATH, &body, signed::now());
            let told = (told.status == 200).then(|| told.json()["record"].take());
            let kept = self.edges.kv().authoritative(key.as_str());
            let kept = kept.map(|kept| serde_json::from_slice::<Value>(&kept.value)).transpose()?;
            let equal = match (&told, &kept) {
                // The share of a retired token goes on changing; its tombstone need not.
                (Some(told), Some(kept)) => {
                    told == kept || (told["live"].is_null() && kept["live"].is_null())
                }
                // What only the edge knew is dead there.
                (None, Some(kept)) => kept["live"].is_null(),
                _ => false,
            };
            if !equal {
                different.push(format!("{key}: {told:?}, {kept:?}"));
            }
        }
        Ok(different)
    }
}

/// Something that happens at one piece on a wire, and whether it has.
struct Once {
    countdown: Arc<AtomicUsize>,
    done: Arc<AtomicBool>,
}

impl Once {
    /// At the piece of that number, counted from 1, from that side.
    fn at(
        wire: &Wire,
        number: usize,
        (from, when): (From, When),
        mut act: impl FnMut() -> Pass + Send + 'static,
    ) -> Self {
        let once = Self { countdown: Arc::new(AtomicUsize::new(number)), done: Arc::default() };
        let (countdown, done) = (Arc::clone(&once.countdown), Arc::clone(&once.done));
        wire.tap(move |piece_from, piece_when, _| {
            if done.load(SeqCst)
                || (piece_from, piece_when) != (from, when)
                || countdown.fetch_sub(1, SeqCst) != 1
            {
                return Pass::On;
            }
            done.store(true, SeqCst);
            act()
        });
        once
    }

    fn happened(&self) -> bool {
        self.done.load(SeqCst)
    }
}
