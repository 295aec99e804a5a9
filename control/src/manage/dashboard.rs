//! Dashboards: create, replace, delete, read. What is changed here changes every share of it.

use super::{Actor, Done, Once};
use crate::service::Service;
use crate::store::dashboard::Dashboard;
use crate::store::{self, Listed, Page, outbox};
use serde_json::json;
use shared::error::Flaw;
use shared::model::dashboard::Definition;
use shared::{Error, Result};
use uuid::Uuid;

/// Makes a dashboard.
pub(crate) async fn create(
    service: &Service,
    actor: &Actor,
    definition: Definition,
    once: Option<&Once>,
) -> Result<Done<Dashboard>> {
    check(service, actor, &definition).await?;
    let now = service.clock.now();
    let dashboard =
        Dashboard { id: Uuid::now_v7(), version: 1, definition, created_at: now, updated_at: now };
    let mut session = service.store.write().await?;
    if let Some(earlier) = Once::claim(once, &mut session, actor, dashboard.id, now).await? {
        let body = store::dashboard::find(&mut session, actor.organization.id, earlier).await?;
        return Ok(Done { body, pending: false, replayed: true });
    }
    store::dashboard::insert(&mut session, actor.organization.id, &dashboard).await?;
    store::dashboard::insert_version(&mut session, &dashboard, &actor.name).await?;
    let detail = json!({ "slug": dashboard.definition.slug });
    actor.audit(&mut session, ("dashboard.create", dashboard.id), detail, now).await?;
    session.commit().await?;
    Ok(Done { body: dashboard, pending: false, replayed: false })
}

/// What replacing a definition came to.
pub(crate) struct Replaced {
    /// As it is now.
    pub(crate) dashboard: Dashboard,
    /// Shares that open nothing until their policies, or the dashboard, are changed.
    pub(crate) closed_shares: Vec<Uuid>,
}

/// Replaces a dashboard's definition. `expected` is the version that the caller believes to change.
pub(crate) async fn replace(
    service: &Service,
    actor: &Actor,
    id: Uuid,
    definition: Definition,
    expected: Option<u64>,
) -> Result<Done<Replaced>> {
    // A dashboard that is not there is told before its definition is looked at.
    get(service, actor, id).await?;
    check(service, actor, &definition).await?;
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    let old = store::dashboard::lock(&mut session, actor.organization.id, id).await?;
    if expected.is_some_and(|expected| expected != old.version) {
        return Err(Error::Conflict(format!("the dashboard is at version {}", old.version)));
    }
    let dashboard = Dashboard { version: old.version + 1, definition, updated_at: now, ..old };
    store::dashboard::update(&mut session, &dashboard).await?;
    store::dashboard::insert_version(&mut session, &dashboard, &actor.name).await?;
    store::share::touch_all(&mut session, id).await?;
    let filters = dashboard.definition.view(id, dashboard.version).filters;
    let closed = store::share::close_unfit(&mut session, id, &filters).await?;
    let mut keys = outbox::enqueue_all(&mut session, id, now).await?;
    // Their members see its title.
    let contexts = store::context::of_dashboard(&mut session, id).await?;
    let detail = json!({ "version": dashboard.version, "shares": keys.len(), "closed_shares": &closed });
    keys.extend(store::context::touch(&mut session, contexts, now).await?);
    actor.audit(&mut session, ("dashboard.update", id), detail, now).await?;
    session.commit().await?;
    if !closed.is_empty() {
        tracing::warn!(dashboard = %id, ?closed, "shares are closed: their policies do not fit the dashboard any more");
    }
    let pending = !service.replication.confirm(keys).await;
    Ok(Done { body: Replaced { dashboard, closed_shares: closed }, pending, replayed: false })
}

/// Deletes a dashboard and revokes all its shares.
pub(crate) async fn delete(service: &Service, actor: &Actor, id: Uuid) -> Result<Done<()>> {
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    store::dashboard::lock(&mut session, actor.organization.id, id).await?;
    store::dashboard::delete(&mut session, id, now).await?;
    let contexts = store::context::of_dashboard(&mut session, id).await?;
    store::share::revoke_all(&mut session, id, now).await?;
    let mut keys = outbox::enqueue_all(&mut session, id, now).await?;
    store::share::retire_all_tokens(&mut session, id, now).await?;
    actor.audit(&mut session, ("dashboard.delete", id), json!({ "shares": keys.len() }), now).await?;
    keys.extend(store::context::touch(&mut session, contexts, now).await?);
    session.commit().await?;
    let pending = !service.replication.confirm(keys).await;
    Ok(Done { body: (), pending, replayed: false })
}

/// One dashboard.
pub(crate) async fn get(service: &Service, actor: &Actor, id: Uuid) -> Result<Dashboard> {
    let mut session = service.store.read().await?;
    store::dashboard::find(&mut session, actor.organization.id, id).await
}

/// The organization's dashboards, newest first.
pub(crate) async fn list(service: &Service, actor: &Actor, page: &Page) -> Result<Listed<Dashboard>> {
    let mut session = service.store.read().await?;
    store::dashboard::list(&mut session, actor.organization.id, page).await
}

/// Everything that is wrong with a definition, its SQL included.
async fn check(service: &Service, actor: &Actor, definition: &Definition) -> Result<()> {
    let flaws = definition.flaws();
    if !flaws.is_empty() {
        return Err(Error::Invalid(flaws));
    }
    let mut session = service.store.read().await?;
    let found =
        store::data_source::find(&mut session, actor.organization.id, definition.data_source_id).await;
    drop(session);
    let source = match found {
        Ok(source) => source,
        Err(Error::NotFound(_)) => {
            return Err(Error::invalid("/data_source_id", "is no data source of yours"));
        }
        Err(error) => return Err(error),
    };
    let flaws: Vec<Flaw> = service.data.flaws(&source, definition).await?;
    if flaws.is_empty() { Ok(()) } else { Err(Error::Invalid(flaws)) }
}
