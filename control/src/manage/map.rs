//! Maps: projects, collections and items. What is changed here changes every link to it.

use super::{Actor, Done, Once};
use crate::service::Service;
use crate::store::map::{Project, Stored};
use crate::store::{self, Listed, Page, Session, outbox};
use serde_json::json;
use shared::face::dashboard::manage::{CollectionIn, ItemIn, ProjectIn, UsageDayOut, UsageOut};
use shared::face::operation::link::link_id;
use shared::model::item::{Collection, Item, MAX_ITEMS, Profile};
use shared::model::meter;
use shared::model::share::check_name;
use shared::{Error, Result};
use uuid::Uuid;

/// Days that `GET /api/v1/usage` tells of.
const USAGE_DAYS: i64 = 31;
/// Days that are kept: far more than a gate remembers, which would bring them back.
const KEPT_DAYS: i64 = 400;
/// Links that it names as spent, at most.
const MAX_SPENT: i64 = 1_000;

/// Makes a project.
pub(crate) async fn create_project(
    service: &Service,
    actor: &Actor,
    input: ProjectIn,
    once: Option<&Once>,
) -> Result<Done<Project>> {
    check_name(&input.name)?;
    let now = service.clock.now();
    let project = Project { id: Uuid::now_v7(), name: input.name, created_at: now };
    let mut session = service.store.write().await?;
    if let Some(earlier) = Once::claim(once, &mut session, actor, project.id, now).await? {
        let body = store::map::find_project(&mut session, actor.organization.id, earlier).await?;
        return Ok(Done { body, pending: false, replayed: true });
    }
    store::map::insert_project(&mut session, actor.organization.id, &project).await?;
    actor.audit(&mut session, ("project.create", project.id), json!({}), now).await?;
    session.commit().await?;
    Ok(Done { body: project, pending: false, replayed: false })
}

/// The organization's projects, newest first.
pub(crate) async fn projects(service: &Service, actor: &Actor, page: &Page) -> Result<Listed<Project>> {
    let mut session = service.store.read().await?;
    store::map::list_projects(&mut session, actor.organization.id, page).await
}

/// Makes a collection without items.
pub(crate) async fn create_collection(
    service: &Service,
    actor: &Actor,
    input: CollectionIn,
    once: Option<&Once>,
) -> Result<Done<Stored<Collection>>> {
    check_name(&input.name)?;
    let now = service.clock.now();
    let CollectionIn { project_id, name } = input;
    let definition = Collection { id: Uuid::now_v7(), project_id, name, items: Vec::new() };
    let id = definition.id;
    let collection = Stored { definition, collection_id: None, created_at: now };
    let mut session = service.store.write().await?;
    if let Some(earlier) = Once::claim(once, &mut session, actor, id, now).await? {
        let body = store::map::find_collection(&mut session, actor.organization.id, earlier).await?;
        return Ok(Done { body, pending: false, replayed: true });
    }
    require_project(&mut session, actor, project_id).await?;
    store::map::insert_collection(&mut session, actor.organization.id, &collection).await?;
    actor.audit(&mut session, ("collection.create", id), json!({}), now).await?;
    session.commit().await?;
    Ok(Done { body: collection, pending: false, replayed: false })
}

async fn require_project(session: &mut Session, actor: &Actor, project: Uuid) -> Result<()> {
    match store::map::find_project(session, actor.organization.id, project).await {
        Ok(_) => Ok(()),
        Err(Error::NotFound(_)) => Err(Error::invalid("/project_id", "is no project of yours")),
        Err(error) => Err(error),
    }
}

/// One collection.
pub(crate) async fn collection(service: &Service, actor: &Actor, id: Uuid) -> Result<Stored<Collection>> {
    let mut session = service.store.read().await?;
    store::map::find_collection(&mut session, actor.organization.id, id).await
}

/// The organization's collections, newest first.
pub(crate) async fn collections(
    service: &Service,
    actor: &Actor,
    page: &Page,
) -> Result<Listed<Stored<Collection>>> {
    let mut session = service.store.read().await?;
    store::map::list_collections(&mut session, actor.organization.id, page).await
}

/// Deletes a collection and revokes its links; its items stay.
pub(crate) async fn delete_collection(service: &Service, actor: &Actor, id: Uuid) -> Result<Done<()>> {
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    store::map::lock_collection(&mut session, actor.organization.id, id).await?;
    store::map::delete_collection(&mut session, id, now).await?;
    let keys = revoke_links(service, &mut session, id).await?;
    actor.audit(&mut session, ("collection.delete", id), json!({ "shares": keys.len() }), now).await?;
    session.commit().await?;
    let pending = !service.replication.confirm(keys).await;
    Ok(Done { body: (), pending, replayed: false })
}

/// Revokes all links to what is deleted, and gives what the edge has to learn.
async fn revoke_links(service: &Service, session: &mut Session, target: Uuid) -> Result<Vec<String>> {
    let now = service.clock.now();
    store::share::revoke_all(session, target, now).await?;
    let keys = outbox::enqueue_all(session, target, now).await?;
    store::share::retire_all_tokens(session, target, now).await?;
    Ok(keys)
}

