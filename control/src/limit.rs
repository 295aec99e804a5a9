//! How often one caller may call. A key that is known to be good has its own budget, which its session tokens share;
//! everybody else shares that of their network, so trying keys does not buy new budgets.

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use lru::LruCache;
use shared::{Error, Result};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// Keys that are remembered as good; what is forgotten is only charged to its network once.
const KNOWN_KEYS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(IpAddr);

impl Peer {
    /// The network of an address: IPv6 hands whole /64 networks to one subscriber.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                Self(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))))
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Default for Peer {
    /// A caller within this process.
    fn default() -> Self {
        Self(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }
}

/// How often one caller may call.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// In a minute, in the long run.
    pub per_minute: NonZeroU32,
    /// At once, after a pause.
    pub burst: NonZeroU32,
}

/// All budgets.
pub(crate) struct Limit {
    keys: DefaultKeyedRateLimiter<Uuid>,
    peers: DefaultKeyedRateLimiter<Peer>,
    /// By hash, whose budget is charged.
    known: Mutex<LruCache<String, Uuid>>,
}

impl Limit {
    /// The same budget for each key and each network.
    pub(crate) fn new(budget: Budget) -> Self {
        let quota = Quota::per_minute(budget.per_minute).allow_burst(budget.burst);
        Self {
            keys: RateLimiter::keyed(quota),
            peers: RateLimiter::keyed(quota),
            known: Mutex::new(LruCache::new(KNOWN_KEYS)),
        }
    }

    /// Charges the budget of a key that is known to be good, else that of its network.
    ///
    /// # Errors
    /// [`Error::Throttled`] when it is spent.
    pub(crate) fn key(&self, hash: &str, peer: Peer) -> Result<()> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(hash).copied();
        match known {
            Some(charged) => self.keys.check_key(&charged).map_err(|until| throttled(&until)),
            None => self.peer(peer),
        }
    }

    /// Charges the budget of a network.
    ///
    /// # Errors
    /// [`Error::Throttled`] when it is spent.
    pub(crate) fn peer(&self, peer: Peer) -> Result<()> {
        self.peers.check_key(&peer).map_err(|until| throttled(&until))
    }

    /// Remembers that a key is good, and whose budget it uses up.
    pub(crate) fn know(&self, hash: &str, charged: Uuid) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).put(hash.to_owned(), charged);
    }

    /// Forgets budgets that are full again, so that memory stays bounded.
    pub(crate) fn sweep(&self) {
        self.keys.retain_recent();
        self.peers.retain_recent();
    }
}

fn throttled(until: &governor::NotUntil<<DefaultClock as Clock>::Instant>) -> Error {
    Error::Throttled { retry_after: until.wait_time_from(DefaultClock::default().now()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(burst: u32) -> Limit {
        Limit::new(Budget { per_minute: NonZeroU32::MIN, burst: NonZeroU32::new(burst).unwrap() })
    }

    #[test]
    fn guessed_keys_share_one_budget() {
        let limit = limit(2);
        assert!(limit.key("a", Peer::default()).is_ok());
        assert!(limit.key("b", Peer::default()).is_ok());
        match limit.key("c", Peer::default()) {
            Err(Error::Throttled { retry_after }) => assert!(retry_after.as_secs() <= 60),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_good_key_has_its_own_budget_with_its_sessions() {
        let limit = limit(1);
        limit.know("good", Uuid::nil());
        limit.know("session", Uuid::nil());
        assert!(limit.peer(Peer::default()).is_ok());
        assert!(limit.peer(Peer::default()).is_err());
        assert!(limit.key("good", Peer::default()).is_ok());
        assert!(limit.key("good", Peer::default()).is_err());
        assert!(limit.key("session", Peer::default()).is_err());
    }

    #[test]
    fn a_network_is_a_64_prefix_or_one_v4_address() {
        let peer = |text: &str| Peer::of(text.parse().unwrap());
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:10.0.0.1"), peer("10.0.0.1"));
        assert_ne!(peer("10.0.0.1"), peer("10.0.0.2"));
    }
}
