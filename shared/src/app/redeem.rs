//! Redeeming a public link: open, resolve, execute, options (DESIGN.md, "A public request at the edge").

use super::memory::{Loaded, Memory, RESULT_TTL, ResultKey};
use super::port::{Host, Lease, NoRows, Told, Unreachable};
use crate::call::{DataCall, DownloadCall, OptionsFound, PageCall, ProductCall};
use crate::error::Why;
use crate::model::access::{self, Pass};
use crate::model::context::ContextView;
use crate::model::dashboard::View;
use crate::model::data_product::{self, Asked, Format};
use crate::model::filter::Choice;
use crate::model::key::KeyRing;
use crate::model::lease::Standing;
use crate::model::policy::{self, ChoiceSource, OptionSource, Parameters, Rules};
use crate::model::portal;
use crate::model::token::RecordKey;
use crate::replica::{self, Live, Record, Unreadable};
use crate::time::Millis;
use crate::{Error, Result};
use futures_util::future::{Either, join, select};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

/// How long a visitor waits, in the grace, for a gate that may be out of reach, before the control plane is asked as well.
const GATE_PATIENCE: Duration = Duration::from_millis(500);
/// Before each further look at a gate that has yet to learn of a change. The first finds what this isolate alone did not
/// know; the others let a push arrive.
const CHANGE_PAUSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(50), Duration::from_millis(200), Duration::from_millis(750)];

/// When to come back to a data plane that has too much to do.
const BUSY_PAUSE: Duration = Duration::from_secs(5);

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
    match (lease(host, memory, key).await, known) {
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

fn forget(memory: &Memory, key: &RecordKey) -> Error {
    memory.forget_record(key);
    Error::Dead(Why::Unknown)
}

fn gate_is_down(unreachable: &Unreachable) -> Error {
    Error::Unavailable(format!("gate: {unreachable}"))
}

/// How old an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Was the data plane spared?
    pub hit: bool,
    /// Since the queries ran.
    pub age: Duration,
    /// Older than it should be: the data plane is out of reach.
    pub stale: bool,
}

impl Freshness {
    const NEW: Self = Self { hit: false, age: Duration::ZERO, stale: false };
}

/// An answer of the data plane, remembered or new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeemed {
    /// JSON of [`crate::call::Executed`] or [`OptionsFound`].
    pub json: Rc<[u8]>,
    /// How old it is.
    pub freshness: Freshness,
}

/// Runs the dashboard's queries with what the share's rules make of `asked`.
///
/// # Errors
/// [`Error::Policy`], [`Error::Dead`], [`Error::Unavailable`] when the data plane is out of reach and nothing is remembered.
pub async fn execute(
    host: &impl Host,
    memory: &Memory,
    key: &RecordKey,
    opened: &Opened,
    asked: &Map<String, Value>,
) -> Result<Redeemed> {
    while_it_changes(host, memory, key, opened, async |opened| {
        execute_once(host, memory, opened, asked).await
    })
    .await
}

/// Tries under the record that was opened, and again under its gate's as long as the data plane knows of a change that the
/// gate has yet to learn: between the owner's commit and the push there are milliseconds, or an edge out of reach.
async fn while_it_changes<T>(
    host: &impl Host,
    memory: &Memory,
    key: &RecordKey,
    opened: &Opened,
    once: impl AsyncFn(&Opened) -> std::result::Result<T, Failed>,
) -> Result<T> {
    let mut outcome = once(opened).await;
    for pause in CHANGE_PAUSES {
        if !matches!(outcome, Err(Failed::OtherRevision)) {
            break;
        }
        if !pause.is_zero() {
            host.wait(pause).await;
        }
        let newer = look_again(host, memory, key, opened).await?;
        outcome = once(&newer).await;
    }
    outcome.map_err(Failed::into_error)
}

/// The database is ahead of our lease, or the gate ahead of us: what is in force now. The visitor's pass is judged by it.
async fn look_again(host: &impl Host, memory: &Memory, key: &RecordKey, before: &Opened) -> Result<Opened> {
    let now = host.now();
    let loaded = load_from_gate(host, memory, key, now).await?;
    let (spent, pass) = (before.spent, before.pass.clone());
    Ok(Opened { loaded, found: Found::Gate, renewal_due: false, at: now, spent, pass })
}

async fn execute_once(
    host: &impl Host,
    memory: &Memory,
    opened: &Opened,
    asked: &Map<String, Value>,
) -> std::result::Result<Redeemed, Failed> {
    let (live, view) = opened.dashboard()?;
    let parameters = opened.parameters(live, view, asked)?;
    let name = result_key(opened, (live, view.version), &[b"execute", &parameters.identity()]);
    through_memory(host, memory, name, async || {
        let call = DataCall { parameters: parameters.to_json(), ..opened.call(live) };
        let rows = host.execute(&name, &call).await?;
        Ok((rows.json.into(), rows.cacheable))
    })
    .await
}

/// Reads a page of the data product that the link opens.
///
/// # Errors
/// [`Error::Invalid`] for a column or cursor that is none of it, [`Error::Dead`], [`Error::Unavailable`].
pub async fn page(
    host: &impl Host,
    memory: &Memory,
    (key, ring): (&RecordKey, &KeyRing),
    opened: &Opened,
    asked: &Asked,
) -> Result<Redeemed> {
    while_it_changes(host, memory, key, opened, async |opened| {
        let (live, view) = opened.data_product()?;
        let page = asked.page(view, ring)?;
        let identity = serde_json::to_vec(&page).map_err(|error| Error::Internal(error.to_string()))?;
        let name = result_key(opened, (live, view.version), &[b"page", &identity]);
        through_memory(host, memory, name, async || {
            let call: PageCall =
                ProductCall { share_id: live.share.id, revision: opened.revision(), asked: page };
            Ok((host.page(&name, &call).await?.into(), true))
        })
        .await
    })
    .await
}

