//! Links that died at the edge and came back to life in a database that was restored from a backup.

use crate::store::{Session, audit, outbox, share};
use serde_json::json;
use shared::Result;
use shared::time::Millis;
use uuid::Uuid;

/// The edge has seen a link die at `revision` that the database, restored from a backup, believes alive: nothing may bring it
/// back. `false` when the database has learned of its death meanwhile.
pub(super) async fn bury(session: &mut Session, key: &str, revision: u64, now: Millis) -> Result<bool> {
    if outbox::record(session, key).await?.is_none_or(|record| record.is_dead()) {
        return Ok(false);
    }
    let Some(mut share) = share::of_token(session, key).await? else { return Ok(false) };
    share.revision = share.revision.max(revision);
    if !share.revoke(now) {
        return Ok(false);
    }
    share::update(session, &share).await?;
    share::retire_token(session, share.id, now).await?;
    outbox::enqueue(session, key, share.revision, now).await?;
    let entry = audit::Entry {
        id: Uuid::now_v7(),
        actor: "edge".to_owned(),
        action: "share.buried".to_owned(),
        subject: share.id.to_string(),
        at: now,
        detail: json!({ "reason": "its link was dead at the edge, though not in the database" }),
    };
    audit::insert(session, share.organization_id, &entry).await?;
    Ok(true)
}
