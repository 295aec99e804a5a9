//! The rows of data products: each version is one table in a SQLite file of its own, written once and then only read. So
//! paging, sorting, searching and downloading are the same whatever the rows came from, and cost their source nothing.
//!
//! A file is filled under a temporary name and renamed; only then does the product's row name its version. What fails on the
//! way changes nothing. An old version's file is removed when the new one is in force: whoever still reads it goes on.

mod csv;
pub(crate) mod download;
mod export;
mod infer;
mod page;
mod parquet;
pub(crate) mod query;
mod table;

use axum::body::Body;
use futures_util::StreamExt;
use shared::call::PageRows;
use shared::model::data_product::{Page, Table, View};
use shared::model::key::KeyRing;
use shared::time::Millis;
use shared::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncWriteExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use uuid::Uuid;

pub(crate) use table::Filled;

/// Longest file that is taken, in bytes.
pub(crate) const MAX_FILE_BYTES: usize = 1024 * 1024 * 1024;
/// A sender that is silent for longer is not waited for.
const SILENCE: Duration = Duration::from_secs(30);
/// Longest that a file may take to arrive: 1 GiB at 300 KiB a second.
const UPLOAD_TIMEOUT: Duration = Duration::from_hours(1);
/// Tables that are filled at once: each takes a processor and some 100 MiB, a Parquet file of wide columns up to 700 MiB.
const FILLED_AT_ONCE: usize = 2;
/// Files that are received at once.
const RECEIVED_AT_ONCE: usize = 8;
/// Pages that are read at once; each takes a processor for a moment, a search for up to a second.
const READ_AT_ONCE: usize = 8;
/// Longest wait for a turn to read a page.
const READ_WAIT: Duration = Duration::from_secs(5);
/// A file of nobody's that is older is a crash's, and goes.
const ORPHAN_AGE: Duration = Duration::from_hours(24);

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// `text/csv`.
    Csv,
    /// `application/vnd.apache.parquet`.
    Parquet,
}

impl FileKind {
    /// Reads a media type; parameters are passed over.
    pub(crate) fn of(content_type: Option<&str>) -> Option<Self> {
        let essence = content_type?.split(';').next()?.trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/csv" => Some(Self::Csv),
            "application/vnd.apache.parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// The folder of all products' rows.
pub(crate) struct Products {
    folder: Option<PathBuf>,
    filling: Arc<Semaphore>,
    receiving: Arc<Semaphore>,
    reading: Arc<Semaphore>,
    downloads: download::Downloads,
}

impl Products {
    /// Keeps rows below `folder`; none when it is absent.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self {
            folder,
            filling: places(FILLED_AT_ONCE),
            receiving: places(RECEIVED_AT_ONCE),
            reading: places(READ_AT_ONCE),
            downloads: download::Downloads::new(),
        }
    }

    /// The folder, made when it is missing.
    ///
    /// # Errors
    /// [`Error::Conflict`] when none is configured, [`Error::Unavailable`] when it cannot be used.
    pub(crate) fn folder(&self) -> Result<&Path> {
        let folder = self.folder.as_deref().ok_or_else(|| {
            Error::Conflict("POSTERN_PRODUCT_DIR is not set, so there is no place for rows".to_owned())
        })?;
        std::fs::create_dir_all(folder).map_err(|error| unavailable(&error))?;
        Ok(folder)
    }

    /// A turn to fill a table; held to the end.
    ///
    /// # Errors
    /// [`Error::Throttled`] when too many are filled already.
    pub(crate) fn turn(&self) -> Result<OwnedSemaphorePermit> {
        busy(&self.filling, Duration::from_secs(10))
    }

    /// Receives a file and reads its rows into a table that nobody knows yet.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Malformed`] when it breaks off, [`Error::Invalid`] when it is no table.
    pub(crate) async fn receive(&self, kind: FileKind, body: Body, now: Millis) -> Result<Filled> {
        let folder = self.folder()?.to_owned();
        let _receiving = busy(&self.receiving, Duration::from_secs(30))?;
        let file = timeout(UPLOAD_TIMEOUT, save(&folder, body))
            .await
            .map_err(|_| Error::Malformed("the body took longer than an hour".to_owned()))??;
        let turn = Arc::clone(&self.filling).acquire_owned().await;
        blocking(move || {
            let _turn = turn;
            match kind {
                FileKind::Csv => csv::fill(&folder, &file, now),
                FileKind::Parquet => parquet::fill(&folder, &file, now),
            }
        })
        .await
        .map_err(|error| match error {
            // The libraries that read files of others are not ours: what makes them give up is the file.
            Error::Internal(reason) if reason.starts_with(PANICKED) => {
                tracing::warn!("a library gave up on a file");
                Error::invalid("", "has a body that cannot be read as a table")
            }
            error => error,
        })
    }

