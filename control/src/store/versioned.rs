//! What is defined by a document and counted in versions: dashboards and data products. Their tables have these columns in common, and
//! what is asked of each is the same.

use super::{Listed, Page, Session, document, fault, id, query, unsigned};
use serde::de::DeserializeOwned;
use shared::time::Millis;
use shared::{Error, Result};
use uuid::Uuid;

/// A living row, by its definition `D`.
#[derive(Debug, Clone)]
pub(crate) struct Versioned<D> {
    /// Its id.
    pub(crate) id: Uuid,
    /// Grows with each change.
    pub(crate) version: u64,
    /// What it is now.
    pub(crate) definition: D,
    /// When it was made.
    pub(crate) created_at: Millis,
    /// When it changed last.
    pub(crate) updated_at: Millis,
}

/// Finds, holds, lists and deletes the rows of a table by its definition: `table!(Definition, "dashboard", "dashboard")`, the latter as
/// errors call it.
macro_rules! table {
    ($definition:ty, $table:literal, $noun:literal) => {
        pub(crate) async fn find(
            session: &mut Session,
            organization: Uuid,
            row: Uuid,
        ) -> Result<Versioned<$definition>> {
            const SQL: &str = concat!(
                "SELECT id, version, definition, created_at, updated_at FROM ",
                $table,
                " WHERE id = $1 AND organization_id = $2 AND deleted_at IS NULL"
            );
            versioned::one(session, (SQL, $noun), organization, row).await
        }

        /// As [`find`], and holds the row until the session ends, so that two changes of one, or a change of it and of its shares,
        /// happen one after the other.
        pub(crate) async fn lock(
            session: &mut Session,
            organization: Uuid,
            row: Uuid,
        ) -> Result<Versioned<$definition>> {
            const SQL: &str = concat!(
                "UPDATE ",
                $table,
                " SET version = version WHERE id = $1 AND organization_id = $2 AND deleted_at IS NULL
                RETURNING id, version, definition, created_at, updated_at"
            );
            versioned::one(session, (SQL, $noun), organization, row).await
        }

        /// The organization's, newest first.
        pub(crate) async fn list(
            session: &mut Session,
            organization: Uuid,
            page: &Page,
        ) -> Result<Listed<Versioned<$definition>>> {
            const COUNT: &str = concat!(
                "SELECT COUNT(*) FROM ",
                $table,
                " WHERE organization_id = $1 AND deleted_at IS NULL"
            );
            const LIST: &str = concat!(
                "SELECT id, version, definition, created_at, updated_at FROM ",
                $table,
                " WHERE organization_id = $1 AND deleted_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3"
            );
            versioned::page(session, (COUNT, LIST), organization, page).await
        }

        /// The row stays, but lets go of its data source.
        pub(crate) async fn delete(session: &mut Session, row: Uuid, now: Millis) -> Result<()> {
            const SQL: &str =
                concat!("UPDATE ", $table, " SET deleted_at = $1, data_source_id = NULL WHERE id = $2");
            execute!(session, SQL, now.0, row.to_string()).map_err(fault)?;
            Ok(())
        }
    };
}
pub(super) use table;

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    version: i64,
    definition: String,
    created_at: i64,
    updated_at: i64,
}

impl Row {
    fn into_domain<D: DeserializeOwned>(self) -> Result<Versioned<D>> {
        Ok(Versioned {
            id: id(&self.id)?,
            version: unsigned(self.version),
            definition: document(&self.definition)?,
            created_at: Millis(self.created_at),
            updated_at: Millis(self.updated_at),
        })
    }
}

pub(super) async fn one<D: DeserializeOwned>(
    session: &mut Session,
    (sql, noun): (&'static str, &'static str),
    organization: Uuid,
    row: Uuid,
) -> Result<Versioned<D>> {
    query!(session, fetch_optional, Row, sql, row.to_string(), organization.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound(noun))?
        .into_domain()
}

pub(super) async fn page<D: DeserializeOwned>(
    session: &mut Session,
    (count, list): (&'static str, &'static str),
    organization: Uuid,
    page: &Page,
) -> Result<Listed<Versioned<D>>> {
    let organization = organization.to_string();
    let (total,) = query!(&mut *session, fetch_one, (i64,), count, &organization).map_err(fault)?;
    let (before, limit) = (page.before_text(), i64::from(page.limit));
    let rows = query!(session, fetch_all, Row, list, &organization, before, limit).map_err(fault)?;
    let records = rows.into_iter().map(Row::into_domain).collect::<Result<_>>()?;
    Ok(Listed { total: unsigned(total), records })
}
