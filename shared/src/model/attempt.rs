//! How many guesses of a password are taken: counted before any is compared, so that parallel ones cannot slip through,
//! per network first, so that one guesser does not lock others out as long as that can be avoided.

use super::key::Keys;
use super::token::RecordKey;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// What one network may guess.
const NETWORK: Limit = Limit { most: 5, within: Duration::from_mins(1) };
/// What everybody together may guess, in the short and in the long run.
const SHARE: [Limit; 2] = [
    Limit { most: 20, within: Duration::from_mins(15) },
    Limit { most: 100, within: Duration::from_hours(24) },
];
/// Older attempts count nowhere.
pub(super) const MEMORY: Duration = Duration::from_hours(24);

/// Enough that no two of a token's networks meet.
const NETWORK_BYTES: usize = 8;

struct Limit {
    most: usize,
    within: Duration,
}

impl Limit {
    /// When this limit lets another attempt through; `instants` from oldest to newest.
    fn opens_at(&self, instants: &[Millis], now: Millis) -> Option<Millis> {
        let begin = instants.partition_point(|at| now.since(*at) >= self.within);
        let counted = instants.get(begin..).unwrap_or_default();
        // The attempt with whose end there is room again.
        let blocking = counted.len().checked_sub(self.most).and_then(|at| counted.get(at))?;
        Some(blocking.plus(self.within))
    }
}

/// An attempt that counts: one that has not turned out to be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Names it, so that it can be taken back.
    pub number: u64,
    /// When.
    pub at: Millis,
    /// From where; see [`network`].
    pub network: String,
}

/// Why no attempt is taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// How long to wait.
    pub retry_after: Duration,
    /// Is it everybody who must wait, so that the owner should know?
    pub locked: bool,
}

/// May one more attempt be made from `network`? `earlier` are those within [`MEMORY`], oldest first.
///
/// # Errors
/// For how long not.
pub fn admit(earlier: &[Attempt], network: &str, now: Millis) -> Result<(), Refused> {
    let all: Vec<Millis> = earlier.iter().map(|attempt| attempt.at).collect();
    let own: Vec<Millis> =
        earlier.iter().filter(|attempt| attempt.network == network).map(|attempt| attempt.at).collect();
    let locked_until = SHARE.iter().filter_map(|limit| limit.opens_at(&all, now)).max();
    let waits_until = NETWORK.opens_at(&own, now).max(locked_until);
    match waits_until {
        None => Ok(()),
        Some(until) => Err(Refused { retry_after: until.since(now), locked: locked_until.is_some() }),
    }
}

/// Names the network from which a token's password is guessed, without telling it: whoever has no address shares one.
pub fn network(keys: &Keys, token: &RecordKey, address: Option<IpAddr>) -> String {
    let mac = keys.network.mac(&[token.as_str().as_bytes(), &network_of(address)]);
    let (name, _) = mac.split_at(NETWORK_BYTES);
    hex::encode(name)
}

/// A network, in clear: it is never kept nor told.
pub type Network = [u8; 8];

/// The network that an address belongs to, as guesses are counted: /24 of IPv4, /64 of IPv6. All zeros without an address.
pub fn network_of(address: Option<IpAddr>) -> Network {
    let mut network = [0; 8];
    let Some(address) = address else { return network };
    match address.to_canonical() {
        // No IPv6 network of the internet begins with 4.
        IpAddr::V4(v4) => {
            let [first, second, third, _] = v4.octets();
            network = [4, first, second, third, 0, 0, 0, 0];
        }
        IpAddr::V6(v6) => {
            network.iter_mut().zip(v6.octets()).for_each(|(own, octet)| *own = octet);
        }
    }
    network
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Guesses as fast as they are taken, each `step` ms from another of `networks`, for `span` ms.
    fn taken(networks: u64, step: i64, span: i64) -> Vec<Attempt> {
        let mut taken: Vec<Attempt> = Vec::new();
        for (turn, now) in (0..span).step_by(usize::try_from(step).unwrap()).enumerate() {
            let network = (turn as u64 % networks).to_string();
            if admit(&taken, &network, Millis(now)).is_ok() {
                taken.push(Attempt { number: 0, at: Millis(now), network });
            }
        }
        taken
    }

    #[test]
    fn one_network_guesses_five_times_a_minute() {
        assert_eq!(taken(1, 100, 60_000).len(), 5);
        assert_eq!(taken(1, 100, 120_000).len(), 10);
        assert_eq!(taken(2, 100, 60_000).len(), 10);
    }

    #[test]
    fn everybody_together_guesses_twenty_times_in_a_quarter_and_a_hundred_a_day() {
        assert_eq!(taken(10_000, 1_000, 15 * 60_000).len(), 20);
        assert_eq!(taken(10_000, 10_000, 24 * 3_600_000).len(), 100);
    }

    #[test]
    fn the_wait_is_exact_and_says_who_waits() {
        let attempts: Vec<Attempt> =
            (0..5).map(|at| Attempt { number: 0, at: Millis(at * 1_000), network: "a".into() }).collect();
        let refused = admit(&attempts, "a", Millis(10_000)).unwrap_err();
        assert_eq!(refused, Refused { retry_after: Duration::from_secs(50), locked: false });
        assert!(admit(&attempts, "a", Millis(59_999)).is_err());
        assert!(admit(&attempts, "a", Millis(60_000)).is_ok());
        assert!(admit(&attempts, "b", Millis(10_000)).is_ok());

        let many: Vec<Attempt> = (0..20)
            .map(|at| Attempt { number: 0, at: Millis(at * 1_000), network: at.to_string() })
            .collect();
        let refused = admit(&many, "new", Millis(20_000)).unwrap_err();
        assert_eq!(refused, Refused { retry_after: Duration::from_secs(880), locked: true });
    }

    #[test]
    fn networks_are_24_and_64_bits() {
        let of = |text: &str| network_of(Some(text.parse().unwrap()));
        assert_eq!(of("192.0.2.1"), of("192.0.2.254"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.9"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }

    proptest! {
        #[test]
        fn no_limit_is_ever_passed(steps in proptest::collection::vec((0_u8..8, 0_i64..400_000), 1..200)) {
            let (mut now, mut taken) = (0, Vec::<Attempt>::new());
            for (network, pause) in steps {
                now += pause;
                let network = network.to_string();
                if admit(&taken, &network, Millis(now)).is_ok() {
                    taken.push(Attempt { number: 0, at: Millis(now), network });
                }
            }
            for (at, last) in taken.iter().enumerate() {
                let within = |span: i64| taken[..=at].iter().filter(move |one| last.at.0 - one.at.0 < span);
                prop_assert!(within(60_000).filter(|one| one.network == last.network).count() <= 5);
                prop_assert!(within(900_000).count() <= 20);
                prop_assert!(within(86_400_000).count() <= 100);
            }
        }
    }
}
