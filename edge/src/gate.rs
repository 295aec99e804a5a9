//! The gate of one token, a Durable Object: load, take one of `shared`'s pure steps, save, answer.
//!
//! Why its answers can be trusted: a Durable Object handles one event at a time between awaits, its storage
//! refuses a stale instance, and every handler here reads storage before it answers; nothing in memory decides.
//! Answers leave only after the writes before them are durable. The gate is the only writer of its KV key.

mod control;
mod storage;

use crate::env;
use control::Control;
use futures_util::future::{Either, select};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::app::port::Told;
use shared::call::Healed;
use shared::model::gate::{self, Announced, Flush, Memory};
use shared::model::meter::Meter;
use shared::model::tally::{Admission, Entry, Report, Tally};
use shared::replica::{Live, Metadata, Outcome, Record};
use shared::time::Millis;
use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;
use storage::Held;
use worker::{Date, Delay, DurableObject, Env, Error, Request, Response, Result, State, durable_object};

/// One alarm runs at a time, so a write that hangs would hold up the next. It may still arrive.
const KV_WRITE_LIMIT: Duration = Duration::from_secs(10);

/// See the module.
#[durable_object(alarm)]
pub struct ShareGate {
    state: State,
    env: Env,
    memory: Cell<Memory>,
    /// Openings that isolates told of, until the next alarm counts them: no write for each.
    opens: Cell<u64>,
    /// Has this instance seen its tables?
    prepared: Cell<bool>,
}

/// Body of `attempt`.
#[derive(Deserialize)]
struct Guess {
    network: String,
}

/// Body of `give-back`.
#[derive(Deserialize)]
struct GiveBack {
    attempt: u64,
}

/// Body of `enter`.
#[derive(Deserialize)]
struct Proof {
    revision: u64,
    attempt: Option<u64>,
}

impl DurableObject for ShareGate {
    fn new(state: State, env: Env) -> Self {
        let memory = Cell::new(Memory { started_at: now(), leased_at: None });
        Self { state, env, memory, opens: Cell::new(0), prepared: Cell::new(false) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let path = request.path();
        let mut segments = path.trim_start_matches('/').split('/');
        let (Some(verb), Some(key)) = (segments.next(), segments.next()) else {
            return Response::error("unknown path", 400);
        };
        match verb {
            "push" => {
                let told = body(&mut request).await?;
                Response::from_json(&self.push(key, told).await?)
            }
            "lease" => {
                let mut figure = || segments.next().and_then(|figure| figure.parse().ok()).unwrap_or(0);
                let opens = figure();
                let tiles = Meter { tiles: figure(), hits: figure(), bytes: figure() };
                self.lease(key, Told { opens, tiles, id: figure() }).await
            }
            "record" => match self.load_or_heal(key).await? {
                // Whoever reads the record serves under it, as under a lease.
                Some(held) => {
                    self.note_lease(&held);
                    Response::ok(held.record)
                }
                None => unknown(),
            },
            "attempt" => {
                let Guess { network } = body(&mut request).await?;
                match self.load_or_heal(key).await? {
                    Some(held) => Response::from_json(&self.attempt(&held, &network).await?),
                    None => unknown(),
                }
            }
            "give-back" => {
                let GiveBack { attempt } = body(&mut request).await?;
                let mut tally = self.tally()?;
                tally.give_back(attempt);
                self.save_tally(&tally)?;
                Response::empty()
            }
            "enter" => {
                let proof = body(&mut request).await?;
                match self.load_or_heal(key).await? {
                    Some(held) => Response::from_json(&self.enter(&held, &proof).await?),
                    None => unknown(),
                }
            }
            _ => Response::error("unknown path", 400),
        }
    }

    /// Brings KV up to what is in force, and tells the control plane what was counted.
    async fn alarm(&self) -> Result<Response> {
        let Some(held) = self.load()? else { return Response::empty() };
        let opens = self.opens.take();
        if opens > 0 {
            let mut tally = self.tally()?;
            tally.opened(opens, now());
            self.save_tally(&tally)?;
        }
        let key = held.key.clone();
        let flush = self.flush(held).await?;
        let report = self.report(&key).await?;
        if let Some(next) = flush.into_iter().chain(report).min() {
            self.wake_at(next).await?;
        }
        Response::empty()
    }
}

impl ShareGate {
    async fn push(&self, key: &str, told: Healed) -> Result<Outcome> {
        let record = told.record.get().to_owned();
        let announced = match Announced::of(record.as_bytes()) {
            Ok(announced) => announced,
            Err(unreadable) => return Ok(Outcome::Failed { reason: unreadable.to_string() }),
        };
        let mut tally = self.tally()?;
        let counted = tally.usage;
        tally.learn(told.usage);
        if tally.usage != counted {
            self.save_tally(&tally)?;
        }
        let held = self.load()?;
        let pushed = gate::push(held.as_ref().map(|held| &held.stored), &self.memory.get(), announced, now());
        if let Some(stored) = pushed.taken {
            self.save(&Held { key: key.to_owned(), record, stored })?;
            self.wake_at(now()).await?;
        } else {
            // A gate that held nothing would have taken it.
            let held = held.ok_or_else(|| Error::from("nothing is held"))?;
            if held.record != record {
                return Ok(Outcome::Ahead { revision: pushed.revision, dead: held.stored.dead });
            }
            // An instance may have ended between saving this record and setting its alarm.
            if let Flush::Write | Flush::Wait(_) = gate::flush(&held.stored, now()) {
                self.wake_at(now()).await?;
            }
        }
        let drain_ms = u64::try_from(pushed.drain.as_millis()).unwrap_or(u64::MAX);
        Ok(Outcome::InForce { revision: pushed.revision, drain_ms })
    }

