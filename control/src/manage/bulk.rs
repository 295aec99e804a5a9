//! One change of many shares: all of them or none, and all dead together when the call returns.

use super::{Actor, Done, share};
use crate::service::Service;
use crate::store::share::Stored;
use crate::store::share::filter::{self, Wanted, list, one};
use crate::store::{self, Page, Session, outbox};
use shared::face::dashboard::manage::{
    BulkAction, BulkIn, BulkOut, BulkShareOut, MAX_BULK_SHARES, ShareFilter, ShareOut, effective,
};
use shared::model::share::{Share, ShareType, State, TargetKind};
use shared::time::Millis;
use shared::{Error, Result};
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use uuid::Uuid;

/// Revokes or rotates every live share that the filter is true of.
///
/// A revocation is called live only when the edge knows of all that the filter matches, also of what was revoked
/// before: whoever repeats it because it was pending is not told otherwise too early.
pub(crate) async fn run(service: &Service, actor: &Actor, input: &BulkIn) -> Result<Done<BulkOut>> {
    input.check()?;
    let input = &of_links(input);
    let now = service.clock.now();
    if input.dry_run {
        let mut session = service.store.read().await?;
        let found = find(&mut session, actor, &input.filter, now).await?;
        let pending = found.iter().any(|stored| stored.pending);
        let body = answer(service, &found, (0, pending));
        return Ok(Done { body, pending: false, replayed: false });
    }
    let mut session = service.store.write().await?;
    let found = find(&mut session, actor, &input.filter, now).await?;
    let locked = lock_all(&mut session, actor, &found, now).await?;
    let (mut changed, mut keys) = (Vec::new(), Vec::new());
    for mut share in locked {
        if change(service, &mut session, actor, (input.action, &mut share), now).await? {
            changed.push(share::find(&mut session, actor, TargetKind::DASHBOARDS, share.id).await?);
        }
        // Of one that somebody else has revoked as well: its old link may still be served.
        let pending = outbox::pending_of(&mut session, share.id).await?;
        keys.extend(pending.into_iter().map(|key| (share.id, key)));
    }
    let mut contexts: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
    for Stored { share, .. } in &found {
        let Some(context) = share.context else { continue };
        if let Entry::Vacant(new) = contexts.entry(context) {
            new.insert(store::context::pending(&mut session, context).await?);
        }
        let pending = contexts.get(&context).into_iter().flatten().cloned();
        keys.extend(pending.map(|key| (share.id, key)));
    }
    if input.action == BulkAction::Revoke {
        let known: HashSet<Uuid> = found.iter().map(|stored| stored.share.id).collect();
        let wanted = wanted(actor, &input.filter, now);
        let earlier = filter::pending_of_revoked(&mut session, &wanted).await?;
        keys.extend(earlier.into_iter().filter(|(share, _)| !known.contains(share)));
    }
    session.commit().await?;
    // Shares of one context wait for the same record.
    let mut known = HashSet::new();
    let to_push = keys.iter().map(|(_, key)| key).filter(|key| known.insert(*key)).cloned().collect();
    let missing = service.replication.unconfirmed(to_push).await;
    let late: HashSet<Uuid> =
        keys.into_iter().filter(|(_, key)| missing.contains(key)).map(|(share, _)| share).collect();
    for stored in &mut changed {
        stored.pending = late.contains(&stored.share.id);
    }
    let pending = !late.is_empty();
    let body = answer(service, &changed, (changed.len(), pending));
    Ok(Done { body: BulkOut { matched: found.len() as u64, ..body }, pending, replayed: false })
}

/// Embeds are changed only by name: all tokens that back ends have made would die of what was meant for links.
fn of_links(input: &BulkIn) -> BulkIn {
    let mut input = input.clone();
    if input.filter.ids.is_none() {
        input.filter.share_type = input.filter.share_type.or(Some(ShareType::Link));
    }
    input
}

fn wanted<'a>(actor: &Actor, filter: &'a ShareFilter, now: Millis) -> Wanted<'a> {
    let (kind, target) = (Some(TargetKind::Dashboard), filter.dashboard_id);
    Wanted { organization: actor.organization.id, kind, target, filter, live_only: true, now }
}

/// The live shares that the filter is true of, newest first.
async fn find(
    session: &mut Session,
    actor: &Actor,
    filter: &ShareFilter,
    now: Millis,
) -> Result<Vec<Stored>> {
    let wanted = wanted(actor, filter, now);
    if let Some(ids) = &filter.ids {
        let mut found = Vec::new();
        for Reverse(id) in ids.iter().copied().map(Reverse).collect::<BTreeSet<_>>() {
            found.extend(one(session, &wanted, id).await?);
        }
        return Ok(found);
    }
    let most = u32::try_from(MAX_BULK_SHARES).unwrap_or(u32::MAX);
    let listed = list(session, &wanted, &Page { limit: most, before: None }).await?;
    if listed.total > u64::from(most) {
        let message = format!("matches {} shares: at most 1,000 are changed at once", listed.total);
        return Err(Error::invalid("/filter", message));
    }
    Ok(listed.records)
}

/// Holds what is changed, the dashboards first and in order: whoever changes all shares of one waits, instead of each waiting for the other.
async fn lock_all(session: &mut Session, actor: &Actor, found: &[Stored], now: Millis) -> Result<Vec<Share>> {
    for dashboard in found.iter().map(|stored| stored.share.target.id).collect::<BTreeSet<_>>() {
        match store::dashboard::lock(session, actor.organization.id, dashboard).await {
            // Its shares were revoked with it.
            Ok(_) | Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    // Then the shares and, last, their contexts, for the same reason.
    let mut locked = Vec::with_capacity(found.len());
    for stored in found {
        locked.push(share::lock(session, actor, TargetKind::DASHBOARDS, stored.share.id).await?);
    }
    store::context::touch(session, found.iter().filter_map(|stored| stored.share.context), now).await?;
    Ok(locked)
}

/// Changes one share that is held. `false` when somebody else has revoked it meanwhile.
async fn change(
    service: &Service,
    session: &mut Session,
    actor: &Actor,
    (action, share): (BulkAction, &mut Share),
    now: Millis,
) -> Result<bool> {
    if share.state != State::Live {
        return Ok(false);
    }
    match action {
        BulkAction::Revoke => share::revoke_within(session, actor, share, now).await,
        BulkAction::Rotate => share::rotate_within(service, session, actor, share, now).await.map(|()| true),
    }
}

/// What was done; `pending` is told apart from the shares, since links of earlier changes count as well.
fn answer(service: &Service, shares: &[Stored], (changed, pending): (usize, bool)) -> BulkOut {
    let brief = |stored: &Stored| {
        let ShareOut { id, status, token, url, generation, effective, .. } = service.share_out(stored);
        BulkShareOut { id, status, token, url, generation, effective }
    };
    BulkOut {
        matched: shares.len() as u64,
        changed: changed as u64,
        effective: effective(pending),
        shares: shares.iter().map(brief).collect(),
    }
}
