//! Postern's Worker: resolves and guards shares at the edge. All decisions are `shared`'s; this crate
//! supplies bytes, ports, time and randomness. Start reading at [`router`].

mod accesses;
mod archive;
mod bucket;
mod env;
mod gate;
mod host;
mod replication;
mod router;
mod runtime;

use wasm_bindgen::prelude::*;

/// Every request enters here. Not an async export: an answer that needs no waiting needs no promise.
#[wasm_bindgen]
pub fn fetch(request: runtime::Request, env: &JsValue, context: runtime::Context) -> JsValue {
    router::answer(request, env, context)
}
