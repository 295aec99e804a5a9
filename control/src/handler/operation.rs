//! `/v1/op/share.link.{create,revoke}`, `/v1/share/link/{create,revoke}`: the management half of the operation dialect. What
//! goes wrong is rendered in its own words by [`crate::observe`].

use super::{Rejection, Reply, changed, once, read};
use crate::auth::{Caller, SharesWrite, prefix};
use crate::manage::{Done, Once, link as manage};
use crate::observe;
use crate::service::Service;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use serde_json::{Map, Value};
use shared::face::dispatch::{Dialect, dialect};
use shared::face::operation::{link::parse_revoke, parse};
use shared::face::secure_link::{Refusal, refuse};
use shared::face::{Answer, MAX_BODY_BYTES};
use std::sync::Arc;

/// A body of the dialect, not yet read.
pub(crate) struct Body {
    fields: Map<String, Value>,
    once: Option<Once>,
}

impl FromRequest<Arc<Service>> for Body {
    type Rejection = Rejection;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Rejection> {
        let (parts, body) = request.into_parts();
        let body = read(body, MAX_BODY_BYTES).await?;
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let fields = parse(content_type, &body)?;
        Ok(Self { fields, once: once(&service.ring, &parts, &body)? })
    }
}

/// `share.link.create` by its own name.
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    body: Body,
) -> Result<Response, Rejection> {
    let done = manage::create(&service, &caller.actor, &body.fields, body.once.as_ref()).await?;
    // The contract knows no 202: its body says whether the edge serves the link.
    Ok(changed(200, &Done { pending: false, ..done }))
}

/// The path that the secure-link dialect shares.
pub(crate) async fn create_shared(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Rejection> {
    let key = prefix(&headers).unwrap_or_default();
    let refusal = match dialect(&body.fields, key) {
        Dialect::Operation => return create(State(service), caller, body).await,
        Dialect::Ambiguous => Refusal::Ambiguous,
        Dialect::SecureLink if !body.fields.contains_key("links") => Refusal::NoLinks,
        Dialect::SecureLink => Refusal::NotServed,
    };
    let request_id = observe::request_id(&headers);
    Ok(Reply(refuse(refusal, &request_id, service.clock.now())).into_response())
}

/// `share.link.revoke`.
pub(crate) async fn revoke(
    State(service): State<Arc<Service>>,
    caller: Caller<SharesWrite>,
    body: Body,
) -> Result<Reply, Rejection> {
    let id = parse_revoke(&body.fields)?;
    Ok(Reply(Answer::json(200, &manage::revoke(&service, &caller.actor, id).await?)))
}
