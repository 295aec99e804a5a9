//! How many queries one share may run at once: a hot link must not starve the others.

use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// Queries of one share at once.
const AT_ONCE: usize = 4;
/// Shares that are remembered. One that is forgotten while its queries run may run as many again.
const SHARES: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

pub(super) struct Gate(Mutex<LruCache<Uuid, Arc<Semaphore>>>);

impl Gate {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(SHARES)))
    }

    /// Waits for a place until `deadline`; `None` when there was none.
    pub(super) async fn enter(&self, share: Uuid, deadline: Instant) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(shares.get_or_insert(share, || Arc::new(Semaphore::new(AT_ONCE))))
        };
        timeout_at(deadline, places.acquire_owned()).await.ok()?.ok()
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
        places.pop();
        assert!(gate.enter(one, soon()).await.is_some());
    }
}