    /// Revision and digest in force, and `spent` after them when the token was opened as often as it may be.
    async fn lease(&self, key: &str, Told { id, opens, tiles }: Told) -> Result<Response> {
        if !tiles.is_empty() {
            self.meter(id, tiles).await?;
        }
        if opens > 0 && self.opens.replace(self.opens.get().saturating_add(opens)) == 0 {
            self.wake_at(now().max(self.tally()?.report_not_before())).await?;
        }
        // Nothing waits from here on: a push that comes in later sees this lease.
        let Some(held) = self.load_or_heal(key).await? else { return unknown() };
        let spent = if self.is_spent(&held)? { " spent" } else { "" };
        let today = if held.stored.ticketed {
            format!(" tiles={}", self.tally()?.tiles.today(now()))
        } else {
            String::new()
        };
        self.note_lease(&held);
        Response::ok(format!("{} {}{spent}{today}", held.stored.revision, held.stored.digest))
    }

    /// Saved at once: somebody pays for it.
    async fn meter(&self, report: u64, tiles: Meter) -> Result<()> {
        let mut tally = self.tally()?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| Error::RustError(error.to_string()))?;
        if tally.metered((report, tiles), || hex::encode(random), now()) {
            self.save_tally(&tally)?;
        }
        self.wake_for_report(&tally).await
    }

    /// Nothing waits between reading and saving the counts here, so parallel guesses are counted one by one.
    async fn attempt(&self, held: &Held, network: &str) -> Result<Admission> {
        let Ok(Live { protection, .. }) = live(held) else { return Ok(Admission::Dead) };
        let before = self.tally()?;
        let mut tally = before.clone();
        let admission = tally.attempt(&protection, network, now());
        // A refusal that changes nothing costs no write, however many there are.
        if tally != before {
            self.save_tally(&tally)?;
            self.wake_for_report(&tally).await?;
        }
        Ok(admission)
    }

    async fn enter(&self, held: &Held, proof: &Proof) -> Result<Entry> {
        let mut tally = self.tally()?;
        let entry = match live(held) {
            Ok(Live { protection, .. }) if held.stored.strict && held.stored.revision == proof.revision => {
                tally.enter(&protection, proof.attempt, now())
            }
            _ => {
                proof.attempt.into_iter().for_each(|number| tally.give_back(number));
                Entry::Changed
            }
        };
        self.save_tally(&tally)?;
        self.wake_for_report(&tally).await?;
        Ok(entry)
    }

    fn is_spent(&self, held: &Held) -> Result<bool> {
        let Some(max) = held.stored.max_access_count else { return Ok(false) };
        Ok(self.tally()?.usage.accesses >= max)
    }

