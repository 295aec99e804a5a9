//! Cloudflare's REST API of one namespace: its envelope, its codes, its headers that tell how many calls are left.

mod body;

use super::{Host, number, parameters, read_body, stored};
use crate::core::Core;
use crate::rate::{CALLS, Quota, WINDOW};
use crate::refusal::Refusal;
use crate::stored::MAX_VALUE_BYTES;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// A bulk call must be shorter than 100 MB. (Workers KV, write key-value pairs.)
const MAX_BULK_BYTES: usize = 100_000_000 - 1;

/// The key of a path; account and namespace are one and the same.
type KeyOf = Path<(String, String, String)>;
type Answer = Result<Response, Refusal>;

pub(super) fn router(host: Arc<Host>) -> Router {
    let namespace = Router::new()
        .route("/values/{key}", get(get_value).put(put_value).delete(delete_value))
        .route("/bulk", put(bulk_put))
        .route("/bulk/delete", post(bulk_delete))
        .route("/bulk/get", post(bulk_get))
        .route("/keys", get(list));
    Router::new()
        .nest("/client/v4/accounts/{account}/storage/kv/namespaces/{namespace}", namespace)
        .fallback(async || failure(StatusCode::NOT_FOUND, 7003, "No route for the URI"))
        .layer(middleware::from_fn_with_state(Arc::clone(&host), admit))
        .with_state(host)
}

/// Lets in who shows the token and has calls left.
async fn admit(State(host): State<Arc<Host>>, request: Request, next: Next) -> Response {
    let shown = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let status = match shown.and_then(|shown| shown.strip_prefix(b"Bearer ")) {
        Some(token) if token == host.settings.token.as_bytes() => StatusCode::OK,
        Some(_) => StatusCode::FORBIDDEN,
        None => StatusCode::UNAUTHORIZED,
    };
    if status != StatusCode::OK {
        return failure(status, 10_000, "Authentication error");
    }
    let quota = host.kv.with(Core::rest_call);
    let mut response = if quota.blocked { too_many(quota.reset) } else { next.run(request).await };
    show(quota, response.headers_mut());
    response
}

/// Says how many calls are left, and of how many.
fn show(quota: Quota, headers: &mut HeaderMap) {
    let Quota { remaining, reset, .. } = quota;
    let left = format!("\"default\";r={remaining};t={}", whole_seconds(reset));
    let policy = format!("\"default\";q={CALLS};w={}", WINDOW.as_secs());
    for (name, value) in [(RATELIMIT, left), (RATELIMIT_POLICY, policy)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

/// Rounded up.
const fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + if duration.subsec_nanos() > 0 { 1 } else { 0 }
}

async fn get_value(State(host): State<Arc<Host>>, Path((_, _, key)): KeyOf) -> Answer {
    let found = host.kv.with(|core, now| core.get(now, &key))?;
    Ok(match found {
        Some(stored) => stored.value.clone().into_response(),
        None => failure(StatusCode::NOT_FOUND, 10_009, "get: 'key not found'"),
    })
}

async fn put_value(
    State(host): State<Arc<Host>>,
    Path((_, _, key)): KeyOf,
    RawQuery(query): RawQuery,
    request: Request,
) -> Answer {
    let form = request.headers().get(CONTENT_TYPE);
    if form.is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/")) {
        return Err(Refusal::Invalid("forms are not simulated: send the value alone, or in bulk"));
    }
    let parameters = parameters(query.as_deref());
    let expiration = number(&parameters, "expiration")?;
    let expiration_ttl = number(&parameters, "expiration_ttl")?;
    let value = read_body(request.into_body(), MAX_VALUE_BYTES).await?;
    let put = host
        .kv
        .with(|core, now| core.put(now, None, &key, stored(now, value, None, expiration, expiration_ttl)));
    host.waited(put).await.map(|()| success(&json!({}), None))
}

async fn delete_value(State(host): State<Arc<Host>>, Path((_, _, key)): KeyOf) -> Answer {
    let deleted = host.kv.with(|core, now| core.delete(now, None, &key));
    host.waited(deleted).await.map(|()| success(&json!({}), None))
}

async fn bulk_put(State(host): State<Arc<Host>>, request: Request) -> Answer {
    let pairs = body::pairs(&read_body(request.into_body(), MAX_BULK_BYTES).await?)?;
    let bulk = host.kv.with(|core, now| {
        let pairs = pairs.into_iter().map(|pair| pair.stored(now)).collect::<Result<_, _>>()?;
        core.bulk_put(now, pairs)
    });
    host.waited(bulk).await.map(|bulk| success(&body::bulk(&bulk), None))
}

async fn bulk_delete(State(host): State<Arc<Host>>, request: Request) -> Answer {
    let keys = body::keys(&read_body(request.into_body(), MAX_BULK_BYTES).await?)?;
    let bulk = host.kv.with(|core, now| core.bulk_delete(now, keys));
    host.waited(bulk).await.map(|bulk| success(&body::bulk(&bulk), None))
}

async fn bulk_get(State(host): State<Arc<Host>>, request: Request) -> Answer {
    let asked = body::asked(&read_body(request.into_body(), MAX_BULK_BYTES).await?)?;
    let found = host.kv.with(|core, now| core.bulk_get(now, asked.keys))?;
    let values = found.into_iter().map(|(key, stored)| {
        let shown = stored.map(|stored| body::found(&stored, asked.with_metadata)).transpose()?;
        Ok((key, shown.into()))
    });
    let values = values.collect::<Result<serde_json::Map<_, _>, Refusal>>()?;
    Ok(success(&json!({ "values": values }), None))
}

async fn list(State(host): State<Arc<Host>>, RawQuery(query): RawQuery) -> Answer {
    let parameters = parameters(query.as_deref());
    let limit = number(&parameters, "limit")?;
    let prefix = parameters.get("prefix").map_or("", String::as_str);
    // The cursor after the last page is empty, and some send it back.
    let cursor = parameters.get("cursor").map(String::as_str).filter(|cursor| !cursor.is_empty());
    let page = host.kv.with(|core, now| core.list(now, prefix, limit, cursor))?;
    let info = json!({ "count": page.keys.len(), "cursor": page.cursor.unwrap_or_default() });
    let keys: Value = page.keys.into_iter().map(body::listed).collect();
    Ok(success(&keys, Some(info)))
}

fn success(result: &Value, info: Option<Value>) -> Response {
    let mut envelope = json!({ "success": true, "errors": [], "messages": [], "result": result });
    if let (Some(info), Some(fields)) = (info, envelope.as_object_mut()) {
        fields.insert("result_info".to_owned(), info);
    }
    Json(envelope).into_response()
}

fn failure(status: StatusCode, code: u32, message: &str) -> Response {
    let errors = json!([{ "code": code, "message": message }]);
    let envelope = json!({ "success": false, "errors": errors, "messages": [], "result": null });
    (status, Json(envelope)).into_response()
}

/// No call of any kind, for a time.
fn too_many(retry_after: Duration) -> Response {
    let message = "Please wait and consider throttling your request speed";
    let mut response = failure(StatusCode::TOO_MANY_REQUESTS, 971, message);
    response.headers_mut().insert(RETRY_AFTER, whole_seconds(retry_after).into());
    response
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = match self {
            Self::Unavailable { retry_after } => return too_many(retry_after),
            Self::Invalid(_) => 10_012,
            Self::TooLarge => 10_024,
            Self::TooOften => 10_022,
            Self::Failed | Self::TimedOut => 10_001,
        };
        let status = StatusCode::from_u16(self.status()).unwrap_or_default();
        failure(status, code, &self.to_string())
    }
}
