//! `/api/v1/share-contexts/...`, `/api/v1/dashboard-shares/{id}/accesses`

use super::{Id, Input, ListQuery, Name, Rejection, Reply, changed, listed};
use crate::auth::{Caller, SharesRead, SharesWrite};
use crate::manage::{context as manage, portal};
use crate::openapi::Failure;
use crate::service::Service;
use crate::store::Page;
use axum::extract::State;
use axum::response::Response;
use shared::Error;
use shared::face::Answer;
use shared::face::dashboard::error::ErrorOut;
use shared::face::dashboard::manage::{
    AccessOut, ContextDeletedOut, ContextIn, ContextOut, ContextPatchIn, ListOut, MemberIn, MemberOut,
    MemberRemovedOut, MembersAddedOut, MembersIn,
};
use std::sync::Arc;
use uuid::Uuid;

/// Make a share context: people who may open what is shared with it, and nobody else.
#[utoipa::path(post, path = "/api/v1/share-contexts", tag = "portal", operation_id = "createContext", request_body = ContextIn,
    responses((status = 201, description = "Members may be added, and shares bound to it.", body = ContextOut),
        (status = 202, description = "The edge has yet to learn of it.", body = ContextOut), Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    input: Input<ContextIn>,
) -> Result<Response, Rejection> {
    super::refuse_once(input.once.as_ref())?;
    Ok(changed(201, &manage::create(&service, &caller.actor, input.value).await?))
}

/// The organization's contexts, newest first.
#[utoipa::path(get, path = "/api/v1/share-contexts", tag = "portal", operation_id = "listContexts", params(ListQuery),
    responses((status = 200, body = ListOut<ContextOut>), Failure), security(("api_key" = ["shares:read"])))]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
    page: Page,
) -> Result<Reply, Rejection> {
    let found = manage::list(&service, &caller.actor, &page).await?;
    Ok(listed(&page, found, |context| context.id, |context| context))
}

/// One context.
#[utoipa::path(get, path = "/api/v1/share-contexts/{id}", tag = "portal", operation_id = "getContext",
    params(("id" = Uuid, Path, description = "The context")),
    responses((status = 200, body = ContextOut), Failure), security(("api_key" = ["shares:read"])))]
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
    Id(id): Id,
) -> Result<Reply, Rejection> {
    Ok(Reply(Answer::json(200, &manage::get(&service, &caller.actor, id).await?)))
}

/// Change a context's name or description. What is absent stays.
#[utoipa::path(put, path = "/api/v1/share-contexts/{id}", tag = "portal", operation_id = "updateContext",
    params(("id" = Uuid, Path, description = "The context")), request_body = ContextPatchIn,
    responses((status = 200, description = "The change is in force.", body = ContextOut),
        (status = 202, description = "The edge has yet to learn of it.", body = ContextOut), Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn amend(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
    input: Input<ContextPatchIn>,
) -> Result<Response, Rejection> {
    super::refuse_once(input.once.as_ref())?;
    Ok(changed(200, &manage::amend(&service, &caller.actor, id, input.value).await?))
}

/// Delete a context: all members are out, and the shares that were bound to it are revoked. Repeating it is no mistake.
#[utoipa::path(delete, path = "/api/v1/share-contexts/{id}", tag = "portal", operation_id = "deleteContext",
    params(("id" = Uuid, Path, description = "The context")),
    responses((status = 200, description = "Nobody is in any more.", body = ContextDeletedOut),
        (status = 202, description = "Deleted here; the edge has yet to learn of it.", body = ContextDeletedOut), Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn delete(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(id): Id,
) -> Result<Response, Rejection> {
    Ok(changed(200, &manage::delete(&service, &caller.actor, id).await?))
}

/// Add a member: a person, or whoever has an address at a domain. Who is one already stays the same one.
#[utoipa::path(post, path = "/api/v1/share-contexts/{id}/members", tag = "portal", operation_id = "addMember",
    params(("id" = Uuid, Path, description = "The context")), request_body = MemberIn,
    responses((status = 201, description = "They may sign in.", body = MemberOut),
        (status = 409, description = "The context has 100,000 members.", body = ErrorOut<'static>), Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn add_member(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(context): Id,
    input: Input<MemberIn>,
) -> Result<Reply, Rejection> {
    super::refuse_once(input.once.as_ref())?;
    let member = manage::add_member(&service, &caller.actor, context, &input.value).await?;
    Ok(Reply(Answer::json(201, &member)))
}

/// Longest list of members, in bytes: a thousand of the longest addresses.
const MAX_MEMBERS_BYTES: usize = 512 * 1024;

/// Add up to 1,000 members, or none of them.
#[utoipa::path(post, path = "/api/v1/share-contexts/{id}/members/bulk", tag = "portal", operation_id = "addMembers",
    params(("id" = Uuid, Path, description = "The context")), request_body = MembersIn,
    responses((status = 200, description = "They may sign in.", body = MembersAddedOut),
        (status = 409, description = "The context would have more than 100,000 members.", body = ErrorOut<'static>), Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn add_members(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(context): Id,
    input: Input<MembersIn, MAX_MEMBERS_BYTES>,
) -> Result<Reply, Rejection> {
    super::refuse_once(input.once.as_ref())?;
    let added = manage::add_members(&service, &caller.actor, context, &input.value).await?;
    Ok(Reply(Answer::json(200, &added)))
}

/// The members of a context, newest first.
#[utoipa::path(get, path = "/api/v1/share-contexts/{id}/members", tag = "portal", operation_id = "listMembers",
    params(("id" = Uuid, Path, description = "The context"), ListQuery),
    responses((status = 200, body = ListOut<MemberOut>), Failure), security(("api_key" = ["shares:read"])))]
pub(crate) async fn members(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
    Id(context): Id,
    page: Page,
) -> Result<Reply, Rejection> {
    let found = manage::members(&service, &caller.actor, context, &page).await?;
    Ok(listed(&page, found, |member| member.id, |member| member))
}

/// Remove a member: they are out at once, wherever they are signed in. Repeating it is no mistake.
#[utoipa::path(delete, path = "/api/v1/share-contexts/{id}/members/{member_id}", tag = "portal", operation_id = "removeMember",
    params(("id" = Uuid, Path, description = "The context"), ("member_id" = Uuid, Path, description = "The member")),
    responses((status = 200, description = "No request of theirs that begins now is served.", body = MemberRemovedOut),
        (status = 202, description = "Removed here; the edge has yet to learn of it.", body = MemberRemovedOut), Failure),
    security(("api_key" = ["shares:write"])))]
pub(crate) async fn remove_member(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    Id(context): Id,
    Name(member): Name,
) -> Result<Response, Rejection> {
    let member = Uuid::parse_str(&member).ok().filter(|_| member.len() == 36);
    let member = member.ok_or(Error::NotFound("resource"))?;
    Ok(changed(200, &manage::remove_member(&service, &caller.actor, context, member).await?))
}

/// Who opened a share that is bound to a context, newest first; some seconds late. Kept for as many days as the operator says.
#[utoipa::path(get, path = "/api/v1/dashboard-shares/{id}/accesses", tag = "portal", operation_id = "listAccesses",
    params(("id" = Uuid, Path, description = "The share"), ListQuery),
    responses((status = 200, body = ListOut<AccessOut>), Failure), security(("api_key" = ["shares:read"])))]
pub(crate) async fn accesses(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
    Id(share): Id,
    page: Page,
) -> Result<Reply, Rejection> {
    let found = portal::accesses(&service, &caller.actor, share, &page).await?;
    Ok(listed(&page, found, |access| access.id, |access| access))
}
