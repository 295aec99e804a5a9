//! The audit trail: rows are added, never changed.

use super::{Listed, Page, Session, execute, fault, id, query, to_text, unsigned};
use serde_json::Value;
use shared::Result;
use shared::time::Millis;
use uuid::Uuid;

/// One change, and who made it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its id.
    pub(crate) id: Uuid,
    /// `key:<id>`, `session:<id>`, `cli` or `edge`.
    pub(crate) actor: String,
    /// Such as `share.rotate`.
    pub(crate) action: String,
    /// The id of what was changed.
    pub(crate) subject: String,
    /// When.
    pub(crate) at: Millis,
    /// What is worth knowing; never a secret.
    pub(crate) detail: Value,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    actor: String,
    action: String,
    subject: String,
    at: i64,
    detail: String,
}

impl Row {
    fn into_domain(self) -> Result<Entry> {
        Ok(Entry {
            id: id(&self.id)?,
            actor: self.actor,
            action: self.action,
            subject: self.subject,
            at: Millis(self.at),
            detail: super::document(&self.detail)?,
        })
    }
}

pub(crate) async fn insert(session: &mut Session, organization: Uuid, entry: &Entry) -> Result<()> {
    const SQL: &str = "INSERT INTO audit (id, organization_id, actor, action, subject, at, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    execute!(
        session,
        SQL,
        entry.id.to_string(),
        organization.to_string(),
        &entry.actor,
        &entry.action,
        &entry.subject,
        entry.at.0,
        to_text(&entry.detail)?,
    )
    .map_err(fault)?;
    Ok(())
}

pub(crate) async fn list(session: &mut Session, organization: Uuid, page: &Page) -> Result<Listed<Entry>> {
    const COUNT: &str = "SELECT COUNT(*) FROM audit WHERE organization_id = $1";
    const SQL: &str = "SELECT id, actor, action, subject, at, detail FROM audit
        WHERE organization_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let organization = organization.to_string();
    let (total,) = query!(&mut *session, fetch_one, (i64,), COUNT, &organization).map_err(fault)?;
    let rows = query!(session, fetch_all, Row, SQL, &organization, page.before_text(), i64::from(page.limit))
        .map_err(fault)?;
    let records = rows.into_iter().map(Row::into_domain).collect::<Result<_>>()?;
    Ok(Listed { total: unsigned(total), records })
}
