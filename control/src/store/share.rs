//! Shares and the record keys of their tokens.

use super::{Listed, Page, Session, document, execute, fault, id, millis, query, signed, to_text, unsigned};
use shared::model::filter::Filter;
use shared::model::share::{Share, ShareType, State, Target};
use shared::model::token::RecordKey;
use shared::time::Millis;
use shared::{Error, Result};
use uuid::Uuid;

/// A share, and whether the edge has yet to learn something of it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// The share.
    pub(crate) share: Share,
    /// Does the outbox hold a row of one of its tokens?
    pub(crate) pending: bool,
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: String,
    pub(super) organization_id: String,
    dashboard_id: String,
    share_type: String,
    name: String,
    state: String,
    generation: i64,
    revision: i64,
    nonce: String,
    key_epoch: String,
    rules: String,
    closed: i64,
    expires_at: Option<i64>,
    created_at: i64,
    issued_at: i64,
    revoked_at: Option<i64>,
}

impl Row {
    pub(super) fn into_domain(self) -> Result<Share> {
        let mut nonce = [0; 16];
        hex::decode_to_slice(&self.nonce, &mut nonce)
            .map_err(|_| Error::Internal("stored nonce".to_owned()))?;
        Ok(Share {
            id: id(&self.id)?,
            organization_id: id(&self.organization_id)?,
            target: Target::Dashboard(id(&self.dashboard_id)?),
            share_type: match self.share_type.as_str() {
                "link" => ShareType::Link,
                other => return Err(Error::Internal(format!("stored share type {other:?}"))),
            },
            name: self.name,
            // What this build does not know is closed.
            state: if self.state == LIVE { State::Live } else { State::Revoked },
            generation: unsigned(self.generation),
            revision: unsigned(self.revision),
            nonce,
            key_epoch: self.key_epoch,
            rules: document(&self.rules)?,
            closed: self.closed != 0,
            expires_at: millis(self.expires_at),
            created_at: Millis(self.created_at),
            issued_at: Millis(self.issued_at),
            revoked_at: millis(self.revoked_at),
        })
    }
}

#[derive(sqlx::FromRow)]
struct StoredRow {
    #[sqlx(flatten)]
    share: Row,
    pending: i64,
}

impl StoredRow {
    fn into_domain(self) -> Result<Stored> {
        Ok(Stored { share: self.share.into_domain()?, pending: self.pending > 0 })
    }
}

const LIVE: &str = "live";

const fn state_name(state: State) -> &'static str {
    match state {
        State::Live => LIVE,
        State::Revoked => "revoked",
    }
}

const fn type_name(share_type: ShareType) -> &'static str {
    match share_type {
        ShareType::Link => "link",
    }
}

pub(crate) async fn insert(session: &mut Session, share: &Share) -> Result<()> {
    const SQL: &str =
        "INSERT INTO share (id, organization_id, dashboard_id, share_type, name, state, generation,
            revision, nonce, key_epoch, rules, expires_at, created_at, issued_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let Target::Dashboard(dashboard) = share.target;
    execute!(
        session,
        SQL,
        share.id.to_string(),
        share.organization_id.to_string(),
        dashboard.to_string(),
        type_name(share.share_type),
        &share.name,
        state_name(share.state),
        signed(share.generation),
        signed(share.revision),
        hex::encode(share.nonce),
        &share.key_epoch,
        to_text(&share.rules)?,
        share.expires_at.map(|at| at.0),
        share.created_at.0,
        share.issued_at.0,
    )
    .map_err(fault)?;
    Ok(())
}

