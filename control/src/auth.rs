//! Who calls: an API key, by `Authorization: Bearer` or `X-Api-Key`, as a principal with scopes.
//!
//! A key is `pk_`, 40 random hex digits and 8 of a checksum: scanners recognise a leaked one, and a
//! mistyped one is refused before the database is asked. Only its SHA-256 is stored.

use crate::handler::Rejection;
use crate::limit::Peer;
use crate::manage::Actor;
use crate::service::Service;
use crate::{random, store};
use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use shared::call::{CLIENT_HEADER, vouched};
use shared::{Error, Result};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

const PREFIX: &str = "pk_";
const SECRET_BYTES: usize = 20;
const CHECKSUM_BYTES: usize = 4;
/// How exact `last_used_at` is: a row is not written for every request.
const USE_NOTED_EVERY: Duration = Duration::from_mins(1);

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// See shares and the audit trail.
    SharesRead,
    /// Make, change and revoke shares.
    SharesWrite,
    /// See dashboards and data sources.
    ContentRead,
    /// Make and change them.
    ContentWrite,
    /// Set what the organization demands of its shares.
    OrganizationWrite,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::SharesRead, Self::SharesWrite, Self::ContentRead, Self::ContentWrite, Self::OrganizationWrite];

    /// As keys and errors name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SharesRead => "shares:read",
            Self::SharesWrite => "shares:write",
            Self::ContentRead => "content:read",
            Self::ContentWrite => "content:write",
            Self::OrganizationWrite => "organization:write",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

