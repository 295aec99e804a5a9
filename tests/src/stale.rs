//! Changes under load from several locations, and the one thing that must never be seen: an answer by the old rule to a
//! request that began after the call that made the new one had returned.
//!
//! Every visitor notes, before it asks, what its link may show at least; every change raises that when its call has returned,
//! and not before. So whatever is seen below it is a stale answer, whoever is to blame.

mod embed;

use crate::control::Control;
use crate::edges::{Edges, Weather};
use crate::stack::free_port;
use crate::{Client, Reply};
use anyhow::{Context, Result};
use embed::Embeds;
use fastrand::Rng;
use kv_sim::Faults;
use serde_json::{Value, json};
use shared::time::Millis;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

const LOCATIONS: usize = 3;
/// Visitors at each.
const VISITORS: usize = 2;
/// Changes that are under way at once.
const CHANGERS: usize = 16;
/// Links that are visited: those in use and the last ones that died.
const VISITED: usize = 96;

/// A token, and what its visitors may see from now on.
struct Link {
    /// Path of its public calls.
    path: String,
    /// The call that tells what it opens.
    opens: &'static str,
    /// The least rule.
    floor: AtomicU64,
    /// Nothing at all.
    dead: AtomicBool,
    /// Nothing without a grant.
    locked: AtomicBool,
    /// Is a change under way, so that it may also show less than it must?
    changing: AtomicBool,
}

impl Link {
    fn new(token: &str, rule: u64) -> Arc<Self> {
        Self::of(format!("/api/v1/public/shares/{token}"), "resolve", rule)
    }

    fn of(path: String, opens: &'static str, rule: u64) -> Arc<Self> {
        Arc::new(Self {
            path,
            opens,
            floor: AtomicU64::new(rule),
            dead: AtomicBool::new(false),
            locked: AtomicBool::new(false),
            changing: AtomicBool::new(false),
        })
    }

    fn path(&self, verb: &str) -> String {
        format!("{}/{verb}", self.path)
    }

    /// The rule under which an answer was made. What opens an embed does not tell, so it is the one that there is.
    fn rule(&self, reply: &Reply) -> Option<u64> {
        match rule(reply) {
            None if reply.status == 200 && self.opens == "info" => Some(self.floor.load(SeqCst)),
            told => told,
        }
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Report {
    /// Changes whose calls returned as in force, by kind.
    pub changes: BTreeMap<&'static str, usize>,
    /// Calls that returned as pending.
    pub pending: usize,
    /// Answers to visitors, by status.
    pub answers: BTreeMap<u16, usize>,
    /// Longest time that a call took.
    pub slowest: Duration,
    /// Answers by an old rule.
    pub stale: Vec<String>,
    /// Refusals of a link that was in force and did not change, and failures of any.
    pub refused: Vec<String>,
    /// What the locations logged.
    pub log: Vec<String>,
}

impl Report {
    /// Changes in force, of all kinds.
    pub fn changed(&self) -> usize {
        self.changes.values().sum()
    }
}

struct Trial {
    edges: Edges,
    control: Control,
    dashboard: String,
    links: RwLock<Vec<Arc<Link>>>,
    report: Mutex<Report>,
    wanted: usize,
    over: AtomicBool,
}

/// Makes so many changes, with KV as slow as it may be in the first half and twenty times as fast in the second, so that
/// both the old values that stay and those that change in between are met.
///
/// # Errors
/// When an installation cannot be started.
pub fn run(changes: usize, seed: u64) -> Result<Report> {
    let port = free_port()?;
    let edges = Edges::start(
        LOCATIONS,
        &Control::url(&port),
        Weather { rate: 1.0, faults: Faults::default(), time_out: Weather::TIME_OUT, seed },
    )?;
    let control = Control::start(&edges.url(0), port, None)?;
    let dashboard = control.dashboard()?;
    let trial = Trial {
        edges,
        control,
        dashboard,
        links: RwLock::default(),
        report: Mutex::default(),
        wanted: changes,
        over: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        let trial = &trial;
        for visitor in 0..LOCATIONS * VISITORS {
            let mut rng = Rng::with_seed(seed.wrapping_mul(31).wrapping_add(visitor as u64));
            scope.spawn(move || trial.visit(visitor % LOCATIONS, &mut rng));
        }
        let owners: Vec<_> = (0..CHANGERS as u64)
            .map(|changer| scope.spawn(move || trial.change(&mut Rng::with_seed(seed.wrapping_add(changer)))))
            .chain([scope.spawn(move || trial.embed(&mut Rng::with_seed(seed)))])
            .collect();
        let mut outcome = Ok(());
        for owner in owners {
            outcome = outcome
                .and(owner.join().unwrap_or_else(|_| Err(anyhow::anyhow!("an owner's thread panicked"))));
        }
        trial.over.store(true, SeqCst);
        outcome
    })?;
    for location in 0..LOCATIONS {
        let log = trial.edges.log(location);
        trial.report(|report| report.log.extend(log.lines().map(|line| format!("{location}: {line}"))));
    }
    Ok(trial.report.into_inner().unwrap_or_else(PoisonError::into_inner))
}

impl Trial {
    fn report<T>(&self, write: impl FnOnce(&mut Report) -> T) -> T {
        write(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner))
    }

