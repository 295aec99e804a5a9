//! The one place that asks what time it is, so that tests can move it by hand.

use shared::time::Millis;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells the time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Stands still until it is moved, or waited for by [`Clock::sleep`]; milliseconds since 1970.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Now.
    pub fn now(&self) -> Millis {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Manual(millis) => Millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Waits so long. A clock that is moved by hand is moved by it, so that nobody really waits.
    pub(crate) async fn sleep(&self, duration: Duration) {
        match self {
            Self::System => tokio::time::sleep(duration).await,
            Self::Manual(millis) => {
                let passed = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
                millis.fetch_add(passed, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        }
    }
}
