//! Whether the program lives, is ready, and how it fares.

use super::Reply;
use crate::service::Service;
use crate::store::outbox;
use axum::extract::{RawQuery, State};
use http::header::CONTENT_TYPE;
use serde::Serialize;
use shared::Result;
use shared::face::Answer;
use std::sync::Arc;
use std::time::Duration;

/// An edge that is further behind than this needs a person.
const LONGEST_LAG: Duration = Duration::from_mins(1);

/// Answer of `/readyz`; the numbers only with `?verbose`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ReadyOut {
    /// Can it do its work?
    ready: bool,
    /// Does the database answer?
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<bool>,
    /// Age in milliseconds of the oldest change that the edge has yet to learn.
    #[serde(skip_serializing_if = "Option::is_none")]
    outbox_lag_ms: Option<u64>,
    /// Changes that wait for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    outbox_parked: Option<u64>,
}

/// Answer of `/version`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct VersionOut {
    /// Of this program.
    #[schema(value_type = String)]
    version: &'static str,
}

/// The program runs. Asks nothing of anything.
#[utoipa::path(get, path = "/livez", tag = "operation", operation_id = "livez", responses((status = 200, body = String)))]
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// The program can do its work: the database answers and the edge is at most a minute behind.
#[utoipa::path(get, path = "/readyz", tag = "operation", operation_id = "readyz",
    params(("verbose" = Option<String>, Query, description = "Tell the numbers")),
    responses((status = 200, body = ReadyOut), (status = 503, body = ReadyOut)))]
pub(crate) async fn ready(State(service): State<Arc<Service>>, RawQuery(query): RawQuery) -> Reply {
    let backlog = backlog(&service).await;
    let ready = backlog.as_ref().is_ok_and(|backlog| backlog.lag <= LONGEST_LAG);
    if let Err(error) = &backlog {
        tracing::warn!(%error, "not ready");
    }
    let verbose = query.is_some_and(|query| query == "verbose" || query.starts_with("verbose="));
    let backlog = backlog.ok();
    let out = ReadyOut {
        ready,
        database: verbose.then_some(backlog.is_some()),
        outbox_lag_ms: backlog
            .filter(|_| verbose)
            .map(|backlog| u64::try_from(backlog.lag.as_millis()).unwrap_or(u64::MAX)),
        outbox_parked: backlog.filter(|_| verbose).map(|backlog| backlog.parked),
    };
    Reply(Answer::json(if ready { 200 } else { 503 }, &out))
}

async fn backlog(service: &Service) -> Result<outbox::Backlog> {
    let mut session = service.store.read().await?;
    outbox::backlog(&mut session, service.clock.now()).await
}

/// What this program is.
#[utoipa::path(get, path = "/version", tag = "operation", operation_id = "version",
    responses((status = 200, body = VersionOut)))]
pub(crate) async fn version() -> Reply {
    Reply(Answer::json(200, &VersionOut { version: env!("CARGO_PKG_VERSION") }))
}

/// Metrics in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "operation", operation_id = "metrics",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics() -> impl axum::response::IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], crate::observe::metrics())
}
