//! What the edge has yet to learn: rows are enqueued in the transaction of the change, claimed by a
//! pusher, and settled by the edge's receipts.
//!
//! A row names a record and the least revision that the edge must confirm. Revisions only grow, so a
//! late receipt for an older one can never settle a newer change.

use super::share::Row as ShareRow;
use super::usage::Row as UsageRow;
use super::{Session, context, document, embed, execute, fault, id, query, signed, unsigned};
use shared::model::context::{Bound, ContextView};
use shared::model::dashboard::Definition;
use shared::model::data_product;
use shared::model::embed::Terms;
use shared::model::share::{Share, ShareType, State, Target, TargetKind};
use shared::model::usage::Usage;
use shared::replica::{
    CONTEXT_SCHEMA, EMBED_SCHEMA, Live, Organization, PRODUCT_SCHEMA, Record, SCHEMA, ShareView, TargetView,
};
use shared::time::Millis;
use shared::{Error, Result};
use std::collections::HashMap;
use std::time::Duration;

/// How long a claim lasts: longer than one push and its drain may take. A crashed pusher's rows are free again
/// after it.
pub(crate) const CLAIM: Duration = Duration::from_secs(15);

/// A row that its claimer must push.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Claimed {
    /// The record.
    pub(crate) record_key: String,
    /// Failed pushes so far.
    pub(crate) attempts: i64,
}

/// Enqueues one record, claimed by the caller, who pushes it right after the commit.
pub(crate) async fn enqueue(session: &mut Session, key: &str, revision: u64, now: Millis) -> Result<()> {
    const SQL: &str = "INSERT INTO outbox
            (record_key, revision, enqueued_at, attempts, next_attempt_at, claimed_until)
        VALUES ($1, $2, $3, 0, $3, $4)
        ON CONFLICT (record_key) DO UPDATE SET revision = excluded.revision, attempts = 0,
            next_attempt_at = excluded.next_attempt_at, claimed_until = excluded.claimed_until, parked_at = NULL,
            enqueued_at = CASE WHEN outbox.parked_at IS NULL THEN outbox.enqueued_at ELSE excluded.enqueued_at END";
    execute!(session, SQL, key, signed(revision), now.0, now.plus(CLAIM).0).map_err(fault)?;
    Ok(())
}

/// Enqueues the current tokens of shares, of one text for all that change many together. `$3` says whose.
macro_rules! enqueue_current {
    ($whose:literal) => {
        concat!(
            "INSERT INTO outbox
                (record_key, revision, enqueued_at, attempts, next_attempt_at, claimed_until)
            SELECT t.record_key, s.revision, $1, 0, $1, $2
            FROM share s JOIN share_token t ON t.share_id = s.id
            WHERE t.retired_at IS NULL AND ",
            $whose,
            " ON CONFLICT (record_key) DO UPDATE SET revision = excluded.revision, attempts = 0,
                next_attempt_at = excluded.next_attempt_at, claimed_until = excluded.claimed_until, parked_at = NULL,
                enqueued_at = CASE WHEN outbox.parked_at IS NULL THEN outbox.enqueued_at ELSE excluded.enqueued_at END
            RETURNING record_key"
        )
    };
}

/// Enqueues the current tokens of all shares of what they open and gives their record keys.
pub(crate) async fn enqueue_all(
    session: &mut Session,
    target: uuid::Uuid,
    now: Millis,
) -> Result<Vec<String>> {
    const SQL: &str = enqueue_current!("s.target_id = $3");
    let rows = query!(session, fetch_all, (String,), SQL, now.0, now.plus(CLAIM).0, target.to_string())
        .map_err(fault)?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}

/// Enqueues the embeds in force of an organization.
pub(crate) async fn enqueue_embeds(
    session: &mut Session,
    organization: uuid::Uuid,
    now: Millis,
) -> Result<()> {
    const SQL: &str = enqueue_current!("s.organization_id = $3 AND s.share_type = 'embed'");
    execute!(session, SQL, now.0, now.plus(CLAIM).0, organization.to_string()).map_err(fault)?;
    Ok(())
}

