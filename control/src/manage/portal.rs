//! Signing in at the portal: codes by mail, sessions, and what members opened.
//!
//! Who asks for a code is answered before anybody looks whether they are a member: [`ask`] does the same for everybody, [`issue_code`]
//! finds out afterwards. So neither the answer nor its time tells (RELIABILITY.md D2).

use super::Actor;
use crate::limit::Peer;
use crate::random;
use crate::service::Service;
use crate::store::mail::Kind;
use crate::store::portal::{Asked, Issued, SignIn};
use crate::store::{self, Listed, Page, Session};
use shared::call::{Access, MAX_ACCESSES};
use shared::face::dashboard::manage::AccessOut;
use shared::face::dashboard::portal::{CodeRequestIn, ContextName, SessionOut, VerifyIn};
use shared::model::address::Address;
use shared::model::code::{self, Code, Subject};
use shared::model::dashboard::is_url_slug;
use shared::model::portal::{self, MAX_CONTEXTS, Membership, REFRESH_GRACE};
use shared::model::share::TargetKind;
use shared::replica::Organization;
use shared::time::Millis;
use shared::{Error, Result};
use std::time::Duration;
use uuid::Uuid;

/// How every refresh token begins, so that scanners recognise a leaked one.
const REFRESH_PREFIX: &str = "prt_";
/// Bytes of a refresh token's tag.
const TAG_BYTES: usize = 16;
/// How long the mail about a first opening is worth sending.
const NOTICE_LIFE: Duration = Duration::from_hours(72);

/// What a sign-in or a refresh gives.
pub(crate) struct Tokens {
    /// All but the refresh token.
    pub(crate) body: SessionOut,
    /// The refresh token.
    pub(crate) refresh_token: String,
    /// Whose portal.
    pub(crate) company_slug: String,
}

/// Notes that somebody wants a code. Does the same for members and strangers.
pub(crate) async fn ask(service: &Service, peer: Peer, input: CodeRequestIn) -> Result<()> {
    if !service.mail.is_configured() {
        return Err(Error::Unavailable("no mail server is configured: POSTERN_SMTP_URL".to_owned()));
    }
    // Before any transaction: whoever floods must not hold the database.
    service.limit.peer(peer)?;
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    let network = network(service, "asks", peer);
    store::portal::keep_pace(&mut session, &network, &code::ASKING, now).await?;
    // What is no slug and no address is nobody's, and is written all the same: that takes as long.
    let company_slug = Some(input.company_slug).filter(|slug| is_url_slug(slug)).unwrap_or_default();
    let address =
        Address::parse(&input.email).map_or_else(String::new, |address| address.as_str().to_owned());
    let asked = Asked { company_slug, address, at: now };
    store::portal::ask(&mut session, &asked).await?;
    session.commit().await?;
    service.mail.wake();
    Ok(())
}

/// Gives a code to whoever asked first, if they may have one; `false` when nobody waits. Each has a transaction of its own, so that none
/// waits for another: the code and its mail are made in it.
pub(crate) async fn issue_code(service: &Service) -> Result<bool> {
    let mut session = service.store.write().await?;
    let Some(asked) = store::portal::take_asked(&mut session).await? else { return Ok(false) };
    // Not before its turn: whoever asked meanwhile would be judged by a time before they did.
    let now = service.clock.now();
    issue_to(&mut session, &asked, now).await?;
    session.commit().await?;
    Ok(true)
}

async fn issue_to(session: &mut Session, asked: &Asked, now: Millis) -> Result<()> {
    // What waited longer than a code lives is not waited for any more.
    if now.since(asked.at) >= code::LIFE {
        return Ok(());
    }
    let Some(organization) = store::organization::by_slug(session, &asked.company_slug).await? else {
        return Ok(());
    };
    let Some(address) = Address::parse(&asked.address) else { return Ok(()) };
    if store::context::memberships(session, organization.id, &address).await?.is_empty() {
        return Ok(());
    }
    let recipient = format!("code:{}:{}", organization.id.simple(), address.as_str());
    match store::portal::keep_pace(session, &recipient, &code::SENDING, now).await {
        Ok(()) => {}
        // The code that they were sent goes on.
        Err(Error::Throttled { .. }) => return Ok(()),
        Err(error) => return Err(error),
    }
    if !may_mail(session, organization.id, now).await? {
        return Ok(());
    }
    let issued = Issued { id: Uuid::now_v7(), nonce: random::bytes()? };
    store::portal::issue(session, organization.id, &address, issued, now).await?;
    // The member's own address; of a domain's member, the one that is compared with the domain.
    store::mail::enqueue(session, (Kind::Code, issued.id), &address, code::LIFE, now).await
}

