//! `/api/v1/organization/limits`

use super::{Input, Rejection, Reply};
use crate::auth::{Caller, OrganizationWrite, SharesRead};
use crate::manage::limits as manage;
use crate::openapi::Failure;
use crate::service::Service;
use axum::extract::State;
use shared::face::Answer;
use shared::model::limits::Limits;
use std::sync::Arc;

/// What the organization demands of new and changed shares.
#[utoipa::path(get, path = "/api/v1/organization/limits", tag = "organization", operation_id = "getLimits",
    responses((status = 200, body = Limits), Failure), security(("api_key" = ["shares:read"])))]
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
) -> Result<Reply, Rejection> {
    Ok(Reply(Answer::json(200, &manage::get(&service, &caller.actor).await?)))
}

/// Replace it. Shares that exist keep what they have.
#[utoipa::path(put, path = "/api/v1/organization/limits", tag = "organization", operation_id = "setLimits",
    request_body = Limits, responses((status = 200, body = Limits), Failure),
    security(("api_key" = ["organization:write"])))]
pub(crate) async fn set(
    State(service): State<Arc<Service>>,
    caller: Caller<OrganizationWrite>,
    input: Input<Limits>,
) -> Result<Reply, Rejection> {
    Ok(Reply(Answer::json(200, &manage::set(&service, &caller.actor, input.value).await?)))
}
