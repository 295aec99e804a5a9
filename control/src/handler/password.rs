//! `/api/v1/dashboard-shares/{id}/password`

use super::{Id, Input, Rejection, changed};
use crate::auth::{Caller, SharesWrite};
use crate::manage::password as manage;
use crate::openapi::{Dead, Failure, Share as ShareAnswer};
use crate::service::Service;
use axum::extract::State;
use axum::response::Response;
use shared::face::dashboard::manage::{PasswordIn, ShareOut};
use shared::model::share::TargetKind;
use std::sync::Arc;

/// Set a share's password. Visitors who gave the old one must give the new one.
#[utoipa::path(put, path = "/api/v1/dashboard-shares/{id}/password", tag = "shares",
    operation_id = "setSharePassword", params(("id" = uuid::Uuid, Path, description = "The share")),
    request_body = PasswordIn,
    responses((status = 200, description = "The password is in force.", body = ShareOut), ShareAnswer, Dead, Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn set(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
    input: Input<PasswordIn>,
) -> Result<Response, Rejection> {
    let done = manage::set(&service, &caller.actor, TargetKind::DASHBOARDS, id, input.value).await?;
    Ok(changed(200, &done.map(|stored| service.share_out(&stored))))
}

/// Remove a share's password. Repeating it is no mistake; 409 when the organization demands one of every share.
#[utoipa::path(delete, path = "/api/v1/dashboard-shares/{id}/password", tag = "shares",
    operation_id = "removeSharePassword", params(("id" = uuid::Uuid, Path, description = "The share")),
    responses((status = 200, description = "No password is asked.", body = ShareOut), ShareAnswer, Dead, Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn remove(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
) -> Result<Response, Rejection> {
    let done = manage::remove(&service, &caller.actor, TargetKind::DASHBOARDS, id).await?;
    Ok(changed(200, &done.map(|stored| service.share_out(&stored))))
}

/// Count the guesses of a share's password anew: a lock ends.
#[utoipa::path(delete, path = "/api/v1/dashboard-shares/{id}/password/attempts", tag = "shares",
    operation_id = "resetSharePasswordAttempts", params(("id" = uuid::Uuid, Path, description = "The share")),
    responses((status = 200, description = "Guessing is possible.", body = ShareOut), ShareAnswer, Dead, Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn reset_attempts(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
) -> Result<Response, Rejection> {
    let done = manage::reset_attempts(&service, &caller.actor, TargetKind::DASHBOARDS, id).await?;
    Ok(changed(200, &done.map(|stored| service.share_out(&stored))))
}
