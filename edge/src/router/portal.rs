//! `/api/v1/share-portal/{company_slug}/...`: what members of share contexts open. Their access token is checked with no I/O, then
//! the record of the context, then that of the share: each under its lease. The control plane is asked for rows alone.

use super::data::{self, Ticket};
use super::{Reply, Visit, visitor};
use crate::accesses;
use crate::env::Counters;
use crate::runtime;
use futures_util::future::join_all;
use shared::Error;
use shared::Result;
use shared::app::redeem::{self, Opened};
use shared::call::Action;
use shared::face::Answer;
use shared::face::dashboard::{error, portal as face, public};
use shared::model::access::Pass;
use shared::model::portal::{self, Admitted, Membership, PortalToken, Session};
use shared::model::token::RecordKey;
use std::time::Duration;
use uuid::Uuid;
use wasm_bindgen::JsValue;

/// Who asks, by a token that was rightly signed.
struct Member {
    session: Session,
    token: PortalToken,
}

impl Member {
    /// Checks the token by its signature: a forged one costs no I/O. One of another company's portal is none here.
    fn of(visit: &Visit, company_slug: &str) -> Result<Self> {
        let token = visitor::bearer(visit).unwrap_or_default();
        portal::verify(&visit.port.edge.ring, &token, runtime::now(), Duration::ZERO)
            .filter(|session| session.company_slug == company_slug)
            .map(|session| Self { session, token: PortalToken::from(token) })
            .ok_or_else(|| {
                Counters::add(&visit.port.edge.counters.forged);
                Error::SignInFailed
            })
    }

    /// The context's record as it is in force.
    async fn context(&self, visit: &Visit, membership: &Membership) -> Result<Opened> {
        let key = RecordKey::of_context(membership.context, membership.generation);
        let opened = redeem::open(&visit.port, &visit.port.edge.memory, &key).await.map_err(ended)?;
        if opened.renewal_due {
            data::renew_later(visit, &key, Duration::ZERO);
        }
        Ok(opened)
    }

    /// What they may open of this name in a context that they are in.
    async fn dashboard(self, visit: &Visit, context: Option<Uuid>, slug: &str) -> Result<Bound> {
        let membership = context.and_then(|context| self.session.membership(context));
        let membership = *membership.ok_or(Error::InvalidContext)?;
        let opened = self.context(visit, &membership).await?;
        let (admitted, context) = opened.context(&self.session, &membership).map_err(ended)?;
        let bound = context.dashboard(slug).ok_or(Error::NotFound("dashboard"))?;
        let (key, share) = (bound.record.clone(), bound.share);
        Ok(Bound { key, share, admitted, membership, session: self.session.id, token: self.token })
    }
}

/// The share by which a member opens a dashboard.
struct Bound {
    key: RecordKey,
    share: Uuid,
    admitted: Admitted,
    membership: Membership,
    session: Uuid,
    token: PortalToken,
}

impl Bound {
    async fn open(&self, visit: &Visit) -> Result<Opened> {
        data::open(visit, self).await.map_err(|error| match error {
            Error::Dead(_) => Error::NotFound("dashboard"),
            error => error,
        })
    }

    /// Notes that the member was given what they asked for.
    fn note(&self, visit: &Visit, action: Action) {
        accesses::note(&visit.port, self.share, (self.membership, self.session), action);
    }
}

impl Ticket for Bound {
    fn key(&self) -> Result<&RecordKey> {
        Ok(&self.key)
    }

    fn pass(&self, _: &Visit, _: &RecordKey, _: bool) -> Pass {
        Pass::Portal(self.admitted, self.token.clone())
    }

    fn reply(&self, answer: Answer, visit: &Visit) -> Reply {
        Reply::api(answer, &visit.request_id)
    }
}

/// What the token says does not hold any more: another one may.
fn ended(error: Error) -> Error {
    match error {
        Error::Dead(_) => Error::SignInFailed,
        error => error,
    }
}

/// Routes what comes after `/api/v1/share-portal/{company_slug}`.
pub fn route(visit: Visit, company_slug: &str, rest: &[&str]) -> JsValue {
    let allow = match rest {
        ["dashboards"] | ["dashboards", _] | ["dashboards", _, "filters", _, "options"] => "GET",
        ["dashboards", _, "execute"] => "POST",
        _ => return Reply::error(&Error::NotFound("path"), &visit.request_id).send(),
    };
    if let Some(refusal) = data::check_method(&visit, allow) {
        return refusal.send();
    }
    let company_slug = data::decoded(company_slug);
    match rest {
        ["dashboards", slug] => runtime::run(resolve(visit, company_slug, data::decoded(slug))),
        ["dashboards", slug, "execute"] => runtime::run(execute(visit, company_slug, data::decoded(slug))),
        ["dashboards", slug, "filters", filter, "options"] => {
            let (slug, filter) = (data::decoded(slug), data::decoded(filter));
            runtime::run(options(visit, company_slug, slug, filter))
        }
        _ => runtime::run(dashboards(visit, company_slug)),
    }
}