    // --- Visitors ---

    fn visit(&self, location: usize, rng: &mut Rng) {
        let client = self.edges.at(location);
        while !self.over.load(SeqCst) {
            let link = {
                let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
                if links.is_empty() { None } else { Some(Arc::clone(&links[rng.usize(..links.len())])) }
            };
            match link {
                Some(link) => self.look(&client, location, &link, rng.bool()),
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// One visit, and what it may not show.
    fn look(&self, client: &Client, location: usize, link: &Link, execute: bool) {
        let steady = !link.changing.load(SeqCst);
        let (floor, dead, locked) =
            (link.floor.load(SeqCst), link.dead.load(SeqCst), link.locked.load(SeqCst));
        let reply = if execute {
            client.post(&link.path("execute"), &json!({}))
        } else {
            client.get(&link.path(link.opens))
        };
        let unchanged = steady && !link.changing.load(SeqCst);
        // Its password may have been removed meanwhile.
        let closed = dead || (locked && link.locked.load(SeqCst));
        let told = || {
            format!(
                "at {location}, {}: {} {}",
                if execute { "rows" } else { "page" },
                reply.status,
                reply.text()
            )
        };
        let seen = link.rule(&reply);
        self.report(|report| {
            *report.answers.entry(reply.status).or_default() += 1;
            if closed && reply.status == 200 {
                report.stale.push(format!("a closed link: {}", told()));
            } else if seen.is_some_and(|seen| seen < floor) {
                report.stale.push(format!("rule {floor} or a newer one was in force: {}", told()));
            } else if reply.status >= 500 || (!closed && unchanged && seen.is_none()) {
                report.refused.push(told());
            }
        });
    }

    /// Looks at a link everywhere, right after a change.
    fn look_everywhere(&self, link: &Link) {
        for location in 0..LOCATIONS {
            self.look_from(location, link);
        }
    }

    fn look_from(&self, location: usize, link: &Link) {
        let client = self.edges.at(location);
        self.look(&client, location, link, false);
        self.look(&client, location, link, true);
    }

    /// Lets visitors come, after the link's first change.
    fn publish(&self, link: &Arc<Link>) {
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        if links.iter().any(|known| Arc::ptr_eq(known, link)) {
            return;
        }
        if links.len() == VISITED {
            let at = links.iter().position(|link| link.dead.load(SeqCst)).unwrap_or_default();
            links.remove(at);
        }
        links.push(Arc::clone(link));
    }

    /// Lets no more visitors come.
    fn withdraw(&self, link: &Arc<Link>) {
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        links.retain(|known| !Arc::ptr_eq(known, link));
    }

    /// One location does not know the link before its change, and may find in KV what was before it.
    fn look_before(&self, link: &Link, rng: &mut Rng) {
        let elsewhere = rng.usize(..LOCATIONS);
        for location in (0..LOCATIONS).filter(|location| *location != elsewhere) {
            self.look_from(location, link);
        }
    }

    fn embed(&self, rng: &mut Rng) -> Result<()> {
        let (admin, embeds) = (self.control.admin(), Embeds::create(self)?);
        for turn in 0.. {
            if self.report(|report| report.changed()) >= self.wanted {
                break;
            }
            embeds.change(self, &admin, turn, rng)?;
        }
        Ok(())
    }

    // --- Owners ---

    fn change(&self, rng: &mut Rng) -> Result<()> {
        let admin = self.control.admin();
        let mut owned = Owned::create(self, &admin)?;
        while self.report(|report| report.changed()) < self.wanted {
            if self.report(|report| report.changed()) >= self.wanted / 2 {
                self.edges.kv().clock().set_rate(20.0);
            }
            self.look_before(&owned.link, rng);
            let link = Arc::clone(&owned.link);
            owned = match rng.u8(..6) {
                0 => owned.revoke(self, &admin)?,
                1 => owned.expire(self, &admin)?,
                2 => owned.rotate(self, &admin)?,
                3 => owned.protect(self, &admin),
                _ => owned.narrow(self, &admin),
            };
            self.publish(&link);
        }
        Ok(())
    }

    /// Notes what a call came to; `true` when it said that the change is in force.
    fn note(&self, kind: &'static str, begun: Instant, reply: &Reply) -> bool {
        let in_force = reply.status == 200 && reply.json()["effective"] == "live";
        assert!(in_force || reply.status == 202, "{kind}: {} {}", reply.status, reply.text());
        self.report(|report| {
            report.slowest = report.slowest.max(begun.elapsed());
            if in_force {
                *report.changes.entry(kind).or_default() += 1;
            } else {
                report.pending += 1;
            }
        });
        in_force
    }
}

/// The rule under which an answer was made.
fn rule(reply: &Reply) -> Option<u64> {
    if reply.status != 200 {
        return None;
    }
    let body = reply.json();
    let name = body["share"]["name"].as_str().and_then(|name| name.strip_prefix("rule ")?.parse().ok());
    name.or_else(|| format!("{:.0}", body["panels"][0]["rows"][0][0].as_f64()?).parse().ok())
}

/// A share and its link in force.
struct Owned {
    id: String,
    rule: u64,
    link: Arc<Link>,
}

impl Owned {
    fn create(trial: &Trial, admin: &Client) -> Result<Self> {
        let path = format!("/api/v1/dashboards/{}/shares", trial.dashboard);
        let mut fields = ruled(1);
        fields["share_type"] = json!("link");
        let reply = admin.post(&path, &fields);
        anyhow::ensure!(matches!(reply.status, 201 | 202), "{} {}", reply.status, reply.text());
        let made = reply.json();
        let text = |field: &str| made[field].as_str().map(str::to_owned).context("a field");
        let link = Link::new(&text("token")?, 1);
        link.changing.store(reply.status == 202, SeqCst);
        Ok(Self { id: text("id")?, rule: 1, link })
    }

    fn path(&self) -> String {
        format!("/api/v1/dashboard-shares/{}", self.id)
    }

    /// Lets the link show another rule.
    fn narrow(mut self, trial: &Trial, admin: &Client) -> Self {
        self.rule += 1;
        let begun = Instant::now();
        let reply = admin.patch(&self.path(), &ruled(self.rule));
        if trial.note("policy", begun, &reply) {
            self.link.floor.store(self.rule, SeqCst);
            trial.look_everywhere(&self.link);
        }
        self
    }

    fn rotate(self, trial: &Trial, admin: &Client) -> Result<Self> {
        self.link.changing.store(true, SeqCst);
        let begun = Instant::now();
        let reply = admin.post(&format!("{}/rotate", self.path()), &json!({}));
        if trial.note("rotate", begun, &reply) {
            self.link.dead.store(true, SeqCst);
            trial.look_everywhere(&self.link);
        }
        let token = reply.json()["token"].as_str().context("a token")?.to_owned();
        let link = Link::new(&token, self.rule);
        link.changing.store(reply.status != 200, SeqCst);
        Ok(Self { link, ..self })
    }

    fn revoke(self, trial: &Trial, admin: &Client) -> Result<Self> {
        self.link.changing.store(true, SeqCst);
        let begun = Instant::now();
        let reply = admin.delete(&self.path());
        if trial.note("revoke", begun, &reply) {
            self.link.dead.store(true, SeqCst);
            trial.look_everywhere(&self.link);
        }
        Self::create(trial, admin)
    }

    /// Ends it a little later: when the call returns, or at that instant, whichever is later.
    fn expire(self, trial: &Trial, admin: &Client) -> Result<Self> {
        self.link.changing.store(true, SeqCst);
        let begun = Instant::now();
        let expires_at = Millis(crate::signed::now().0 + 3_000);
        let reply = admin.patch(&self.path(), &json!({ "expires_at": expires_at.to_rfc3339() }));
        if trial.note("expiry", begun, &reply) {
            thread::sleep(expires_at.since(crate::signed::now()));
            self.link.dead.store(true, SeqCst);
            trial.look_everywhere(&self.link);
        }
        Self::create(trial, admin)
    }

    /// Sets a password, another one, and none again: the first closes to strangers, the second to those who have a grant.
    fn protect(self, trial: &Trial, admin: &Client) -> Self {
        self.link.changing.store(true, SeqCst);
        let password = format!("{}/password", self.path());
        let begun = Instant::now();
        let reply = admin.put(&password, &json!({ "password": "the first one" }));
        if trial.note("password", begun, &reply) {
            self.link.locked.store(true, SeqCst);
            trial.look_everywhere(&self.link);
            if let Some(grant) = self.unlock(trial, "the first one") {
                let begun = Instant::now();
                let reply = admin.put(&password, &json!({ "password": "the second one" }));
                if trial.note("password", begun, &reply) {
                    self.show(trial, &grant);
                }
            }
        }
        // From here on it may open again.
        self.link.locked.store(false, SeqCst);
        let reply = admin.delete(&password);
        self.link.changing.store(reply.status != 200, SeqCst);
        self
    }

    /// A grant, if there is a turn for the password.
    fn unlock(&self, trial: &Trial, password: &str) -> Option<String> {
        let body = json!({ "password": password });
        for attempt in 0..10 {
            let reply = trial.edges.at(attempt % LOCATIONS).post(&self.link.path("unlock"), &body);
            if reply.status == 200 {
                return Some(reply.json()["access_token"].as_str()?.to_owned());
            }
            thread::sleep(Duration::from_millis(300));
        }
        None
    }

    /// Shows an old grant everywhere.
    fn show(&self, trial: &Trial, grant: &str) {
        let authorization = format!("Bearer {grant}");
        for location in 0..LOCATIONS {
            let client = trial.edges.at(location);
            let headers = [("authorization", authorization.as_str())];
            let reply = client.send("GET", &self.link.path("resolve"), &headers, None);
            if reply.status != 401 {
                trial.report(|report| {
                    report.stale.push(format!("an old grant: {} {}", reply.status, reply.text()));
                });
            }
        }
    }
}

/// The fields of a share under a rule.
fn ruled(rule: u64) -> Value {
    json!({
        "name": format!("rule {rule}"),
        "share_filter_policies": [
            { "filter_slug": "rule", "filter_kind": "number", "mode": "locked", "allowed_values": [rule] },
        ],
    })
}
