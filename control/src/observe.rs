//! Around every request: its id, its log line, its metrics, the security headers, and the one place where
//! errors become answers. Paths are logged as route templates, never as they came: a token may stand in one.

use crate::handler::{Rejection, Reply};
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use shared::Error;
use shared::face::{Answer, dashboard, data_product, operation};
use std::any::Any;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tracing_subscriber::EnvFilter;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request id that is taken over from a caller.
const MAX_REQUEST_ID: usize = 64;

/// What each answer says about itself; nothing of ours is to be framed, sniffed, kept or run.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex")),
];

/// Paths of the operation dialect, which has errors of its own.
const OPERATIONS: [&str; 2] = ["/v1/op/", "/v1/share/"];

/// Every set of methods that a route of ours takes, in this order.
const ALLOW: [&str; 11] = [
    "GET, HEAD",
    "POST",
    "DELETE",
    "PUT",
    "PUT, DELETE",
    "GET, HEAD, POST",
    "GET, HEAD, PUT",
    "GET, HEAD, DELETE",
    "GET, HEAD, PUT, DELETE",
    "GET, HEAD, PATCH, DELETE",
    "GET, HEAD, POST, DELETE",
];

/// Middleware within the router, where the route is known: tells it to [`requests`], which is around it.
pub(crate) async fn route(path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(path) = path {
        response.extensions_mut().insert(path);
    }
    response
}

/// Middleware around the router, which writes answers of its own: see the module.
pub(crate) async fn requests(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = request_id(request.headers());
    let method = request.method().clone();
    let render = dialect(request.uri().path());
    let mut response = next.run(request).await;
    let route = response
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let error = response.extensions_mut().remove::<Arc<Error>>().or_else(|| unmatched_method(&response));
    if let Some(error) = &error {
        response = Reply(render(error, &request_id)).into_response();
    }
    let status = response.status().as_u16();
    let took = started.elapsed();
    let labels = [("route", route.clone()), ("method", method.to_string()), ("status", status.to_string())];
    metrics::counter!("postern_http_requests_total", &labels).increment(1);
    metrics::histogram!("postern_http_request_seconds", "route" => route.clone()).record(took);
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match &error {
        Some(error) if status >= 500 => {
            tracing::error!(request_id, %method, route, status, ms, %error, "request failed");
        }
        _ => tracing::info!(request_id, %method, route, status, ms, "request"),
    }
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.entry(name).or_insert(value);
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}

/// How errors are told at a path.
fn dialect(path: &str) -> fn(&Error, &str) -> Answer {
    // The longer prefixes first: all of them begin with `/v1/`.
    if OPERATIONS.iter().any(|prefix| path.starts_with(prefix)) {
        |error, _| operation::error::render(error)
    } else if path.starts_with(data_product::PREFIX) {
        |error, _| data_product::render(error)
    } else {
        dashboard::error::render
    }
}

/// A panic is our fault, and only this request's end.
#[expect(clippy::needless_pass_by_value, reason = "what the layer calls takes a box")]
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<&'static str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Rejection(Error::Internal(format!("panic: {message}"))).into_response()
}

/// The router answers a wrong method by itself; it gets this API's words.
fn unmatched_method(response: &Response) -> Option<Arc<Error>> {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return None;
    }
    let allowed = response.headers().get(header::ALLOW)?.to_str().ok()?;
    let methods =
        |list: &str| list.split(',').map(|method| method.trim().to_owned()).collect::<BTreeSet<_>>();
    let allow = ALLOW.into_iter().find(|known| methods(known) == methods(allowed))?;
    Some(Arc::new(Error::MethodNotAllowed { allow }))
}

/// The caller's id when it is one, so that edge and control plane log the same; else a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| {
        (1..=MAX_REQUEST_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    });
    given.map_or_else(|| format!("req_{}", Uuid::now_v7().simple()), str::to_owned)
}

/// Logs as JSON lines on standard error.
pub(crate) fn log(filter: &str) -> std::result::Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("POSTERN_LOG: {error}"))?;
    let lines = tracing_subscriber::fmt().json().with_writer(std::io::stderr).with_env_filter(filter);
    lines.try_init().map_err(|error| error.to_string())
}

/// The process's metrics: several control planes in one process (tests) share them.
fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let seconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
            PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)
                .ok()?
                .install_recorder()
                .ok()
        })
        .as_ref()
}

/// Begins to count.
pub(crate) fn start_metrics() {
    recorder();
}

/// What was counted, in Prometheus' text format.
pub(crate) fn metrics() -> String {
    recorder().map(PrometheusHandle::render).unwrap_or_default()
}

/// Moves what was recorded into its buckets, so that memory stays bounded between scrapes.
pub(crate) fn sweep_metrics() {
    if let Some(recorder) = recorder() {
        recorder.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_request_ids_are_taken_over() {
        let check = |given: &'static str, taken: bool| {
            let headers = HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(given))]);
            assert_eq!(request_id(&headers) == given, taken, "{given}");
        };
        check("req_018f-A", true);
        check("", false);
        check("a b", false);
        check("{\"x\":1}", false);
        check("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", false);
    }
}
