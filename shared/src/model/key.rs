//! One root key, and every other key derived from it by HKDF-SHA256 with a purpose label
//! (DESIGN.md, "Keys and tokens"). Nothing derived is ever stored.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use uuid::Uuid;

/// How every organization's embed key begins, so that scanners recognise a leaked one.
const EMBED_KEY_PREFIX: &str = "pek_";

/// The one secret of an installation: 32 random bytes, written as 64 hex digits.
#[derive(Clone)]
pub struct RootKey([u8; 32]);

/// Why a root key is refused at start-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakKey {
    /// Not 64 hex digits.
    #[error("must be 64 hexadecimal digits (32 random bytes, as from `openssl rand -hex 32`)")]
    Shape,
    /// Too regular to be random: repeated, counting, text, or from an example.
    #[error("is not random: make one with `openssl rand -hex 32`")]
    Predictable,
}

/// Fewest distinct bytes in 32 random ones. A random key has 30.1 on average and under 20
/// with probability below 1e-9; text, patterns and copied examples fall far below.
const MIN_DISTINCT_BYTES: usize = 20;

impl RootKey {
    /// Reads a root key and refuses what cannot be random.
    pub fn parse(text: &str) -> Result<Self, WeakKey> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| WeakKey::Shape)?;
        let mut seen = [false; 256];
        for byte in bytes {
            if let Some(slot) = seen.get_mut(usize::from(byte)) {
                *slot = true;
            }
        }
        let distinct = seen.iter().filter(|seen| **seen).count();
        let steady_step =
            |step: u8| bytes.windows(2).all(|pair| matches!(pair, [a, b] if b.wrapping_sub(*a) == step));
        let printable = bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
        if distinct < MIN_DISTINCT_BYTES || (0..=u8::MAX).any(steady_step) || printable {
            return Err(WeakKey::Predictable);
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RootKey(..)")
    }
}

/// What a derived key is for. The label is part of the format: changing one kills what it made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The secret part of share tokens.
    Token,
    /// The tag by which the edge refuses forged tokens with no I/O.
    TokenTag,
    /// Names of KV records and gates.
    Record,
    /// Signatures of pushes from control plane to edge.
    Push,
    /// Signatures of calls from edge to control plane.
    Origin,
    /// Encryption of data source addresses in the control plane's database.
    Source,
    /// The pepper under which passwords are keyed before they are hashed.
    Password,
    /// Unlock grants.
    Grant,
    /// Names of networks in a gate's count of guesses, so that it knows no address.
    Network,
    /// Digests of requests that came with an `Idempotency-Key`: a body may hold a password.
    Idempotency,
    /// Keys of organizations, by which embed tokens are signed.
    Embed,
    /// Tickets for tiles.
    Ticket,
    /// Digests by which an isolate knows that it has seen a right password before.
    Proof,
    /// Cursors into the rows of data products.
    Cursor,
    /// Access tokens of the portal.
    Portal,
    /// One-time codes.
    Code,
}

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Self::Token => "postern/v1/token",
            Self::TokenTag => "postern/v1/token-tag",
            Self::Record => "postern/v1/record",
            Self::Push => "postern/v1/push",
            Self::Origin => "postern/v1/origin",
            Self::Source => "postern/v1/source",
            Self::Password => "postern/v1/password",
            Self::Grant => "postern/v1/grant",
            Self::Network => "postern/v1/network",
            Self::Idempotency => "postern/v1/idempotency",
            Self::Embed => "postern/v1/embed",
            Self::Ticket => "postern/v1/ticket",
            Self::Proof => "postern/v1/proof",
            Self::Cursor => "postern/v1/cursor",
            Self::Portal => "postern/v1/portal",
            Self::Code => "postern/v1/code",
        }
    }
}

/// A 32-byte key with one purpose.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>, [u8; 32]);

impl Key {
    fn derive(root: &RootKey, label: &str) -> Self {
        let mut bytes = [0; 32];
        // One HKDF block is 32 bytes, so this expand cannot be too long.
        let expanded = Hkdf::<Sha256>::new(None, &root.0).expand(label.as_bytes(), &mut bytes);
        debug_assert!(expanded.is_ok(), "32 bytes are one HKDF block");
        Self::from_bytes(bytes)
    }

