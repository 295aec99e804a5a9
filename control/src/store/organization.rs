//! Organizations.

use super::{Session, execute, fault, id, query, unique};
use shared::Result;
use shared::replica::Organization;
use shared::time::Millis;

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

pub(crate) async fn insert(session: &mut Session, organization: &Organization, now: Millis) -> Result<()> {
    const SQL: &str = "INSERT INTO organization (id, slug, name, created_at) VALUES ($1, $2, $3, $4)";
    execute!(session, SQL, organization.id.to_string(), &organization.slug, &organization.name, now.0)
        .map_err(|error| unique(error, "the slug is taken by another organization"))?;
    Ok(())
}

/// Is this a new database?
pub(crate) async fn none_yet(session: &mut Session) -> Result<bool> {
    let (count,) = query!(session, fetch_one, (i64,), "SELECT COUNT(*) FROM organization").map_err(fault)?;
    Ok(count == 0)
}
