//! Downloads under way: how many there may be, and their bytes as the body of an answer, which ends when the link does.

use super::export::Export;
use super::{Products, blocking, file};
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::unfold;
use shared::app::places::{Places, Room};
use shared::model::data_product::{Format, View};
use shared::time::Millis;
use shared::{Error, Result};
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

/// Downloads of one share at once, and of all: each may hold a row group and what is made of it, some 50 MiB. A reader that takes
/// nothing for a minute gives its place to the next one.
const ROOM: Room = Room { of_one: 4, of_all: 16, stalled: Duration::from_mins(1) };
/// How often a download asks whether its link still opens.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Who downloads, by share.
#[derive(Clone)]
pub(super) struct Downloads(Arc<Mutex<Places<Uuid>>>, Instant);

/// A place, until it is dropped.
struct Place {
    downloads: Downloads,
    id: u64,
}

impl Downloads {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Places::new(ROOM))), Instant::now())
    }

    fn with<T>(&self, change: impl FnOnce(&mut Places<Uuid>, Millis) -> T) -> T {
        let now = Millis(i64::try_from(self.1.elapsed().as_millis()).unwrap_or(i64::MAX));
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), now)
    }

    fn enter(&self, share: Uuid) -> Result<Place> {
        let id = self.with(|places, now| places.enter(share, now));
        let id = id.ok_or(Error::Throttled { retry_after: Duration::from_secs(10) })?;
        Ok(Place { downloads: self.clone(), id })
    }
}

impl Place {
    /// Notes that the reader takes what it gets. `false` when the place was lost.
    fn keep(&self) -> bool {
        self.downloads.with(|places, now| places.keep(self.id, now))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.downloads.with(|places, _| places.leave(self.id));
    }
}

impl Products {
    /// Begins a download. `is_open` is asked once a second; when it says no the body ends with an error, so that nobody takes
    /// what came for the whole.
    ///
    /// # Errors
    /// [`Error::Throttled`] when too many are under way, [`Error::Unavailable`] when the version's file is not there.
    pub(crate) async fn download<F, O>(
        &self,
        view: &View,
        format: Format,
        share: Uuid,
        is_open: F,
    ) -> Result<Body>
    where
        F: Fn() -> O + Send + 'static,
        O: Future<Output = bool> + Send + 'static,
    {
        let place = self.downloads.enter(share)?;
        let (path, columns) = (file(self.folder()?, view.id, view.version), view.table.columns.clone());
        let export = blocking(move || Export::begin(&path, &columns, format)).await?;
        let download = Download { part: read(export), place, is_open, checked_at: Instant::now() };
        Ok(Body::from_stream(unfold(Some(download), next)))
    }
}

struct Download<F> {
    /// The next part, which is read while the one before is sent.
    part: Part,
    place: Place,
    is_open: F,
    checked_at: Instant,
}

type Part = JoinHandle<(Export, Result<Option<Bytes>>)>;

fn read(mut export: Export) -> Part {
    tokio::task::spawn_blocking(move || {
        let part = export.next();
        (export, part)
    })
}

async fn next<F, O>(download: Option<Download<F>>) -> Option<(io::Result<Bytes>, Option<Download<F>>)>
where
    F: Fn() -> O,
    O: Future<Output = bool>,
{
    let mut download = download?;
    let cut = |why: &str| Some((Err(io::Error::other(why.to_owned())), None));
    if !download.place.keep() {
        return cut("the reader was silent for a minute, and others wait");
    }
    if download.checked_at.elapsed() >= CHECK_EVERY {
        if !(download.is_open)().await {
            return cut("the link is dead");
        }
        download.checked_at = Instant::now();
    }
    match (&mut download.part).await {
        Ok((export, Ok(Some(bytes)))) => {
            download.part = read(export);
            Some((Ok(bytes), Some(download)))
        }
        Ok((_, Ok(None))) => None,
        Ok((_, Err(error))) => {
            tracing::error!(%error, "a download broke off");
            cut("the rows cannot be read")
        }
        Err(error) => {
            tracing::error!(%error, "a download broke off");
            cut("the rows cannot be read")
        }
    }
}
