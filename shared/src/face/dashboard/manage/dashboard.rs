//! Dashboards and data sources, as their owners see them.

use crate::model::dashboard::Definition;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A dashboard, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DashboardOut {
    /// Its id.
    pub id: Uuid,
    /// Grows with each change of the definition.
    pub version: u64,
    /// Shares that this change closed, or left closed: their policies do not fit the dashboard any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed_shares: Vec<Uuid>,
    /// What it is.
    #[serde(flatten)]
    pub definition: Definition,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// Body of `POST /api/v1/data-sources`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DataSourceIn {
    /// A SQLite file in the control plane's folder for such files.
    Sqlite {
        /// 1 to 200 characters.
        name: String,
        /// Path below that folder.
        file: String,
    },
    /// A PostgreSQL database. Give a role that may only read.
    Postgres {
        /// 1 to 200 characters.
        name: String,
        /// `postgres://user:password@host:port/database`; stored encrypted, never shown again.
        url: String,
    },
}

/// A data source, as its owner sees it: without what a PostgreSQL URL holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DataSourceOut {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// `sqlite` or `postgres`.
    pub kind: String,
    /// RFC 3339.
    pub created_at: String,
}
