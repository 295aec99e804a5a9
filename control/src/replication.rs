//! From the outbox to the edge. A change and its outbox row commit together; whoever made the change
//! pushes it at once and waits for the edge's word, and one loop pushes whatever was left behind.
//!
//! A push carries what is current when it is sent, so order and duplicates do not matter, and the edge
//! refuses older revisions. Nothing here decides anything: it carries, and tries again.

mod bury;
mod settle;
mod transport;

pub(crate) use settle::pause;

use crate::clock::Clock;
use crate::store::outbox::Claimed;
use crate::store::{Store, outbox};
use shared::model::key::Key;
use shared::model::usage::Usage;
use shared::replica::{Change, MAX_CHANGES, MAX_PUSH_BYTES, Outcome, Receipt, Record};
use shared::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio::time::Instant;
use transport::Transport;

/// How long a caller waits for the edge before the answer is `pending`, with one batch and for each further one.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(4);
const FURTHER_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest of those waits. With a drain after it, it is still shorter than the 30 s after which the edge gives up
/// a call that it forwards.
const LONGEST_CONFIRM: Duration = Duration::from_secs(20);
/// Batches of one caller that are pushed at once.
const PUSHES_AT_ONCE: usize = 4;
/// Longest drain that a caller waits out; a gate asks for one lease at most, which is 2 s.
const LONGEST_DRAIN: Duration = Duration::from_secs(5);
/// How often the loop looks by itself.
const POLL: Duration = Duration::from_secs(1);
/// Pushes changes; cheap to clone.
#[derive(Clone)]
pub(crate) struct Replication(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    transport: Transport,
    wake: Notify,
}

/// More than a change adds to its record's bytes: a key of 32 digits, five numbers, names and punctuation.
const CHANGE_OVERHEAD_BYTES: usize = 512;

/// A record of which the edge holds another history.
struct Ahead {
    key: String,
    sent: Sent,
    in_force: Sent,
}

/// A record, as far as it matters which of two is in force.
#[derive(Debug, Clone, Copy)]
struct Sent {
    revision: u64,
    dead: bool,
}

/// What the edge has in force, by record key.
type Confirmed = HashMap<String, (u64, Duration)>;

impl Replication {
    /// Pushes to the Worker at the origin `edge_url`, signed with `key`.
    ///
    /// # Errors
    /// [`Error::Internal`] when no HTTP client can be made.
    pub(crate) fn new(store: Store, clock: Clock, key: Key, edge_url: &str) -> Result<Self> {
        let transport = Transport::new(clock.clone(), key, edge_url)?;
        Ok(Self(Arc::new(Inner { store, clock, transport, wake: Notify::new() })))
    }

    /// Pushes records that the caller has just enqueued, and waits until no request that begins afterwards is
    /// served by an older rule. `false` when the edge did not confirm all of them in time: the loop goes on trying.
    pub(crate) async fn confirm(&self, keys: Vec<String>) -> bool {
        self.unconfirmed(keys).await.is_empty()
    }

    /// As [`Self::confirm`], and tells which records the edge did not confirm in time.
    ///
    /// Each batch is pushed, in its order, in a task of its own, so that a caller who hangs up does not stop it
    /// halfway.
    pub(crate) async fn unconfirmed(&self, keys: Vec<String>) -> HashSet<String> {
        let deadline = Instant::now() + patience(keys.len().div_ceil(MAX_CHANGES));
        let turns = Arc::new(Semaphore::new(PUSHES_AT_ONCE));
        let mut tasks = Vec::new();
        for batch in keys.chunks(MAX_CHANGES).map(<[String]>::to_vec) {
            let (inner, turns) = (Arc::clone(&self.0), Arc::clone(&turns));
            let (tell, told) = oneshot::channel();
            let work = tokio::spawn(async move {
                let turn = turns.acquire().await;
                let pushed = inner.push(&batch).await;
                drop(turn);
                let drain = longest_drain(&pushed);
                let in_force = pushed.iter().flat_map(HashMap::keys).cloned().collect::<Vec<_>>();
                // Nobody may be waiting any more.
                let _ = tell.send((drain <= LONGEST_DRAIN).then_some(in_force));
                // The rows go only now: whoever asks meanwhile is told that the change is pending, and waits too.
                tokio::time::sleep(drain.min(LONGEST_DRAIN)).await;
                inner.settle_or_warn(&batch, &HashMap::new(), &pushed).await;
            });
            tasks.push((told, work));
        }
        let mut missing: HashSet<String> = keys.into_iter().collect();
        for (told, work) in tasks {
            if let Ok(Ok(Some(in_force))) = tokio::time::timeout_at(deadline, told).await
                && !in_force.is_empty()
                && work.await.is_ok()
            {
                for key in &in_force {
                    missing.remove(key);
                }
            }
        }
        if !missing.is_empty() {
            self.0.wake.notify_one();
        }
        missing
    }

