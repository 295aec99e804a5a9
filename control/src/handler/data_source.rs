//! `/api/v1/data-sources`

use super::{Id, Input, ListQuery, Rejection, Reply, changed, listed};
use crate::auth::{Caller, ContentRead, ContentWrite};
use crate::manage::{Done, data_source as manage};
use crate::openapi::{Conflict, Failure};
use crate::service::Service;
use crate::store::Page;
use crate::store::data_source::DataSource;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use shared::face::Answer;
use shared::face::dashboard::manage::{DataSourceIn, DataSourceOut, ListOut};
use std::sync::Arc;

/// Make a data source known.
#[utoipa::path(post, path = "/api/v1/data-sources", tag = "data sources", operation_id = "createDataSource",
    params(crate::openapi::IdempotencyKey), request_body = DataSourceIn,
    responses((status = 201, body = DataSourceOut), Conflict, Failure), security(("api_key" = ["content:write"])))]
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentWrite>,
    input: Input<DataSourceIn>,
) -> Result<Response, Rejection> {
    let done = manage::create(&service, &caller.actor, input.value, input.once.as_ref()).await?;
    Ok(changed(201, &Done { body: out(done.body), pending: done.pending, replayed: done.replayed }))
}

/// Forget a data source that no dashboard uses.
#[utoipa::path(delete, path = "/api/v1/data-sources/{id}", tag = "data sources", operation_id = "deleteDataSource",
    params(("id" = uuid::Uuid, Path, description = "The data source")),
    responses((status = 204, description = "Gone."), Conflict, Failure), security(("api_key" = ["content:write"])))]
pub(crate) async fn delete(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentWrite>,
    Id(id): Id,
) -> Result<StatusCode, Rejection> {
    manage::delete(&service, &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One data source.
#[utoipa::path(get, path = "/api/v1/data-sources/{id}", tag = "data sources", operation_id = "getDataSource",
    params(("id" = uuid::Uuid, Path, description = "The data source")),
    responses((status = 200, body = DataSourceOut), Failure), security(("api_key" = ["content:read"])))]
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentRead>,
    Id(id): Id,
) -> Result<Reply, Rejection> {
    Ok(Reply(Answer::json(200, &out(manage::get(&service, &caller.actor, id).await?))))
}

/// All data sources of the organization, newest first.
#[utoipa::path(get, path = "/api/v1/data-sources", tag = "data sources", operation_id = "listDataSources",
    params(ListQuery), responses((status = 200, body = ListOut<DataSourceOut>), Failure),
    security(("api_key" = ["content:read"])))]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentRead>,
    page: Page,
) -> Result<Reply, Rejection> {
    let sources = manage::list(&service, &caller.actor, &page).await?;
    Ok(listed(&page, sources, |source| source.id, out))
}

fn out(source: DataSource) -> DataSourceOut {
    DataSourceOut {
        id: source.id,
        name: source.name,
        kind: source.kind.name().to_owned(),
        created_at: source.created_at.to_rfc3339(),
    }
}
