//! API keys, by hash.

use super::{Session, execute, fault, id, millis, query};
use crate::auth::Scope;
use shared::Result;
use shared::replica::Organization;
use shared::time::Millis;
use uuid::Uuid;

/// A key as its owner may see it: never the key itself.
#[derive(Debug, Clone)]
pub(crate) struct ApiKey {
    /// Its id.
    pub(crate) id: Uuid,
    /// Whose.
    pub(crate) organization: Organization,
    /// For people.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) scopes: Vec<Scope>,
    /// When it was made.
    pub(crate) created_at: Millis,
    /// To the minute.
    pub(crate) last_used_at: Option<Millis>,
    /// Dead from then on.
    pub(crate) revoked_at: Option<Millis>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    organization_id: String,
    organization_slug: String,
    organization_name: String,
    name: String,
    scopes: String,
    created_at: i64,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl Row {
    fn into_domain(self) -> Result<ApiKey> {
        Ok(ApiKey {
            id: id(&self.id)?,
            organization: Organization {
                id: id(&self.organization_id)?,
                slug: self.organization_slug,
                name: self.organization_name,
            },
            name: self.name,
            scopes: self.scopes.split(' ').filter_map(Scope::parse).collect(),
            created_at: Millis(self.created_at),
            last_used_at: millis(self.last_used_at),
            revoked_at: millis(self.revoked_at),
        })
    }
}

pub(crate) async fn insert(session: &mut Session, key: &ApiKey, hash: &str) -> Result<()> {
    const SQL: &str = "INSERT INTO api_key (id, organization_id, name, hash, scopes, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    execute!(
        session,
        SQL,
        key.id.to_string(),
        key.organization.id.to_string(),
        &key.name,
        hash,
        scopes.join(" "),
        key.created_at.0,
    )
    .map_err(fault)?;
    Ok(())
}

pub(crate) async fn by_hash(session: &mut Session, hash: &str) -> Result<Option<ApiKey>> {
    const SQL: &str =
        "SELECT k.id, k.organization_id, o.slug AS organization_slug, o.name AS organization_name,
            k.name, k.scopes, k.created_at, k.last_used_at, k.revoked_at
        FROM api_key k JOIN organization o ON o.id = k.organization_id
        WHERE k.hash = $1";
    query!(session, fetch_optional, Row, SQL, hash).map_err(fault)?.map(Row::into_domain).transpose()
}

pub(crate) async fn list(session: &mut Session, organization: Uuid) -> Result<Vec<ApiKey>> {
    const SQL: &str =
        "SELECT k.id, k.organization_id, o.slug AS organization_slug, o.name AS organization_name,
            k.name, k.scopes, k.created_at, k.last_used_at, k.revoked_at
        FROM api_key k JOIN organization o ON o.id = k.organization_id
        WHERE k.organization_id = $1 ORDER BY k.id DESC";
    let rows = query!(session, fetch_all, Row, SQL, organization.to_string()).map_err(fault)?;
    rows.into_iter().map(Row::into_domain).collect()
}

/// Takes a key back; `false` when there is no such living key.
pub(crate) async fn revoke(
    session: &mut Session,
    organization: Uuid,
    key: Uuid,
    now: Millis,
) -> Result<bool> {
    const SQL: &str = "UPDATE api_key SET revoked_at = $1
        WHERE id = $2 AND organization_id = $3 AND revoked_at IS NULL";
    let touched = execute!(session, SQL, now.0, key.to_string(), organization.to_string()).map_err(fault)?;
    Ok(touched > 0)
}

/// Notes that a key was used.
pub(crate) async fn touch(session: &mut Session, key: Uuid, now: Millis) -> Result<()> {
    const SQL: &str = "UPDATE api_key SET last_used_at = $1 WHERE id = $2";
    execute!(session, SQL, now.0, key.to_string()).map_err(fault)?;
    Ok(())
}
