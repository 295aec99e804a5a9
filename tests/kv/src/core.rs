//! What KV does, without I/O: time is an argument and only goes on, chance is seeded.

mod direct;
pub(crate) mod rest;
#[cfg(test)]
mod tests;

use crate::counters::Counters;
use crate::faults::{Faults, delay, happens};
use crate::location::{Arrival, Content, DEFAULT_CACHE_TTL, Location, MIN_CACHE_TTL};
use crate::rate::{Quota, Rate};
use crate::refusal::Refusal;
use crate::stored::{Stored, check_key};
use fastrand::Rng;
use shared::time::Millis;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Shortest time between two writes to one key. (Workers KV, write key-value pairs.)
const WRITE_PAUSE: Duration = Duration::from_secs(1);

/// One namespace, read from several locations. Calls must come in the order of their `now`.
#[derive(Debug)]
pub struct Core {
    locations: Vec<Location>,
    /// What was applied last under each key.
    newest: BTreeMap<String, Arc<Stored>>,
    /// How many writes were applied.
    version: u64,
    /// Late writes, by when they will be applied and the order in which they were taken.
    under_way: BTreeMap<(Millis, u64), Write>,
    /// When the last write to each key was taken.
    taken: HashMap<String, Millis>,
    blackouts: Vec<Range<Millis>>,
    rate: Rate,
    faults: Faults,
    counters: Counters,
    rng: Rng,
}

#[derive(Debug)]
struct Write {
    /// None for REST and by hand: these are nowhere near a location.
    from: Option<usize>,
    key: String,
    content: Content,
}

/// How a call to write ends that is not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    TimedOut,
    Late,
}

impl Core {
    /// An empty namespace with `locations` locations, numbered from 0. The same seed and calls give the same answers.
    pub fn new(locations: usize, faults: Faults, seed: u64) -> Self {
        Self {
            locations: (0..locations).map(|_| Location::default()).collect(),
            newest: BTreeMap::new(),
            version: 0,
            under_way: BTreeMap::new(),
            taken: HashMap::new(),
            blackouts: Vec::new(),
            rate: Rate::default(),
            faults,
            counters: Counters::default(),
            rng: Rng::with_seed(seed),
        }
    }

    /// How many locations there are.
    pub fn locations(&self) -> usize {
        self.locations.len()
    }

    /// Behaves otherwise from now on. What is on its way stays on it.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// From `from` until before `until` all writes and uncached reads fail. (2025-06-12 was 2 h 28 min of it.)
    pub fn blackout(&mut self, from: Millis, until: Millis) {
        self.blackouts.push(from..until);
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        Counters { rest_calls: self.rate.total, most_rest_calls: self.rate.most, ..self.counters }
    }

    /// Counts a REST call of the one token there is.
    pub fn rest_call(&mut self, now: Millis) -> Quota {
        self.rate.call(now)
    }

    /// Reads at a location, where the answer is cached for `cache_ttl`: at least [`MIN_CACHE_TTL`], and
    /// [`DEFAULT_CACHE_TTL`] when none is given.
    pub fn read(
        &mut self,
        now: Millis,
        location: usize,
        key: &str,
        cache_ttl: Option<Duration>,
    ) -> Result<Option<Arc<Stored>>, Refusal> {
        self.counters.reads += 1;
        let read = self.try_read(now, location, key, cache_ttl);
        self.counters.failed_reads += u64::from(read.is_err());
        read
    }

    fn try_read(
        &mut self,
        now: Millis,
        location: usize,
        key: &str,
        cache_ttl: Option<Duration>,
    ) -> Result<Content, Refusal> {
        check_key(key)?;
        self.settle(now);
        let ttl = cache_ttl.unwrap_or(DEFAULT_CACHE_TTL).max(MIN_CACHE_TTL);
        let nowhere = Refusal::Invalid("there is no such location");
        let place = self.locations.get_mut(location).ok_or(nowhere.clone())?;
        if let Some(content) = place.cached(now, key, ttl) {
            self.counters.cached_reads += 1;
            return Ok(content.clone());
        }
        self.reach_to_read(now)?;
        let place = self.locations.get_mut(location).ok_or(nowhere)?;
        let content = place.visible(now, key);
        place.keep(now, key, ttl, content.clone());
        Ok(content)
    }

