//! Redeeming a public link: finding the record in force, and what it opens to this visitor (DESIGN.md, "A public request at the edge").
//! What is read of it: [`rows`].

mod rows;

pub use rows::{Freshness, Options, Redeemed, download, execute, options, page};

use super::memory::{Loaded, Memory};
use super::port::{Host, Lease, Told, Unreachable};
use crate::call::DataCall;
use crate::error::Why;
use crate::model::access::{self, Pass};
use crate::model::context::ContextView;
use crate::model::dashboard::View;
use crate::model::data_product::{self};
use crate::model::lease::Standing;
use crate::model::policy::{self, Parameters, Rules};
use crate::model::portal::{self};
use crate::model::token::RecordKey;
use crate::replica::{self, Live, Record, Unreadable};
use crate::time::Millis;
use crate::{Error, Result};
use futures_util::future::{Either, join, select};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

/// How long a visitor waits, in the grace, for a gate that may be out of reach, before the control plane is asked as well.
const GATE_PATIENCE: Duration = Duration::from_millis(500);

/// Where the record of an open came from; shown in `Server-Timing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// This isolate, under its lease: nothing was asked.
    Lease,
    /// This isolate; the gate confirmed the revision.
    Confirmed,
    /// Workers KV; the gate confirmed the revision.
    Kv,
    /// The gate itself: KV was behind, missed it, or is out of reach.
    Gate,
    /// This isolate, although the gate is out of reach; the control plane, if it can be reached, confirmed the revision.
    Grace,
}

/// A token's record, as in force.
#[derive(Debug)]
pub struct Opened {
    loaded: Rc<Loaded>,
    /// Where it came from.
    pub found: Found,
    /// Renew its lease in the background (see [`renew`]).
    pub renewal_due: bool,
    at: Millis,
    spent: bool,
    pass: Pass,
}

impl Opened {
    /// Must a visitor show a grant?
    pub fn needs_grant(&self) -> bool {
        self.loaded.record.is_strict()
    }

    /// What the visitor came with, if more than a link.
    #[must_use]
    pub fn with_pass(self, pass: Pass) -> Self {
        Self { pass, ..self }
    }

    /// What the visitor came with.
    pub const fn pass(&self) -> &Pass {
        &self.pass
    }

    /// What the token opens to this visitor.
    ///
    /// # Errors
    /// [`Error::Dead`], [`Error::AuthRequired`].
    pub fn live(&self) -> Result<&Live> {
        access::decide(&self.loaded.record, &self.pass, self.spent, self.at)
    }

    /// What the token opens to whoever can prove that they may.
    ///
    /// # Errors
    /// [`Error::Dead`].
    pub fn locked(&self) -> Result<&Live> {
        if self.spent {
            return Err(Error::Dead(Why::Spent));
        }
        self.alive()
    }

    /// As [`Self::locked`], and also what was opened as often as it may be: to whoever was let in before.
    ///
    /// # Errors
    /// [`Error::Dead`].
    pub fn alive(&self) -> Result<&Live> {
        access::alive(&self.loaded.record, self.at).map_err(Error::Dead)
    }

    /// The dashboard that the token opens.
    ///
    /// # Errors
    /// As [`Self::live`].
    pub fn dashboard(&self) -> Result<(&Live, &View)> {
        let live = self.live()?;
        let view = live.target.dashboard().ok_or(Error::Dead(Why::OtherTarget))?;
        Ok((live, view))
    }

    /// The data product that the token opens.
    ///
    /// # Errors
    /// As [`Self::live`].
    pub fn data_product(&self) -> Result<(&Live, &data_product::View)> {
        let live = self.live()?;
        let view = live.target.data_product().ok_or(Error::Dead(Why::OtherTarget))?;
        Ok((live, view))
    }

    /// The share context that the record is of, for whoever is in it by this membership.
    ///
    /// # Errors
    /// [`Error::Dead`].
    pub fn context(
        &self,
        session: &portal::Session,
        membership: &portal::Membership,
    ) -> Result<(portal::Admitted, &ContextView)> {
        portal::admit(&self.loaded.record, session, membership).map_err(Error::Dead)
    }