/// Begins a session by a code.
///
/// # Errors
/// [`Error::SignInFailed`] whatever is wrong, [`Error::Throttled`].
pub(crate) async fn verify(service: &Service, peer: Peer, input: &VerifyIn) -> Result<Tokens> {
    service.limit.peer(peer)?;
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    // Written whoever it is, so that a stranger's try takes as long as a member's.
    let network = network(service, "types", peer);
    store::portal::keep_pace(&mut session, &network, &code::TYPING, now).await?;
    let slug = Some(input.company_slug.as_str()).filter(|slug| is_url_slug(slug)).unwrap_or_default();
    let organization = store::organization::by_slug(&mut session, slug).await?;
    let who = organization.zip(Address::parse(&input.email));
    let issued = match &who {
        Some((organization, address)) => {
            store::portal::count_try(&mut session, organization.id, address, now).await?
        }
        None => None,
    };
    // A try counts whatever comes after it.
    session.commit().await?;
    let ((organization, address), issued) = who.zip(issued).ok_or(Error::SignInFailed)?;
    let typed = Code::parse(&input.code.0).ok_or(Error::SignInFailed)?;
    metrics::counter!("postern_codes_compared_total").increment(1);
    let subject = Subject { organization: organization.id, address: &address };
    let is_right =
        service.ring.iter().any(|keys| Code::derive(keys, issued.id, &issued.nonce, subject).is(&typed));
    if !is_right {
        return Err(Error::SignInFailed);
    }
    let mut session = service.store.write().await?;
    if !store::portal::use_up(&mut session, issued.id).await? {
        return Err(Error::SignInFailed);
    }
    let memberships = store::context::memberships(&mut session, organization.id, &address).await?;
    if memberships.is_empty() {
        return Err(Error::SignInFailed);
    }
    let (id, organization_id) = (Uuid::now_v7(), organization.id);
    let (nonce, generation, refreshed_at) = (random::bytes()?, 1, now);
    let sign_in = SignIn { id, organization: organization_id, address, nonce, generation, refreshed_at };
    let refresh_token = refresh_token_of(service, &sign_in, generation);
    store::portal::begin(&mut session, &sign_in, now).await?;
    session.commit().await?;
    tokens(service, &organization, id, memberships, refresh_token, now)
}

/// Goes on with a session: the refresh token is taken once, and again within [`REFRESH_GRACE`], since several tabs may hold it. One
/// that comes back later was copied: the session ends.
///
/// # Errors
/// [`Error::SignInFailed`].
pub(crate) async fn refresh(service: &Service, peer: Peer, refresh_token: &str) -> Result<Tokens> {
    service.limit.peer(peer)?;
    let now = service.clock.now();
    let Presented { id, generation, tag } = read(refresh_token).ok_or(Error::SignInFailed)?;
    let mut session = service.store.write().await?;
    let sign_in = store::portal::lock(&mut session, id, now).await?.ok_or(Error::SignInFailed)?;
    if !is_ours(service, &sign_in, generation, &tag) {
        return Err(Error::SignInFailed);
    }
    let in_grace = generation + 1 == sign_in.generation && now.since(sign_in.refreshed_at) < REFRESH_GRACE;
    // Taken before, and not just now: two hold the session.
    let is_copy = generation != sign_in.generation && !in_grace;
    let memberships =
        store::context::memberships(&mut session, sign_in.organization, &sign_in.address).await?;
    if is_copy {
        tracing::warn!(session = %sign_in.id, "a refresh token was used again: its session is ended");
        end(service, session, &sign_in).await?;
        return Err(Error::SignInFailed);
    }
    if memberships.is_empty() {
        store::portal::end(&mut session, sign_in.id, now).await?;
        session.commit().await?;
        return Err(Error::SignInFailed);
    }
    // Whoever comes again with the one before gets the same: answers may arrive in any order, or not at all.
    let generation = if in_grace { sign_in.generation } else { sign_in.generation + 1 };
    if !in_grace {
        store::portal::renew(&mut session, sign_in.id, now).await?;
    }
    let refresh_token = refresh_token_of(service, &sign_in, generation);
    let organization = store::organization::find(&mut session, sign_in.organization).await?;
    session.commit().await?;
    tokens(service, &organization, sign_in.id, memberships, refresh_token, now)
}