/// Registers an item: its archives are looked into, wherever they came from.
pub(crate) async fn create_item(
    service: &Service,
    actor: &Actor,
    input: ItemIn,
    once: Option<&Once>,
) -> Result<Done<Stored<Item>>> {
    input.check(&actor.organization.slug)?;
    let now = service.clock.now();
    let mut session = service.store.read().await?;
    if let Some(earlier) = Once::earlier(once, &mut session, actor, now).await? {
        return replayed_item(&mut session, actor, earlier).await;
    }
    drop(session);
    let mut profiles = Vec::with_capacity(input.profiles.len());
    for (number, profile) in input.profiles.into_iter().enumerate() {
        let pointer = format!("/profiles/{number}/key");
        let archive = service.archives.probe(&pointer, &profile.key).await?;
        profiles.push(Profile { name: profile.name, key: profile.key, archive });
    }
    let ItemIn { project_id, collection_id, name, attribution, .. } = input;
    let definition = Item { id: Uuid::now_v7(), project_id, name, attribution, profiles };
    let id = definition.id;
    let item = Stored { definition, collection_id, created_at: now };
    let mut session = service.store.write().await?;
    if let Some(earlier) = Once::claim(once, &mut session, actor, id, now).await? {
        return replayed_item(&mut session, actor, earlier).await;
    }
    require_project(&mut session, actor, project_id).await?;
    let keys = match collection_id {
        None => Vec::new(),
        Some(collection) => {
            let mut collection = lock_for_item(&mut session, actor, collection, project_id).await?;
            if collection.items.len() >= MAX_ITEMS {
                return Err(Error::Conflict(format!("a collection has at most {MAX_ITEMS} items")));
            }
            collection.items.push(item.definition.clone());
            collection.check_size()?;
            save_collection(service, &mut session, &collection).await?
        }
    };
    store::map::insert_item(&mut session, actor.organization.id, &item).await?;
    actor.audit(&mut session, ("item.create", id), json!({ "collection_id": collection_id }), now).await?;
    session.commit().await?;
    let pending = !service.replication.confirm(keys).await;
    Ok(Done { body: item, pending, replayed: false })
}

async fn replayed_item(session: &mut Session, actor: &Actor, id: Uuid) -> Result<Done<Stored<Item>>> {
    let body = store::map::find_item(session, actor.organization.id, id).await?;
    Ok(Done { body, pending: false, replayed: true })
}

async fn lock_for_item(
    session: &mut Session,
    actor: &Actor,
    collection: Uuid,
    project: Uuid,
) -> Result<Collection> {
    let words = "is no collection of the project";
    match store::map::lock_collection(session, actor.organization.id, collection).await {
        Ok(found) if found.definition.project_id == project => Ok(found.definition),
        Ok(_) | Err(Error::NotFound(_)) => Err(Error::invalid("/collection_id", words)),
        Err(error) => Err(error),
    }
}

/// Saves a locked collection and gives what the edge has to learn.
async fn save_collection(
    service: &Service,
    session: &mut Session,
    collection: &Collection,
) -> Result<Vec<String>> {
    store::map::update_collection(session, collection).await?;
    store::share::touch_all(session, collection.id).await?;
    outbox::enqueue_all(session, collection.id, service.clock.now()).await
}

/// One item.
pub(crate) async fn item(service: &Service, actor: &Actor, id: Uuid) -> Result<Stored<Item>> {
    let mut session = service.store.read().await?;
    store::map::find_item(&mut session, actor.organization.id, id).await
}

/// The organization's items, newest first.
pub(crate) async fn items(service: &Service, actor: &Actor, page: &Page) -> Result<Listed<Stored<Item>>> {
    let mut session = service.store.read().await?;
    store::map::list_items(&mut session, actor.organization.id, page).await
}

/// Deletes an item, revokes its links, and takes it out of its collection. Its archives stay in the bucket.
pub(crate) async fn delete_item(service: &Service, actor: &Actor, id: Uuid) -> Result<Done<()>> {
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    // The collection first, as everywhere.
    let found = store::map::find_item(&mut session, actor.organization.id, id).await?;
    let mut keys = Vec::new();
    if let Some(collection) = found.collection_id {
        match store::map::lock_collection(&mut session, actor.organization.id, collection).await {
            Ok(mut locked) => {
                locked.definition.items.retain(|item| item.id != id);
                keys = save_collection(service, &mut session, &locked.definition).await?;
            }
            // Deleted meanwhile.
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    store::map::lock_item(&mut session, actor.organization.id, id).await?;
    store::map::delete_item(&mut session, id, now).await?;
    keys.extend(revoke_links(service, &mut session, id).await?);
    actor.audit(&mut session, ("item.delete", id), json!({ "shares": keys.len() }), now).await?;
    session.commit().await?;
    let pending = !service.replication.confirm(keys).await;
    Ok(Done { body: (), pending, replayed: false })
}

/// What the organization's tiles cost, and which links have no more of them today.
pub(crate) async fn usage(service: &Service, actor: &Actor) -> Result<UsageOut> {
    let mut session = service.store.read().await?;
    let organization = actor.organization.id;
    let days = store::map::tiles_by_day(&mut session, organization, USAGE_DAYS).await?;
    let today = meter::day(service.clock.now());
    let spent = store::map::spent_on(&mut session, organization, today, MAX_SPENT).await?;
    Ok(UsageOut {
        days: days.into_iter().map(|(day, meter)| UsageDayOut::new(day, meter)).collect(),
        spent: spent.into_iter().map(link_id).collect(),
    })
}

/// Forgets what tiles cost long ago.
pub(crate) async fn sweep(service: &Service) -> Result<()> {
    let mut session = service.store.write().await?;
    store::map::forget_tiles(&mut session, meter::day(service.clock.now()) - KEPT_DAYS).await?;
    session.commit().await
}
