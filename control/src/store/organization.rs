//! Organizations.

use super::{Session, document, execute, fault, id, query, to_text, unique};
use shared::model::limits::Limits;
use shared::replica::Organization;
use shared::time::Millis;
use shared::{Error, Result};
use uuid::Uuid;

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    slug: String,
    name: String,
}

impl Row {
    fn into_domain(self) -> Result<Organization> {
        Ok(Organization { id: id(&self.id)?, slug: self.slug, name: self.name })
    }
}

pub(crate) async fn by_slug(session: &mut Session, slug: &str) -> Result<Option<Organization>> {
    const SQL: &str = "SELECT id, slug, name FROM organization WHERE slug = $1";
    query!(session, fetch_optional, Row, SQL, slug).map_err(fault)?.map(Row::into_domain).transpose()
}

pub(crate) async fn find(session: &mut Session, organization: Uuid) -> Result<Organization> {
    const SQL: &str = "SELECT id, slug, name FROM organization WHERE id = $1";
    query!(session, fetch_optional, Row, SQL, organization.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("organization"))?
        .into_domain()
}

/// Whose share it is.
pub(crate) async fn of_share(session: &mut Session, share: Uuid) -> Result<Organization> {
    const SQL: &str =
        "SELECT o.id, o.slug, o.name FROM organization o JOIN share s ON s.organization_id = o.id
        WHERE s.id = $1";
    query!(session, fetch_optional, Row, SQL, share.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("share"))?
        .into_domain()
}

/// What an organization demands of its shares.
pub(crate) async fn limits(session: &mut Session, organization: Uuid) -> Result<Limits> {
    const SQL: &str = "SELECT limits FROM organization WHERE id = $1";
    let row = query!(session, fetch_optional, (String,), SQL, organization.to_string()).map_err(fault)?;
    let (limits,) = row.ok_or(Error::NotFound("organization"))?;
    document(&limits)
}

pub(crate) async fn set_limits(session: &mut Session, organization: Uuid, limits: &Limits) -> Result<()> {
    const SQL: &str = "UPDATE organization SET limits = $1 WHERE id = $2";
    execute!(session, SQL, to_text(limits)?, organization.to_string()).map_err(fault)?;
    Ok(())
}

pub(crate) async fn insert(session: &mut Session, organization: &Organization, now: Millis) -> Result<()> {
    const SQL: &str = "INSERT INTO organization (id, slug, name, created_at) VALUES ($1, $2, $3, $4)";
    execute!(&mut *session, SQL, organization.id.to_string(), &organization.slug, &organization.name, now.0)
        .map_err(|error| unique(error, "the slug is taken by another organization"))?;
    super::embed::insert_key(session, organization.id, 1, now).await
}

/// Is this a new database?
pub(crate) async fn none_yet(session: &mut Session) -> Result<bool> {
    let (count,) = query!(session, fetch_one, (i64,), "SELECT COUNT(*) FROM organization").map_err(fault)?;
    Ok(count == 0)
}
