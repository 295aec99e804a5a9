//! Queries on PostgreSQL. The transaction is read-only and has a statement time-out; the query runs as a
//! subquery, where PostgreSQL takes nothing but reading; and the source's role should be allowed no more.
//!
//! Cells travel as text, cast by PostgreSQL itself: so every type that it knows can be shown, and the types
//! of the columns come from preparing the query first.

use super::snapshot::{Broken, SNAPSHOT_TIMEOUT};
use super::template::{Bind, Query};
use super::{Cap, Failure, QUERY_TIMEOUT, Rows};
use crate::product::Filled;
use crate::product::query::Typed;
use futures_util::TryStreamExt;
use lru::LruCache;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use shared::call::{Column, ColumnType};
use shared::time::Millis;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow, PgStatement};
use sqlx::{
    AssertSqlSafe, Column as _, Executor, Postgres, Row, SqlSafeStr, Statement, Transaction, TypeInfo,
};
use std::num::NonZeroUsize;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

/// Sources whose connections are kept.
const SOURCES: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// Connections to one source.
const CONNECTIONS: u32 = 8;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Connections by source.
pub(super) struct Pools(Mutex<LruCache<Uuid, PgPool>>);

impl Pools {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(SOURCES)))
    }

    /// The connections of a source; none is made before the first query. A source's URL never changes.
    pub(super) fn pool(&self, source: Uuid, url: &SecretString) -> Result<PgPool, Failure> {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(&source) {
            return Ok(pool.clone());
        }
        let options = options(url.expose_secret()).map_err(|message| Failure::Refused(message.to_owned()))?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT_TIMEOUT)
            .idle_timeout(Duration::from_mins(1))
            .connect_lazy_with(options);
        pools.put(source, pool.clone());
        Ok(pool)
    }
}

/// Is this a URL of a PostgreSQL database?
///
/// # Errors
/// What is wrong with it; never a part of it.
pub(super) fn check_url(url: &str) -> Result<(), &'static str> {
    options(url).map(drop)
}

fn options(url: &str) -> Result<PgConnectOptions, &'static str> {
    const SHAPE: &str = "must be postgres://user:password@host:port/database";
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://")).ok_or(SHAPE)?;
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return Err(SHAPE);
    }
    PgConnectOptions::from_str(url).map(|options| options.application_name("postern")).map_err(|_| SHAPE)
}

/// Runs a query and gives no more rows than `cap` allows.
pub(super) async fn run(pool: &PgPool, query: Query, cap: &Cap, deadline: Instant) -> Result<Rows, Failure> {
    timeout_at(deadline, read(pool, query, cap)).await.unwrap_or(Err(Failure::TimedOut))
}

/// Lets PostgreSQL read a query without running it, and gives the names of its columns.
pub(super) async fn prepare(pool: &PgPool, query: Query) -> Result<Vec<String>, Failure> {
    let work = async {
        let mut transaction = begin(pool, QUERY_TIMEOUT).await?;
        let statement = describe(&mut transaction, &query).await?;
        // Only a subquery is sure to be a query: preparing alone takes an INSERT as well.
        let columns: Vec<Column> = columns(&statement);
        let wrapped = AssertSqlSafe(wrap(&query.sql, columns.len(), Some(1))).into_sql_str();
        transaction.prepare(wrapped).await.map_err(failure)?;
        Ok(columns.into_iter().map(|column| column.name).collect())
    };
    timeout(QUERY_TIMEOUT, work).await.unwrap_or(Err(Failure::TimedOut))
}

/// Rows of a snapshot that are handed on together.
const BATCH_ROWS: usize = 512;
/// Bytes of cells of a snapshot that are handed on together.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Keeps all rows of a query.
pub(super) async fn snapshot(
    pool: &PgPool,
    query: &Query,
    folder: &Path,
    now: Millis,
) -> Result<Filled, Broken> {
    let mut transaction = begin(pool, SNAPSHOT_TIMEOUT).await?;
    let statement = describe(&mut transaction, query).await?;
    let zoned = statement.columns().iter().map(|column| column.type_info().name() == "TIMESTAMPTZ");
    let columns: Vec<(String, ColumnType, bool)> = columns(&statement)
        .into_iter()
        .zip(zoned)
        .map(|(column, zoned)| (column.name, column.column_type, zoned))
        .collect();
    let width = columns.len();
    let mut table = Typed::begin(folder, columns).await?;
    let sql = wrap(&query.sql, width, None);
    let mut found = sqlx::query::<Postgres>(AssertSqlSafe(sql)).persistent(false).fetch(&mut *transaction);
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(row) = found.try_next().await.map_err(failure)? {
        let cells: Vec<Option<String>> =
            (0..width).map(|at| row.try_get(at)).collect::<Result<_, _>>().map_err(failure)?;
        bytes += cells.iter().flatten().map(String::len).sum::<usize>();
        batch.push(cells);
        if batch.len() >= BATCH_ROWS || bytes >= BATCH_BYTES {
            table = table.insert(std::mem::take(&mut batch)).await?;
            bytes = 0;
        }
    }
    drop(found);
    Ok(table.insert(batch).await?.finish(now).await?)
}

