//! `/api/v1/embed/...`

use super::{Empty, Id, Input, Name, Rejection, Reply, changed};
use crate::auth::{Caller, OrganizationWrite, SharesRead, SharesWrite};
use crate::manage::embed as manage;
use crate::openapi::Failure;
use crate::service::Service;
use axum::extract::State;
use axum::response::Response;
use shared::face::Answer;
use shared::face::dashboard::error::ErrorOut;
use shared::face::dashboard::manage::{
    EmbedDashboardOut, EmbedIn, EmbedKeyOut, EmbedKeysOut, EmbedOriginsIn, EmbedOriginsOut, EmbedOut,
    EmbedRevokedOut, KeyRevokedOut, TokenRevokedOut,
};
use std::sync::Arc;

/// Make a token for an iframe. The first one of a dashboard turns embedding on.
///
/// The token is a JWT, HS256; whoever holds the organization's embed key can make the same without this call. It is signed, not
/// encrypted: whoever has it can read what it fixes. Takes no `Idempotency-Key`: no store holds a token that could be given again.
#[utoipa::path(post, path = "/api/v1/embed/dashboards/{id}", tag = "embeds", operation_id = "createEmbedToken",
    params(("id" = uuid::Uuid, Path, description = "The dashboard")), request_body = EmbedIn,
    responses((status = 200, description = "The edge opens it.", body = EmbedOut),
        (status = 202, description = "The edge has yet to learn that the dashboard is embedded.", body = EmbedOut), Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn mint(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(dashboard): Id,
    input: Input<EmbedIn>,
) -> Result<Response, Rejection> {
    super::refuse_once(input.once.as_ref())?;
    Ok(changed(200, &manage::mint(&service, &caller.actor, dashboard, input.value).await?))
}

/// How a dashboard is embedded, and what its tokens may name.
#[utoipa::path(get, path = "/api/v1/embed/dashboards/{id}", tag = "embeds", operation_id = "getEmbed",
    params(("id" = uuid::Uuid, Path, description = "The dashboard")),
    responses((status = 200, body = EmbedDashboardOut), Failure), security(("api_key" = ["shares:read"])))]
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
    Id(dashboard): Id,
) -> Result<Reply, Rejection> {
    Ok(Reply(Answer::json(200, &manage::get(&service, &caller.actor, dashboard).await?)))
}

/// End all tokens of a dashboard: those made from now on carry the next generation.
#[utoipa::path(post, path = "/api/v1/embed/dashboards/{id}/rotate", tag = "embeds", operation_id = "rotateEmbed",
    params(("id" = uuid::Uuid, Path, description = "The dashboard")),
    responses((status = 200, description = "The tokens before are dead.", body = EmbedDashboardOut),
        (status = 202, description = "The edge has yet to learn of it.", body = EmbedDashboardOut), Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn rotate(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(dashboard): Id,
    nothing: Empty,
) -> Result<Response, Rejection> {
    super::refuse_once(nothing.once.as_ref())?;
    Ok(changed(200, &manage::rotate(&service, &caller.actor, dashboard).await?))
}

/// End all tokens of a dashboard and embedding with them, until the next token is made. Repeating it is no mistake.
#[utoipa::path(delete, path = "/api/v1/embed/dashboards/{id}", tag = "embeds", operation_id = "revokeEmbed",
    params(("id" = uuid::Uuid, Path, description = "The dashboard")),
    responses((status = 200, description = "No token opens it.", body = EmbedRevokedOut),
        (status = 202, description = "The edge has yet to learn of it.", body = EmbedRevokedOut), Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn revoke(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(dashboard): Id,
) -> Result<Response, Rejection> {
    Ok(changed(200, &manage::revoke(&service, &caller.actor, dashboard).await?))
}

/// End one token, whoever signed it. It is remembered for 24 hours, the longest that a token lives; one that says that it was issued
/// later is another. Repeating it is no mistake.
#[utoipa::path(delete, path = "/api/v1/embed/dashboards/{id}/tokens/{jti}", tag = "embeds", operation_id = "revokeEmbedToken",
    params(("id" = uuid::Uuid, Path, description = "The dashboard"),
        ("jti" = String, Path, description = "The token's `jti`", pattern = "^[A-Za-z0-9._~-]{1,64}$")),
    responses((status = 200, description = "The token opens nothing.", body = TokenRevokedOut),
        (status = 202, description = "The edge has yet to learn of it.", body = TokenRevokedOut),
        (status = 409, description = "1,000 tokens of the dashboard are revoked already: rotate.", body = ErrorOut<'static>),
        Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn revoke_token(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(dashboard): Id,
    Name(jti): Name,
) -> Result<Response, Rejection> {
    Ok(changed(200, &manage::revoke_token(&service, &caller.actor, dashboard, &jti).await?))
}

/// The organization's keys in force, without what they are.
#[utoipa::path(get, path = "/api/v1/embed/keys", tag = "embeds", operation_id = "listEmbedKeys",
    responses((status = 200, body = EmbedKeysOut), Failure), security(("api_key" = ["shares:read"])))]
pub(crate) async fn keys(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
) -> Result<Reply, Rejection> {
    Ok(Reply(Answer::json(200, &manage::keys(&service, &caller.actor).await?)))
}

/// One key, for a back end that makes tokens by itself. The audit trail tells who has seen it.
#[utoipa::path(get, path = "/api/v1/embed/keys/{kid}", tag = "embeds", operation_id = "getEmbedKey",
    params(("kid" = String, Path, description = "The key's name")),
    responses((status = 200, body = EmbedKeyOut), Failure), security(("api_key" = ["organization:write"])))]
