//! Downloads under way: how many there may be, and their bytes as the body of an answer, which ends when the link does.

use super::export::Export;
use super::{Products, blocking, file};
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::unfold;
use shared::model::data_product::{Format, View};
use shared::{Error, Result};
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

/// Downloads of one share at once.
const OF_ONE_SHARE: usize = 4;
/// Downloads at once: each may hold a row group of some 50 MiB.
const OF_ALL: usize = 16;
/// How often a download asks whether its link still opens.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// A reader that takes nothing for longer gives its place to the next one.
const STALLED: Duration = Duration::from_mins(1);

/// Who downloads.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    next: u64,
    slots: HashMap<u64, Slot>,
}

struct Slot {
    share: Uuid,
    progress_at: Instant,
}

/// A place, until it is dropped.
struct Place {
    places: Places,
    id: u64,
}

impl Places {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Takes a place; those who have stalled lose theirs.
    fn enter(&self, share: Uuid) -> Result<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.slots.retain(|_, slot| slot.progress_at.elapsed() < STALLED);
        let of_share = taken.slots.values().filter(|slot| slot.share == share).count();
        if of_share >= OF_ONE_SHARE || taken.slots.len() >= OF_ALL {
            return Err(Error::Throttled { retry_after: Duration::from_secs(10) });
        }
        taken.next += 1;
        let id = taken.next;
        taken.slots.insert(id, Slot { share, progress_at: Instant::now() });
        Ok(Place { places: self.clone(), id })
    }
}

impl Place {
    /// Notes that the reader takes what it gets. `false` when the place was lost.
    fn keep(&self) -> bool {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.slots.get_mut(&self.id).map(|slot| slot.progress_at = Instant::now()).is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.0.lock().unwrap_or_else(PoisonError::into_inner).slots.remove(&self.id);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn places_are_few_and_the_stalled_lose_theirs() {
        let places = Places::new();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut held: Vec<_> = (0..OF_ONE_SHARE).map(|_| places.enter(one).unwrap()).collect();
        assert!(places.enter(one).is_err());
        drop(places.enter(other).unwrap());
        held.pop();
        held.push(places.enter(one).unwrap());
        tokio::time::advance(STALLED / 2).await;
        assert!(held[0].keep());
        tokio::time::advance(STALLED / 2).await;
        let fresh = places.enter(one).unwrap();
        assert!(held[0].keep() && !held[1].keep(), "only who takes what it gets keeps its place");
        drop(fresh);
    }
}
