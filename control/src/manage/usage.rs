//! What gates report of their tokens. It changes no share, so the edge has nothing to learn of it.

use super::Actor;
use crate::service::Service;
use crate::store;
use serde_json::json;
use shared::model::meter::Days;
use shared::model::token::RecordKey;
use shared::model::usage::Usage;
use shared::time::Millis;
use shared::{Error, Result};

/// Notes a report, whether it is new, old or repeated. The owner learns by the audit trail when guessing is locked.
pub(crate) async fn report(service: &Service, key: &RecordKey, reported: Usage, tiles: &Days) -> Result<()> {
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    // The share first, as everywhere: two sessions that lock both must not wait for one another.
    store::share::hold_of_token(&mut session, key.as_str()).await?;
    let (share, before) =
        store::usage::lock(&mut session, key.as_str()).await?.ok_or(Error::NotFound("record"))?;
    let after = before.merged(reported);
    store::map::merge_tiles(&mut session, key.as_str(), tiles).await?;
    if after == before && tiles.days.is_empty() {
        return Ok(());
    }
    store::usage::update(&mut session, key.as_str(), &after).await?;
    if before.opens == 0 && after.opens > 0 && service.mail.is_configured() {
        super::portal::tell_of_first_opening(&mut session, share, now).await?;
    }
    let locked = after.begins_lock(&before, now);
    if locked {
        let actor = Actor::edge(store::organization::of_share(&mut session, share).await?);
        let detail = json!({ "locked_until": after.locked_until.map(Millis::to_rfc3339) });
        actor.audit(&mut session, ("share.password_locked", share), detail, now).await?;
    }
    session.commit().await?;
    if locked {
        metrics::counter!("postern_password_locked_total").increment(1);
        tracing::warn!(%share, "a password was guessed wrong too often: guessing is locked for a while");
    }
    Ok(())
}
