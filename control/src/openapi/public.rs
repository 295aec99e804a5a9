//! What the edge answers by itself, described here so that one document tells all. These functions are only
//! where the descriptions hang; nothing calls them.
#![expect(dead_code, reason = "utoipa hangs descriptions of paths on functions")]

use serde::Serialize;
use serde_json::Value;
use shared::call::{Executed, PageRows};
use shared::face::dashboard::embed::InfoOut;
use shared::face::dashboard::error::ErrorOut;
use shared::face::dashboard::public::{OptionsOut, ResolveOut, ResolveProductOut, UnlockOut};
use std::collections::BTreeMap;
use utoipa::{IntoResponses, ToSchema};

/// Body of an execute.
#[derive(ToSchema)]
struct ExecuteIn {
    /// Values by name, as `resolve` lists them in `filters[].parameters`. Absent means the default; null means
    /// no value.
    #[schema(value_type = Object, required = false)]
    parameters: BTreeMap<String, Value>,
}

/// Body of an unlock.
#[derive(ToSchema)]
struct UnlockIn {
    /// Of a share that needs one; absent or null for one that is only counted.
    #[schema(required = false, write_only)]
    password: Option<String>,
}

/// Answer of an execute.
#[derive(Serialize, ToSchema)]
pub(super) struct ExecuteOut {
    #[serde(flatten)]
    executed: Executed,
    /// What the edge knows of its cache.
    cache: CacheOut,
}

/// How fresh an answer is.
#[derive(Serialize, ToSchema)]
struct CacheOut {
    /// Was it kept from an earlier request?
    hit: bool,
    /// How old it is, in seconds.
    age: u64,
    /// The source was out of reach, and this is older than it should be.
    stale: bool,
}