/// Everything that the member may open. Contexts that they are no longer in are left out; who is in none is out.
async fn dashboards(visit: Visit, company_slug: String) -> JsValue {
    let answer = async {
        let member = Member::of(&visit, &company_slug)?;
        let memberships = &member.session.memberships;
        let opened =
            join_all(memberships.iter().map(async |membership| member.context(&visit, membership).await));
        let mut contexts = Vec::new();
        for (opened, membership) in opened.await.into_iter().zip(memberships) {
            match opened {
                Ok(opened) => contexts.push((opened, membership)),
                Err(Error::SignInFailed) => {}
                Err(error) => return Err(error),
            }
        }
        let views: Vec<_> = contexts
            .iter()
            .filter_map(|(opened, membership)| opened.context(&member.session, membership).ok())
            .map(|(_, context)| context)
            .collect();
        if views.is_empty() {
            return Err(Error::SignInFailed);
        }
        Ok((face::dashboards(&views, runtime::now()), String::new()))
    };
    let outcome = answer.await;
    finish(&visit, outcome)
}

/// The dashboard, without rows.
async fn resolve(visit: Visit, company_slug: String, slug: String) -> JsValue {
    let answer = async {
        let member = Member::of(&visit, &company_slug)?;
        let bound = member.dashboard(&visit, context_of_query(&visit), &slug).await?;
        let opened = bound.open(&visit).await?;
        let body = opened.resolved(|live| public::resolve(live).body)?.to_vec();
        if visit.head.method == "GET" {
            data::count_open(&visit, &bound.key);
            bound.note(&visit, Action::Open);
        }
        let answer = Answer { status: 200, content_type: shared::face::JSON, headers: Vec::new(), body };
        Ok((answer, data::record_timing(opened.found).to_owned()))
    };
    let outcome = answer.await;
    finish(&visit, outcome)
}

/// Rows. What is asked is judged before the token.
async fn execute(visit: Visit, company_slug: String, slug: String) -> JsValue {
    let answer = async {
        let (content_type, body) = data::body(&visit).await?;
        let (context, asked) = face::parse_execute(content_type.as_deref(), &body)?;
        let member = Member::of(&visit, &company_slug)?;
        let bound = member.dashboard(&visit, context, &slug).await?;
        let opened = bound.open(&visit).await?;
        let answer = data::rows(&visit, &bound, &opened, &asked).await?;
        bound.note(&visit, Action::Execute);
        Ok(answer)
    };
    let outcome = answer.await;
    finish(&visit, outcome)
}

/// Options of a filter.
async fn options(visit: Visit, company_slug: String, slug: String, filter: String) -> JsValue {
    let answer = async {
        let search = data::search(&visit)?;
        let member = Member::of(&visit, &company_slug)?;
        let bound = member.dashboard(&visit, context_of_query(&visit), &slug).await?;
        let opened = bound.open(&visit).await?;
        let answer = data::choices(&visit, &bound, &opened, (&filter, search.as_deref())).await?;
        bound.note(&visit, Action::Options);
        Ok(answer)
    };
    let outcome = answer.await;
    finish(&visit, outcome)
}

fn context_of_query(visit: &Visit) -> Option<Uuid> {
    let mut pairs = form_urlencoded::parse(visit.head.query().as_bytes());
    pairs.find(|(name, _)| name == "context_id").and_then(|(_, value)| face::context_id(&value))
}

/// Sends an answer and what it took, or an error. That the database knows more than the record is told as a token that ended.
fn finish(visit: &Visit, outcome: Result<(Answer, String)>) -> JsValue {
    let reply = match outcome.map_err(ended) {
        Ok((answer, timing)) if timing.is_empty() => Reply::api(answer, &visit.request_id),
        Ok((answer, timing)) => Reply::api(answer, &visit.request_id).with("server-timing", timing),
        Err(error) => {
            super::reply::note(&error, &visit.request_id);
            Reply::api(error::render(&error, &visit.request_id), &visit.request_id)
        }
    };
    reply.without_body(visit.head.method == "HEAD").send()
}
