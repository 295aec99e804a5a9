//! `/api/v1/shares/...`: the shares of whatever they open, in one list. API.md X2.

use super::{Empty, Id, Input, ListQuery, Rejection, Reply, TargetShareQuery, changed, listed};
use crate::auth::{Caller, SharesRead, SharesWrite};
use crate::manage::{password, share as manage};
use crate::openapi::{Conflict, Dead, Failure, TargetShare as ShareAnswer};
use crate::service::Service;
use axum::extract::State;
use axum::response::Response;
use shared::face::Answer;
use shared::face::dashboard::manage::{ListOut, PasswordIn, RevokedOut, ShareFilter, TargetShareOut};
use shared::model::share::TargetKind;
use std::sync::Arc;

/// The organization's shares of dashboards, data products, map items and collections, newest first; `total` counts those that match.
#[utoipa::path(get, path = "/api/v1/shares", tag = "shares", operation_id = "listAllShares",
    params(ListQuery, ShareFilter,
        ("target_type" = Option<String>, Query, description = "`dashboard`, `data_product`, `item` or `collection`."),
        ("target_id" = Option<uuid::Uuid>, Query, description = "What they open.")),
    responses((status = 200, body = ListOut<TargetShareOut>), Failure),
    security(("api_key" = ["shares:read"])))]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
    TargetShareQuery { page, target, filter }: TargetShareQuery,
) -> Result<Reply, Rejection> {
    let shares = manage::list(&service, &caller.actor, target, &filter, &page).await?;
    Ok(listed(&page, shares, |stored| stored.share.id, |stored| service.target_share_out(&stored)))
}

/// One share of anything.
#[utoipa::path(get, path = "/api/v1/shares/{id}", tag = "shares", operation_id = "getAnyShare",
    params(("id" = uuid::Uuid, Path, description = "The share")),
    responses((status = 200, body = TargetShareOut), Failure), security(("api_key" = ["shares:read"])))]
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
    Id(id): Id,
) -> Result<Reply, Rejection> {
    let found = manage::get(&service, &caller.actor, TargetKind::SHARED, id).await?;
    Ok(Reply(Answer::json(200, &service.target_share_out(&found))))
}

/// Revoke a share of anything, for good. Repeating it is no mistake.
#[utoipa::path(delete, path = "/api/v1/shares/{id}", tag = "shares", operation_id = "revokeAnyShare",
    params(("id" = uuid::Uuid, Path, description = "The share")),
    responses((status = 200, description = "No request that begins now is served.", body = RevokedOut),
        (status = 202, description = "Revoked here; the edge has yet to learn of it.", body = RevokedOut), Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn revoke(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
) -> Result<Response, Rejection> {
    Ok(changed(200, &manage::revoke(&service, &caller.actor, TargetKind::SHARED, id).await?))
}

/// Give a share of anything a new token; the old link is dead. Its password stays.
#[utoipa::path(post, path = "/api/v1/shares/{id}/rotate", tag = "shares", operation_id = "rotateAnyShare",
    params(("id" = uuid::Uuid, Path, description = "The share"), crate::openapi::IdempotencyKey),
    responses((status = 200, description = "The old link is dead, the new one opens.", body = TargetShareOut), ShareAnswer, Dead, Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn rotate(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
    input: Empty,
) -> Result<Response, Rejection> {
    let done = manage::rotate(&service, &caller.actor, TargetKind::SHARED, id, input.once.as_ref()).await?;
    Ok(changed(200, &done.map(|stored| service.target_share_out(&stored))))
}

/// Set a share's password; of a link to a map, of 8 characters and more. Visitors who gave the old one must give the new one.
#[utoipa::path(put, path = "/api/v1/shares/{id}/password", tag = "shares", operation_id = "setAnySharePassword",
    params(("id" = uuid::Uuid, Path, description = "The share")), request_body = PasswordIn,
    responses((status = 200, description = "The password is in force.", body = TargetShareOut), ShareAnswer, Dead, Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn set_password(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
    input: Input<PasswordIn>,
) -> Result<Response, Rejection> {
    let done = password::set(&service, &caller.actor, TargetKind::SHARED, id, input.value).await?;
    Ok(changed(200, &done.map(|stored| service.target_share_out(&stored))))
}

/// Remove a share's password; 409 for a link to a map, and when the organization demands one of every share.
#[utoipa::path(delete, path = "/api/v1/shares/{id}/password", tag = "shares", operation_id = "removeAnySharePassword",
    params(("id" = uuid::Uuid, Path, description = "The share")),
    responses((status = 200, description = "No password is asked.", body = TargetShareOut), ShareAnswer, Conflict, Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn remove_password(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
) -> Result<Response, Rejection> {
    let done = password::remove(&service, &caller.actor, TargetKind::SHARED, id).await?;
    Ok(changed(200, &done.map(|stored| service.target_share_out(&stored))))
}

/// Count the guesses of a share's password anew: a lock ends.
#[utoipa::path(delete, path = "/api/v1/shares/{id}/password/attempts", tag = "shares",
    operation_id = "resetAnySharePasswordAttempts", params(("id" = uuid::Uuid, Path, description = "The share")),
    responses((status = 200, description = "Guessing is possible.", body = TargetShareOut), ShareAnswer, Dead, Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn reset_attempts(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
) -> Result<Response, Rejection> {
    let done = password::reset_attempts(&service, &caller.actor, TargetKind::SHARED, id).await?;
    Ok(changed(200, &done.map(|stored| service.target_share_out(&stored))))
}
