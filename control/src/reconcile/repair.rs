//! Repairs, in batches. KV is written behind the gates' backs, so whatever changed meanwhile is written again: a gate
//! that wrote first must not be left with an older copy in KV. Visitors never see one, since gates are asked for the
//! revision.

use super::compare::{Difference, Expected};
use super::kv::{BULK, BULK_BYTES, Kv, Pair};
use super::report::Counts;
use super::{BATCH, Failure};
use crate::replication::pause;
use crate::service::Service;
use crate::store::outbox;
use shared::Result;
use shared::model::gate::KV_WRITE_INTERVAL;
use shared::replica::Record;
use std::collections::HashSet;
use std::mem;

/// How often a write is sent whose key the API named as not written, or which was overtaken.
const ROUNDS: i64 = 8;

/// One key that differs.
pub(crate) struct Found {
    pub(crate) key: String,
    pub(crate) difference: Difference,
    /// What the database says now.
    pub(crate) record: Option<Record>,
    /// Revision that KV has.
    pub(crate) revision: Option<u64>,
}

/// What waits to be repaired.
pub(crate) struct Repairs<'a> {
    service: &'a Service,
    /// See [`super::Plan::may_kill`].
    may_kill: bool,
    writes: Vec<Write>,
    /// Bytes of these.
    bytes: usize,
    foreign: Vec<String>,
}

struct Write {
    difference: Difference,
    pair: Pair,
    expected: Expected,
}

impl Write {
    fn new(key: &str, difference: Difference, record: &Record) -> Self {
        let expected = Expected::of(record);
        let pair = Pair::new(key, &expected.metadata, &record.to_json());
        Self { difference, pair, expected }
    }
}

impl<'a> Repairs<'a> {
    pub(crate) const fn new(service: &'a Service, may_kill: bool) -> Self {
        Self { service, may_kill, writes: Vec::new(), bytes: 0, foreign: Vec::new() }
    }

    /// Repairs these, but for writes and deletions, which wait until a call of them is full.
    pub(crate) async fn take(
        &mut self,
        kv: &mut Kv,
        counts: &mut Counts,
        found: Vec<Found>,
    ) -> Result<(), Failure> {
        self.enqueue(&found).await?;
        self.bury(counts, &found).await;
        for Found { key, difference, record, .. } in found {
            match (difference, record) {
                (Difference::Ahead, _) => counts.repaired(difference),
                (Difference::Foreign, _) => {
                    self.foreign.push(key);
                    if self.foreign.len() >= BULK {
                        self.delete(kv, counts).await?;
                    }
                }
                (difference, Some(record)) if difference.is_written() => {
                    let write = Write::new(&key, difference, &record);
                    let bytes = write.pair.json.len() + 1;
                    if self.writes.len() >= BULK || self.bytes + bytes > BULK_BYTES {
                        self.write(kv, counts).await?;
                    }
                    self.bytes += bytes;
                    self.writes.push(write);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Repairs what waits.
    pub(crate) async fn finish(&mut self, kv: &mut Kv, counts: &mut Counts) -> Result<(), Failure> {
        self.write(kv, counts).await?;
        self.delete(kv, counts).await
    }

    /// The running control plane pushes them to their gates.
    async fn enqueue(&self, found: &[Found]) -> Result<()> {
        let pushed = found.iter().filter(|found| found.difference.is_pushed());
        let keys: Vec<String> = pushed.map(|found| found.key.clone()).collect();
        let store = &self.service.store;
        // On PostgreSQL whoever holds one row waits for no other, as in `replication`.
        let together = if store.has_one_writer() { BATCH } else { 1 };
        for keys in keys.chunks(together) {
            let mut session = store.write().await?;
            outbox::enqueue_unclaimed(&mut session, keys, self.service.clock.now()).await?;
            session.commit().await?;
        }
        Ok(())
    }

    /// Kills tokens that the database does not know. An edge that is out of reach leaves them as they are.
    async fn bury(&self, counts: &mut Counts, found: &[Found]) {
        if !self.may_kill {
            return;
        }
        let unknown = found.iter().filter(|found| found.difference == Difference::Surplus);
        let unknown: Vec<_> = unknown
            .map(|found| (found.key.clone(), found.revision.unwrap_or_default().saturating_add(1)))
            .collect();
        match self.service.replication.bury(unknown).await {
            Ok(dead) => dead.iter().for_each(|_| counts.repaired(Difference::Surplus)),
            Err(error) => tracing::error!(%error, "tombstones could not be pushed"),
        }
    }

    async fn write(&mut self, kv: &mut Kv, counts: &mut Counts) -> Result<(), Failure> {
        let mut writes = mem::take(&mut self.writes);
        self.bytes = 0;
        for round in 1..=ROUNDS {
            if writes.is_empty() {
                return Ok(());
            }
            let undone = kv.write(writes.iter().map(|write| &write.pair)).await?;
            writes = self.unsettled(writes, &undone, counts).await?;
            if !writes.is_empty() {
                self.service.clock.sleep(pause(round)?.max(KV_WRITE_INTERVAL)).await;
            }
        }
        for Write { pair, .. } in &writes {
            tracing::error!(record_key = pair.key, "KV did not take a record");
        }
        Ok(())
    }

    /// Which of these must be written again, as the database has them now.
    async fn unsettled(
        &self,
        written: Vec<Write>,
        undone: &HashSet<String>,
        counts: &mut Counts,
    ) -> Result<Vec<Write>> {
        let mut again = Vec::new();
        for batch in written.chunks(BATCH) {
            let keys: Vec<String> = batch.iter().map(|write| write.pair.key.clone()).collect();
            let mut session = self.service.store.read().await?;
            let records = outbox::records(&mut session, &keys).await?;
            drop(session);
            for Write { difference, pair, expected } in batch {
                match records.get(&pair.key) {
                    Some(Ok((record, _)))
                        if undone.contains(&pair.key) || Expected::of(record) != *expected =>
                    {
                        again.push(Write::new(&pair.key, *difference, record));
                    }
                    Some(Ok(_)) => counts.repaired(*difference),
                    Some(Err(_)) | None => {}
                }
            }
        }
        Ok(again)
    }

    /// Deletes foreign keys, unless most keys are foreign: then the namespace may be another program's.
    async fn delete(&mut self, kv: &mut Kv, counts: &mut Counts) -> Result<(), Failure> {
        let mut keys = mem::take(&mut self.foreign);
        if counts.is_mostly_foreign() {
            return Ok(());
        }
        for round in 1..=ROUNDS {
            if keys.is_empty() {
                return Ok(());
            }
            let undone = kv.delete(&keys).await?;
            keys.iter()
                .filter(|key| !undone.contains(*key))
                .for_each(|_| counts.repaired(Difference::Foreign));
            keys.retain(|key| undone.contains(key));
            if !keys.is_empty() {
                self.service.clock.sleep(pause(round)?.max(KV_WRITE_INTERVAL)).await;
            }
        }
        Ok(())
    }
}
