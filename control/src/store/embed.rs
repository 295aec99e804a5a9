//! What embeds need beside their shares: the organizations' keys and origins.

use super::share::Row as ShareRow;
use super::{Session, document, execute, fault, outbox, query, signed, to_text, unsigned};
use shared::model::embed::{RevokedToken, Terms};
use shared::model::origin::Origin;
use shared::model::share::Share;
use shared::time::Millis;
use shared::{Error, Result};
use uuid::Uuid;

/// A key that signs, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    /// See [`shared::model::key::Keys::embed_key`].
    pub(crate) generation: u64,
    /// When it was made.
    pub(crate) created_at: Millis,
    /// When it was stopped.
    pub(crate) stopped_at: Option<Millis>,
}

/// Holds the organization until the session ends: keys, origins and new embeds change one after the other, so that no record is made
/// of terms that have just changed.
pub(crate) async fn lock(session: &mut Session, organization: Uuid) -> Result<()> {
    const SQL: &str = "UPDATE organization SET slug = slug WHERE id = $1";
    match execute!(session, SQL, organization.to_string()).map_err(fault)? {
        0 => Err(Error::NotFound("organization")),
        _ => Ok(()),
    }
}

/// All keys that an organization ever had, newest first.
pub(crate) async fn keys(session: &mut Session, organization: Uuid) -> Result<Vec<Key>> {
    const SQL: &str = "SELECT generation, created_at, stopped_at FROM embed_key
        WHERE organization_id = $1 ORDER BY generation DESC";
    let rows =
        query!(session, fetch_all, (i64, i64, Option<i64>), SQL, organization.to_string()).map_err(fault)?;
    let key = |(generation, created_at, stopped_at): (i64, i64, Option<i64>)| Key {
        generation: unsigned(generation),
        created_at: Millis(created_at),
        stopped_at: stopped_at.map(Millis),
    };
    Ok(rows.into_iter().map(key).collect())
}

pub(crate) async fn insert_key(
    session: &mut Session,
    organization: Uuid,
    generation: u64,
    now: Millis,
) -> Result<()> {
    const SQL: &str = "INSERT INTO embed_key (organization_id, generation, created_at) VALUES ($1, $2, $3)";
    execute!(session, SQL, organization.to_string(), signed(generation), now.0).map_err(fault)?;
    Ok(())
}

pub(crate) async fn stop_key(
    session: &mut Session,
    organization: Uuid,
    generation: u64,
    now: Millis,
) -> Result<()> {
    const SQL: &str = "UPDATE embed_key SET stopped_at = $1 WHERE organization_id = $2 AND generation = $3";
    execute!(session, SQL, now.0, organization.to_string(), signed(generation)).map_err(fault)?;
    Ok(())
}

/// Sites that may frame all embeds of an organization.
pub(crate) async fn origins(session: &mut Session, organization: Uuid) -> Result<Vec<Origin>> {
    const SQL: &str = "SELECT embed_origins FROM organization WHERE id = $1";
    let row = query!(session, fetch_optional, (String,), SQL, organization.to_string()).map_err(fault)?;
    let (origins,) = row.ok_or(Error::NotFound("organization"))?;
    document(&origins)
}

pub(crate) async fn set_origins(session: &mut Session, organization: Uuid, origins: &[Origin]) -> Result<()> {
    const SQL: &str = "UPDATE organization SET embed_origins = $1 WHERE id = $2";
    execute!(session, SQL, to_text(&origins)?, organization.to_string()).map_err(fault)?;
    Ok(())
}

/// What must hold of the tokens of an embed.
pub(crate) async fn terms(session: &mut Session, share: &Share) -> Result<Terms> {
    let keys = keys(session, share.organization_id).await?;
    let live = keys.iter().filter(|key| key.stopped_at.is_none()).map(|key| key.generation);
    let origins = origins(session, share.organization_id).await?;
    Ok(Terms { keys: live.collect(), revoked: ids(&share.revoked_tokens), origins })
}

/// Names of tokens that were taken back.
pub(super) fn ids(revoked: &[RevokedToken]) -> Vec<String> {
    revoked.iter().map(|token| token.jti.clone()).collect()
}

/// The newest embed of a dashboard, in force or not.
pub(crate) async fn newest(
    session: &mut Session,
    organization: Uuid,
    dashboard: Uuid,
) -> Result<Option<Share>> {
    const SQL: &str = "SELECT * FROM share
        WHERE target_id = $1 AND organization_id = $2 AND share_type = 'embed' ORDER BY generation DESC LIMIT 1";
    query!(session, fetch_optional, ShareRow, SQL, dashboard.to_string(), organization.to_string())
        .map_err(fault)?
        .map(ShareRow::into_domain)
        .transpose()
}

/// Gives every embed in force of an organization its next revision, and enqueues their records.
pub(crate) async fn touch_all(session: &mut Session, organization: Uuid, now: Millis) -> Result<()> {
    const TOUCH: &str = "UPDATE share SET revision = revision + 1
        WHERE organization_id = $1 AND share_type = 'embed' AND state = 'live'";
    // In the order in which bulk changes take theirs: SQLite has one writer anyway.
    const ORDER: &str = "SELECT id FROM share
        WHERE organization_id = $1 AND share_type = 'embed' AND state = 'live' ORDER BY id DESC FOR UPDATE";
    if let Session::Postgres(_) = session {
        query!(&mut *session, fetch_all, (String,), ORDER, organization.to_string()).map_err(fault)?;
    }
    execute!(&mut *session, TOUCH, organization.to_string()).map_err(fault)?;
    outbox::enqueue_embeds(session, organization, now).await
}

/// Record keys of a dashboard's embeds, those before included, that the edge has yet to learn about, in order of generation.
pub(crate) async fn pending_of(session: &mut Session, dashboard: Uuid) -> Result<Vec<String>> {
    const SQL: &str = "SELECT o.record_key FROM share s
        JOIN share_token t ON t.share_id = s.id JOIN outbox o ON o.record_key = t.record_key
        WHERE s.target_id = $1 AND s.share_type = 'embed' ORDER BY t.generation";
    let rows = query!(session, fetch_all, (String,), SQL, dashboard.to_string()).map_err(fault)?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}

/// Record keys of an organization's embeds that the edge has yet to learn about.
pub(crate) async fn pending(session: &mut Session, organization: Uuid) -> Result<Vec<String>> {
    const SQL: &str = "SELECT o.record_key FROM share s
        JOIN share_token t ON t.share_id = s.id JOIN outbox o ON o.record_key = t.record_key
        WHERE s.organization_id = $1 AND s.share_type = 'embed' ORDER BY t.record_key";
    let rows = query!(session, fetch_all, (String,), SQL, organization.to_string()).map_err(fault)?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}
