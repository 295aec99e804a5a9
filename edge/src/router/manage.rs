//! Management paths: served by the control plane, reachable on this host too.

use super::{Reply, Visit, visitor};
use crate::runtime;
use shared::Error;
use shared::call::{CLIENT_HEADER, vouch};
use wasm_bindgen::JsValue;

/// A management call may wait for a drain of 2 s; nothing there takes longer than this.
const LIMIT_MS: u32 = 30_000;

/// Passes the call on as it is, and vouches for whose it is: the control plane checks it as if it had come directly.
pub async fn forward(visit: Visit) -> JsValue {
    let url = format!("{}{}", visit.port.edge.control_url, visit.head.path_and_query());
    let vouched = visitor::address(&visit).map(|client| {
        let key = &visit.port.edge.ring.current.origin;
        vouch(key, &visit.head.method, visit.head.path(), client, runtime::now())
    });
    // Empty when nobody is vouched for: a caller's own word must not get through.
    let own = [
        ("x-request-id", visit.request_id.as_str()),
        (CLIENT_HEADER, vouched.as_deref().unwrap_or_default()),
    ];
    match runtime::pass_on(&visit.request, &url, &own, LIMIT_MS).await {
        Ok(answer) => answer,
        Err(error) => {
            let unavailable = Error::Unavailable(format!("control plane: {error:?}"));
            Reply::error_at(visit.head.path(), &unavailable, &visit.request_id).send()
        }
    }
}
