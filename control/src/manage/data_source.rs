//! Data sources: create, delete, read.

use super::{Actor, Done, Once};
use crate::service::Service;
use crate::store::data_source::{DataSource, Kind};
use crate::store::{self, Listed, Page};
use serde_json::json;
use shared::Result;
use shared::face::dashboard::manage::DataSourceIn;
use shared::model::share::check_name;
use uuid::Uuid;

/// Makes a data source. A SQLite file must be there; a PostgreSQL URL must be one.
pub(crate) async fn create(
    service: &Service,
    actor: &Actor,
    input: DataSourceIn,
    once: Option<&Once>,
) -> Result<Done<DataSource>> {
    let (DataSourceIn::Sqlite { name, .. } | DataSourceIn::Postgres { name, .. }) = &input;
    check_name(name)?;
    let (id, now) = (Uuid::now_v7(), service.clock.now());
    let (name, kind, location) = match input {
        DataSourceIn::Sqlite { name, file } => {
            service.data.check_file(&file).await?;
            (name, Kind::Sqlite, file)
        }
        DataSourceIn::Postgres { name, url } => (name, Kind::Postgres, service.data.seal_url(id, &url)?),
    };
    let source = DataSource { id, name, kind, location, created_at: now };
    let mut session = service.store.write().await?;
    if let Some(earlier) = Once::claim(once, &mut session, actor, id, now).await? {
        let body = store::data_source::find(&mut session, actor.organization.id, earlier).await?;
        return Ok(Done { body, pending: false, replayed: true });
    }
    store::data_source::insert(&mut session, actor.organization.id, &source).await?;
    actor.audit(&mut session, ("data_source.create", id), json!({ "kind": kind.name() }), now).await?;
    session.commit().await?;
    Ok(Done { body: source, pending: false, replayed: false })
}

/// Deletes a data source that no dashboard uses.
pub(crate) async fn delete(service: &Service, actor: &Actor, id: Uuid) -> Result<()> {
    let mut session = service.store.write().await?;
    store::data_source::delete(&mut session, actor.organization.id, id).await?;
    actor.audit(&mut session, ("data_source.delete", id), json!({}), service.clock.now()).await?;
    session.commit().await
}

/// One data source.
pub(crate) async fn get(service: &Service, actor: &Actor, id: Uuid) -> Result<DataSource> {
    let mut session = service.store.read().await?;
    store::data_source::find(&mut session, actor.organization.id, id).await
}

/// The organization's data sources, newest first.
pub(crate) async fn list(service: &Service, actor: &Actor, page: &Page) -> Result<Listed<DataSource>> {
    let mut session = service.store.read().await?;
    store::data_source::list(&mut session, actor.organization.id, page).await
}
