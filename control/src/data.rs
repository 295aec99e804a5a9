//! The data plane: runs dashboards' queries on their sources, read-only and bounded. The only way to rows is
//! by [`Parameters`], which only the policy function makes.

mod bind;
mod check;
mod gate;
mod postgres;
mod reach;
mod seal;
mod snapshot;
mod sqlite;
mod template;

use crate::store::data_source::{DataSource, Kind};
use futures_util::future::join_all;
use gate::Gate;
use serde_json::Value;
use shared::call::{Column, Executed, OptionsFound, PanelError, PanelRows};
use shared::error::Flaw;
use shared::face::dashboard::manage::Unnarrowed;
use shared::model::dashboard::{Definition, Options, Widget};
use shared::model::filter::{Choice, Filter};
use shared::model::key::KeyRing;
use shared::model::policy::{Parameters, Rules};
use shared::time::Millis;
use shared::{Error, Result};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use template::{Dialect, Query, Template, Values};
use tokio::time::Instant;
use uuid::Uuid;

/// Queries that know nothing of a rule that narrows a filter: see [`reach`].
pub(crate) fn unnarrowed(
    source: &DataSource,
    definition: &Definition,
    filters: &[Filter],
    rules: &Rules,
) -> Vec<Unnarrowed> {
    reach::unnarrowed(dialect(source.kind), definition, filters, rules)
}

/// Longest that a query may take, its wait for a place included.
pub(crate) const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Most rows of a widget.
pub(crate) const MAX_ROWS: usize = 10_000;
/// Most options of a filter.
const MAX_OPTIONS: usize = 1_000;
/// Most bytes of cells in one answer, all its queries together; rows beyond are cut off like those beyond the cap.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// What one answer may still hold; its queries share it.
#[derive(Clone)]
struct Budget(Arc<AtomicUsize>);

impl Budget {
    fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(MAX_ANSWER_BYTES)))
    }

    /// Takes `bytes` out of it; `false` when there are not so many left.
    fn take(&self, bytes: usize) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

/// How much a query may give.
struct Cap {
    rows: usize,
    bytes: Budget,
}

/// Everything that runs queries.
pub(crate) struct DataPlane {
    ring: KeyRing,
    sqlite: sqlite::Folder,
    postgres: postgres::Pools,
    gate: Gate,
}

/// Rows of a query.
#[derive(Debug, Clone, PartialEq)]
struct Rows {
    columns: Vec<Column>,
    cells: Vec<Vec<Value>>,
    truncated: bool,
}

/// Why a query gave none. The texts are for the log and for owners, never for viewers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Failure {
    /// It took too long, or waited too long for its place.
    #[error("took longer than {} s", QUERY_TIMEOUT.as_secs())]
    TimedOut,
    /// The source cannot be reached.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The engine refused it.
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    /// What viewers may know: nothing of the schema.
    const fn words(&self) -> &'static str {
        match self {
            Self::TimedOut => "The query took longer than 10 s.",
            Self::Unreachable(_) => "The data source cannot be reached.",
            Self::Refused(_) => "The query failed.",
        }
    }
}

/// One source, opened as far as it can be without a query.
enum Engine {
    Sqlite(PathBuf),
    Postgres(sqlx::PgPool),
}

impl DataPlane {
    /// Runs SQLite sources below `sqlite_dir`; none when it is absent. Opens sealed URLs with the ring's keys.
    pub(crate) fn new(ring: KeyRing, sqlite_dir: Option<PathBuf>) -> Self {
        Self {
            ring,
            sqlite: sqlite::Folder::new(sqlite_dir),
            postgres: postgres::Pools::new(),
            gate: Gate::new(),
        }
    }

    /// Is this a SQLite file that a data source may name?
    ///
    /// # Errors
    /// [`Error::Invalid`] at `/file`.
    pub(crate) async fn check_file(&self, file: &str) -> Result<()> {
        let path = self.sqlite.resolve(file).map_err(|message| Error::invalid("/file", message))?;
        sqlite::probe(path).await.map_err(|_| Error::invalid("/file", "is no SQLite database"))
    }

    /// Encrypts a PostgreSQL URL for the source `id`.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `/url` when it is none.
    pub(crate) fn seal_url(&self, id: Uuid, url: &str) -> Result<String> {
        postgres::check_url(url).map_err(|message| Error::invalid("/url", message))?;
        seal::seal(&self.ring.current.source, id, url)
    }

    /// Everything that is wrong with a definition's SQL.
    ///
    /// # Errors
    /// [`Error::Internal`] when the source's URL cannot be opened.
    pub(crate) async fn flaws(&self, source: &DataSource, definition: &Definition) -> Result<Vec<Flaw>> {
        let engine = match self.engine(source) {
            Ok(engine) => Some(engine),
            Err(Failure::Unreachable(_)) => None,
            Err(failure) => return Err(Error::Internal(failure.to_string())),
        };
        Ok(check::flaws(engine.as_ref(), dialect(source.kind), definition).await)
    }

    /// Runs every widget's query.
    pub(crate) async fn execute(
        &self,
        share: Uuid,
        source: &DataSource,
        definition: &Definition,
        parameters: &Parameters,
        now: Millis,
    ) -> Executed {
        let values = bind::values(definition, parameters);
        let (started, budget) = (Instant::now(), Budget::new());
        let panels = definition
            .widgets
            .iter()
            .map(|widget| self.panel(share, source, widget, &values, (&budget, started)));
        Executed { panels: join_all(panels).await, generated_at: now.to_rfc3339() }
    }

