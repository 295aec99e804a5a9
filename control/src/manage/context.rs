//! Share contexts and their members: who may open what at the portal.

use super::{Actor, Done, share};
use crate::random;
use crate::service::Service;
use crate::store::context::{Context, Member};
use crate::store::{self, Listed, Page, Session, outbox};
use serde_json::json;
use shared::face::dashboard::manage::{
    ContextDeletedOut, ContextIn, ContextOut, ContextPatchIn, MemberIn, MemberOut, MemberRemovedOut,
    MembersAddedOut, MembersIn, effective,
};
use shared::model::address::Invited;
use shared::model::context::{MAX_DASHBOARDS, MAX_MEMBERS};
use shared::model::policy::Rules;
use shared::model::protection::Protection;
use shared::model::share::{Permission, Share, ShareType, State, Target, TargetKind};
use shared::time::Millis;
use shared::{Error, Result};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Makes a context, and the share that opens it.
pub(crate) async fn create(service: &Service, actor: &Actor, input: ContextIn) -> Result<Done<ContextOut>> {
    let (name, description) = input.check()?;
    let now = service.clock.now();
    let id = Uuid::now_v7();
    let mut session = service.store.write().await?;
    store::context::insert(&mut session, actor.organization.id, (id, &name, &description), now).await?;
    let opens = Share {
        id: Uuid::now_v7(),
        organization_id: actor.organization.id,
        target: Target { kind: TargetKind::Context, id },
        share_type: ShareType::Portal,
        permission: Permission::View,
        tile_budget: None,
        name,
        state: State::Live,
        generation: 1,
        revision: 1,
        nonce: random::bytes()?,
        key_epoch: service.ring.current.epoch.clone(),
        rules: Rules::default(),
        closed: false,
        protection: Protection::default(),
        context: None,
        notify: None,
        not_before: None,
        expires_at: None,
        created_at: now,
        issued_at: now,
        revoked_at: None,
        frame_origins: Vec::new(),
        revoked_tokens: Vec::new(),
    };
    let detail = json!({ "context_id": id });
    share::insert_within(service, &mut session, actor, &opens, ("context.create", detail)).await?;
    commit(service, session, actor, id).await
}

/// One context.
pub(crate) async fn get(service: &Service, actor: &Actor, id: Uuid) -> Result<ContextOut> {
    let mut session = service.store.read().await?;
    Ok(render(store::context::find(&mut session, actor.organization.id, id).await?))
}

/// The organization's contexts, newest first.
pub(crate) async fn list(service: &Service, actor: &Actor, page: &Page) -> Result<Listed<ContextOut>> {
    let mut session = service.store.read().await?;
    let listed = store::context::list(&mut session, actor.organization.id, page).await?;
    Ok(Listed { total: listed.total, records: listed.records.into_iter().map(render).collect() })
}

/// Changes name or description.
pub(crate) async fn amend(
    service: &Service,
    actor: &Actor,
    id: Uuid,
    input: ContextPatchIn,
) -> Result<Done<ContextOut>> {
    let (name, description) = input.check()?;
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    let mut opens = store::context::lock(&mut session, actor.organization.id, id).await?;
    let before = store::context::find(&mut session, actor.organization.id, id).await?;
    let detail = json!({ "name": name.is_some(), "description": description.is_some() });
    let (name, description) = (name.unwrap_or(before.name), description.unwrap_or(before.description));
    store::context::update(&mut session, id, (&name, &description), now).await?;
    opens.revision += 1;
    opens.name = name;
    share::save_within(service, &mut session, actor, &opens, ("context.amend", detail)).await?;
    commit(service, session, actor, id).await
}

