//! `/api/v1/session-tokens`

use super::{Input, Rejection, Reply};
use crate::auth::Holder;
use crate::manage::session_token as manage;
use crate::openapi::Failure;
use crate::service::Service;
use axum::extract::State;
use http::StatusCode;
use shared::face::Answer;
use shared::face::dashboard::error::ErrorOut;
use shared::face::dashboard::manage::{SessionTokenIn, SessionTokenOut};
use std::sync::Arc;

/// Exchange an API key for a session token, which lives shorter and may do no more.
///
/// It is taken wherever the key is, but not here: 401. It dies with the key. Takes no `Idempotency-Key`: no store holds a token
/// that could be given again.
#[utoipa::path(post, path = "/api/v1/session-tokens", tag = "session tokens", operation_id = "createSessionToken",
    request_body = SessionTokenIn,
    responses((status = 201, body = SessionTokenOut),
        (status = 409, description = "The key has 1,000 session tokens.", body = ErrorOut<'static>), Failure),
    security(("api_key" = [])))]
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    Holder(key): Holder,
    input: Input<SessionTokenIn>,
) -> Result<Reply, Rejection> {
    super::refuse_once(input.once.as_ref())?;
    Ok(Reply(Answer::json(201, &manage::create(&service, &key, &input.value).await?)))
}

/// End the session token that the call comes with: it is as unknown from then on.
#[utoipa::path(delete, path = "/api/v1/session-tokens/current", tag = "session tokens", operation_id = "endSessionToken",
    responses((status = 204, description = "It is dead."), Failure), security(("api_key" = [])))]
pub(crate) async fn end(
    State(service): State<Arc<Service>>,
    Holder(token): Holder,
) -> Result<StatusCode, Rejection> {
    manage::end(&service, &token).await?;
    Ok(StatusCode::NO_CONTENT)
}
