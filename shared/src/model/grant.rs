//! Unlock grants: what a visitor holds after the right password. A JWT, HS256, under a key of its own, bound to share,
//! generation and password version; whoever holds one is asked no password for 15 minutes (DESIGN.md, "Keys and tokens").

use super::key::KeyRing;
use crate::time::Millis;
use chrono::DateTime;
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt, Claims, Header, UntrustedToken};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

/// How long a grant lives.
pub const LIFE: Duration = Duration::from_mins(15);
/// Longer texts are no grants of ours, and are not read.
const MAX_CHARS: usize = 512;
/// `typ` of the header and `aud` of the claims: no other token passes for a grant.
const KIND: &str = "postern-grant";

/// What a grant says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The share.
    #[serde(rename = "sub")]
    pub share: Uuid,
    /// The share's generation: a rotation ends its grants.
    #[serde(rename = "gen")]
    pub generation: u64,
    /// See [`super::protection::Protection::version`].
    #[serde(rename = "ver")]
    pub version: u64,
}

#[derive(Serialize, Deserialize)]
struct Custom {
    aud: String,
    #[serde(flatten)]
    grant: Grant,
}

/// Makes a grant that dies after [`LIFE`], rounded down to a whole second. `None` when the time is out of range.
pub fn issue(ring: &KeyRing, grant: Grant, now: Millis) -> Option<String> {
    let mut claims = Claims::new(Custom { aud: KIND.to_owned(), grant });
    claims.issued_at = DateTime::from_timestamp_millis(now.0);
    claims.expiration = Some(DateTime::from_timestamp_millis(now.plus(LIFE).0)?);
    let header = Header::empty().with_token_type(KIND);
    Hs256.token(&header, &claims, &Hs256Key::new(ring.current.grant.bytes())).ok()
}

/// Reads a grant: only one of ours that is still alive, to the second and with no leeway.
pub fn verify(ring: &KeyRing, token: &str, now: Millis) -> Option<Grant> {
    if token.len() > MAX_CHARS {
        return None;
    }
    let untrusted = UntrustedToken::new(token).ok()?;
    ring.iter().find_map(|keys| {
        let key = Hs256Key::new(keys.grant.bytes());
        let token = Hs256.validator::<Custom>(&key).validate(&untrusted).ok()?;
        let (header, claims) = token.into_parts();
        let alive = claims.expiration.is_some_and(|at| now.0 < at.timestamp_millis())
            && claims.issued_at.is_some_and(|at| at.timestamp_millis() <= now.plus(LIFE).0);
        let ours = header.token_type.as_deref() == Some(KIND) && claims.custom.aud == KIND;
        (alive && ours).then_some(claims.custom.grant)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::{Keys, RootKey};
    use jwt_compact::alg::{Hs512, Hs512Key};

    const ROOT: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";
    const OTHER: &str = "41b68e5df2ca1307b6948d5ea3f0c178625d3be9f410aac73658d0e17b4a2c9f";
    const NOW: Millis = Millis(1_700_000_000_000);

    fn ring() -> KeyRing {
        KeyRing::parse(ROOT, None).unwrap()
    }

    fn grant() -> Grant {
        Grant { share: Uuid::from_u128(7), generation: 3, version: 2 }
    }

    #[test]
    fn a_grant_lives_for_a_quarter_of_an_hour() {
        let token = issue(&ring(), grant(), NOW).unwrap();
        let at = |millis: i64| verify(&ring(), &token, Millis(NOW.0 + millis));
        assert_eq!(at(0), Some(grant()));
        assert_eq!(at(899_999), Some(grant()));
        assert_eq!(at(900_000), None);
        assert_eq!(at(i64::MAX - NOW.0), None);
    }

    #[test]
    fn the_previous_root_key_still_verifies_and_another_never() {
        let token = issue(&ring(), grant(), NOW).unwrap();
        assert!(verify(&KeyRing::parse(OTHER, Some(ROOT)).unwrap(), &token, NOW).is_some());
        assert!(verify(&KeyRing::parse(OTHER, None).unwrap(), &token, NOW).is_none());
    }

    #[test]
    fn an_altered_grant_is_none() {
        let token = issue(&ring(), grant(), NOW).unwrap();
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).unwrap();
            assert_eq!(verify(&ring(), &altered, NOW), None, "{at}");
        }
    }

    #[test]
    fn foreign_tokens_are_no_grants() {
        let key = Hs256Key::new(ring().current.grant.bytes());
        let token = |typ: &str, aud: &str, exp: Option<i64>, iat: Option<i64>| {
            let mut claims = Claims::new(Custom { aud: aud.into(), grant: grant() });
            claims.expiration = exp.and_then(DateTime::from_timestamp_millis);
            claims.issued_at = iat.and_then(DateTime::from_timestamp_millis);
            Hs256.token(&Header::empty().with_token_type(typ), &claims, &key).unwrap()
        };
        let (later, now) = (Some(NOW.0 + 60_000), Some(NOW.0));
        assert!(verify(&ring(), &token(KIND, KIND, later, now), NOW).is_some());
        assert!(verify(&ring(), &token("JWT", KIND, later, now), NOW).is_none());
        assert!(verify(&ring(), &token(KIND, "portal", later, now), NOW).is_none());
        assert!(verify(&ring(), &token(KIND, KIND, None, now), NOW).is_none());
        assert!(verify(&ring(), &token(KIND, KIND, later, None), NOW).is_none());

        let keys = Keys::derive(&RootKey::parse(ROOT).unwrap());
        let claims = Claims::new(Custom { aud: KIND.into(), grant: grant() });
        let hs512 = Hs512.token(&Header::empty(), &claims, &Hs512Key::new(keys.grant.bytes())).unwrap();
        for foreign in [hs512.as_str(), "", ".", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", &"x".repeat(513)]
        {
            assert!(verify(&ring(), foreign, NOW).is_none(), "{foreign}");
        }
    }
}