/// Ends a session, with its access tokens. Again is no mistake, and neither is a token that is none.
pub(crate) async fn log_out(service: &Service, peer: Peer, refresh_token: &str) -> Result<()> {
    service.limit.peer(peer)?;
    let Some(Presented { id, generation, tag }) = read(refresh_token) else { return Ok(()) };
    let mut session = service.store.write().await?;
    match store::portal::lock(&mut session, id, service.clock.now()).await? {
        Some(sign_in) if is_ours(service, &sign_in, generation, &tag) => {
            end(service, session, &sign_in).await
        }
        _ => Ok(()),
    }
}

/// Ends a session everywhere: its access tokens are dead when this returns, unless the edge is out of reach.
async fn end(service: &Service, mut session: Session, sign_in: &SignIn) -> Result<()> {
    let now = service.clock.now();
    store::portal::end(&mut session, sign_in.id, now).await?;
    let memberships =
        store::context::memberships(&mut session, sign_in.organization, &sign_in.address).await?;
    let actor = Actor::edge(store::organization::find(&mut session, sign_in.organization).await?);
    let mut contexts: Vec<Uuid> = memberships.iter().map(|(membership, _)| membership.context).collect();
    contexts.sort();
    let mut keys = Vec::new();
    for context in contexts {
        let mut opens = store::context::lock(&mut session, sign_in.organization, context).await?;
        super::context::end_access(service, &mut session, &actor, &mut opens, sign_in.id, now).await?;
        keys.extend(store::context::pending(&mut session, context).await?);
    }
    session.commit().await?;
    service.replication.confirm(keys).await;
    Ok(())
}

fn tokens(
    service: &Service,
    organization: &Organization,
    id: Uuid,
    memberships: Vec<(Membership, String)>,
    refresh_token: String,
    now: Millis,
) -> Result<Tokens> {
    let (memberships, contexts): (Vec<_>, Vec<_>) = memberships
        .into_iter()
        .take(MAX_CONTEXTS)
        .map(|(membership, name)| (membership, ContextName { id: membership.context, name }))
        .unzip();
    let company_slug = organization.slug.clone();
    let said = portal::Session {
        id,
        organization: organization.id,
        company_slug: company_slug.clone(),
        memberships,
    };
    let access_token = portal::issue(&service.ring, said, now)
        .ok_or_else(|| Error::Internal("an access token is too long".to_owned()))?;
    Ok(Tokens { body: SessionOut::new(access_token, None, contexts), refresh_token, company_slug })
}

/// The refresh token of a session's generation: the session's id, the generation, and a tag. It is derived, so that no store holds one,
/// and so that it can be given twice.
fn refresh_token_of(service: &Service, sign_in: &SignIn, generation: u64) -> String {
    let mac = service.ring.current.portal.mac(&refresh_parts(sign_in, &generation.to_be_bytes()));
    let (tag, _) = mac.split_at(TAG_BYTES);
    format!("{REFRESH_PREFIX}{}{generation:016x}{}", sign_in.id.simple(), hex::encode(tag))
}

fn refresh_parts<'a>(sign_in: &'a SignIn, generation: &'a [u8; 8]) -> [&'a [u8]; 4] {
    [b"refresh", sign_in.id.as_bytes(), &sign_in.nonce, generation]
}

