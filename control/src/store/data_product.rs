//! Data products. Their rows are [`crate::product`]'s.

use super::versioned::{self, Versioned, table};
use super::{Listed, Page, Session, execute, fault, id, query, signed, to_text, unsigned};
use shared::Result;
use shared::model::data_product::{Definition, Source};
use shared::time::Millis;
use std::collections::HashMap;
use uuid::Uuid;

/// A living data product. Its version names the file of its rows.
pub(crate) type DataProduct = Versioned<Definition>;

table!(Definition, "data_product", "data product");

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

/// The versions in force of all products of all organizations.
pub(crate) async fn versions(session: &mut Session) -> Result<HashMap<Uuid, u64>> {
    const SQL: &str = "SELECT id, version FROM data_product WHERE deleted_at IS NULL";
    let rows = query!(session, fetch_all, (String, i64), SQL).map_err(fault)?;
    rows.into_iter().map(|(product, version)| Ok((id(&product)?, unsigned(version)))).collect()
}
