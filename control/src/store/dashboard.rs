//! Dashboards and their versions.

use super::versioned::{self, Versioned, table};
use super::{Listed, Page, Session, execute, fault, signed, to_text, unique};
use shared::Result;
use shared::model::dashboard::Definition;
use shared::time::Millis;
use uuid::Uuid;

/// A living dashboard.
pub(crate) type Dashboard = Versioned<Definition>;

table!(Definition, "dashboard", "dashboard");

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