async fn read(pool: &PgPool, query: Query, cap: &Cap) -> Result<Rows, Failure> {
    let mut transaction = begin(pool, QUERY_TIMEOUT).await?;
    let columns = columns(&describe(&mut transaction, &query).await?);
    let sql = wrap(&query.sql, columns.len(), Some(cap.rows + 1));
    let mut asked = sqlx::query::<Postgres>(AssertSqlSafe(sql)).persistent(false);
    for bind in &query.binds {
        asked = match bind {
            Bind::Text(text) | Bind::Date(text) => asked.bind(text),
            Bind::Integer(number) => asked.bind(number),
            Bind::Float(number) => asked.bind(number),
            Bind::Boolean(truth) => asked.bind(truth),
        };
    }
    let mut found = asked.fetch(&mut *transaction);
    let (mut rows, mut truncated) = (Vec::new(), false);
    while let Some(row) = found.try_next().await.map_err(failure)? {
        let mut bytes = 0;
        let cells = cells(&row, &columns, &mut bytes)?;
        if rows.len() == cap.rows || !cap.bytes.take(bytes) {
            truncated = true;
            break;
        }
        rows.push(cells);
    }
    Ok(Rows { columns, cells: rows, truncated })
}

async fn begin(pool: &PgPool, limit: Duration) -> Result<Transaction<'static, Postgres>, Failure> {
    let mut transaction = pool.begin_with("BEGIN READ ONLY").await.map_err(failure)?;
    let set = format!(
        "SET LOCAL statement_timeout = {}; SET LOCAL datestyle = 'ISO'; SET LOCAL timezone = 'UTC';
         SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'",
        limit.as_millis()
    );
    transaction.execute(sqlx::raw_sql(AssertSqlSafe(set))).await.map_err(failure)?;
    Ok(transaction)
}

async fn describe(
    transaction: &mut Transaction<'static, Postgres>,
    query: &Query,
) -> Result<PgStatement, Failure> {
    let sql = AssertSqlSafe(query.sql.clone()).into_sql_str();
    let statement = transaction.prepare(sql).await.map_err(failure)?;
    if statement.columns().is_empty() {
        return Err(Failure::Refused("must be one SELECT".to_owned()));
    }
    Ok(statement)
}

/// The query as a subquery whose columns are numbered, each cast to text. The newline ends a comment in which
/// the query may end.
fn wrap(sql: &str, width: usize, limit: Option<usize>) -> String {
    let names: Vec<String> = (0..width).map(|at| format!("c{at}")).collect();
    let texts: Vec<String> = names.iter().map(|name| format!("{name}::text")).collect();
    let limit = limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
    format!("SELECT {} FROM (\n{sql}\n) AS q({}){limit}", texts.join(", "), names.join(", "))
}

fn columns(statement: &PgStatement) -> Vec<Column> {
    let column_type = |name: &str| match name {
        "INT2" | "INT4" | "INT8" | "OID" => ColumnType::Integer,
        "FLOAT4" | "FLOAT8" | "NUMERIC" => ColumnType::Number,
        "BOOL" => ColumnType::Boolean,
        "DATE" => ColumnType::Date,
        "TIMESTAMP" | "TIMESTAMPTZ" => ColumnType::Timestamp,
        "JSON" | "JSONB" => ColumnType::Json,
        _ => ColumnType::Text,
    };
    let column = |column: &sqlx::postgres::PgColumn| Column {
        name: column.name().to_owned(),
        column_type: column_type(column.type_info().name()),
    };
    statement.columns().iter().map(column).collect()
}

fn cells(row: &PgRow, columns: &[Column], bytes: &mut usize) -> Result<Vec<Value>, Failure> {
    let cell = |(at, column): (usize, &Column)| {
        let text: Option<String> = row.try_get(at).map_err(failure)?;
        *bytes += text.as_ref().map_or(0, String::len);
        Ok(text.map_or(Value::Null, |text| json(column.column_type, text)))
    };
    columns.iter().enumerate().map(cell).collect()
}

/// PostgreSQL's text as JSON. What JSON cannot say (NaN, infinities) is null.
fn json(column_type: ColumnType, text: String) -> Value {
    match column_type {
        ColumnType::Integer => text.parse::<i64>().map_or(Value::Null, Value::from),
        ColumnType::Number => match text.parse::<i64>() {
            Ok(whole) => Value::from(whole),
            Err(_) => text.parse::<f64>().map_or(Value::Null, Value::from),
        },
        ColumnType::Boolean => Value::Bool(text == "true"),
        ColumnType::Timestamp => {
            let text = text.replacen(' ', "T", 1);
            // The session's time zone is UTC.
            Value::String(
                text.strip_suffix("+00").map_or_else(|| text.clone(), |instant| format!("{instant}Z")),
            )
        }
        ColumnType::Json => serde_json::from_str(&text).unwrap_or(Value::Null),
        ColumnType::Text | ColumnType::Date => Value::String(text),
    }
}

/// Query cancelled by its statement time-out.
const CANCELLED: &str = "57014";

#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn failure(error: sqlx::Error) -> Failure {
    match &error {
        sqlx::Error::Database(database) => match database.code().as_deref() {
            Some(CANCELLED) => Failure::TimedOut,
            Some(code) if code.starts_with("08") || code.starts_with("28") || code.starts_with("57P") => {
                Failure::Unreachable(database.message().to_owned())
            }
            _ => Failure::Refused(database.message().to_owned()),
        },
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
            Failure::Unreachable(error.to_string())
        }
        _ => Failure::Refused(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
