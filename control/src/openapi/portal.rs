//! What members of share contexts ask at the edge, described as in [`super::public`].
#![expect(dead_code, reason = "utoipa hangs descriptions of paths on functions")]

use super::public::ExecuteOut;
use shared::face::dashboard::error::ErrorOut;
use shared::face::dashboard::portal::{PortalDashboardsOut, PortalExecuteIn, PortalResolveOut};
use shared::face::dashboard::public::OptionsOut;
use utoipa::IntoResponses;

/// Answers of any route of the portal.
#[derive(IntoResponses)]
enum PortalFailure {
    /// `context_id` is missing, malformed, or none of the member's (`INVALID_CONTEXT_ID`); the body is not acceptable JSON; or a
    /// parameter breaks a rule of the share (`SHARE_FILTER_POLICY_VIOLATION`, with `filter_slug`).
    #[response(status = 400)]
    Refused(ErrorOut<'static>),
    /// The access token is none, has ended, or says what does not hold any more (`TOKEN_INVALID`): a refresh gives another, if there
    /// is one.
    #[response(status = 401)]
    Dead(ErrorOut<'static>),
    /// The filter is not available (`FILTER_DISABLED_BY_POLICY`).
    #[response(status = 403)]
    FilterDisabled(ErrorOut<'static>),
    /// The context has no such dashboard.
    #[response(status = 404)]
    NotFound(ErrorOut<'static>),
    /// Try again shortly.
    #[response(status = 503, headers(("Retry-After", description = "Whole seconds")))]
    Unavailable(ErrorOut<'static>),
}

/// All that the member may open, in every context that the access token names.
#[utoipa::path(get, path = "/api/v1/share-portal/{company_slug}/dashboards", tag = "portal", operation_id = "portalDashboards",
    params(("company_slug" = String, Path, description = "Whose portal")),
    responses((status = 200, body = PortalDashboardsOut<'static>), PortalFailure), security(("share_access" = [])))]
pub(super) fn dashboards() {}

/// A dashboard, without rows.
#[utoipa::path(get, path = "/api/v1/share-portal/{company_slug}/dashboards/{dashboard_slug}", tag = "portal",
    operation_id = "portalResolve",
    params(("company_slug" = String, Path, description = "Whose portal"),
        ("dashboard_slug" = String, Path, description = "The dashboard"),
        ("context_id" = uuid::Uuid, Query, description = "Through which context")),
    responses((status = 200, body = PortalResolveOut<'static>), PortalFailure), security(("share_access" = [])))]
pub(super) fn resolve() {}

/// Rows of a dashboard.
#[utoipa::path(post, path = "/api/v1/share-portal/{company_slug}/dashboards/{dashboard_slug}/execute", tag = "portal",
    operation_id = "portalExecute",
    params(("company_slug" = String, Path, description = "Whose portal"),
        ("dashboard_slug" = String, Path, description = "The dashboard")),
    request_body = PortalExecuteIn,
    responses((status = 200, body = ExecuteOut), PortalFailure), security(("share_access" = [])))]
pub(super) fn execute() {}

/// Options of a filter.
#[utoipa::path(get, path = "/api/v1/share-portal/{company_slug}/dashboards/{dashboard_slug}/filters/{filter_slug}/options",
    tag = "portal", operation_id = "portalOptions",
    params(("company_slug" = String, Path, description = "Whose portal"),
        ("dashboard_slug" = String, Path, description = "The dashboard"),
        ("filter_slug" = String, Path, description = "The filter"),
        ("context_id" = uuid::Uuid, Query, description = "Through which context"),
        ("search" = Option<String>, Query, description = "What the viewer typed, at most 128 characters", max_length = 128)),
    responses((status = 200, body = OptionsOut<'static>), PortalFailure), security(("share_access" = [])))]
pub(super) fn options() {}
