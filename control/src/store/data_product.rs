//! Data products. Their rows are [`crate::product`]'s.

use super::{Listed, Page, Session, document, execute, fault, id, query, signed, to_text, unsigned};
use shared::model::data_product::{Definition, Source};
use shared::time::Millis;
use shared::{Error, Result};
use std::collections::HashMap;
use uuid::Uuid;

/// A living data product.
#[derive(Debug, Clone)]
pub(crate) struct DataProduct {
    /// Its id.
    pub(crate) id: Uuid,
    /// Grows with each change; names the file of its rows.
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
    fn into_domain(self) -> Result<DataProduct> {
        Ok(DataProduct {
            id: id(&self.id)?,
            version: unsigned(self.version),
            definition: document(&self.definition)?,
            created_at: Millis(self.created_at),
            updated_at: Millis(self.updated_at),
        })
    }
}

pub(crate) async fn insert(session: &mut Session, organization: Uuid, product: &DataProduct) -> Result<()> {
    const SQL: &str = "INSERT INTO data_product
            (id, organization_id, data_source_id, version, definition, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let source = match &product.definition.source {
        Source::Upload => None,
        Source::Query(query) => Some(query.data_source_id.to_string()),
    };
    execute!(
        session,
        SQL,
        product.id.to_string(),
        organization.to_string(),
        source,
        signed(product.version),
        to_text(&product.definition)?,
        product.created_at.0,
        product.updated_at.0,
    )
    .map_err(fault)?;
    Ok(())
}

/// Saves a new version. Where its rows come from never changes.
pub(crate) async fn update(session: &mut Session, product: &DataProduct) -> Result<()> {
    const SQL: &str = "UPDATE data_product SET version = $1, definition = $2, updated_at = $3 WHERE id = $4";
    let definition = to_text(&product.definition)?;
    execute!(session, SQL, signed(product.version), definition, product.updated_at.0, product.id.to_string())
        .map_err(fault)?;
    Ok(())
}

pub(crate) async fn delete(session: &mut Session, product: Uuid, now: Millis) -> Result<()> {
    const SQL: &str = "UPDATE data_product SET deleted_at = $1, data_source_id = NULL WHERE id = $2";
    execute!(session, SQL, now.0, product.to_string()).map_err(fault)?;
    Ok(())
}

pub(crate) async fn find(session: &mut Session, organization: Uuid, product: Uuid) -> Result<DataProduct> {
    const SQL: &str = "SELECT id, version, definition, created_at, updated_at FROM data_product
        WHERE id = $1 AND organization_id = $2 AND deleted_at IS NULL";
    query!(session, fetch_optional, Row, SQL, product.to_string(), organization.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("data product"))?
        .into_domain()
}

/// As [`find`], and holds the row until the session ends: changes of one product, and of its link, happen one after the other.
pub(crate) async fn lock(session: &mut Session, organization: Uuid, product: Uuid) -> Result<DataProduct> {
    const SQL: &str = "UPDATE data_product SET version = version
        WHERE id = $1 AND organization_id = $2 AND deleted_at IS NULL
        RETURNING id, version, definition, created_at, updated_at";
    query!(session, fetch_optional, Row, SQL, product.to_string(), organization.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("data product"))?
        .into_domain()
}

pub(crate) async fn list(
    session: &mut Session,
    organization: Uuid,
    page: &Page,
) -> Result<Listed<DataProduct>> {
    const COUNT: &str = "SELECT COUNT(*) FROM data_product WHERE organization_id = $1 AND deleted_at IS NULL";
    const SQL: &str = "SELECT id, version, definition, created_at, updated_at FROM data_product
        WHERE organization_id = $1 AND deleted_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3";
    let organization = organization.to_string();
    let (total,) = query!(&mut *session, fetch_one, (i64,), COUNT, &organization).map_err(fault)?;
    let rows = query!(session, fetch_all, Row, SQL, &organization, page.before_text(), i64::from(page.limit))
        .map_err(fault)?;
    let records = rows.into_iter().map(Row::into_domain).collect::<Result<_>>()?;
    Ok(Listed { total: unsigned(total), records })
}

/// The versions in force of all products of all organizations.
pub(crate) async fn versions(session: &mut Session) -> Result<HashMap<Uuid, u64>> {
    const SQL: &str = "SELECT id, version FROM data_product WHERE deleted_at IS NULL";
    let rows = query!(session, fetch_all, (String, i64), SQL).map_err(fault)?;
    rows.into_iter().map(|(product, version)| Ok((id(&product)?, unsigned(version)))).collect()
}
