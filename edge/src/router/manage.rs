//! Management paths: served by the control plane, reachable on this host too.

use super::{Reply, Visit};
use crate::runtime;
use shared::Error;
use wasm_bindgen::JsValue;

/// A management call may wait for a drain of 2 s; nothing there takes longer than this.
const LIMIT_MS: u32 = 30_000;

/// Passes the call on as it is: the control plane checks it as if it had come directly.
pub async fn forward(visit: Visit) -> JsValue {
    let url = format!("{}{}", visit.port.edge.control_url, visit.head.path_and_query());
    match runtime::pass_on(&visit.request, &url, &visit.request_id, LIMIT_MS).await {
        Ok(answer) => answer,
        Err(error) => {
            let unavailable = Error::Unavailable(format!("control plane: {error:?}"));
            Reply::error(&unavailable, &visit.request_id).send()
        }
    }
}
