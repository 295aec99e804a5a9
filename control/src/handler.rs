//! From HTTP to a use case and back: parse, call, render. What handlers share.

pub(crate) mod audit;
pub(crate) mod bulk;
pub(crate) mod context;
pub(crate) mod dashboard;
pub(crate) mod data_product;
pub(crate) mod data_source;
pub(crate) mod embed;
pub(crate) mod health;
pub(crate) mod internal;
pub(crate) mod limits;
mod list;
pub(crate) mod map;
pub(crate) mod operation;
pub(crate) mod password;
pub(crate) mod portal;
pub(crate) mod preview;
pub(crate) mod product_share;
pub(crate) mod session_token;
pub(crate) mod share;
pub(crate) mod target_share;

use crate::manage::{Done, Once};
use crate::service::Service;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use list::{ListQuery, ShareQuery, TargetShareQuery, listed};
use serde::de::DeserializeOwned;
use shared::face::dashboard::manage::parse_within;
use shared::face::{Answer, MAX_BODY_BYTES};
use shared::model::key::KeyRing;
use shared::{Error, Result};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Longest definition of a dashboard, in bytes: 50 widgets with a page of SQL each.
pub(crate) const MAX_DEFINITION_BYTES: usize = 256 * 1024;
/// Longest time that a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest `Idempotency-Key`, in characters.
const MAX_IDEMPOTENCY_KEY: usize = 255;
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// An answer of the domain's faces as an HTTP response.
#[derive(Debug)]
pub(crate) struct Reply(pub(crate) Answer);

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let Answer { status, content_type, headers, body } = self.0;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// An error on its way to the middleware that renders and logs it ([`crate::observe`]): it knows the
/// request's id, and nothing else needs to.
#[derive(Debug)]
pub(crate) struct Rejection(pub(crate) Error);

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Arc::new(self.0));
        response
    }
}

/// The first id in a path. What is no UUID names nothing.
pub(crate) struct Id(pub(crate) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let missing = || Rejection(Error::NotFound("resource"));
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| missing())?;
        let (_, text) = params.iter().next().ok_or_else(missing)?;
        let id = Uuid::parse_str(text).ok().filter(|_| text.len() == 36);
        id.map(Self).ok_or_else(missing)
    }
}

/// The last part of a path that names something, decoded.
pub(crate) struct Name(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let missing = || Rejection(Error::NotFound("resource"));
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| missing())?;
        params.iter().last().map(|(_, text)| Self(text.to_owned())).ok_or_else(missing)
    }
}

/// A JSON body, and the caller's `Idempotency-Key`.
pub(crate) struct Input<T, const LIMIT_BYTES: usize = MAX_BODY_BYTES> {
    /// The body.
    pub(crate) value: T,
    /// The key, if there is one.
    pub(crate) once: Option<Once>,
}

impl<T: DeserializeOwned, const LIMIT_BYTES: usize> FromRequest<Arc<Service>> for Input<T, LIMIT_BYTES> {
    type Rejection = Rejection;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Rejection> {
        let (parts, body) = request.into_parts();
        let body = read(body, LIMIT_BYTES).await?;
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let value = parse_within(content_type, &body, LIMIT_BYTES)?;
        Ok(Self { value, once: once(&service.ring, &parts, &body)? })
    }
}

/// No body, or an empty object; and the caller's `Idempotency-Key`.
pub(crate) struct Empty {
    /// The key, if there is one.
    pub(crate) once: Option<Once>,
}

impl FromRequest<Arc<Service>> for Empty {
    type Rejection = Rejection;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Rejection> {
        let (parts, body) = request.into_parts();
        let body = read(body, MAX_BODY_BYTES).await?;
        if !body.is_empty() && !shared::json::parse_object(&body)?.is_empty() {
            return Err(Error::invalid("", "takes no body").into());
        }
        Ok(Self { once: once(&service.ring, &parts, &body)? })
    }
}

/// A JSON body, or none; and the caller's `Idempotency-Key`.
pub(crate) struct Optional<T> {
    /// The body.
    pub(crate) value: Option<T>,
    /// The key, if there is one.
    pub(crate) once: Option<Once>,
}

impl<T: DeserializeOwned> FromRequest<Arc<Service>> for Optional<T> {
    type Rejection = Rejection;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Rejection> {
        let (parts, body) = request.into_parts();
        let body = read(body, MAX_BODY_BYTES).await?;
        let is_empty = body.is_empty() || shared::json::parse_object(&body)?.is_empty();
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let value = if is_empty { None } else { Some(parse_within(content_type, &body, MAX_BODY_BYTES)?) };
        Ok(Self { value, once: once(&service.ring, &parts, &body)? })
    }
}

/// Reads a body of at most `limit_bytes`, whatever its length is said to be.
pub(crate) async fn read(body: Body, limit_bytes: usize) -> Result<Bytes> {
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, limit_bytes)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_too_long(&error) => Err(Error::TooLarge { limit_bytes }),
        Ok(Err(_)) => Err(Error::Malformed("the body broke off".to_owned())),
        Err(_) => Err(Error::Malformed("the body took longer than 30 s".to_owned())),
    }
}

fn is_too_long(error: &axum::Error) -> bool {
    std::error::Error::source(error)
        .is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>)
}

const ONCE: HeaderName = HeaderName::from_static("idempotency-key");

fn once(ring: &KeyRing, parts: &Parts, body: &[u8]) -> Result<Option<Once>> {
    let mut keys = parts.headers.get_all(ONCE).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let key = key.to_str().unwrap_or_default();
    let fits = (1..=MAX_IDEMPOTENCY_KEY).contains(&key.len())
        && key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !fits || keys.next().is_some() {
        return Err(Error::invalid("", "takes one Idempotency-Key of 1 to 255 printable ASCII characters"));
    }
    let request = [parts.method.as_str().as_bytes(), parts.uri.path().as_bytes(), body];
    let digests = ring.iter().map(|keys| hex::encode(keys.idempotency.mac(&request))).collect();
    Ok(Some(Once { key: key.to_owned(), digests }))
}

/// A repeated call does more than the first here: better no key than one that does not keep it from that.
fn refuse_once<T>(once: Option<&T>) -> Result<()> {
    match once {
        Some(_) => Err(Error::invalid("", "takes no Idempotency-Key")),
        None => Ok(()),
    }
}

/// Reads `If-Match: "<version>"`; `*` means any.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let version =
        text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(|text| text.parse().ok());
    version.map(Some).ok_or_else(|| Error::invalid("", "takes one version in If-Match, as ETag gave it"))
}

/// Answers a change: `status` when the edge knows it, 202 while it does not.
fn changed<T: serde::Serialize>(status: u16, done: &Done<T>) -> Response {
    let status = if done.pending { 202 } else { status };
    let mut response = Reply(Answer::json(status, &done.body)).into_response();
    if done.replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
