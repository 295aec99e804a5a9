//! Who asks: the grant that a visitor holds, and the network that they guess from.

use super::Visit;
use crate::runtime;
use shared::face::Answer;
use shared::model::attempt;
use shared::model::grant::{self, Grant};
use shared::model::ticket::{self, Kind};
use shared::model::token::RecordKey;
use std::net::IpAddr;

/// The visitor's grant: of the `Authorization` header if there is one, else of the page's cookie. One that is broken,
/// expired or another link's is none.
pub fn grant(visit: &Visit, key: &RecordKey) -> Option<Grant> {
    let token = match runtime::header(&visit.request, "authorization") {
        Some(authorization) => after_bearer(&authorization)?.to_owned(),
        None => cookie(&runtime::header(&visit.request, "cookie")?, &cookie_name(key))?.to_owned(),
    };
    grant::verify(&visit.port.edge.ring, &token, runtime::now())
}

/// Gives the page its grant, as a cookie of this host alone that no script reads and no other site sends.
pub fn keep(answer: Answer, key: &RecordKey, grant: &str) -> Answer {
    let (name, life) = (cookie_name(key), grant::LIFE.as_secs());
    answer
        .with("set-cookie", format!("{name}={grant}; Path=/; Max-Age={life}; HttpOnly; Secure; SameSite=Lax"))
}

/// What the page of a map holds: its grant or, when that has ended, the ticket that renews others. `true` says that it is the
/// grant. Only cookies count: what stands in `Authorization` is an API key there.
pub fn map_grant(visit: &Visit, key: &RecordKey) -> Option<(Grant, bool)> {
    let cookies = runtime::header(&visit.request, "cookie")?;
    let (ring, now) = (&visit.port.edge.ring, runtime::now());
    let held = cookie(&cookies, &cookie_name(key)).and_then(|token| grant::verify(ring, token, now));
    if let Some(grant) = held {
        return Some((grant, true));
    }
    let renewal = cookie(&cookies, &renewal_name(key))?;
    let ticket = ticket::verify(ring, Kind::Renewal, renewal, now).filter(|ticket| ticket.key == *key)?;
    Some((ticket.grant, false))
}

/// Gives the page what renews its tickets. It is sent where tickets are made, and nowhere else.
pub fn keep_renewal(answer: Answer, key: &RecordKey, renewal: &str) -> Answer {
    let (name, life) = (renewal_name(key), ticket::RENEWAL_LIFE.as_secs());
    let cookie = format!(
        "{name}={renewal}; Path=/v1/share/tilejson; Max-Age={life}; HttpOnly; Secure; SameSite=Strict"
    );
    answer.with("set-cookie", cookie)
}

fn renewal_name(key: &RecordKey) -> String {
    format!("__Secure-postern-map-{}", key.as_str().get(..16).unwrap_or_default())
}

/// From where the visitor guesses, without telling it to the gate.
pub fn network(visit: &Visit, key: &RecordKey) -> String {
    attempt::network(&visit.port.edge.ring.current, key, address(visit))
}

/// Whence the visitor comes: set by the platform, whatever they sent.
pub fn address(visit: &Visit) -> Option<IpAddr> {
    runtime::header(&visit.request, "cf-connecting-ip").and_then(|address| address.parse().ok())
}

/// One for each link, so that several can be open.
fn cookie_name(key: &RecordKey) -> String {
    format!("__Host-postern-{}", key.as_str().get(..16).unwrap_or_default())
}

/// What the `Authorization` header bears.
pub fn bearer(visit: &Visit) -> Option<String> {
    after_bearer(&runtime::header(&visit.request, "authorization")?).map(str::to_owned)
}

fn after_bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie<'c>(header: &'c str, name: &str) -> Option<&'c str> {
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(own, _)| *own == name)
        .map(|(_, value)| value)
}
