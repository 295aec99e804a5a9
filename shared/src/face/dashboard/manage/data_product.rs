//! What owners of data products send and get, but for their links, which have a dialect of their own.

use crate::model::data_product::{Column, Definition, Query, Source};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Body of `POST /api/v1/data-products`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DataProductIn {
    /// 1 to 200 characters; viewers see it.
    pub name: String,
    /// At most 1,000 characters; viewers see it.
    #[serde(default)]
    pub description: Option<String>,
    /// The query whose rows it has. Absent for a product whose rows are sent as a file.
    #[serde(default)]
    pub query: Option<Query>,
}

impl DataProductIn {
    /// The product without its rows.
    pub fn into_definition(self) -> Definition {
        let source = self.query.map_or(Source::Upload, Source::Query);
        Definition { name: self.name, description: self.description, source, table: None }
    }
}

/// A data product, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DataProductOut {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// A sentence under the name.
    pub description: Option<String>,
    /// The query whose rows it has; null for a product whose rows are sent as a file.
    pub query: Option<Query>,
    /// Grows with each change of its rows.
    pub version: u64,
    /// Its columns, as found in the rows; null before the first file.
    pub columns: Option<Vec<Column>>,
    /// How many rows there are; null before the first file.
    pub row_count: Option<u64>,
    /// RFC 3339: when the rows were read; null before the first file.
    pub loaded_at: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

impl DataProductOut {
    /// Renders a product.
    pub fn new(
        (id, version): (Uuid, u64),
        definition: Definition,
        (created_at, updated_at): (Millis, Millis),
    ) -> Self {
        let table = definition.table.as_ref();
        Self {
            id,
            version,
            columns: table.map(|table| table.columns.clone()),
            row_count: table.map(|table| table.row_count),
            loaded_at: table.map(|table| table.loaded_at.to_rfc3339()),
            name: definition.name,
            description: definition.description,
            query: match definition.source {
                Source::Upload => None,
                Source::Query(query) => Some(query),
            },
            created_at: created_at.to_rfc3339(),
            updated_at: updated_at.to_rfc3339(),
        }
    }
}
