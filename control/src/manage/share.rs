//! Shares: those of dashboards are made and amended here, all are rotated, revoked and read. `kinds` says of what a caller's dialect
//! knows shares: others are none there.

use super::{Actor, Done, Once};
use crate::random;
use crate::service::Service;
use crate::store::dashboard::Dashboard;
use crate::store::share::Stored;
use crate::store::share::filter::Wanted;
use crate::store::{self, Listed, Page, Session, outbox};
use serde_json::{Value, json};
use shared::face::dashboard::manage::{RevokedOut, ShareFilter, ShareIn, SharePatchIn, effective};
use shared::model::filter::Filter;
use shared::model::protection::Protection;
use shared::model::share::{Permission, Share, ShareType, State, Target, TargetKind};
use shared::model::token::{RecordKey, Token};
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
) -> Result<Done<Stored>> {
    let password = match &input.password {
        None => None,
        Some(typed) => Some(service.passwords.hash(typed).await?),
    };
    let now = service.clock.now();
    let id = Uuid::now_v7();
    let mut session = service.store.write().await?;
    if let Some(earlier) = Once::claim(once, &mut session, actor, id, now).await? {
        return replay(service, actor, session, earlier).await;
    }
    let opened = store::dashboard::lock(&mut session, actor.organization.id, dashboard).await?;
    let limits = store::organization::limits(&mut session, actor.organization.id).await?;
    let new = input.check(&filters(&opened), &limits, now)?;
    if let Some(context) = new.context {
        super::context::hold_for_share(&mut session, actor, context).await?;
    }
    // The first password begins the first version.
    let version = u64::from(password.is_some());
    let share = Share {
        id,
        organization_id: actor.organization.id,
        target: Target::dashboard(dashboard),
        share_type: new.share_type,
        permission: Permission::View,
        tile_budget: None,
        name: new.name,
        state: State::Live,
        generation: 1,
        revision: 1,
        nonce: random::bytes()?,
        key_epoch: service.ring.current.epoch.clone(),
        rules: new.rules,
        closed: false,
        protection: Protection { password, version, resets: version, max_access_count: new.max_access_count },
        context: new.context,
        notify: new.notify,
        not_before: new.not_before,
        expires_at: new.expires_at,
        created_at: now,
        issued_at: now,
        revoked_at: None,
        frame_origins: new.frame_origins,
        revoked_tokens: Vec::new(),
    };
    let detail = json!({ "dashboard_id": dashboard, "password": version > 0 });
    insert_within(service, &mut session, actor, &share, ("share.create", detail)).await?;
    commit(service, session, actor, id).await
}

/// Saves a new share with its first token, outbox and audit row.
pub(super) async fn insert_within(
    service: &Service,
    session: &mut Session,
    actor: &Actor,
    share: &Share,
    (action, detail): (&str, Value),
) -> Result<()> {
    let now = share.created_at;
    store::share::insert(session, share).await?;
    let key = issue(service, session, share).await?;
    outbox::enqueue(session, &key, share.revision, now).await?;
    store::context::touch(session, share.context, now).await?;
    actor.audit(session, (action, share.id), detail, now).await
}

/// Gives a share a new token; the old one is dead when this returns, unless the answer says `pending`.
pub(crate) async fn rotate(
    service: &Service,
    actor: &Actor,
    kinds: &[TargetKind],
    id: Uuid,
    once: Option<&Once>,
) -> Result<Done<Stored>> {
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    if let Some(earlier) = Once::claim(once, &mut session, actor, id, now).await? {
        return replay(service, actor, session, earlier).await;
    }
    let mut share = lock(&mut session, actor, kinds, id).await?;
    rotate_within(service, &mut session, actor, &mut share, now).await?;
    commit(service, session, actor, id).await
}

