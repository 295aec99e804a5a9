//! The database: SQLite or PostgreSQL, chosen once by URL. One SQL text serves both; all of it lies in
//! this module and below it.
//!
//! Work happens in a [`Session`], which is one transaction. Inside a session nothing else is asked, and
//! what was not committed is rolled back when it is dropped.

pub(crate) mod access_log;
pub(crate) mod api_key;
pub(crate) mod audit;
pub(crate) mod context;
pub(crate) mod dashboard;
pub(crate) mod data_product;
pub(crate) mod data_source;
pub(crate) mod embed;
pub(crate) mod idempotency;
pub(crate) mod mail;
pub(crate) mod map;
pub(crate) mod organization;
pub(crate) mod outbox;
pub(crate) mod portal;
pub(crate) mod reconciliation;
pub(crate) mod share;
pub(crate) mod usage;
pub(crate) mod versioned;

use shared::time::Millis;
use shared::{Error, Result};
use sqlx::error::DatabaseError;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgPoolOptions, PgSeverity};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction};
use std::str::FromStr;
use std::time::Duration;
use uuid::Uuid;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!();

/// How long a writer waits for its turn before the caller is told to try again.
const WAIT: Duration = Duration::from_secs(5);
/// How often folding names gives way to others.
const FOLD_RETRIES: u32 = 5;
/// Connections that read at once. PostgreSQL's default limit is 100 for all instances together.
const READERS: u32 = 16;

/// The database, ready for use; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pools: Pools,
}

#[derive(Debug, Clone)]
enum Pools {
    /// SQLite has one writer: a pool of one connection queues writers fairly, instead of letting them
    /// race for the file's lock.
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
    },
    Postgres(PgPool),
}

