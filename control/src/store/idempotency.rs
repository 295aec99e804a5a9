//! What an `Idempotency-Key` made.

use super::{Session, execute, fault, id, query};
use shared::time::Millis;
use shared::{Error, Result};
use std::time::Duration;
use uuid::Uuid;

/// How long a key is remembered.
pub(crate) const LIFE: Duration = Duration::from_hours(24);

/// Claims a key for a request that makes or changes `resource`. `None`: go on; `Some`: the request was
/// done before, and this is what it made. The first of the request's digests is kept; any of them is that of the same
/// request.
///
/// The row is written first, so that of two equal requests at once the second waits for the first one's
/// transaction and then finds what it did.
///
/// # Errors
/// [`Error::IdempotencyMismatch`] when the key was used with another request.
pub(crate) async fn claim(
    session: &mut Session,
    organization: Uuid,
    (key, digests): (&str, &[String]),
    resource: Uuid,
    now: Millis,
) -> Result<Option<Uuid>> {
    const FORGET: &str = "DELETE FROM idempotency
        WHERE organization_id = $1 AND idempotency_key = $2 AND created_at <= $3";
    const INSERT: &str = "INSERT INTO idempotency
            (organization_id, idempotency_key, request_hash, resource_id, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let (owner, organization) = (organization, organization.to_string());
    let digest = digests.first().ok_or_else(|| Error::Internal("a request without a digest".to_owned()))?;
    execute!(&mut *session, FORGET, &organization, key, oldest(now).0).map_err(fault)?;
    let made = execute!(&mut *session, INSERT, &organization, key, digest, resource.to_string(), now.0)
        .map_err(fault)?;
    if made > 0 {
        return Ok(None);
    }
    find(session, owner, (key, digests), now).await
}

/// What a request made before under this key.
///
/// # Errors
/// [`Error::IdempotencyMismatch`] when the key was used with another request.
pub(crate) async fn find(
    session: &mut Session,
    organization: Uuid,
    (key, digests): (&str, &[String]),
    now: Millis,
) -> Result<Option<Uuid>> {
    const SQL: &str = "SELECT request_hash, resource_id FROM idempotency
        WHERE organization_id = $1 AND idempotency_key = $2 AND created_at > $3";
    let row =
        query!(session, fetch_optional, (String, String), SQL, organization.to_string(), key, oldest(now).0);
    match row.map_err(fault)? {
        None => Ok(None),
        Some((kept, resource)) if digests.contains(&kept) => Ok(Some(id(&resource)?)),
        Some(_) => Err(Error::IdempotencyMismatch),
    }
}

/// Forgets keys that are too old.
pub(crate) async fn sweep(session: &mut Session, now: Millis) -> Result<u64> {
    execute!(session, "DELETE FROM idempotency WHERE created_at <= $1", oldest(now).0).map_err(fault)
}

fn oldest(now: Millis) -> Millis {
    Millis(now.0.saturating_sub(i64::try_from(LIFE.as_millis()).unwrap_or(i64::MAX)))
}
