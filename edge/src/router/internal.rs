//! What the control plane asks of the edge. Signed, and 404 for everybody else.

use super::{Reply, Visit};
use crate::env::FIGURES;
use crate::{replication, runtime};
use shared::call::{SIGNATURE_HEADER, Signed};
use shared::face::Answer;
use shared::replica::{MAX_PUSH_BYTES, Push};
use shared::{Error, Result};
use std::collections::BTreeMap;
use wasm_bindgen::JsValue;

/// `POST /internal/changes`: records on their way to their gates.
pub async fn changes(visit: Visit) -> JsValue {
    let outcome = async {
        // Before a byte of the body is read: strangers must not make us hold 8 MiB.
        let signed = check(&visit)?;
        let body = runtime::body(&visit.request, MAX_PUSH_BYTES)
            .await
            .map_err(|_| Error::Malformed("the body broke off".to_owned()))?
            .ok_or(Error::TooLarge { limit_bytes: MAX_PUSH_BYTES })?;
        if !signed.covers(&body) {
            return Err(Error::NotFound("path"));
        }
        let push: Push =
            serde_json::from_slice(&body).map_err(|error| Error::Malformed(error.to_string()))?;
        Ok(Answer::json(200, &replication::take(&visit.port, push).await))
    };
    send(&visit, outcome.await)
}

/// `GET /internal/counters`: what requests have cost this isolate since it began.
pub fn counters(visit: &Visit) -> JsValue {
    let asked = check(visit).and_then(|signed| {
        let fits = visit.head.method == "GET" && signed.covers(b"");
        if fits { Ok(()) } else { Err(Error::NotFound("path")) }
    });
    let outcome = asked.map(|()| {
        let figures = FIGURES.into_iter().zip(visit.port.edge.counters.figures());
        Answer::json(200, &figures.collect::<BTreeMap<_, _>>())
    });
    send(visit, outcome)
}

/// `POST /internal/trap`: ends this isolate's instance by a panic, so that an operator or a test can see that
/// the next request finds a new one.
pub async fn trap(visit: Visit) -> JsValue {
    // Waits first: a panic in the middle of a request's waiting is the harder case.
    let body = runtime::body(&visit.request, 0).await.ok().flatten().unwrap_or_default();
    match check(&visit).map(|signed| signed.covers(&body)) {
        #[expect(clippy::panic, reason = "what this route is for")]
        Ok(true) => panic!("asked to by a signed call"),
        Ok(false) | Err(_) => send(&visit, Err(Error::NotFound("path"))),
    }
}

/// The signature of a call of the control plane.
pub fn check(visit: &Visit) -> Result<Signed> {
    let signature = runtime::header(&visit.request, SIGNATURE_HEADER).unwrap_or_default();
    let call = (visit.head.method.as_str(), visit.head.path());
    let keys = visit.port.edge.ring.iter().map(|keys| &keys.push);
    Signed::check(keys, &signature, call, runtime::now()).ok_or(Error::NotFound("path"))
}

/// Sends the answer.
pub fn send(visit: &Visit, outcome: Result<Answer>) -> JsValue {
    match outcome {
        Ok(answer) => Reply::api(answer, &visit.request_id).send(),
        Err(error) => Reply::error(&error, &visit.request_id).send(),
    }
}
