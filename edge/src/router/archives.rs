//! `/internal/archives/...`: the control plane puts archives of tiles into the bucket, and asks what lies there. Signed, and 404
//! for everybody else.

use super::Visit;
use super::internal::{check, send};
use crate::{bucket, runtime};
use serde::de::DeserializeOwned;
use shared::app::archive::Archive;
use shared::call::{ArchiveCall, PART_BYTES, Part, Probed, UploadBegun, UploadEnd};
use shared::face::{Answer, MAX_BODY_BYTES};
use shared::{Error, Result};
use wasm_bindgen::JsValue;

/// Longest list of parts: ten thousand of some hundred bytes.
const MAX_PARTS_BYTES: usize = 2 * 1024 * 1024;

/// Routes what comes after `/internal/archives`.
pub fn route(visit: Visit, verb: &[&str]) -> JsValue {
    let verb: Vec<String> = verb.iter().map(|part| (*part).to_owned()).collect();
    runtime::run(async move {
        let outcome = perform(&visit, &verb).await;
        send(&visit, outcome)
    })
}

async fn perform(visit: &Visit, verb: &[String]) -> Result<Answer> {
    let verb: Vec<&str> = verb.iter().map(String::as_str).collect();
    let edge = &visit.port.edge;
    let failed = |error: JsValue| Error::Unavailable(format!("bucket: {error:?}"));
    let answer = match verb.as_slice() {
        ["probe"] => {
            let ArchiveCall { key } = json(visit, MAX_BODY_BYTES).await?;
            Answer::json(200, &probe(visit, &key).await?)
        }
        ["begin"] => {
            let ArchiveCall { key } = json(visit, MAX_BODY_BYTES).await?;
            let upload = bucket::begin_upload(&edge.tiles, &key).await.map_err(failed)?;
            Answer::json(200, &UploadBegun { upload })
        }
        ["part", number, upload, key] => {
            let number: u32 = number.parse().map_err(|_| Error::NotFound("path"))?;
            let [upload, key] = [upload, key].map(|hex| text(hex));
            let (upload, key) = (upload?, key?);
            let part = body(visit, PART_BYTES).await?;
            let etag = bucket::put_part(&edge.tiles, &key, &upload, number, &part).await.map_err(failed)?;
            Answer::json(200, &Part { number, etag })
        }
        ["end"] => {
            let UploadEnd { key, upload, parts } = json(visit, MAX_PARTS_BYTES).await?;
            let parts = serde_json::to_string(&parts).map_err(|error| Error::Internal(error.to_string()))?;
            bucket::end_upload(&edge.tiles, &key, &upload, &parts).await.map_err(failed)?;
            let probed = probe(visit, &key).await?;
            if !matches!(probed, Probed::Good(_)) {
                bucket::delete_object(&edge.tiles, &key).await.map_err(failed)?;
            }
            Answer::json(200, &probed)
        }
        ["abort"] => {
            let UploadEnd { key, upload, .. } = json(visit, MAX_BODY_BYTES).await?;
            bucket::abort_upload(&edge.tiles, &key, &upload).await.map_err(failed)?;
            Answer::json(200, &true)
        }
        _ => return Err(Error::NotFound("path")),
    };
    Ok(answer)
}

/// What lies under a key, looked into within limits.
async fn probe(visit: &Visit, key: &str) -> Result<Probed> {
    let edge = &visit.port.edge;
    let stat = bucket::stat_object(&edge.tiles, key)
        .await
        .map_err(|error| Error::Unavailable(format!("bucket: {error:?}")))?;
    let Some((etag, bytes)) = stat else { return Ok(Probed::Missing) };
    let described =
        async { Archive::open(edge.archive(key, Some(&etag))).await?.describe(&etag, bytes).await };
    match described.await {
        Ok(archive) => Ok(Probed::Good(archive)),
        Err(Error::Archive(reason)) => Ok(Probed::Broken(reason)),
        Err(error) => Err(error),
    }
}

fn text(hex: &str) -> Result<String> {
    let bytes = hex::decode(hex).map_err(|_| Error::NotFound("path"))?;
    String::from_utf8(bytes).map_err(|_| Error::NotFound("path"))
}

async fn json<T: DeserializeOwned>(visit: &Visit, limit: usize) -> Result<T> {
    let body = body(visit, limit).await?;
    serde_json::from_slice(&body).map_err(|error| Error::Malformed(error.to_string()))
}

/// A body whose signature was checked: before a byte of it is read, and over all of them.
async fn body(visit: &Visit, limit: usize) -> Result<Vec<u8>> {
    let signed = check(visit)?;
    let body = runtime::body(&visit.request, limit)
        .await
        .map_err(|_| Error::Malformed("the body broke off".to_owned()))?
        .ok_or(Error::TooLarge { limit_bytes: limit })?;
    if signed.covers(&body) { Ok(body) } else { Err(Error::NotFound("path")) }
}
