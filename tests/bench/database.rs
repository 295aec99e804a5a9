//! The control plane's database, and a way into it past the control plane: for rows in bulk, and for the bare loops that
//! stand beside it.

use crate::workerd::ROOT_KEY;
use anyhow::{Context, Result, bail};
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use tests::stack::own_database;
use tokio::runtime::{Builder, Runtime};

pub use tests::Database as Kind;

/// A database of its own with the tables of this build, gone when this is dropped.
pub struct Database {
    url: String,
    folder: TempDir,
}

impl Database {
    /// A new one, without rows.
    pub fn new(kind: Kind) -> Result<Self> {
        // Beside what cargo builds: a system's folder for temporary files may be memory, which no commit waits for.
        let folder = TempDir::with_prefix_in("postern-bench-", env!("CARGO_TARGET_TMPDIR"))?;
        let url = match kind {
            Kind::Sqlite => format!("sqlite://{}", folder.path().join("postern.db").display()),
            Kind::Postgres => own_database()?,
        };
        let database = Self { url, folder };
        database.output(&["migrate"])?;
        Ok(database)
    }

    /// Its folder, where others may lie too.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The program `postern` on this database.
    pub fn postern(&self) -> Result<Command> {
        let program =
            std::env::var_os("POSTERN_BIN").context("POSTERN_BIN is not set: run `cargo xtask bench`")?;
        let mut command = Command::new(program);
        command.env("DATABASE_URL", &self.url).env("POSTERN_ROOT_KEY", ROOT_KEY);
        Ok(command)
    }

    /// What `postern` prints.
    pub fn output(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = self.postern()?.args(arguments).output()?;
        if !output.status.success() {
            bail!("postern {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(output.stdout)
    }

    /// Opens it, with what it promises of a commit as the control plane has it.
    pub fn open(&self) -> Result<Raw> {
        if let Some(path) = self.url.strip_prefix("sqlite://") {
            let connection = rusqlite::Connection::open(path)?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            return Ok(Raw::Sqlite(connection));
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let connection = runtime.block_on(PgConnection::connect(&self.url))?;
        Ok(Raw::Postgres(runtime, connection))
    }
}

/// One connection to either database.
pub enum Raw {
    /// By rusqlite.
    Sqlite(rusqlite::Connection),
    /// By sqlx.
    Postgres(Runtime, PgConnection),
}

/// What a statement is given, in the order of its `$1`, `$2`, which must be that of their first appearance.
#[derive(Debug, Clone, Copy)]
pub enum Given<'a> {
    /// A text.
    Text(&'a str),
    /// A number.
    Number(i64),
}

impl Raw {
    /// Runs a statement, prepared once.
    pub fn run(&mut self, sql: &'static str, given: &[Given<'_>]) -> Result<()> {
        match self {
            Self::Sqlite(connection) => {
                let values = given.iter().map(|one| match one {
                    Given::Text(text) => rusqlite::types::Value::from((*text).to_owned()),
                    Given::Number(number) => rusqlite::types::Value::from(*number),
                });
                connection.prepare_cached(sql)?.execute(rusqlite::params_from_iter(values)).context(sql)?;
            }
            Self::Postgres(runtime, connection) => {
                let mut query = sqlx::query(sql);
                for one in given {
                    query = match one {
                        Given::Text(text) => query.bind((*text).to_owned()),
                        Given::Number(number) => query.bind(*number),
                    };
                }
                runtime.block_on(query.execute(connection)).context(sql)?;
            }
        }
        Ok(())
    }

    /// Runs orders that give nothing back, such as `COMMIT`.
    pub fn order(&mut self, sql: &'static str) -> Result<()> {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql)?,
            Self::Postgres(runtime, connection) => {
                runtime.block_on(connection.execute(sqlx::raw_sql(sql)))?;
            }
        }
        Ok(())
    }
}