    /// The rules under which this visitor asks.
    ///
    /// # Errors
    /// [`Error::Policy`] when an embed's token does not fit the dashboard.
    fn rules<'a>(&self, live: &'a Live, view: &View) -> Result<Cow<'a, Rules>> {
        match &self.pass {
            Pass::Link(_) | Pass::Portal(..) => Ok(Cow::Borrowed(&live.rules)),
            Pass::Embed(embed, _) => embed.terms.fitting_rules(&view.filters).map(Cow::Owned),
        }
    }

    /// What this visitor's request may ask.
    ///
    /// # Errors
    /// [`Error::Policy`].
    fn parameters(&self, live: &Live, view: &View, asked: &Map<String, Value>) -> Result<Parameters> {
        match &self.pass {
            Pass::Link(_) | Pass::Portal(..) => policy::apply(&view.filters, &live.rules, asked),
            Pass::Embed(embed, _) => embed.terms.apply(&view.filters, asked),
        }
    }

    /// A call of the data plane about what the token opens.
    fn call(&self, live: &Live) -> DataCall {
        DataCall {
            share_id: live.share.id,
            revision: self.revision(),
            parameters: Map::new(),
            filter_slug: None,
            search: None,
            embed_token: match &self.pass {
                Pass::Link(_) | Pass::Portal(..) => None,
                Pass::Embed(_, token) => Some(token.clone()),
            },
            portal_token: match &self.pass {
                Pass::Link(_) | Pass::Embed(..) => None,
                Pass::Portal(_, token) => Some(token.clone()),
            },
        }
    }

    /// The answer to a resolve, rendered once for each record by `render`. Maps are opened by operations of their own.
    ///
    /// # Errors
    /// As [`Self::live`].
    pub fn resolved(&self, render: impl FnOnce(&Live) -> Vec<u8>) -> Result<&[u8]> {
        let live = self.live()?;
        if live.target.is_map() {
            return Err(Error::Dead(Why::OtherTarget));
        }
        Ok(self.loaded.resolved.get_or_init(|| render(live)))
    }

    /// The revision in force.
    pub fn revision(&self) -> u64 {
        self.loaded.record.revision
    }
}

/// Finds the record of a token as it is in force now: from this isolate while its lease lasts, else
/// confirmed by the token's gate, with KV read at the same time. A strict record has no lease: its gate is asked each
/// time, and without the gate it is closed.
///
/// # Errors
/// [`Error::Dead`] when nobody knows the token, [`Error::Unavailable`] when the gate cannot be reached and no
/// lease is left, or when the record is unreadable.
pub async fn open(host: &impl Host, memory: &Memory, key: &RecordKey) -> Result<Opened> {
    open_for(host, memory, key, Reading::Checked).await
}

/// As [`open`], for the holder of a ticket: tiles are many, so they are served under a lease, though their record is strict.
/// Its gate lets such leases drain.
///
/// # Errors
/// As [`open`].
pub async fn open_ticketed(host: &impl Host, memory: &Memory, key: &RecordKey) -> Result<Opened> {
    open_for(host, memory, key, Reading::Ticketed).await
}

/// What a record is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Anything that a strict record's gate must be asked about.
    Checked,
    /// Tiles.
    Ticketed,
}

