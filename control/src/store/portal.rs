//! Codes that were asked for and sent, and the sessions that they began.

use super::{Session, document, execute, fault, id, query, to_text, unsigned};
use shared::model::address::Address;
use shared::model::code::{LIFE, MAX_TRIES};
use shared::model::pace::{self, Rule};
use shared::model::portal::{LONGEST_SESSION, SESSION_LIFE};
use shared::time::Millis;
use shared::{Error, Result};
use std::time::Duration;
use uuid::Uuid;

/// Whatever somebody typed who wants a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// As it was typed.
    pub(crate) company_slug: String,
    /// As it was typed.
    pub(crate) address: String,
    /// When.
    pub(crate) at: Millis,
}

/// Notes that somebody wants a code.
pub(crate) async fn ask(session: &mut Session, asked: &Asked) -> Result<()> {
    const SQL: &str =
        "INSERT INTO code_request (id, company_slug, address, asked_at) VALUES ($1, $2, $3, $4)";
    let id = Uuid::now_v7().to_string();
    execute!(session, SQL, id, &asked.company_slug, &asked.address, asked.at.0).map_err(fault)?;
    Ok(())
}

/// Takes whoever asked first out. Those that another takes are left to it.
pub(crate) async fn take_asked(session: &mut Session) -> Result<Option<Asked>> {
    macro_rules! take {
        ($skip_locked:literal) => {
            concat!(
                "DELETE FROM code_request WHERE id IN (SELECT id FROM code_request ORDER BY id LIMIT 1 ",
                $skip_locked,
                ") RETURNING company_slug, address, asked_at"
            )
        };
    }
    let sql = match session {
        Session::Sqlite(_) => take!(""),
        Session::Postgres(_) => take!("FOR UPDATE SKIP LOCKED"),
    };
    let row = query!(session, fetch_optional, (String, String, i64), sql).map_err(fault)?;
    Ok(row.map(|(company_slug, address, at)| Asked { company_slug, address, at: Millis(at) }))
}

/// Lets something happen to `subject` if the rules allow it. Holds the subject until the session ends, so that no two at once are
/// counted as one.
///
/// # Errors
/// [`Error::Throttled`].
pub(crate) async fn keep_pace(
    session: &mut Session,
    subject: &str,
    rules: &[Rule],
    now: Millis,
) -> Result<()> {
    const LOCK: &str = "INSERT INTO pace (subject, instants, last_at) VALUES ($1, '[]', $2)
        ON CONFLICT (subject) DO UPDATE SET last_at = excluded.last_at RETURNING instants";
    const SAVE: &str = "UPDATE pace SET instants = $1 WHERE subject = $2";
    let (instants,) = query!(&mut *session, fetch_one, (String,), LOCK, subject, now.0).map_err(fault)?;
    let mut instants: Vec<Millis> = document(&instants)?;
    pace::allow(&mut instants, rules, now).map_err(|retry_after| Error::Throttled { retry_after })?;
    execute!(session, SAVE, to_text(&instants)?, subject).map_err(fault)?;
    Ok(())
}

/// A code that may be typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Issued {
    /// Its row.
    pub(crate) id: Uuid,
    /// What it is derived from, with the row's id.
    pub(crate) nonce: [u8; 16],
}

impl Issued {
    fn read((row, nonce): (String, String)) -> Result<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(&nonce, &mut bytes).map_err(|_| Error::Internal("stored nonce".to_owned()))?;
        Ok(Self { id: id(&row)?, nonce: bytes })
    }
}

/// Saves a code in place of the one before.
pub(crate) async fn issue(
    session: &mut Session,
    organization: Uuid,
    address: &Address,
    issued: Issued,
    now: Millis,
) -> Result<()> {
    const SQL: &str = "INSERT INTO one_time_code (id, organization_id, address, nonce, tries, expires_at)
        VALUES ($1, $2, $3, $4, 0, $5)
        ON CONFLICT (organization_id, address) DO UPDATE
            SET id = excluded.id, nonce = excluded.nonce, tries = 0, expires_at = excluded.expires_at";
    let (row, organization) = (issued.id.to_string(), organization.to_string());
    let (nonce, end) = (hex::encode(issued.nonce), now.plus(LIFE).0);
    execute!(session, SQL, row, organization, address.as_str(), nonce, end).map_err(fault)?;
    Ok(())
}

/// A code that is yet to be mailed, if it has not ended.
pub(crate) async fn code_for_mail(
    session: &mut Session,
    code: Uuid,
    now: Millis,
) -> Result<Option<(Issued, Uuid)>> {
    const SQL: &str =
        "SELECT id, nonce, organization_id FROM one_time_code WHERE id = $1 AND expires_at > $2";
    let row = query!(session, fetch_optional, (String, String, String), SQL, code.to_string(), now.0)
        .map_err(fault)?;
    row.map(|(row, nonce, organization)| Ok((Issued::read((row, nonce))?, id(&organization)?))).transpose()
}

/// Counts a try of an address's code, and gives what it may be compared with: nothing after [`MAX_TRIES`].
pub(crate) async fn count_try(
    session: &mut Session,
    organization: Uuid,
    address: &Address,
    now: Millis,
) -> Result<Option<Issued>> {
    const SQL: &str = "UPDATE one_time_code SET tries = tries + 1
        WHERE organization_id = $1 AND address = $2 AND tries < $3 AND expires_at > $4 RETURNING id, nonce";
    let (organization, tries) = (organization.to_string(), i64::from(MAX_TRIES));
    let row =
        query!(session, fetch_optional, (String, String), SQL, organization, address.as_str(), tries, now.0)
            .map_err(fault)?;
    row.map(Issued::read).transpose()
}

