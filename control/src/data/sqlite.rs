//! Queries on SQLite files. Four things keep them from doing harm, each enough by itself: the file is opened
//! read-only, `query_only` is on, an authorizer allows reading alone, and limits and a deadline bound the work.
//!
//! Each query opens the file anew: that takes a tenth of a millisecond, and always finds the file that
//! stands at the path now.

mod cells;

use super::snapshot::Broken;
use super::template::{Bind, Query};
use super::{Budget, Cap, Failure, Rows};
use crate::product::Filled;
use crate::product::query::Dynamic;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, Value as Stored};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, ToSql, params_from_iter};
use shared::time::Millis;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// How many steps of the virtual machine run between two looks at the clock: about a millisecond.
const STEPS: i32 = 50_000;
/// Functions that reach beyond the database.
const FORBIDDEN_FUNCTIONS: [&str; 2] = ["load_extension", "fts3_tokenizer"];

/// The folder in which SQLite sources lie.
pub(super) struct Folder(Option<PathBuf>);

impl Folder {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }

    /// The file that a source names: a relative path that ends below the folder, whatever links are on the way.
    ///
    /// # Errors
    /// What is wrong with it, for its owner.
    pub(super) fn resolve(&self, file: &str) -> Result<PathBuf, &'static str> {
        let folder = self.0.as_ref().ok_or("needs POSTERN_SQLITE_DIR, which is not set")?;
        let relative = Path::new(file);
        if !relative.components().all(|part| matches!(part, Component::Normal(_))) || file.contains('\0') {
            return Err("must be a path below the folder for SQLite files");
        }
        let folder = folder.canonicalize().map_err(|_| "needs POSTERN_SQLITE_DIR, which is no folder")?;
        let path = folder.join(relative).canonicalize().map_err(|_| "does not exist")?;
        if !path.starts_with(&folder) || !path.is_file() {
            return Err("must be a file below the folder for SQLite files");
        }
        Ok(path)
    }
}

/// Is there a SQLite database?
pub(super) async fn probe(path: PathBuf) -> Result<(), Failure> {
    let query = Query { sql: "SELECT COUNT(*) FROM sqlite_schema".to_owned(), binds: Vec::new() };
    let deadline = Instant::now() + Duration::from_secs(5);
    run(path, query, Cap { rows: 1, bytes: Budget::new() }, deadline).await.map(drop)
}

/// Runs a query and gives no more rows than `cap` allows.
pub(super) async fn run(path: PathBuf, query: Query, cap: Cap, deadline: Instant) -> Result<Rows, Failure> {
    blocking(move || {
        let connection = open(&path, deadline)?;
        let mut statement = read(&connection, &query.sql)?;
        let declared =
            statement.columns().iter().map(|column| column.decl_type().map(str::to_owned)).collect();
        let names = statement.column_names().into_iter().map(str::to_owned).collect::<Vec<_>>();
        let mut rows = statement.query(params_from_iter(&query.binds)).map_err(failure)?;
        let mut taken = cells::Taken::new(names, declared);
        while let Some(row) = rows.next().map_err(failure)? {
            if taken.len() == cap.rows {
                taken.truncate();
                break;
            }
            let cells = (0..taken.width())
                .map(|at| row.get::<_, Stored>(at))
                .collect::<Result<Vec<_>, _>>()
                .map_err(failure)?;
            if !cap.bytes.take(cells::bytes(&cells)) {
                taken.truncate();
                break;
            }
            taken.push(cells);
        }
        Ok(taken.finish())
    })
    .await
}

/// Keeps all rows of a query. To be called where one may wait.
pub(super) fn snapshot(
    path: &Path,
    query: &Query,
    folder: &Path,
    (deadline, now): (Instant, Millis),
) -> Result<Filled, Broken> {
    let connection = open(path, deadline)?;
    let mut statement = read(&connection, &query.sql)?;
    let is_boolean =
        |declared: Option<&str>| declared.is_some_and(|name| name.to_ascii_uppercase().contains("BOOL"));
    let columns: Vec<(String, bool)> = statement
        .columns()
        .iter()
        .map(|column| (column.name().to_owned(), is_boolean(column.decl_type())))
        .collect();
    let width = columns.len();
    let mut table = Dynamic::begin(folder, columns)?;
    let mut rows = statement.query(params_from_iter(&query.binds)).map_err(failure)?;
    while let Some(row) = rows.next().map_err(failure)? {
        let cells = (0..width).map(|at| row.get_ref(at)).collect::<Result<Vec<_>, _>>().map_err(failure)?;
        table.insert(cells.into_iter())?;
    }
    Ok(table.finish(now)?)
}

/// Lets SQLite read a query without running it, and gives the names of its columns.
pub(super) async fn prepare(path: PathBuf, query: Query) -> Result<Vec<String>, Failure> {
    blocking(move || {
        let connection = open(&path, Instant::now() + Duration::from_secs(5))?;
        let statement = read(&connection, &query.sql)?;
        Ok(statement.column_names().into_iter().map(str::to_owned).collect())
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Failure::Refused(error.to_string())))
}

fn open(path: &Path, deadline: Instant) -> Result<Connection, Failure> {
    let unreachable = |error: rusqlite::Error| Failure::Unreachable(error.to_string());
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(unreachable)?;
    connection.busy_timeout(Duration::from_secs(2)).map_err(unreachable)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF").map_err(unreachable)?;
    for (limit, most) in [
        // A cell, and a query with its lists expanded.
        (Limit::SQLITE_LIMIT_LENGTH, 16 * 1024 * 1024),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 1024 * 1024),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, most).map_err(unreachable)?;
    }
    connection.authorizer(Some(authorize)).map_err(unreachable)?;
    connection.progress_handler(STEPS, Some(move || Instant::now() >= deadline)).map_err(unreachable)?;
    Ok(connection)
}

fn authorize(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => Authorization::Allow,
        AuthAction::Function { function_name } => {
            let forbidden = FORBIDDEN_FUNCTIONS.iter().any(|name| function_name.eq_ignore_ascii_case(name));
            if forbidden { Authorization::Deny } else { Authorization::Allow }
        }
        _ => Authorization::Deny,
    }
}

/// Prepares one statement that only reads.
fn read<'c>(connection: &'c Connection, sql: &str) -> Result<Statement<'c>, Failure> {
    let statement = connection.prepare(sql).map_err(failure)?;
    if !statement.readonly() || statement.column_count() == 0 {
        return Err(Failure::Refused("must be one SELECT".to_owned()));
    }
    Ok(statement)
}

#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn failure(error: rusqlite::Error) -> Failure {
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => Failure::TimedOut,
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::SystemIoFailure
            | ErrorCode::NotADatabase,
        ) => Failure::Unreachable(error.to_string()),
        _ => Failure::Refused(error.to_string()),
    }
}

impl ToSql for Bind {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Text(text) | Self::Date(text) => text.to_sql(),
            Self::Integer(number) => number.to_sql(),
            Self::Float(number) => number.to_sql(),
            Self::Boolean(truth) => truth.to_sql(),
        }
    }
}

#[cfg(test)]
mod tests;