pub(crate) async fn key(
    State(service): State<Arc<Service>>,
    caller: Caller<OrganizationWrite>,
    Name(kid): Name,
) -> Result<Reply, Rejection> {
    let key = manage::key(&service, &caller.actor, &kid).await?;
    Ok(Reply(Answer::json(200, &key).with("cache-control", "no-store")))
}

/// Add a key, which signs from now on. The one before stays in force until it is stopped.
#[utoipa::path(post, path = "/api/v1/embed/keys", tag = "embeds", operation_id = "addEmbedKey",
    responses((status = 201, description = "The edge takes its tokens.", body = EmbedKeyOut),
        (status = 202, description = "The edge has yet to learn of it.", body = EmbedKeyOut),
        (status = 409, description = "Two keys are in force.", body = ErrorOut<'static>), Failure),
    security(("api_key" = ["organization:write"])))]
pub(crate) async fn add_key(
    State(service): State<Arc<Service>>,
    caller: Caller<OrganizationWrite>,
    nothing: Empty,
) -> Result<Response, Rejection> {
    super::refuse_once(nothing.once.as_ref())?;
    Ok(changed(201, &manage::add_key(&service, &caller.actor).await?))
}

/// Stop a key: whatever it signed is dead. Repeating it is no mistake.
#[utoipa::path(delete, path = "/api/v1/embed/keys/{kid}", tag = "embeds", operation_id = "stopEmbedKey",
    params(("kid" = String, Path, description = "The key's name")),
    responses((status = 200, description = "Its tokens are dead.", body = KeyRevokedOut),
        (status = 202, description = "The edge has yet to learn of it.", body = KeyRevokedOut),
        (status = 409, description = "It is the only key in force.", body = ErrorOut<'static>), Failure),
    security(("api_key" = ["organization:write"])))]
pub(crate) async fn stop_key(
    State(service): State<Arc<Service>>,
    caller: Caller<OrganizationWrite>,
    Name(kid): Name,
) -> Result<Response, Rejection> {
    Ok(changed(200, &manage::stop_key(&service, &caller.actor, &kid).await?))
}

/// Sites that may frame every embed of the organization, besides those that a token names.
#[utoipa::path(get, path = "/api/v1/embed/origins", tag = "embeds", operation_id = "getEmbedOrigins",
    responses((status = 200, body = EmbedOriginsOut), Failure), security(("api_key" = ["shares:read"])))]
pub(crate) async fn origins(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
) -> Result<Reply, Rejection> {
    Ok(Reply(Answer::json(200, &manage::origins(&service, &caller.actor).await?)))
}

/// Replace them.
#[utoipa::path(put, path = "/api/v1/embed/origins", tag = "embeds", operation_id = "setEmbedOrigins",
    request_body = EmbedOriginsIn,
    responses((status = 200, description = "In force.", body = EmbedOriginsOut),
        (status = 202, description = "The edge has yet to learn of it.", body = EmbedOriginsOut), Failure),
    security(("api_key" = ["organization:write"])))]
pub(crate) async fn set_origins(
    State(service): State<Arc<Service>>,
    caller: Caller<OrganizationWrite>,
    input: Input<EmbedOriginsIn>,
) -> Result<Response, Rejection> {
    Ok(changed(200, &manage::set_origins(&service, &caller.actor, &input.value).await?))
}
