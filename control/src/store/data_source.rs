//! Where dashboards' queries run.

use super::{Listed, Page, Session, execute, fault, id, query, unsigned};
use shared::time::Millis;
use shared::{Error, Result};
use uuid::Uuid;

/// What engine a data source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file below the configured folder.
    Sqlite,
    /// A server, by URL.
    Postgres,
}

impl Kind {
    /// As the API and the table name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// A data source.
#[derive(Debug, Clone)]
pub(crate) struct DataSource {
    /// Its id.
    pub(crate) id: Uuid,
    /// For people.
    pub(crate) name: String,
    /// Its engine.
    pub(crate) kind: Kind,
    /// SQLite: path below the folder. PostgreSQL: sealed URL, see [`crate::data::seal`].
    pub(crate) location: String,
    /// When it was made.
    pub(crate) created_at: Millis,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    name: String,
    kind: String,
    location: String,
    created_at: i64,
}

impl Row {
    fn into_domain(self) -> Result<DataSource> {
        let kind = match self.kind.as_str() {
            "sqlite" => Kind::Sqlite,
            "postgres" => Kind::Postgres,
            other => return Err(Error::Internal(format!("stored kind {other:?}"))),
        };
        Ok(DataSource {
            id: id(&self.id)?,
            name: self.name,
            kind,
            location: self.location,
            created_at: Millis(self.created_at),
        })
    }
}

pub(crate) async fn insert(session: &mut Session, organization: Uuid, source: &DataSource) -> Result<()> {
    const SQL: &str = "INSERT INTO data_source (id, organization_id, name, kind, location, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    execute!(
        session,
        SQL,
        source.id.to_string(),
        organization.to_string(),
        &source.name,
        source.kind.name(),
        &source.location,
        source.created_at.0,
    )
    .map_err(fault)?;
    Ok(())
}

pub(crate) async fn find(session: &mut Session, organization: Uuid, source: Uuid) -> Result<DataSource> {
    const SQL: &str = "SELECT id, name, kind, location, created_at FROM data_source
        WHERE id = $1 AND organization_id = $2";
    query!(session, fetch_optional, Row, SQL, source.to_string(), organization.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("data source"))?
        .into_domain()
}

pub(crate) async fn list(
    session: &mut Session,
    organization: Uuid,
    page: &Page,
) -> Result<Listed<DataSource>> {
    const COUNT: &str = "SELECT COUNT(*) FROM data_source WHERE organization_id = $1";
    const SQL: &str = "SELECT id, name, kind, location, created_at FROM data_source
        WHERE organization_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let organization = organization.to_string();
    let (total,) = query!(&mut *session, fetch_one, (i64,), COUNT, &organization).map_err(fault)?;
    let rows = query!(session, fetch_all, Row, SQL, &organization, page.before_text(), i64::from(page.limit))
        .map_err(fault)?;
    let records = rows.into_iter().map(Row::into_domain).collect::<Result<_>>()?;
    Ok(Listed { total: unsigned(total), records })
}

/// Deletes a source that no living dashboard or data product uses.
///
/// # Errors
/// [`Error::Conflict`] while one does.
pub(crate) async fn delete(session: &mut Session, organization: Uuid, source: Uuid) -> Result<()> {
    const SQL: &str = "DELETE FROM data_source WHERE id = $1 AND organization_id = $2";
    let touched =
        execute!(session, SQL, source.to_string(), organization.to_string()).map_err(
            |error| match &error {
                sqlx::Error::Database(database) if database.is_foreign_key_violation() => {
                    Error::Conflict("a dashboard or data product uses the data source".to_owned())
                }
                _ => fault(error),
            },
        )?;
    if touched == 0 { Err(Error::NotFound("data source")) } else { Ok(()) }
}
