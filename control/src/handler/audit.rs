//! `/api/v1/audit`

use super::{ListQuery, Rejection, Reply, listed};
use crate::auth::{Caller, SharesRead};
use crate::openapi::Failure;
use crate::service::Service;
use crate::store::{Page, audit};
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use shared::face::dashboard::manage::ListOut;
use std::sync::Arc;
use uuid::Uuid;

/// One change, and who made it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct AuditOut {
    /// Its id.
    id: Uuid,
    /// `key:<id of an API key>`, `session:<id of a session token>`, `cli`, or `edge` for what a gate reported.
    actor: String,
    /// Such as `share.rotate`.
    #[schema(example = "share.rotate")]
    action: String,
    /// The id of what was changed.
    subject: String,
    /// RFC 3339.
    at: String,
    /// What is worth knowing; depends on the action.
    #[schema(value_type = Object)]
    detail: Value,
}

/// The organization's audit trail, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", operation_id = "listAudit",
    params(ListQuery), responses((status = 200, body = ListOut<AuditOut>), Failure),
    security(("api_key" = ["shares:read"])))]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesRead>,
    page: Page,
) -> Result<Reply, Rejection> {
    let mut session = service.store.read().await?;
    let entries = audit::list(&mut session, caller.actor.organization.id, &page).await?;
    Ok(listed(&page, entries, |entry| entry.id, out))
}

fn out(entry: audit::Entry) -> AuditOut {
    AuditOut {
        id: entry.id,
        actor: entry.actor,
        action: entry.action,
        subject: entry.subject,
        at: entry.at.to_rfc3339(),
        detail: entry.detail,
    }
}
