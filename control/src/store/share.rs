//! Shares and the record keys of their tokens.

pub(crate) mod filter;

use super::{Session, document, execute, fault, id, millis, nonce, query, signed, to_text, unique, unsigned};
use shared::model::address::Address;
use shared::model::filter::Filter;
use shared::model::password::Hashed;
use shared::model::protection::Protection;
use shared::model::share::{Permission, Share, ShareType, State, Target, TargetKind};
use shared::model::token::RecordKey;
use shared::model::usage::Usage;
use shared::time::Millis;
use shared::{Error, Result};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

/// A share, and what the edge knows and tells of it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// The share.
    pub(crate) share: Share,
    /// Does the outbox hold a row of one of its tokens?
    pub(crate) pending: bool,
    /// Accesses and lock are those of its current token, opens those of all.
    pub(crate) usage: Usage,
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: String,
    pub(super) organization_id: String,
    target_kind: String,
    target_id: String,
    share_type: String,
    permission: String,
    tile_budget: Option<i64>,
    name: String,
    state: String,
    generation: i64,
    revision: i64,
    nonce: String,
    key_epoch: String,
    rules: String,
    closed: i64,
    password_hash: Option<String>,
    password_epoch: Option<String>,
    protection_version: i64,
    guess_resets: i64,
    max_access_count: Option<i64>,
    not_before: Option<i64>,
    expires_at: Option<i64>,
    created_at: i64,
    issued_at: i64,
    revoked_at: Option<i64>,
    revoked_tokens: String,
    frame_origins: String,
    context_id: Option<String>,
    notify_address: Option<String>,
}

impl Row {
    /// The id of the context that it opens, if it does and is in force.
    pub(super) fn live_context(&self) -> Option<&str> {
        let opens = self.target_kind == TargetKind::Context.name() && self.state == LIVE;
        opens.then_some(self.target_id.as_str())
    }

