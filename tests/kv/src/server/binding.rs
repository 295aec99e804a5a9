//! A location as workerd's KV binding asks it: a request for each operation, the key percent-encoded in the path,
//! metadata as JSON in a header.

use super::{Host, number, parameters, read_body, stored};
use crate::location::MIN_CACHE_TTL;
use crate::refusal::Refusal;
use crate::stored::MAX_VALUE_BYTES;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

const METADATA: HeaderName = HeaderName::from_static("cf-kv-metadata");

pub(super) fn router(host: Arc<Host>, location: usize) -> Router {
    let handle = move |State(host): State<Arc<Host>>, request: Request| async move {
        let answered = answer(&host, location, request).await;
        host.waited(answered).await.unwrap_or_else(|refusal| {
            let status = StatusCode::from_u16(refusal.status()).unwrap_or_default();
            (status, refusal.to_string()).into_response()
        })
    };
    Router::new().fallback(handle).with_state(host)
}

async fn answer(host: &Host, location: usize, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_start_matches('/');
    let key = percent_decode_str(path).decode_utf8().map_err(|_| Refusal::Invalid("a key is not UTF-8"))?;
    let parameters = parameters(parts.uri.query());
    match parts.method {
        Method::GET => {
            let ttl = number(&parameters, "cache_ttl")?.map(Duration::from_secs);
            tokio::time::sleep(host.settings.read_delay).await;
            read(host, location, &key, ttl)
        }
        Method::PUT => {
            let metadata = parts.headers.get(METADATA).map(read_metadata).transpose()?;
            let expiration = number(&parameters, "expiration")?;
            let expiration_ttl = number(&parameters, "expiration_ttl")?;
            let value = read_body(body, MAX_VALUE_BYTES).await?;
            host.kv.with(|core, now| {
                let stored = stored(now, value, metadata, expiration, expiration_ttl);
                core.put(now, Some(location), &key, stored)
            })?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Method::DELETE => {
            host.kv.with(|core, now| core.delete(now, Some(location), &key))?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    }
}

fn read(host: &Host, location: usize, key: &str, ttl: Option<Duration>) -> Result<Response, Refusal> {
    // The core would raise it; the binding is told.
    if ttl.is_some_and(|ttl| ttl < MIN_CACHE_TTL) {
        return Err(Refusal::Invalid("cache_ttl must be at least 30"));
    }
    let Some(stored) = host.kv.with(|core, now| core.read(now, location, key, ttl))? else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    let mut response = Response::new(Body::from(stored.value.clone()));
    if let Some(metadata) = &stored.metadata
        && let Ok(metadata) = HeaderValue::try_from(metadata.to_string().into_bytes())
    {
        response.headers_mut().insert(METADATA, metadata);
    }
    Ok(response)
}

fn read_metadata(header: &HeaderValue) -> Result<Value, Refusal> {
    serde_json::from_slice(header.as_bytes()).map_err(|_| Refusal::Invalid("metadata is not JSON"))
}
