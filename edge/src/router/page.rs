//! Pages for people.

use super::{Reply, Visit, public};
use shared::Error;
use shared::face::page;
use wasm_bindgen::JsValue;

/// `GET /share/{token}`: the page of a share, the form that unlocks it, or the one not-found page for whatever is dead.
/// Counts nothing: mail scanners and previews come here too.
pub async fn share(visit: Visit, token: String) -> JsValue {
    if !is_read(&visit) {
        return Reply::error(&Error::MethodNotAllowed { allow: "GET, HEAD" }, &visit.request_id).send();
    }
    let outcome = async {
        let key = public::locate(&visit, &token)?;
        let opened = public::open(&visit, &key).await?;
        opened.live().map(page::share)
    };
    let answer = match outcome.await {
        Ok(answer) => answer,
        Err(Error::AuthRequired(need)) => page::unlock(need),
        Err(Error::Dead(_)) => page::not_found(),
        Err(error) => {
            crate::runtime::log("error", &error.to_string(), &visit.request_id);
            page::unavailable()
        }
    };
    Reply::page(answer).without_body(visit.head.method == "HEAD").send()
}

/// Every path that is no page.
pub fn not_found(visit: &Visit) -> JsValue {
    if is_read(visit) {
        return Reply::page(page::not_found()).without_body(visit.head.method == "HEAD").send();
    }
    Reply::error(&Error::NotFound("path"), &visit.request_id).send()
}

fn is_read(visit: &Visit) -> bool {
    matches!(visit.head.method.as_str(), "GET" | "HEAD")
}
