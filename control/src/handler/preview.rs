//! `/api/v1/dashboard-shares/preview`

use super::{Input, Rejection, Reply};
use crate::auth::{Caller, SharesWrite};
use crate::manage::preview as manage;
use crate::openapi::{Failure, Refused};
use crate::service::Service;
use axum::extract::State;
use shared::face::Answer;
use shared::face::dashboard::manage::{PreviewIn, PreviewOut};
use std::sync::Arc;

/// See what the visitors of a share would, before there is one. Runs the dashboard's queries; saves and counts nothing.
#[utoipa::path(post, path = "/api/v1/dashboard-shares/preview", tag = "shares", operation_id = "previewShare",
    request_body = PreviewIn, responses((status = 200, body = PreviewOut<'static>), Refused, Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn preview(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    input: Input<PreviewIn>,
) -> Result<Reply, Rejection> {
    let previewed = manage::preview(&service, &caller.actor, input.value).await?;
    Ok(Reply(Answer::json(200, &previewed.out())))
}
