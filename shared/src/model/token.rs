//! Share tokens: `shr_` + 40 lowercase hex digits = 16 secret bytes and a 4-byte keyed tag
//! (DESIGN.md "Keys and tokens", API.md 0.e, X12). Derived from the root key, the share and its
//! generation, so no store holds one; the tag lets the edge refuse a guess with no I/O.

use super::key::{KeyRing, Keys};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;

/// How every share token begins.
pub const PREFIX: &str = "shr_";
/// Length of a token in characters.
pub const LENGTH: usize = PREFIX.len() + 2 * (SECRET_BYTES + TAG_BYTES);

const SECRET_BYTES: usize = 16;
const TAG_BYTES: usize = 4;

/// A share token in clear. `Debug` shows nothing of it; [`Token::expose`] is the only way out.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token of a share's generation. The nonce changes with each rotation, so that a restored
    /// backup never issues an old token again.
    pub fn derive(keys: &Keys, share: Uuid, generation: u64, nonce: &[u8; 16]) -> Self {
        let mac = keys.token.mac(&[share.as_bytes(), &generation.to_be_bytes(), nonce]);
        let (secret, _) = mac.split_at(SECRET_BYTES);
        let tag = keys.token_tag.mac(&[secret]);
        let (tag, _) = tag.split_at(TAG_BYTES);
        Self(format!("{PREFIX}{}{}", hex::encode(secret), hex::encode(tag)))
    }

    /// The text, for a URL or an answer to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Where the token's record lies in KV, and the name of its gate: 128 bits, as hex.
    pub fn record_key(&self, keys: &Keys) -> RecordKey {
        let mac = keys.record.mac(&[self.0.as_bytes()]);
        let (key, _) = mac.split_at(SECRET_BYTES);
        RecordKey(hex::encode(key))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(..)")
    }
}

/// Name of a token's record: 32 hex digits. Tells nothing about the token.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RecordKey(String);

impl From<RecordKey> for String {
    fn from(key: RecordKey) -> Self {
        key.0
    }
}

impl TryFrom<String> for RecordKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("is no record key")
    }
}

impl RecordKey {
    /// Reads a name from a store or a signed message.
    pub fn parse(text: &str) -> Option<Self> {
        is_lower_hex(text, 2 * SECRET_BYTES).then(|| Self(text.to_owned()))
    }

    /// The record of a dashboard's embed in one generation. Not keyed: there is no secret to hide, and tokens of either root key
    /// name the same record.
    pub fn of_embed(dashboard: Uuid, generation: u64) -> Self {
        Self::of(b"postern/v1/embed-record", dashboard, generation)
    }

    /// The record of a share context in one generation; not keyed either.
    pub fn of_context(context: Uuid, generation: u64) -> Self {
        Self::of(b"postern/v1/context-record", context, generation)
    }

    /// A name under which there is no record, for what is counted of a text that is no token of ours.
    pub fn of_nothing(text: &str) -> Self {
        Self::named(&Sha256::new_with_prefix(b"postern/v1/no-record").chain_update(text).finalize())
    }

    fn of(purpose: &[u8], id: Uuid, generation: u64) -> Self {
        let digest = Sha256::new_with_prefix(purpose)
            .chain_update(id.as_bytes())
            .chain_update(generation.to_be_bytes())
            .finalize();
        Self::named(&digest)
    }

    fn named(digest: &[u8]) -> Self {
        let (key, _) = digest.split_at(SECRET_BYTES);
        Self(hex::encode(key))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Checks a stranger's token by its tag alone and names its record. `None` for whatever we did not issue:
/// wrong shape, upper case, a wrong tag. Costs two HMACs per root key, no I/O.
pub fn locate(ring: &KeyRing, text: &str) -> Option<RecordKey> {
    let digits = text.strip_prefix(PREFIX).filter(|digits| is_lower_hex(digits, LENGTH - PREFIX.len()))?;
    let mut bytes = [0; SECRET_BYTES + TAG_BYTES];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    let (secret, tag) = bytes.split_at(SECRET_BYTES);
    let keys = ring.iter().find(|keys| keys.token_tag.verify(&[secret], tag))?;
    Some(Token(text.to_owned()).record_key(keys))
}

fn is_lower_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOT: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";
    const OTHER: &str = "41b68e5df2ca1307b6948d5ea3f0c178625d3be9f410aac73658d0e17b4a2c9f";

    fn ring() -> KeyRing {
        KeyRing::parse(ROOT, None).unwrap()
    }

    fn token(generation: u64) -> Token {
        Token::derive(&ring().current, Uuid::from_u128(7), generation, &[9; 16])
    }

    #[test]
    fn token_and_record_key_are_pinned() {
        assert_eq!(token(1).expose(), "shr_791777b4d294710a098c62e09d19108dbf0c354f");
        assert_eq!(token(1).record_key(&ring().current).as_str(), "04fc4109c2aae275e89f54317f258319");
    }

    #[test]
    fn each_generation_of_an_embed_has_its_record() {
        let key = RecordKey::of_embed(Uuid::from_u128(7), 1);
        assert_eq!(key.as_str().len(), 32);
        assert_ne!(key, RecordKey::of_embed(Uuid::from_u128(7), 2));
        assert_ne!(key, RecordKey::of_embed(Uuid::from_u128(8), 1));
        assert_ne!(key, RecordKey::of_context(Uuid::from_u128(7), 1));
    }

    #[test]
    fn share_generation_and_nonce_each_change_the_token() {
        let keys = &ring().current;
        let base = Token::derive(keys, Uuid::from_u128(7), 1, &[9; 16]);
        assert_ne!(base, Token::derive(keys, Uuid::from_u128(8), 1, &[9; 16]));
        assert_ne!(base, Token::derive(keys, Uuid::from_u128(7), 2, &[9; 16]));
        assert_ne!(base, Token::derive(keys, Uuid::from_u128(7), 1, &[8; 16]));
    }

    #[test]
    fn a_previous_root_key_still_verifies() {
        let old = token(1);
        let rotated = KeyRing::parse(OTHER, Some(ROOT)).unwrap();
        assert_eq!(locate(&rotated, old.expose()), Some(old.record_key(&ring().current)));
        assert_eq!(locate(&KeyRing::parse(OTHER, None).unwrap(), old.expose()), None);
    }

    #[test]
    fn debug_shows_no_token() {
        assert_eq!(format!("{:?}", token(1)), "Token(..)");
    }

    #[test]
    fn one_changed_digit_kills_it() {
        let good = token(1);
        for at in PREFIX.len()..LENGTH {
            let mut bytes = good.expose().as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(locate(&ring(), std::str::from_utf8(&bytes).unwrap()), None, "digit {at}");
        }
    }

    proptest! {
        #[test]
        fn what_we_issue_we_find(share: u128, generation: u64, nonce: [u8; 16]) {
            let token = Token::derive(&ring().current, Uuid::from_u128(share), generation, &nonce);
            prop_assert_eq!(token.expose().len(), LENGTH);
            prop_assert_eq!(locate(&ring(), token.expose()), Some(token.record_key(&ring().current)));
        }

        #[test]
        fn strangers_text_opens_nothing(text in "(shr_)?[0-9a-fA-F]{0,50}|.{0,60}") {
            prop_assert_eq!(locate(&ring(), &text), None);
        }

        #[test]
        fn upper_case_and_padding_open_nothing(generation: u64) {
            let good = token(generation);
            let upper = good.expose().to_uppercase();
            let padded = format!("{} ", good.expose());
            prop_assert_eq!(locate(&ring(), &upper), None);
            prop_assert_eq!(locate(&ring(), &padded), None);
        }
    }
}