    /// Writes at a location, or over REST when `from` is none.
    pub fn put(
        &mut self,
        now: Millis,
        from: Option<usize>,
        key: &str,
        stored: Stored,
    ) -> Result<(), Refusal> {
        self.write(now, Write { from, key: key.to_owned(), content: Some(Arc::new(stored)) })
    }

    /// Deletes at a location, or over REST when `from` is none. Limits and faults are those of a write.
    pub fn delete(&mut self, now: Millis, from: Option<usize>, key: &str) -> Result<(), Refusal> {
        self.write(now, Write { from, key: key.to_owned(), content: None })
    }

    fn write(&mut self, now: Millis, write: Write) -> Result<(), Refusal> {
        let fate = self.admit(now, &write).inspect_err(|_| self.counters.refused += 1)?;
        self.take(now, write, fate);
        fate.told()
    }

    fn admit(&mut self, now: Millis, write: &Write) -> Result<Fate, Refusal> {
        write.check(now)?;
        self.reach(now)?;
        if self.is_too_soon(now, &write.key) {
            return Err(Refusal::TooOften);
        }
        self.fate()
    }

    fn is_too_soon(&self, now: Millis, key: &str) -> bool {
        self.taken.get(key).is_some_and(|taken| now.since(*taken) < WRITE_PAUSE)
    }

    /// How a call to write ends.
    fn fate(&mut self) -> Result<Fate, Refusal> {
        let Faults { write_failed, write_timed_out, write_late, .. } = self.faults;
        match self.rng.f64() {
            draw if draw < write_failed => Err(Refusal::Failed),
            draw if draw < write_failed + write_timed_out => Ok(Fate::TimedOut),
            draw if draw < write_failed + write_timed_out + write_late => Ok(Fate::Late),
            _ => Ok(Fate::Done),
        }
    }

    /// Takes a write, to apply it now or later.
    fn take(&mut self, now: Millis, write: Write, fate: Fate) {
        // What should be applied before this one is.
        self.settle(now);
        self.counters.writes += 1;
        self.counters.timed_out += u64::from(fate != Fate::Done);
        self.taken.insert(write.key.clone(), now);
        if fate == Fate::Late {
            self.counters.late += 1;
            let at = now.plus(delay(&mut self.rng, self.faults.latest));
            self.under_way.insert((at, self.counters.late), write);
        } else {
            self.apply(now, write);
        }
    }

    /// Applies the late writes whose time has come.
    fn settle(&mut self, now: Millis) {
        while let Some(entry) = self.under_way.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), write) = entry.remove_entry();
            self.apply(at, write);
        }
    }

    /// Makes a write the newest of its key, and sends it to all locations.
    fn apply(&mut self, now: Millis, Write { from, key, content }: Write) {
        self.version += 1;
        for (index, location) in self.locations.iter_mut().enumerate() {
            let at_once = from == Some(index) && !happens(&mut self.rng, self.faults.slow_at_home);
            let delay =
                if at_once { Duration::ZERO } else { delay(&mut self.rng, self.faults.longest_delay) };
            let arrival = Arrival { at: now.plus(delay), version: self.version, content: content.clone() };
            location.deliver(&key, arrival);
        }
        match content {
            Some(stored) => _ = self.newest.insert(key, stored),
            None => _ = self.newest.remove(&key),
        }
    }

    /// Refuses in a blackout.
    fn reach(&self, now: Millis) -> Result<(), Refusal> {
        let ends =
            self.blackouts.iter().filter(|blackout| blackout.contains(&now)).map(|blackout| blackout.end);
        match ends.max() {
            Some(end) => Err(Refusal::Unavailable { retry_after: end.since(now) }),
            None => Ok(()),
        }
    }

    fn reach_to_read(&mut self, now: Millis) -> Result<(), Refusal> {
        self.reach(now)?;
        if happens(&mut self.rng, self.faults.read_failed) { Err(Refusal::Failed) } else { Ok(()) }
    }
}

impl Write {
    fn check(&self, now: Millis) -> Result<(), Refusal> {
        check_key(&self.key)?;
        self.content.as_ref().map_or(Ok(()), |stored| stored.check(now))
    }
}

impl Fate {
    /// What the caller is told.
    const fn told(self) -> Result<(), Refusal> {
        match self {
            Self::Done => Ok(()),
            Self::TimedOut | Self::Late => Err(Refusal::TimedOut),
        }
    }
}
