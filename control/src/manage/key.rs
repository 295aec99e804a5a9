//! API keys and the organizations that they are for: made at the machine itself, never over the API.

use super::Actor;
use crate::auth::{self, Scope};
use crate::service::Service;
use crate::store::{self, Session, api_key::ApiKey};
use secrecy::SecretString;
use serde_json::json;
use shared::model::api_key::Prefix;
use shared::model::dashboard::is_url_slug;
use shared::model::share::check_name;
use shared::replica::Organization;
use shared::time::Millis;
use shared::{Error, Result};
use uuid::Uuid;

/// Organization and name of the key that the first start makes.
const FIRST: &str = "default";

/// A key that was just made, with its only copy in clear.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) key: ApiKey,
    pub(crate) secret: SecretString,
}

/// Makes a key, and its organization when there is none of that slug.
pub(crate) async fn create(
    service: &Service,
    slug: &str,
    organization_name: Option<&str>,
    name: &str,
    (prefix, scopes): (Prefix, &[Scope]),
) -> Result<Made> {
    check_name(name)?;
    if scopes.is_empty() {
        return Err(Error::invalid("/scopes", "must name at least one scope"));
    }
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    let organization = match store::organization::by_slug(&mut session, slug).await? {
        Some(organization) => organization,
        None => found(&mut session, slug, organization_name.unwrap_or(slug), now).await?,
    };
    let made = insert(&mut session, organization, name, (prefix, scopes), now).await?;
    session.commit().await?;
    Ok(made)
}

/// On an empty database: an organization with a key that may do everything. `None` on any other.
pub(crate) async fn first(service: &Service) -> Result<Option<Made>> {
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    if !store::organization::none_yet(&mut session).await? {
        return Ok(None);
    }
    let organization = found(&mut session, FIRST, "Default", now).await?;
    let made = insert(&mut session, organization, "admin", (Prefix::Postern, &Scope::ALL), now).await?;
    session.commit().await?;
    Ok(Some(made))
}

/// An organization by slug.
pub(crate) async fn organization(service: &Service, slug: &str) -> Result<Organization> {
    let mut session = service.store.read().await?;
    store::organization::by_slug(&mut session, slug).await?.ok_or(Error::NotFound("organization"))
}

/// All keys of an organization, newest first.
pub(crate) async fn list(service: &Service, organization: &Organization) -> Result<Vec<ApiKey>> {
    let mut session = service.store.read().await?;
    store::api_key::list(&mut session, organization.id).await
}

/// Takes a key back at once: each request asks the database. `false` when it was revoked before.
pub(crate) async fn revoke(service: &Service, organization: &Organization, key: Uuid) -> Result<bool> {
    let now = service.clock.now();
    let actor = Actor::cli(organization.clone());
    let mut session = service.store.write().await?;
    let revoked = store::api_key::revoke(&mut session, organization.id, key, now).await?;
    if revoked {
        actor.audit(&mut session, ("api_key.revoke", key), json!({}), now).await?;
    }
    session.commit().await?;
    Ok(revoked)
}

async fn found(session: &mut Session, slug: &str, name: &str, now: Millis) -> Result<Organization> {
    if !is_url_slug(slug) {
        return Err(Error::invalid(
            "/organization",
            "must be lower case letters, digits and hyphens, at most 64",
        ));
    }
    check_name(name)?;
    let organization = Organization { id: Uuid::now_v7(), slug: slug.to_owned(), name: name.to_owned() };
    store::organization::insert(session, &organization, now).await?;
    let actor = Actor::cli(organization.clone());
    actor.audit(session, ("organization.create", organization.id), json!({ "slug": slug }), now).await?;
    Ok(organization)
}

async fn insert(
    session: &mut Session,
    organization: Organization,
    name: &str,
    (prefix, scopes): (Prefix, &[Scope]),
    now: Millis,
) -> Result<Made> {
    let secret = auth::new_key(prefix)?;
    let key = ApiKey {
        id: Uuid::now_v7(),
        organization,
        name: name.to_owned(),
        scopes: scopes.to_vec(),
        created_at: now,
        last_used_at: None,
        revoked_at: None,
        session: None,
    };
    store::api_key::insert(session, &key, &auth::hash(&secret)).await?;
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    let actor = Actor::cli(key.organization.clone());
    actor.audit(session, ("api_key.create", key.id), json!({ "name": name, "scopes": scopes }), now).await?;
    Ok(Made { key, secret })
}
