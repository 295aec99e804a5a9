//! `/api/v1/dashboards`

use super::{Id, Input, ListQuery, MAX_DEFINITION_BYTES, Rejection, Reply, changed, if_match, listed};
use crate::auth::{Caller, ContentRead, ContentWrite};
use crate::manage::Done;
use crate::manage::dashboard::{self as manage, Replaced};
use crate::openapi::{Conflict, Failure};
use crate::service::Service;
use crate::store::Page;
use crate::store::dashboard::Dashboard;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use shared::face::dashboard::manage::{DashboardOut, ListOut};
use shared::model::dashboard::Definition;
use std::sync::Arc;

/// Make a dashboard.
#[utoipa::path(post, path = "/api/v1/dashboards", tag = "dashboards", operation_id = "createDashboard",
    params(crate::openapi::IdempotencyKey), request_body = Definition,
    responses((status = 201, body = DashboardOut), Conflict, Failure), security(("api_key" = ["content:write"])))]
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentWrite>,
    input: Input<Definition, MAX_DEFINITION_BYTES>,
) -> Result<Response, Rejection> {
    let done = manage::create(&service, &caller.actor, input.value, input.once.as_ref()).await?;
    let Done { body, pending, replayed } = done;
    Ok(answer(201, &Done { body: out(body), pending, replayed }))
}

/// Replace a dashboard's definition. It gets a new version, and so does every share of it.
#[utoipa::path(put, path = "/api/v1/dashboards/{id}", tag = "dashboards", operation_id = "replaceDashboard",
    params(("id" = uuid::Uuid, Path, description = "The dashboard"),
        ("If-Match" = Option<String>, Header, description = "The version that is to be replaced, as ETag gave it")),
    request_body = Definition,
    responses((status = 200, description = "The edge serves it.", body = DashboardOut),
        (status = 202, description = "Saved here; the edge has yet to learn of it.", body = DashboardOut), Conflict, Failure),
    security(("api_key" = ["content:write"])))]
pub(crate) async fn replace(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentWrite>,
    Id(id): Id,
    headers: HeaderMap,
    input: Input<Definition, MAX_DEFINITION_BYTES>,
) -> Result<Response, Rejection> {
    let done = manage::replace(&service, &caller.actor, id, input.value, if_match(&headers)?).await?;
    let Done { body: Replaced { dashboard, closed_shares }, pending, replayed } = done;
    let body = DashboardOut { closed_shares, ..out(dashboard) };
    Ok(answer(200, &Done { body, pending, replayed }))
}

/// Delete a dashboard and revoke all its shares.
#[utoipa::path(delete, path = "/api/v1/dashboards/{id}", tag = "dashboards", operation_id = "deleteDashboard",
    params(("id" = uuid::Uuid, Path, description = "The dashboard")),
    responses((status = 204, description = "Gone, and no link to it opens."),
        (status = 202, description = "Gone here; the edge has yet to learn of it."), Failure),
    security(("api_key" = ["content:write"])))]
pub(crate) async fn delete(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentWrite>,
    Id(id): Id,
) -> Result<StatusCode, Rejection> {
    let done = manage::delete(&service, &caller.actor, id).await?;
    Ok(if done.pending { StatusCode::ACCEPTED } else { StatusCode::NO_CONTENT })
}

/// One dashboard.
#[utoipa::path(get, path = "/api/v1/dashboards/{id}", tag = "dashboards", operation_id = "getDashboard",
    params(("id" = uuid::Uuid, Path, description = "The dashboard")),
    responses((status = 200, body = DashboardOut, headers(("ETag", description = "The version, for If-Match"))), Failure),
    security(("api_key" = ["content:read"])))]
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentRead>,
    Id(id): Id,
) -> Result<Response, Rejection> {
    let body = out(manage::get(&service, &caller.actor, id).await?);
    Ok(answer(200, &Done { body, pending: false, replayed: false }))
}

/// All dashboards of the organization, newest first.
#[utoipa::path(get, path = "/api/v1/dashboards", tag = "dashboards", operation_id = "listDashboards",
    params(ListQuery), responses((status = 200, body = ListOut<DashboardOut>), Failure),
    security(("api_key" = ["content:read"])))]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentRead>,
    page: Page,
) -> Result<Reply, Rejection> {
    let dashboards = manage::list(&service, &caller.actor, &page).await?;
    Ok(listed(&page, dashboards, |dashboard| dashboard.id, out))
}

fn out(dashboard: Dashboard) -> DashboardOut {
    DashboardOut {
        id: dashboard.id,
        version: dashboard.version,
        closed_shares: Vec::new(),
        definition: dashboard.definition,
        created_at: dashboard.created_at.to_rfc3339(),
        updated_at: dashboard.updated_at.to_rfc3339(),
    }
}

fn answer(status: u16, done: &Done<DashboardOut>) -> Response {
    let etag = HeaderValue::from_str(&format!("\"{}\"", done.body.version));
    let mut response = changed(status, done).into_response();
    if let Ok(etag) = etag {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}