    /// Kills tokens that the database does not know: pushes a tombstone to the gate of each, at the revision beside its
    /// key, and once more above what the gate holds where that is newer. Gives the keys that are dead now; their gates
    /// write KV.
    pub(crate) async fn bury(&self, mut unknown: Vec<(String, u64)>) -> Result<HashSet<String>> {
        let mut dead = HashSet::new();
        for _ in 0..2 {
            let mut newer = Vec::new();
            for batch in unknown.chunks(MAX_CHANGES) {
                let mut changes = Vec::with_capacity(batch.len());
                for (key, revision) in batch {
                    let record = serde_json::value::to_raw_value(&Record::tombstone(*revision))
                        .map_err(|error| Error::Internal(format!("tombstone of {key}: {error}")))?;
                    changes.push(Change { key: key.clone(), record, usage: Usage::default() });
                }
                for Receipt { key, outcome } in self.0.transport.deliver(changes).await? {
                    match outcome {
                        Outcome::InForce { .. } => {
                            dead.insert(key);
                        }
                        Outcome::Ahead { revision, .. } => newer.push((key, revision.saturating_add(1))),
                        Outcome::Failed { reason } => not_taken(&key, &reason),
                    }
                }
            }
            unknown = newer;
        }
        Ok(dead)
    }

