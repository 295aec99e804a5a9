//! Embeds: tokens for frames, and taking them back: one, all of a dashboard, all of a key.

use super::{Actor, Done, share};
use crate::random;
use crate::service::Service;
use crate::store::embed::Key;
use crate::store::{self, Session};
use serde_json::json;
use shared::face::dashboard::embed::snippet;
use shared::face::dashboard::manage::{
    EmbedDashboardOut, EmbedIn, EmbedKeyOut, EmbedKeysOut, EmbedOriginsIn, EmbedOriginsOut, EmbedOut,
    EmbedParameterOut, EmbedRevokedOut, KeyRevokedOut, TokenRevokedOut, effective,
};
use shared::model::embed::token::{key_id, parse_key_id, sign};
use shared::model::embed::{Embed, MAX_KEYS, MAX_LIFE, is_token_id, next_number};
use shared::model::policy::Rules;
use shared::model::protection::Protection;
use shared::model::share::{MAX_NAME_CHARS, Permission, Share, ShareType, State, Target, TargetKind};
use shared::{Error, Result};
use uuid::Uuid;

/// Tokens begin so many seconds before they are made: the edge's clock may be behind ours, and it gives no leeway.
const CLOCK_ALLOWANCE: i64 = 2;

/// Makes a token. The first one of a dashboard turns embedding on; after that nothing is written.
pub(crate) async fn mint(
    service: &Service,
    actor: &Actor,
    dashboard: Uuid,
    input: EmbedIn,
) -> Result<Done<EmbedOut>> {
    let organization = actor.organization.id;
    let mut session = service.store.read().await?;
    let opened = store::dashboard::find(&mut session, organization, dashboard).await?;
    let (granted, life) = input.check(&share::filters(&opened))?;
    let on = in_force(&mut session, organization, dashboard).await?;
    let keys = store::embed::keys(&mut session, organization).await?;
    let told = match &on {
        None => false,
        Some(_) => store::embed::pending_of(&mut session, dashboard).await?.is_empty(),
    };
    drop(session);
    let key = newest(&keys)?;
    let issued_at = service.clock.now().0.div_euclid(1_000) - CLOCK_ALLOWANCE;
    let mut embed = Embed {
        organization,
        key_generation: key.generation,
        dashboard,
        generation: on.as_ref().map_or(1, |embed| embed.generation),
        id: Uuid::now_v7().to_string(),
        issued_at,
        // As long from now as was asked, if a token may live so long.
        expires_at: issued_at
            .saturating_add_unsigned((life + CLOCK_ALLOWANCE.unsigned_abs()).min(MAX_LIFE.as_secs())),
        not_before: None,
        terms: granted,
    };
    let make = |embed: &Embed| {
        sign(&service.ring.current, embed)
            .ok_or_else(|| Error::invalid("", "makes a token of more than 8,192 characters"))
    };
    let mut token = make(&embed)?;
    let mut pending = false;
    if !told {
        let Some(turned) = turn_on(service, actor, dashboard).await? else {
            return Err(Error::Unavailable(format!("embed of {dashboard} was dead at the edge")));
        };
        (embed.generation, pending) = turned;
        token = make(&embed)?;
    }
    let embed_url = format!("{}/embed/d/{}", service.public_url, token.expose());
    let html = snippet(&embed_url, &opened.definition.title);
    let body = EmbedOut {
        token: token.expose().to_owned(),
        embed_url,
        html,
        expires_at: embed.ends().to_rfc3339(),
        jti: embed.id,
        kid: key_id(organization, key.generation),
        generation: embed.generation,
        expires_in: life,
        effective: effective(pending),
    };
    Ok(Done { body, pending, replayed: false })
}

/// How a dashboard is embedded.
pub(crate) async fn get(service: &Service, actor: &Actor, dashboard: Uuid) -> Result<EmbedDashboardOut> {
    let mut session = service.store.read().await?;
    describe(service, &mut session, actor, dashboard).await
}

/// Ends all tokens of a dashboard; new ones can be made at once.
pub(crate) async fn rotate(
    service: &Service,
    actor: &Actor,
    dashboard: Uuid,
) -> Result<Done<EmbedDashboardOut>> {
    let mut session = service.store.write().await?;
    let mut embed = lock(&mut session, actor, dashboard).await?;
    share::rotate_within(service, &mut session, actor, &mut embed, service.clock.now()).await?;
    let pending = commit_of(service, session, dashboard).await?;
    let body = get(service, actor, dashboard).await?;
    Ok(Done { body: EmbedDashboardOut { effective: effective(pending), ..body }, pending, replayed: false })
}

