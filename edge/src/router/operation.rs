//! The operation dialect (seed 002): `/v1/op/{operation}` and `/v1/share/...`. Links are made and revoked by the control plane;
//! what visitors ask of a map is answered here.

mod archive;
mod ticketed;
mod tile;

use super::data;
use super::{Reply, Visit, manage, visitor};
use crate::env::Counters;
use crate::runtime;
use futures_util::future::join;
use serde_json::{Map, Value};
use shared::app::map::{self, Proof};
use shared::app::redeem::Opened;
use shared::app::unlock;
use shared::error::Why;
use shared::face::Answer;
use shared::face::operation as face;
use shared::face::operation::map::{
    Credentials, Tickets, parse_tile, parse_tilejson, parse_validate, tilejson, validated,
};
use shared::model::api_key;
use shared::model::attempt::network_of;
use shared::model::grant::Grant;
use shared::model::item::{Item, Profile};
use shared::model::password::Password;
use shared::model::share::Permission;
use shared::model::ticket::{self, Kind, Ticket};
use shared::model::token::{self, RecordKey};
use shared::{Error, Result};
use wasm_bindgen::JsValue;

/// What a caller of these operations needs who comes with an API key.
const SCOPE: &str = "shares:read";

/// What a visitor asks.
#[derive(Clone, Copy)]
enum Operation {
    Validate,
    Tile,
    Tilejson,
}

/// Routes what comes after `/v1`, if it is of this dialect.
pub fn route(visit: Visit, rest: &[&str]) -> JsValue {
    let operation = match rest {
        ["op", "share.link.validate"] | ["share", "link", "validate"] => Operation::Validate,
        ["op", "share.tile.render"] | ["share", "tile", "render"] => Operation::Tile,
        ["op", "share.tilejson"] | ["share", "tilejson"] => Operation::Tilejson,
        ["op", "share.link.create" | "share.link.revoke"] | ["share", "link", "create" | "revoke"] => {
            return runtime::run(manage::forward(visit));
        }
        ["share", "tiles", ticket, z, x, file] => {
            let place = [ticket, z, x, file].map(|part| (*part).to_owned());
            return runtime::run(tile::ticketed(visit, place));
        }
        ["share", "archives", ticket] => {
            let ticket = (*ticket).to_owned();
            return runtime::run(archive::ticketed(visit, ticket));
        }
        _ => return finish(&visit, Err(Error::NotFound("operation"))),
    };
    match visit.head.method.as_str() {
        "POST" => runtime::run(perform(visit, operation)),
        "OPTIONS" => Reply::preflight("POST, OPTIONS").send(),
        _ => finish(&visit, Err(Error::MethodNotAllowed { allow: "POST, OPTIONS" })),
    }
}

fn finish(visit: &Visit, outcome: Result<Answer>) -> JsValue {
    let reply = match outcome {
        Ok(answer) => Reply::api(answer, &visit.request_id),
        Err(error) => {
            super::reply::note(&error, &visit.request_id);
            Reply::api(face::error::render(&error), &visit.request_id)
        }
    };
    reply.without_body(visit.head.method == "HEAD").send()
}

async fn perform(visit: Visit, operation: Operation) -> JsValue {
    let outcome = async {
        // A request that is wrong is so whatever it is about, and costs no I/O.
        let (content_type, body) = data::body(&visit).await?;
        let body = face::parse(content_type.as_deref(), &body)?;
        match operation {
            Operation::Validate => validate(&visit, &body).await,
            Operation::Tile => render(&visit, &body).await,
            Operation::Tilejson => describe(&visit, &body).await,
        }
    };
    let outcome = outcome.await;
    finish(&visit, outcome)
}

/// The API key of a visitor, by its hash, if there is one.
///
/// # Errors
/// [`Error::Unauthenticated`] for what is no key.
fn presented(visit: &Visit) -> Result<Option<String>> {
    let header = |name| runtime::header(&visit.request, name);
    let presented = match (header("authorization"), header("x-api-key")) {
        (None, None) => return Ok(None),
        (Some(_), None) => visitor::bearer(visit),
        (None, Some(key)) => Some(key),
        (Some(_), Some(key)) => visitor::bearer(visit).filter(|bearer| *bearer == key),
    };
    let key = presented.filter(|key| api_key::well_formed(key).is_some()).ok_or(Error::Unauthenticated)?;
    Ok(Some(api_key::hash(&key)))
}

/// Lets no caller ask too often: a good key has an allowance of its own, everybody else their network's. Costs no I/O.
///
/// # Errors
/// [`Error::Throttled`].
fn keep_pace(visit: &Visit, key: Option<&str>) -> Result<()> {
    let (edge, now) = (&visit.port.edge, runtime::now());
    match key.filter(|hash| visit.port.known_scopes(hash).is_some()) {
        Some(hash) => edge.throttle.key(hash, now),
        None => edge.throttle.network(network_of(visitor::address(visit)), now),
    }
}

/// An API key must be good, though none is needed. API.md 2.a.
async fn check_caller(visit: &Visit, key: Option<String>) -> Result<()> {
    let Some(hash) = key else { return Ok(()) };
    let scopes = visit.port.key_scopes(hash, visitor::address(visit)).await?;
    if scopes.iter().any(|scope| scope == SCOPE) { Ok(()) } else { Err(Error::Forbidden { scope: SCOPE }) }
}

