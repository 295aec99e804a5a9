//! The route table: path -> face -> app -> face. Every answer leaves through [`Reply`], so none goes
//! without its security headers, errors included.

mod archives;
mod data;
mod embed;
mod internal;
mod link;
mod manage;
mod operation;
mod page;
mod portal;
mod reply;
mod visitor;

use crate::env::{Counters, Edge};
use crate::host::Port;
use crate::runtime::{self, Context, Head, Request};
use reply::Reply;
use shared::Error;
use shared::face::Answer;
use shared::replica::PUSH_PATH;
use wasm_bindgen::JsValue;

/// One request on its way through a route.
pub struct Visit {
    /// The request.
    pub request: Request,
    /// Method, path and query.
    pub head: Head,
    /// The platform, as this request sees it.
    pub port: Port,
    /// Shown in errors and logs.
    pub request_id: String,
}

/// Answers a request: a response, or a promise of one.
pub fn answer(request: Request, env: &JsValue, context: Context) -> JsValue {
    let head = Head::read(&request);
    let request_id = reply::request_id(&head);
    let edge = match Edge::of(env) {
        Ok(edge) => edge,
        Err(reason) => {
            runtime::log("error", &format!("the Worker is not configured: {reason}"), &request_id);
            return Reply::error(&Error::Unavailable(reason), &request_id).send();
        }
    };
    Counters::add(&edge.counters.requests);
    edge.tell_metrics(&context);
    let visit = Visit { request, head, port: Port { edge, context }, request_id };
    // Owned, since the visit moves into the route.
    let path = visit.head.path().to_owned();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match segments.as_slice() {
        ["share", token] => runtime::run(page::share(visit, (*token).to_owned())),
        ["api", "v1", "public", "shares", token, verb @ ..] => link::route(visit, token, verb),
        ["portal", _] => page::portal(&visit),
        ["embed", "d", token] => runtime::run(page::embed(visit, (*token).to_owned())),
        ["api", "embed", "d", token, verb @ ..] => embed::route(visit, token, verb),
        ["api", "v1", "share-portal", company_slug, rest @ ..] => portal::route(visit, company_slug, rest),
        ["api", "v1", ..] | ["v1", "data-products", ..] => runtime::run(manage::forward(visit)),
        ["oembed"] => runtime::run(page::oembed(visit)),
        ["v1", "op" | "share", ..] => operation::route(visit, segments.get(1..).unwrap_or_default()),
        ["internal", "archives", verb @ ..] => archives::route(visit, verb),
        ["api" | "v1", ..] => Reply::error_at(&path, &Error::NotFound("path"), &visit.request_id).send(),
        ["internal", ..] if path == PUSH_PATH => runtime::run(internal::changes(visit)),
        ["internal", "trap"] => runtime::run(internal::trap(visit)),
        ["internal", "counters"] => internal::counters(&visit),
        ["healthz"] => {
            Reply::api(Answer::json(200, &serde_json::json!({ "status": "ok" })), &visit.request_id).send()
        }
        _ => page::not_found(&visit),
    }
}