/// Ends all tokens of a dashboard, and embedding with them, until the next token is made. Again is no mistake.
pub(crate) async fn revoke(
    service: &Service,
    actor: &Actor,
    dashboard: Uuid,
) -> Result<Done<EmbedRevokedOut>> {
    let mut session = service.store.write().await?;
    store::dashboard::lock(&mut session, actor.organization.id, dashboard).await?;
    let Some(embed) = store::embed::newest(&mut session, actor.organization.id, dashboard).await? else {
        let body = EmbedRevokedOut { revoked: false, dashboard_id: dashboard, effective: effective(false) };
        return Ok(Done { body, pending: false, replayed: false });
    };
    let mut embed =
        store::share::lock(&mut session, actor.organization.id, &[TargetKind::Dashboard], embed.id).await?;
    let revoked = share::revoke_within(&mut session, actor, &mut embed, service.clock.now()).await?;
    let pending = commit_of(service, session, dashboard).await?;
    let body = EmbedRevokedOut { revoked, dashboard_id: dashboard, effective: effective(pending) };
    Ok(Done { body, pending, replayed: false })
}

/// Ends one token, whoever signed it. Again is no mistake.
pub(crate) async fn revoke_token(
    service: &Service,
    actor: &Actor,
    dashboard: Uuid,
    jti: &str,
) -> Result<Done<TokenRevokedOut>> {
    if !is_token_id(jti) {
        return Err(Error::NotFound("token"));
    }
    let mut session = service.store.write().await?;
    let mut embed = lock(&mut session, actor, dashboard).await?;
    let revoked = embed.revoke_token(jti, service.clock.now())?;
    if revoked {
        let detail = json!({ "jti": jti });
        share::save_within(service, &mut session, actor, &embed, ("embed.token_revoke", detail)).await?;
    }
    let pending = commit_of(service, session, dashboard).await?;
    let body = TokenRevokedOut { revoked, jti: jti.to_owned(), effective: effective(pending) };
    Ok(Done { body, pending, replayed: false })
}

/// The keys in force, without what they are.
pub(crate) async fn keys(service: &Service, actor: &Actor) -> Result<EmbedKeysOut> {
    let mut session = service.store.read().await?;
    let keys = store::embed::keys(&mut session, actor.organization.id).await?;
    Ok(EmbedKeysOut { keys: keys.iter().filter(|key| is_live(key)).map(|key| shown(actor, key)).collect() })
}

/// One key, for a back end that makes tokens by itself. The audit trail tells who has seen it.
pub(crate) async fn key(service: &Service, actor: &Actor, kid: &str) -> Result<EmbedKeyOut> {
    let organization = actor.organization.id;
    let mut session = service.store.write().await?;
    let key = find_key(&mut session, actor, kid).await?.filter(is_live).ok_or(Error::NotFound("key"))?;
    let detail = json!({ "kid": kid });
    actor.audit(&mut session, ("embed.key_read", organization), detail, service.clock.now()).await?;
    session.commit().await?;
    Ok(revealed(service, actor, &key))
}

/// Adds a key, which signs from now on. The one before stays in force until it is stopped.
pub(crate) async fn add_key(service: &Service, actor: &Actor) -> Result<Done<EmbedKeyOut>> {
    let (organization, now) = (actor.organization.id, service.clock.now());
    let mut session = service.store.write().await?;
    store::embed::lock(&mut session, organization).await?;
    let keys = store::embed::keys(&mut session, organization).await?;
    if keys.iter().filter(|key| is_live(key)).count() >= MAX_KEYS {
        return Err(Error::Conflict("two keys are in force: stop one first".to_owned()));
    }
    let generation = next_number(keys.first().map_or(0, |newest| newest.generation), now);
    store::embed::insert_key(&mut session, organization, generation, now).await?;
    store::embed::touch_all(&mut session, organization, now).await?;
    let key = Key { generation, created_at: now, stopped_at: None };
    let detail = json!({ "kid": key_id(organization, generation) });
    actor.audit(&mut session, ("embed.key_add", organization), detail, now).await?;
    let pending = commit(service, session, organization).await?;
    let body = EmbedKeyOut { effective: Some(effective(pending)), ..revealed(service, actor, &key) };
    Ok(Done { body, pending, replayed: false })
}