    fn from_bytes(bytes: [u8; 32]) -> Self {
        // HMAC takes keys of any length; a 32-byte array is shorter than its block.
        #[expect(clippy::expect_used, reason = "HMAC-SHA256 accepts every key length")]
        let mac = Hmac::new_from_slice(&bytes).expect("any key length");
        Self(mac, bytes)
    }

    /// HMAC-SHA256 over the parts, each preceded by its length, so that no two lists collide.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.keyed(parts).finalize().into_bytes().into()
    }

    /// Compares in constant time; `expected` may be a prefix of the MAC, at least 4 bytes.
    pub fn verify(&self, parts: &[&[u8]], expected: &[u8]) -> bool {
        expected.len() >= 4 && self.keyed(parts).verify_truncated_left(expected).is_ok()
    }

    fn keyed(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }

    /// The raw bytes, for a cipher.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.1
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(..)")
    }
}

/// All keys of one root key.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Names the root key without telling anything about it: 8 hex digits. A share remembers
    /// the epoch of its token.
    pub epoch: String,
    /// See [`Purpose::Token`].
    pub token: Key,
    /// See [`Purpose::TokenTag`].
    pub token_tag: Key,
    /// See [`Purpose::Record`].
    pub record: Key,
    /// See [`Purpose::Push`].
    pub push: Key,
    /// See [`Purpose::Origin`].
    pub origin: Key,
    /// See [`Purpose::Source`].
    pub source: Key,
    /// See [`Purpose::Password`].
    pub password: Key,
    /// See [`Purpose::Grant`].
    pub grant: Key,
    /// See [`Purpose::Network`].
    pub network: Key,
    /// See [`Purpose::Idempotency`].
    pub idempotency: Key,
    /// See [`Purpose::Embed`].
    pub embed: Key,
    /// See [`Purpose::Ticket`].
    pub ticket: Key,
    /// See [`Purpose::Proof`].
    pub proof: Key,
    /// See [`Purpose::Cursor`].
    pub cursor: Key,
    /// See [`Purpose::Portal`].
    pub portal: Key,
    /// See [`Purpose::Code`].
    pub code: Key,
}

/// The key by which an organization's embed tokens are signed: a text, used as it is. Its owner may hold it too, so that it makes
/// tokens without us.
#[derive(Clone, PartialEq, Eq)]
pub struct EmbedKey(String);

impl EmbedKey {
    /// The text, for its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EmbedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EmbedKey(..)")
    }
}

impl Keys {
    /// Derives them all: about 50 us.
    pub fn derive(root: &RootKey) -> Self {
        let key = |purpose: Purpose| Key::derive(root, purpose.label());
        let [a, b, c, d, ..] = *Key::derive(root, "postern/v1/epoch").bytes();
        Self {
            epoch: hex::encode([a, b, c, d]),
            token: key(Purpose::Token),
            token_tag: key(Purpose::TokenTag),
            record: key(Purpose::Record),
            push: key(Purpose::Push),
            origin: key(Purpose::Origin),
            source: key(Purpose::Source),
            password: key(Purpose::Password),
            grant: key(Purpose::Grant),
            network: key(Purpose::Network),
            idempotency: key(Purpose::Idempotency),
            embed: key(Purpose::Embed),
            ticket: key(Purpose::Ticket),
            proof: key(Purpose::Proof),
            cursor: key(Purpose::Cursor),
            portal: key(Purpose::Portal),
            code: key(Purpose::Code),
        }
    }

