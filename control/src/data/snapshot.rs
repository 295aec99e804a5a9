//! All rows of one query, streamed into a table of a data product. As read-only and bounded as what visitors cause, but for longer.

use super::template::Template;
use super::{DataPlane, Engine, Failure, dialect, postgres, sqlite};
use crate::product::{Filled, blocking};
use crate::store::data_source::DataSource;
use shared::time::Millis;
use shared::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// Longest that a query may take whose rows are kept.
pub(super) const SNAPSHOT_TIMEOUT: Duration = Duration::from_mins(5);
/// Where the query stands in the body of whoever made it.
const PLACE: &str = "/query/sql";

/// Why there is no table.
pub(super) enum Broken {
    /// The source said no.
    Source(Failure),
    /// The rows make no table.
    Table(Error),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Source(failure)
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Table(error)
    }
}

impl Broken {
    fn into_error(self) -> Error {
        match self {
            Self::Table(error) => error,
            Self::Source(Failure::TimedOut) => Error::invalid(PLACE, "took longer than 5 minutes"),
            Self::Source(Failure::Refused(message)) => {
                Error::invalid(PLACE, format!("is refused by the database: {message}"))
            }
            Self::Source(failure @ Failure::Unreachable(_)) => {
                Error::Query { message: failure.words().to_owned() }
            }
        }
    }
}

impl DataPlane {
    /// Runs a query without parameters and keeps all its rows.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `/query/sql` when it is none, or takes too long, [`Error::Query`] when the source is out of reach.
    pub(crate) async fn snapshot(
        &self,
        source: &DataSource,
        sql: &str,
        folder: &Path,
        now: Millis,
    ) -> Result<Filled> {
        let template = Template::parse(dialect(source.kind), sql)
            .map_err(|fault| Error::invalid(PLACE, fault.to_string()))?;
        if let Some(name) = template.names().into_iter().next() {
            return Err(Error::invalid(PLACE, format!("uses :{name}, but a data product has no filters")));
        }
        let query = template.render_whole(&BTreeMap::new());
        let deadline = Instant::now() + SNAPSHOT_TIMEOUT;
        let filled = match self.engine(source).map_err(|failure| Broken::from(failure).into_error())? {
            Engine::Sqlite(path) => {
                let folder = folder.to_owned();
                blocking(move || {
                    sqlite::snapshot(&path, &query, &folder, (deadline, now)).map_err(Broken::into_error)
                })
                .await
            }
            Engine::Postgres(pool) => {
                let reading = postgres::snapshot(&pool, &query, folder, now);
                let read = tokio::time::timeout_at(deadline, reading).await;
                read.unwrap_or(Err(Broken::Source(Failure::TimedOut))).map_err(Broken::into_error)
            }
        };
        filled
    }
}
