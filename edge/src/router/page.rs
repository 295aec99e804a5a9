//! Pages for people.

use super::data;
use super::embed::{Embed, SELF};
use super::link::Link;
use super::{Reply, Visit};
use crate::runtime;
use shared::face::{Answer, page};
use shared::{Error, Result};
use wasm_bindgen::JsValue;

/// `GET /share/{token}`: the page of a share, the form that unlocks it, or the one not-found page for whatever is dead.
/// Counts nothing: mail scanners and previews come here too.
pub async fn share(visit: Visit, token: String) -> JsValue {
    if let Some(refusal) = refusal(&visit) {
        return refusal;
    }
    let outcome = async {
        let link = Link::locate(&visit, &token);
        let opened = data::open(&visit, &link).await?;
        opened.live().map(page::share)
    };
    let answer = outcome.await.unwrap_or_else(|error| apology(&visit, &error));
    Reply::page(answer).without_body(visit.head.method == "HEAD").send()
}

/// `GET /embed/d/{token}`: the page for frames of the sites that the token and its organization name. `GET /embed/d/self` is the
/// same page for a frame that is loaded again: it holds no data, so any site may frame it, and it goes on only with the token that an
/// earlier visit left in the frame's own history.
pub async fn embed(visit: Visit, token: String) -> JsValue {
    if let Some(refusal) = refusal(&visit) {
        return refusal;
    }
    let is_read_only = visit.head.method == "HEAD";
    if token == SELF {
        return Reply::framed(page::embed(), "*").without_body(is_read_only).send();
    }
    let outcome: Result<String> = async {
        let embed = Embed::locate(&visit, &token);
        let opened = data::open(&visit, &embed).await?;
        let origins = embed.origins(&opened)?;
        Ok(origins.iter().map(|origin| origin.as_str()).collect::<Vec<_>>().join(" "))
    }
    .await;
    let reply = match outcome {
        Ok(ancestors) if ancestors.is_empty() => Reply::framed(page::embed(), "'none'"),
        Ok(ancestors) => Reply::framed(page::embed(), &ancestors),
        Err(error) => Reply::page(apology(&visit, &error)),
    };
    reply.without_body(is_read_only).send()
}

/// What stands where a page would be.
fn apology(visit: &Visit, error: &Error) -> Answer {
    match error {
        Error::AuthRequired(need) => page::unlock(*need),
        Error::Dead(_) => page::not_found(),
        error => {
            runtime::log("error", &error.to_string(), &visit.request_id);
            page::unavailable()
        }
    }
}

/// Every path that is no page.
pub fn not_found(visit: &Visit) -> JsValue {
    if is_read(visit) {
        return Reply::page(page::not_found()).without_body(visit.head.method == "HEAD").send();
    }
    Reply::error(&Error::NotFound("path"), &visit.request_id).send()
}

fn refusal(visit: &Visit) -> Option<JsValue> {
    let refusal = || Reply::error(&Error::MethodNotAllowed { allow: "GET, HEAD" }, &visit.request_id).send();
    (!is_read(visit)).then(refusal)
}

fn is_read(visit: &Visit) -> bool {
    matches!(visit.head.method.as_str(), "GET" | "HEAD")
}
