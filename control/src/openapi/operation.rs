//! The operation dialect (seed 002), a document of its own: `control/openapi/operation.json`. Links are made and revoked here; what
//! visitors ask the edge answers, and its routes are described for whoever reads the document.
#![expect(
    dead_code,
    reason = "utoipa hangs descriptions of paths on functions, and makes nothing from its types"
)]

use super::Security;
use serde_json::{Map, Value};
use utoipa::{IntoResponses, OpenApi, ToSchema};
use uuid::Uuid;

/// What is shared.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum ShareTargetType {
    Item,
    Collection,
}

/// What visitors may do.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum SharePermission {
    /// Look at it.
    View,
    /// Take the archive, too.
    Download,
}

/// A new link.
#[derive(ToSchema)]
struct ShareLinkCreate {
    /// An item or a collection.
    target_type: ShareTargetType,
    /// Its id.
    target_id: String,
    /// `view` when absent.
    #[schema(required = false)]
    permission: SharePermission,
    /// In clear; at most 128 bytes. Only a keyed hash is kept.
    #[schema(min_length = 8)]
    password: String,
    /// In the future.
    #[schema(format = DateTime)]
    expires_at: String,
    /// An extension: tiles that the link gives a day, 100,000 when absent.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    tile_budget: Option<u64>,
}

/// A link; its token is in this answer alone.
#[derive(ToSchema)]
struct ShareLinkCreateOutput {
    /// `lnk_...`
    id: String,
    /// `shr_...`
    token: String,
    target_type: ShareTargetType,
    target_id: String,
    permission: SharePermission,
    organization_id: Uuid,
    project_id: Uuid,
    #[schema(format = DateTime)]
    expires_at: String,
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
    /// Right passwords so far.
    access_count: u64,
    #[schema(format = DateTime)]
    last_accessed_at: Option<String>,
    created_by: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    /// An extension: the page.
    url: Option<String>,
    /// An extension: `live` when the edge serves the link, else `pending`.
    effective: String,
}

/// A link to revoke.
#[derive(ToSchema)]
struct ShareLinkRevokeInput {
    /// `lnk_...`
    link_id: String,
}

/// It is revoked, also if it was before.
#[derive(ToSchema)]
struct ShareLinkRevokeOutput {
    /// Always true.
    ok: bool,
    id: String,
    /// An extension: `live` when no request that begins now is served, `pending` while the edge is out of reach.
    effective: String,
}

/// What a visitor comes with.
#[derive(ToSchema)]
struct ShareLinkValidateInput {
    #[schema(max_length = 256)]
    token: String,
    /// None, or an empty one, is a wrong one.
    #[schema(required = false)]
    password: String,
}

/// What the link opens.
#[derive(ToSchema)]
struct ShareLinkValidateOutput {
    permission: SharePermission,
    target_type: ShareTargetType,
    /// `id`, `project_id`, `name`, and `profiles` of an item or `items` of a collection. With `download`, a profile has an
    /// `archive`: `url`, `bytes`.
    target: Map<String, Value>,
}

/// A map's tiles.
#[derive(ToSchema)]
struct ShareTilejsonInput {
    #[schema(max_length = 256)]
    token: String,
    #[schema(required = false)]
    password: String,
    /// The item's first one when absent.
    profile: Option<String>,
    /// An extension: an item of a collection.
    item_id: Option<Uuid>,
}

/// One tile.
#[derive(ToSchema)]
struct ShareTileInput {
    #[schema(max_length = 256)]
    token: String,
    #[schema(required = false)]
    password: String,
    #[schema(maximum = 30)]
    z: u8,
    x: u32,
    y: u32,
    /// `png`, `jpg`, `webp`, `avif` or `mvt`; `png` when absent.
    #[schema(required = false)]
    format: String,
    profile: Option<String>,
    /// An extension: an item of a collection.
    item_id: Option<Uuid>,
}

