//! What gates report of their tokens. It changes no share, so the edge has nothing to learn of it.

use super::Actor;
use crate::service::Service;
use crate::store::{self, Session};
use serde_json::json;
use shared::model::meter::{DEFAULT_BUDGET, Days, TilesByDay, date, newly_spent};
use shared::model::token::RecordKey;
use shared::model::usage::Usage;
use shared::time::Millis;
use shared::{Error, Result};
use uuid::Uuid;

/// Notes a report, whether it is new, old or repeated. The owner learns by the audit trail when guessing is locked,
/// and when a link has given its tiles of a day.
pub(crate) async fn report(service: &Service, key: &RecordKey, reported: Usage, tiles: &Days) -> Result<()> {
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    // The share first, as everywhere: two sessions that lock both must not wait for one another.
    store::share::hold_of_token(&mut session, key.as_str()).await?;
    let (share, before) =
        store::usage::lock(&mut session, key.as_str()).await?.ok_or(Error::NotFound("record"))?;
    let after = before.merged(reported);
    let spent = count_tiles(&mut session, key, share, tiles).await?;
    if after == before && tiles.days.is_empty() {
        return Ok(());
    }
    store::usage::update(&mut session, key.as_str(), &after).await?;
    if before.opens == 0 && after.opens > 0 && service.mail.is_configured() {
        super::portal::tell_of_first_opening(&mut session, share, now).await?;
    }
    let locked = after.begins_lock(&before, now);
    if locked || !spent.days.is_empty() {
        let actor = Actor::edge(store::organization::of_share(&mut session, share).await?);
        if locked {
            let detail = json!({ "locked_until": after.locked_until.map(Millis::to_rfc3339) });
            actor.audit(&mut session, ("share.password_locked", share), detail, now).await?;
        }
        for (day, tiles) in &spent.days {
            let detail = json!({ "day": date(*day), "tiles": tiles, "budget": spent.budget });
            actor.audit(&mut session, ("share.tile_budget_spent", share), detail, now).await?;
        }
    }
    session.commit().await?;
    if locked {
        metrics::counter!("postern_password_locked_total").increment(1);
        tracing::warn!(%share, "a password was guessed wrong too often: guessing is locked for a while");
    }
    for day in spent.days.keys() {
        metrics::counter!("postern_tile_budget_spent_total").increment(1);
        tracing::warn!(%share, day = date(*day), "a link has given its tiles of the day");
    }
    Ok(())
}

/// Days of which a report is the first to say that a link has given as many tiles as it may.
struct Spent {
    days: TilesByDay,
    budget: u64,
}

/// Merges what was reported of a token whose row is held.
async fn count_tiles(session: &mut Session, key: &RecordKey, share: Uuid, tiles: &Days) -> Result<Spent> {
    let Some(first) = tiles.days.iter().map(|day| day.day).min() else {
        return Ok(Spent { days: TilesByDay::new(), budget: DEFAULT_BUDGET });
    };
    let found = store::share::any(session, share).await?.ok_or(Error::NotFound("share"))?;
    let budget = found.tile_budget.unwrap_or(DEFAULT_BUDGET);
    let before = store::map::tiles_of_token(session, key.as_str(), first).await?;
    store::map::merge_tiles(session, key.as_str(), tiles).await?;
    let after = store::map::tiles_of_token(session, key.as_str(), first).await?;
    Ok(Spent { days: newly_spent(&before, &after, budget), budget })
}
