//! JSON in and out of the REST API.

use crate::core::rest::{Bulk, Listed};
use crate::refusal::Refusal;
use crate::stored::Stored;
use axum::body::Bytes;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::time::Millis;

/// One pair of a bulk write.
#[derive(Deserialize)]
pub(super) struct Pair {
    key: String,
    value: String,
    metadata: Option<Value>,
    expiration: Option<u64>,
    expiration_ttl: Option<u64>,
    /// The value is base64 of what should be stored.
    #[serde(default)]
    base64: bool,
}

impl Pair {
    pub(super) fn stored(self, now: Millis) -> Result<(String, Stored), Refusal> {
        let Self { key, value, metadata, expiration, expiration_ttl, base64 } = self;
        let value = if base64 {
            BASE64_STANDARD.decode(value).map_err(|_| Refusal::Invalid("a value is not base64"))?
        } else {
            value.into_bytes()
        };
        Ok((key, crate::server::stored(now, value.into(), metadata, expiration, expiration_ttl)))
    }
}

/// What a bulk read asks for. Of its types only `text` is simulated.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    pub(super) keys: Vec<String>,
    #[serde(default, rename = "type")]
    _kind: Kind,
    #[serde(default)]
    pub(super) with_metadata: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Text,
}

pub(super) fn asked(body: &Bytes) -> Result<Asked, Refusal> {
    json_of(body)
}

pub(super) fn pairs(body: &Bytes) -> Result<Vec<Pair>, Refusal> {
    json_of(body)
}

pub(super) fn keys(body: &Bytes) -> Result<Vec<String>, Refusal> {
    json_of(body)
}

fn json_of<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|_| Refusal::Invalid("the body is not what this call takes"))
}

pub(super) fn bulk(bulk: &Bulk) -> Value {
    json!({
        "successful_key_count": bulk.successful_key_count,
        "unsuccessful_keys": bulk.unsuccessful_keys,
    })
}

pub(super) fn found(stored: &Stored, with_metadata: bool) -> Result<Value, Refusal> {
    let value = std::str::from_utf8(&stored.value).map_err(|_| Refusal::Invalid("a value is no text"))?;
    if !with_metadata {
        return Ok(value.into());
    }
    let mut found = json!({ "value": value, "metadata": stored.metadata });
    expires(&mut found, stored.expiration);
    Ok(found)
}

pub(super) fn listed(listed: Listed) -> Value {
    let mut shown = json!({ "name": listed.name });
    if let (Some(metadata), Some(fields)) = (listed.metadata, shown.as_object_mut()) {
        fields.insert("metadata".to_owned(), metadata);
    }
    expires(&mut shown, listed.expiration);
    shown
}

/// Adds when something expires, in seconds since 1970, if it does.
fn expires(shown: &mut Value, expiration: Option<Millis>) {
    if let (Some(Millis(expiration)), Some(fields)) = (expiration, shown.as_object_mut()) {
        fields.insert("expiration".to_owned(), (expiration / 1_000).into());
    }
}
