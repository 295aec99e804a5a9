//! Who calls: an API key or a session token of one, by `Authorization: Bearer` or `X-Api-Key`, as a principal with scopes.
//!
//! What a key looks like is [`shared::model::api_key`]'s; only its SHA-256 is stored.

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
use shared::call::{CLIENT_HEADER, vouched};
use shared::model::api_key::{self, Prefix};
use shared::{Error, Result};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

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
pub(crate) fn new_key(prefix: Prefix) -> Result<SecretString> {
    Ok(api_key::write(prefix, random::bytes()?).into())
}

/// How a key is stored and found.
pub(crate) fn hash(key: &SecretString) -> String {
    api_key::hash(key.expose_secret())
}

/// The prefix of the key that a request carries.
pub(crate) fn prefix(headers: &HeaderMap) -> Option<Prefix> {
    presented(headers).and_then(|key| api_key::well_formed(key.expose_secret()))
}

/// The key that a request carries, if it has the shape of one. Two different ones are none.
fn presented(headers: &HeaderMap) -> Option<SecretString> {
    let mut keys = headers
        .get_all(AUTHORIZATION)
        .iter()
        .map(|value| bearer(value.to_str().unwrap_or_default()))
        .chain(headers.get_all("x-api-key").iter().map(|value| value.to_str().unwrap_or_default()));
    let key = keys.next()?;
    (keys.all(|other| other == key) && api_key::well_formed(key).is_some()).then(|| key.into())
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
        let Holder(key) = Holder::from_request_parts(parts, service).await?;
        if !key.scopes.contains(&N::SCOPE) {
            return Err(Error::Forbidden { scope: N::SCOPE.name() }.into());
        }
        Ok(Self { actor: Actor::key(&key), need: PhantomData })
    }
}

/// The caller of a route that needs no scope: whoever holds a key or a session token.
pub(crate) struct Holder(pub(crate) store::api_key::ApiKey);

impl FromRequestParts<Arc<Service>> for Holder {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Rejection> {
        let peer = caller_of(service, parts);
        Ok(Self(authenticate(service, &parts.headers, peer).await?))
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
    by_hash(service, &hash(&key), peer).await
}

/// The key or session token in force of a hash, which `peer` presents.
///
/// # Errors
/// [`Error::Unauthenticated`], [`Error::Throttled`].
pub(crate) async fn by_hash(service: &Service, hash: &str, peer: Peer) -> Result<store::api_key::ApiKey> {
    service.limit.key(hash, peer)?;
    let mut session = service.store.read().await?;
    let found = store::api_key::by_hash(&mut session, hash).await?;
    drop(session);
    let now = service.clock.now();
    let key = found.filter(|key| key.is_in_force(now)).ok_or(Error::Unauthenticated)?;
    service.limit.know(hash, key.charged());
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
    fn a_key_comes_in_either_header_but_not_two_keys() {
        let (one, other) = (new_key(Prefix::Postern).unwrap(), new_key(Prefix::Operation).unwrap());
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
