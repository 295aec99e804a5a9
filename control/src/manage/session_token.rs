//! Session tokens: short-lived keys that a key exchanges itself for. They are looked up as keys are, so all that takes a key
//! takes one. API.md 2.2.

use super::Actor;
use crate::auth::{self, Scope};
use crate::service::Service;
use crate::store;
use crate::store::api_key::{ApiKey, SessionOf};
use secrecy::ExposeSecret;
use serde_json::json;
use shared::error::Flaw;
use shared::face::dashboard::manage::{SessionTokenIn, SessionTokenOut};
use shared::model::api_key::{MAX_SESSIONS, Prefix};
use shared::{Error, Result};
use uuid::Uuid;

/// Makes a session token of a key.
///
/// # Errors
/// [`Error::Unauthenticated`] for a session token, which is no key; [`Error::Invalid`]; [`Error::Conflict`] when the key has
/// too many.
pub(crate) async fn create(
    service: &Service,
    key: &ApiKey,
    input: &SessionTokenIn,
) -> Result<SessionTokenOut> {
    if key.session.is_some() {
        return Err(Error::Unauthenticated);
    }
    let now = service.clock.now();
    let expires_at = now.plus(input.life()?);
    let scopes = narrowed(key, input.scopes.as_deref())?;
    let secret = auth::new_key(Prefix::Session)?;
    let token = ApiKey {
        id: Uuid::now_v7(),
        organization: key.organization.clone(),
        name: key.name.clone(),
        scopes,
        created_at: now,
        last_used_at: None,
        revoked_at: None,
        session: Some(SessionOf { key: key.id, expires_at }),
    };
    let mut session = service.store.write().await?;
    if store::api_key::count_sessions(&mut session, key.id, now).await? >= MAX_SESSIONS {
        return Err(Error::Conflict(format!("a key has at most {MAX_SESSIONS} session tokens")));
    }
    store::api_key::insert(&mut session, &token, &auth::hash(&secret)).await?;
    let scopes: Vec<String> = token.scopes.iter().map(|scope| scope.name().to_owned()).collect();
    let expires_at = expires_at.to_rfc3339();
    let detail = json!({ "scopes": scopes, "expires_at": expires_at });
    Actor::key(key).audit(&mut session, ("session_token.create", token.id), detail, now).await?;
    session.commit().await?;
    Ok(SessionTokenOut { token: secret.expose_secret().to_owned(), expires_at, scopes })
}

/// Some of a key's scopes, or all of them.
fn narrowed(key: &ApiKey, wanted: Option<&[String]>) -> Result<Vec<Scope>> {
    let Some(wanted) = wanted else { return Ok(key.scopes.clone()) };
    if wanted.is_empty() {
        return Err(Error::invalid("/scopes", "must name at least one scope"));
    }
    let has = |name: &str| Scope::parse(name).is_some_and(|scope| key.scopes.contains(&scope));
    let flaws: Vec<Flaw> = (0..)
        .zip(wanted)
        .filter(|(_, name)| !has(name))
        .map(|(number, _): (u32, _)| Flaw::new(format!("/scopes/{number}"), "is no scope of the key"))
        .collect();
    if !flaws.is_empty() {
        return Err(Error::Invalid(flaws));
    }
    Ok(key.scopes.iter().copied().filter(|scope| wanted.iter().any(|name| name == scope.name())).collect())
}

/// Ends the session token that the caller came with.
///
/// # Errors
/// [`Error::NotFound`] for a key, which is no session token.
pub(crate) async fn end(service: &Service, token: &ApiKey) -> Result<()> {
    if token.session.is_none() {
        return Err(Error::NotFound("session token"));
    }
    let mut session = service.store.write().await?;
    if store::api_key::end_session(&mut session, token.id).await? {
        let now = service.clock.now();
        Actor::key(token).audit(&mut session, ("session_token.end", token.id), json!({}), now).await?;
    }
    session.commit().await
}

/// Forgets those that are over.
pub(crate) async fn sweep(service: &Service) -> Result<()> {
    let mut session = service.store.write().await?;
    store::api_key::sweep_sessions(&mut session, service.clock.now()).await?;
    session.commit().await
}
