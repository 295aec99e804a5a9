//! Objects of an R2 bucket: read in parts, passed on as streams, uploaded in parts.

use crate::runtime;
use js_sys::{Array, Function, Promise};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/bucket.js")]
extern "C" {
    #[wasm_bindgen(js_name = statObject)]
    fn stat_object_js(bucket: &JsValue, key: &str) -> Promise;
    #[wasm_bindgen(js_name = readObject)]
    fn read_object_js(
        bucket: &JsValue,
        key: &str,
        etag: Option<&str>,
        offset: f64,
        length: u32,
        limit: u32,
    ) -> Promise;
    #[wasm_bindgen(js_name = beginUpload)]
    fn begin_upload_js(bucket: &JsValue, key: &str) -> Promise;
    #[wasm_bindgen(js_name = putPart)]
    fn put_part_js(bucket: &JsValue, key: &str, upload: &str, number: u32, part: &[u8]) -> Promise;
    #[wasm_bindgen(js_name = endUpload)]
    fn end_upload_js(bucket: &JsValue, key: &str, upload: &str, parts: &str) -> Promise;
    #[wasm_bindgen(js_name = abortUpload)]
    fn abort_upload_js(bucket: &JsValue, key: &str, upload: &str) -> Promise;
    #[wasm_bindgen(js_name = deleteObject)]
    fn delete_object_js(bucket: &JsValue, key: &str) -> Promise;
    #[wasm_bindgen(js_name = openObject)]
    fn open_object_js(
        bucket: &JsValue,
        key: &str,
        etag: &str,
        offset: f64,
        length: f64,
        limit: u32,
    ) -> Promise;
    #[wasm_bindgen(js_name = guardStream)]
    fn guard_stream_js(stream: &JsValue, length: f64) -> Array;
}

/// What a read of the bucket gives.
pub enum Object {
    /// Its bytes; fewer than were asked for at its end.
    Bytes(Vec<u8>),
    /// There is none under this key and tag.
    Missing,
}

/// Entity tag and length of an object.
pub async fn stat_object(bucket: &JsValue, key: &str) -> Result<Option<(String, u64)>, JsValue> {
    let stat = runtime::settled(&stat_object_js(bucket, key)).await?;
    let Some(stat) = stat.as_string() else { return Ok(None) };
    Ok(stat.split_once(' ').and_then(|(bytes, etag)| Some((etag.to_owned(), bytes.parse().ok()?))))
}

/// A part of an object, while it has this entity tag. Given up after `limit_ms`.
pub async fn read_object(
    bucket: &JsValue,
    key: &str,
    etag: Option<&str>,
    (offset, length): (u64, usize),
    limit_ms: u32,
) -> Result<Object, JsValue> {
    #[expect(clippy::cast_precision_loss, reason = "no object has 2^53 bytes: what is beyond is missing")]
    let offset = offset as f64;
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let read = runtime::settled(&read_object_js(bucket, key, etag, offset, length, limit_ms)).await?;
    Ok(runtime::optional_bytes(&read).map_or(Object::Missing, Object::Bytes))
}

/// Begins an upload and gives the bucket's name of it.
pub async fn begin_upload(bucket: &JsValue, key: &str) -> Result<String, JsValue> {
    let upload = runtime::settled(&begin_upload_js(bucket, key)).await?;
    upload.as_string().ok_or(upload)
}

/// Puts a part of an upload and gives its entity tag.
pub async fn put_part(
    bucket: &JsValue,
    key: &str,
    upload: &str,
    number: u32,
    part: &[u8],
) -> Result<String, JsValue> {
    let etag = runtime::settled(&put_part_js(bucket, key, upload, number, part)).await?;
    etag.as_string().ok_or(etag)
}

/// Makes an object of an upload's parts: JSON of [`shared::call::Part`]s.
pub async fn end_upload(bucket: &JsValue, key: &str, upload: &str, parts: &str) -> Result<(), JsValue> {
    runtime::settled(&end_upload_js(bucket, key, upload, parts)).await.map(drop)
}

/// Takes an upload back.
pub async fn abort_upload(bucket: &JsValue, key: &str, upload: &str) -> Result<(), JsValue> {
    runtime::settled(&abort_upload_js(bucket, key, upload)).await.map(drop)
}

/// Removes an object.
pub async fn delete_object(bucket: &JsValue, key: &str) -> Result<(), JsValue> {
    runtime::settled(&delete_object_js(bucket, key)).await.map(drop)
}

/// Opens a part of an object while it has this entity tag: a stream to be passed on, or `None` when there is none under this key and
/// tag. Given up when it has not begun after `limit_ms`.
pub async fn open_object(
    bucket: &JsValue,
    key: &str,
    etag: &str,
    (offset, length): (u64, u64),
    limit_ms: u32,
) -> Result<Option<JsValue>, JsValue> {
    #[expect(clippy::cast_precision_loss, reason = "no object has 2^53 bytes")]
    let (offset, length) = (offset as f64, length as f64);
    let opened = runtime::settled(&open_object_js(bucket, key, etag, offset, length, limit_ms)).await?;
    Ok((!opened.is_null()).then_some(opened))
}

/// A stream that is broken off when this is dropped before it has ended.
pub struct Guarded {
    /// To be passed on.
    pub stream: JsValue,
    /// Settles when nothing flows any more.
    pub ended: JsValue,
    stop: Function,
}

impl Guarded {
    /// `length` is that of the stream, in bytes.
    pub fn new(stream: &JsValue, length: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "no object has 2^53 bytes")]
        let parts = guard_stream_js(stream, length as f64);
        Self { stream: parts.get(0), ended: parts.get(1), stop: parts.get(2).unchecked_into() }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // It fails only for a request that is over, and its stream with it.
        let _ = self.stop.call0(&JsValue::UNDEFINED);
    }
}
