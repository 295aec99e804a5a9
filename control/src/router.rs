//! The whole URL map.

use crate::handler::{
    Rejection, audit, bulk, context, dashboard, data_product, data_source, embed, health, internal, limits,
    map, operation, password, portal, preview, product_share, session_token, share, target_share,
};
use crate::observe;
use crate::openapi::{DashboardDocument, Document};
use crate::service::Service;
use crate::wizard;
use axum::Router;
use axum::middleware::{from_fn, map_response};
use axum::response::Response;
use axum::routing::post;
use http::{HeaderValue, header};
use shared::Error;
use shared::call::{
    ACCESS_PATH, DOWNLOAD_PATH, EXECUTE_PATH, KEY_PATH, OPTIONS_PATH, PAGE_PATH, RECORD_PATH, USAGE_PATH,
};
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

/// Where the API's descriptions are served.
const DOCUMENT_PATH: &str = "/openapi.json";
const OPERATION_DOCUMENT_PATH: &str = "/openapi/operation.json";

/// Everything that is documented.
pub(crate) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::with_openapi(DashboardDocument::openapi())
        .routes(routes!(share::list))
        .routes(routes!(share::get, share::amend, share::revoke))
        .routes(routes!(share::rotate))
        .routes(routes!(target_share::list))
        .routes(routes!(target_share::get, target_share::revoke))
        .routes(routes!(target_share::rotate))
        .routes(routes!(target_share::set_password, target_share::remove_password))
        .routes(routes!(target_share::reset_attempts))
        .routes(routes!(password::set, password::remove))
        .routes(routes!(password::reset_attempts))
        .routes(routes!(bulk::run))
        .routes(routes!(preview::preview))
        .routes(routes!(share::create, share::list_of))
        .routes(routes!(embed::mint, embed::get, embed::revoke))
        .routes(routes!(embed::rotate))
        .routes(routes!(embed::revoke_token))
        .routes(routes!(embed::keys, embed::add_key))
        .routes(routes!(embed::key, embed::stop_key))
        .routes(routes!(embed::origins, embed::set_origins))
        .routes(routes!(context::create, context::list))
        .routes(routes!(context::get, context::amend, context::delete))
        .routes(routes!(context::add_member, context::members))
        .routes(routes!(context::add_members))
        .routes(routes!(context::remove_member))
        .routes(routes!(context::accesses))
        .routes(routes!(portal::request))
        .routes(routes!(portal::verify))
        .routes(routes!(portal::refresh))
        .routes(routes!(portal::log_out))
        .routes(routes!(dashboard::create, dashboard::list))
        .routes(routes!(dashboard::get, dashboard::replace, dashboard::delete))
        .routes(routes!(data_source::create, data_source::list))
        .routes(routes!(data_source::get, data_source::delete))
        .routes(routes!(map::create_project, map::list_projects))
        .routes(routes!(map::create_collection, map::list_collections))
        .routes(routes!(map::get_collection, map::delete_collection))
        .routes(routes!(map::create_item, map::list_items))
        .routes(routes!(map::get_item, map::delete_item))
        .routes(routes!(map::upload))
        .routes(routes!(map::usage))
        .routes(routes!(data_product::create, data_product::list))
        .routes(routes!(data_product::get, data_product::delete))
        .routes(routes!(data_product::put_file))
        .routes(routes!(data_product::refresh))
        .routes(routes!(product_share::get, product_share::rotate, product_share::revoke))
        .routes(routes!(product_share::set_password, product_share::remove_password))
        .routes(routes!(limits::get, limits::set))
        .routes(routes!(session_token::create))
        .routes(routes!(session_token::end))
        .routes(routes!(audit::list))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::version))
        .routes(routes!(health::metrics))
}

/// The router that is served.
pub(crate) fn router(service: Arc<Service>) -> Router {
    let (documented, document) = routes().split_for_parts();
    let documents = SwaggerUi::new("/docs")
        .url(DOCUMENT_PATH, document)
        .url(OPERATION_DOCUMENT_PATH, Document::Operation.content());
    let pages = Router::<Arc<Service>>::from(documents).layer(map_response(allow_own_scripts));
    let routes = documented
        .merge(pages)
        .merge(wizard::routes(&service.public_url))
        // Signed by the edge, and nobody else's business.
        .route(EXECUTE_PATH, post(internal::execute))
        .route(OPTIONS_PATH, post(internal::options))
        .route(PAGE_PATH, post(internal::page))
        .route(DOWNLOAD_PATH, post(internal::download))
        .route(RECORD_PATH, post(internal::record))
        .route(USAGE_PATH, post(internal::usage))
        .route(KEY_PATH, post(internal::key))
        // The operation dialect has a contract of its own.
        .route("/v1/op/share.link.create", post(operation::create))
        .route("/v1/op/share.link.revoke", post(operation::revoke))
        .route("/v1/share/link/create", post(operation::create_shared))
        .route("/v1/share/link/revoke", post(operation::revoke))
        .route(ACCESS_PATH, post(internal::accesses))
        .fallback(async || Rejection(Error::NotFound("path")))
        .with_state(service)
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(from_fn(observe::route));
    Router::new().fallback_service(routes).layer(from_fn(observe::requests))
}

/// The documentation's page runs its own scripts; its style sheet is partly inline.
async fn allow_own_scripts(mut response: Response) -> Response {
    let policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
        connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}