    /// Nobody serves a strict record under a lease, but tiles of one.
    fn note_lease(&self, held: &Held) {
        if held.stored.is_leased() {
            self.memory.set(Memory { leased_at: Some(now()), ..self.memory.get() });
        }
    }

    /// What is held; an empty gate asks the control plane once.
    async fn load_or_heal(&self, key: &str) -> Result<Option<Held>> {
        if let Some(held) = self.load()? {
            return Ok(Some(held));
        }
        let Some(healed) = Control::of(&self.env)?.heal(key).await? else { return Ok(None) };
        // A push may have come in meanwhile: the same step refuses what is older.
        self.push(key, healed).await?;
        self.load()
    }

    /// Writes KV if that is due, and tells when to come back for it.
    async fn flush(&self, mut held: Held) -> Result<Option<Millis>> {
        match gate::flush(&held.stored, now()) {
            Flush::Done => Ok(None),
            Flush::Wait(until) => Ok(Some(until)),
            Flush::Write => {
                let revision = held.stored.revision;
                held.stored = gate::flushing(&held.stored);
                self.save(&held)?;
                let written = self.write_kv(&held).await;
                if let Err(error) = &written {
                    worker::console_error!("KV write of {} failed: {error}", held.key);
                }
                // A push may have come in during the write: what it saved stays, only the write's outcome is added.
                let Some(mut after) = self.load()? else { return Ok(None) };
                after.stored = gate::flushed(&after.stored, revision, written.is_ok(), now());
                self.save(&after)?;
                Ok(match gate::flush(&after.stored, now()) {
                    Flush::Done => None,
                    Flush::Write => Some(now()),
                    Flush::Wait(until) => Some(until),
                })
            }
        }
    }

    async fn write_kv(&self, held: &Held) -> Result<()> {
        let metadata = Metadata { revision: held.stored.revision, digest: held.stored.digest.clone() };
        let put = self.env.kv(env::SHARES)?.put(&held.key, held.record.as_str())?.metadata(metadata)?;
        match select(pin!(put.execute()), pin!(Delay::from(KV_WRITE_LIMIT))).await {
            Either::Left((written, _)) => Ok(written?),
            Either::Right(((), _)) => Err(Error::from("no answer in time")),
        }
    }

    /// Tells the control plane if that is due, and when to come back for it.
    async fn report(&self, key: &str) -> Result<Option<Millis>> {
        let tally = self.tally()?;
        if let Report::Due(changes) = tally.report(now()) {
            let told = Control::of(&self.env)?.report(key, tally.usage, tally.tiles.clone()).await;
            if let Err(error) = &told {
                worker::console_error!("usage of {key} could not be told: {error}");
            }
            // What was counted meanwhile stays.
            let mut after = self.tally()?;
            after.reported(changes, told.is_ok(), now());
            self.save_tally(&after)?;
        }
        Ok(match self.tally()?.report(now()) {
            Report::Nothing => None,
            Report::Due(_) => Some(now()),
            Report::Wait(until) => Some(until),
        })
    }

    async fn wake_for_report(&self, tally: &Tally) -> Result<()> {
        match tally.report(now()) {
            Report::Nothing => Ok(()),
            Report::Due(_) => self.wake_at(now()).await,
            Report::Wait(until) => self.wake_at(until).await,
        }
    }

    /// Sets the alarm, unless an earlier one is set.
    async fn wake_at(&self, instant: Millis) -> Result<()> {
        let storage = self.state.storage();
        match storage.get_alarm().await? {
            Some(earlier) if earlier <= instant.0 => Ok(()),
            _ => storage.set_alarm(instant.since(now())).await,
        }
    }
}

/// What the held record opens.
fn live(held: &Held) -> Result<Live> {
    parse(held)?.live.ok_or_else(|| Error::from("a tombstone"))
}

fn parse(held: &Held) -> Result<Record> {
    Record::parse(held.record.as_bytes()).map_err(|error| Error::RustError(error.to_string()))
}

async fn body<T: DeserializeOwned>(request: &mut Request) -> Result<T> {
    Ok(serde_json::from_slice(&request.bytes().await?)?)
}

fn unknown() -> Result<Response> {
    Response::error("unknown", 404)
}

fn now() -> Millis {
    Millis(i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX))
}
