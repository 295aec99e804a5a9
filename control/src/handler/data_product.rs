//! `/api/v1/data-products`

use super::{Empty, Id, Input, ListQuery, Rejection, Reply, changed, listed, refuse_once};
use crate::auth::{Caller, ContentRead, ContentWrite};
use crate::manage::{Done, data_product as manage};
use crate::openapi::{Conflict, Failure};
use crate::product::FileKind;
use crate::service::Service;
use crate::store::Page;
use crate::store::data_product::DataProduct;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{StatusCode, header};
use shared::face::Answer;
use shared::face::dashboard::manage::{DataProductIn, DataProductOut, ListOut};
use std::sync::Arc;

/// Register a data product.
///
/// With a query its rows are read now, for up to 5 minutes; through the edge a call has 30 s. Without one it has no rows until a file is
/// sent.
#[utoipa::path(post, path = "/api/v1/data-products", tag = "data products", operation_id = "createDataProduct",
    params(crate::openapi::IdempotencyKey), request_body = DataProductIn,
    responses((status = 201, body = DataProductOut), Conflict, Failure), security(("api_key" = ["content:write"])))]
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentWrite>,
    input: Input<DataProductIn>,
) -> Result<Response, Rejection> {
    let definition = input.value.into_definition();
    let done = manage::create(&service, &caller.actor, definition, input.once.as_ref()).await?;
    Ok(answer(201, done))
}

/// Send a data product's rows, in place of all that it had.
///
/// CSV (comma, UTF-8, names of the columns in the first row) or Parquet, up to 1 GiB. Types of columns are found in the rows. When
/// the file is refused, the product stays as it was. Through the edge a call has 30 s, and Cloudflare's limit of a body's length holds.
#[utoipa::path(put, path = "/api/v1/data-products/{id}/file", tag = "data products", operation_id = "putDataProductFile",
    params(("id" = uuid::Uuid, Path, description = "The data product")),
    request_body(content((String = "text/csv"), (String = "application/vnd.apache.parquet"))),
    responses((status = 200, description = "The edge serves the rows.", body = DataProductOut),
        (status = 202, description = "Saved here; the edge has yet to learn of it.", body = DataProductOut), Conflict, Failure),
    security(("api_key" = ["content:write"])))]
pub(crate) async fn put_file(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentWrite>,
    Id(id): Id,
    request: Request,
) -> Result<Response, Rejection> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = FileKind::of(content_type);
    Ok(answer(200, manage::upload(&service, &caller.actor, id, kind, request.into_body()).await?))
}

/// Run a data product's query again.
#[utoipa::path(post, path = "/api/v1/data-products/{id}/refresh", tag = "data products", operation_id = "refreshDataProduct",
    params(("id" = uuid::Uuid, Path, description = "The data product")),
    responses((status = 200, description = "The edge serves the rows.", body = DataProductOut),
        (status = 202, description = "Saved here; the edge has yet to learn of it.", body = DataProductOut), Conflict, Failure),
    security(("api_key" = ["content:write"])))]
pub(crate) async fn refresh(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentWrite>,
    Id(id): Id,
    input: Empty,
) -> Result<Response, Rejection> {
    refuse_once(input.once.as_ref())?;
    Ok(answer(200, manage::refresh(&service, &caller.actor, id).await?))
}

/// Delete a data product with its rows, and revoke its link.
#[utoipa::path(delete, path = "/api/v1/data-products/{id}", tag = "data products", operation_id = "deleteDataProduct",
    params(("id" = uuid::Uuid, Path, description = "The data product")),
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

/// One data product.
#[utoipa::path(get, path = "/api/v1/data-products/{id}", tag = "data products", operation_id = "getDataProduct",
    params(("id" = uuid::Uuid, Path, description = "The data product")),
    responses((status = 200, body = DataProductOut), Failure), security(("api_key" = ["content:read"])))]
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentRead>,
    Id(id): Id,
) -> Result<Reply, Rejection> {
    Ok(Reply(Answer::json(200, &out(manage::get(&service, &caller.actor, id).await?))))
}

/// All data products of the organization, newest first.
#[utoipa::path(get, path = "/api/v1/data-products", tag = "data products", operation_id = "listDataProducts",
    params(ListQuery), responses((status = 200, body = ListOut<DataProductOut>), Failure),
    security(("api_key" = ["content:read"])))]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentRead>,
    page: Page,
) -> Result<Reply, Rejection> {
    let products = manage::list(&service, &caller.actor, &page).await?;
    Ok(listed(&page, products, |product| product.id, out))
}

fn out(product: DataProduct) -> DataProductOut {
    let DataProduct { id, version, definition, created_at, updated_at } = product;
    DataProductOut::new((id, version), definition, (created_at, updated_at))
}

fn answer(status: u16, done: Done<DataProduct>) -> Response {
    let Done { body, pending, replayed } = done;
    changed(status, &Done { body: out(body), pending, replayed })
}
