//! Passwords of shares: what is one, how it is hashed, how it is checked. API.md X4.
//!
//! A password is first keyed with a pepper that no store holds, then hashed: a leaked record or database
//! cannot be attacked offline, and the hash sees 64 hex digits whatever the password's length or bytes.

use super::key::{KeyRing, Keys};
use crate::{Error, Result};
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Longest password, in bytes of UTF-8 after normalisation.
pub const MAX_BYTES: usize = 128;

/// Argon2id of OWASP's strength with the least memory, which an isolate never gives back.
const ARGON2_MEMORY_KIB: u32 = 7 * 1024;
const ARGON2_PASSES: u32 = 5;
/// OWASP's least for bcrypt.
const BCRYPT_COST: u32 = 10;

/// A password as it was typed, not yet normalised or checked. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Typed(pub String);

impl<'de> Deserialize<'de> for Typed {
    /// What is no text is not repeated in the error: it may be a password all the same, such as digits without quotes.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self).map_err(|_| D::Error::custom("must be a text"))
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Typed(..)")
    }
}

/// A password in clear. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes a text in Unicode's normal form C: the host normalises, so that two spellings of one password are equal.
    /// Nothing is trimmed.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `/password`.
    pub fn new(nfc: String) -> Result<Self> {
        let flaw = if nfc.is_empty() || nfc.len() > MAX_BYTES {
            "must have 1 to 128 bytes"
        } else if nfc.contains('\0') {
            "must not contain NUL"
        } else {
            return Ok(Self(nfc));
        };
        Err(Error::invalid("/password", flaw))
    }
}

impl Password {
    /// Names this password for what it is bound to, without telling it: an isolate remembers what it has compared.
    pub fn proof(&self, keys: &Keys, bound: &[&[u8]]) -> [u8; 32] {
        let parts: Vec<&[u8]> = bound.iter().copied().chain([self.0.as_bytes()]).collect();
        keys.proof.mac(&parts)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

/// How new passwords are hashed. Both kinds verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// Argon2id, m = 7 MiB, t = 5, p = 1.
    #[default]
    Argon2id,
    /// bcrypt of cost 10, for those who must.
    Bcrypt,
}

/// A password as it is stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashed {
    /// Self-describing: a PHC string, or bcrypt's own.
    pub hash: String,
    /// Epoch of the root key that keyed it.
    pub key_epoch: String,
}

impl fmt::Debug for Hashed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hashed").field("key_epoch", &self.key_epoch).finish_non_exhaustive()
    }
}

/// Hashes a new password: 10-60 ms. `salt` is random. `None` if the library refuses, which it has no reason to.
pub fn hash(password: &Password, keys: &Keys, scheme: Scheme, salt: [u8; 16]) -> Option<Hashed> {
    let keyed = keyed(password, keys);
    let hash = match scheme {
        Scheme::Argon2id => argon2()?.hash_password_with_salt(keyed.as_bytes(), &salt).ok()?.to_string(),
        Scheme::Bcrypt => bcrypt::hash_with_salt(keyed, BCRYPT_COST, salt).ok()?.to_string(),
    };
    Some(Hashed { hash, key_epoch: keys.epoch.clone() })
}

/// Is it the password? As slow as hashing it; a hash keyed by a root key that is gone matches nothing.
pub fn verify(password: &Password, ring: &KeyRing, hashed: &Hashed) -> bool {
    let Some(keys) = ring.epoch(&hashed.key_epoch) else { return false };
    let keyed = keyed(password, keys);
    if hashed.hash.starts_with("$2") {
        return bcrypt::verify(keyed, &hashed.hash).unwrap_or(false);
    }
    argon2().is_some_and(|argon2| argon2.verify_password(keyed.as_bytes(), hashed.hash.as_str()).is_ok())
}

fn argon2() -> Option<Argon2<'static>> {
    #[cfg(test)]
    HASHES.set(HASHES.get() + 1);
    let params = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, 1, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn keyed(password: &Password, keys: &Keys) -> String {
    hex::encode(keys.password.mac(&[password.0.as_bytes()]))
}