    /// Pushes whatever is due, until it is told to stop.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        if let Err(error) = self.0.unpark().await {
            tracing::warn!(%error, "parked changes stay parked");
        }
        loop {
            let more = match self.0.push_due().await {
                Ok(more) => more,
                Err(error) => {
                    tracing::warn!(%error, "the outbox cannot be read");
                    false
                }
            };
            if more && !*stop.borrow() {
                continue;
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.0.wake.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}

impl Inner {
    /// Rows that were parked get another chance when the program starts.
    async fn unpark(&self) -> Result<()> {
        let mut session = self.store.write().await?;
        let freed = outbox::unpark(&mut session, self.clock.now()).await?;
        session.commit().await?;
        if freed > 0 {
            tracing::info!(freed, "parked changes are tried again");
        }
        Ok(())
    }

    /// Pushes one batch of due rows. `true` when there may be more.
    async fn push_due(self: &Arc<Self>) -> Result<bool> {
        let mut session = self.store.read().await?;
        let backlog = outbox::backlog(&mut session, self.clock.now()).await?;
        drop(session);
        observe(backlog);
        if backlog.depth == 0 {
            return Ok(false);
        }
        let mut session = self.store.write().await?;
        let claimed = outbox::claim(&mut session, MAX_CHANGES, self.clock.now()).await?;
        session.commit().await?;
        let keys: Vec<String> = claimed.iter().map(|row| row.record_key.clone()).collect();
        let attempts: HashMap<String, i64> =
            claimed.into_iter().map(|Claimed { record_key, attempts }| (record_key, attempts)).collect();
        if keys.is_empty() {
            return Ok(false);
        }
        let pushed = self.push(&keys).await;
        let more = keys.len() == MAX_CHANGES && pushed.is_ok();
        // `live` must not be said before the drain is over, and other rows must not wait for it.
        let (inner, drain) = (Arc::clone(self), longest_drain(&pushed).min(LONGEST_DRAIN));
        let settling = async move {
            tokio::time::sleep(drain).await;
            inner.settle_or_warn(&keys, &attempts, &pushed).await;
        };
        if drain.is_zero() {
            settling.await;
        } else {
            tokio::spawn(settling);
        }
        Ok(more)
    }

    /// Sends what is current of these records, and gives what the edge confirmed. Where the edge is ahead of the
    /// database, the share is raised above it and sent once more: a newer revision of another history confirms
    /// nothing.
    async fn push(&self, keys: &[String]) -> Result<Confirmed> {
        let (mut confirmed, ahead) = self.push_current(keys).await?;
        if ahead.is_empty() {
            return Ok(confirmed);
        }
        let mut again = Vec::new();
        for Ahead { key, sent, in_force } in ahead {
            // One share at a time: whoever changes many takes them in an order of their own.
            let mut session = self.store.write().await?;
            let now = self.clock.now();
            let buried =
                in_force.dead && !sent.dead && bury::bury(&mut session, &key, in_force.revision, now).await?;
            // The database may have caught up, when another pusher was faster: then its newer row is pushed again.
            let mut raised =
                outbox::overtake(&mut session, &key, (sent.revision, in_force.revision), now).await?;
            if buried {
                raised.push(key.clone());
            }
            if raised.is_empty() {
                again.push(key);
                continue;
            }
            session.commit().await?;
            tracing::error!(
                record_key = key,
                in_force = in_force.revision,
                buried,
                "the edge was ahead of the database: was a backup restored?"
            );
            again.extend(raised);
        }
        confirmed.extend(self.push_current(&again).await?.0);
        Ok(confirmed)
    }

    /// Sends what is current of these records: what the edge confirmed, and where it has a newer revision.
    async fn push_current(&self, keys: &[String]) -> Result<(Confirmed, Vec<Ahead>)> {
        let mut sent = HashMap::new();
        let mut session = self.store.read().await?;
        let mut batches = vec![Vec::new()];
        let mut bytes = 0;
        let mut records = outbox::records(&mut session, keys).await?;
        drop(session);
        for key in keys {
            let (record, usage) = match records.remove(key) {
                Some(Ok(current)) => current,
                None => continue,
                // One row that cannot be read must not hold up the others.
                Some(Err(error)) => {
                    tracing::error!(%error, record_key = key, "a record cannot be made");
                    continue;
                }
            };
            let json = serde_json::value::to_raw_value(&record)
                .map_err(|error| Error::Internal(format!("record {key}: {error}")))?;
            let size = json.get().len() + CHANGE_OVERHEAD_BYTES;
            if bytes + size > MAX_PUSH_BYTES {
                batches.push(Vec::new());
                bytes = 0;
            }
            bytes += size;
            sent.insert(key.as_str(), Sent { revision: record.revision, dead: record.is_dead() });
            if let Some(batch) = batches.last_mut() {
                batch.push(Change { key: key.clone(), record: json, usage });
            }
        }
        let (mut confirmed, mut ahead) = (Confirmed::new(), Vec::new());
        for changes in batches {
            for Receipt { key, outcome } in self.transport.deliver(changes).await? {
                match outcome {
                    Outcome::InForce { revision, drain_ms } => {
                        confirmed.insert(key, (revision, Duration::from_millis(drain_ms)));
                    }
                    Outcome::Ahead { revision, dead } => ahead.push((key, Sent { revision, dead })),
                    Outcome::Failed { reason } => not_taken(&key, &reason),
                }
            }
        }
        let ahead = ahead
            .into_iter()
            .filter_map(|(key, in_force)| Some(Ahead { sent: *sent.get(key.as_str())?, key, in_force }))
            .collect();
        Ok((confirmed, ahead))
    }
}

/// How long a caller waits for so many batches.
fn patience(batches: usize) -> Duration {
    let further = u32::try_from(batches.saturating_sub(1)).unwrap_or(u32::MAX);
    CONFIRM_TIMEOUT.saturating_add(FURTHER_TIMEOUT.saturating_mul(further)).min(LONGEST_CONFIRM)
}

/// How long some isolate may still serve what was in force before a push.
fn longest_drain(pushed: &Result<Confirmed>) -> Duration {
    pushed.iter().flat_map(HashMap::values).map(|(_, drain)| *drain).max().unwrap_or_default()
}

fn not_taken(key: &str, reason: &str) {
    tracing::warn!(record_key = key, reason, "the edge did not take a change");
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts stay far below 2^53")]
fn observe(backlog: outbox::Backlog) {
    metrics::gauge!("postern_outbox_depth").set(backlog.depth as f64);
    metrics::gauge!("postern_outbox_parked").set(backlog.parked as f64);
    metrics::gauge!("postern_outbox_lag_seconds").set(backlog.lag.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_batches_are_waited_for_longer_within_what_a_call_may_take() {
        for (batches, seconds) in [(0, 4), (1, 4), (2, 5), (10, 13), (20, 20), (usize::MAX, 20)] {
            assert_eq!(patience(batches), Duration::from_secs(seconds), "{batches}");
        }
    }
}