async fn open_for(host: &impl Host, memory: &Memory, key: &RecordKey, reading: Reading) -> Result<Opened> {
    let now = host.now();
    let opened = |(loaded, found, spent)| Opened {
        loaded,
        found,
        renewal_due: false,
        at: now,
        spent,
        pass: Pass::Link(None),
    };
    match remembered(memory, key, reading, now) {
        Some((loaded, Standing::Fresh)) => Ok(opened((loaded, Found::Lease, false))),
        Some((loaded, Standing::Due)) => {
            let renewal_due = memory.claim_renewal(key, now);
            Ok(Opened { renewal_due, ..opened((loaded, Found::Lease, false)) })
        }
        Some((loaded, Standing::Grace)) => match ask(host, key).await {
            Ok(Word::Gate(lease)) => Ok(opened(by_gate(host, memory, key, loaded, lease, now).await?)),
            Ok(Word::Origin(json)) => match by_origin(memory, key, &loaded, json)? {
                Some(current) => Ok(opened((current, Found::Grace, false))),
                None => Ok(opened(only_by_gate(host, memory, key, loaded, now).await?)),
            },
            Err(unreachable) => {
                // A newer record may have come in meanwhile.
                match memory.record(key, now) {
                    Some((newer, _)) if newer.record.is_strict() => Err(gate_is_down(&unreachable)),
                    Some((newer, _)) => Ok(opened((newer, Found::Grace, false))),
                    None => Ok(opened((loaded, Found::Grace, false))),
                }
            }
        },
        Some((loaded, Standing::Over)) => Ok(opened(only_by_gate(host, memory, key, loaded, now).await?)),
        None => {
            let (record, lease) = join(host.read_record(key), lease(host, memory, key)).await;
            let lease = lease.map_err(|unreachable| gate_is_down(&unreachable))?;
            let Some(Lease { digest, spent, .. }) = lease else { return Err(forget(memory, key)) };
            // KV may be behind, altered, or out of reach: the gate holds what is in force.
            let copy = record.ok().flatten().filter(|json| replica::digest(json) == digest);
            match copy.and_then(|json| Some((Record::parse(&json).ok()?, json.len()))) {
                Some((record, bytes)) => {
                    Ok(opened((memory.keep_record(key, record, bytes, now), Found::Kv, spent)))
                }
                None => Ok(opened((load_from_gate(host, memory, key, now).await?, Found::Gate, spent))),
            }
        }
    }
}

/// What this isolate remembers of a record, and what that is worth: a strict one is always asked for, but for tiles; an embed, of
/// which single tokens die, a context, of which single members are removed, and what is for its members are served under a lease
/// alone.
fn remembered(
    memory: &Memory,
    key: &RecordKey,
    reading: Reading,
    now: Millis,
) -> Option<(Rc<Loaded>, Standing)> {
    let (loaded, standing) = memory.record(key, now)?;
    let needs_lease = loaded.record.live.as_ref().is_some_and(Live::needs_lease);
    let is_strict = loaded.record.is_strict();
    let leased = !is_strict || (reading == Reading::Ticketed && loaded.record.is_ticketed());
    let standing = match standing {
        _ if !leased => Standing::Over,
        Standing::Grace if needs_lease || is_strict => Standing::Over,
        standing => standing,
    };
    Some((loaded, standing))
}

/// Who can say what is in force.
enum Word {
    /// The token's gate.
    Gate(Option<Lease>),
    /// The control plane: its database knows of every change before it is in force.
    Origin(Option<Vec<u8>>),
}

/// Asks the gate, and the control plane too should the gate fail or be slow: the first word counts. An error means that
/// neither can be reached.
async fn ask(host: &impl Host, key: &RecordKey) -> Result<Word, Unreachable> {
    // Openings are not told on the way: they would be lost when the other answers first.
    let gate = pin!(async { host.lease(key, Told::default()).await.map(Word::Gate) });
    let origin = pin!(async { host.read_origin(key).await.map(Word::Origin) });
    match select(gate, pin!(host.wait(GATE_PATIENCE))).await {
        Either::Left((Ok(word), _)) => Ok(word),
        Either::Left((Err(_), _)) => origin.await,
        Either::Right(((), gate)) => match select(gate, origin).await {
            Either::Left((Err(_), origin)) => origin.await,
            Either::Right((Err(_), gate)) => gate.await,
            Either::Left((word, _)) | Either::Right((word, _)) => word,
        },
    }
}

/// What to serve of a remembered record by its gate's word.
async fn by_gate(
    host: &impl Host,
    memory: &Memory,
    key: &RecordKey,
    loaded: Rc<Loaded>,
    lease: Option<Lease>,
    now: Millis,
) -> Result<(Rc<Loaded>, Found, bool)> {
    let Some(Lease { revision, spent, .. }) = lease else { return Err(forget(memory, key)) };
    if revision == loaded.record.revision {
        memory.extend(key, revision, now);
        return Ok((loaded, Found::Confirmed, spent));
    }
    Ok((load_from_gate(host, memory, key, now).await?, Found::Gate, spent))
}