    /// An organization's key of a generation: `pek_` and 43 characters.
    pub fn embed_key(&self, organization: Uuid, generation: u64) -> EmbedKey {
        let key = self.embed.mac(&[organization.as_bytes(), &generation.to_be_bytes()]);
        EmbedKey(format!("{EMBED_KEY_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(key)))
    }
}

/// The current keys, and those of the root key before it while a rotation lasts: the old ones
/// still verify, only the current ones sign.
#[derive(Debug, Clone)]
pub struct KeyRing {
    /// Signs and verifies.
    pub current: Keys,
    /// Verifies only.
    pub previous: Option<Keys>,
}

impl KeyRing {
    /// Reads both root keys and derives theirs.
    ///
    /// # Errors
    /// [`WeakKey`] if either is refused.
    pub fn parse(current: &str, previous: Option<&str>) -> Result<Self, WeakKey> {
        Ok(Self {
            current: Keys::derive(&RootKey::parse(current)?),
            previous: previous
                .map(|text| RootKey::parse(text).map(|root| Keys::derive(&root)))
                .transpose()?,
        })
    }

    /// Current first.
    pub fn iter(&self) -> impl Iterator<Item = &Keys> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// The keys of an epoch, if they are still held.
    pub fn epoch(&self, epoch: &str) -> Option<&Keys> {
        self.iter().find(|keys| keys.epoch == epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";

    #[test]
    fn weak_root_keys_are_refused() {
        let check =
            |text: &str, expected: WeakKey| assert_eq!(RootKey::parse(text).err(), Some(expected), "{text}");
        check("", WeakKey::Shape);
        check("9f2c", WeakKey::Shape);
        check(&"g".repeat(64), WeakKey::Shape);
        check(&format!("{GOOD}00"), WeakKey::Shape);
        check(&"00".repeat(32), WeakKey::Predictable);
        check(&"0123456789abcdef".repeat(4), WeakKey::Predictable);
        check(&hex::encode((0..32).collect::<Vec<u8>>()), WeakKey::Predictable);
        check(&hex::encode("correct horse battery staple 123"), WeakKey::Predictable);
        assert!(RootKey::parse(GOOD).is_ok());
    }

    #[test]
    fn purposes_and_roots_give_different_keys() {
        let keys = Keys::derive(&RootKey::parse(GOOD).unwrap());
        let all = [
            &keys.token,
            &keys.token_tag,
            &keys.record,
            &keys.push,
            &keys.origin,
            &keys.source,
            &keys.password,
            &keys.grant,
            &keys.network,
            &keys.idempotency,
            &keys.embed,
            &keys.ticket,
            &keys.proof,
            &keys.cursor,
        ];
        let distinct: std::collections::HashSet<_> = all.iter().map(|key| *key.bytes()).collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn derived_keys_are_pinned() {
        let keys = Keys::derive(&RootKey::parse(GOOD).unwrap());
        assert_eq!(keys.epoch, "e6d3df5f");
        assert_eq!(hex::encode(&keys.token.mac(&[b"a", b"bc"])[..8]), "5abf5640a65f15d5");
    }

    #[test]
    fn embed_keys_are_those_of_one_organization_and_generation() {
        let keys = Keys::derive(&RootKey::parse(GOOD).unwrap());
        let key = |organization, generation| keys.embed_key(Uuid::from_u128(organization), generation);
        assert_eq!(key(1, 1).expose().len(), 47);
        assert!(key(1, 1).expose().starts_with("pek_"));
        assert_ne!(key(1, 1), key(1, 2));
        assert_ne!(key(1, 1), key(2, 1));
        assert_eq!(format!("{:?}", key(1, 1)), "EmbedKey(..)");
    }

    #[test]
    fn parts_do_not_run_together() {
        let keys = Keys::derive(&RootKey::parse(GOOD).unwrap());
        assert_ne!(keys.token.mac(&[b"ab", b"c"]), keys.token.mac(&[b"a", b"bc"]));
    }

    #[test]
    fn verify_takes_prefixes_of_four_bytes_or_more() {
        let key = Keys::derive(&RootKey::parse(GOOD).unwrap()).push;
        let mac = key.mac(&[b"body"]);
        assert!(key.verify(&[b"body"], &mac));
        assert!(key.verify(&[b"body"], &mac[..4]));
        assert!(!key.verify(&[b"body"], &mac[..3]));
        assert!(!key.verify(&[b"body"], &[]));
        assert!(!key.verify(&[b"Body"], &mac));
    }

    #[test]
    fn debug_shows_no_key() {
        let ring = KeyRing::parse(GOOD, None).unwrap();
        let shown = format!("{ring:?}");
        assert!(!shown.contains(&hex::encode(ring.current.token.bytes())), "{shown}");
        assert!(!shown.contains("Hmac"), "{shown}");
    }
}