/// A map that a visitor may see.
struct Admitted {
    key: RecordKey,
    opened: Opened,
    grant: Grant,
    /// By what an earlier visit left, and not by a password or a ticket for renewals.
    by_cookie: bool,
}

/// `cookies` says that the page's own grant is as good as the password.
async fn admit(visit: &Visit, given: &Credentials, cookies: bool) -> Result<Admitted> {
    let edge = &visit.port.edge;
    let caller = presented(visit)?;
    let key = token::locate(&edge.ring, &given.token);
    let held = match &key {
        Some(key) if cookies && given.password.is_none() => visitor::map_grant(visit, key)
            .filter(|(grant, _)| edge.memory.may_be_of(key, grant, runtime::now())),
        _ => None,
    };
    if edge.redeem_requires_bearer && caller.is_none() && held.is_none() {
        return Err(Error::Unauthenticated);
    }
    let password = given.password.clone().map(|typed| Password::new(runtime::nfc(&typed.0))).transpose()?;
    // Whoever holds a grant was let in before.
    if held.is_none() {
        keep_pace(visit, caller.as_deref())?;
    }
    let admitted = async {
        let Some(key) = key else { return forged(visit, given, password.is_some()) };
        let network = visitor::network(visit, &key);
        let proof = Proof {
            token: &given.token,
            grant: held.as_ref().map(|(grant, _)| grant.clone()),
            password: password.as_ref(),
            network: &network,
        };
        let (opened, grant) = map::admit(&visit.port, &edge.memory, &edge.ring, &key, &proof).await?;
        Ok(Admitted { key, opened, grant, by_cookie: held.is_some_and(|(_, by_password)| by_password) })
    };
    // Both at once: a good key costs a visitor no time.
    let (caller, admitted) = join(check_caller(visit, caller), admitted).await;
    caller.and(admitted)
}

/// What was never a token: guesses at its password are counted as at any other. Nobody who holds one has it from us, so the time that
/// it takes tells them nothing.
fn forged<T>(visit: &Visit, given: &Credentials, guessed: bool) -> Result<T> {
    let edge = &visit.port.edge;
    Counters::add(&edge.counters.forged);
    if guessed {
        let nothing = RecordKey::of_nothing(&given.token);
        let network = visitor::network(visit, &nothing);
        unlock::count_decoy(&edge.memory, &nothing, &network, runtime::now())?;
    }
    Err(Error::Dead(Why::Forged))
}

/// Makes tickets of one visitor.
struct Issuer<'v> {
    visit: &'v Visit,
    admitted: &'v Admitted,
}

impl Issuer<'_> {
    fn issue(&self, kind: Kind, item: uuid::Uuid, profile: &str) -> Option<String> {
        let Admitted { key, grant, .. } = self.admitted;
        let ticket = Ticket { key: key.clone(), grant: grant.clone(), item, profile: profile.to_owned() };
        ticket::issue(&self.visit.port.edge.ring, kind, &ticket, runtime::now())
    }

    fn tiles(&self, item: &Item, profile: &Profile) -> Result<String> {
        let none = || Error::Internal("no ticket can be made".to_owned());
        self.issue(Kind::Tiles, item.id, &profile.name).ok_or_else(none)
    }

    /// None where visitors may only look.
    fn archive(&self, item: &Item, profile: &Profile) -> Option<String> {
        let permitted = self.admitted.opened.live().ok()?.share.permission == Permission::Download;
        permitted.then(|| self.issue(Kind::Archive, item.id, &profile.name)).flatten()
    }
}

async fn validate(visit: &Visit, body: &Map<String, Value>) -> Result<Answer> {
    let given = parse_validate(body)?;
    let admitted = admit(visit, &given, false).await?;
    let issuer = Issuer { visit, admitted: &admitted };
    let ticket = |item: &Item, profile: &Profile| issuer.archive(item, profile);
    Ok(validated(admitted.opened.live()?, visit.head.origin(), ticket))
}

async fn describe(visit: &Visit, body: &Map<String, Value>) -> Result<Answer> {
    let (given, asked) = parse_tilejson(body)?;
    let admitted = admit(visit, &given, true).await?;
    let (item, profile) = asked.find(&admitted.opened.live()?.target)?;
    let issuer = Issuer { visit, admitted: &admitted };
    let tickets = Tickets { tiles: issuer.tiles(item, profile)?, archive: issuer.archive(item, profile) };
    let answer = tilejson(item, profile, visit.head.origin(), &tickets);
    if !admitted.by_cookie {
        return Ok(answer);
    }
    // The page goes on by this when its grant has ended, a day at most after the password was given.
    let renewal = issuer.issue(Kind::Renewal, uuid::Uuid::nil(), "");
    Ok(match renewal {
        Some(renewal) => visitor::keep_renewal(answer, &admitted.key, &renewal),
        None => answer,
    })
}

async fn render(visit: &Visit, body: &Map<String, Value>) -> Result<Answer> {
    let asked = parse_tile(body)?;
    let Admitted { key, opened, .. } = admit(visit, &asked.credentials, false).await?;
    let (_, profile) = asked.asked.find(&opened.live()?.target)?;
    tile::answer(visit, (&key, &opened, profile), asked.at, asked.format).await
}