/// Uses a code up; `false` when somebody else has, or when it ended meanwhile.
pub(crate) async fn use_up(session: &mut Session, code: Uuid) -> Result<bool> {
    const SQL: &str = "DELETE FROM one_time_code WHERE id = $1";
    Ok(execute!(session, SQL, code.to_string()).map_err(fault)? > 0)
}

/// A sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignIn {
    /// Its id.
    pub(crate) id: Uuid,
    /// Whose portal.
    pub(crate) organization: Uuid,
    /// Who signed in.
    pub(crate) address: Address,
    /// SHA-256 of the refresh token that is taken next.
    pub(crate) refresh_hash: String,
    /// SHA-256 of the one before it.
    pub(crate) previous_hash: Option<String>,
    /// When the refresh token before it was taken.
    pub(crate) refreshed_at: Millis,
}

#[derive(sqlx::FromRow)]
struct SignInRow {
    id: String,
    organization_id: String,
    address: String,
    refresh_hash: String,
    previous_hash: Option<String>,
    refreshed_at: i64,
}

impl SignInRow {
    fn into_domain(self) -> Result<SignIn> {
        let address =
            Address::parse(&self.address).ok_or_else(|| Error::Internal(format!("session {}", self.id)))?;
        Ok(SignIn {
            id: id(&self.id)?,
            organization: id(&self.organization_id)?,
            address,
            refresh_hash: self.refresh_hash,
            previous_hash: self.previous_hash,
            refreshed_at: Millis(self.refreshed_at),
        })
    }
}

pub(crate) async fn begin(session: &mut Session, sign_in: &SignIn, now: Millis) -> Result<()> {
    const SQL: &str = "INSERT INTO portal_session
            (id, organization_id, address, refresh_hash, refreshed_at, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $5, $6)";
    execute!(
        session,
        SQL,
        sign_in.id.to_string(),
        sign_in.organization.to_string(),
        sign_in.address.as_str(),
        &sign_in.refresh_hash,
        now.0,
        now.plus(SESSION_LIFE).0,
    )
    .map_err(fault)?;
    Ok(())
}

/// A session, held until the database session ends.
pub(crate) async fn lock(session: &mut Session, sign_in: Uuid, now: Millis) -> Result<Option<SignIn>> {
    const SQL: &str = "UPDATE portal_session SET refreshed_at = refreshed_at
        WHERE id = $1 AND expires_at > $2
        RETURNING id, organization_id, address, refresh_hash, previous_hash, refreshed_at";
    query!(session, fetch_optional, SignInRow, SQL, sign_in.to_string(), now.0)
        .map_err(fault)?
        .map(SignInRow::into_domain)
        .transpose()
}

/// A session by id, as long as it lasts.
pub(crate) async fn find(session: &mut Session, sign_in: Uuid, now: Millis) -> Result<Option<SignIn>> {
    const SQL: &str = "SELECT id, organization_id, address, refresh_hash, previous_hash, refreshed_at
        FROM portal_session WHERE id = $1 AND expires_at > $2";
    query!(session, fetch_optional, SignInRow, SQL, sign_in.to_string(), now.0)
        .map_err(fault)?
        .map(SignInRow::into_domain)
        .transpose()
}

/// Gives a session its next refresh token; the one that was the last works for a while still.
pub(crate) async fn renew(session: &mut Session, sign_in: Uuid, hash: &str, now: Millis) -> Result<()> {
    const SQL: &str = "UPDATE portal_session
        SET previous_hash = refresh_hash, refresh_hash = $1, refreshed_at = $2,
            expires_at = CASE WHEN $3 < created_at + $4 THEN $3 ELSE created_at + $4 END
        WHERE id = $5";
    let longest = i64::try_from(LONGEST_SESSION.as_millis()).unwrap_or(i64::MAX);
    let end = now.plus(SESSION_LIFE).0;
    execute!(session, SQL, hash, now.0, end, longest, sign_in.to_string()).map_err(fault)?;
    Ok(())
}

/// Ends a session. Its row stays for a while: the edge may still tell what was opened in it.
pub(crate) async fn end(session: &mut Session, sign_in: Uuid, now: Millis) -> Result<()> {
    const SQL: &str = "UPDATE portal_session SET expires_at = $1 WHERE id = $2 AND expires_at > $1";
    execute!(session, SQL, now.0, sign_in.to_string()).map_err(fault)?;
    Ok(())
}

/// Forgets what has ended.
pub(crate) async fn sweep(session: &mut Session, now: Millis) -> Result<()> {
    const CODES: &str = "DELETE FROM one_time_code WHERE expires_at <= $1";
    const SESSIONS: &str = "DELETE FROM portal_session WHERE expires_at <= $1";
    const PACES: &str = "DELETE FROM pace WHERE last_at <= $1";
    /// No limit looks back further, and nobody tells of a session later.
    const LONGEST: Duration = Duration::from_hours(24);
    let before = Millis(now.0.saturating_sub(i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX)));
    execute!(&mut *session, CODES, now.0).map_err(fault)?;
    execute!(&mut *session, SESSIONS, before.0).map_err(fault)?;
    execute!(session, PACES, before.0).map_err(fault)?;
    Ok(())
}

/// How many wait to be told whether they get a code.
pub(crate) async fn waiting(session: &mut Session) -> Result<u64> {
    let (count,) = query!(session, fetch_one, (i64,), "SELECT COUNT(*) FROM code_request").map_err(fault)?;
    Ok(unsigned(count))
}
