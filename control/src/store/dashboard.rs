//! Dashboards and their versions.

use super::{Listed, Page, Session, document, execute, fault, id, query, signed, to_text, unique, unsigned};
use shared::model::dashboard::Definition;
use shared::time::Millis;
use shared::{Error, Result};
use uuid::Uuid;

/// A living dashboard.
#[derive(Debug, Clone)]
pub(crate) struct Dashboard {
    /// Its id.
    pub(crate) id: Uuid,
    /// Grows with each change.
    pub(crate) version: u64,
    /// What it is now.
    pub(crate) definition: Definition,
    /// When it was made.
    pub(crate) created_at: Millis,
    /// When it changed last.
    pub(crate) updated_at: Millis,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    version: i64,
    definition: String,
    created_at: i64,
    updated_at: i64,
}

impl Row {
    fn into_domain(self) -> Result<Dashboard> {
        Ok(Dashboard {
            id: id(&self.id)?,
            version: unsigned(self.version),
            definition: document(&self.definition)?,
            created_at: Millis(self.created_at),
            updated_at: Millis(self.updated_at),
        })
    }
}

const SLUG_TAKEN: &str = "the slug is taken by another dashboard";

pub(crate) async fn insert(session: &mut Session, organization: Uuid, dashboard: &Dashboard) -> Result<()> {
    const SQL: &str = "INSERT INTO dashboard
            (id, organization_id, data_source_id, slug, version, definition, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    execute!(
        session,
        SQL,
        dashboard.id.to_string(),
        organization.to_string(),
        dashboard.definition.data_source_id.to_string(),
        &dashboard.definition.slug,
        signed(dashboard.version),
        to_text(&dashboard.definition)?,
        dashboard.created_at.0,
        dashboard.updated_at.0,
    )
    .map_err(|error| unique(error, SLUG_TAKEN))?;
    Ok(())
}

/// Keeps what a version was, and who made it.
pub(crate) async fn insert_version(session: &mut Session, dashboard: &Dashboard, actor: &str) -> Result<()> {
    const SQL: &str =
        "INSERT INTO dashboard_version (dashboard_id, version, definition, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5)";
    execute!(
        session,
        SQL,
        dashboard.id.to_string(),
        signed(dashboard.version),
        to_text(&dashboard.definition)?,
        actor,
        dashboard.updated_at.0,
    )
    .map_err(fault)?;
    Ok(())
}

pub(crate) async fn update(session: &mut Session, dashboard: &Dashboard) -> Result<()> {
    const SQL: &str = "UPDATE dashboard
        SET data_source_id = $1, slug = $2, version = $3, definition = $4, updated_at = $5 WHERE id = $6";
    execute!(
        session,
        SQL,
        dashboard.definition.data_source_id.to_string(),
        &dashboard.definition.slug,
        signed(dashboard.version),
        to_text(&dashboard.definition)?,
        dashboard.updated_at.0,
        dashboard.id.to_string(),
    )
    .map_err(|error| unique(error, SLUG_TAKEN))?;
    Ok(())
}

pub(crate) async fn delete(session: &mut Session, dashboard: Uuid, now: Millis) -> Result<()> {
    const SQL: &str = "UPDATE dashboard SET deleted_at = $1, data_source_id = NULL WHERE id = $2";
    execute!(session, SQL, now.0, dashboard.to_string()).map_err(fault)?;
    Ok(())
}

pub(crate) async fn find(session: &mut Session, organization: Uuid, dashboard: Uuid) -> Result<Dashboard> {
    const SQL: &str = "SELECT id, version, definition, created_at, updated_at FROM dashboard
        WHERE id = $1 AND organization_id = $2 AND deleted_at IS NULL";
    query!(session, fetch_optional, Row, SQL, dashboard.to_string(), organization.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("dashboard"))?
        .into_domain()
}

/// As [`find`], and holds the row until the session ends, so that two changes of one dashboard, or a change
/// of it and a new share of it, happen one after the other.
pub(crate) async fn lock(session: &mut Session, organization: Uuid, dashboard: Uuid) -> Result<Dashboard> {
    const SQL: &str = "UPDATE dashboard SET version = version
        WHERE id = $1 AND organization_id = $2 AND deleted_at IS NULL
        RETURNING id, version, definition, created_at, updated_at";
    query!(session, fetch_optional, Row, SQL, dashboard.to_string(), organization.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("dashboard"))?
        .into_domain()
}

pub(crate) async fn list(
    session: &mut Session,
    organization: Uuid,
    page: &Page,
) -> Result<Listed<Dashboard>> {
    const COUNT: &str = "SELECT COUNT(*) FROM dashboard WHERE organization_id = $1 AND deleted_at IS NULL";
    const SQL: &str = "SELECT id, version, definition, created_at, updated_at FROM dashboard
        WHERE organization_id = $1 AND deleted_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3";
    let organization = organization.to_string();
    let (total,) = query!(&mut *session, fetch_one, (i64,), COUNT, &organization).map_err(fault)?;
    let rows = query!(session, fetch_all, Row, SQL, &organization, page.before_text(), i64::from(page.limit))
        .map_err(fault)?;
    let records = rows.into_iter().map(Row::into_domain).collect::<Result<_>>()?;
    Ok(Listed { total: unsigned(total), records })
}
