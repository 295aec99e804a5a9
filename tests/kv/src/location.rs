//! One of the places from which KV is read: what has reached it, and what it remembers of its reads.

use crate::stored::Stored;
use shared::time::Millis;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Shortest that a read is cached. (Workers KV, changelog 2026-01-30.)
pub const MIN_CACHE_TTL: Duration = Duration::from_secs(30);
/// How long a read is cached that does not say. (Workers KV, read key-value pairs.)
pub const DEFAULT_CACHE_TTL: Duration = Duration::from_mins(1);

/// What a write leaves under a key; a deletion leaves nothing.
pub(crate) type Content = Option<Arc<Stored>>;

/// A version of a key on its way to a location, or arrived there.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) at: Millis,
    /// Counts what was applied, over all keys: the greater, the newer.
    pub(crate) version: u64,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) struct Cached {
    read: Millis,
    ttl: Duration,
    content: Content,
}

impl Cached {
    fn is_fresh(&self, now: Millis) -> bool {
        // An expiration ends a longer time in the cache.
        now.since(self.read) < self.ttl && !self.content.as_ref().is_some_and(|stored| stored.is_gone(now))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Location {
    arrivals: HashMap<String, Vec<Arrival>>,
    cache: HashMap<String, Cached>,
}

impl Location {
    /// Takes a version that will be seen from `arrival.at`.
    pub(crate) fn deliver(&mut self, key: &str, arrival: Arrival) {
        match self.arrivals.get_mut(key) {
            Some(arrivals) => arrivals.push(arrival),
            None => _ = self.arrivals.insert(key.to_owned(), vec![arrival]),
        }
    }

    /// The newest version that has arrived.
    pub(crate) fn visible(&mut self, now: Millis, key: &str) -> Content {
        let arrivals = self.arrivals.get_mut(key)?;
        let newest =
            arrivals.iter().filter(|arrival| arrival.at <= now).max_by_key(|arrival| arrival.version)?;
        let (version, content) = (newest.version, newest.content.clone());
        // What is older will never be seen again.
        arrivals.retain(|arrival| arrival.version >= version);
        content.filter(|stored| !stored.is_gone(now))
    }

    /// What was read a short time ago. A shorter `ttl` than that of the earlier reads shortens its life.
    pub(crate) fn cached(&mut self, now: Millis, key: &str, ttl: Duration) -> Option<&Content> {
        let cached = self.cache.get_mut(key)?;
        cached.ttl = cached.ttl.min(ttl);
        cached.is_fresh(now).then_some(&cached.content)
    }

    /// Remembers what was read, an absence too.
    pub(crate) fn keep(&mut self, now: Millis, key: &str, ttl: Duration, content: Content) {
        self.cache.insert(key.to_owned(), Cached { read: now, ttl, content });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(number: u64) -> Arc<Stored> {
        Arc::new(Stored::new(number.to_string()))
    }

    proptest! {
        #[test]
        fn without_its_cache_a_location_never_goes_back(
            delays in prop::collection::vec((0_i64..5_000, 0_i64..120_000), 1..60),
            reads in prop::collection::vec(0_i64..20_000, 1..60),
        ) {
            let mut location = Location::default();
            let mut written = Millis(0);
            for (version, (pause, delay)) in (0..).zip(delays) {
                written = Millis(written.0 + pause);
                let at = Millis(written.0 + delay);
                location.deliver("k", Arrival { at, version, content: Some(self::version(version)) });
            }
            let (mut now, mut shown) = (Millis(0), None);
            for pause in reads {
                now = Millis(now.0 + pause);
                let read = location.visible(now, "k").map(|stored| {
                    std::str::from_utf8(&stored.value).unwrap().parse::<u64>().unwrap()
                });
                prop_assert!(read >= shown, "{read:?} after {shown:?}");
                shown = read;
            }
        }
    }

    #[test]
    fn a_later_read_may_shorten_but_not_prolong() {
        let mut location = Location::default();
        location.keep(Millis(0), "k", Duration::from_mins(1), Some(version(1)));
        assert!(location.cached(Millis(59_999), "k", Duration::from_mins(5)).is_some());
        assert!(location.cached(Millis(60_000), "k", Duration::from_mins(5)).is_none());
        location.keep(Millis(0), "k", Duration::from_mins(5), Some(version(1)));
        assert!(location.cached(Millis(29_999), "k", Duration::from_secs(30)).is_some());
        assert!(location.cached(Millis(30_000), "k", Duration::from_mins(5)).is_none());
    }

    #[test]
    fn an_expiration_ends_the_time_in_the_cache() {
        let mut location = Location::default();
        let stored = Arc::new(Stored { expiration: Some(Millis(70_000)), ..Stored::new("v") });
        location.deliver("k", Arrival { at: Millis(0), version: 1, content: Some(Arc::clone(&stored)) });
        location.keep(Millis(0), "k", Duration::from_mins(5), Some(stored));
        assert!(location.cached(Millis(69_999), "k", Duration::from_mins(5)).is_some());
        assert!(location.cached(Millis(70_000), "k", Duration::from_mins(5)).is_none());
        assert!(location.visible(Millis(69_999), "k").is_some());
        assert!(location.visible(Millis(70_000), "k").is_none());
    }
}