/// Saves what can change.
pub(crate) async fn update(session: &mut Session, share: &Share) -> Result<()> {
    const SQL: &str = "UPDATE share SET name = $1, state = $2, generation = $3, revision = $4, nonce = $5,
            key_epoch = $6, rules = $7, expires_at = $8, issued_at = $9, revoked_at = $10, closed = $11
        WHERE id = $12";
    execute!(
        session,
        SQL,
        &share.name,
        state_name(share.state),
        signed(share.generation),
        signed(share.revision),
        hex::encode(share.nonce),
        &share.key_epoch,
        to_text(&share.rules)?,
        share.expires_at.map(|at| at.0),
        share.issued_at.0,
        share.revoked_at.map(|at| at.0),
        i64::from(share.closed),
        share.id.to_string(),
    )
    .map_err(fault)?;
    Ok(())
}

/// Reads a share and holds its row until the session ends.
pub(crate) async fn lock(session: &mut Session, organization: Uuid, share: Uuid) -> Result<Share> {
    const SQL: &str = "UPDATE share SET revision = revision WHERE id = $1 AND organization_id = $2
        RETURNING id, organization_id, dashboard_id, share_type, name, state, generation, revision, nonce,
            key_epoch, rules, closed, expires_at, created_at, issued_at, revoked_at";
    query!(session, fetch_optional, Row, SQL, share.to_string(), organization.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("share"))?
        .into_domain()
}

pub(crate) async fn find(session: &mut Session, organization: Uuid, share: Uuid) -> Result<Stored> {
    const SQL: &str =
        "SELECT s.*, (SELECT COUNT(*) FROM outbox o JOIN share_token t ON t.record_key = o.record_key
            WHERE t.share_id = s.id) AS pending
        FROM share s WHERE s.id = $1 AND s.organization_id = $2";
    query!(session, fetch_optional, StoredRow, SQL, share.to_string(), organization.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("share"))?
        .into_domain()
}

/// A share of any organization: for the data plane, whose caller is the edge.
pub(crate) async fn any(session: &mut Session, share: Uuid) -> Result<Option<Share>> {
    const SQL: &str = "SELECT * FROM share WHERE id = $1";
    query!(session, fetch_optional, Row, SQL, share.to_string())
        .map_err(fault)?
        .map(Row::into_domain)
        .transpose()
}

pub(crate) async fn list(session: &mut Session, organization: Uuid, page: &Page) -> Result<Listed<Stored>> {
    const COUNT: &str = "SELECT COUNT(*) FROM share WHERE organization_id = $1";
    const SQL: &str =
        "SELECT s.*, (SELECT COUNT(*) FROM outbox o JOIN share_token t ON t.record_key = o.record_key
            WHERE t.share_id = s.id) AS pending
        FROM share s WHERE s.organization_id = $1 AND s.id < $2 ORDER BY s.id DESC LIMIT $3";
    let organization = organization.to_string();
    let (total,) = query!(&mut *session, fetch_one, (i64,), COUNT, &organization).map_err(fault)?;
    let rows =
        query!(session, fetch_all, StoredRow, SQL, &organization, page.before_text(), i64::from(page.limit))
            .map_err(fault)?;
    let records = rows.into_iter().map(StoredRow::into_domain).collect::<Result<_>>()?;
    Ok(Listed { total: unsigned(total), records })
}

/// The shares of one dashboard, whose organization the caller has checked.
pub(crate) async fn list_of(session: &mut Session, dashboard: Uuid, page: &Page) -> Result<Listed<Stored>> {
    const COUNT: &str = "SELECT COUNT(*) FROM share WHERE dashboard_id = $1";
    const SQL: &str =
        "SELECT s.*, (SELECT COUNT(*) FROM outbox o JOIN share_token t ON t.record_key = o.record_key
            WHERE t.share_id = s.id) AS pending
        FROM share s WHERE s.dashboard_id = $1 AND s.id < $2 ORDER BY s.id DESC LIMIT $3";
    let dashboard = dashboard.to_string();
    let (total,) = query!(&mut *session, fetch_one, (i64,), COUNT, &dashboard).map_err(fault)?;
    let rows =
        query!(session, fetch_all, StoredRow, SQL, &dashboard, page.before_text(), i64::from(page.limit))
            .map_err(fault)?;
    let records = rows.into_iter().map(StoredRow::into_domain).collect::<Result<_>>()?;
    Ok(Listed { total: unsigned(total), records })
}

