//! How far a comparison of KV with the database has come. One row for each namespace, while one is under way.

use super::{Session, document, execute, fault, query, to_text, unsigned};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::Result;
use shared::time::Millis;

/// A comparison under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress<T> {
    /// Hex digits by which the keys are cut into parts.
    pub(crate) digits: u32,
    /// The first part that is not done.
    pub(crate) next_part: u32,
    /// Are values read too?
    pub(crate) with_values: bool,
    /// When it began.
    pub(crate) started_at: Millis,
    /// What was found and done so far.
    pub(crate) counts: T,
}

/// How many tokens were ever issued: each has a record.
pub(crate) async fn tokens(session: &mut Session) -> Result<u64> {
    let (count,) = query!(session, fetch_one, (i64,), "SELECT COUNT(*) FROM share_token").map_err(fault)?;
    Ok(unsigned(count))
}

pub(crate) async fn find<T: DeserializeOwned>(
    session: &mut Session,
    namespace: &str,
) -> Result<Option<Progress<T>>> {
    const SQL: &str = "SELECT digits, next_part, with_values, started_at, counts FROM reconciliation
        WHERE namespace = $1";
    let row = query!(session, fetch_optional, (i64, i64, i64, i64, String), SQL, namespace).map_err(fault)?;
    let Some((digits, next_part, with_values, started_at, counts)) = row else { return Ok(None) };
    let small = |number| u32::try_from(number).unwrap_or_default();
    Ok(Some(Progress {
        digits: small(digits),
        next_part: small(next_part),
        with_values: with_values != 0,
        started_at: Millis(started_at),
        counts: document(&counts)?,
    }))
}

pub(crate) async fn save<T: Serialize>(
    session: &mut Session,
    namespace: &str,
    progress: &Progress<T>,
) -> Result<()> {
    const SQL: &str = "INSERT INTO reconciliation
            (namespace, digits, next_part, with_values, started_at, counts)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (namespace) DO UPDATE SET digits = excluded.digits, next_part = excluded.next_part,
            with_values = excluded.with_values, started_at = excluded.started_at, counts = excluded.counts";
    let Progress { digits, next_part, with_values, started_at, counts } = progress;
    let counts = to_text(counts)?;
    execute!(
        session,
        SQL,
        namespace,
        i64::from(*digits),
        i64::from(*next_part),
        i64::from(*with_values),
        started_at.0,
        counts
    )
    .map_err(fault)?;
    Ok(())
}

/// It is done, or not to be gone on with.
pub(crate) async fn forget(session: &mut Session, namespace: &str) -> Result<()> {
    execute!(session, "DELETE FROM reconciliation WHERE namespace = $1", namespace).map_err(fault)?;
    Ok(())
}