/// As [`by_gate`], when nobody else's word will do.
async fn only_by_gate(
    host: &impl Host,
    memory: &Memory,
    key: &RecordKey,
    loaded: Rc<Loaded>,
    now: Millis,
) -> Result<(Rc<Loaded>, Found, bool)> {
    let lease = lease(host, memory, key).await.map_err(|unreachable| gate_is_down(&unreachable))?;
    by_gate(host, memory, key, loaded, lease, now).await
}

/// What to serve of a remembered record by the control plane's word, which gives no lease. `None` for a strict record: only
/// its gate can say whether it may be opened.
fn by_origin(
    memory: &Memory,
    key: &RecordKey,
    loaded: &Rc<Loaded>,
    json: Option<Vec<u8>>,
) -> Result<Option<Rc<Loaded>>> {
    let json = json.ok_or_else(|| forget(memory, key))?;
    let record =
        Record::parse(&json).map_err(|error| Error::Unavailable(format!("record {key}: {error}")))?;
    if record.revision == loaded.record.revision {
        return Ok(Some(Rc::clone(loaded)));
    }
    Ok((!record.is_strict()).then(|| memory.replace_record(key, record, json.len())))
}

/// Renews a lease in the background, and tells the gate what was counted, also of a record that is remembered no more. A gate that
/// cannot be reached is asked again by the next request.
pub async fn renew(host: &impl Host, memory: &Memory, key: &RecordKey) {
    let now = host.now();
    let known = memory.record(key, now).map(|(loaded, _)| loaded.record.revision);
    // What earlier calls may have told comes first, each by itself.
    let reports = memory.counts.reports(key);
    let mut answer = lease(host, memory, key).await;
    for _ in 1..reports {
        if answer.is_ok() {
            answer = lease(host, memory, key).await;
        }
    }
    match (answer, known) {
        (Ok(Some(Lease { revision, .. })), Some(known)) if revision == known => {
            memory.extend(key, revision, now);
        }
        // A failed load leaves the old lease, which ends by itself.
        (Ok(Some(_)), Some(_)) => drop(load_from_gate(host, memory, key, now).await),
        (Ok(None), _) => memory.forget_record(key),
        (Ok(Some(_)), None) | (Err(_), _) => {}
    }
}

/// Asks for a lease, and tells the gate of what was counted here that it has not heard of.
async fn lease(host: &impl Host, memory: &Memory, key: &RecordKey) -> Result<Option<Lease>, Unreachable> {
    let told = memory.counts.take(key);
    let now = host.now();
    let answer = host.lease(key, told).await;
    match &answer {
        Ok(Some(lease)) => memory.counts.learn_tiles(key, lease.tiles_today, now),
        Ok(None) => {}
        Err(_) => memory.counts.put_back(key, told),
    }
    answer
}

async fn load_from_gate(
    host: &impl Host,
    memory: &Memory,
    key: &RecordKey,
    now: Millis,
) -> Result<Rc<Loaded>> {
    let json = host.read_gate(key).await.map_err(|unreachable| gate_is_down(&unreachable))?;
    let json = json.ok_or_else(|| forget(memory, key))?;
    let record = Record::parse(&json).map_err(|unreadable: Unreadable| {
        memory.forget_record(key);
        Error::Unavailable(format!("record {key}: {unreadable}"))
    })?;
    Ok(memory.keep_record(key, record, json.len(), now))
}

/// The database is ahead of our lease, or the gate ahead of us: what is in force now. The visitor's pass is judged by it.
async fn look_again(host: &impl Host, memory: &Memory, key: &RecordKey, before: &Opened) -> Result<Opened> {
    let now = host.now();
    let loaded = load_from_gate(host, memory, key, now).await?;
    let (spent, pass) = (before.spent, before.pass.clone());
    Ok(Opened { loaded, found: Found::Gate, renewal_due: false, at: now, spent, pass })
}

fn forget(memory: &Memory, key: &RecordKey) -> Error {
    memory.forget_record(key);
    Error::Dead(Why::Unknown)
}

fn gate_is_down(unreachable: &Unreachable) -> Error {
    Error::Unavailable(format!("gate: {unreachable}"))
}

#[cfg(test)]
mod tests;
