//! Links to items and collections, as the operation dialect makes and revokes them. API.md 2.10, 2.11.

use super::{Actor, Done, Once};
use crate::random;
use crate::service::Service;
use crate::store::{self, Session, outbox};
use serde_json::{Map, Value, json};
use shared::face::dashboard::manage::effective;
use shared::face::operation::link::{LinkOut, NewLink, RevokedOut, link_id};
use shared::model::policy::Rules;
use shared::model::protection::Protection;
use shared::model::share::{MAX_NAME_CHARS, Share, ShareType, State, Target, TargetKind};
use shared::{Error, Result};
use uuid::Uuid;

/// Makes a link.
pub(crate) async fn create(
    service: &Service,
    actor: &Actor,
    body: &Map<String, Value>,
    once: Option<&Once>,
) -> Result<Done<LinkOut>> {
    let now = service.clock.now();
    let new = NewLink::read(body)?;
    let password = service.passwords.hash(&new.password).await?;
    let id = Uuid::now_v7();
    let mut session = service.store.write().await?;
    if let Some(earlier) = Once::claim(once, &mut session, actor, id, now).await? {
        let done = commit(service, session, actor, earlier).await?;
        return Ok(Done { replayed: true, ..done });
    }
    let limits = store::organization::limits(&mut session, actor.organization.id).await?;
    new.check(&limits, now)?;
    let max_access_count = limits.count(None)?;
    let target = new.target.ok_or_else(|| unknown(new.kind))?;
    let (name, _) = describe(&mut session, actor, Target { kind: new.kind, id: target }, true).await?;
    let share = Share {
        id,
        organization_id: actor.organization.id,
        target: Target { kind: new.kind, id: target },
        share_type: ShareType::Link,
        permission: new.permission,
        tile_budget: new.tile_budget,
        name: name.chars().take(MAX_NAME_CHARS).collect(),
        state: State::Live,
        generation: 1,
        revision: 1,
        nonce: random::bytes()?,
        key_epoch: service.ring.current.epoch.clone(),
        rules: Rules::default(),
        closed: false,
        // The first password begins the first version.
        protection: Protection { password: Some(password), version: 1, resets: 1, max_access_count },
        context: None,
        notify: None,
        not_before: None,
        expires_at: Some(new.expires_at),
        created_at: now,
        issued_at: now,
        revoked_at: None,
        frame_origins: Vec::new(),
        revoked_tokens: Vec::new(),
    };
    let detail = json!({ "target": target, "permission": share.permission.name(), "password": true });
    super::share::insert_within(service, &mut session, actor, &share, ("share.create", detail)).await?;
    commit(service, session, actor, id).await
}

/// Takes a link back, for good. Again is no mistake.
pub(crate) async fn revoke(service: &Service, actor: &Actor, id: Uuid) -> Result<RevokedOut> {
    let done =
        super::share::revoke(service, actor, TargetKind::MAPS, id).await.map_err(|error| match error {
            Error::NotFound(_) => Error::NotFound("link"),
            error => error,
        })?;
    Ok(RevokedOut { ok: true, id: link_id(id), effective: effective(done.pending) })
}

const fn unknown(kind: TargetKind) -> Error {
    Error::NotFound(if matches!(kind, TargetKind::Collection) { "collection" } else { "item" })
}

/// Name and project of what a link opens; `hold` keeps it from being deleted meanwhile.
async fn describe(
    session: &mut Session,
    actor: &Actor,
    target: Target,
    hold: bool,
) -> Result<(String, Uuid)> {
    let organization = actor.organization.id;
    match (target.kind, hold) {
        (TargetKind::Collection, hold) => {
            let found = if hold {
                store::map::lock_collection(session, organization, target.id).await?
            } else {
                store::map::find_collection(session, organization, target.id).await?
            };
            Ok((found.definition.name, found.definition.project_id))
        }
        (_, hold) => {
            let found = if hold {
                store::map::lock_item(session, organization, target.id).await?
            } else {
                store::map::find_item(session, organization, target.id).await?
            };
            Ok((found.definition.name, found.definition.project_id))
        }
    }
}

async fn commit(service: &Service, mut session: Session, actor: &Actor, id: Uuid) -> Result<Done<LinkOut>> {
    let stored = store::share::find(&mut session, actor.organization.id, TargetKind::MAPS, id).await?;
    let (_, project) = describe(&mut session, actor, stored.share.target, false).await?;
    let keys = outbox::pending_of(&mut session, id).await?;
    session.commit().await?;
    let pending = !service.replication.confirm(keys).await;
    let link = service.link(&stored.share);
    let body = LinkOut::new(&stored.share, project, link, (pending, &stored.usage), actor.name.clone());
    Ok(Done { body, pending, replayed: false })
}