/// Gives a locked share a new token.
pub(super) async fn rotate_within(
    service: &Service,
    session: &mut Session,
    actor: &Actor,
    share: &mut Share,
    now: Millis,
) -> Result<()> {
    share.rotate(random::bytes()?, &service.ring.current.epoch, now)?;
    store::share::update(session, share).await?;
    let old = store::share::retire_token(session, share.id, now).await?;
    let new = issue(service, session, share).await?;
    for key in old.iter().chain([&new]) {
        outbox::enqueue(session, key, share.revision, now).await?;
    }
    store::context::touch(session, share.context, now).await?;
    actor.audit(session, ("share.rotate", share.id), json!({ "generation": share.generation }), now).await
}

/// Changes a share's name, times, count or rules.
pub(crate) async fn amend(
    service: &Service,
    actor: &Actor,
    id: Uuid,
    input: SharePatchIn,
) -> Result<Done<Stored>> {
    let now = service.clock.now();
    let change = input.into_amendment()?;
    let detail = json!({
        "name": change.name.is_some(),
        "not_before": change.not_before.is_some(),
        "expires_at": change.expires_at.is_some(),
        "max_access_count": change.max_access_count.is_some(),
        "allowed_origins": change.frame_origins.is_some(),
        "rules": change.changes_rules(),
    });
    let mut session = service.store.write().await?;
    // The dashboard first, as everywhere: two sessions that lock both must not wait for one another.
    let dashboard = find(&mut session, actor, TargetKind::DASHBOARDS, id).await?.share.target.id;
    let filters = match store::dashboard::lock(&mut session, actor.organization.id, dashboard).await {
        Ok(opened) => filters(&opened),
        // A share that outlived its dashboard is revoked, and says so itself.
        Err(Error::NotFound(_)) => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut share = lock(&mut session, actor, TargetKind::DASHBOARDS, id).await?;
    let limits = store::organization::limits(&mut session, actor.organization.id).await?;
    share.amend(change, &filters, &limits, now)?;
    save(service, session, actor, &share, ("share.amend", detail)).await
}

/// Takes a share back, for good. Again is no mistake: `revoked` is then false.
pub(crate) async fn revoke(
    service: &Service,
    actor: &Actor,
    kinds: &[TargetKind],
    id: Uuid,
) -> Result<Done<RevokedOut>> {
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    let mut share = lock(&mut session, actor, kinds, id).await?;
    let revoked = revoke_within(&mut session, actor, &mut share, now).await?;
    let done = commit(service, session, actor, id).await?;
    let effective = effective(done.pending);
    Ok(done.map(|_| RevokedOut { revoked, id, effective }))
}

/// Takes a locked share back. `false` when it was revoked before.
pub(super) async fn revoke_within(
    session: &mut Session,
    actor: &Actor,
    share: &mut Share,
    now: Millis,
) -> Result<bool> {
    if !share.revoke(now) {
        return Ok(false);
    }
    store::share::update(session, share).await?;
    if let Some(key) = store::share::retire_token(session, share.id, now).await? {
        outbox::enqueue(session, &key, share.revision, now).await?;
    }
    store::context::touch(session, share.context, now).await?;
    actor.audit(session, ("share.revoke", share.id), json!({}), now).await?;
    Ok(true)
}

/// One share.
pub(crate) async fn get(service: &Service, actor: &Actor, kinds: &[TargetKind], id: Uuid) -> Result<Stored> {
    let mut session = service.store.read().await?;
    find(&mut session, actor, kinds, id).await
}

/// The organization's shares of what is named by kind and id, and that the filter is true of; newest first.
pub(crate) async fn list(
    service: &Service,
    actor: &Actor,
    (kind, target): (Option<TargetKind>, Option<Uuid>),
    filter: &ShareFilter,
    page: &Page,
) -> Result<Listed<Stored>> {
    let now = service.clock.now();
    let wanted = Wanted { organization: actor.organization.id, kind, target, filter, live_only: false, now };
    let mut session = service.store.read().await?;
    store::share::filter::list(&mut session, &wanted, page).await
}

/// As [`list`], of one dashboard, which must be there.
pub(crate) async fn list_of(
    service: &Service,
    actor: &Actor,
    dashboard: Uuid,
    filter: &ShareFilter,
    page: &Page,
) -> Result<Listed<Stored>> {
    super::dashboard::get(service, actor, dashboard).await?;
    list(service, actor, (Some(TargetKind::Dashboard), Some(dashboard)), filter, page).await
}

/// A share, held until the session ends.
pub(super) async fn lock(
    session: &mut Session,
    actor: &Actor,
    kinds: &[TargetKind],
    id: Uuid,
) -> Result<Share> {
    let organization = actor.organization.id;
    if kinds.contains(&TargetKind::DataProduct) {
        // Whoever changes the link of a data product holds the product's row, and that first.
        let target = find(session, actor, kinds, id).await?.share.target;
        if target.kind == TargetKind::DataProduct {
            match store::data_product::lock(session, organization, target.id).await {
                // A link that outlived its product is revoked, and says so itself.
                Ok(_) | Err(Error::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    store::share::lock(session, organization, kinds, id).await
}

/// A share.
pub(super) async fn find(
    session: &mut Session,
    actor: &Actor,
    kinds: &[TargetKind],
    id: Uuid,
) -> Result<Stored> {
    store::share::find(session, actor.organization.id, kinds, id).await
}

/// What the viewers of a dashboard may narrow.
pub(super) fn filters(dashboard: &Dashboard) -> Vec<Filter> {
    dashboard.definition.view(dashboard.id, dashboard.version).filters
}

/// Notes the share's current token and gives its record key.
async fn issue(service: &Service, session: &mut Session, share: &Share) -> Result<String> {
    let key = match share.share_type {
        ShareType::Link => {
            let keys = &service.ring.current;
            Token::derive(keys, share.id, share.generation, &share.nonce).record_key(keys)
        }
        ShareType::Embed => RecordKey::of_embed(share.target.id, share.generation),
        ShareType::Portal => RecordKey::of_context(share.target.id, share.generation),
    };
    store::share::insert_token(session, share, &key).await?;
    Ok(key.as_str().to_owned())
}

/// Answers a repeated request with what the first one made, and tries once more to make it known.
async fn replay(service: &Service, actor: &Actor, session: Session, id: Uuid) -> Result<Done<Stored>> {
    let done = commit(service, session, actor, id).await?;
    Ok(Done { replayed: true, ..done })
}

/// Saves what was changed of a live share but its token, with outbox and audit row, and commits.
pub(super) async fn save(
    service: &Service,
    mut session: Session,
    actor: &Actor,
    share: &Share,
    what: (&str, Value),
) -> Result<Done<Stored>> {
    save_within(service, &mut session, actor, share, what).await?;
    commit(service, session, actor, share.id).await
}

/// As [`save`], without committing.
pub(super) async fn save_within(
    service: &Service,
    session: &mut Session,
    actor: &Actor,
    share: &Share,
    (action, detail): (&str, Value),
) -> Result<()> {
    let now = service.clock.now();
    store::share::update(session, share).await?;
    let key = store::share::current_token(session, share.id).await?;
    let key = key.ok_or_else(|| Error::Internal(format!("live share {} has no token", share.id)))?;
    outbox::enqueue(session, &key, share.revision, now).await?;
    store::context::touch(session, share.context, now).await?;
    actor.audit(session, (action, share.id), detail, now).await
}

/// Commits, and asks the edge for all of the share that it has yet to learn: what an earlier change left
/// behind must not be called live by this one.
pub(super) async fn commit(
    service: &Service,
    mut session: Session,
    actor: &Actor,
    id: Uuid,
) -> Result<Done<Stored>> {
    let stored = find(&mut session, actor, TargetKind::SHARED, id).await?;
    let mut keys = outbox::pending_of(&mut session, id).await?;
    if let Some(context) = stored.share.context {
        keys.extend(store::context::pending(&mut session, context).await?);
    }
    session.commit().await?;
    let pending = !service.replication.confirm(keys).await;
    Ok(Done { body: Stored { pending, ..stored }, pending, replayed: false })
}