/// Begins a download of the data product that the link opens, with what `begin` makes of the call.
///
/// # Errors
/// As [`page`].
pub async fn download<T>(
    host: &impl Host,
    memory: &Memory,
    key: &RecordKey,
    opened: &Opened,
    format: Format,
    begin: impl AsyncFn(&DownloadCall) -> std::result::Result<T, NoRows>,
) -> Result<T> {
    while_it_changes(host, memory, key, opened, async |opened| {
        let (live, _) = opened.data_product()?;
        let call = ProductCall { share_id: live.share.id, revision: opened.revision(), asked: format };
        Ok(begin(&call).await?)
    })
    .await
}

/// What viewers may be offered for a filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Options {
    /// Known here, from the definition or the policy: not yet narrowed by a search.
    Known {
        /// In the owner's order.
        choices: Vec<Choice>,
        /// Where they are from.
        source: ChoiceSource,
    },
    /// Found by the filter's query.
    Found(OptionsFound),
}

/// Finds the options of a filter, narrowed by what the share locks.
///
/// # Errors
/// [`Error::FilterDisabled`], [`Error::Query`], [`Error::Dead`], [`Error::Unavailable`].
pub async fn options(
    host: &impl Host,
    memory: &Memory,
    key: &RecordKey,
    opened: &Opened,
    slug: &str,
    search: Option<&str>,
) -> Result<Options> {
    while_it_changes(host, memory, key, opened, async |opened| {
        options_once(host, memory, opened, slug, search).await
    })
    .await
}

async fn options_once(
    host: &impl Host,
    memory: &Memory,
    opened: &Opened,
    slug: &str,
    search: Option<&str>,
) -> std::result::Result<Options, Failed> {
    let (live, view) = opened.dashboard()?;
    let rules = opened.rules(live, view)?;
    if let OptionSource::Known { choices, source } = policy::options(&view.filters, &rules, slug)? {
        return Ok(Options::Known { choices, source });
    }
    let constraints = policy::constraints(&view.filters, &rules)?.identity();
    let searched = [&[u8::from(search.is_some())], search.unwrap_or_default().as_bytes()].concat();
    let name =
        result_key(opened, (live, view.version), &[b"options", slug.as_bytes(), &searched, &constraints]);
    let found = through_memory(host, memory, name, async || {
        let call = DataCall {
            filter_slug: Some(slug.to_owned()),
            search: search.map(str::to_owned),
            ..opened.call(live)
        };
        let found = host.options(&name, &call).await?;
        Ok((serde_json::to_vec(&found).unwrap_or_default().into(), true))
    })
    .await?;
    serde_json::from_slice(&found.json)
        .map(Options::Found)
        .map_err(|error| Error::Internal(error.to_string()).into())
}

async fn through_memory(
    host: &impl Host,
    memory: &Memory,
    name: ResultKey,
    ask: impl AsyncFnOnce() -> std::result::Result<(Rc<[u8]>, bool), NoRows>,
) -> std::result::Result<Redeemed, Failed> {
    let kept = memory.result(&name, host.now());
    if let Some((json, age)) = &kept
        && *age < RESULT_TTL
    {
        return Ok(Redeemed {
            json: Rc::clone(json),
            freshness: Freshness { hit: true, age: *age, stale: false },
        });
    }
    match (ask().await, kept) {
        (Ok((json, cacheable)), _) => {
            if cacheable {
                memory.keep_result(name, Rc::clone(&json), host.now());
            }
            Ok(Redeemed { json, freshness: Freshness::NEW })
        }
        (Err(NoRows::Unreachable(_)), Some((json, age))) => {
            Ok(Redeemed { json, freshness: Freshness { hit: true, age, stale: true } })
        }
        (Err(no_rows), _) => Err(no_rows.into()),
    }
}

/// All that a result depends on: what is opened, and what is asked of it. The revision stands in it, so nothing kept under an older
/// rule is found again. What an embed's token decides stands in what is asked: two tokens that decide the same share their results.
fn result_key(opened: &Opened, (live, version): (&Live, u64), asked: &[&[u8]]) -> ResultKey {
    let (revision, version) = (opened.revision().to_be_bytes(), version.to_be_bytes());
    let parts: [&[u8]; 4] = [live.organization.id.as_bytes(), live.share.id.as_bytes(), &revision, &version];
    let mut digest = Sha256::new();
    for part in parts.iter().chain(asked) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

enum Failed {
    OtherRevision,
    Error(Error),
}

impl Failed {
    fn into_error(self) -> Error {
        match self {
            Self::OtherRevision => Error::Unavailable("the share is changing".to_owned()),
            Self::Error(error) => error,
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<NoRows> for Failed {
    fn from(no_rows: NoRows) -> Self {
        match no_rows {
            NoRows::OtherRevision => Self::OtherRevision,
            NoRows::Dead => Self::Error(Error::Dead(Why::Revoked)),
            NoRows::Query(message) => Self::Error(Error::Query { message }),
            NoRows::Busy => Self::Error(Error::Throttled { retry_after: BUSY_PAUSE }),
            NoRows::Unreachable(unreachable) => {
                Self::Error(Error::Unavailable(format!("data plane: {unreachable}")))
            }
        }
    }
}

#[cfg(test)]
mod tests;