/// TileJSON 3.0.0; `tiles` hold a ticket, which ends after `ticket_expires_in` seconds.
#[derive(ToSchema)]
struct TileJson {
    tilejson: String,
    tiles: Vec<String>,
    name: String,
    profile: String,
    minzoom: u8,
    maxzoom: u8,
    bounds: [f64; 4],
    center: [f64; 3],
    attribution: Option<String>,
    scheme: String,
    /// Of vector tiles alone.
    vector_layers: Option<Vec<Map<String, Value>>>,
    ticket_expires_in: u64,
    /// Of links that permit to take it: `url`, `bytes`.
    archive: Option<Map<String, Value>>,
}

/// RFC 9457.
#[derive(ToSchema)]
struct Problem {
    /// `about:blank`
    r#type: String,
    title: String,
    status: u16,
    detail: String,
}

/// What is wrong, and where.
#[derive(ToSchema)]
#[schema(as = HTTPValidationError)]
struct Invalid {
    detail: Vec<ValidationError>,
}

/// One place.
#[derive(ToSchema)]
struct ValidationError {
    /// `body`, then the field.
    loc: Vec<String>,
    msg: String,
    r#type: String,
}

/// Answers of any operation.
#[derive(IntoResponses)]
enum Failure {
    /// No API key or session token, or none that is valid. Visitors need none.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(Problem),
    /// The key lacks a scope.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// Unknown, revoked, expired, another organization's, or the password is wrong: all the same bytes.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// The body is not of the documented shape.
    #[response(status = 422)]
    Invalid(Invalid),
    /// Too many requests or guesses, or the link has given its tiles of today.
    #[response(status = 429, content_type = "application/problem+json", headers(("Retry-After", description = "Whole seconds")))]
    Throttled(Problem),
    /// A fault of ours.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// Try again shortly.
    #[response(status = 503, content_type = "application/problem+json", headers(("Retry-After", description = "Whole seconds")))]
    Unavailable(Problem),
}

/// Tiles.
#[derive(IntoResponses)]
enum Tile {
    /// The bytes, as the archive has them.
    #[response(status = 200, content_type = "application/octet-stream")]
    Found(Vec<u8>),
    /// The map is empty there.
    #[response(status = 204)]
    Empty,
    /// The archive has another format.
    #[response(status = 400, content_type = "application/problem+json")]
    WrongFormat(Problem),
}

/// An operation, by both of its paths.
macro_rules! operation {
    ($name:ident, $also:ident, $id:literal, $by_name:literal, $by_resource:literal, $summary:literal, $input:ty, $($rest:tt)*) => {
        #[utoipa::path(post, path = $by_name, tag = "operations", operation_id = $id, summary = $summary, request_body = $input, $($rest)*)]
        fn $name() {}
        #[utoipa::path(post, path = $by_resource, tag = "resources", operation_id = $by_resource, summary = $summary,
            request_body = $input, $($rest)*)]
        fn $also() {}
    };
}

operation!(
    create,
    create_too,
    "share.link.create",
    "/v1/op/share.link.create",
    "/v1/share/link/create",
    "Create a password-protected link to an item or collection",
    ShareLinkCreate,
    responses((status = 200, body = ShareLinkCreateOutput), Failure),
    security(("api_key" = ["shares:write"]))
);
operation!(
    revoke,
    revoke_too,
    "share.link.revoke",
    "/v1/op/share.link.revoke",
    "/v1/share/link/revoke",
    "Revoke a link",
    ShareLinkRevokeInput,
    responses((status = 200, body = ShareLinkRevokeOutput), Failure),
    security(("api_key" = ["shares:write"]))
);
operation!(
    validate,
    validate_too,
    "share.link.validate",
    "/v1/op/share.link.validate",
    "/v1/share/link/validate",
    "What a link opens, by its token and password",
    ShareLinkValidateInput,
    responses((status = 200, body = ShareLinkValidateOutput), Failure),
    security((), ("api_key" = ["shares:read"]))
);
operation!(
    render,
    render_too,
    "share.tile.render",
    "/v1/op/share.tile.render",
    "/v1/share/tile/render",
    "A tile of a map, counted for whoever shares it",
    ShareTileInput,
    responses(Tile, Failure),
    security((), ("api_key" = ["shares:read"]))
);
operation!(
    tilejson,
    tilejson_too,
    "share.tilejson",
    "/v1/op/share.tilejson",
    "/v1/share/tilejson",
    "The TileJSON of a map",
    ShareTilejsonInput,
    responses((status = 200, body = TileJson), Failure),
    security((), ("api_key" = ["shares:read"]))
);