impl std::str::FromStr for Scope {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::parse(name).ok_or_else(|| format!("one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// A new API key in clear; shown once.
///
/// # Errors
/// [`Error::Internal`] without random bytes.
pub(crate) fn new_key() -> Result<SecretString> {
    let secret = hex::encode(random::bytes::<SECRET_BYTES>()?);
    Ok(format!("{PREFIX}{secret}{}", checksum(&secret)).into())
}

/// How a key is stored and found.
pub(crate) fn hash(key: &SecretString) -> String {
    hex::encode(Sha256::digest(key.expose_secret()))
}

fn checksum(secret: &str) -> String {
    let digest = Sha256::digest([PREFIX.as_bytes(), secret.as_bytes()].concat());
    hex::encode(digest.get(..CHECKSUM_BYTES).unwrap_or_default())
}

/// Has this the shape of a key, with the right checksum?
fn is_well_formed(key: &str) -> bool {
    let Some(rest) = key.strip_prefix(PREFIX) else { return false };
    rest.len() == 2 * (SECRET_BYTES + CHECKSUM_BYTES)
        && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && rest.split_at_checked(2 * SECRET_BYTES).is_some_and(|(secret, sum)| checksum(secret) == sum)
}

/// The key that a request carries, if it has the shape of one. Two different ones are none.
fn presented(headers: &HeaderMap) -> Option<SecretString> {
    let mut keys = headers
        .get_all(AUTHORIZATION)
        .iter()
        .map(|value| bearer(value.to_str().unwrap_or_default()))
        .chain(headers.get_all("x-api-key").iter().map(|value| value.to_str().unwrap_or_default()));
    let key = keys.next()?;
    (keys.all(|other| other == key) && is_well_formed(key)).then(|| key.into())
}

/// What follows `Bearer`, or nothing.
fn bearer(value: &str) -> &str {
    match value.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        _ => "",
    }
}

/// A scope that a route needs, as a type, so that no handler can forget to ask.
pub(crate) trait Need {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! needs {
    ($($name:ident),*) => {$(
        #[doc = concat!("See [`Scope::", stringify!($name), "`].")]
        pub(crate) struct $name;
        impl Need for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )*};
}
needs!(SharesRead, SharesWrite, ContentRead, ContentWrite, OrganizationWrite);

/// The caller of a route that needs scope `N`.
pub(crate) struct Caller<N> {
    /// On whose behalf, and as whom.
    pub(crate) actor: Actor,
    need: PhantomData<N>,
}

impl<N: Need> FromRequestParts<Arc<Service>> for Caller<N> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Rejection> {
        let peer = caller_of(service, parts);
        let key = authenticate(service, &parts.headers, peer).await?;
        if !key.scopes.contains(&N::SCOPE) {
            return Err(Error::Forbidden { scope: N::SCOPE.name() }.into());
        }
        Ok(Self { actor: Actor::key(key.organization, key.id), need: PhantomData })
    }
}

/// Whoever calls, without a key: the network that they are in.
pub(crate) struct Anyone(pub(crate) Peer);

impl FromRequestParts<Arc<Service>> for Anyone {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Rejection> {
        Ok(Self(caller_of(service, parts)))
    }
}

/// Who calls: whom the edge vouches for when it forwards, else the other end of the connection.
fn caller_of(service: &Service, parts: &Parts) -> Peer {
    let value = parts.headers.get(CLIENT_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let keys = service.ring.iter().map(|keys| &keys.origin);
    let call = (parts.method.as_str(), parts.uri.path());
    match vouched(keys, value, call, service.clock.now()) {
        Some(client) => Peer::of(client),
        None => parts.extensions.get::<Peer>().copied().unwrap_or_default(),
    }
}

async fn authenticate(service: &Service, headers: &HeaderMap, peer: Peer) -> Result<store::api_key::ApiKey> {
    let Some(key) = presented(headers) else {
        service.limit.peer(peer)?;
        return Err(Error::Unauthenticated);
    };
    let hash = hash(&key);
    service.limit.key(&hash, peer)?;
    let mut session = service.store.read().await?;
    let found = store::api_key::by_hash(&mut session, &hash).await?;
    drop(session);
    let now = service.clock.now();
    let key = found.filter(|key| key.revoked_at.is_none()).ok_or(Error::Unauthenticated)?;
    service.limit.know(&hash);
    if key.last_used_at.is_none_or(|at| now.since(at) >= USE_NOTED_EVERY) {
        note_use(service, key.id).await;
    }
    Ok(key)
}

/// A key works even when its use cannot be noted.
async fn note_use(service: &Service, key: uuid::Uuid) {
    let noted = async {
        let mut session = service.store.write().await?;
        store::api_key::touch(&mut session, key, service.clock.now()).await?;
        session.commit().await
    };
    if let Err(error) = noted.await {
        tracing::warn!(%error, api_key = %key, "the use of an API key was not noted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_well_formed_and_typos_are_not() {
        let key = new_key().unwrap();
        let text = key.expose_secret();
        assert_eq!(text.len(), 51);
        assert!(is_well_formed(text));
        let typo =
            if text.ends_with('0') { format!("{}1", &text[..50]) } else { format!("{}0", &text[..50]) };
        for bad in ["", "pk_", &text[..50], &typo, &text.to_uppercase(), &format!("{text}0"), "pk_é"] {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }

    #[test]
    fn a_key_comes_in_either_header_but_not_two_keys() {
        let (one, other) = (new_key().unwrap(), new_key().unwrap());
        let check = |headers: &[(&'static str, String)], expected: bool| {
            let map = headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
                .collect();
            assert_eq!(presented(&map).is_some(), expected, "{headers:?}");
        };
        let text = |key: &SecretString| key.expose_secret().to_owned();
        check(&[("authorization", format!("Bearer {}", text(&one)))], true);
        check(&[("authorization", format!("bearer {}", text(&one)))], true);
        check(&[("x-api-key", text(&one))], true);
        check(&[("x-api-key", text(&one)), ("authorization", format!("Bearer {}", text(&one)))], true);
        check(&[("x-api-key", text(&one)), ("authorization", format!("Bearer {}", text(&other)))], false);
        check(&[("authorization", text(&one))], false);
        check(&[("authorization", format!("Basic {}", text(&one)))], false);
        check(&[], false);
    }

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.name()), Some(scope));
        }
        assert_eq!(Scope::parse("shares:*"), None);
    }
}