    /// Gives a filled table the name of a product's version.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the folder refuses.
    pub(crate) async fn place(&self, filled: Filled, product: Uuid, version: u64) -> Result<Table> {
        let path = file(self.folder()?, product, version);
        let Filled { file, table } = filled;
        blocking(move || file.persist(path).map_err(|error| unavailable(&error.error))).await?;
        Ok(table)
    }

    /// Removes a version that is in force no more. Whoever reads it goes on; a failure leaves an orphan for [`Self::sweep`].
    pub(crate) fn remove(&self, product: Uuid, version: u64) {
        if let Some(folder) = &self.folder
            && let Err(error) = std::fs::remove_file(file(folder, product, version))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, %product, version, "a data product's old rows were not removed");
        }
    }

    /// Reads a page.
    ///
    /// # Errors
    /// [`Error::Throttled`] when too many pages are read, [`Error::Unavailable`] when the version's file is not there.
    pub(crate) async fn page(&self, view: &View, page: &Page, ring: &KeyRing) -> Result<PageRows> {
        let path = file(self.folder()?, view.id, view.version);
        let (columns, asked) = (view.table.columns.clone(), page.clone());
        let turn = timeout(READ_WAIT, Arc::clone(&self.reading).acquire_owned()).await;
        let Ok(turn) = turn else { return Err(Error::Throttled { retry_after: READ_WAIT }) };
        let found = blocking(move || {
            let _turn = turn;
            page::read(&path, &columns, &asked)
        })
        .await?;
        Ok(PageRows {
            columns: view.table.columns.clone(),
            rows: found.rows,
            total: view.table.row_count,
            matched: found.matched,
            next_cursor: found.next.map(|position| page.cursor(ring, view, &position)),
            version: view.version,
        })
    }

    /// Removes what a crash has left: files of no version in force, and unfinished ones, after a day.
    pub(crate) async fn sweep(&self, is_in_force: impl Fn(Uuid, u64) -> bool + Send + 'static) -> Result<()> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        blocking(move || {
            let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(()) };
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_old = entry
                    .metadata()
                    .and_then(|metadata| metadata.modified())
                    .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > ORPHAN_AGE));
                let is_ours = match parse_name(&name) {
                    Some((product, version)) => !is_in_force(product, version),
                    None => name.starts_with(UNFINISHED),
                };
                if is_old && is_ours {
                    std::fs::remove_file(entry.path()).map_err(|error| unavailable(&error))?;
                }
            }
            Ok(())
        })
        .await
    }
}

/// How unfinished files begin.
const UNFINISHED: &str = ".unfinished-";
/// How the reason of [`blocking`] begins when the work has panicked.
const PANICKED: &str = "work ended";

/// A file that goes by itself unless it is kept.
fn unfinished(folder: &Path) -> Result<NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder).map_err(|error| unavailable(&error))
}

/// Where the rows of a version lie.
fn file(folder: &Path, product: Uuid, version: u64) -> PathBuf {
    folder.join(format!("{product}-{version}.db"))
}

/// The product and version that a file's name tells.
fn parse_name(name: &str) -> Option<(Uuid, u64)> {
    let (product, version) = name.strip_suffix(".db")?.rsplit_once('-')?;
    Some((product.parse().ok()?, version.parse().ok()?))
}

async fn save(folder: &Path, body: Body) -> Result<TempPath> {
    let (file, path) = unfinished(folder)?.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let (mut body, mut length) = (body.into_data_stream(), 0_usize);
    loop {
        let chunk = timeout(SILENCE, body.next())
            .await
            .map_err(|_| Error::Malformed("the body fell silent for 30 s".to_owned()))?;
        let Some(chunk) = chunk else { break };
        let chunk = chunk.map_err(|_| Error::Malformed("the body broke off".to_owned()))?;
        length += chunk.len();
        if length > MAX_FILE_BYTES {
            return Err(Error::TooLarge { limit_bytes: MAX_FILE_BYTES });
        }
        file.write_all(&chunk).await.map_err(|error| unavailable(&error))?;
    }
    file.flush().await.map_err(|error| unavailable(&error))?;
    Ok(path)
}

/// A place, or the advice to come back.
fn busy(places: &Arc<Semaphore>, retry_after: Duration) -> Result<OwnedSemaphorePermit> {
    Arc::clone(places).try_acquire_owned().map_err(|_| Error::Throttled { retry_after })
}

/// Runs what waits for disk and processor aside from everything else.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|error| Err(Error::Internal(format!("{PANICKED}: {error}"))))
}

fn unavailable(error: &std::io::Error) -> Error {
    Error::Unavailable(format!("the folder of data products: {error}"))
}