/// Stops a key: whatever it signed is dead. Again is no mistake.
pub(crate) async fn stop_key(service: &Service, actor: &Actor, kid: &str) -> Result<Done<KeyRevokedOut>> {
    let (organization, now) = (actor.organization.id, service.clock.now());
    let mut session = service.store.write().await?;
    store::embed::lock(&mut session, organization).await?;
    let key = find_key(&mut session, actor, kid).await?.ok_or(Error::NotFound("key"))?;
    let revoked = is_live(&key);
    if revoked {
        let keys = store::embed::keys(&mut session, organization).await?;
        if keys.iter().filter(|key| is_live(key)).count() == 1 {
            return Err(Error::Conflict("it is the only key in force: add another first".to_owned()));
        }
        store::embed::stop_key(&mut session, organization, key.generation, now).await?;
        store::embed::touch_all(&mut session, organization, now).await?;
        actor.audit(&mut session, ("embed.key_stop", organization), json!({ "kid": kid }), now).await?;
    }
    let pending = commit(service, session, organization).await?;
    let body = KeyRevokedOut { revoked, kid: kid.to_owned(), effective: effective(pending) };
    Ok(Done { body, pending, replayed: false })
}

/// Sites that may frame every embed of the organization.
pub(crate) async fn origins(service: &Service, actor: &Actor) -> Result<EmbedOriginsOut> {
    let organization = actor.organization.id;
    let mut session = service.store.read().await?;
    let origins = store::embed::origins(&mut session, organization).await?;
    let pending = !store::embed::pending(&mut session, organization).await?.is_empty();
    let allowed_origins = origins.into_iter().map(String::from).collect();
    Ok(EmbedOriginsOut { allowed_origins, effective: effective(pending) })
}

/// Replaces them.
pub(crate) async fn set_origins(
    service: &Service,
    actor: &Actor,
    input: &EmbedOriginsIn,
) -> Result<Done<EmbedOriginsOut>> {
    let origins = input.check()?;
    let (organization, now) = (actor.organization.id, service.clock.now());
    let mut session = service.store.write().await?;
    store::embed::lock(&mut session, organization).await?;
    store::embed::set_origins(&mut session, organization, &origins).await?;
    store::embed::touch_all(&mut session, organization, now).await?;
    let detail = json!({ "allowed_origins": &origins });
    actor.audit(&mut session, ("embed.origins_set", organization), detail, now).await?;
    let pending = commit(service, session, organization).await?;
    let allowed_origins = origins.into_iter().map(String::from).collect();
    Ok(Done {
        body: EmbedOriginsOut { allowed_origins, effective: effective(pending) },
        pending,
        replayed: false,
    })
}

/// Makes the dashboard's embed unless there is one, and has the edge learn of it. Gives its generation, and whether the edge has yet to
/// learn of it. The edge may know a generation as dead that a restored database has forgotten: then the next one is tried, and `None`
/// is given when that is dead too.
async fn turn_on(service: &Service, actor: &Actor, dashboard: Uuid) -> Result<Option<(u64, bool)>> {
    for _ in 0..2 {
        let (generation, pending) = turn_on_once(service, actor, dashboard).await?;
        let mut session = service.store.read().await?;
        let embed = in_force(&mut session, actor.organization.id, dashboard).await?;
        if embed.is_some_and(|embed| embed.generation == generation) {
            return Ok(Some((generation, pending)));
        }
    }
    Ok(None)
}

async fn turn_on_once(service: &Service, actor: &Actor, dashboard: Uuid) -> Result<(u64, bool)> {
    let (organization, now) = (actor.organization.id, service.clock.now());
    let mut session = service.store.write().await?;
    let opened = store::dashboard::lock(&mut session, organization, dashboard).await?;
    // A key that is stopped meanwhile must be known to the first record.
    store::embed::lock(&mut session, organization).await?;
    let newest = store::embed::newest(&mut session, organization, dashboard).await?;
    let generation = match &newest {
        Some(embed) if embed.state == State::Live => embed.generation,
        Some(earlier) => next_number(earlier.generation, now),
        None => 1,
    };
    if newest.is_none_or(|embed| embed.state != State::Live) {
        // An embed has no password, whatever its tokens say.
        store::organization::limits(&mut session, organization).await?.check_password(false)?;
        let embed = Share {
            id: Uuid::now_v7(),
            organization_id: organization,
            target: Target::dashboard(dashboard),
            share_type: ShareType::Embed,
            permission: Permission::View,
            tile_budget: None,
            name: opened.definition.title.chars().take(MAX_NAME_CHARS).collect(),
            state: State::Live,
            generation,
            revision: 1,
            nonce: random::bytes()?,
            key_epoch: service.ring.current.epoch.clone(),
            rules: Rules::default(),
            closed: false,
            protection: Protection::default(),
            context: None,
            notify: None,
            not_before: None,
            expires_at: None,
            created_at: now,
            issued_at: now,
            revoked_at: None,
            frame_origins: Vec::new(),
            revoked_tokens: Vec::new(),
        };
        let detail = json!({ "dashboard_id": dashboard, "generation": generation });
        share::insert_within(service, &mut session, actor, &embed, ("embed.turn_on", detail)).await?;
    }
    let pending = commit_of(service, session, dashboard).await?;
    Ok((generation, pending))
}

