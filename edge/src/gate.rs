//! The gate of one token, a Durable Object: load, take one of `shared`'s pure steps, save, answer.
//!
//! Why its answers can be trusted: a Durable Object handles one event at a time between awaits, its storage
//! refuses a stale instance, and every handler here reads storage before it answers; nothing in memory decides.
//! Answers leave only after the writes before them are durable. The gate is the only writer of its KV key.

use crate::env;
use crate::runtime::ControlCall;
use serde::Deserialize;
use shared::call;
use shared::model::gate::{self, Flush, Memory, Stored};
use shared::model::key::KeyRing;
use shared::replica::{Head, Outcome};
use shared::time::Millis;
use std::cell::Cell;
use worker::{
    Date, DurableObject, Env, Error, Request, Response, Result, SqlStorageValue, State, durable_object,
};

/// A visitor waits while an empty gate asks: no longer than this.
const HEAL_LIMIT_MS: u32 = 5_000;

/// See the module.
#[durable_object(alarm)]
pub struct ShareGate {
    state: State,
    env: Env,
    memory: Cell<Memory>,
}

#[derive(Deserialize)]
struct Row {
    key: String,
    revision: f64,
    record: String,
    flushed_revision: f64,
    flush_not_before: f64,
    failures: f64,
}

struct Held {
    key: String,
    record: String,
    stored: Stored,
}

impl DurableObject for ShareGate {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, memory: Cell::new(Memory { started_at: now(), leased_at: None }) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let path = request.path();
        let Some((verb, key)) = path.trim_start_matches('/').split_once('/') else {
            return Response::error("unknown path", 400);
        };
        match verb {
            "push" => {
                let record = request.text().await?;
                Response::from_json(&self.push(key, record).await?)
            }
            "lease" => match self.load_or_heal(key).await? {
                Some(held) => {
                    self.memory.set(Memory { leased_at: Some(now()), ..self.memory.get() });
                    Response::ok(held.stored.revision.to_string())
                }
                None => Response::error("unknown", 404),
            },
            "record" => match self.load_or_heal(key).await? {
                // Whoever reads the record serves under it, as under a lease.
                Some(held) => {
                    self.memory.set(Memory { leased_at: Some(now()), ..self.memory.get() });
                    Response::ok(held.record)
                }
                None => Response::error("unknown", 404),
            },
            _ => Response::error("unknown path", 400),
        }
    }

    /// Brings KV up to what is in force.
    async fn alarm(&self) -> Result<Response> {
        self.flush().await?;
        Response::empty()
    }
}

impl ShareGate {
    async fn push(&self, key: &str, record: String) -> Result<Outcome> {
        let announced = match Head::parse(record.as_bytes()) {
            Ok(head) => head,
            Err(unreadable) => return Ok(Outcome::Failed { reason: unreadable.to_string() }),
        };
        let held = self.load()?;
        let pushed =
            gate::push(held.as_ref().map(|held| &held.stored), &self.memory.get(), announced.revision, now());
        match pushed.taken {
            Some(stored) => {
                self.save(&Held { key: key.to_owned(), record, stored })?;
                self.state.storage().set_alarm(std::time::Duration::ZERO).await?;
            }
            None if held.is_some_and(|held| held.record != record) => {
                return Ok(Outcome::Ahead { revision: pushed.revision });
            }
            None => {}
        }
        let drain_ms = u64::try_from(pushed.drain.as_millis()).unwrap_or(u64::MAX);
        Ok(Outcome::InForce { revision: pushed.revision, drain_ms })
    }

    /// What is held; an empty gate asks the control plane once.
    async fn load_or_heal(&self, key: &str) -> Result<Option<Held>> {
        if let Some(held) = self.load()? {
            return Ok(Some(held));
        }
        let Some(record) = self.ask_control(key).await? else { return Ok(None) };
        // A push may have come in meanwhile: the same step refuses what is older.
        self.push(key, record).await?;
        self.load()
    }

