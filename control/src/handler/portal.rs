//! `/api/v1/share-auth/...`: signing in at the portal. Whoever calls has no key; the edge forwards them and vouches for their network.

use super::{Rejection, Reply, read};
use crate::auth::Anyone;
use crate::manage::portal::{self as manage, Tokens, is_slug};
use crate::openapi::Failure;
use crate::service::Service;
use axum::extract::{Request, State};
use http::{HeaderMap, StatusCode, header};
use shared::face::dashboard::error::ErrorOut;
use shared::face::dashboard::manage::parse;
use shared::face::dashboard::portal::{CodeRequestIn, CodeRequestOut, Keep, RefreshIn, SessionOut, VerifyIn};
use shared::face::{Answer, JSON, MAX_BODY_BYTES};
use shared::model::portal::SESSION_LIFE;
use shared::{Error, Result};
use std::sync::Arc;

/// Where the browser sends the cookie, and nowhere else.
const COOKIE_PATH: &str = "/api/v1/share-auth";

/// Ask for a one-time code. The answer is the same for everybody, and so is its time; the code is mailed afterwards.
///
/// An address is sent one code in 30 s and five in an hour, a network may ask ten times a minute.
#[utoipa::path(post, path = "/api/v1/share-auth/request", tag = "portal", operation_id = "requestCode", request_body = CodeRequestIn,
    responses((status = 202, description = "If the address is a member's, a code is on its way.", body = CodeRequestOut),
        Failure))]
pub(crate) async fn request(
    State(service): State<Arc<Service>>,
    Anyone(peer): Anyone,
    request: Request,
) -> Result<Reply, Rejection> {
    let (content_type, body) = body(request).await?;
    let input = CodeRequestIn::read(content_type.as_deref(), &body)?;
    manage::ask(&service, peer, input).await?;
    Ok(Reply(Answer::json(202, &CodeRequestOut { status: "sent" })))
}

/// Sign in by a code, within ten minutes and five tries.
#[utoipa::path(post, path = "/api/v1/share-auth/verify", tag = "portal", operation_id = "verifyCode", request_body = VerifyIn,
    responses((status = 200, description = "Tokens for the portal.", body = SessionOut),
        (status = 401, description = "`TOKEN_INVALID`, whatever is wrong.", body = ErrorOut<'static>), Failure))]
pub(crate) async fn verify(
    State(service): State<Arc<Service>>,
    Anyone(peer): Anyone,
    request: Request,
) -> Result<Reply, Rejection> {
    let (content_type, body) = body(request).await?;
    let input = VerifyIn::read(content_type.as_deref(), &body)?;
    let tokens = manage::verify(&service, peer, &input).await?;
    Ok(answer(tokens, input.keep))
}

/// Go on with a session: new tokens for the refresh token, which is taken once.
#[utoipa::path(post, path = "/api/v1/share-auth/refresh", tag = "portal", operation_id = "refreshSession", request_body = RefreshIn,
    responses((status = 200, description = "Tokens for the portal.", body = SessionOut),
        (status = 401, description = "`TOKEN_INVALID`, whatever is wrong.", body = ErrorOut<'static>), Failure))]
pub(crate) async fn refresh(
    State(service): State<Arc<Service>>,
    Anyone(peer): Anyone,
    request: Request,
) -> Result<Reply, Rejection> {
    let headers = request.headers().clone();
    let (content_type, body) = body(request).await?;
    let input: RefreshIn = parse(content_type.as_deref(), &body)?;
    let (token, keep) = presented(input, &headers).ok_or(Error::SignInFailed)?;
    Ok(answer(manage::refresh(&service, peer, &token).await?, keep))
}

/// Sign out: the session's tokens are dead. Repeating it is no mistake.
#[utoipa::path(post, path = "/api/v1/share-auth/logout", tag = "portal", operation_id = "logOut", request_body = RefreshIn,
    responses((status = 204, description = "There is no such session any more."), Failure))]
pub(crate) async fn log_out(
    State(service): State<Arc<Service>>,
    Anyone(peer): Anyone,
    request: Request,
) -> Result<Reply, Rejection> {
    let headers = request.headers().clone();
    let (content_type, body) = body(request).await?;
    let input: RefreshIn = parse(content_type.as_deref(), &body)?;
    let slug = input.company_slug.clone();
    if let Some((token, _)) = presented(input, &headers) {
        manage::log_out(&service, peer, &token).await?;
    }
    let status = StatusCode::NO_CONTENT.as_u16();
    let answer = Answer { status, content_type: JSON, headers: Vec::new(), body: Vec::new() };
    Ok(Reply(match slug.filter(|slug| is_slug(slug)) {
        Some(slug) => answer.with("set-cookie", cookie(&slug, "", 0)),
        None => answer,
    }))
}

async fn body(request: Request) -> Result<(Option<String>, bytes::Bytes)> {
    let (parts, body) = request.into_parts();
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    Ok((content_type.map(str::to_owned), read(body, MAX_BODY_BYTES).await?))
}

fn answer(tokens: Tokens, keep: Keep) -> Reply {
    let Tokens { mut body, refresh_token, company_slug } = tokens;
    let answer = match keep {
        Keep::Body => {
            body.refresh_token = Some(refresh_token);
            Answer::json(200, &body)
        }
        Keep::Cookie => {
            let cookie = cookie(&company_slug, &refresh_token, SESSION_LIFE.as_secs());
            Answer::json(200, &body).with("set-cookie", cookie)
        }
    };
    Reply(answer.with("cache-control", "no-store"))
}

/// A cookie of this host alone, that no script reads and no other site sends; one for each company.
fn cookie(slug: &str, value: &str, life_seconds: u64) -> String {
    let name = cookie_name(slug);
    format!("{name}={value}; Path={COOKIE_PATH}; Max-Age={life_seconds}; HttpOnly; Secure; SameSite=Strict")
}

fn cookie_name(slug: &str) -> String {
    format!("__Secure-postern-portal-{slug}")
}

/// The refresh token of the body, else the one of the company's cookie, and where the next one goes.
fn presented(input: RefreshIn, headers: &HeaderMap) -> Option<(String, Keep)> {
    if let Some(token) = input.refresh_token {
        return Some((token.0, Keep::Body));
    }
    let name = cookie_name(&input.company_slug.filter(|slug| is_slug(slug))?);
    let mut pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, token)| (token.to_owned(), Keep::Cookie))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use shared::face::dashboard::portal::Secret;

    fn with_cookie(slug: Option<&str>, cookie: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
        let input = RefreshIn { refresh_token: None, company_slug: slug.map(str::to_owned) };
        presented(input, &headers).map(|(token, _)| token)
    }

    #[test]
    fn each_company_has_its_cookie() {
        let cookie = "a=b; __Secure-postern-portal-acme=prt_1; __Secure-postern-portal-other=prt_2";
        assert_eq!(with_cookie(Some("acme"), cookie).as_deref(), Some("prt_1"));
        assert_eq!(with_cookie(Some("other"), cookie).as_deref(), Some("prt_2"));
        for slug in [None, Some("third"), Some(""), Some("acme; x"), Some("ACME")] {
            assert_eq!(with_cookie(slug, cookie), None, "{slug:?}");
        }
    }

    #[test]
    fn a_token_in_the_body_counts_before_a_cookie() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("__Secure-postern-portal-acme=prt_1"));
        let input =
            RefreshIn { refresh_token: Some(Secret("prt_3".into())), company_slug: Some("acme".into()) };
        assert_eq!(presented(input, &headers), Some(("prt_3".to_owned(), Keep::Body)));
    }
}
