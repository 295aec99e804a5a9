//! Embed tokens: a JWT, HS256, whose key the organization may hold too. The algorithm belongs to the key and the key is derived, so
//! that a forged token costs no I/O: nothing in a header chooses more than a number. RELIABILITY.md B1-B6.

use super::Embed;
use super::claims::Claims;
use crate::model::key::{EmbedKey, KeyRing, Keys};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{Algorithm, AlgorithmExt, AlgorithmSignature, Header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::num::NonZeroUsize;
use uuid::Uuid;

/// A token's text. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmbedToken(String);

impl EmbedToken {
    /// The text, for its owner or for a check.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for EmbedToken {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for EmbedToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EmbedToken(..)")
    }
}

/// Longest token, in characters: it stands in a URL.
pub const MAX_CHARS: usize = 8_192;
/// Longest header, in characters, as base64.
const MAX_HEADER_CHARS: usize = 256;
/// The only algorithm.
const ALGORITHM: &str = "HS256";
/// The only `typ`; it may be left out.
const KIND: &str = "JWT";
/// Largest number of a key.
const MAX_KEY_GENERATION: u64 = 999_999_999;

/// Name of an organization's key, the `kid` of its tokens: the organization's id as 32 hex digits, a dot, the key's generation.
pub fn key_id(organization: Uuid, generation: u64) -> String {
    format!("{}.{generation}", organization.simple())
}

/// Reads the name of a key.
pub fn parse_key_id(kid: &str) -> Option<(Uuid, u64)> {
    let (organization, generation) = kid.split_once('.')?;
    let (organization, generation) = (Uuid::parse_str(organization).ok()?, generation.parse().ok()?);
    let is_named = (1..=MAX_KEY_GENERATION).contains(&generation) && key_id(organization, generation) == kid;
    is_named.then_some((organization, generation))
}

/// Makes the token that says this. `None` when it says what no token may, or more than fits.
pub fn sign(keys: &Keys, embed: &Embed) -> Option<EmbedToken> {
    let (organization, generation) = (embed.organization, embed.key_generation);
    let header = Header::empty().with_token_type(KIND).with_key_id(key_id(organization, generation));
    let key = signing_key(&keys.embed_key(organization, generation));
    let token = Hs256.token(&header, &jwt_compact::Claims::new(Claims::of(embed)), &key).ok()?;
    (read(keys, &token).as_ref() == Some(embed)).then_some(EmbedToken(token))
}

/// What a token says, if one of ours or of its organization signed exactly these bytes. Whether it is in time, and in force, is
/// [`Embed::in_force`].
pub fn verify(ring: &KeyRing, token: &str) -> Option<Embed> {
    ring.iter().find_map(|keys| read(keys, token))
}