    pub(super) fn into_domain(self) -> Result<Share> {
        Ok(Share {
            id: id(&self.id)?,
            organization_id: id(&self.organization_id)?,
            target: Target { kind: parse_kind(&self.target_kind)?, id: id(&self.target_id)? },
            share_type: match self.share_type.as_str() {
                "link" => ShareType::Link,
                "embed" => ShareType::Embed,
                "portal" => ShareType::Portal,
                other => return Err(Error::Internal(format!("stored share type {other:?}"))),
            },
            // What this build does not know gives the least.
            permission: Permission::parse(&self.permission).unwrap_or_default(),
            tile_budget: self.tile_budget.map(unsigned),
            name: self.name,
            // What this build does not know is closed.
            state: if self.state == LIVE { State::Live } else { State::Revoked },
            generation: unsigned(self.generation),
            revision: unsigned(self.revision),
            nonce: nonce(&self.nonce)?,
            key_epoch: self.key_epoch,
            rules: document(&self.rules)?,
            closed: self.closed != 0,
            protection: Protection {
                password: self
                    .password_hash
                    .zip(self.password_epoch)
                    .map(|(hash, key_epoch)| Hashed { hash, key_epoch }),
                version: unsigned(self.protection_version),
                resets: unsigned(self.guess_resets),
                max_access_count: self.max_access_count.map(unsigned),
            },
            context: self.context_id.as_deref().map(id).transpose()?,
            notify: self.notify_address.as_deref().and_then(Address::parse),
            not_before: millis(self.not_before),
            expires_at: millis(self.expires_at),
            created_at: Millis(self.created_at),
            issued_at: Millis(self.issued_at),
            revoked_at: millis(self.revoked_at),
            frame_origins: document(&self.frame_origins)?,
            revoked_tokens: document(&self.revoked_tokens)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct StoredRow {
    #[sqlx(flatten)]
    share: Row,
    pending: i64,
    accesses: i64,
    opens: i64,
    last_opened_at: Option<i64>,
    locked_until: Option<i64>,
    locked_resets: i64,
}

impl StoredRow {
    fn into_domain(self) -> Result<Stored> {
        let usage = Usage {
            accesses: unsigned(self.accesses),
            opens: unsigned(self.opens),
            last_opened_at: millis(self.last_opened_at),
            locked_until: millis(self.locked_until),
            resets: unsigned(self.locked_resets),
        };
        Ok(Stored { share: self.share.into_domain()?, pending: self.pending > 0, usage })
    }
}

/// What a [`StoredRow`] is read from, up to the condition on `s`, the share. Each share has a token of its generation.
macro_rules! select_stored {
    () => {
        "SELECT s.*, token.accesses, token.locked_until, token.locked_resets,
            (SELECT COUNT(*) FROM outbox o JOIN share_token t ON t.record_key = o.record_key
                WHERE t.share_id = s.id) AS pending,
            (SELECT CAST(SUM(t.opens) AS BIGINT) FROM share_token t WHERE t.share_id = s.id) AS opens,
            (SELECT MAX(t.last_opened_at) FROM share_token t WHERE t.share_id = s.id) AS last_opened_at
        FROM share s JOIN share_token token
            ON token.share_id = s.id AND token.generation = s.generation "
    };
}
use select_stored;

const LIVE: &str = "live";

const fn state_name(state: State) -> &'static str {
    match state {
        State::Live => LIVE,
        State::Revoked => "revoked",
    }
}

pub(super) const fn type_name(share_type: ShareType) -> &'static str {
    match share_type {
        ShareType::Link => "link",
        ShareType::Embed => "embed",
        ShareType::Portal => "portal",
    }
}

fn parse_kind(name: &str) -> Result<TargetKind> {
    TargetKind::parse(name).ok_or_else(|| Error::Internal(format!("stored target kind {name:?}")))
}

/// A name, or a part of one, as it is searched: in any case and any of Unicode's normal forms.
fn folded(name: &str) -> String {
    name.to_lowercase().nfc().collect()
}

/// Folds the names of some shares that have none folded, and tells how many there were. A share's name is never empty.
pub(super) async fn fold_names(session: &mut Session) -> Result<usize> {
    const READ: &str = "SELECT id, name FROM share WHERE name_folded = '' AND name <> '' LIMIT 500";
    const WRITE: &str = "UPDATE share SET name_folded = $1 WHERE id = $2 AND name = $3";
    let rows = query!(&mut *session, fetch_all, (String, String), READ).map_err(fault)?;
    for (id, name) in &rows {
        execute!(&mut *session, WRITE, folded(name), id, name).map_err(fault)?;
    }
    Ok(rows.len())
}

/// Saves a new share and, of a dashboard, counts it. Whoever makes one holds the row of what it opens.
pub(crate) async fn insert(session: &mut Session, share: &Share) -> Result<()> {
    const COUNT: &str = "UPDATE dashboard SET shares = shares + 1 WHERE id = $1";
    const SQL: &str =
        "INSERT INTO share (id, organization_id, target_kind, share_type, name, name_folded, state, generation,
            revision, nonce, key_epoch, rules, password_hash, password_epoch, protection_version, guess_resets,
            max_access_count, not_before, expires_at, created_at, issued_at, frame_origins, target_id,
            context_id, notify_address, permission, tile_budget)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
            $24, $25, $26, $27)";
    let protection = &share.protection;
    let password = protection.password.as_ref();
    execute!(
        &mut *session,
        SQL,
        share.id.to_string(),
        share.organization_id.to_string(),
        share.target.kind.name(),
        type_name(share.share_type),
        &share.name,
        folded(&share.name),
        state_name(share.state),
        signed(share.generation),
        signed(share.revision),
        hex::encode(share.nonce),
        &share.key_epoch,
        to_text(&share.rules)?,
        password.map(|hashed| &hashed.hash),
        password.map(|hashed| &hashed.key_epoch),
        signed(protection.version),
        signed(protection.resets),
        protection.max_access_count.map(signed),
        share.not_before.map(|at| at.0),
        share.expires_at.map(|at| at.0),
        share.created_at.0,
        share.issued_at.0,
        to_text(&share.frame_origins)?,
        share.target.id.to_string(),
        share.context.map(|context| context.to_string()),
        share.notify.as_ref().map(Address::as_str),
        share.permission.name(),
        share.tile_budget.map(signed),
    )
    .map_err(|error| unique(error, "the dashboard is in this context already"))?;
    execute!(session, COUNT, share.target.id.to_string()).map_err(fault)?;
    Ok(())
}

/// Saves what can change.
pub(crate) async fn update(session: &mut Session, share: &Share) -> Result<()> {
    const SQL: &str = "UPDATE share SET name = $1, state = $2, generation = $3, revision = $4, nonce = $5,
            key_epoch = $6, rules = $7, expires_at = $8, issued_at = $9, revoked_at = $10, closed = $11,
            name_folded = $12, password_hash = $13, password_epoch = $14, protection_version = $15,
            guess_resets = $16, max_access_count = $17, not_before = $18, revoked_tokens = $19,
            frame_origins = $20
        WHERE id = $21";
    let protection = &share.protection;
    let password = protection.password.as_ref();
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
        folded(&share.name),
        password.map(|hashed| &hashed.hash),
        password.map(|hashed| &hashed.key_epoch),
        signed(protection.version),
        signed(protection.resets),
        protection.max_access_count.map(signed),
        share.not_before.map(|at| at.0),
        to_text(&share.revoked_tokens)?,
        to_text(&share.frame_origins)?,
        share.id.to_string(),
    )
    .map_err(fault)?;
    Ok(())
}

