//! `/api/v1/dashboards/{id}/shares`, `/api/v1/dashboard-shares/...`

use super::{Empty, Id, Input, ListQuery, Rejection, Reply, ShareQuery, changed, listed};
use crate::auth::{Caller, SharesRead, SharesWrite};
use crate::manage::share as manage;
use crate::openapi::{Dead, Failure, Share as ShareAnswer};
use crate::service::Service;
use axum::extract::State;
use axum::response::Response;
use shared::Error;
use shared::face::Answer;
use shared::face::dashboard::error::ErrorOut;
use shared::face::dashboard::manage::{ListOut, RevokedOut, ShareFilter, ShareIn, ShareOut, SharePatchIn};
use shared::model::share::TargetKind;
use std::sync::Arc;

/// Share a dashboard: make a public link.
///
/// `token` and `url` are in this answer and in each later one; no store holds them.
#[utoipa::path(post, path = "/api/v1/dashboards/{id}/shares", tag = "shares", operation_id = "createShare",
    params(("id" = uuid::Uuid, Path, description = "The dashboard"), crate::openapi::IdempotencyKey),
    request_body = ShareIn, responses((status = 201, description = "The edge serves the link.", body = ShareOut),
        (status = 409, description = "The organization demands a password of every share.", body = ErrorOut<'static>),
        ShareAnswer, Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(dashboard): Id,
    input: Input<ShareIn>,
) -> Result<Response, Rejection> {
    let done = manage::create(&service, &caller.actor, dashboard, input.value, input.once.as_ref()).await?;
    Ok(changed(201, &done.map(|stored| service.share_out(&stored))))
}

/// Give a share a new token; the old link is dead.
#[utoipa::path(post, path = "/api/v1/dashboard-shares/{id}/rotate", tag = "shares", operation_id = "rotateShare",
    params(("id" = uuid::Uuid, Path, description = "The share"), crate::openapi::IdempotencyKey),
    responses((status = 200, description = "The old link is dead, the new one opens.", body = ShareOut), ShareAnswer, Dead, Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn rotate(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
    input: Empty,
) -> Result<Response, Rejection> {
    let done =
        manage::rotate(&service, &caller.actor, TargetKind::DASHBOARDS, id, input.once.as_ref()).await?;
    Ok(changed(200, &done.map(|stored| service.share_out(&stored))))
}

/// Change a share's name, times, count or policies. What is absent stays.
#[utoipa::path(patch, path = "/api/v1/dashboard-shares/{id}", tag = "shares", operation_id = "updateShare",
    params(("id" = uuid::Uuid, Path, description = "The share")), request_body = SharePatchIn,
    responses((status = 200, description = "The change is in force.", body = ShareOut), ShareAnswer, Dead, Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn amend(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
    input: Input<SharePatchIn>,
) -> Result<Response, Rejection> {
    let done = manage::amend(&service, &caller.actor, id, input.value).await?;
    Ok(changed(200, &done.map(|stored| service.share_out(&stored))))
}

/// Revoke a share, for good. Repeating it is no mistake.
#[utoipa::path(delete, path = "/api/v1/dashboard-shares/{id}", tag = "shares", operation_id = "revokeShare",
    params(("id" = uuid::Uuid, Path, description = "The share")),
    responses((status = 200, description = "No request that begins now is served.", body = RevokedOut),
        (status = 202, description = "Revoked here; the edge has yet to learn of it.", body = RevokedOut), Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn revoke(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
) -> Result<Response, Rejection> {
    let done = manage::revoke(&service, &caller.actor, TargetKind::DASHBOARDS, id).await?;
    Ok(changed(200, &done))
}

/// One share.
#[utoipa::path(get, path = "/api/v1/dashboard-shares/{id}", tag = "shares", operation_id = "getShare",
    params(("id" = uuid::Uuid, Path, description = "The share")),
    responses((status = 200, body = ShareOut), Failure), security(("api_key" = ["shares:read"])))]
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
    Id(id): Id,
) -> Result<Reply, Rejection> {
    let found = manage::get(&service, &caller.actor, TargetKind::DASHBOARDS, id).await?;
    Ok(Reply(Answer::json(200, &service.share_out(&found))))
}

/// The organization's shares, newest first; `total` counts those that match.
#[utoipa::path(get, path = "/api/v1/dashboard-shares", tag = "shares", operation_id = "listShares",
    params(ListQuery, ShareFilter,
        ("dashboard_id" = Option<uuid::Uuid>, Query, description = "The dashboard that they open.")),
    responses((status = 200, body = ListOut<ShareOut>), Failure),
    security(("api_key" = ["shares:read"])))]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
    ShareQuery { page, filter }: ShareQuery,
) -> Result<Reply, Rejection> {
    let target = (Some(TargetKind::Dashboard), filter.dashboard_id);
    let shares = manage::list(&service, &caller.actor, target, &filter, &page).await?;
    Ok(listed(&page, shares, |stored| stored.share.id, |stored| service.share_out(&stored)))
}

/// The shares of a dashboard, newest first; `total` counts those that match.
#[utoipa::path(get, path = "/api/v1/dashboards/{id}/shares", tag = "shares", operation_id = "listDashboardShares",
    params(("id" = uuid::Uuid, Path, description = "The dashboard"), ListQuery, ShareFilter),
    responses((status = 200, body = ListOut<ShareOut>), Failure), security(("api_key" = ["shares:read"])))]
pub(crate) async fn list_of(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
    Id(dashboard): Id,
    ShareQuery { page, filter }: ShareQuery,
) -> Result<Reply, Rejection> {
    if filter.dashboard_id.is_some() {
        return Err(Error::invalid("/dashboard_id", "is in the path").into());
    }
    let shares = manage::list_of(&service, &caller.actor, dashboard, &filter, &page).await?;
    Ok(listed(&page, shares, |stored| stored.share.id, |stored| service.share_out(&stored)))
}
