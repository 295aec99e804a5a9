//! A [`Core`] with a clock, for several threads.

use crate::clock::Clock;
use crate::core::Core;
use crate::counters::Counters;
use crate::faults::Faults;
use crate::stored::Stored;
use bytes::Bytes;
use shared::time::Millis;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One namespace that knows what time it is.
#[derive(Debug)]
pub struct Kv {
    core: Mutex<Core>,
    clock: Clock,
}

impl Kv {
    /// Gives `core` this clock.
    pub fn new(core: Core, clock: Clock) -> Self {
        Self { core: Mutex::new(core), clock }
    }

    /// Its clock, to read or to change.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Does anything that [`Core`] can, at the present time. Everyone else waits meanwhile.
    pub fn with<T>(&self, act: impl FnOnce(&mut Core, Millis) -> T) -> T {
        let mut core = self.core();
        // Read under the lock, so that calls come in the order of their time.
        act(&mut core, self.clock.now())
    }

    /// How many locations there are.
    pub fn locations(&self) -> usize {
        self.core().locations()
    }

    /// [`Core::counters`].
    pub fn counters(&self) -> Counters {
        self.core().counters()
    }

    /// [`Core::set_faults`].
    pub fn set_faults(&self, faults: Faults) {
        self.core().set_faults(faults);
    }

    /// [`Core::blackout`] from now on.
    pub fn blackout(&self, duration: Duration) {
        self.with(|core, now| core.blackout(now, now.plus(duration)));
    }

    /// [`Core::authoritative`].
    pub fn authoritative(&self, key: &str) -> Option<Stored> {
        self.with(|core, now| core.authoritative(now, key))
    }

    /// [`Core::keys`].
    pub fn keys(&self) -> Vec<String> {
        self.with(Core::keys)
    }

    /// [`Core::put_direct`].
    pub fn put_direct(&self, key: &str, stored: Stored) {
        self.with(|core, now| core.put_direct(now, key, stored));
    }

    /// [`Core::remove_direct`].
    pub fn remove_direct(&self, key: &str) {
        self.with(|core, now| core.remove_direct(now, key));
    }

    /// [`Core::tamper`].
    pub fn tamper(&self, key: &str, value: impl Into<Bytes>) -> bool {
        self.with(|core, now| core.tamper(now, key, value.into()))
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
