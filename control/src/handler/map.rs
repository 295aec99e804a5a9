//! `/api/v1/projects`, `/api/v1/collections`, `/api/v1/items`, `/api/v1/archives`, `/api/v1/usage`

use super::{Id, Input, ListQuery, ONCE, Rejection, Reply, changed, listed, refuse_once};
use crate::auth::{Caller, ContentRead, ContentWrite, SharesRead};
use crate::manage::map as manage;
use crate::openapi::{Conflict, Failure};
use crate::service::Service;
use crate::store::Page;
use crate::store::map::{Project, Stored};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use shared::face::Answer;
use shared::face::dashboard::manage::{
    ArchiveOut, CollectionIn, CollectionOut, ItemIn, ItemOut, ListOut, ProjectIn, ProjectOut, UsageOut,
};
use shared::model::item::{Collection, Item};
use std::sync::Arc;
use uuid::Uuid;

/// Make a project.
#[utoipa::path(post, path = "/api/v1/projects", tag = "maps", operation_id = "createProject",
    params(crate::openapi::IdempotencyKey), request_body = ProjectIn,
    responses((status = 201, body = ProjectOut), Failure), security(("api_key" = ["content:write"])))]
pub(crate) async fn create_project(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentWrite>,
    input: Input<ProjectIn>,
) -> Result<Response, Rejection> {
    let done = manage::create_project(&service, &caller.actor, input.value, input.once.as_ref()).await?;
    Ok(changed(201, &done.map(project)))
}

/// The organization's projects, newest first.
#[utoipa::path(get, path = "/api/v1/projects", tag = "maps", operation_id = "listProjects", params(ListQuery),
    responses((status = 200, body = ListOut<ProjectOut>), Failure), security(("api_key" = ["content:read"])))]
pub(crate) async fn list_projects(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentRead>,
    page: Page,
) -> Result<Reply, Rejection> {
    let projects = manage::projects(&service, &caller.actor, &page).await?;
    Ok(listed(&page, projects, |project| project.id, project))
}

/// Make a collection of map items.
#[utoipa::path(post, path = "/api/v1/collections", tag = "maps", operation_id = "createCollection",
    params(crate::openapi::IdempotencyKey), request_body = CollectionIn,
    responses((status = 201, body = CollectionOut), Failure), security(("api_key" = ["content:write"])))]
pub(crate) async fn create_collection(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentWrite>,
    input: Input<CollectionIn>,
) -> Result<Response, Rejection> {
    let done = manage::create_collection(&service, &caller.actor, input.value, input.once.as_ref()).await?;
    Ok(changed(201, &done.map(collection)))
}

/// The organization's collections, newest first.
#[utoipa::path(get, path = "/api/v1/collections", tag = "maps", operation_id = "listCollections", params(ListQuery),
    responses((status = 200, body = ListOut<CollectionOut>), Failure), security(("api_key" = ["content:read"])))]
pub(crate) async fn list_collections(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentRead>,
    page: Page,
) -> Result<Reply, Rejection> {
    let collections = manage::collections(&service, &caller.actor, &page).await?;
    Ok(listed(&page, collections, |stored| stored.definition.id, collection))
}

/// One collection.
#[utoipa::path(get, path = "/api/v1/collections/{id}", tag = "maps", operation_id = "getCollection",
    params(("id" = Uuid, Path, description = "The collection")),
    responses((status = 200, body = CollectionOut), Failure), security(("api_key" = ["content:read"])))]
pub(crate) async fn get_collection(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentRead>,
    Id(id): Id,
) -> Result<Reply, Rejection> {
    let found = manage::collection(&service, &caller.actor, id).await?;
    Ok(Reply(Answer::json(200, &collection(found))))
}

/// Delete a collection and revoke its links. Its items stay.
#[utoipa::path(delete, path = "/api/v1/collections/{id}", tag = "maps", operation_id = "deleteCollection",
    params(("id" = Uuid, Path, description = "The collection")),
    responses((status = 204, description = "Its links are dead."),
        (status = 202, description = "The edge has yet to learn of it."), Failure),
    security(("api_key" = ["content:write"])))]
pub(crate) async fn delete_collection(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentWrite>,
    Id(id): Id,
) -> Result<Response, Rejection> {
    Ok(gone(manage::delete_collection(&service, &caller.actor, id).await?.pending))
}

