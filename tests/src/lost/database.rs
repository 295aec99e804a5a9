//! The database behind the control plane's back.

use crate::control::Control;
use anyhow::Result;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Access to it.
pub(super) enum Direct {
    /// The file.
    Sqlite(PathBuf),
    /// The URL.
    Postgres(String),
}

impl Direct {
    /// That of a control plane.
    pub(super) fn of(control: &Control) -> Self {
        match control.database_url().strip_prefix("sqlite://") {
            Some(file) => Self::Sqlite(file.into()),
            None => Self::Postgres(control.database_url().to_owned()),
        }
    }

    /// Runs statements.
    pub(super) fn run(&self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(file) => {
                let connection = rusqlite::Connection::open(file)?;
                connection.busy_timeout(Duration::from_secs(10))?;
                connection.execute_batch(sql)?;
            }
            Self::Postgres(url) => runtime()?.block_on(async {
                let mut connection = PgConnection::connect(url).await?;
                connection.execute(AssertSqlSafe(sql.to_owned())).await?;
                connection.close().await
            })?,
        }
        Ok(())
    }

    /// Keeps everybody else from writing for a while; it does when this returns.
    pub(super) fn lock(&self, duration: Duration) -> Result<JoinHandle<Result<()>>> {
        let (locked, is_locked) = mpsc::channel();
        let handle = match self {
            Self::Sqlite(file) => {
                let connection = rusqlite::Connection::open(file)?;
                thread::spawn(move || {
                    connection.busy_timeout(Duration::from_secs(10))?;
                    connection.execute_batch("BEGIN IMMEDIATE")?;
                    locked.send(())?;
                    thread::sleep(duration);
                    connection.execute_batch("ROLLBACK")?;
                    Ok(())
                })
            }
            Self::Postgres(url) => {
                let url = url.clone();
                thread::spawn(move || {
                    runtime()?.block_on(async {
                        let mut connection = PgConnection::connect(&url).await?;
                        connection.execute("BEGIN; LOCK TABLE share, share_token IN EXCLUSIVE MODE").await?;
                        locked.send(())?;
                        tokio::time::sleep(duration).await;
                        connection.execute("ROLLBACK").await?;
                        connection.close().await?;
                        Ok(())
                    })
                })
            }
        };
        is_locked.recv()?;
        Ok(handle)
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
