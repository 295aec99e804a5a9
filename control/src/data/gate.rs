//! How many queries one share may run at once: a hot link must not starve the others.

use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// Queries of one share at once.
const AT_ONCE: usize = 4;
/// Queries of one share that wait for a place: twice the widgets of the largest dashboard. A stranger who asks
/// something new each time must not fill the program with waiting requests.
const WAITING: usize = 100;
/// Shares that are remembered. One that is forgotten while its queries run may run as many again.
const SHARES: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

pub(super) struct Gate(Mutex<LruCache<Uuid, Places>>);

#[derive(Clone)]
struct Places {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Places {
    fn new() -> Self {
        Self { running: Arc::new(Semaphore::new(AT_ONCE)), waiting: Arc::new(Semaphore::new(WAITING)) }
    }
}

impl Gate {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(SHARES)))
    }

    /// Waits for a place until `deadline`; `None` when there was none, at once when too many wait already.
    pub(super) async fn enter(&self, share: Uuid, deadline: Instant) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            shares.get_or_insert(share, Places::new).clone()
        };
        let _waiting = places.waiting.try_acquire_owned().ok()?;
        timeout_at(deadline, places.running.acquire_owned()).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn four_at_once_for_each_share() {
        let gate = Gate::new();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let soon = || Instant::now() + Duration::from_secs(1);
        let mut places = Vec::new();
        for _ in 0..AT_ONCE {
            places.push(gate.enter(one, soon()).await.unwrap());
        }
        assert!(gate.enter(one, soon()).await.is_none());
        assert!(gate.enter(other, soon()).await.is_some());
        let later = Instant::now() + Duration::from_secs(10);
        let before = Instant::now();
        let waiting: Vec<_> = (0..=WAITING).map(|_| gate.enter(one, later)).collect();
        let first = futures_util::future::select_all(waiting.into_iter().map(Box::pin)).await;
        assert!(first.0.is_none() && Instant::now() == before, "one too many is turned away at once");
        drop(first);
        places.pop();
        assert!(gate.enter(one, soon()).await.is_some());
    }
}
