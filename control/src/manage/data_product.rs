//! Data products: create, give rows, refresh, delete, read. New rows give every link its next revision.

pub(crate) mod link;

use super::{Actor, Done, Once};
use crate::product::{FileKind, Filled};
use crate::service::Service;
use crate::store::data_product::DataProduct;
use crate::store::{self, Listed, Page, outbox};
use axum::body::Body;
use serde_json::json;
use shared::model::data_product::{Definition, Query, Source};
use shared::{Error, Result};
use uuid::Uuid;

/// Makes a product; of one on a query the rows are read first, and nothing is made without them.
pub(crate) async fn create(
    service: &Service,
    actor: &Actor,
    definition: Definition,
    once: Option<&Once>,
) -> Result<Done<DataProduct>> {
    let flaws = definition.flaws();
    if !flaws.is_empty() {
        return Err(Error::Invalid(flaws));
    }
    service.products.folder()?;
    let filled = match &definition.source {
        Source::Upload => None,
        Source::Query(query) => Some(snapshot(service, actor, query).await?),
    };
    let now = service.clock.now();
    let mut product =
        DataProduct { id: Uuid::now_v7(), version: 1, definition, created_at: now, updated_at: now };
    let mut session = service.store.write().await?;
    if let Some(earlier) = Once::claim(once, &mut session, actor, product.id, now).await? {
        let body = store::data_product::find(&mut session, actor.organization.id, earlier).await?;
        return Ok(Done { body, pending: false, replayed: true });
    }
    if let Some(filled) = filled {
        product.definition.table = Some(service.products.place(filled, product.id, product.version).await?);
    }
    store::data_product::insert(&mut session, actor.organization.id, &product).await?;
    let detail = json!({ "name": product.definition.name });
    actor.audit(&mut session, ("data_product.create", product.id), detail, now).await?;
    session.commit().await?;
    Ok(Done { body: product, pending: false, replayed: false })
}

/// Takes a file as a product's rows, in place of all that it had.
pub(crate) async fn upload(
    service: &Service,
    actor: &Actor,
    id: Uuid,
    kind: Option<FileKind>,
    body: Body,
) -> Result<Done<DataProduct>> {
    match get(service, actor, id).await?.definition.source {
        Source::Upload => {}
        Source::Query(_) => {
            return Err(Error::Conflict("the data product's rows come from its query".to_owned()));
        }
    }
    let kind = kind.ok_or(Error::UnsupportedMediaType)?;
    let filled = service.products.receive(kind, body, service.clock.now()).await?;
    renew(service, actor, id, filled, "data_product.upload").await
}

/// Runs a product's query again.
pub(crate) async fn refresh(service: &Service, actor: &Actor, id: Uuid) -> Result<Done<DataProduct>> {
    let Source::Query(query) = get(service, actor, id).await?.definition.source else {
        return Err(Error::Conflict("the data product's rows come from files".to_owned()));
    };
    let filled = snapshot(service, actor, &query).await?;
    renew(service, actor, id, filled, "data_product.refresh").await
}

/// Reads the rows of a query.
async fn snapshot(service: &Service, actor: &Actor, query: &Query) -> Result<Filled> {
    let folder = service.products.folder()?;
    let mut session = service.store.read().await?;
    let found = store::data_source::find(&mut session, actor.organization.id, query.data_source_id).await;
    drop(session);
    let source = found.map_err(|error| match error {
        Error::NotFound(_) => Error::invalid("/query/data_source_id", "is no data source of yours"),
        error => error,
    })?;
    let _turn = service.products.turn()?;
    service.data.snapshot(&source, &query.sql, folder, service.clock.now()).await
}

/// Puts new rows in the place of the old ones.
async fn renew(
    service: &Service,
    actor: &Actor,
    id: Uuid,
    filled: Filled,
    action: &str,
) -> Result<Done<DataProduct>> {
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    let old = store::data_product::lock(&mut session, actor.organization.id, id).await?;
    let before = old.version;
    let mut product = DataProduct { version: before + 1, updated_at: now, ..old };
    let table = service.products.place(filled, id, product.version).await?;
    let detail = json!({ "version": product.version, "rows": table.row_count });
    product.definition.table = Some(table);
    store::data_product::update(&mut session, &product).await?;
    store::share::touch_all(&mut session, id).await?;
    let keys = outbox::enqueue_all(&mut session, id, now).await?;
    actor.audit(&mut session, (action, id), detail, now).await?;
    session.commit().await?;
    service.products.remove(id, before);
    let pending = !service.replication.confirm(keys).await;
    Ok(Done { body: product, pending, replayed: false })
}

/// Deletes a product with its rows, and revokes its link.
pub(crate) async fn delete(service: &Service, actor: &Actor, id: Uuid) -> Result<Done<()>> {
    let now = service.clock.now();
    let mut session = service.store.write().await?;
    let product = store::data_product::lock(&mut session, actor.organization.id, id).await?;
    store::data_product::delete(&mut session, id, now).await?;
    store::share::revoke_all(&mut session, id, now).await?;
    let keys = outbox::enqueue_all(&mut session, id, now).await?;
    store::share::retire_all_tokens(&mut session, id, now).await?;
    actor.audit(&mut session, ("data_product.delete", id), json!({ "shares": keys.len() }), now).await?;
    session.commit().await?;
    service.products.remove(id, product.version);
    let pending = !service.replication.confirm(keys).await;
    Ok(Done { body: (), pending, replayed: false })
}

/// One product.
pub(crate) async fn get(service: &Service, actor: &Actor, id: Uuid) -> Result<DataProduct> {
    let mut session = service.store.read().await?;
    store::data_product::find(&mut session, actor.organization.id, id).await
}

/// The organization's products, newest first.
pub(crate) async fn list(service: &Service, actor: &Actor, page: &Page) -> Result<Listed<DataProduct>> {
    let mut session = service.store.read().await?;
    store::data_product::list(&mut session, actor.organization.id, page).await
}

/// Removes files that crashes have left.
pub(crate) async fn sweep(service: &Service) -> Result<()> {
    let mut session = service.store.read().await?;
    let versions = store::data_product::versions(&mut session).await?;
    drop(session);
    service.products.sweep(move |product, version| versions.get(&product) == Some(&version)).await
}
