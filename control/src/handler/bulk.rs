//! `/api/v1/dashboard-shares/bulk`

use super::{Input, Rejection, changed};
use crate::auth::{Caller, SharesWrite};
use crate::manage::bulk as manage;
use crate::openapi::Failure;
use crate::service::Service;
use axum::extract::State;
use axum::response::Response;
use shared::face::dashboard::manage::{BulkIn, BulkOut};
use std::sync::Arc;

/// Revoke or rotate many shares at once: all that the filter matches and that are not revoked, at most 1,000, or none.
///
/// Takes no `Idempotency-Key`: a repeated rotation makes further links, a repeated revocation changes nothing, and is
/// pending as long as the edge has yet to learn of an earlier one that the filter matches but for its status.
#[utoipa::path(post, path = "/api/v1/dashboard-shares/bulk", tag = "shares", operation_id = "changeShares",
    request_body = BulkIn,
    responses((status = 200, description = "No request that begins now is served by an old link.", body = BulkOut),
        (status = 202, description = "Saved here; the edge has yet to learn of it.", body = BulkOut), Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn run(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    input: Input<BulkIn>,
) -> Result<Response, Rejection> {
    super::refuse_once(input.once.as_ref())?;
    let done = manage::run(&service, &caller.actor, &input.value).await?;
    Ok(changed(200, &done))
}