/// A tile by the ticket of a TileJSON. `ETag` and `If-None-Match` spare what has not changed.
#[utoipa::path(get, path = "/v1/share/tiles/{ticket}/{z}/{x}/{y}.{ext}", tag = "tickets", operation_id = "tileByTicket",
    params(("ticket" = String, Path, description = "Of a TileJSON's `tiles`"), ("z" = u8, Path, description = "Zoom"),
        ("x" = u32, Path, description = "Column"), ("y" = u32, Path, description = "Row"),
        ("ext" = String, Path, description = "The archive's format")),
    responses(Tile, Failure))]
fn tile() {}

/// The archive behind a map, whole or one range of it. Each request counts as a tile.
#[utoipa::path(get, path = "/v1/share/archives/{ticket}", tag = "tickets", operation_id = "archiveByTicket",
    params(("ticket" = String, Path, description = "Of an `archive.url`")),
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.pmtiles"),
        (status = 206, description = "The range that was asked for.", body = Vec<u8>, content_type = "application/vnd.pmtiles"),
        (status = 416, description = "There is no such part."), Failure))]
fn archive() {}

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Postern, share operations",
        description = "Links to maps: the operation dialect. All paths work on the edge's host.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "operations", description = "By their names"),
        (name = "resources", description = "The same, by resource and action"),
        (name = "tickets", description = "What maps are drawn from: an extension"),
    ),
    paths(
        create, revoke, validate, render, tilejson,
        create_too, revoke_too, validate_too, render_too, tilejson_too, tile, archive
    ),
    components(schemas(Problem, Invalid, ValidationError)),
    modifiers(&Security)
)]
pub(super) struct OperationDocument;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_must_be_there_is_what_the_vendors_contract_says() {
        let document = serde_json::to_value(OperationDocument::openapi()).unwrap();
        for (schema, required) in [
            ("ShareLinkCreate", vec!["target_type", "target_id", "password", "expires_at"]),
            ("ShareLinkRevokeInput", vec!["link_id"]),
            ("ShareLinkValidateInput", vec!["token"]),
            ("ShareTileInput", vec!["token", "z", "x", "y"]),
            ("ShareTilejsonInput", vec!["token"]),
            ("ShareLinkValidateOutput", vec!["permission", "target_type", "target"]),
            ("ValidationError", vec!["loc", "msg", "type"]),
        ] {
            assert_eq!(document["components"]["schemas"][schema]["required"], json!(required), "{schema}");
        }
        for (id, path) in [
            ("share.link.create", "/v1/share/link/create"),
            ("share.link.revoke", "/v1/share/link/revoke"),
            ("share.link.validate", "/v1/share/link/validate"),
            ("share.tile.render", "/v1/share/tile/render"),
            ("share.tilejson", "/v1/share/tilejson"),
        ] {
            let paths = &document["paths"];
            let named = &paths[format!("/v1/op/{id}")]["post"];
            assert_eq!(named["operationId"], id);
            assert_eq!(named["requestBody"], paths[path]["post"]["requestBody"], "{id}");
            for status in ["401", "403", "404", "422", "500"] {
                assert!(named["responses"][status].is_object(), "{id} {status}");
            }
        }
    }
}
