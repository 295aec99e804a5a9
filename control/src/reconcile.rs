//! Compares Workers KV with the database, through Cloudflare's REST API, and repairs what differs. Gates keep KV up to
//! date by themselves; this finds what was lost, altered or added behind their backs, and fills an empty namespace.
//!
//! Both sides are read in the order of their keys and merged, a page of each at a time. A key that seems to differ is
//! judged again with what the database says after KV was listed: a share that was made or changed meanwhile is no
//! difference.

mod compare;
pub(crate) mod kv;
mod pace;
mod part;
mod repair;
mod report;
mod stream;

pub(crate) use compare::Difference;
pub(crate) use report::{Counts, Plan, Report};

use crate::config::KvConfig;
use crate::service::Service;
use crate::store::outbox;
use crate::store::reconciliation::{self, Progress};
use compare::{Entry, Listed, Turn, compare, turn};
use kv::{BULK_GET, Kv, Pair};
use repair::{Found, Repairs};
use shared::model::token::RecordKey;
use shared::replica::digest;
use shared::{Error, Result};
use std::mem;
use std::time::Duration;
use stream::{Entries, Listing};

/// Keys that are looked up in the database at once.
const BATCH: usize = 500;
/// A run that began earlier is not gone on with.
const LIFE: Duration = Duration::from_hours(24);
/// Records whose size is taken for that of all.
const SAMPLE: u32 = 100;

/// What is asked of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// Only compare.
    pub(crate) dry_run: bool,
    /// Read every value too.
    pub(crate) values: bool,
    /// Do not go on with an earlier run.
    pub(crate) restart: bool,
}

/// What a run tells while it lasts.
pub(crate) enum Told {
    Begins(Plan),
    PartDone(u32),
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A setting is missing or wrong.
    #[error("{0}")]
    Setting(String),
    /// The API will not do this, however often it is asked.
    #[error(
        "Cloudflare's API refuses: {0}. Are POSTERN_KV_API_URL, POSTERN_KV_NAMESPACE and POSTERN_KV_API_TOKEN right?"
    )]
    Refused(String),
    /// The API did not do it, however often it was asked.
    #[error(
        "Workers KV is out of reach: {tries} tries failed, the last with: {last}. Finished parts are kept: run it again to go on"
    )]
    OutOfReach {
        /// How often it was asked.
        tries: i64,
        /// What the last answer was.
        last: String,
    },
    /// The database, or a fault of ours.
    #[error(transparent)]
    Own(#[from] Error),
}

/// A key that seems to differ.
struct Suspect {
    key: String,
    listed: Option<Listed>,
    /// Its metadata fit, its value did not.
    value_differs: bool,
}

struct Run<'a> {
    service: &'a Service,
    options: Options,
    kv: Kv,
    counts: Counts,
    suspects: Vec<Suspect>,
    /// Keys whose value is to be read.
    unread: Vec<Listed>,
    repairs: Repairs<'a>,
}

/// Compares and repairs, and tells how it goes on.
pub(crate) async fn run(
    service: &Service,
    config: &KvConfig,
    options: Options,
    tell: impl Fn(Told),
) -> Result<Report, Failure> {
    let kv = Kv::new(config, service.clock.clone())?;
    let namespace = kv.namespace().to_owned();
    let (mut progress, plan) = begin(service, &namespace, options).await?;
    tell(Told::Begins(plan));
    let calls_before = progress.counts.calls;
    let mut run = Run {
        service,
        options,
        kv,
        counts: progress.counts.clone(),
        suspects: Vec::new(),
        unread: Vec::new(),
        repairs: Repairs::new(service, plan.may_kill()),
    };
    while progress.next_part < plan.parts {
        run.part(&part::prefix(progress.digits, progress.next_part)).await?;
        run.counts.calls = calls_before + run.kv.calls();
        progress.next_part += 1;
        progress.counts.clone_from(&run.counts);
        if !options.dry_run {
            keep(service, &namespace, &progress, plan.parts).await?;
        }
        tell(Told::PartDone(progress.next_part));
    }
    Ok(Report { plan, counts: run.counts, took: service.clock.now().since(progress.started_at) })
}

/// Where to begin: at the beginning, or where an earlier run of the same kind was interrupted.
async fn begin(service: &Service, namespace: &str, options: Options) -> Result<(Progress<Counts>, Plan)> {
    let now = service.clock.now();
    let mut session = service.store.read().await?;
    let tokens = reconciliation::tokens(&mut session).await?;
    let earlier = if options.restart || options.dry_run {
        None
    } else {
        reconciliation::find::<Counts>(&mut session, namespace).await?
    };
    let earlier = earlier
        .filter(|earlier| earlier.with_values == options.values && now.since(earlier.started_at) < LIFE);
    let progress = earlier.unwrap_or_else(|| Progress {
        digits: part::digits(tokens),
        next_part: 0,
        with_values: options.values,
        started_at: now,
        counts: Counts::default(),
    });
    let sample = outbox::records_between(&mut session, ("", &part::end("")), SAMPLE).await?;
    let sizes = sample.iter().filter_map(|(key, record)| {
        let record = record.as_ref().ok()?;
        let pair = Pair::new(key, &compare::Expected::of(record).metadata, &record.to_json());
        u64::try_from(pair.json.len()).ok()
    });
    let size = sizes.sum::<u64>() / u64::try_from(sample.len()).unwrap_or_default().max(1);
    let parts = part::count(progress.digits);
    Ok((progress.clone(), Plan::new(tokens, (progress.next_part, parts), options.values, size)))
}