/// A transaction on either database.
pub(crate) enum Session {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs one query on whichever database the session speaks to and gives rows of a type.
macro_rules! query {
    ($session:expr, $fetch:ident, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $session {
            $crate::store::Session::Sqlite(transaction) => {
                sqlx::query_as::<sqlx::Sqlite, $row>($sql)$(.bind($bind))*.$fetch(&mut **transaction).await
            }
            $crate::store::Session::Postgres(transaction) => {
                sqlx::query_as::<sqlx::Postgres, $row>($sql)$(.bind($bind))*.$fetch(&mut **transaction).await
            }
        }
    };
}

/// Runs one statement on whichever database the session speaks to and tells how many rows it touched.
macro_rules! execute {
    ($session:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $session {
            $crate::store::Session::Sqlite(transaction) => sqlx::query::<sqlx::Sqlite>($sql)$(.bind($bind))*
                .execute(&mut **transaction)
                .await
                .map(|done| done.rows_affected()),
            $crate::store::Session::Postgres(transaction) => sqlx::query::<sqlx::Postgres>($sql)$(.bind($bind))*
                .execute(&mut **transaction)
                .await
                .map(|done| done.rows_affected()),
        }
    };
}
pub(crate) use {execute, query};

impl Store {
    /// Opens the database; a SQLite file is made when it is missing.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it is out of reach, [`Error::Internal`] for a URL that is neither.
    pub async fn connect(url: &str) -> Result<Self> {
        let pools = if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)
                .map_err(|_| Error::Internal("DATABASE_URL is no SQLite URL".to_owned()))?
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(WAIT)
                .foreign_keys(true);
            let pool = |connections| {
                SqlitePoolOptions::new()
                    .max_connections(connections)
                    .acquire_timeout(WAIT)
                    .after_release(|connection, _| Box::pin(is_out_of_transaction(connection)))
            };
            Pools::Sqlite {
                write: pool(1).connect_with(options.clone()).await.map_err(fault)?,
                read: pool(READERS).connect_with(options).await.map_err(fault)?,
            }
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url)
                .map_err(|_| Error::Internal("DATABASE_URL is no PostgreSQL URL".to_owned()))?;
            // As long as a writer waits on SQLite: whoever waits longer is told to try again.
            let options = options.options([("lock_timeout", format!("{}s", WAIT.as_secs()))]);
            let pool = PgPoolOptions::new().max_connections(READERS).acquire_timeout(WAIT);
            Pools::Postgres(pool.connect_with(options).await.map_err(fault)?)
        } else {
            return Err(Error::Internal("DATABASE_URL must begin with sqlite: or postgres:".to_owned()));
        };
        Ok(Self { pools })
    }

    /// Brings the tables up to date. Several instances may do so at once.
    ///
    /// # Errors
    /// [`Error::Internal`] when a migration fails, or when the database is newer than this build.
    pub async fn migrate(&self) -> Result<()> {
        self.run(&MIGRATIONS).await?;
        self.fold_names().await
    }

    pub(crate) async fn run(&self, migrations: &Migrator) -> Result<()> {
        match &self.pools {
            Pools::Sqlite { write, .. } => migrations.run(write).await,
            Pools::Postgres(pool) => {
                // Another instance's migrations, or a backup, may take longer than any request waits.
                let mut own = pool.acquire().await.map_err(fault)?.detach();
                sqlx::query("SET lock_timeout = 0").execute(&mut own).await.map_err(fault)?;
                let run = migrations.run(&mut own).await;
                own.close().await.map_err(fault)?;
                run
            }
        }
        .map_err(|error| Error::Internal(format!("migration: {error}")))
    }

    /// Makes the names searchable that SQL could not fold.
    async fn fold_names(&self) -> Result<()> {
        let mut failures = 0;
        loop {
            let mut session = self.write().await?;
            match share::fold_names(&mut session).await {
                Ok(0) => return Ok(()),
                Ok(_) => session.commit().await?,
                // PostgreSQL gave way to an instance that changes the same shares.
                Err(Error::Unavailable(_)) if failures < FOLD_RETRIES => failures += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Is the database there?
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it is not.
    pub async fn ping(&self) -> Result<()> {
        let mut session = self.read().await?;
        let _: (i64,) =
            query!(&mut session, fetch_one, (i64,), "SELECT COUNT(*) FROM organization WHERE id = ''")
                .map_err(fault)?;
        Ok(())
    }

    /// A session that only reads; what it sees is of one instant on SQLite.
    pub(crate) async fn read(&self) -> Result<Session> {
        match &self.pools {
            Pools::Sqlite { read, .. } => read.begin().await.map(Session::Sqlite),
            Pools::Postgres(pool) => pool.begin().await.map(Session::Postgres),
        }
        .map_err(fault)
    }

    /// A session that writes. On SQLite it takes the write lock at once: a deferred transaction that
    /// upgrades later fails without waiting (RELIABILITY.md 1.4).
    pub(crate) async fn write(&self) -> Result<Session> {
        match &self.pools {
            Pools::Sqlite { write, .. } => write.begin_with("BEGIN IMMEDIATE").await.map(Session::Sqlite),
            Pools::Postgres(pool) => pool.begin().await.map(Session::Postgres),
        }
        .map_err(fault)
    }

    /// Do writers wait for one another, so that no two hold what the other wants?
    pub(crate) const fn has_one_writer(&self) -> bool {
        matches!(self.pools, Pools::Sqlite { .. })
    }

    /// Ends all connections, after those in use are given back.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

impl Session {
    /// Makes all of it durable.
    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
        .map_err(fault)
    }
}

/// After some errors, of I/O above all, SQLite rolls back by itself. The ROLLBACK that sqlx sends then fails, and sqlx would
/// believe for good that the transaction goes on, and begin no other on that connection. Such a connection is closed.
async fn is_out_of_transaction(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // The rollback is only on its way; what is sent after it is answered after it.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// A database error in the domain's words: what trying again may cure is [`Error::Unavailable`].
#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
pub(crate) fn fault(error: sqlx::Error) -> Error {
    metrics::counter!("postern_database_errors_total").increment(1);
    let transient = match &error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        // A connection that breaks off while it is made looks like one that speaks something else.
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(database) => {
            database.code().is_some_and(|code| is_transient(&code)) || ends_connection(database.as_ref())
        }
        _ => false,
    };
    if transient { Error::Unavailable(error.to_string()) } else { Error::Internal(error.to_string()) }
}

/// PostgreSQL gives up the connection, or does not let it begin: that is about no statement of ours, whatever the code says.
fn ends_connection(error: &dyn DatabaseError) -> bool {
    error
        .try_downcast_ref::<PgDatabaseError>()
        .is_some_and(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}

/// PostgreSQL: connection, resources, operator's orders, serialization, its own I/O, a standby, and locks that are not to
/// be had. SQLite: busy, locked, read-only,
/// I/O, full; the low byte is the primary code.
fn is_transient(code: &str) -> bool {
    if code.len() == 5 {
        return ["08", "53", "57", "40", "58", "25006", "55P03"].iter().any(|class| code.starts_with(class));
    }
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14))
}

/// As [`fault`], but a broken unique constraint is the caller's conflict.
pub(crate) fn unique(error: sqlx::Error, conflict: &str) -> Error {
    match &error {
        sqlx::Error::Database(database) if database.is_unique_violation() => {
            Error::Conflict(conflict.to_owned())
        }
        _ => fault(error),
    }
}

/// Reads an id that this program wrote.
pub(crate) fn id(text: &str) -> Result<Uuid> {
    Uuid::parse_str(text).map_err(|_| Error::Internal(format!("stored id {text:?}")))
}

/// Reads a nonce that this program wrote.
pub(crate) fn nonce(text: &str) -> Result<[u8; 16]> {
    let mut nonce = [0; 16];
    hex::decode_to_slice(text, &mut nonce).map_err(|_| Error::Internal("stored nonce".to_owned()))?;
    Ok(nonce)
}

/// Reads JSON that this program wrote.
pub(crate) fn document<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::Internal(format!("stored JSON: {error}")))
}

/// Writes JSON for a column.
pub(crate) fn to_text(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Internal(format!("JSON: {error}")))
}

/// Counters in rows are never negative.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// Counters fit: they grow by one for each change.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// An instant that may be absent.
pub(crate) fn millis(column: Option<i64>) -> Option<Millis> {
    column.map(Millis)
}

/// A page of a list, newest first.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// At most this many.
    pub(crate) limit: u32,
    /// Only what is older than this id. UUIDs of version 7 sort by age.
    pub(crate) before: Option<Uuid>,
}

impl Page {
    /// Greater than every id, so that the first page needs no other SQL.
    pub(crate) fn before_text(&self) -> String {
        self.before.unwrap_or(Uuid::max()).to_string()
    }
}

/// What a list query found.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    /// How many there are in all.
    pub(crate) total: u64,
    /// This page.
    pub(crate) records: Vec<T>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transaction_that_sqlite_ends_by_itself_is_followed_by_others() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("postern.db").display());
        let store = Store::connect(&url).await.unwrap();
        store.migrate().await.unwrap();
        for slug in ["a", "b"] {
            let mut session = store.write().await.unwrap();
            let insert =
                "INSERT OR ROLLBACK INTO organization (id, slug, name, created_at) VALUES ($1, $1, 'A', 0)";
            execute!(&mut session, insert, slug).unwrap();
            // What a failed write to the disk does, too.
            execute!(&mut session, insert, slug).unwrap_err();
            drop(session);
            let mut session = store.write().await.unwrap();
            assert_eq!(execute!(&mut session, insert, slug).unwrap(), 1, "the first one was rolled back");
            session.commit().await.unwrap();
        }
    }
}