    async fn ask_control(&self, key: &str) -> Result<Option<String>> {
        let secret = |name: &str| {
            self.env.var(name).map(|value| value.to_string()).ok().filter(|text| !text.is_empty())
        };
        let root = secret(env::ROOT_KEY).ok_or_else(|| Error::from("no root key"))?;
        let ring = KeyRing::parse(&root, secret(env::PREVIOUS_ROOT_KEY).as_deref())
            .map_err(|weak| Error::RustError(weak.to_string()))?;
        let control_url = secret(env::CONTROL_URL).ok_or_else(|| Error::from("no control URL"))?;
        let body = serde_json::json!({ "key": key }).to_string();
        let signature = call::sign(&ring.current.origin, "POST", call::RECORD_PATH, body.as_bytes(), now());
        let url = format!("{}{}", control_url.trim_end_matches('/'), call::RECORD_PATH);
        let call =
            ControlCall { limit_ms: HEAL_LIMIT_MS, url: &url, signature: &signature, body: body.as_bytes() };
        let answer = call.send().await?;
        match answer.status() {
            200 => String::from_utf8(answer.bytes())
                .map(Some)
                .map_err(|error| Error::RustError(error.to_string())),
            404 => Ok(None),
            status => Err(Error::RustError(format!("control plane answered {status}"))),
        }
    }

    async fn flush(&self) -> Result<()> {
        let Some(held) = self.load()? else { return Ok(()) };
        match gate::flush(&held.stored, now()) {
            Flush::Done => Ok(()),
            Flush::Wait(until) => self.wake_at(until).await,
            Flush::Write => {
                let revision = held.stored.revision;
                let written = self.write_kv(&held).await;
                if let Err(error) = &written {
                    worker::console_error!("KV write of {} failed: {error}", held.key);
                }
                // A push may have come in during the write: what it saved stays, only the write's outcome is added.
                let Some(mut after) = self.load()? else { return Ok(()) };
                after.stored = gate::flushed(&after.stored, revision, written.is_ok(), now());
                self.save(&after)?;
                match gate::flush(&after.stored, now()) {
                    Flush::Done => Ok(()),
                    Flush::Write => self.wake_at(now()).await,
                    Flush::Wait(until) => self.wake_at(until).await,
                }
            }
        }
    }

    async fn write_kv(&self, held: &Held) -> Result<()> {
        self.env
            .kv(env::SHARES)?
            .put(&held.key, held.record.as_str())?
            .metadata(serde_json::json!({ "revision": held.stored.revision }))?
            .execute()
            .await?;
        Ok(())
    }

    async fn wake_at(&self, instant: Millis) -> Result<()> {
        self.state.storage().set_alarm(instant.since(now())).await
    }

    fn load(&self) -> Result<Option<Held>> {
        let sql = self.state.storage().sql();
        sql.exec(CREATE, None)?;
        let rows: Vec<Row> = sql.exec(SELECT, None)?.to_array()?;
        Ok(rows.into_iter().next().map(|row| Held {
            key: row.key,
            record: row.record,
            stored: Stored {
                revision: whole(row.revision),
                flushed_revision: whole(row.flushed_revision),
                flush_not_before: Millis(i64::try_from(whole(row.flush_not_before)).unwrap_or(i64::MAX)),
                failures: u32::try_from(whole(row.failures)).unwrap_or(u32::MAX),
            },
        }))
    }

    fn save(&self, held: &Held) -> Result<()> {
        let number = |value: u64| SqlStorageValue::try_from_i64(i64::try_from(value).unwrap_or(i64::MAX));
        let values = vec![
            SqlStorageValue::from(held.key.clone()),
            number(held.stored.revision)?,
            SqlStorageValue::from(held.record.clone()),
            number(held.stored.flushed_revision)?,
            SqlStorageValue::try_from_i64(held.stored.flush_not_before.0)?,
            number(u64::from(held.stored.failures))?,
        ];
        self.state.storage().sql().exec(UPSERT, values)?;
        Ok(())
    }
}

const CREATE: &str = "CREATE TABLE IF NOT EXISTS gate (id INTEGER PRIMARY KEY CHECK (id = 1), key TEXT NOT NULL, \
    revision INTEGER NOT NULL, record TEXT NOT NULL, flushed_revision INTEGER NOT NULL, \
    flush_not_before INTEGER NOT NULL, failures INTEGER NOT NULL)";
const SELECT: &str = "SELECT key, revision, record, flushed_revision, flush_not_before, failures FROM gate";
const UPSERT: &str = "INSERT INTO gate (id, key, revision, record, flushed_revision, flush_not_before, failures) \
    VALUES (1, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET key = excluded.key, revision = excluded.revision, \
    record = excluded.record, flushed_revision = excluded.flushed_revision, \
    flush_not_before = excluded.flush_not_before, failures = excluded.failures";

fn now() -> Millis {
    Millis(i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX))
}

/// SQLite's integers arrive as JavaScript numbers.
fn whole(number: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the casts saturate")]
    {
        number as u64
    }
}
