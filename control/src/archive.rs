//! Archives of tiles in the edge's bucket: uploads go there in parts, by signed calls, so that no host ever holds a whole one.

use crate::clock::Clock;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt};
use reqwest::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::call::{
    ARCHIVES_PATH, ArchiveCall, PART_BYTES, Part, Probed, SIGNATURE_HEADER, UploadBegun, UploadEnd,
    part_path, sign,
};
use shared::model::item::ArchiveView;
use shared::model::key::Key;
use shared::{Error, Result};
use std::time::Duration;
use tokio::sync::Semaphore;

/// A part of 8 MiB over a slow line, and what the bucket does with it.
const TIMEOUT: Duration = Duration::from_mins(2);
/// How long an upload may pause.
const PAUSE: Duration = Duration::from_secs(30);
/// A bucket takes so many parts: 80 GB.
const MAX_PARTS: u32 = 10_000;
/// Uploads that are taken at once: each holds two parts.
const UPLOADS_AT_ONCE: usize = 8;
/// What others are told to wait.
const BUSY: Duration = Duration::from_secs(30);
/// How every archive begins: its kind, and the version of the format that is read here.
const MAGIC: &[u8] = b"PMTiles\x03";

/// The edge's bucket.
pub(crate) struct Archives {
    http: reqwest::Client,
    clock: Clock,
    key: Key,
    edge_url: String,
    uploads: Semaphore,
}

impl Archives {
    /// # Errors
    /// [`Error::Internal`] when no HTTP client can be made.
    pub(crate) fn new(clock: Clock, key: Key, edge_url: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| Error::Internal(format!("HTTP client: {error}")))?;
        Ok(Self {
            http,
            clock,
            key,
            edge_url: edge_url.trim_end_matches('/').to_owned(),
            uploads: Semaphore::new(UPLOADS_AT_ONCE),
        })
    }

    /// What lies under a key.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `pointer` when nothing does, or no archive.
    pub(crate) async fn probe(&self, pointer: &str, key: &str) -> Result<ArchiveView> {
        let path = format!("{ARCHIVES_PATH}/probe");
        judged(pointer, self.call(&path, &ArchiveCall { key: key.to_owned() }).await?)
    }

    /// Takes an upload, in parts as it comes.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no archive, [`Error::Malformed`] when it breaks off, [`Error::Throttled`] while too many others
    /// are being taken. Nothing then lies under the key.
    pub(crate) async fn upload<E: std::error::Error>(
        &self,
        key: &str,
        body: impl Stream<Item = std::result::Result<Bytes, E>> + Unpin,
    ) -> Result<ArchiveView> {
        let _turn = self.uploads.try_acquire().map_err(|_| Error::Throttled { retry_after: BUSY })?;
        let mut body = body.map_err(|_| Error::Malformed("the body broke off".to_owned()));
        let Some(first) = part(&mut body, BytesMut::new()).await? else {
            return Err(Error::invalid("", "has no body: send a PMTiles archive"));
        };
        if !first.taken.starts_with(MAGIC) {
            return Err(Error::invalid("", "is no PMTiles archive of version 3"));
        }
        let begin = format!("{ARCHIVES_PATH}/begin");
        let UploadBegun { upload } = self.call(&begin, &ArchiveCall { key: key.to_owned() }).await?;
        let end = |parts| UploadEnd { key: key.to_owned(), upload: upload.clone(), parts };
        match self.send_parts(key, &upload, first, body).await {
            Ok(parts) => judged("", self.call(&format!("{ARCHIVES_PATH}/end"), &end(parts)).await?),
            Err(error) => {
                // Should this fail too, the bucket forgets the upload after a week.
                let aborted: Result<bool> =
                    self.call(&format!("{ARCHIVES_PATH}/abort"), &end(Vec::new())).await;
                if let Err(reason) = aborted {
                    tracing::warn!(%reason, key, "an upload that broke off was not taken back");
                }
                Err(error)
            }
        }
    }

    async fn send_parts(
        &self,
        key: &str,
        upload: &str,
        first: Cut,
        mut body: impl Stream<Item = Result<Bytes>> + Unpin,
    ) -> Result<Vec<Part>> {
        let (mut parts, mut next) = (Vec::new(), Some(first));
        let mut number = 0;
        while let Some(Cut { taken, rest }) = next {
            number += 1;
            if number > MAX_PARTS {
                return Err(Error::TooLarge { limit_bytes: usize::MAX });
            }
            parts.push(self.post(&part_path(key, upload, number), taken).await?);
            next = part(&mut body, rest).await?;
        }
        Ok(parts)
    }

    async fn call<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let body = serde_json::to_vec(body).map_err(|error| Error::Internal(error.to_string()))?;
        self.post(path, body.into()).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: Bytes) -> Result<T> {
        let unreachable =
            |error: reqwest::Error| Error::Unavailable(format!("edge: {}", error.without_url()));
        let signature = sign(&self.key, "POST", path, &body, self.clock.now());
        let request = self.http.post(format!("{}{path}", self.edge_url)).header(SIGNATURE_HEADER, signature);
        let answer = request.body(body).send().await.map_err(unreachable)?;
        match answer.status() {
            StatusCode::OK => answer.json().await.map_err(unreachable),
            status => Err(Error::Unavailable(format!("edge: {path} answered {}", status.as_u16()))),
        }
    }
}

fn judged(pointer: &str, probed: Probed) -> Result<ArchiveView> {
    match probed {
        Probed::Good(archive) => Ok(archive),
        Probed::Broken(reason) => {
            Err(Error::invalid(pointer, format!("is no archive that maps can be made of: {reason}")))
        }
        Probed::Missing => Err(Error::invalid(pointer, "names nothing in the bucket")),
    }
}

/// A part, and what came after it.
struct Cut {
    taken: Bytes,
    rest: BytesMut,
}

/// The next part of a body; `None` at its end.
async fn part(
    body: &mut (impl Stream<Item = Result<Bytes>> + Unpin),
    mut held: BytesMut,
) -> Result<Option<Cut>> {
    while held.len() < PART_BYTES {
        let pause = || Error::Malformed("the body paused for over 30 s".to_owned());
        match tokio::time::timeout(PAUSE, body.next()).await.map_err(|_| pause())? {
            Some(chunk) => held.extend_from_slice(&chunk?),
            None => break,
        }
    }
    if held.is_empty() {
        return Ok(None);
    }
    let rest = held.split_off(held.len().min(PART_BYTES));
    Ok(Some(Cut { taken: held.freeze(), rest }))
}
