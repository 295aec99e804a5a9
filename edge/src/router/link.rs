//! `/api/v1/public/shares/{token}/...`: resolve, execute, options and unlock of a public link, rows and files of a data product.

use super::data::{self, Ticket};
use super::{Reply, Visit, visitor};
use crate::env::Counters;
use crate::host::Port;
use crate::runtime;
use shared::app::redeem;
use shared::app::unlock;
use shared::call::DownloadCall;
use shared::error::Why;
use shared::face::dashboard::public;
use shared::face::{Answer, JSON};
use shared::model::access::Pass;
use shared::model::data_product::{Asked, Format};
use shared::model::password::Password;
use shared::model::token::{self, RecordKey};
use shared::{Error, Result};
use std::borrow::Cow;
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
        ["resolve" | "data"] | ["filters", _, "options"] | ["data", "download"] => "GET",
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
        ["data"] => runtime::run(rows(visit, link)),
        ["data", "download"] => runtime::run(download(visit, link)),
        _ => runtime::run(data::execute(visit, link)),
    }
}

async fn resolve(visit: Visit, link: Link) -> JsValue {
    let answer = async {
        let opened = data::open(&visit, &link).await?;
        let body = opened.resolved(|live| public::resolve(live).body)?.to_vec();
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

/// Parameters of the query, decoded.
fn parameters(visit: &Visit) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(visit.head.query().as_bytes()).collect()
}

/// A page of a data product.
async fn rows(visit: Visit, link: Link) -> JsValue {
    let answer = async {
        let query = parameters(&visit);
        let asked = Asked::read(query.iter().map(|(name, value)| (name.as_ref(), value.as_ref())))?;
        let opened = data::open(&visit, &link).await?;
        let begun = runtime::now();
        let Port { edge, .. } = &visit.port;
        let place = (link.key()?, &edge.ring);
        let found = redeem::page(&visit.port, &edge.memory, place, &opened, &asked).await?;
        let origin = runtime::now().since(begun).as_millis();
        let cache = if found.freshness.hit { "hit" } else { "miss" };
        let timing =
            format!("{}, cache;desc={cache}, origin;dur={origin}", data::record_timing(opened.found));
        let body = found.json.to_vec();
        Ok((Answer { status: 200, content_type: JSON, headers: Vec::new(), body }, timing))
    };
    let outcome = answer.await;
    data::finish(&visit, &link, outcome)
}

/// All of a data product: the bytes go from the control plane to the visitor without being read here.
async fn download(visit: Visit, link: Link) -> JsValue {
    let begun: Result<JsValue> = async {
        let query = parameters(&visit);
        let format = Format::read(query.iter().map(|(name, value)| (name.as_ref(), value.as_ref())))?;
        let opened = data::open(&visit, &link).await?;
        let (_, view) = opened.data_product()?;
        let file = format!("attachment; filename=\"{}\"", format.file_name(&view.name));
        let head =
            Answer { status: 200, content_type: format.media_type(), headers: Vec::new(), body: Vec::new() };
        let reply = link.reply(head, &visit).with("content-disposition", file);
        if visit.head.method == "HEAD" {
            return Ok(reply.send());
        }
        let (memory, key) = (&visit.port.edge.memory, link.key()?);
        let begin = async |call: &DownloadCall| visit.port.download(call).await;
        let answer = redeem::download(&visit.port, memory, key, &opened, format, begin).await?;
        Ok(reply.stream(&answer.stream()))
    }
    .await;
    match begun {
        Ok(answer) => answer,
        Err(error) => data::finish(&visit, &link, Err(error)),
    }
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