#[cfg(test)]
thread_local! {
    /// How often this thread has hashed with Argon2id: what a guess costs, without a clock.
    pub(crate) static HASHES: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::RootKey;
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    const ROOT: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";
    const OTHER: &str = "41b68e5df2ca1307b6948d5ea3f0c178625d3be9f410aac73658d0e17b4a2c9f";

    fn password(text: &str) -> Password {
        Password::new(text.nfc().collect()).unwrap()
    }

    fn hashed(text: &str, root: &str, scheme: Scheme) -> Hashed {
        hash(&password(text), &Keys::derive(&RootKey::parse(root).unwrap()), scheme, [7; 16]).unwrap()
    }

    #[test]
    fn the_right_password_verifies_and_others_do_not() {
        let ring = KeyRing::parse(ROOT, None).unwrap();
        for scheme in [Scheme::Argon2id, Scheme::Bcrypt] {
            let stored = hashed("correct horse", ROOT, scheme);
            assert!(verify(&password("correct horse"), &ring, &stored));
            for wrong in ["correct hors", "correct horse ", "Correct horse", "x"] {
                assert!(!verify(&password(wrong), &ring, &stored), "{wrong}");
            }
        }
    }

    #[test]
    fn hashes_are_pinned() {
        let argon2 = hashed("correct horse", ROOT, Scheme::Argon2id).hash;
        assert!(argon2.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{argon2}");
        assert!(hashed("correct horse", ROOT, Scheme::Bcrypt).hash.starts_with("$2b$10$"));
    }

    #[test]
    fn bytes_beyond_the_72nd_count_for_bcrypt_too() {
        let ring = KeyRing::parse(ROOT, None).unwrap();
        let long = "x".repeat(127);
        let stored = hashed(&format!("{long}a"), ROOT, Scheme::Bcrypt);
        assert!(!verify(&password(&format!("{long}b")), &ring, &stored));
    }

    #[test]
    fn a_hash_is_worthless_without_its_root_key() {
        let stored = hashed("correct horse", ROOT, Scheme::Argon2id);
        let check = |current, previous, expected| {
            let ring = KeyRing::parse(current, previous).unwrap();
            assert_eq!(verify(&password("correct horse"), &ring, &stored), expected);
        };
        check(ROOT, None, true);
        check(OTHER, Some(ROOT), true);
        check(OTHER, None, false);
        let relabelled = Hashed { key_epoch: KeyRing::parse(OTHER, None).unwrap().current.epoch, ..stored };
        assert!(!verify(&password("correct horse"), &KeyRing::parse(OTHER, None).unwrap(), &relabelled));
    }

    #[test]
    fn what_is_no_hash_matches_nothing() {
        let ring = KeyRing::parse(ROOT, None).unwrap();
        for hash in ["", "$2", "$2b$10$", "$argon2id$", "correct horse"] {
            let stored = Hashed { hash: hash.into(), key_epoch: ring.current.epoch.clone() };
            assert!(!verify(&password("correct horse"), &ring, &stored), "{hash}");
        }
    }

    #[test]
    fn passwords_are_bounded() {
        assert!(Password::new(String::new()).is_err());
        assert!(Password::new("x".repeat(129)).is_err());
        assert!(Password::new("é".repeat(65)).is_err());
        assert!(Password::new("a\0b".into()).is_err());
        assert!(Password::new("x".repeat(128)).is_ok());
        assert!(Password::new(" \n".into()).is_ok(), "nothing is trimmed");
    }

    #[test]
    fn debug_shows_neither_password_nor_hash() {
        let shown = format!("{:?} {:?}", password("secret"), hashed("secret", ROOT, Scheme::Argon2id));
        assert!(!shown.contains("secret") && !shown.contains("argon2"), "{shown}");
    }

    proptest! {
        #[test]
        fn two_spellings_of_one_password_are_equal(text in "[a-zåäöéñ가각ﬁ]{1,12}") {
            let decomposed: String = text.nfd().collect();
            prop_assert_eq!(password(&text), password(&decomposed));
        }
    }
}
