//! Shares of dashboards: create, rotate, amend, revoke, read.

use super::{Actor, Done, Once};
use crate::random;
use crate::service::Service;
use crate::store::dashboard::Dashboard;
use crate::store::share::Stored;
use crate::store::{self, Listed, Page, Session, outbox};
use serde_json::json;
use shared::face::dashboard::manage::{RevokedOut, ShareIn, ShareOut, SharePatchIn};
use shared::model::filter::Filter;
use shared::model::share::{Share, State, Target};
use shared::model::token::Token;
use shared::time::Millis;
use shared::{Error, Result};
use uuid::Uuid;

/// Makes a share of a dashboard, with its first token.
pub(crate) async fn create(
    service: &Service,
    actor: &Actor,
    dashboard: Uuid,
    input: ShareIn,
    once: Option<&Once>,
) -> Result<Done<ShareOut>> {
    let now = service.clock.now();
    let share_type = input.share_type;
    let id = Uuid::now_v7();
    let mut session = service.store.write().await?;
    if let Some(earlier) = Once::claim(once, &mut session, actor, id, now).await? {
        return replay(service, actor, session, earlier).await;
    }
    let opened = store::dashboard::lock(&mut session, actor.organization.id, dashboard).await?;
    let (name, expires_at, rules) = input.check(&filters(&opened), now)?;
    let share = Share {
        id,
        organization_id: actor.organization.id,
        target: Target::Dashboard(dashboard),
        share_type,
        name,
        state: State::Live,
        generation: 1,
        revision: 1,
        nonce: random::bytes()?,
        key_epoch: service.ring.current.epoch.clone(),
        rules,
        closed: false,
        expires_at,
        created_at: now,
        issued_at: now,
        revoked_at: None,
    };
    store::share::insert(&mut session, &share).await?;
    let key = issue(service, &mut session, &share).await?;
    outbox::enqueue(&mut session, &key, share.revision, now).await?;
    actor.audit(&mut session, ("share.create", id), json!({ "dashboard_id": dashboard }), now).await?;
    commit(service, session, share).await
}

/// Gives a share a new token; the old one is dead when this returns, unless the answer says `pending`.
pub(crate) async fn rotate(
    service: &Service,
    actor: &Actor,
    id: Uuid,
    once: Option<&Once>,
) -> Result<Done<ShareOut>> {
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    if let Some(earlier) = Once::claim(once, &mut session, actor, id, now).await? {
        return replay(service, actor, session, earlier).await;
    }
    let mut share = store::share::lock(&mut session, actor.organization.id, id).await?;
    share.rotate(random::bytes()?, &service.ring.current.epoch, now)?;
    store::share::update(&mut session, &share).await?;
    let old = store::share::retire_token(&mut session, id, now).await?;
    let new = issue(service, &mut session, &share).await?;
    for key in old.iter().chain([&new]) {
        outbox::enqueue(&mut session, key, share.revision, now).await?;
    }
    actor.audit(&mut session, ("share.rotate", id), json!({ "generation": share.generation }), now).await?;
    commit(service, session, share).await
}

/// Changes a share's name, expiry or rules.
pub(crate) async fn amend(
    service: &Service,
    actor: &Actor,
    id: Uuid,
    input: SharePatchIn,
) -> Result<Done<ShareOut>> {
    let now = service.clock.now();
    let change = input.into_amendment()?;
    let detail = json!({
        "name": change.name.is_some(),
        "expires_at": change.expires_at.is_some(),
        "rules": change.changes_rules(),
    });
    let mut session = service.store.write().await?;
    // The dashboard first, as everywhere: two sessions that lock both must not wait for one another.
    let Target::Dashboard(dashboard) =
        store::share::find(&mut session, actor.organization.id, id).await?.share.target;
    let opened = store::dashboard::lock(&mut session, actor.organization.id, dashboard).await;
    let mut share = store::share::lock(&mut session, actor.organization.id, id).await?;
    // A share that outlived its dashboard is revoked, and says so itself.
    let filters = opened.map(|opened| filters(&opened)).unwrap_or_default();
    share.amend(change, &filters, now)?;
    store::share::update(&mut session, &share).await?;
    let key = store::share::current_token(&mut session, id).await?;
    let key = key.ok_or_else(|| Error::Internal(format!("live share {id} has no token")))?;
    outbox::enqueue(&mut session, &key, share.revision, now).await?;
    actor.audit(&mut session, ("share.amend", id), detail, now).await?;
    commit(service, session, share).await
}

