//! `/wizard/`: a page that makes embed tokens and the code to put them into a site. It is a client of the API like any other: what
//! it asks it asks with the key that its reader types.

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};

const PAGE: &str = include_str!("../web/wizard/index.html");
const SCRIPT: &str = include_str!("../web/wizard/wizard.js");
const STYLE: &str = include_str!("../web/wizard/wizard.css");

/// Its routes; `edge` is the origin of the embeds that it shows.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(edge: &str) -> Router<S> {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-src {edge}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    // An origin that was read from the settings holds nothing that a header cannot.
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let file = |body: &'static str, content_type: &'static str| {
        let policy = policy.clone();
        get(async move || answer(body, content_type, policy))
    };
    Router::new()
        .route("/wizard", get(async || (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, "/wizard/")])))
        .route("/wizard/", file(PAGE, "text/html; charset=utf-8"))
        .route("/wizard/wizard.js", file(SCRIPT, "text/javascript; charset=utf-8"))
        .route("/wizard/wizard.css", file(STYLE, "text/css; charset=utf-8"))
}

fn answer(body: &'static str, content_type: &'static str, policy: HeaderValue) -> Response {
    let mut response = Body::from(body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
