//! The shape of API keys and session tokens: a prefix, 40 random hex digits and 8 of a checksum. Scanners recognise a leaked one, and a
//! mistyped one is refused before anybody is asked. Only their SHA-256 is ever stored or sent between the hosts.

use sha2::{Digest, Sha256};
use std::time::Duration;

const SECRET_BYTES: usize = 20;
const CHECKSUM_BYTES: usize = 4;

/// Least that a session token lives.
pub const MIN_SESSION: Duration = Duration::from_mins(1);
/// What it lives when nobody says how long.
pub const DEFAULT_SESSION: Duration = Duration::from_hours(1);
/// Most that it lives: a long working day.
pub const MAX_SESSION: Duration = Duration::from_hours(12);
/// Most session tokens of one key at once.
pub const MAX_SESSIONS: u64 = 1_000;

/// How a key begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prefix {
    /// `pk_`: ours.
    #[default]
    Postern,
    /// `gpra_`: the one that clients of the operation dialect expect (seed 002).
    Operation,
    /// `pss_`: a session token, which a key exchanges itself for.
    Session,
}

impl Prefix {
    /// All of them.
    const ALL: [Self; 3] = [Self::Postern, Self::Operation, Self::Session];

    /// The letters.
    pub const fn letters(self) -> &'static str {
        match self {
            Self::Postern => "pk_",
            Self::Operation => "gpra_",
            Self::Session => "pss_",
        }
    }

    /// The prefix of a key, if it has one of ours.
    fn of(key: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|prefix| key.strip_prefix(prefix.letters()).map(|rest| (prefix, rest)))
    }
}

/// Writes a key of these random bytes.
pub fn write(prefix: Prefix, secret: [u8; SECRET_BYTES]) -> String {
    let secret = hex::encode(secret);
    format!("{}{secret}{}", prefix.letters(), checksum(prefix, &secret))
}

/// The prefix of a text that has the shape of a key, with the right checksum.
pub fn well_formed(key: &str) -> Option<Prefix> {
    let (prefix, rest) = Prefix::of(key)?;
    let fits = rest.len() == 2 * (SECRET_BYTES + CHECKSUM_BYTES)
        && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && rest
            .split_at_checked(2 * SECRET_BYTES)
            .is_some_and(|(secret, sum)| checksum(prefix, secret) == sum);
    fits.then_some(prefix)
}

/// How a key is stored, found and told between the hosts.
pub fn hash(key: &str) -> String {
    hex::encode(Sha256::digest(key))
}

fn checksum(prefix: Prefix, secret: &str) -> String {
    let digest = Sha256::digest([prefix.letters().as_bytes(), secret.as_bytes()].concat());
    hex::encode(digest.get(..CHECKSUM_BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_well_formed_and_typos_are_not() {
        for (prefix, length) in [(Prefix::Postern, 51), (Prefix::Operation, 53), (Prefix::Session, 52)] {
            let text = write(prefix, [7; 20]);
            assert_eq!(text.len(), length);
            assert_eq!(well_formed(&text), Some(prefix));
            let short = &text[..length - 1];
            let typo = if text.ends_with('0') { format!("{short}1") } else { format!("{short}0") };
            let upper = text.to_uppercase();
            for bad in ["", "pk_", "gpra_", "pss_", short, &typo, &upper, &format!("{text}0"), "pk_é"] {
                assert_eq!(well_formed(bad), None, "{bad}");
            }
        }
        let ours = write(Prefix::Postern, [7; 20]);
        assert_eq!(well_formed(&ours.replace("pk_", "gpra_")), None, "the checksum knows the prefix");
    }
}