/// Register a map item from PMTiles archives in the bucket.
#[utoipa::path(post, path = "/api/v1/items", tag = "maps", operation_id = "createItem",
    params(crate::openapi::IdempotencyKey), request_body = ItemIn,
    responses((status = 201, body = ItemOut), (status = 202, description = "The edge has yet to learn of it.", body = ItemOut),
        Conflict, Failure),
    security(("api_key" = ["content:write"])))]
pub(crate) async fn create_item(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentWrite>,
    input: Input<ItemIn>,
) -> Result<Response, Rejection> {
    let done = manage::create_item(&service, &caller.actor, input.value, input.once.as_ref()).await?;
    Ok(changed(201, &done.map(item)))
}

/// The organization's items, newest first.
#[utoipa::path(get, path = "/api/v1/items", tag = "maps", operation_id = "listItems", params(ListQuery),
    responses((status = 200, body = ListOut<ItemOut>), Failure), security(("api_key" = ["content:read"])))]
pub(crate) async fn list_items(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentRead>,
    page: Page,
) -> Result<Reply, Rejection> {
    let items = manage::items(&service, &caller.actor, &page).await?;
    Ok(listed(&page, items, |stored| stored.definition.id, item))
}

/// One item.
#[utoipa::path(get, path = "/api/v1/items/{id}", tag = "maps", operation_id = "getItem",
    params(("id" = Uuid, Path, description = "The item")),
    responses((status = 200, body = ItemOut), Failure), security(("api_key" = ["content:read"])))]
pub(crate) async fn get_item(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentRead>,
    Id(id): Id,
) -> Result<Reply, Rejection> {
    Ok(Reply(Answer::json(200, &item(manage::item(&service, &caller.actor, id).await?))))
}

/// Delete an item, revoke its links and take it out of its collection. Its archives stay in the bucket.
#[utoipa::path(delete, path = "/api/v1/items/{id}", tag = "maps", operation_id = "deleteItem",
    params(("id" = Uuid, Path, description = "The item")),
    responses((status = 204, description = "Its links are dead."),
        (status = 202, description = "The edge has yet to learn of it."), Failure),
    security(("api_key" = ["content:write"])))]
pub(crate) async fn delete_item(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentWrite>,
    Id(id): Id,
) -> Result<Response, Rejection> {
    Ok(gone(manage::delete_item(&service, &caller.actor, id).await?.pending))
}

/// Upload a PMTiles archive, as the whole body. Its `key` is what a profile of an item names.
///
/// Takes no `Idempotency-Key`: a repeated upload makes a further archive. Through the edge's host an upload may take 30 s; the control plane's own host sets no limit but a pause of 30 s.
#[utoipa::path(post, path = "/api/v1/archives", tag = "maps", operation_id = "uploadArchive",
    request_body(content = Vec<u8>, content_type = "application/vnd.pmtiles"),
    responses((status = 201, body = ArchiveOut), Failure), security(("api_key" = ["content:write"])))]
pub(crate) async fn upload(
    State(service): State<Arc<Service>>,
    caller: Caller<ContentWrite>,
    headers: HeaderMap,
    body: Body,
) -> Result<Reply, Rejection> {
    refuse_once(headers.get(ONCE))?;
    let key = format!("{}/{}.pmtiles", caller.actor.organization.slug, Uuid::now_v7());
    let archive = service.archives.upload(&key, body.into_data_stream()).await?;
    Ok(Reply(Answer::json(201, &ArchiveOut::new(&key, &archive))))
}

/// What the tiles of the organization's links cost, by UTC day, and which links have given their tiles of today.
#[utoipa::path(get, path = "/api/v1/usage", tag = "maps", operation_id = "getUsage",
    responses((status = 200, body = UsageOut), Failure), security(("api_key" = ["shares:read"])))]
pub(crate) async fn usage(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
) -> Result<Reply, Rejection> {
    Ok(Reply(Answer::json(200, &manage::usage(&service, &caller.actor).await?)))
}

fn project(project: Project) -> ProjectOut {
    ProjectOut { id: project.id, name: project.name, created_at: project.created_at.to_rfc3339() }
}

fn collection(stored: Stored<Collection>) -> CollectionOut {
    CollectionOut::new(stored.definition, stored.created_at)
}

fn item(stored: Stored<Item>) -> ItemOut {
    ItemOut::new(stored.definition, stored.collection_id, stored.created_at)
}

fn gone(pending: bool) -> Response {
    (if pending { StatusCode::ACCEPTED } else { StatusCode::NO_CONTENT }).into_response()
}
