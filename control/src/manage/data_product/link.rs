//! The one link of a data product, as seed 000 has it: read, made or rotated, revoked. Whoever changes it holds the product's row, so
//! concurrent callers come one after the other, and each gets the token that it minted.

use super::super::{Actor, Done, Once, share};
use crate::random;
use crate::service::Service;
use crate::store::data_product::DataProduct;
use crate::store::{self, Session, outbox};
use serde_json::json;
use shared::face::data_product::{ProductPasswordIn, ProductRevokedOut, ProductShareOut};
use shared::model::access::in_time;
use shared::model::password::Hashed;
use shared::model::policy::Rules;
use shared::model::protection::Protection;
use shared::model::share::{Permission, Share, ShareType, State, Target};
use shared::time::Millis;
use shared::{Error, Result};
use uuid::Uuid;

/// The link in force, if there is one.
pub(crate) async fn get(service: &Service, actor: &Actor, product: Uuid) -> Result<ProductShareOut> {
    let mut session = service.store.read().await?;
    store::data_product::find(&mut session, actor.organization.id, product).await?;
    let share = only(&mut session, actor, product).await?;
    Ok(render(service, share.as_ref()))
}

/// Makes the link, or gives it a new token; the old one is dead when this returns, unless the answer says `pending`. A password
/// becomes the link's; without one it keeps what it has.
pub(crate) async fn rotate(
    service: &Service,
    actor: &Actor,
    product: Uuid,
    input: Option<ProductPasswordIn>,
    once: Option<&Once>,
) -> Result<Done<ProductShareOut>> {
    let now = service.clock.now();
    let password = match input {
        Some(input) => {
            // What is not there is told before a password is hashed for it.
            get(service, actor, product).await?;
            Some(service.passwords.hash(&input.password).await?)
        }
        None => None,
    };
    let mut session = service.store.write().await?;
    let opened = store::data_product::lock(&mut session, actor.organization.id, product).await?;
    if opened.definition.table.is_none() {
        return Err(Error::Conflict("the data product has no rows yet".to_owned()));
    }
    if Once::claim(once, &mut session, actor, product, now).await?.is_some() {
        let share = only(&mut session, actor, product).await?;
        let done = commit(service, session, product).await?;
        return Ok(Done { body: render(service, share.as_ref()), pending: done, replayed: true });
    }
    let share = match only(&mut session, actor, product).await? {
        Some(mut share) if in_time(None, share.expires_at, now).is_ok() => {
            if password.is_some() {
                let limits = store::organization::limits(&mut session, actor.organization.id).await?;
                share.set_password(password, &limits)?;
                actor.audit(&mut session, ("share.password_set", share.id), json!({}), now).await?;
            }
            share::rotate_within(service, &mut session, actor, &mut share, now).await?;
            share
        }
        // An organization may demand that links end. The call after that is a first one.
        Some(mut ended) => {
            share::revoke_within(&mut session, actor, &mut ended, now).await?;
            create(service, &mut session, actor, (&opened, password), now).await?
        }
        None => create(service, &mut session, actor, (&opened, password), now).await?,
    };
    let pending = commit(service, session, product).await?;
    Ok(Done { body: render(service, Some(&share)), pending, replayed: false })
}

async fn create(
    service: &Service,
    session: &mut Session,
    actor: &Actor,
    (product, password): (&DataProduct, Option<Hashed>),
    now: Millis,
) -> Result<Share> {
    let limits = store::organization::limits(session, actor.organization.id).await?;
    limits.check_password(password.is_some())?;
    // The first password begins the first version.
    let version = u64::from(password.is_some());
    let share = Share {
        id: Uuid::now_v7(),
        organization_id: actor.organization.id,
        target: Target::data_product(product.id),
        share_type: ShareType::Link,
        name: product.definition.name.clone(),
        state: State::Live,
        generation: 1,
        revision: 1,
        nonce: random::bytes()?,
        key_epoch: service.ring.current.epoch.clone(),
        rules: Rules::default(),
        context: None,
        notify: None,
        closed: false,
        protection: Protection { password, version, resets: version, max_access_count: limits.count(None)? },
        permission: Permission::View,
        tile_budget: None,
        not_before: None,
        expires_at: limits.expiry(None, now)?,
        created_at: now,
        issued_at: now,
        revoked_at: None,
        frame_origins: Vec::new(),
        revoked_tokens: Vec::new(),
    };
    let detail = json!({ "data_product_id": product.id, "password": version > 0 });
    share::insert_within(service, session, actor, &share, ("share.create", detail)).await?;
    Ok(share)
}