/// Deletes a context: nobody is in any more, and the shares that were bound to it are revoked. Again is no mistake: `deleted` is then
/// false.
pub(crate) async fn delete(service: &Service, actor: &Actor, id: Uuid) -> Result<Done<ContextDeletedOut>> {
    let (organization, now) = (actor.organization.id, service.clock.now());
    let mut session = service.store.write().await?;
    // Dashboards, then shares, then contexts, as everywhere: sessions that lock several must not wait for one another.
    let bound = store::context::shares(&mut session, id).await?;
    for dashboard in bound.iter().map(|(_, dashboard)| *dashboard).collect::<BTreeSet<_>>() {
        match store::dashboard::lock(&mut session, organization, dashboard).await {
            Ok(_) | Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let mut shares = Vec::new();
    for (share, _) in &bound {
        match share::lock(&mut session, actor, TargetKind::DASHBOARDS, *share).await {
            Ok(share) => shares.push(share),
            // Another organization's context has no shares here.
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let mut revoked = Vec::new();
    let deleted = match store::context::lock(&mut session, organization, id).await {
        Ok(_) => {
            let now_bound = store::context::shares(&mut session, id).await?;
            if now_bound.iter().any(|share| !bound.contains(share)) {
                return Err(Error::Unavailable("a share was bound to the context meanwhile".to_owned()));
            }
            for mut share in shares {
                share::revoke_within(&mut session, actor, &mut share, now).await?;
                revoked.push(share.id);
            }
            // The shares' own revocation has changed it.
            let mut opens = store::context::lock(&mut session, organization, id).await?;
            store::context::delete(&mut session, id, now).await?;
            share::revoke_within(&mut session, actor, &mut opens, now).await?;
            let detail = json!({ "shares": revoked });
            actor.audit(&mut session, ("context.delete", id), detail, now).await?;
            true
        }
        Err(Error::NotFound(_)) if store::context::was_deleted(&mut session, organization, id).await? => {
            false
        }
        Err(error) => return Err(error),
    };
    let mut keys = store::context::pending(&mut session, id).await?;
    for share in revoked {
        keys.extend(outbox::pending_of(&mut session, share).await?);
    }
    session.commit().await?;
    let pending = !service.replication.confirm(keys).await;
    let body = ContextDeletedOut { deleted, id, effective: effective(pending) };
    Ok(Done { body, pending, replayed: false })
}

/// Adds a member. Who is one already stays the same one.
pub(crate) async fn add_member(
    service: &Service,
    actor: &Actor,
    context: Uuid,
    input: &MemberIn,
) -> Result<MemberOut> {
    let invited = input.check("")?;
    let mut session = service.store.write().await?;
    store::context::lock(&mut session, actor.organization.id, context).await?;
    add(service, &mut session, actor, context, std::slice::from_ref(&invited)).await?;
    let member = store::context::member_like(&mut session, context, &invited).await?;
    session.commit().await?;
    let Member { id, invited, created_at } = member.ok_or(Error::NotFound("member"))?;
    Ok(MemberOut::new(id, &invited, created_at))
}

/// Adds many at once, or nobody.
pub(crate) async fn add_members(
    service: &Service,
    actor: &Actor,
    context: Uuid,
    input: &MembersIn,
) -> Result<MembersAddedOut> {
    let invited = input.check()?;
    let mut session = service.store.write().await?;
    store::context::lock(&mut session, actor.organization.id, context).await?;
    let added = add(service, &mut session, actor, context, &invited).await?;
    session.commit().await?;
    Ok(MembersAddedOut { added, unchanged: (input.members.len() as u64).saturating_sub(added) })
}

/// Adds whoever is no member yet to a context that is held. The edge need not know: access tokens say who is in.
async fn add(
    service: &Service,
    session: &mut Session,
    actor: &Actor,
    context: Uuid,
    invited: &[Invited],
) -> Result<u64> {
    let now = service.clock.now();
    let mut added = 0;
    for invited in invited {
        let member = Member { id: Uuid::now_v7(), invited: invited.clone(), created_at: now };
        if store::context::add_member(session, context, &member).await? {
            added += 1;
        }
    }
    if added == 0 {
        return Ok(0);
    }
    let count = i64::try_from(added).unwrap_or(i64::MAX);
    if store::context::count_members(session, context, count).await? > MAX_MEMBERS {
        return Err(Error::Conflict("a context has at most 100,000 members".to_owned()));
    }
    actor.audit(session, ("context.add_members", context), json!({ "members": added }), now).await?;
    Ok(added)
}

/// Removes a member: they are out when this returns, unless the answer says `pending`. Again is no mistake.
pub(crate) async fn remove_member(
    service: &Service,
    actor: &Actor,
    context: Uuid,
    member: Uuid,
) -> Result<Done<MemberRemovedOut>> {
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    let mut opens = store::context::lock(&mut session, actor.organization.id, context).await?;
    let removed = store::context::remove_member(&mut session, context, member).await?;
    if removed {
        store::context::count_members(&mut session, context, -1).await?;
        end_access(service, &mut session, actor, &mut opens, member, now).await?;
        actor
            .audit(&mut session, ("context.remove_member", context), json!({ "member_id": member }), now)
            .await?;
    }
    let keys = store::context::pending(&mut session, context).await?;
    session.commit().await?;
    let pending = !service.replication.confirm(keys).await;
    let body = MemberRemovedOut { removed, id: member, effective: effective(pending) };
    Ok(Done { body, pending, replayed: false })
}

/// Ends the access of a member or a session before its access tokens end, by the share that opens the context.
pub(super) async fn end_access(
    service: &Service,
    session: &mut Session,
    actor: &Actor,
    opens: &mut Share,
    whose: Uuid,
    now: Millis,
) -> Result<()> {
    match opens.end_access(whose, now) {
        Ok(()) => {
            store::share::update(session, opens).await?;
            let key = store::share::current_token(session, opens.id).await?;
            let key = key.ok_or_else(|| Error::Internal(format!("context {} has no record", opens.id)))?;
            outbox::enqueue(session, &key, opens.revision, now).await
        }
        // Too many to name: all access tokens end, and whoever may have a new one gets it.
        Err(Error::Conflict(_)) => share::rotate_within(service, session, actor, opens, now).await,
        Err(error) => Err(error),
    }
}

/// The members of a context, newest first.
pub(crate) async fn members(
    service: &Service,
    actor: &Actor,
    context: Uuid,
    page: &Page,
) -> Result<Listed<MemberOut>> {
    let mut session = service.store.read().await?;
    store::context::find(&mut session, actor.organization.id, context).await?;
    let listed = store::context::members(&mut session, context, page).await?;
    let render = |member: Member| MemberOut::new(member.id, &member.invited, member.created_at);
    Ok(Listed { total: listed.total, records: listed.records.into_iter().map(render).collect() })
}

/// Holds the context that a new share is bound to.
///
/// # Errors
/// [`Error::Invalid`] when it is none of the organization's, [`Error::Conflict`] when it is full.
pub(super) async fn hold_for_share(session: &mut Session, actor: &Actor, context: Uuid) -> Result<()> {
    match store::context::lock(session, actor.organization.id, context).await {
        Ok(_) if store::context::share_count(session, context).await? >= MAX_DASHBOARDS => {
            Err(Error::Conflict("a context has at most 200 dashboards".to_owned()))
        }
        Ok(_) => Ok(()),
        Err(Error::NotFound(_)) => Err(Error::invalid("/share_context_id", "is no context of yours")),
        Err(error) => Err(error),
    }
}

async fn commit(
    service: &Service,
    mut session: Session,
    actor: &Actor,
    id: Uuid,
) -> Result<Done<ContextOut>> {
    let context = store::context::find(&mut session, actor.organization.id, id).await?;
    let keys = store::context::pending(&mut session, id).await?;
    session.commit().await?;
    let pending = !service.replication.confirm(keys).await;
    Ok(Done { body: render(Context { pending, ..context }), pending, replayed: false })
}

fn render(context: Context) -> ContextOut {
    ContextOut {
        id: context.id,
        name: context.name,
        description: context.description,
        member_count: context.members,
        share_count: context.shares,
        effective: effective(context.pending),
        created_at: context.created_at.to_rfc3339(),
        updated_at: context.updated_at.to_rfc3339(),
    }
}