/// Keeps how far the run has come; nothing once it is done.
async fn keep(service: &Service, namespace: &str, progress: &Progress<Counts>, parts: u32) -> Result<()> {
    let mut session = service.store.write().await?;
    if progress.next_part < parts {
        reconciliation::save(&mut session, namespace, progress).await?;
    } else {
        reconciliation::forget(&mut session, namespace).await?;
    }
    session.commit().await
}

impl Run<'_> {
    async fn part(&mut self, prefix: &str) -> Result<(), Failure> {
        let mut entries = Entries::new(&self.service.store, prefix);
        let mut listing = Listing::new(prefix);
        let mut entry = entries.next().await?;
        let mut listed = listing.next(&mut self.kv).await?;
        loop {
            let keys = (entry.as_ref().map(|entry| &*entry.key), listed.as_ref().map(|listed| &*listed.key));
            let Some(turn) = turn(keys.0, keys.1) else { break };
            let one = if turn == Turn::Kv { None } else { entry.take() };
            let other = if turn == Turn::Database { None } else { listed.take() };
            self.meet(one, other).await?;
            if turn != Turn::Kv {
                entry = entries.next().await?;
            }
            if turn != Turn::Database {
                listed = listing.next(&mut self.kv).await?;
            }
        }
        self.read_values().await?;
        self.judge().await?;
        self.repairs.finish(&mut self.kv, &mut self.counts).await
    }

    /// Looks at one key.
    async fn meet(&mut self, entry: Option<Entry>, listed: Option<Listed>) -> Result<(), Failure> {
        self.counts.tokens += u64::from(entry.is_some());
        self.counts.listed += u64::from(listed.is_some());
        let difference = compare(entry.as_ref(), listed.as_ref());
        match (entry, listed, difference) {
            (Some(_), Some(listed), None) if self.options.values => {
                self.unread.push(listed);
                if self.unread.len() >= BULK_GET {
                    self.read_values().await?;
                }
            }
            (Some(Entry { key, .. }), listed, Some(_)) => {
                self.suspects.push(Suspect { key, listed, value_differs: false });
            }
            (None, Some(listed), Some(_)) => {
                let key = listed.key.clone();
                self.suspects.push(Suspect { key, listed: Some(listed), value_differs: false });
            }
            _ => {}
        }
        if self.suspects.len() >= BATCH {
            self.judge().await?;
        }
        Ok(())
    }

    /// Reads the values whose metadata fit; each must have the digest that stands beside it.
    async fn read_values(&mut self) -> Result<(), Failure> {
        let unread = mem::take(&mut self.unread);
        if unread.is_empty() {
            return Ok(());
        }
        let keys: Vec<String> = unread.iter().map(|listed| listed.key.clone()).collect();
        let mut contents = self.kv.get(&keys).await?;
        for listed in unread {
            self.counts.values_read += 1;
            let key = listed.key.clone();
            match contents.remove(&key) {
                Some(content) => {
                    // It may have been written since it was listed.
                    let metadata = content.metadata.as_ref().or(listed.metadata.as_ref());
                    if metadata.is_none_or(|metadata| metadata.digest != digest(content.text.as_bytes())) {
                        self.suspects.push(Suspect { key, listed: Some(listed), value_differs: true });
                    }
                }
                None => self.suspects.push(Suspect { key, listed: None, value_differs: false }),
            }
        }
        Ok(())
    }

    /// Judges the suspects by what the database says now, and repairs what still differs.
    async fn judge(&mut self) -> Result<(), Failure> {
        let suspects = mem::take(&mut self.suspects);
        let known = suspects.iter().filter(|suspect| RecordKey::parse(&suspect.key).is_some());
        let keys: Vec<String> = known.map(|suspect| suspect.key.clone()).collect();
        let mut session = self.service.store.read().await?;
        let mut records = outbox::records(&mut session, &keys).await?;
        drop(session);
        let mut found = Vec::new();
        for Suspect { key, listed, value_differs } in suspects {
            let record = records.remove(&key).map(|current| current.map(|(record, _)| record));
            let entry = record.as_ref().map(|record| Entry::of(key.clone(), record.as_ref()));
            let difference = match compare(entry.as_ref(), listed.as_ref()) {
                None if value_differs && entry.is_some() => Difference::Altered,
                None => continue,
                Some(difference) => difference,
            };
            self.counts.found(difference, &key);
            let revision = listed.and_then(|listed| listed.metadata).map(|metadata| metadata.revision);
            found.push(Found { key, difference, record: record.and_then(Result::ok), revision });
        }
        if self.options.dry_run {
            return Ok(());
        }
        self.repairs.take(&mut self.kv, &mut self.counts, found).await
    }
}
