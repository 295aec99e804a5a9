//! Archives of tiles in R2, read by range.

use crate::bucket::{self, Object};
use bytes::Bytes;
use shared::app::archive::{NoBytes, Ranges};
use shared::app::port::Unreachable;
use std::future::Future;
use wasm_bindgen::JsValue;
use worker::send::{SendFuture, SendWrapper};

/// Longest time that a read may take.
const LIMIT_MS: u32 = 8_000;

/// An object of the bucket, under one entity tag if there is one.
pub struct InBucket {
    bucket: SendWrapper<JsValue>,
    key: String,
    etag: Option<String>,
}

impl InBucket {
    /// Names it.
    pub fn new(bucket: &JsValue, key: &str, etag: Option<&str>) -> Self {
        let bucket = SendWrapper::new(bucket.clone());
        Self { bucket, key: key.to_owned(), etag: etag.map(str::to_owned) }
    }
}

impl Ranges for InBucket {
    fn range(&self, offset: u64, length: usize) -> impl Future<Output = Result<Bytes, NoBytes>> + Send {
        // A Worker has one thread.
        SendFuture::new(async move {
            let etag = self.etag.as_deref();
            let read = bucket::read_object(&self.bucket, &self.key, etag, (offset, length), LIMIT_MS).await;
            match read {
                Ok(Object::Bytes(bytes)) => Ok(bytes.into()),
                Ok(Object::Missing) => Err(NoBytes::Changed),
                Err(error) => Err(NoBytes::Unreachable(Unreachable(format!("R2: {error:?}")))),
            }
        })
    }
}
