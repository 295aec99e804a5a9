//! What is to be mailed: rows are enqueued in the transaction of what they are about, claimed by a sender, and go when the mail server
//! has taken the mail.

use super::{Session, execute, fault, id, query, unsigned};
use shared::model::address::Address;
use shared::time::Millis;
use shared::{Error, Result};
use std::time::Duration;
use uuid::Uuid;

/// How long a claim lasts: longer than a mail may take to be sent. A crashed sender's rows are free again after it.
pub(crate) const CLAIM: Duration = Duration::from_mins(2);

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A one-time code, by its row.
    Code,
    /// The first opening of a share, by its id.
    FirstOpening,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Code, Self::FirstOpening];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::FirstOpening => "first_opening",
        }
    }
}

/// A mail that its claimer must send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    /// Names it, also to the mail server.
    pub(crate) id: Uuid,
    /// What it is about.
    pub(crate) kind: Kind,
    /// The row or share that it is about.
    pub(crate) subject: Uuid,
    /// To whom.
    pub(crate) address: Address,
    /// Failed tries so far.
    pub(crate) attempts: u64,
    /// It is not worth sending any more then.
    pub(crate) expires_at: Millis,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    kind: String,
    subject_id: String,
    address: String,
    attempts: i64,
    expires_at: i64,
}

impl Row {
    fn into_domain(self) -> Result<Mail> {
        let strange = || Error::Internal(format!("stored mail {}", self.id));
        Ok(Mail {
            id: id(&self.id)?,
            kind: Kind::ALL.into_iter().find(|kind| kind.name() == self.kind).ok_or_else(strange)?,
            subject: id(&self.subject_id)?,
            address: Address::parse(&self.address).ok_or_else(strange)?,
            attempts: unsigned(self.attempts),
            expires_at: Millis(self.expires_at),
        })
    }
}

/// Enqueues a mail, to be sent at once and for `life` at most.
pub(crate) async fn enqueue(
    session: &mut Session,
    (kind, subject): (Kind, Uuid),
    address: &Address,
    life: Duration,
    now: Millis,
) -> Result<()> {
    const SQL: &str = "INSERT INTO mail
            (id, kind, subject_id, address, attempts, next_attempt_at, claimed_until, expires_at)
        VALUES ($1, $2, $3, $4, 0, $5, 0, $6)";
    let (id, subject) = (Uuid::now_v7().to_string(), subject.to_string());
    execute!(session, SQL, id, kind.name(), subject, address.as_str(), now.0, now.plus(life).0)
        .map_err(fault)?;
    Ok(())
}

/// Claims mails that are due, oldest first.
pub(crate) async fn claim(session: &mut Session, limit: u32, now: Millis) -> Result<Vec<Mail>> {
    macro_rules! claim {
        ($skip_locked:literal) => {
            concat!(
                "UPDATE mail SET claimed_until = $1
                WHERE claimed_until <= $2 AND id IN (
                    SELECT id FROM mail WHERE next_attempt_at <= $2 AND claimed_until <= $2
                    ORDER BY next_attempt_at, id LIMIT $3 ",
                $skip_locked,
                ") RETURNING id, kind, subject_id, address, attempts, expires_at"
            )
        };
    }
    let sql = match session {
        Session::Sqlite(_) => claim!(""),
        Session::Postgres(_) => claim!("FOR UPDATE SKIP LOCKED"),
    };
    let limit = i64::from(limit);
    let rows = query!(session, fetch_all, Row, sql, now.plus(CLAIM).0, now.0, limit).map_err(fault)?;
    rows.into_iter().map(Row::into_domain).collect()
}

/// A mail was sent, or is not worth sending any more.
pub(crate) async fn settle(session: &mut Session, mail: Uuid) -> Result<()> {
    execute!(session, "DELETE FROM mail WHERE id = $1", mail.to_string()).map_err(fault)?;
    Ok(())
}

/// A mail could not be sent: try again at `next`.
pub(crate) async fn postpone(session: &mut Session, mail: Uuid, next: Millis) -> Result<()> {
    const SQL: &str =
        "UPDATE mail SET attempts = attempts + 1, next_attempt_at = $1, claimed_until = 0 WHERE id = $2";
    execute!(session, SQL, next.0, mail.to_string()).map_err(fault)?;
    Ok(())
}

/// Forgets mails that are not worth sending any more.
pub(crate) async fn sweep(session: &mut Session, now: Millis) -> Result<u64> {
    execute!(session, "DELETE FROM mail WHERE expires_at <= $1 AND claimed_until <= $1", now.0).map_err(fault)
}

/// How many mails wait.
pub(crate) async fn backlog(session: &mut Session) -> Result<u64> {
    let (count,) = query!(session, fetch_one, (i64,), "SELECT COUNT(*) FROM mail").map_err(fault)?;
    Ok(unsigned(count))
}