/// What a refresh token says, if it has the shape of one.
struct Presented {
    id: Uuid,
    generation: u64,
    tag: [u8; TAG_BYTES],
}

fn read(refresh_token: &str) -> Option<Presented> {
    let mut bytes = [0; 16 + 8 + TAG_BYTES];
    hex::decode_to_slice(refresh_token.strip_prefix(REFRESH_PREFIX)?, &mut bytes).ok()?;
    let (id, rest) = bytes.split_at(16);
    let (generation, tag) = rest.split_at(8);
    Some(Presented {
        id: Uuid::from_slice(id).ok()?,
        generation: u64::from_be_bytes(generation.try_into().ok()?),
        tag: tag.try_into().ok()?,
    })
}

/// Was it made by us? Compares in constant time.
fn is_ours(service: &Service, sign_in: &SignIn, generation: u64, tag: &[u8; TAG_BYTES]) -> bool {
    let generation = generation.to_be_bytes();
    service.ring.iter().any(|keys| keys.portal.verify(&refresh_parts(sign_in, &generation), tag))
}

/// Names a network in the count of what it does, so that the table knows no address.
fn network(service: &Service, what: &str, peer: Peer) -> String {
    let mac = service.ring.current.network.mac(&[what.as_bytes(), peer.to_string().as_bytes()]);
    format!("{what}:{}", hex::encode(mac))
}

/// Keeps what members opened.
pub(crate) async fn note_accesses(service: &Service, entries: &[Access]) -> Result<()> {
    if entries.len() > MAX_ACCESSES {
        return Err(Error::invalid("/entries", "must have at most 200 entries"));
    }
    let mut session = service.store.write().await?;
    for entry in entries {
        store::access_log::insert(&mut session, entry).await?;
    }
    session.commit().await
}

/// What members opened by a share, newest first.
pub(crate) async fn accesses(
    service: &Service,
    actor: &Actor,
    share: Uuid,
    page: &Page,
) -> Result<Listed<AccessOut>> {
    let mut session = service.store.read().await?;
    super::share::find(&mut session, actor, TargetKind::DASHBOARDS, share).await?;
    let listed = store::access_log::list(&mut session, share, page).await?;
    let render = |entry: store::access_log::Entry| AccessOut {
        id: entry.id,
        at: entry.at.to_rfc3339(),
        email: entry.address,
        member_id: entry.member,
        share_context_id: entry.context,
        action: entry.action,
    };
    Ok(Listed { total: listed.total, records: listed.records.into_iter().map(render).collect() })
}

/// May an organization have one more mail sent? What is beyond its limit is not sent at all.
async fn may_mail(session: &mut Session, organization: Uuid, now: Millis) -> Result<bool> {
    let subject = format!("mail:{}", organization.simple());
    match store::portal::keep_pace(session, &subject, &code::MAILING, now).await {
        Ok(()) => Ok(true),
        Err(Error::Throttled { .. }) => {
            tracing::warn!(%organization, "an organization has no more mail sent within the hour");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Has whoever wants to know told that a share was opened for the first time.
pub(super) async fn tell_of_first_opening(session: &mut Session, share: Uuid, now: Millis) -> Result<()> {
    match store::share::notify_once(session, share, now).await? {
        Some(address) => {
            let organization = store::organization::of_share(session, share).await?.id;
            if !may_mail(session, organization, now).await? {
                return Ok(());
            }
            store::mail::enqueue(session, (Kind::FirstOpening, share), &address, NOTICE_LIFE, now).await
        }
        None => Ok(()),
    }
}

/// Forgets what is too old: codes, sessions, and what members opened longer ago than `days`.
pub(crate) async fn sweep(service: &Service, days: u32) -> Result<()> {
    const DAY_MS: i64 = 86_400_000;
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    store::portal::sweep(&mut session, now).await?;
    store::mail::sweep(&mut session, now).await?;
    let before = Millis(now.0.saturating_sub(i64::from(days).saturating_mul(DAY_MS)));
    store::access_log::sweep(&mut session, before).await?;
    session.commit().await
}