/// Takes the link back, and its password with it. Without one nothing happens: `revoked` is then false.
pub(crate) async fn revoke(
    service: &Service,
    actor: &Actor,
    product: Uuid,
) -> Result<Done<ProductRevokedOut>> {
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    store::data_product::lock(&mut session, actor.organization.id, product).await?;
    let mut share = only(&mut session, actor, product).await?;
    let revoked = match &mut share {
        Some(share) => share::revoke_within(&mut session, actor, share, now).await?,
        None => false,
    };
    let pending = commit(service, session, product).await?;
    Ok(Done { body: ProductRevokedOut { revoked, id: product }, pending, replayed: false })
}

/// Sets the link's password. Whoever is in must give the new one.
pub(crate) async fn set_password(
    service: &Service,
    actor: &Actor,
    product: Uuid,
    input: ProductPasswordIn,
) -> Result<Done<ProductShareOut>> {
    // What is not there is told before a password is hashed for it.
    if get(service, actor, product).await?.share.is_none() {
        return Err(Error::NotFound("share link"));
    }
    let hashed = service.passwords.hash(&input.password).await?;
    change_password(service, actor, product, Some(hashed)).await
}

/// Removes the link's password. Again is no mistake: nothing changes.
pub(crate) async fn remove_password(
    service: &Service,
    actor: &Actor,
    product: Uuid,
) -> Result<Done<ProductShareOut>> {
    change_password(service, actor, product, None).await
}

async fn change_password(
    service: &Service,
    actor: &Actor,
    product: Uuid,
    password: Option<Hashed>,
) -> Result<Done<ProductShareOut>> {
    let mut session = service.store.write().await?;
    store::data_product::lock(&mut session, actor.organization.id, product).await?;
    let mut share = only(&mut session, actor, product).await?.ok_or(Error::NotFound("share link"))?;
    if password.is_some() || share.protection.password.is_some() {
        let action = if password.is_some() { "share.password_set" } else { "share.password_removed" };
        let limits = store::organization::limits(&mut session, actor.organization.id).await?;
        share.set_password(password, &limits)?;
        share::save_within(service, &mut session, actor, &share, (action, json!({}))).await?;
    }
    let pending = commit(service, session, product).await?;
    Ok(Done { body: render(service, Some(&share)), pending, replayed: false })
}

async fn only(session: &mut Session, actor: &Actor, product: Uuid) -> Result<Option<Share>> {
    store::share::only(session, actor.organization.id, Target::data_product(product)).await
}

/// Commits, and waits until the edge knows all of the product's links. Has it yet to learn of some?
async fn commit(service: &Service, mut session: Session, product: Uuid) -> Result<bool> {
    let keys = outbox::pending_of_target(&mut session, product).await?;
    session.commit().await?;
    Ok(!service.replication.confirm(keys).await)
}

/// One that has ended by itself opens nothing, so it is none.
fn render(service: &Service, share: Option<&Share>) -> ProductShareOut {
    let now = service.clock.now();
    let live =
        share.filter(|share| share.state == State::Live && in_time(None, share.expires_at, now).is_ok());
    let shown = live.and_then(|share| {
        let has_password = share.protection.password.is_some();
        Some(ProductShareOut::new(service.link(share)?, has_password, share.issued_at))
    });
    shown.unwrap_or(ProductShareOut::NONE)
}
