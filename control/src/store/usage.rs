//! What the gates have told of their tokens.

use super::{Session, execute, fault, id, millis, query, signed, unsigned};
use shared::Result;
use shared::model::usage::Usage;
use uuid::Uuid;

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    share_id: String,
    accesses: i64,
    opens: i64,
    last_opened_at: Option<i64>,
    locked_until: Option<i64>,
    locked_resets: i64,
}

impl Row {
    pub(super) fn usage(&self) -> Usage {
        Usage {
            accesses: unsigned(self.accesses),
            opens: unsigned(self.opens),
            last_opened_at: millis(self.last_opened_at),
            locked_until: millis(self.locked_until),
            resets: unsigned(self.locked_resets),
        }
    }
}

/// Usage of a token; `None` for a key that was never issued.
pub(crate) async fn find(session: &mut Session, key: &str) -> Result<Option<Usage>> {
    const SQL: &str = "SELECT * FROM share_token WHERE record_key = $1";
    let row = query!(session, fetch_optional, Row, SQL, key).map_err(fault)?;
    Ok(row.map(|row| row.usage()))
}

/// As [`find`], with the token's share; holds the row until the session ends.
pub(crate) async fn lock(session: &mut Session, key: &str) -> Result<Option<(Uuid, Usage)>> {
    const SQL: &str = "UPDATE share_token SET opens = opens WHERE record_key = $1 RETURNING *";
    let row = query!(session, fetch_optional, Row, SQL, key).map_err(fault)?;
    row.map(|row| Ok((id(&row.share_id)?, row.usage()))).transpose()
}

/// Saves a token's usage.
pub(crate) async fn update(session: &mut Session, key: &str, usage: &Usage) -> Result<()> {
    const SQL: &str = "UPDATE share_token
        SET accesses = $1, opens = $2, last_opened_at = $3, locked_until = $4, locked_resets = $5
        WHERE record_key = $6";
    execute!(
        session,
        SQL,
        signed(usage.accesses),
        signed(usage.opens),
        usage.last_opened_at.map(|at| at.0),
        usage.locked_until.map(|at| at.0),
        signed(usage.resets),
        key,
    )
    .map_err(fault)?;
    Ok(())
}
