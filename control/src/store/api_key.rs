//! API keys and session tokens, by hash.

use super::{Session, execute, fault, id, millis, query, unsigned};
use crate::auth::Scope;
use shared::Result;
use shared::replica::Organization;
use shared::time::Millis;
use uuid::Uuid;

/// A key, or a session token of one, as its owner may see it: never the key itself.
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
    /// Dead from then on; of a session token also when its key is.
    pub(crate) revoked_at: Option<Millis>,
    /// Of a session token, what it is of and how long.
    pub(crate) session: Option<SessionOf>,
}

/// What makes a key a session token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionOf {
    /// The key that was exchanged for it.
    pub(crate) key: Uuid,
    /// Dead from then on.
    pub(crate) expires_at: Millis,
}

impl ApiKey {
    /// Is it worth anything?
    pub(crate) fn is_in_force(&self, now: Millis) -> bool {
        self.revoked_at.is_none() && self.session.is_none_or(|session| now < session.expires_at)
    }

    /// Whose budget of requests it uses up: a key gets no other ones by exchanging itself.
    pub(crate) fn charged(&self) -> Uuid {
        self.session.map_or(self.id, |session| session.key)
    }
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
    parent_id: Option<String>,
    expires_at: Option<i64>,
}

impl Row {
    fn into_domain(self) -> Result<ApiKey> {
        let session = match (self.parent_id, self.expires_at) {
            (Some(parent), Some(at)) => Some(SessionOf { key: id(&parent)?, expires_at: Millis(at) }),
            _ => None,
        };
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
            session,
        })
    }
}

pub(crate) async fn insert(session: &mut Session, key: &ApiKey, hash: &str) -> Result<()> {
    const SQL: &str = "INSERT INTO api_key
            (id, organization_id, name, hash, scopes, created_at, parent_id, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
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
        key.session.map(|session| session.key.to_string()),
        key.session.map(|session| session.expires_at.0),
    )
    .map_err(fault)?;
    Ok(())
}

pub(crate) async fn by_hash(session: &mut Session, hash: &str) -> Result<Option<ApiKey>> {
    const SQL: &str =
        "SELECT k.id, k.organization_id, o.slug AS organization_slug, o.name AS organization_name,
            k.name, k.scopes, k.created_at, k.last_used_at, k.parent_id, k.expires_at,
            COALESCE(k.revoked_at, p.revoked_at) AS revoked_at
        FROM api_key k JOIN organization o ON o.id = k.organization_id
            LEFT JOIN api_key p ON p.id = k.parent_id
        WHERE k.hash = $1";
    query!(session, fetch_optional, Row, SQL, hash).map_err(fault)?.map(Row::into_domain).transpose()
}

/// Keys alone: session tokens come and go.
pub(crate) async fn list(session: &mut Session, organization: Uuid) -> Result<Vec<ApiKey>> {
    const SQL: &str =
        "SELECT k.id, k.organization_id, o.slug AS organization_slug, o.name AS organization_name,
            k.name, k.scopes, k.created_at, k.last_used_at, k.revoked_at, k.parent_id, k.expires_at
        FROM api_key k JOIN organization o ON o.id = k.organization_id
        WHERE k.organization_id = $1 AND k.parent_id IS NULL ORDER BY k.id DESC";
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

/// How many session tokens a key has that are not over; those that are, are removed. Holds the key's row until the session
/// ends, so that of two that are made at once the second counts the first.
pub(crate) async fn count_sessions(session: &mut Session, key: Uuid, now: Millis) -> Result<u64> {
    const HOLD: &str = "UPDATE api_key SET revoked_at = revoked_at WHERE id = $1";
    const FORGET: &str = "DELETE FROM api_key WHERE parent_id = $1 AND expires_at <= $2";
    const COUNT: &str = "SELECT COUNT(*) FROM api_key WHERE parent_id = $1";
    let key = key.to_string();
    execute!(&mut *session, HOLD, &key).map_err(fault)?;
    execute!(&mut *session, FORGET, &key, now.0).map_err(fault)?;
    let (count,) = query!(session, fetch_one, (i64,), COUNT, &key).map_err(fault)?;
    Ok(unsigned(count))
}

/// Ends a session token; `false` when it has ended.
pub(crate) async fn end_session(session: &mut Session, token: Uuid) -> Result<bool> {
    const SQL: &str = "DELETE FROM api_key WHERE id = $1 AND parent_id IS NOT NULL";
    Ok(execute!(session, SQL, token.to_string()).map_err(fault)? > 0)
}

/// Forgets session tokens that are over.
pub(crate) async fn sweep_sessions(session: &mut Session, now: Millis) -> Result<u64> {
    execute!(session, "DELETE FROM api_key WHERE expires_at <= $1", now.0).map_err(fault)
}
