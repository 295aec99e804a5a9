//! The API's descriptions, generated from the code: OpenAPI 3.1, committed in `control/openapi`. One for the dashboard dialect with all
//! that is managed, and one for the operation dialect, which is a contract of its own.

mod operation;
mod portal;
mod public;

use shared::face::dashboard::error::ErrorOut;
use shared::face::dashboard::manage::{ShareOut, TargetShareOut};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

/// Everything but the routes, which the router adds.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Postern",
        description = "Share links that resolve at the edge: the dashboard dialect. All paths work on the edge's \
            host; it answers the public ones itself and forwards the others.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "shares", description = "Links to dashboards"),
        (name = "embeds", description = "Dashboards in frames of other sites"),
        (name = "portal", description = "Dashboards for invited people, who sign in by codes that are mailed to them"),
        (name = "organization", description = "What is demanded of all its shares"),
        (name = "dashboards", description = "What is shared"),
        (name = "data products", description = "Tables that are shared"),
        (name = "data product links", description = "Links to data products: a dialect of their own, with errors of their own"),
        (name = "data sources", description = "Where queries run"),
        (name = "maps", description = "Items and collections of tiles, and what tiles cost"),
        (name = "session tokens", description = "Short-lived keys, with some of a key's scopes"),
        (name = "audit", description = "Who changed what"),
        (name = "public", description = "What a link's visitor may call; answered by the edge, without a key"),
        (name = "operation", description = "For whoever runs this"),
    ),
    paths(
        public::resolve, public::unlock, public::execute, public::options,
        public::data, public::download, public::info, public::embed_execute, public::embed_options, public::oembed,
        portal::dashboards, portal::resolve, portal::execute, portal::options
    ),
    components(schemas(ErrorOut<'static>)),
    modifiers(&Security)
)]
pub(crate) struct DashboardDocument;

struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("pk_...").description(
            Some("An API key, or a session token (`pss_...`) of one; `X-Api-Key` takes it as well."),
        );
        components.add_security_scheme("api_key", SecurityScheme::Http(bearer.build()));
        let member = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(
            Some("The access token of `share-auth/verify`: whoever reads the mail of a member has one."),
        );
        components.add_security_scheme("share_access", SecurityScheme::Http(member.build()));
    }
}

/// One of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Document {
    /// Management, links to dashboards and data products, embeds, the portal.
    Dashboard,
    /// Links to maps.
    Operation,
}

impl Document {
    /// What it says.
    pub(crate) fn content(self) -> utoipa::openapi::OpenApi {
        match self {
            Self::Dashboard => crate::router::routes().split_for_parts().1,
            Self::Operation => operation::OperationDocument::openapi(),
        }
    }

    /// As it is committed.
    pub fn text(self) -> String {
        let mut text = self.content().to_pretty_json().unwrap_or_default();
        text.push('\n');
        text
    }
}

/// See `Idempotency-Key` in each create.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header; nothing reads the field")]
pub(crate) struct IdempotencyKey {
    /// 1 to 255 printable ASCII characters. For 24 hours the same key with the same request is answered with
    /// what the first one made, and `Idempotent-Replayed: true`; with another request by 422.
    #[param(rename = "Idempotency-Key", required = false)]
    key: Option<String>,
}

/// Answers of any route.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers; nothing makes them from this")]
pub(crate) enum Failure {
    /// The body is not acceptable JSON.
    #[response(status = 400)]
    Malformed(ErrorOut<'static>),
    /// No API key, or none that is valid.
    #[response(status = 401)]
    Unauthenticated(ErrorOut<'static>),
    /// The key lacks a scope.
    #[response(status = 403)]
    Forbidden(ErrorOut<'static>),
    /// Unknown, or another organization's.
    #[response(status = 404)]
    NotFound(ErrorOut<'static>),
    /// The body is too long.
    #[response(status = 413)]
    TooLarge(ErrorOut<'static>),
    /// The body is not `application/json`.
    #[response(status = 415)]
    UnsupportedMediaType(ErrorOut<'static>),
    /// The body is not of the documented shape; `errors` names the places. Or an `Idempotency-Key` came with
    /// another request.
    #[response(status = 422)]
    Invalid(ErrorOut<'static>),
    /// Too many requests.
    #[response(status = 429, headers(("Retry-After", description = "Whole seconds")))]
    Throttled(ErrorOut<'static>),
    /// A fault of ours; `request_id` finds it in the log.
    #[response(status = 500)]
    Internal(ErrorOut<'static>),
    /// Try again shortly.
    #[response(status = 503, headers(("Retry-After", description = "Whole seconds")))]
    Unavailable(ErrorOut<'static>),
}

/// A parameter breaks a rule.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers; nothing makes them from this")]
pub(crate) enum Refused {
    /// The body is not acceptable JSON, or a parameter breaks a rule of the share
    /// (`SHARE_FILTER_POLICY_VIOLATION`, with `filter_slug`).
    #[response(status = 400)]
    Policy(ErrorOut<'static>),
}

/// The edge could not be reached.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers; nothing makes them from this")]
pub(crate) enum Share {
    /// Saved here; the edge has yet to learn of it (`effective` is `pending`).
    #[response(status = 202)]
    Pending(ShareOut),
}

/// As [`Share`], of a share of anything.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers; nothing makes them from this")]
pub(crate) enum TargetShare {
    /// Saved here; the edge has yet to learn of it (`effective` is `pending`).
    #[response(status = 202)]
    Pending(TargetShareOut),
}

/// The share is revoked.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers; nothing makes them from this")]
pub(crate) enum Dead {
    /// The share is revoked: nothing brings it back. Or the organization's limits forbid it.
    #[response(status = 409)]
    Revoked(ErrorOut<'static>),
}

/// What is stored contradicts the change.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes answers; nothing makes them from this")]
pub(crate) enum Conflict {
    /// The slug is taken, the version is another, or it is in use.
    #[response(status = 409)]
    Conflict(ErrorOut<'static>),
}