/// Claims rows that are due, oldest first.
pub(crate) async fn claim(session: &mut Session, limit: usize, now: Millis) -> Result<Vec<Claimed>> {
    macro_rules! claim {
        ($skip_locked:literal) => {
            concat!(
                "UPDATE outbox SET claimed_until = $1
                WHERE claimed_until <= $2 AND record_key IN (
                    SELECT record_key FROM outbox
                    WHERE next_attempt_at <= $2 AND claimed_until <= $2
                    ORDER BY next_attempt_at LIMIT $3 ",
                $skip_locked,
                ") RETURNING record_key, attempts"
            )
        };
    }
    // Rows that another holds are left to it: a claim that waited for one could hold what that one wants.
    let sql = match session {
        Session::Sqlite(_) => claim!(""),
        Session::Postgres(_) => claim!("FOR UPDATE SKIP LOCKED"),
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    query!(session, fetch_all, Claimed, sql, now.plus(CLAIM).0, now.0, limit).map_err(fault)
}

/// The edge has `revision` of a record in force: the row goes, unless it wants a newer one.
pub(crate) async fn settle(session: &mut Session, key: &str, revision: u64) -> Result<()> {
    const SQL: &str = "DELETE FROM outbox WHERE record_key = $1 AND revision <= $2";
    execute!(session, SQL, key, signed(revision)).map_err(fault)?;
    Ok(())
}

/// The edge holds a newer revision of a record than the database: a backup was restored. Raises the share
/// above it, so that what the database says is in force again, and gives the records to push anew: this one
/// and the share's current one. None when the database has caught up meanwhile.
///
/// The password's version and the resets of guesses rise above it too: each of them grows only with the revision, so
/// both are then greater than in any history that the edge has seen, and no grant or count of guesses of it holds.
pub(crate) async fn overtake(
    session: &mut Session,
    key: &str,
    (sent, in_force): (u64, u64),
    now: Millis,
) -> Result<Vec<String>> {
    // The same revision of another history counts as well, if it is still what was sent.
    const RAISE: &str = "UPDATE share SET revision = $1 + 1, protection_version = $1 + 1, guess_resets = $1 + 1
        WHERE (revision < $1 OR (revision = $1 AND revision = $3)) AND id = (SELECT share_id FROM share_token WHERE record_key = $2)";
    const ENQUEUE: &str = "INSERT INTO outbox
            (record_key, revision, enqueued_at, attempts, next_attempt_at, claimed_until)
        SELECT t.record_key, s.revision, $1, 0, $1, $2
        FROM share_token this
        JOIN share s ON s.id = this.share_id
        JOIN share_token t ON t.share_id = s.id AND (t.retired_at IS NULL OR t.record_key = this.record_key)
        WHERE this.record_key = $3
        ON CONFLICT (record_key) DO UPDATE SET revision = excluded.revision
        RETURNING record_key";
    if execute!(&mut *session, RAISE, signed(in_force), key, signed(sent)).map_err(fault)? == 0 {
        return Ok(Vec::new());
    }
    let rows =
        query!(session, fetch_all, (String,), ENQUEUE, now.0, now.plus(CLAIM).0, key).map_err(fault)?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}

/// A push failed: try again at `next`. `parked` is the alarm that it has failed too often.
pub(crate) async fn postpone(
    session: &mut Session,
    key: &str,
    next: Millis,
    parked: Option<Millis>,
    error: &str,
) -> Result<()> {
    const SQL: &str = "UPDATE outbox SET attempts = attempts + 1, next_attempt_at = $1, claimed_until = 0,
            parked_at = $2, last_error = $3
        WHERE record_key = $4";
    execute!(session, SQL, next.0, parked.map(|at| at.0), error, key).map_err(fault)?;
    Ok(())
}

/// The edge is out of reach: try again at `next`, and hold it against no row.
pub(crate) async fn wait(session: &mut Session, key: &str, next: Millis, error: &str) -> Result<()> {
    const SQL: &str = "UPDATE outbox SET next_attempt_at = $1, claimed_until = 0, last_error = $2
        WHERE record_key = $3";
    execute!(session, SQL, next.0, error, key).map_err(fault)?;
    Ok(())
}

/// Gives parked rows another chance, as at start-up.
pub(crate) async fn unpark(session: &mut Session, now: Millis) -> Result<u64> {
    const SQL: &str =
        "UPDATE outbox SET parked_at = NULL, attempts = 0, next_attempt_at = $1, enqueued_at = $1
        WHERE parked_at IS NOT NULL";
    execute!(session, SQL, now.0).map_err(fault)
}

/// How far behind the edge may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// Rows that wait.
    pub(crate) depth: u64,
    /// Rows that nobody pushes any more.
    pub(crate) parked: u64,
    /// Age of the oldest row that is not parked; zero when there is none.
    pub(crate) lag: Duration,
}

pub(crate) async fn backlog(session: &mut Session, now: Millis) -> Result<Backlog> {
    const SQL: &str = "SELECT COUNT(*), COUNT(parked_at),
            MIN(CASE WHEN parked_at IS NULL THEN enqueued_at END) FROM outbox";
    let (depth, parked, oldest) = query!(session, fetch_one, (i64, i64, Option<i64>), SQL).map_err(fault)?;
    Ok(Backlog {
        depth: unsigned(depth),
        parked: unsigned(parked),
        lag: oldest.map_or(Duration::ZERO, |oldest| now.since(Millis(oldest))),
    })
}

#[derive(sqlx::FromRow)]
struct CurrentRow {
    record_key: String,
    #[sqlx(flatten)]
    share: ShareRow,
    #[sqlx(flatten)]
    usage: UsageRow,
    token_generation: i64,
    organization_slug: String,
    organization_name: String,
    embed_origins: String,
    oldest_embed_key: Option<i64>,
    newest_embed_key: Option<i64>,
    definition: Option<String>,
    version: Option<i64>,
    context_name: Option<String>,
    /// Of a context: what its members may open. Another query finds it.
    #[sqlx(skip)]
    bound: Vec<Bound>,
}

/// Query of [`CurrentRow`]s: what stands before it, which tokens it looks at, and which it takes.
macro_rules! current {
    ($with:literal, $tokens:literal, $which:literal) => {
        concat!(
            $with,
            " SELECT t.record_key, t.share_id, t.accesses, t.opens, t.last_opened_at, t.locked_until,
                t.locked_resets, s.*, t.generation AS token_generation, o.slug AS organization_slug,
                o.name AS organization_name, o.embed_origins, c.name AS context_name,
                COALESCE(d.definition, p.definition, i.definition, m.definition) AS definition,
                COALESCE(d.version, p.version) AS version,
                CASE WHEN s.share_type = 'embed' THEN (SELECT MIN(k.generation) FROM embed_key k
                    WHERE k.organization_id = o.id AND k.stopped_at IS NULL) END AS oldest_embed_key,
                CASE WHEN s.share_type = 'embed' THEN (SELECT MAX(k.generation) FROM embed_key k
                    WHERE k.organization_id = o.id AND k.stopped_at IS NULL) END AS newest_embed_key
            FROM ",
            $tokens,
            " JOIN share s ON s.id = t.share_id
            JOIN organization o ON o.id = s.organization_id
            LEFT JOIN share_context c ON s.target_kind = 'context' AND c.id = s.target_id
            LEFT JOIN dashboard d ON s.target_kind = 'dashboard' AND d.id = s.target_id
            LEFT JOIN item i ON s.target_kind = 'item' AND i.id = s.target_id
            LEFT JOIN collection m ON s.target_kind = 'collection' AND m.id = s.target_id
            LEFT JOIN data_product p ON s.target_kind = 'data_product' AND p.id = s.target_id
            WHERE ",
            $which
        )
    };
}

/// What the edge should know of a record now; `None` for a key that was never issued.
pub(crate) async fn record(session: &mut Session, key: &str) -> Result<Option<Record>> {
    let current = records(session, &[key.to_owned()]).await?.remove(key).transpose()?;
    Ok(current.map(|(record, _)| record))
}

/// What the edge should know of these records now, and what was counted of their tokens, but for keys that were never issued.
pub(crate) async fn records(
    session: &mut Session,
    keys: &[String],
) -> Result<HashMap<String, Result<(Record, Usage)>>> {
    // The keys come as one text, which is cut again where each begins: they are all of one length.
    const SQL: &str = current!(
        "WITH RECURSIVE slot (n) AS
            (SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM slot WHERE n + 1 < $2)",
        "slot CROSS JOIN share_token t",
        "t.record_key = substr($1, CAST(32 * slot.n + 1 AS INTEGER), 32)"
    );
    let count = i64::try_from(keys.len()).unwrap_or(i64::MAX);
    let mut rows = query!(&mut *session, fetch_all, CurrentRow, SQL, keys.concat(), count).map_err(fault)?;
    find_bound(session, &mut rows).await?;
    Ok(rows.into_iter().map(CurrentRow::into_record).collect())
}

/// What the edge should know of the records whose keys lie between two texts, neither included, in the order of their
/// keys.
pub(crate) async fn records_between(
    session: &mut Session,
    (after, before): (&str, &str),
    limit: u32,
) -> Result<Vec<(String, Result<Record>)>> {
    const SQL: &str = current!(
        "",
        "share_token t",
        "t.record_key > $1 AND t.record_key < $2 ORDER BY t.record_key LIMIT $3"
    );
    let limit = i64::from(limit);
    let mut rows = query!(&mut *session, fetch_all, CurrentRow, SQL, after, before, limit).map_err(fault)?;
    find_bound(session, &mut rows).await?;
    let current = rows.into_iter().map(CurrentRow::into_record);
    Ok(current.map(|(key, current)| (key, current.map(|(record, _)| record))).collect())
}

/// Finds what the members of contexts may open.
async fn find_bound(session: &mut Session, rows: &mut [CurrentRow]) -> Result<()> {
    for row in rows {
        if let Some(context) = row.share.live_context() {
            row.bound = context::bound(session, context).await?;
        }
    }
    Ok(())
}

/// Enqueues what is current of these records, for any pusher and at once.
pub(crate) async fn enqueue_unclaimed(session: &mut Session, keys: &[String], now: Millis) -> Result<()> {
    const SQL: &str = "INSERT INTO outbox
            (record_key, revision, enqueued_at, attempts, next_attempt_at, claimed_until)
        SELECT t.record_key, s.revision, $1, 0, $1, 0
        FROM share_token t JOIN share s ON s.id = t.share_id
        WHERE t.record_key = $2
        ON CONFLICT (record_key) DO UPDATE SET revision = excluded.revision, attempts = 0,
            next_attempt_at = excluded.next_attempt_at, parked_at = NULL,
            enqueued_at = CASE WHEN outbox.parked_at IS NULL THEN outbox.enqueued_at ELSE excluded.enqueued_at END";
    for key in keys {
        execute!(&mut *session, SQL, now.0, key).map_err(fault)?;
    }
    Ok(())
}

impl CurrentRow {
    fn into_record(self) -> (String, Result<(Record, Usage)>) {
        let Self { record_key, share, token_generation, organization_slug, organization_name, .. } = self;
        // Two keys are in force at most.
        let mut keys: Vec<u64> =
            [self.oldest_embed_key, self.newest_embed_key].into_iter().flatten().map(unsigned).collect();
        keys.dedup();
        let make = || {
            let organization_id = id(&share.organization_id)?;
            let organization =
                Organization { id: organization_id, slug: organization_slug, name: organization_name };
            let share = share.into_domain()?;
            let target = match self.context_name {
                Some(name) => TargetView::Context(ContextView {
                    id: share.target.id,
                    name,
                    ended: share.revoked_tokens.iter().map(|ended| id(&ended.jti)).collect::<Result<_>>()?,
                    dashboards: self.bound,
                }),
                None => target(share.target, self.definition.as_deref(), self.version)?,
            };
            let embed = match share.share_type {
                ShareType::Link | ShareType::Portal => None,
                ShareType::Embed => Some(Terms {
                    keys,
                    revoked: embed::ids(&share.revoked_tokens),
                    origins: document(&self.embed_origins)?,
                }),
            };
            let current = share.generation == unsigned(token_generation);
            let record = match share.state {
                State::Live if current && share.closed => Record::closed(share.revision),
                State::Live if current => live(share, embed, organization, target),
                _ => Record::tombstone(share.revision),
            };
            Ok((record, self.usage.usage()))
        };
        (record_key, make())
    }
}

/// What viewers may know of what a share opens, from the row of its kind's own table.
fn target(target: Target, definition: Option<&str>, version: Option<i64>) -> Result<TargetView> {
    let missing = || Error::Internal(format!("{target:?} has no row"));
    let definition = definition.ok_or_else(missing)?;
    match target.kind {
        TargetKind::Dashboard => {
            let version = version.ok_or_else(missing)?;
            let definition = document::<Definition>(definition)?;
            Ok(TargetView::Dashboard(definition.view(target.id, unsigned(version))))
        }
        TargetKind::Item => Ok(TargetView::Item(document(definition)?)),
        TargetKind::Collection => Ok(TargetView::Collection(document(definition)?)),
        TargetKind::DataProduct => {
            let version = version.ok_or_else(missing)?;
            let definition = document::<data_product::Definition>(definition)?;
            let view = definition.view(target.id, unsigned(version));
            view.map(TargetView::DataProduct).ok_or_else(missing)
        }
        TargetKind::Context => Err(missing()),
    }
}

fn live(share: Share, embed: Option<Terms>, organization: Organization, target: TargetView) -> Record {
    let is_context = matches!(target, TargetView::Context(_));
    Record {
        schema: match embed {
            Some(_) => EMBED_SCHEMA,
            None if is_context || share.context.is_some() => CONTEXT_SCHEMA,
            None if target.data_product().is_some() => PRODUCT_SCHEMA,
            None => SCHEMA,
        },
        revision: share.revision,
        closed: false,
        live: Some(Live {
            organization,
            share: ShareView {
                id: share.id,
                name: share.name,
                share_type: share.share_type,
                permission: share.permission,
                generation: share.generation,
                not_before: share.not_before,
                expires_at: share.expires_at,
                // A grant is a cookie, which frames of other sites have not.
                frame_origins: if share.protection.need().is_none() {
                    share.frame_origins
                } else {
                    Vec::new()
                },
                tile_budget: share.tile_budget,
            },
            protection: share.protection,
            context: share.context,
            rules: share.rules,
            embed,
            target,
        }),
    }
}

/// Record keys of a share that the edge has yet to learn about, tombstones first.
pub(crate) async fn pending_of(session: &mut Session, share: uuid::Uuid) -> Result<Vec<String>> {
    const SQL: &str = "SELECT o.record_key FROM outbox o JOIN share_token t ON t.record_key = o.record_key
        WHERE t.share_id = $1 ORDER BY t.generation";
    let rows = query!(session, fetch_all, (String,), SQL, share.to_string()).map_err(fault)?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}

/// Record keys of all shares of what they open that the edge has yet to learn about, tombstones first.
pub(crate) async fn pending_of_target(session: &mut Session, target: uuid::Uuid) -> Result<Vec<String>> {
    const SQL: &str = "SELECT o.record_key FROM share s
        JOIN share_token t ON t.share_id = s.id JOIN outbox o ON o.record_key = t.record_key
        WHERE s.target_id = $1 ORDER BY s.id, t.generation";
    let rows = query!(session, fetch_all, (String,), SQL, target.to_string()).map_err(fault)?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}
