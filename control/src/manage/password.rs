//! Passwords of shares that are there: set, remove, have the guesses counted anew. For `kinds` see [`share`].

use super::{Actor, Done, share};
use crate::service::Service;
use crate::store;
use crate::store::share::Stored;
use serde_json::json;
use shared::face::dashboard::manage::PasswordIn;
use shared::model::share::TargetKind;
use shared::{Error, Result};
use uuid::Uuid;

/// Sets a share's password. Whoever is in must give the new one.
pub(crate) async fn set(
    service: &Service,
    actor: &Actor,
    kinds: &[TargetKind],
    id: Uuid,
    input: PasswordIn,
) -> Result<Done<Stored>> {
    // A share that is not there is told before a password is hashed for it.
    let least = share::get(service, actor, kinds, id).await?.share.target.kind.min_password_chars();
    if input.password.0.chars().count() < least {
        return Err(Error::invalid("/password", format!("must have at least {least} characters")));
    }
    let hashed = service.passwords.hash(&input.password).await?;
    let mut session = service.store.write().await?;
    let mut share = share::lock(&mut session, actor, kinds, id).await?;
    let limits = store::organization::limits(&mut session, actor.organization.id).await?;
    share.set_password(Some(hashed), &limits)?;
    share::save(service, session, actor, &share, ("share.password_set", json!({}))).await
}

/// Removes a share's password. Again is no mistake: nothing changes.
pub(crate) async fn remove(
    service: &Service,
    actor: &Actor,
    kinds: &[TargetKind],
    id: Uuid,
) -> Result<Done<Stored>> {
    let mut session = service.store.write().await?;
    let mut share = share::lock(&mut session, actor, kinds, id).await?;
    if share.protection.password.is_none() {
        return share::commit(service, session, actor, id).await;
    }
    let limits = store::organization::limits(&mut session, actor.organization.id).await?;
    share.set_password(None, &limits)?;
    share::save(service, session, actor, &share, ("share.password_removed", json!({}))).await
}

/// Has the guesses of a share's password counted anew: whoever was locked out may guess again.
pub(crate) async fn reset_attempts(
    service: &Service,
    actor: &Actor,
    kinds: &[TargetKind],
    id: Uuid,
) -> Result<Done<Stored>> {
    let mut session = service.store.write().await?;
    let mut share = share::lock(&mut session, actor, kinds, id).await?;
    share.reset_attempts()?;
    share::save(service, session, actor, &share, ("share.attempts_reset", json!({}))).await
}
