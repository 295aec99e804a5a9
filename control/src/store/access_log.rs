//! Who opened which share, as the edge tells it.

use super::{Listed, Page, Session, execute, fault, id, query, unsigned};
use shared::Result;
use shared::call::Access;
use shared::time::Millis;
use uuid::Uuid;

/// An entry, with the address that the session was begun with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its id.
    pub(crate) id: Uuid,
    /// Through which context.
    pub(crate) context: Uuid,
    /// Through which member.
    pub(crate) member: Uuid,
    /// Whose.
    pub(crate) address: String,
    /// What was asked for.
    pub(crate) action: String,
    /// When.
    pub(crate) at: Millis,
}

/// Saves an entry once. One of a share or a session that is not there is dropped.
pub(crate) async fn insert(session: &mut Session, access: &Access) -> Result<()> {
    const SQL: &str = "INSERT INTO access_log (id, share_id, context_id, member_id, address, action, at)
        SELECT $1, s.id, $2, $3, p.address, $4, $5
        FROM share s JOIN portal_session p ON p.organization_id = s.organization_id
        WHERE s.id = $6 AND p.id = $7
        ON CONFLICT DO NOTHING";
    execute!(
        session,
        SQL,
        access.id.to_string(),
        access.context.to_string(),
        access.member.to_string(),
        access.action.name(),
        access.at.0,
        access.share.to_string(),
        access.session.to_string(),
    )
    .map_err(fault)?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    context_id: String,
    member_id: String,
    address: String,
    action: String,
    at: i64,
}

impl Row {
    fn into_domain(self) -> Result<Entry> {
        Ok(Entry {
            id: id(&self.id)?,
            context: id(&self.context_id)?,
            member: id(&self.member_id)?,
            address: self.address,
            action: self.action,
            at: Millis(self.at),
        })
    }
}

/// The entries of a share, newest first.
pub(crate) async fn list(session: &mut Session, share: Uuid, page: &Page) -> Result<Listed<Entry>> {
    const COUNT: &str = "SELECT COUNT(*) FROM access_log WHERE share_id = $1";
    const SQL: &str = "SELECT id, context_id, member_id, address, action, at FROM access_log
        WHERE share_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let share = share.to_string();
    let (total,) = query!(&mut *session, fetch_one, (i64,), COUNT, &share).map_err(fault)?;
    let limit = i64::from(page.limit);
    let rows = query!(session, fetch_all, Row, SQL, &share, page.before_text(), limit).map_err(fault)?;
    let records = rows.into_iter().map(Row::into_domain).collect::<Result<_>>()?;
    Ok(Listed { total: unsigned(total), records })
}

/// Forgets entries from before an instant.
pub(crate) async fn sweep(session: &mut Session, before: Millis) -> Result<u64> {
    execute!(session, "DELETE FROM access_log WHERE at < $1", before.0).map_err(fault)
}
