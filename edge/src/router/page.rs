//! Pages for people.

use super::data;
use super::embed::{Embed, SELF};
use super::link::Link;
use super::reply::with_workers;
use super::{Reply, Visit};
use crate::runtime;
use shared::face::oembed::{self, Asked};
use shared::face::{Answer, page};
use shared::model::origin::Origin;
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
        let live = opened.live()?;
        let url = format!("{}{}", visit.head.origin(), visit.head.path());
        let answer = page::share(live, &url);
        let answer = if live.target.is_map() { with_workers(answer) } else { answer };
        Ok((answer, sources(live.share.frame_origins.iter())))
    };
    let reply = match outcome.await {
        Ok((answer, ancestors)) if ancestors.is_empty() => Reply::page(answer),
        Ok((answer, ancestors)) => Reply::framed(answer, &ancestors),
        Err(error) => Reply::page(apology(&visit, &error)),
    };
    reply.without_body(visit.head.method == "HEAD").send()
}

/// `GET /oembed?url=...`: what a site needs to show a link that nothing protects.
pub async fn oembed(visit: Visit) -> JsValue {
    if let Some(refusal) = refusal(&visit) {
        return refusal;
    }
    let outcome: Result<Answer> = async {
        let query: Vec<_> = form_urlencoded::parse(visit.head.query().as_bytes()).collect();
        let query = query.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        let Ok(asked) = Asked::read(query, visit.head.origin())? else { return Ok(oembed::other_format()) };
        let link = Link::locate(&visit, &asked.token);
        let opened = data::open(&visit, &link).await?;
        Ok(oembed::answer(opened.live()?, &asked, visit.head.origin()))
    }
    .await;
    let reply = match outcome {
        Ok(answer) => Reply::api(answer, &visit.request_id),
        // What the standard says of a page that is not there.
        Err(Error::Dead(_)) => Reply::error(&Error::NotFound("link"), &visit.request_id),
        Err(error) => Reply::error(&error, &visit.request_id),
    };
    reply.without_body(visit.head.method == "HEAD").send()
}

fn sources<'a>(origins: impl Iterator<Item = &'a Origin>) -> String {
    origins.map(Origin::as_str).collect::<Vec<_>>().join(" ")
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
        Ok(sources(embed.origins(&opened)?.into_iter()))
    }
    .await;
    let reply = match outcome {
        Ok(ancestors) if ancestors.is_empty() => Reply::framed(page::embed(), "'none'"),
        Ok(ancestors) => Reply::framed(page::embed(), &ancestors),
        Err(error) => Reply::page(apology(&visit, &error)),
    };
    reply.without_body(is_read_only).send()
}

/// `GET /portal/{company_slug}`: where invited people sign in. Asks nothing, so it is the same for every company, there or not.
pub fn portal(visit: &Visit) -> JsValue {
    if let Some(refusal) = refusal(visit) {
        return refusal;
    }
    Reply::page(page::portal()).without_body(visit.head.method == "HEAD").send()
}

/// What stands where a page would be.
fn apology(visit: &Visit, error: &Error) -> Answer {
    match error {
        Error::AuthRequired(need) => page::unlock(*need),
        Error::SignIn { company_slug } => page::to_portal(company_slug),
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