/// Notes a new token of a share.
pub(crate) async fn insert_token(session: &mut Session, share: &Share, key: &RecordKey) -> Result<()> {
    const SQL: &str = "INSERT INTO share_token (record_key, share_id, generation, issued_at)
        VALUES ($1, $2, $3, $4)";
    execute!(session, SQL, key.as_str(), share.id.to_string(), signed(share.generation), share.issued_at.0)
        .map_err(fault)?;
    Ok(())
}

/// Ends the current token of a share and tells its record key; `None` when it had none.
pub(crate) async fn retire_token(session: &mut Session, share: Uuid, now: Millis) -> Result<Option<String>> {
    const SQL: &str = "UPDATE share_token SET retired_at = $1 WHERE share_id = $2 AND retired_at IS NULL
        RETURNING record_key";
    let row = query!(session, fetch_optional, (String,), SQL, now.0, share.to_string()).map_err(fault)?;
    Ok(row.map(|(key,)| key))
}

/// The record key of a share's current token; `None` when it is revoked.
pub(crate) async fn current_token(session: &mut Session, share: Uuid) -> Result<Option<String>> {
    const SQL: &str = "SELECT record_key FROM share_token WHERE share_id = $1 AND retired_at IS NULL";
    let row = query!(session, fetch_optional, (String,), SQL, share.to_string()).map_err(fault)?;
    Ok(row.map(|(key,)| key))
}

/// Closes the live shares of a dashboard whose rules do not fit its filters, opens those again whose rules do, and
/// gives the ids of the closed ones. Shares without a policy fit whatever there is.
pub(crate) async fn close_unfit(
    session: &mut Session,
    dashboard: Uuid,
    filters: &[Filter],
) -> Result<Vec<Uuid>> {
    const READ: &str = "SELECT * FROM share
        WHERE dashboard_id = $1 AND state = 'live' AND rules LIKE '%\"filter_slug\"%'";
    const WRITE: &str = "UPDATE share SET closed = $1 WHERE id = $2";
    let rows = query!(&mut *session, fetch_all, Row, READ, dashboard.to_string()).map_err(fault)?;
    let mut unfit = Vec::new();
    for row in rows {
        let share = row.into_domain()?;
        let closed = !share.rules.flaws(filters).is_empty();
        if closed {
            unfit.push(share.id);
        }
        if closed != share.closed {
            execute!(&mut *session, WRITE, i64::from(closed), share.id.to_string()).map_err(fault)?;
        }
    }
    Ok(unfit)
}

/// Gives every live share of a dashboard its next revision.
pub(crate) async fn touch_all(session: &mut Session, dashboard: Uuid) -> Result<()> {
    const SQL: &str = "UPDATE share SET revision = revision + 1 WHERE dashboard_id = $1 AND state = 'live'";
    execute!(session, SQL, dashboard.to_string()).map_err(fault)?;
    Ok(())
}

/// Revokes every live share of a dashboard. Their tokens are retired by [`retire_all_tokens`].
pub(crate) async fn revoke_all(session: &mut Session, dashboard: Uuid, now: Millis) -> Result<()> {
    const SQL: &str = "UPDATE share SET state = 'revoked', revoked_at = $1, revision = revision + 1
        WHERE dashboard_id = $2 AND state = 'live'";
    execute!(session, SQL, now.0, dashboard.to_string()).map_err(fault)?;
    Ok(())
}

/// Ends the current tokens of all shares of a dashboard.
pub(crate) async fn retire_all_tokens(session: &mut Session, dashboard: Uuid, now: Millis) -> Result<()> {
    const SQL: &str = "UPDATE share_token SET retired_at = $1
        WHERE retired_at IS NULL AND share_id IN (SELECT id FROM share WHERE dashboard_id = $2)";
    execute!(session, SQL, now.0, dashboard.to_string()).map_err(fault)?;
    Ok(())
}