/// Reads a share of some kinds of targets and holds its row until the session ends.
pub(crate) async fn lock(
    session: &mut Session,
    organization: Uuid,
    kinds: &[TargetKind],
    share: Uuid,
) -> Result<Share> {
    const SQL: &str =
        "UPDATE share SET revision = revision WHERE id = $1 AND organization_id = $2 RETURNING *";
    let (share, organization) = (share.to_string(), organization.to_string());
    let row = query!(session, fetch_optional, Row, SQL, share, organization).map_err(fault)?;
    let share = row.map(Row::into_domain).transpose()?;
    share.filter(|share| kinds.contains(&share.target.kind)).ok_or(Error::NotFound("share"))
}

/// A share of some kinds of targets.
pub(crate) async fn find(
    session: &mut Session,
    organization: Uuid,
    kinds: &[TargetKind],
    share: Uuid,
) -> Result<Stored> {
    const SQL: &str = concat!(select_stored!(), "WHERE s.id = $1 AND s.organization_id = $2");
    let (share, organization) = (share.to_string(), organization.to_string());
    let row = query!(session, fetch_optional, StoredRow, SQL, share, organization).map_err(fault)?;
    let stored = row.map(StoredRow::into_domain).transpose()?;
    stored.filter(|stored| kinds.contains(&stored.share.target.kind)).ok_or(Error::NotFound("share"))
}

/// The share in force of what may have one only, held until the session ends by whoever holds the row of that.
pub(crate) async fn only(session: &mut Session, organization: Uuid, target: Target) -> Result<Option<Share>> {
    const SQL: &str = "SELECT * FROM share
        WHERE target_id = $1 AND organization_id = $2 AND target_kind = $3 AND state = 'live'";
    let (id, organization) = (target.id.to_string(), organization.to_string());
    query!(session, fetch_optional, Row, SQL, id, organization, target.kind.name())
        .map_err(fault)?
        .map(Row::into_domain)
        .transpose()
}

/// A share of any organization: for the data plane, whose caller is the edge.
pub(crate) async fn any(session: &mut Session, share: Uuid) -> Result<Option<Share>> {
    const SQL: &str = "SELECT * FROM share WHERE id = $1";
    query!(session, fetch_optional, Row, SQL, share.to_string())
        .map_err(fault)?
        .map(Row::into_domain)
        .transpose()
}

/// The share of a token, whether that is its current one or not.
pub(crate) async fn of_token(session: &mut Session, key: &str) -> Result<Option<Share>> {
    const SQL: &str =
        "SELECT s.* FROM share s JOIN share_token t ON t.share_id = s.id WHERE t.record_key = $1";
    query!(session, fetch_optional, Row, SQL, key).map_err(fault)?.map(Row::into_domain).transpose()
}

/// Holds the share of a token until the session ends.
pub(crate) async fn hold_of_token(session: &mut Session, key: &str) -> Result<()> {
    const SQL: &str = "UPDATE share SET revision = revision
        WHERE id = (SELECT share_id FROM share_token WHERE record_key = $1)";
    execute!(session, SQL, key).map_err(fault)?;
    Ok(())
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
        WHERE target_id = $1 AND state = 'live' AND rules LIKE '%\"filter_slug\"%'";
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

/// Whoever is to be told of a share's first opening, once: nobody when they were told before.
pub(crate) async fn notify_once(session: &mut Session, share: Uuid, now: Millis) -> Result<Option<Address>> {
    const SQL: &str = "UPDATE share SET notified_at = $1
        WHERE id = $2 AND notified_at IS NULL AND notify_address IS NOT NULL RETURNING notify_address";
    let row = query!(session, fetch_optional, (String,), SQL, now.0, share.to_string()).map_err(fault)?;
    Ok(row.and_then(|(address,)| Address::parse(&address)))
}

/// Gives every live share of what it opens its next revision.
pub(crate) async fn touch_all(session: &mut Session, target: Uuid) -> Result<()> {
    const SQL: &str = "UPDATE share SET revision = revision + 1 WHERE target_id = $1 AND state = 'live'";
    execute!(session, SQL, target.to_string()).map_err(fault)?;
    Ok(())
}

/// Revokes every live share of what it opens. Their tokens are retired by [`retire_all_tokens`].
pub(crate) async fn revoke_all(session: &mut Session, target: Uuid, now: Millis) -> Result<()> {
    const SQL: &str = "UPDATE share SET state = 'revoked', revoked_at = $1, revision = revision + 1
        WHERE target_id = $2 AND state = 'live'";
    execute!(session, SQL, now.0, target.to_string()).map_err(fault)?;
    Ok(())
}

/// Ends the current tokens of all shares of what they open.
pub(crate) async fn retire_all_tokens(session: &mut Session, target: Uuid, now: Millis) -> Result<()> {
    const SQL: &str = "UPDATE share_token SET retired_at = $1
        WHERE retired_at IS NULL AND share_id IN (SELECT id FROM share WHERE target_id = $2)";
    execute!(session, SQL, now.0, target.to_string()).map_err(fault)?;
    Ok(())
}
