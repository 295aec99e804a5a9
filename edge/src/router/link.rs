//! `/api/v1/public/shares/{token}/...`: resolve, execute, options and unlock of a public link.

use super::data::{self, Ticket};
use super::{Reply, Visit, visitor};
use crate::env::Counters;
use crate::host::Port;
use crate::runtime;
use shared::app::redeem;
use shared::app::unlock;
use shared::error::Why;
use shared::face::dashboard::public;
use shared::face::{Answer, JSON};
use shared::model::access::Pass;
use shared::model::password::Password;
use shared::model::token::{self, RecordKey};
use shared::{Error, Result};
use wasm_bindgen::JsValue;

/// A link as a visitor came with it, its tag checked.
pub struct Link(Result<RecordKey>);

impl Link {
    /// Checks the token by its tag: a guess costs no I/O.
    pub fn locate(visit: &Visit, token: &str) -> Self {
        Self(token::locate(&visit.port.edge.ring, token).ok_or_else(|| {
            Counters::add(&visit.port.edge.counters.forged);
            Error::Dead(Why::Forged)
        }))
    }
}

impl Ticket for Link {
    fn key(&self) -> Result<&RecordKey> {
        self.0.as_ref().map_err(Clone::clone)
    }

    fn pass(&self, visit: &Visit, key: &RecordKey, needs_grant: bool) -> Pass {
        Pass::Link(if needs_grant { visitor::grant(visit, key) } else { None })
    }

    fn reply(&self, answer: Answer, visit: &Visit) -> Reply {
        Reply::api(answer, &visit.request_id)
    }
}

/// Routes what comes after `/api/v1/public/shares/{token}`.
pub fn route(visit: Visit, token: &str, verb: &[&str]) -> JsValue {
    let allow = match verb {
        ["resolve"] | ["filters", _, "options"] => "GET",
        ["execute" | "unlock"] => "POST",
        _ => return Reply::error(&Error::NotFound("path"), &visit.request_id).send(),
    };
    if let Some(refusal) = data::check_method(&visit, allow) {
        return refusal.send();
    }
    let link = Link::locate(&visit, token);
    // What is asked is judged before the link, so that a bad request looks the same on any link.
    match verb {
        ["resolve"] => runtime::run(resolve(visit, link)),
        ["filters", slug, "options"] => runtime::run(data::options(visit, link, data::decoded(slug))),
        ["unlock"] => runtime::run(unlock(visit, link)),
        _ => runtime::run(data::execute(visit, link)),
    }
}

async fn resolve(visit: Visit, link: Link) -> JsValue {
    let answer = async {
        let opened = data::open(&visit, &link).await?;
        let body = opened.resolved(|live, view| public::resolve(live, view).body)?.to_vec();
        if visit.head.method == "GET" {
            data::count_open(&visit, link.key()?);
        }
        Ok((
            Answer { status: 200, content_type: JSON, headers: Vec::new(), body },
            data::record_timing(opened.found).to_owned(),
        ))
    };
    let outcome = answer.await;
    data::finish(&visit, &link, outcome)
}

async fn unlock(visit: Visit, link: Link) -> JsValue {
    let answer = async {
        let (content_type, body) = data::body(&visit).await?;
        let password = public::parse_unlock(content_type.as_deref(), &body)?;
        let password = password.map(|typed| Password::new(runtime::nfc(&typed.0))).transpose()?;
        let key = link.key()?;
        let Port { edge, .. } = &visit.port;
        let opened = redeem::open(&visit.port, &edge.memory, key).await?;
        let network = visitor::network(&visit, key);
        let proof = (password.as_ref(), network.as_str());
        let grant = unlock::unlock(&visit.port, &edge.memory, &edge.ring, (key, &opened), proof).await?;
        let timing = data::record_timing(opened.found).to_owned();
        Ok((visitor::keep(public::unlock(&grant), key, &grant), timing))
    };
    let outcome = answer.await;
    data::finish(&visit, &link, outcome)
}
