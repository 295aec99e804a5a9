//! Which embed tokens are taken, decided a second time: from the documented rules alone, with nothing of what the product
//! reads tokens, JSON, base64 or origins with. [`forge`] makes tokens that must be refused, and as many good ones that must
//! not be; [`mutate`] alters good ones; [`check`] compares the two verdicts.
//!
//! A token is accepted when it stands for itself: form, key, signature, claims and time. Whether its dashboard is there, and
//! its generation in force, only the dashboard's record tells.

pub mod base64;
pub mod check;
pub mod claims;
pub mod forge;
pub mod json;
pub mod key;
pub mod mutate;
pub mod origin;

use json::Json;
use key::Secret;
use serde_json::Value;

/// Longest token, in characters.
pub const LONGEST: usize = 8_192;
/// Longest first part, in characters: what it says fits into less, but it may be written with spaces.
const LONGEST_HEADER: usize = 256;

/// What an accepted token says.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The name of its key: an organization, as 32 hex digits, and the key's generation.
    pub kid: (String, u64),
    /// Its claims, those that it leaves out included.
    pub claims: Value,
}

/// What a token says, if one of these secrets signed it and it is alive at `now`, in milliseconds since 1970. `None` when it is
/// refused.
pub fn judge(secrets: &[Secret], now: i64, token: &str) -> Option<Said> {
    if token.len() > LONGEST {
        return None;
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else { return None };
    if header.len() > LONGEST_HEADER {
        return None;
    }
    let kid = kid(&json::read(&base64::read(header)?)?)?;
    let signature = base64::read(signature)?;
    let signed = format!("{header}.{payload}");
    let is_signed = |secret: &Secret| {
        secret
            .key(&kid.0, kid.1)
            .is_some_and(|key| key::hs256(key.as_bytes(), signed.as_bytes()) == *signature)
    };
    if !secrets.iter().any(is_signed) {
        return None;
    }
    let claims = claims::read(&json::read(&base64::read(payload)?)?, &kid.0, now)?;
    Some(Said { kid, claims })
}

/// The key that a header names. It says `alg` and `kid`, perhaps `typ`, and nothing else.
fn kid(header: &Json) -> Option<(String, u64)> {
    let fields = header.fields()?;
    let known = fields.iter().all(|(name, _)| matches!(name.as_str(), "alg" | "kid" | "typ"));
    let kind = header.field("typ").is_none_or(|kind| kind.text() == Some("JWT"));
    let right = known && kind && header.field("alg")?.text() == Some("HS256");
    let (organization, generation) = header.field("kid")?.text()?.split_once('.')?;
    let organization = Some(organization).filter(|id| id.len() == 32 && id.bytes().all(is_hex))?;
    let is_number = generation.bytes().all(|digit| digit.is_ascii_digit()) && !generation.starts_with('0');
    let generation = generation.parse().ok().filter(|_| is_number && generation.len() <= 9)?;
    right.then(|| (organization.to_owned(), generation))
}

/// A hexadecimal digit, lower case.
const fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
