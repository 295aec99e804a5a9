//! `/api/embed/d/{token}/...`: info, execute and options of an embed.

use super::data::{self, Ticket};
use super::{Reply, Visit, visitor};
use crate::env::Counters;
use crate::runtime;
use shared::app::redeem::Opened;
use shared::error::Why;
use shared::face::Answer;
use shared::face::dashboard::embed as face;
use shared::model::access::Pass;
use shared::model::embed::Embed as Content;
use shared::model::embed::token::{EmbedToken, verify};
use shared::model::origin::Origin;
use shared::model::token::RecordKey;
use shared::{Error, Result};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsValue;

/// What stands in a path in the place of a token that stands in the `Authorization` header.
pub const SELF: &str = "self";

/// An embed's token as a visitor came with it, its signature checked.
pub struct Embed {
    content: Result<Signed>,
    /// The caller's own origin, once the record says that it may read answers.
    reader: RefCell<Option<String>>,
}

struct Signed {
    key: RecordKey,
    content: Rc<Content>,
    token: EmbedToken,
}

impl Embed {
    /// Checks the token by its signature: a forged one costs no I/O.
    pub fn locate(visit: &Visit, token: &str) -> Self {
        let token = match token {
            SELF => visitor::bearer(visit).unwrap_or_default(),
            token => token.to_owned(),
        };
        let content = verify(&visit.port.edge.ring, &token)
            .and_then(|content| content.in_time(runtime::now()).is_ok().then_some(content))
            .map(|content| Signed {
                key: RecordKey::of_embed(content.dashboard, content.generation),
                content: Rc::new(content),
                token: EmbedToken::from(token),
            })
            .ok_or_else(|| {
                Counters::add(&visit.port.edge.counters.forged);
                Error::Dead(Why::Forged)
            });
        Self { content, reader: RefCell::default() }
    }

    fn signed(&self) -> Result<&Signed> {
        self.content.as_ref().map_err(Clone::clone)
    }

    /// Sites that may frame what was opened, and read what programs there ask.
    pub fn origins<'a>(&'a self, opened: &'a Opened) -> Result<Vec<&'a Origin>> {
        let (live, _) = opened.dashboard()?;
        let terms = live.embed.as_ref().ok_or(Error::Dead(Why::OtherTarget))?;
        Ok(self.signed()?.content.origins(terms).collect())
    }

    /// Lets the page that asks read the answer if it is one of those sites.
    fn admit(&self, visit: &Visit, opened: &Opened) -> Result<()> {
        let Some(origin) = runtime::header(&visit.request, "origin") else { return Ok(()) };
        if self.origins(opened)?.iter().any(|own| own.admits(&origin)) {
            self.reader.replace(Some(origin));
        }
        Ok(())
    }
}

impl Ticket for Embed {
    fn key(&self) -> Result<&RecordKey> {
        Ok(&self.signed()?.key)
    }

    fn pass(&self, _: &Visit, _: &RecordKey, _: bool) -> Pass {
        match &self.content {
            Ok(Signed { content, token, .. }) => Pass::Embed(Rc::clone(content), token.clone()),
            Err(_) => Pass::Link(None),
        }
    }

    fn opened(&self, visit: &Visit, opened: &Opened) -> Result<()> {
        self.admit(visit, opened)
    }

    fn reply(&self, answer: Answer, visit: &Visit) -> Reply {
        Reply::embed(answer, &visit.request_id, self.reader.borrow().clone())
    }
}

/// Routes what comes after `/api/embed/d/{token}`.
pub fn route(visit: Visit, token: &str, verb: &[&str]) -> JsValue {
    let allow = match verb {
        ["info"] | ["filters", _, "options"] => "GET",
        ["execute"] => "POST",
        _ => return Reply::error(&Error::NotFound("path"), &visit.request_id).send(),
    };
    if let Some(refusal) = data::check_method(&visit, allow) {
        return refusal.send();
    }
    let embed = Embed::locate(&visit, token);
    match verb {
        ["info"] => runtime::run(info(visit, embed)),
        ["filters", slug, "options"] => runtime::run(data::options(visit, embed, data::decoded(slug))),
        _ => runtime::run(data::execute(visit, embed)),
    }
}

async fn info(visit: Visit, embed: Embed) -> JsValue {
    let answer = async {
        let opened = data::open(&visit, &embed).await?;
        let (live, view) = opened.dashboard()?;
        let answer = face::info(live, view, &embed.signed()?.content, &embed.origins(&opened)?)?;
        if visit.head.method == "GET" {
            data::count_open(&visit, embed.key()?);
        }
        Ok((answer, data::record_timing(opened.found).to_owned()))
    };
    let outcome = answer.await;
    data::finish(&visit, &embed, outcome)
}