fn read(keys: &Keys, token: &str) -> Option<Embed> {
    if token.len() > MAX_CHARS {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let owner = key_owner(header)?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    // Reading one of another length would panic.
    if Some(signature.len()) != <Hs256 as Algorithm>::Signature::LENGTH.map(NonZeroUsize::get) {
        return None;
    }
    let signature = <Hs256 as Algorithm>::Signature::try_from_slice(&signature).ok()?;
    let key = signing_key(&keys.embed_key(owner.0, owner.1));
    if !Hs256.verify_signature(&signature, &key, signed.as_bytes()) {
        return None;
    }
    Claims::read(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?, owner)
}

/// Whose key a header names. `None` for a header that says anything but algorithm, type and key: `crit`, `jwk`, `jku`, `x5u` and
/// whatever else would have us look for a key elsewhere.
fn key_owner(header: &str) -> Option<(Uuid, u64)> {
    if header.len() > MAX_HEADER_CHARS {
        return None;
    }
    let header = BASE64_URL_SAFE_NO_PAD.decode(header).ok()?;
    let mut header = crate::json::parse_object(&header).ok()?;
    let (alg, typ, kid) = (header.remove("alg")?, header.remove("typ"), header.remove("kid")?);
    let is_plain = header.is_empty() && alg == ALGORITHM && typ.is_none_or(|typ| typ == KIND);
    match kid {
        Value::String(kid) if is_plain => parse_key_id(&kid),
        _ => None,
    }
}

fn signing_key(key: &EmbedKey) -> Hs256Key {
    Hs256Key::new(key.expose())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::embed::tests::embed;
    use crate::model::grant::{self, Grant};
    use crate::time::Millis;
    use jwt_compact::alg::{Hs384, Hs384Key, Hs512, Hs512Key};
    use proptest::prelude::*;

    const ROOT: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";
    const OTHER: &str = "41b68e5df2ca1307b6948d5ea3f0c178625d3be9f410aac73658d0e17b4a2c9f";

    fn ring() -> KeyRing {
        KeyRing::parse(ROOT, None).unwrap()
    }

    fn token() -> String {
        sign(&ring().current, &embed()).unwrap().expose().to_owned()
    }

    /// A token of any header and payload, rightly signed.
    fn forged(header: &str, payload: &[u8]) -> String {
        let signed =
            format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(payload));
        let key = signing_key(&ring().current.embed_key(embed().organization, 1));
        let signature = Hs256.sign(&key, signed.as_bytes());
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.as_bytes()))
    }

    fn payload() -> Vec<u8> {
        serde_json::to_vec(&Claims::of(&embed())).unwrap()
    }

    const KID: &str = "00000000000000000000000000000001.1";

    #[test]
    fn what_is_signed_is_read_under_either_root_key() {
        assert_eq!(verify(&ring(), &token()), Some(embed()));
        assert_eq!(verify(&KeyRing::parse(OTHER, Some(ROOT)).unwrap(), &token()), Some(embed()));
        assert_eq!(verify(&KeyRing::parse(OTHER, None).unwrap(), &token()), None);
    }

    #[test]
    fn tokens_are_pinned() {
        let (signed, signature) =
            token().rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let header = signed.split_once('.').unwrap().0;
        assert_eq!(
            String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap(),
            format!(r#"{{"alg":"HS256","kid":"{KID}","typ":"JWT"}}"#)
        );
        assert_eq!(signature.len(), 43);
        assert_eq!(ring().current.embed_key(embed().organization, 1).expose().len(), 47);
    }

    #[test]
    fn one_changed_character_kills_it() {
        let good = token();
        for at in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(verify(&ring(), &String::from_utf8(bytes).unwrap()), None, "{at}");
        }
        for cut in 0..good.len() {
            assert_eq!(verify(&ring(), &good[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn a_plain_header_is_taken_in_any_order() {
        for header in [
            format!(r#"{{"alg":"HS256","kid":"{KID}"}}"#),
            format!(r#"{{ "kid" : "{KID}", "typ":"JWT", "alg":"HS256" }}"#),
        ] {
            assert_eq!(verify(&ring(), &forged(&header, &payload())), Some(embed()), "{header}");
        }
    }

    #[test]
    fn no_header_chooses_algorithm_or_key() {
        let kid = |kid: &str| format!(r#"{{"alg":"HS256","kid":{kid}}}"#);
        let headers = [
            r#"{"alg":"HS256"}"#.to_owned(),
            format!(r#"{{"kid":"{KID}"}}"#),
            format!(r#"{{"alg":"none","kid":"{KID}"}}"#),
            format!(r#"{{"alg":"hs256","kid":"{KID}"}}"#),
            format!(r#"{{"alg":"HS256","alg":"none","kid":"{KID}"}}"#),
            format!(r#"{{"alg":"HS256","kid":"x","kid":"{KID}"}}"#),
            format!(r#"{{"alg":"HS256","kid":"{KID}","crit":["b64"],"b64":false}}"#),
            format!(r#"{{"alg":"HS256","kid":"{KID}","crit":[]}}"#),
            format!(r#"{{"alg":"HS256","kid":"{KID}","jwk":{{"kty":"oct","k":"AA"}}}}"#),
            format!(r#"{{"alg":"HS256","kid":"{KID}","jku":"https://evil.example/"}}"#),
            format!(r#"{{"alg":"HS256","kid":"{KID}","x5u":"https://evil.example/"}}"#),
            format!(r#"{{"alg":"HS256","kid":"{KID}","typ":"postern-grant"}}"#),
            format!(r#"{{"alg":"HS256","kid":"{KID}","typ":null}}"#),
            format!(r#"{{"alg":["HS256"],"kid":"{KID}"}}"#),
            kid(&format!(r#"["{KID}"]"#)),
            kid("1"),
            kid("null"),
            kid(r#""../../etc/passwd""#),
            kid(r#""' OR 1=1 --""#),
            kid(r#""https://evil.example/key""#),
            kid(r#""00000000000000000000000000000001.01""#),
            kid(r#""00000000000000000000000000000001.0""#),
            kid(r#""00000000000000000000000000000001.+1""#),
            kid(r#""00000000000000000000000000000001.1000000000""#),
            kid(r#""00000000-0000-0000-0000-000000000001.1""#),
            kid(r#""00000000000000000000000000000001.1\u0000""#),
            kid(&format!(r#""{}""#, "x".repeat(10_240))),
            "[]".to_owned(),
            String::new(),
        ];
        for header in headers {
            assert_eq!(verify(&ring(), &forged(&header, &payload())), None, "{header}");
        }
    }

    #[test]
    fn other_keys_and_algorithms_sign_nothing() {
        let key = ring().current.embed_key(embed().organization, 1);
        let header = Header::empty().with_token_type(KIND).with_key_id(KID);
        let claims = jwt_compact::Claims::new(Claims::of(&embed()));
        let foreign = [
            Hs384.token(&header, &claims, &Hs384Key::new(key.expose())).unwrap(),
            Hs512.token(&header, &claims, &Hs512Key::new(key.expose())).unwrap(),
            Hs256.token(&header, &claims, &Hs256Key::new("")).unwrap(),
            Hs256
                .token(&header, &claims, &signing_key(&ring().current.embed_key(Uuid::from_u128(1), 2)))
                .unwrap(),
            Hs256
                .token(&header, &claims, &signing_key(&ring().current.embed_key(Uuid::from_u128(2), 1)))
                .unwrap(),
            Hs256.token(&header, &claims, &Hs256Key::new(ring().current.grant.bytes())).unwrap(),
            grant::issue(
                &ring(),
                Grant { share: Uuid::from_u128(3), generation: 1, version: 1 },
                Millis(1_700_000_000_000),
            )
            .unwrap(),
        ];
        for token in foreign {
            assert_eq!(verify(&ring(), &token), None, "{token}");
        }
    }

    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    #[test]
    fn only_unpadded_canonical_base64url_is_read() {
        let good = token();
        for flawed in [
            format!("{good}="),
            format!("{good}."),
            format!(".{good}"),
            format!(" {good}"),
            format!("{good}\n"),
            good.replace('.', ".."),
            good.replacen('.', "=.", 1),
        ] {
            assert_eq!(verify(&ring(), &flawed), None, "{flawed}");
        }
        // The last character of a signature carries four bits that say nothing: only one of its four spellings is right.
        let (most, last) = good.split_at(good.len() - 1);
        let taken = ALPHABET
            .chars()
            .filter(|last| verify(&ring(), &format!("{most}{last}")).is_some())
            .collect::<String>();
        assert_eq!(taken, last);
    }

    #[test]
    fn what_would_be_too_long_is_not_made() {
        let mut long = embed();
        long.terms.fixed_params.insert("note".into(), "x".repeat(7_000).into());
        assert_eq!(sign(&ring().current, &long), None);
        assert_eq!(verify(&ring(), &"a".repeat(MAX_CHARS + 1)), None);
    }

    proptest! {
        #[test]
        fn strangers_text_says_nothing(text in "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{43}|.{0,80}") {
            prop_assert_eq!(verify(&ring(), &text), None);
        }

        #[test]
        fn signed_bytes_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = verify(&ring(), &forged(&format!(r#"{{"alg":"HS256","kid":"{KID}"}}"#), &payload));
        }
    }
}
