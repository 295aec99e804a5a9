//! What a link's visitor reads of it: rows, pages and options, remembered or new. A change that the data plane has seen and this
//! isolate has not is looked for once more.

use super::{Opened, look_again};
use crate::app::memory::{Memory, RESULT_TTL, ResultKey};
use crate::app::port::{Host, NoRows};
use crate::call::{DataCall, DownloadCall, OptionsFound, PageCall, ProductCall};
use crate::error::Why;
use crate::model::data_product::{Asked, Format};
use crate::model::filter::Choice;
use crate::model::key::KeyRing;
use crate::model::policy::{self, ChoiceSource, OptionSource};
use crate::model::token::RecordKey;
use crate::replica::Live;
use crate::{Error, Result};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::rc::Rc;
use std::time::Duration;

/// Before each further look at a gate that has yet to learn of a change. The first finds what this isolate alone did not
/// know; the others let a push arrive.
const CHANGE_PAUSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(50), Duration::from_millis(200), Duration::from_millis(750)];
/// When to come back to a data plane that has too much to do.
const BUSY_PAUSE: Duration = Duration::from_secs(5);

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