/// Answers of any public route.
#[derive(IntoResponses)]
enum PublicFailure {
    /// The body is not acceptable JSON, or a parameter breaks a rule of the share
    /// (`SHARE_FILTER_POLICY_VIOLATION`, with `filter_slug`).
    #[response(status = 400)]
    Refused(ErrorOut<'static>),
    /// The link is unknown, revoked, replaced, early, expired or spent: always the same `TOKEN_INVALID`. Or the visitor
    /// must do what `requires` says (`password` or `opening`) at `unlock` first: `AUTH_REQUIRED`.
    #[response(status = 401)]
    Dead(ErrorOut<'static>),
    /// The filter is not available on this share (`FILTER_DISABLED_BY_POLICY`).
    #[response(status = 403)]
    FilterDisabled(ErrorOut<'static>),
    /// Too many requests.
    #[response(status = 429, headers(("Retry-After", description = "Whole seconds")))]
    Throttled(ErrorOut<'static>),
    /// Try again shortly.
    #[response(status = 503, headers(("Retry-After", description = "Whole seconds")))]
    Unavailable(ErrorOut<'static>),
}

/// What a link opens: a dashboard, or a data product.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Resolved {
    Dashboard(ResolveOut<'static>),
    DataProduct(ResolveProductOut<'static>),
}

/// What a link opens.
#[utoipa::path(get, path = "/api/v1/public/shares/{token}/resolve", tag = "public", operation_id = "resolveShare",
    params(("token" = String, Path, description = "The share's token", pattern = "^shr_[0-9a-f]{40}$")),
    responses((status = 200, body = Resolved), PublicFailure), security(()))]
pub(super) fn resolve() {}

/// Answers of an unlock.
#[derive(IntoResponses)]
enum UnlockFailure {
    /// The body is not acceptable JSON.
    #[response(status = 400)]
    Malformed(ErrorOut<'static>),
    /// The link opens nothing (`TOKEN_INVALID`), or that is not the password (`PASSWORD_INVALID`).
    #[response(status = 401)]
    Refused(ErrorOut<'static>),
    /// The body is too long.
    #[response(status = 413)]
    TooLarge(ErrorOut<'static>),
    /// The body is not `application/json`.
    #[response(status = 415)]
    UnsupportedMediaType(ErrorOut<'static>),
    /// The share needs a password, and none was given, or one that can be none.
    #[response(status = 422)]
    Invalid(ErrorOut<'static>),
    /// Too many requests, or too many guesses.
    #[response(status = 429, headers(("Retry-After", description = "Whole seconds")))]
    Throttled(ErrorOut<'static>),
    /// Try again shortly.
    #[response(status = 503, headers(("Retry-After", description = "Whole seconds")))]
    Unavailable(ErrorOut<'static>),
}

/// Give the password, or open a link that is counted. What is given in return opens it for 15 minutes, as
/// `Authorization: Bearer` of the other public routes.
#[utoipa::path(post, path = "/api/v1/public/shares/{token}/unlock", tag = "public", operation_id = "unlockShare",
    params(("token" = String, Path, description = "The share's token", pattern = "^shr_[0-9a-f]{40}$")),
    request_body = UnlockIn, responses((status = 200, body = UnlockOut<'static>), UnlockFailure), security(()))]
pub(super) fn unlock() {}

/// The rows of a link's dashboard.
#[utoipa::path(post, path = "/api/v1/public/shares/{token}/execute", tag = "public", operation_id = "executeShare",
    params(("token" = String, Path, description = "The share's token", pattern = "^shr_[0-9a-f]{40}$")),
    request_body = ExecuteIn, responses((status = 200, body = ExecuteOut), PublicFailure), security(()))]
pub(super) fn execute() {}

/// Rows of a link's data product, page by page.
#[utoipa::path(get, path = "/api/v1/public/shares/{token}/data", tag = "public", operation_id = "listShareRows",
    params(("token" = String, Path, description = "The share's token", pattern = "^shr_[0-9a-f]{40}$"),
        ("limit" = Option<u32>, Query, description = "Most rows; 100 when absent", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before, with the same sort, order and search"),
        ("offset" = Option<u64>, Query, description = "The number of the first row, from 0; not beside a cursor or search"),
        ("sort" = Option<String>, Query, description = "The name of a column that is `sortable`; empty cells come last"),
        ("order" = Option<String>, Query, description = "`asc` or `desc`"),
        ("search" = Option<String>, Query, description = "Only rows of which a text has this part, in any case", max_length = 128)),
    responses((status = 200, body = PageRows),
        (status = 422, description = "A parameter is none, or the cursor is of another question or version.", body = ErrorOut<'static>),
        PublicFailure), security(()))]
pub(super) fn data() {}

/// All of a link's data product, as a file.
///
/// In CSV a text that a spreadsheet would run as a formula has an apostrophe before it; the other formats hold it as it is. A link
/// that dies on the way ends the answer early, as an error of the connection.
#[utoipa::path(get, path = "/api/v1/public/shares/{token}/data/download", tag = "public", operation_id = "downloadShareRows",
    params(("token" = String, Path, description = "The share's token", pattern = "^shr_[0-9a-f]{40}$"),
        ("format" = String, Query, description = "`csv`, `jsonl` or `parquet`")),
    responses((status = 200, description = "The file, streamed.",
            content((String = "text/csv"), (String = "application/jsonl"), (String = "application/vnd.apache.parquet"))),
        (status = 422, description = "Another format.", body = ErrorOut<'static>), PublicFailure), security(()))]
pub(super) fn download() {}

/// The options of a filter.
#[utoipa::path(get, path = "/api/v1/public/shares/{token}/filters/{filter_slug}/options", tag = "public",
    operation_id = "listShareFilterOptions",
    params(("token" = String, Path, description = "The share's token", pattern = "^shr_[0-9a-f]{40}$"),
        ("filter_slug" = String, Path, description = "The filter"),
        ("search" = Option<String>, Query, description = "What the viewer typed, at most 128 characters", max_length = 128)),
    responses((status = 200, body = OptionsOut<'static>), PublicFailure), security(()))]
pub(super) fn options() {}

/// What an embed shows.
#[utoipa::path(get, path = "/api/embed/d/{token}/info", tag = "public", operation_id = "getEmbedInfo",
    params(("token" = String, Path, description = "The embed token; or `self`, with the token in `Authorization: Bearer`")),
    responses((status = 200, body = InfoOut<'static>), PublicFailure), security(()))]
pub(super) fn info() {}

/// The rows of an embed's dashboard.
#[utoipa::path(post, path = "/api/embed/d/{token}/execute", tag = "public", operation_id = "executeEmbed",
    params(("token" = String, Path, description = "The embed token; or `self`, with the token in `Authorization: Bearer`")),
    request_body = ExecuteIn, responses((status = 200, body = ExecuteOut), PublicFailure), security(()))]
pub(super) fn embed_execute() {}

/// The options of a filter of an embed.
#[utoipa::path(get, path = "/api/embed/d/{token}/filters/{filter_slug}/options", tag = "public",
    operation_id = "listEmbedFilterOptions",
    params(("token" = String, Path, description = "The embed token; or `self`, with the token in `Authorization: Bearer`"),
        ("filter_slug" = String, Path, description = "The filter"),
        ("search" = Option<String>, Query, description = "What the viewer typed, at most 128 characters", max_length = 128)),
    responses((status = 200, body = OptionsOut<'static>), PublicFailure), security(()))]
pub(super) fn embed_options() {}

/// oEmbed 1.0: how a site shows a link that nothing protects. `rich` with an iframe where the share's `allowed_origins` let sites
/// frame it, else `link`.
#[utoipa::path(get, path = "/oembed", tag = "public", operation_id = "getOembed",
    params(("url" = String, Query, description = "The link's page"),
        ("maxwidth" = Option<u32>, Query, description = "Pixels"),
        ("maxheight" = Option<u32>, Query, description = "Pixels"),
        ("format" = Option<String>, Query, description = "Only `json`")),
    responses((status = 200, description = "oEmbed's answer."),
        (status = 401, description = "The link is protected.", body = ErrorOut<'static>),
        (status = 404, description = "No link of ours, or a dead one.", body = ErrorOut<'static>),
        (status = 422, description = "A parameter is none.", body = ErrorOut<'static>),
        (status = 501, description = "Another format.")), security(()))]
pub(super) fn oembed() {}