async fn describe(
    service: &Service,
    session: &mut Session,
    actor: &Actor,
    dashboard: Uuid,
) -> Result<EmbedDashboardOut> {
    let organization = actor.organization.id;
    let opened = store::dashboard::find(session, organization, dashboard).await?;
    let newest = store::embed::newest(session, organization, dashboard).await?;
    let pending = !store::embed::pending_of(session, dashboard).await?.is_empty();
    let now = service.clock.now();
    let generation = newest.as_ref().map_or(0, |embed| embed.generation);
    let live = newest.filter(|embed| embed.state == State::Live);
    let revoked = live.iter().flat_map(|embed| &embed.revoked_tokens).filter(|token| now < token.until);
    Ok(EmbedDashboardOut {
        dashboard_id: dashboard,
        enabled: live.is_some(),
        share_id: live.as_ref().map(|embed| embed.id),
        generation,
        revoked_tokens: revoked.count() as u64,
        effective: effective(pending),
        parameters: EmbedParameterOut::all(&share::filters(&opened)),
    })
}

/// The embed in force, held until the session ends; the dashboard first, as everywhere.
async fn lock(session: &mut Session, actor: &Actor, dashboard: Uuid) -> Result<Share> {
    store::dashboard::lock(session, actor.organization.id, dashboard).await?;
    let embed = in_force(session, actor.organization.id, dashboard).await?.ok_or(Error::NotFound("embed"))?;
    store::share::lock(session, actor.organization.id, &[TargetKind::Dashboard], embed.id).await
}

async fn in_force(session: &mut Session, organization: Uuid, dashboard: Uuid) -> Result<Option<Share>> {
    let newest = store::embed::newest(session, organization, dashboard).await?;
    Ok(newest.filter(|embed| embed.state == State::Live))
}

/// Commits, and asks the edge for all that it has yet to learn of the dashboard's embeds, those before included. Is anything left?
async fn commit_of(service: &Service, mut session: Session, dashboard: Uuid) -> Result<bool> {
    let keys = store::embed::pending_of(&mut session, dashboard).await?;
    session.commit().await?;
    Ok(!service.replication.confirm(keys).await)
}

/// Commits, and asks the edge for all that it has yet to learn of the organization's embeds. Is anything left?
async fn commit(service: &Service, mut session: Session, organization: Uuid) -> Result<bool> {
    let keys = store::embed::pending(&mut session, organization).await?;
    session.commit().await?;
    Ok(!service.replication.confirm(keys).await)
}

/// The key of this name, if it is one of the organization's.
async fn find_key(session: &mut Session, actor: &Actor, kid: &str) -> Result<Option<Key>> {
    let own = parse_key_id(kid).filter(|(organization, _)| *organization == actor.organization.id);
    let Some((organization, generation)) = own else { return Ok(None) };
    let keys = store::embed::keys(session, organization).await?;
    Ok(keys.into_iter().find(|key| key.generation == generation))
}

fn newest(keys: &[Key]) -> Result<&Key> {
    keys.iter().find(|key| is_live(key)).ok_or_else(|| Error::Internal("no embed key is in force".to_owned()))
}

const fn is_live(key: &Key) -> bool {
    key.stopped_at.is_none()
}

fn shown(actor: &Actor, key: &Key) -> EmbedKeyOut {
    EmbedKeyOut {
        kid: key_id(actor.organization.id, key.generation),
        generation: key.generation,
        created_at: key.created_at.to_rfc3339(),
        key: None,
        effective: None,
    }
}

fn revealed(service: &Service, actor: &Actor, key: &Key) -> EmbedKeyOut {
    let secret = service.ring.current.embed_key(actor.organization.id, key.generation);
    EmbedKeyOut { key: Some(secret.expose().to_owned()), ..shown(actor, key) }
}