    async fn panel(
        &self,
        share: Uuid,
        source: &DataSource,
        widget: &Widget,
        values: &Values,
        (budget, started): (&Budget, Instant),
    ) -> PanelRows {
        let cap = Cap { rows: MAX_ROWS, bytes: budget.clone() };
        match self.run(share, source, &widget.sql, values, (cap, started)).await {
            Ok(Rows { columns, cells, truncated }) => {
                PanelRows { id: widget.id.clone(), columns, rows: cells, truncated, error: None }
            }
            Err(failure) => {
                tracing::warn!(%share, widget = widget.id, %failure, "a widget's query failed");
                let error =
                    PanelError { error: failure.words().to_owned(), error_code: "DB_QUERY_ERROR".to_owned() };
                PanelRows {
                    id: widget.id.clone(),
                    columns: Vec::new(),
                    rows: Vec::new(),
                    truncated: false,
                    error: Some(error),
                }
            }
        }
    }

    /// Runs a filter's options query. The parameters are bound in it too: what a share imposes narrows
    /// options as it narrows rows (API.md 1.k).
    ///
    /// # Errors
    /// [`Error::FilterDisabled`] when the filter has no such query, [`Error::Query`] when it failed.
    pub(crate) async fn options(
        &self,
        share: Uuid,
        source: &DataSource,
        definition: &Definition,
        parameters: &Parameters,
        (slug, search): (&str, Option<&str>),
    ) -> Result<OptionsFound> {
        let filter = definition.filters.iter().find(|filter| filter.slug == slug);
        let Some(Options::Sql(sql)) = filter.and_then(|filter| filter.options.as_ref()) else {
            return Err(Error::FilterDisabled { slug: slug.to_owned() });
        };
        let mut values = bind::values(definition, parameters);
        values.insert(bind::SEARCH.to_owned(), bind::search(search));
        let cap = Cap { rows: MAX_OPTIONS, bytes: Budget::new() };
        let rows = self.run(share, source, sql, &values, (cap, Instant::now())).await;
        match rows {
            Ok(rows) => Ok(OptionsFound { options: choices(&rows) }),
            Err(failure) => {
                tracing::warn!(%share, filter = slug, %failure, "an options query failed");
                Err(Error::Query { message: failure.words().to_owned() })
            }
        }
    }

    async fn run(
        &self,
        share: Uuid,
        source: &DataSource,
        sql: &str,
        values: &Values,
        (cap, started): (Cap, Instant),
    ) -> Result<Rows, Failure> {
        let template = Template::parse(dialect(source.kind), sql)
            .map_err(|fault| Failure::Refused(fault.to_string()))?;
        let query = template.render(values);
        let deadline = started + QUERY_TIMEOUT;
        let place = self.gate.enter(share, deadline).await.ok_or(Failure::TimedOut)?;
        let begun = Instant::now();
        let rows = self.engine(source)?.run(query, cap, deadline).await;
        drop(place);
        let outcome = if rows.is_ok() { "ok" } else { "failed" };
        metrics::histogram!("postern_query_seconds", "kind" => source.kind.name(), "outcome" => outcome)
            .record(begun.elapsed());
        rows
    }

    fn engine(&self, source: &DataSource) -> Result<Engine, Failure> {
        match source.kind {
            Kind::Sqlite => self
                .sqlite
                .resolve(&source.location)
                .map(Engine::Sqlite)
                .map_err(|message| Failure::Unreachable(message.to_owned())),
            Kind::Postgres => {
                let url = seal::open(&self.ring, source.id, &source.location).map_err(Failure::Refused)?;
                self.postgres.pool(source.id, &url).map(Engine::Postgres)
            }
        }
    }
}

impl Engine {
    async fn run(&self, query: Query, cap: Cap, deadline: Instant) -> Result<Rows, Failure> {
        match self {
            Self::Sqlite(path) => sqlite::run(path.clone(), query, cap, deadline).await,
            Self::Postgres(pool) => postgres::run(pool, query, &cap, deadline).await,
        }
    }

    /// Lets the engine read a query without running it, and gives the names of its columns.
    async fn prepare(&self, query: Query) -> Result<Vec<String>, Failure> {
        match self {
            Self::Sqlite(path) => sqlite::prepare(path.clone(), query).await,
            Self::Postgres(pool) => postgres::prepare(pool, query).await,
        }
    }
}

const fn dialect(kind: Kind) -> Dialect {
    match kind {
        Kind::Sqlite => Dialect::Sqlite,
        Kind::Postgres => Dialect::Postgres,
    }
}

/// Columns `value` and `label` by name, else the first and the second; without a label the value is its own.
fn choices(rows: &Rows) -> Vec<Choice> {
    let named = |name: &str| rows.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    let value_at = named("value").unwrap_or(0);
    let label_at = named("label").or_else(|| (0..rows.columns.len()).find(|at| *at != value_at));
    let choice = |row: &Vec<Value>| {
        let value = row.get(value_at).filter(|value| !value.is_null())?.clone();
        let label =
            match label_at.and_then(|at| row.get(at)).filter(|label| !label.is_null()).unwrap_or(&value) {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
        Some(Choice { label, value })
    };
    rows.cells.iter().filter_map(choice).collect()
}
