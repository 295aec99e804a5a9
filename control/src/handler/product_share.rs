//! `/v1/data-products/{id}/share`: the data product dialect (seed 000). Its password routes are an extension.

use super::{Id, Input, Optional, Rejection, Reply, changed, refuse_once};
use crate::auth::{Caller, SharesRead, SharesWrite};
use crate::manage::data_product::link as manage;
use crate::service::Service;
use axum::extract::State;
use axum::response::Response;
use shared::face::Answer;
use shared::face::data_product::{ProductErrorOut, ProductPasswordIn, ProductRevokedOut, ProductShareOut};
use std::sync::Arc;
use utoipa::IntoResponses;

/// Answers of any route of this dialect.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers; nothing makes them from this")]
enum ProductFailure {
    /// `unauthorized`: no API key, or none that is valid.
    #[response(status = 401)]
    Unauthorized(ProductErrorOut<'static>),
    /// `forbidden`: the key lacks a scope.
    #[response(status = 403)]
    Forbidden(ProductErrorOut<'static>),
    /// `not_found`: no such data product, or another organization's.
    #[response(status = 404)]
    NotFound(ProductErrorOut<'static>),
    /// `rate_limited`: too many requests.
    #[response(status = 429, headers(("Retry-After", description = "Whole seconds")))]
    Throttled(ProductErrorOut<'static>),
    /// `unavailable`: try again shortly.
    #[response(status = 503, headers(("Retry-After", description = "Whole seconds")))]
    Unavailable(ProductErrorOut<'static>),
}

/// Read a data product's link.
#[utoipa::path(get, path = "/v1/data-products/{id}/share", tag = "data product links", operation_id = "getDataProductShare",
    params(("id" = uuid::Uuid, Path, description = "The data product")),
    responses((status = 200, body = ProductShareOut), ProductFailure), security(("api_key" = ["shares:read"])))]
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
    Id(id): Id,
) -> Result<Reply, Rejection> {
    Ok(Reply(Answer::json(200, &manage::get(&service, &caller.actor, id).await?)))
}

/// Make a data product's link, or rotate the one that there is: the old one is dead, a password stays.
///
/// A body is an extension: its password becomes the link's.
#[utoipa::path(post, path = "/v1/data-products/{id}/share", tag = "data product links", operation_id = "rotateDataProductShare",
    params(("id" = uuid::Uuid, Path, description = "The data product"), crate::openapi::IdempotencyKey),
    request_body = Option<ProductPasswordIn>,
    responses((status = 200, description = "The link opens.", body = ProductShareOut),
        (status = 202, description = "Saved here; the edge has yet to learn of it.", body = ProductShareOut),
        (status = 409, description = "`conflict`: the data product has no rows yet, or the organization demands a password and there is none.",
            body = ProductErrorOut<'static>), ProductFailure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn rotate(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
    input: Optional<ProductPasswordIn>,
) -> Result<Response, Rejection> {
    Ok(changed(200, &manage::rotate(&service, &caller.actor, id, input.value, input.once.as_ref()).await?))
}

/// Revoke a data product's link, and its password with it. Repeating it is no mistake.
#[utoipa::path(delete, path = "/v1/data-products/{id}/share", tag = "data product links", operation_id = "revokeDataProductShare",
    params(("id" = uuid::Uuid, Path, description = "The data product")),
    responses((status = 200, description = "No request that begins now is served.", body = ProductRevokedOut),
        (status = 202, description = "Revoked here; the edge has yet to learn of it.", body = ProductRevokedOut), ProductFailure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn revoke(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
) -> Result<Response, Rejection> {
    Ok(changed(200, &manage::revoke(&service, &caller.actor, id).await?))
}

/// Extension: set the password of a data product's link. Whoever is in must give the new one.
#[utoipa::path(put, path = "/v1/data-products/{id}/share/password", tag = "data product links",
    operation_id = "setDataProductSharePassword",
    params(("id" = uuid::Uuid, Path, description = "The data product")), request_body = ProductPasswordIn,
    responses((status = 200, description = "The link asks for it.", body = ProductShareOut),
        (status = 202, description = "Saved here; the edge has yet to learn of it.", body = ProductShareOut),
        (status = 422, description = "`invalid_request`: not 1 to 128 bytes.", body = ProductErrorOut<'static>), ProductFailure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn set_password(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
    input: Input<ProductPasswordIn>,
) -> Result<Response, Rejection> {
    refuse_once(input.once.as_ref())?;
    Ok(changed(200, &manage::set_password(&service, &caller.actor, id, input.value).await?))
}

/// Extension: remove the password of a data product's link. Repeating it is no mistake.
#[utoipa::path(delete, path = "/v1/data-products/{id}/share/password", tag = "data product links",
    operation_id = "removeDataProductSharePassword",
    params(("id" = uuid::Uuid, Path, description = "The data product")),
    responses((status = 200, description = "The link opens for whoever has it.", body = ProductShareOut),
        (status = 202, description = "Saved here; the edge has yet to learn of it.", body = ProductShareOut), ProductFailure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn remove_password(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
) -> Result<Response, Rejection> {
    Ok(changed(200, &manage::remove_password(&service, &caller.actor, id).await?))
}
