//! What an organization demands of its shares.

use super::Actor;
use crate::service::Service;
use crate::store;
use serde_json::json;
use shared::Result;
use shared::model::limits::Limits;

/// The organization's limits.
pub(crate) async fn get(service: &Service, actor: &Actor) -> Result<Limits> {
    let mut session = service.store.read().await?;
    store::organization::limits(&mut session, actor.organization.id).await
}

/// Replaces them. Shares that exist keep what they have.
pub(crate) async fn set(service: &Service, actor: &Actor, limits: Limits) -> Result<Limits> {
    limits.check()?;
    let id = actor.organization.id;
    let mut session = service.store.write().await?;
    store::organization::set_limits(&mut session, id, &limits).await?;
    actor.audit(&mut session, ("organization.limits_set", id), json!(limits), service.clock.now()).await?;
    session.commit().await?;
    Ok(limits)
}