/// Takes a share back, for good. Again is no mistake: `revoked` is then false.
pub(crate) async fn revoke(service: &Service, actor: &Actor, id: Uuid) -> Result<Done<RevokedOut>> {
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    let mut share = store::share::lock(&mut session, actor.organization.id, id).await?;
    let revoked = share.revoke(now);
    if revoked {
        store::share::update(&mut session, &share).await?;
        if let Some(key) = store::share::retire_token(&mut session, id, now).await? {
            outbox::enqueue(&mut session, &key, share.revision, now).await?;
        }
        actor.audit(&mut session, ("share.revoke", id), json!({}), now).await?;
    }
    let Done { body: share, pending, replayed } = commit(service, session, share).await?;
    Ok(Done { body: RevokedOut { revoked, id, effective: share.effective }, pending, replayed })
}

/// One share.
pub(crate) async fn get(service: &Service, actor: &Actor, id: Uuid) -> Result<ShareOut> {
    let mut session = service.store.read().await?;
    let stored = store::share::find(&mut session, actor.organization.id, id).await?;
    Ok(render(service, &stored, service.clock.now()))
}

/// The organization's shares, or those of one dashboard; newest first.
pub(crate) async fn list(
    service: &Service,
    actor: &Actor,
    dashboard: Option<Uuid>,
    page: &Page,
) -> Result<Listed<ShareOut>> {
    let mut session = service.store.read().await?;
    let listed = match dashboard {
        None => store::share::list(&mut session, actor.organization.id, page).await?,
        Some(dashboard) => {
            store::dashboard::find(&mut session, actor.organization.id, dashboard).await?;
            store::share::list_of(&mut session, dashboard, page).await?
        }
    };
    let now = service.clock.now();
    let records = listed.records.iter().map(|stored| render(service, stored, now)).collect();
    Ok(Listed { total: listed.total, records })
}

/// What the viewers of a dashboard may narrow.
fn filters(dashboard: &Dashboard) -> Vec<Filter> {
    dashboard.definition.view(dashboard.id, dashboard.version).filters
}

/// Notes the share's current token and gives its record key.
async fn issue(service: &Service, session: &mut Session, share: &Share) -> Result<String> {
    let keys = &service.ring.current;
    let token = Token::derive(keys, share.id, share.generation, &share.nonce);
    let key = token.record_key(keys);
    store::share::insert_token(session, share, &key).await?;
    Ok(key.as_str().to_owned())
}

/// Answers a repeated request with what the first one made, and tries once more to make it known.
async fn replay(service: &Service, actor: &Actor, mut session: Session, id: Uuid) -> Result<Done<ShareOut>> {
    let stored = store::share::find(&mut session, actor.organization.id, id).await?;
    let done = commit(service, session, stored.share).await?;
    Ok(Done { replayed: true, ..done })
}

/// Commits, and asks the edge for all of the share that it has yet to learn: what an earlier change left
/// behind must not be called live by this one.
async fn commit(service: &Service, mut session: Session, share: Share) -> Result<Done<ShareOut>> {
    let keys = outbox::pending_of(&mut session, share.id).await?;
    session.commit().await?;
    let pending = !service.replication.confirm(keys).await;
    let body = render(service, &Stored { share, pending }, service.clock.now());
    Ok(Done { body, pending, replayed: false })
}

fn render(service: &Service, stored: &Stored, now: Millis) -> ShareOut {
    ShareOut::new(&stored.share, service.link(&stored.share), stored.pending, now)
}
