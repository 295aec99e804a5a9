//! Signed calls, as edge and control plane make them to one another.

use crate::{Client, Reply};
use shared::call::{SIGNATURE_HEADER, sign};
use shared::model::key::Key;
use shared::time::Millis;

/// Now, by this machine's clock.
pub fn now() -> Millis {
    Millis(jiff::Timestamp::now().as_millisecond())
}

/// Sends a call signed with `key` at `now`.
pub fn send(client: &Client, key: &Key, method: &str, path: &str, body: &str, now: Millis) -> Reply {
    let signature = sign(key, method, path, body.as_bytes(), now);
    let headers = [(SIGNATURE_HEADER, signature.as_str()), ("content-type", "application/json")];
    client.send(method, path, &headers, (method != "GET").then_some(body.as_bytes()))
}
