//! How often visitors of maps may ask one isolate: opening links by network, tiles by link and network. API.md 2.a, 2.b, X10.
//!
//! Each isolate counts for itself, so that no request waits for a count: a visitor, whom the platform sends to one isolate after
//! another at most, gets little more than this.

use crate::model::attempt::Network;
use crate::model::token::RecordKey;
use crate::time::Millis;
use crate::{Error, Result};
use lru::LruCache;
use std::cell::RefCell;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Openings of links a minute from a network without a key.
const BY_NETWORK: Rate = Rate { every_us: 1_000_000, burst: 60 };
/// And by one key.
const BY_KEY: Rate = Rate { every_us: 100_000, burst: 600 };
/// Tiles a second, when nobody sets another number: what a window full of small tiles asks for at once, and goes on asking for.
pub const TILES_PER_SECOND: u32 = 50;
/// So many seconds' tiles may be asked for at once.
const TILE_BURST_SECONDS: u32 = 8;
/// Callers that are remembered of each kind.
const MAX_CALLERS: NonZeroUsize = NonZeroUsize::new(8_192).expect("not zero");

/// One every so often, and some of them at once.
#[derive(Debug, Clone, Copy)]
struct Rate {
    every_us: i64,
    burst: i64,
}

/// When each caller's allowance is whole again, in microseconds.
#[derive(Debug)]
struct Callers<K: Hash + Eq>(RefCell<LruCache<K, i64>>);

impl<K: Hash + Eq> Callers<K> {
    fn new() -> Self {
        Self(RefCell::new(LruCache::new(MAX_CALLERS)))
    }

    fn pass(&self, caller: K, rate: Rate, now: Millis) -> Result<()> {
        let now = now.0.saturating_mul(1_000);
        let mut callers = self.0.borrow_mut();
        let whole_at = callers.get(&caller).copied().unwrap_or(now).max(now);
        let ahead = whole_at - now;
        let most = rate.every_us.saturating_mul(rate.burst - 1);
        if ahead > most {
            let wait = u64::try_from(ahead - most).unwrap_or_default();
            return Err(Error::Throttled { retry_after: Duration::from_micros(wait) });
        }
        callers.put(caller, whole_at + rate.every_us);
        Ok(())
    }
}

/// What one isolate lets through.
#[derive(Debug)]
pub struct Throttle {
    networks: Callers<Network>,
    keys: Callers<String>,
    tiles: Callers<(RecordKey, Network)>,
    tile_rate: Rate,
}

impl Throttle {
    /// `tiles_per_second` of one link to one network; 0 counts as 1.
    pub fn new(tiles_per_second: u32) -> Self {
        let rate = i64::from(tiles_per_second.clamp(1, 1_000_000));
        let burst = rate * i64::from(TILE_BURST_SECONDS);
        Self {
            networks: Callers::new(),
            keys: Callers::new(),
            tiles: Callers::new(),
            tile_rate: Rate { every_us: 1_000_000 / rate, burst },
        }
    }

    /// An operation of somebody without a key, or with one that is not known to be good.
    ///
    /// # Errors
    /// [`Error::Throttled`].
    pub fn network(&self, network: Network, now: Millis) -> Result<()> {
        self.networks.pass(network, BY_NETWORK, now)
    }

    /// An operation by a good key, which its hash names.
    ///
    /// # Errors
    /// [`Error::Throttled`].
    pub fn key(&self, hash: &str, now: Millis) -> Result<()> {
        self.keys.pass(hash.to_owned(), BY_KEY, now)
    }

    /// A tile, or a part of an archive.
    ///
    /// # Errors
    /// [`Error::Throttled`].
    pub fn tile(&self, key: &RecordKey, network: Network, now: Millis) -> Result<()> {
        self.tiles.pass((key.clone(), network), self.tile_rate, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::attempt::network_of;

    fn network(text: &str) -> Network {
        network_of(Some(text.parse().unwrap()))
    }

    #[test]
    fn a_network_opens_sixty_links_at_once_and_then_one_a_second() {
        let throttle = Throttle::new(TILES_PER_SECOND);
        let open = |address: &str, at: i64| throttle.network(network(address), Millis(at));
        for _ in 0..60 {
            assert_eq!(open("192.0.2.7", 0), Ok(()));
        }
        let wait = Error::Throttled { retry_after: Duration::from_secs(1) };
        assert_eq!(open("192.0.2.200", 0), Err(wait), "its neighbour is of the same network");
        assert_eq!(open("198.51.100.7", 0), Ok(()));
        assert_eq!(open("192.0.2.7", 1_000), Ok(()));
        assert!(open("192.0.2.7", 1_500).is_err());
        assert_eq!(open("192.0.2.7", 3_600_000), Ok(()));
    }

    #[test]
    fn a_window_full_of_tiles_is_let_through_and_a_flood_is_not() {
        let throttle = Throttle::new(TILES_PER_SECOND);
        let key = |digit: &str| RecordKey::parse(&digit.repeat(32)).unwrap();
        let tile =
            |digit: &str, at: i64| throttle.tile(&key(digit), network("192.0.2.7"), Millis(at)).is_ok();
        assert_eq!((0..1_000).filter(|_| tile("a", 0)).count(), 400);
        assert!(tile("b", 0), "another link has an allowance of its own");
        assert_eq!((0..1_000).filter(|_| tile("a", 1_000)).count(), 50);
    }

    #[test]
    fn a_good_key_has_six_hundred_a_minute() {
        let throttle = Throttle::new(TILES_PER_SECOND);
        assert_eq!((0..1_000).filter(|_| throttle.key("hash", Millis(0)).is_ok()).count(), 600);
        assert!(throttle.key("other", Millis(0)).is_ok());
    }
}
