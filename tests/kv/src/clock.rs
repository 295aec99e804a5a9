//! Virtual time, so that a minute of KV's caches need not last one.

use shared::time::Millis;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A clock that may run faster than real time, or only by hand. Clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Mutex<Face>>);

#[derive(Debug)]
struct Face {
    /// What the clock showed at `since`.
    shown: Millis,
    since: Instant,
    rate: f64,
    /// Somebody else's clock, in milliseconds since 1970.
    follows: Option<Arc<AtomicI64>>,
}

impl Face {
    fn now(&self) -> Millis {
        if let Some(millis) = &self.follows {
            return Millis(millis.load(Ordering::SeqCst));
        }
        let passed = Duration::try_from_secs_f64(self.since.elapsed().as_secs_f64() * self.rate);
        self.shown.plus(passed.unwrap_or_default())
    }
}

impl Clock {
    /// Begins at the real time and runs `rate` times as fast: 1.0 is real time, 60.0 a minute each second.
    /// A rate that is not above zero stands still.
    pub fn real(rate: f64) -> Self {
        let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self::new(Millis(0).plus(since_epoch), rate)
    }

    /// Stands at `start` until it is advanced.
    pub fn manual(start: Millis) -> Self {
        Self::new(start, 0.0)
    }

    /// Shows what somebody else counts, in milliseconds since 1970: then only they move it.
    pub fn following(millis: Arc<AtomicI64>) -> Self {
        let follows = Some(millis);
        Self(Arc::new(Mutex::new(Face { shown: Millis(0), since: Instant::now(), rate: 0.0, follows })))
    }

    fn new(shown: Millis, rate: f64) -> Self {
        Self(Arc::new(Mutex::new(Face { shown, since: Instant::now(), rate, follows: None })))
    }

    /// The virtual time.
    pub fn now(&self) -> Millis {
        self.face().now()
    }

    /// Goes on from now at another rate; no time is skipped or repeated. A manual clock begins to run.
    pub fn set_rate(&self, rate: f64) {
        let mut face = self.face();
        *face = Face { shown: face.now(), since: Instant::now(), rate, follows: None };
    }

    /// Puts the clock forward, whether it runs or stands.
    pub fn advance(&self, duration: Duration) {
        let mut face = self.face();
        face.shown = face.shown.plus(duration);
    }

    fn face(&self) -> MutexGuard<'_, Face> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock = Clock::manual(Millis(5));
        thread::sleep(Duration::from_millis(5));
        assert_eq!(clock.now(), Millis(5));
        clock.advance(Duration::from_mins(1));
        assert_eq!(clock.clone().now(), Millis(60_005));
    }

    #[test]
    fn a_clock_that_follows_shows_another() {
        let millis = Arc::new(AtomicI64::new(5));
        let clock = Clock::following(Arc::clone(&millis));
        millis.store(9, Ordering::SeqCst);
        assert_eq!(clock.now(), Millis(9));
    }

    #[test]
    fn a_new_rate_skips_nothing() {
        let clock = Clock::real(1_000.0);
        let start = clock.now();
        thread::sleep(Duration::from_millis(20));
        let before = clock.now();
        assert!(before.since(start) >= Duration::from_secs(20), "{start:?} {before:?}");
        clock.set_rate(0.0);
        let stopped = clock.now();
        assert!(stopped >= before);
        thread::sleep(Duration::from_millis(5));
        assert_eq!(clock.now(), stopped);
        clock.set_rate(f64::NAN);
        assert_eq!(clock.now(), stopped);
    }
}
