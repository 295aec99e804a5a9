//! Projects, collections and items, and what tiles cost.

use super::{Listed, Page, Session, document, execute, fault, id, query, signed, to_text, unsigned};
use serde::de::DeserializeOwned;
use shared::model::item::{Collection, Item};
use shared::model::meter::{DEFAULT_BUDGET, Days, Meter, TilesByDay};
use shared::time::Millis;
use shared::{Error, Result};
use uuid::Uuid;

/// A project.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) created_at: Millis,
}

/// A living item or collection.
#[derive(Debug, Clone)]
pub(crate) struct Stored<T> {
    /// What it is.
    pub(crate) definition: T,
    /// Of an item: the collection that it is in.
    pub(crate) collection_id: Option<Uuid>,
    /// When it was made.
    pub(crate) created_at: Millis,
}

#[derive(sqlx::FromRow)]
struct ProjectRow {
    id: String,
    name: String,
    created_at: i64,
}

impl ProjectRow {
    fn into_domain(self) -> Result<Project> {
        Ok(Project { id: id(&self.id)?, name: self.name, created_at: Millis(self.created_at) })
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    definition: String,
    collection_id: Option<String>,
    created_at: i64,
}

impl Row {
    fn into_domain<T: DeserializeOwned>(self) -> Result<Stored<T>> {
        Ok(Stored {
            definition: document(&self.definition)?,
            collection_id: self.collection_id.as_deref().map(id).transpose()?,
            created_at: Millis(self.created_at),
        })
    }
}

pub(crate) async fn insert_project(
    session: &mut Session,
    organization: Uuid,
    project: &Project,
) -> Result<()> {
    const SQL: &str = "INSERT INTO project (id, organization_id, name, created_at) VALUES ($1, $2, $3, $4)";
    let (id, organization) = (project.id.to_string(), organization.to_string());
    execute!(session, SQL, id, organization, &project.name, project.created_at.0).map_err(fault)?;
    Ok(())
}

pub(crate) async fn find_project(
    session: &mut Session,
    organization: Uuid,
    project: Uuid,
) -> Result<Project> {
    const SQL: &str = "SELECT id, name, created_at FROM project WHERE id = $1 AND organization_id = $2";
    query!(session, fetch_optional, ProjectRow, SQL, project.to_string(), organization.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("project"))?
        .into_domain()
}

pub(crate) async fn list_projects(
    session: &mut Session,
    organization: Uuid,
    page: &Page,
) -> Result<Listed<Project>> {
    const COUNT: &str = "SELECT COUNT(*) FROM project WHERE organization_id = $1";
    const SQL: &str = "SELECT id, name, created_at FROM project
        WHERE organization_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let organization = organization.to_string();
    let (total,) = query!(&mut *session, fetch_one, (i64,), COUNT, &organization).map_err(fault)?;
    let (before, limit) = (page.before_text(), i64::from(page.limit));
    let rows = query!(session, fetch_all, ProjectRow, SQL, &organization, before, limit).map_err(fault)?;
    let records = rows.into_iter().map(ProjectRow::into_domain).collect::<Result<_>>()?;
    Ok(Listed { total: unsigned(total), records })
}

pub(crate) async fn insert_collection(
    session: &mut Session,
    organization: Uuid,
    collection: &Stored<Collection>,
) -> Result<()> {
    const SQL: &str = "INSERT INTO collection (id, organization_id, project_id, definition, created_at)
        VALUES ($1, $2, $3, $4, $5)";
    let Stored { definition, created_at, .. } = collection;
    let (id, project) = (definition.id.to_string(), definition.project_id.to_string());
    execute!(session, SQL, id, organization.to_string(), project, to_text(definition)?, created_at.0)
        .map_err(fault)?;
    Ok(())
}

pub(crate) async fn update_collection(session: &mut Session, collection: &Collection) -> Result<()> {
    const SQL: &str = "UPDATE collection SET definition = $1 WHERE id = $2";
    execute!(session, SQL, to_text(collection)?, collection.id.to_string()).map_err(fault)?;
    Ok(())
}

pub(crate) async fn find_collection(
    session: &mut Session,
    organization: Uuid,
    collection: Uuid,
) -> Result<Stored<Collection>> {
    const SQL: &str = "SELECT definition, NULL AS collection_id, created_at FROM collection
        WHERE id = $1 AND organization_id = $2 AND deleted_at IS NULL";
    query!(session, fetch_optional, Row, SQL, collection.to_string(), organization.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("collection"))?
        .into_domain()
}

/// As [`find_collection`], and holds the row until the session ends.
pub(crate) async fn lock_collection(
    session: &mut Session,
    organization: Uuid,
    collection: Uuid,
) -> Result<Stored<Collection>> {
    const SQL: &str = "UPDATE collection SET created_at = created_at
        WHERE id = $1 AND organization_id = $2 AND deleted_at IS NULL
        RETURNING definition, NULL AS collection_id, created_at";
    query!(session, fetch_optional, Row, SQL, collection.to_string(), organization.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("collection"))?
        .into_domain()
}

pub(crate) async fn list_collections(
    session: &mut Session,
    organization: Uuid,
    page: &Page,
) -> Result<Listed<Stored<Collection>>> {
    const COUNT: &str = "SELECT COUNT(*) FROM collection WHERE organization_id = $1 AND deleted_at IS NULL";
    const SQL: &str = "SELECT definition, NULL AS collection_id, created_at FROM collection
        WHERE organization_id = $1 AND deleted_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3";
    list(session, (COUNT, SQL), organization, page).await
}

/// The collection is there no more; its items are.
pub(crate) async fn delete_collection(session: &mut Session, collection: Uuid, now: Millis) -> Result<()> {
    const SQL: &str = "UPDATE collection SET deleted_at = $1 WHERE id = $2";
    const LET_GO: &str = "UPDATE item SET collection_id = NULL WHERE collection_id = $1";
    execute!(&mut *session, SQL, now.0, collection.to_string()).map_err(fault)?;
    execute!(session, LET_GO, collection.to_string()).map_err(fault)?;
    Ok(())
}

pub(crate) async fn insert_item(
    session: &mut Session,
    organization: Uuid,
    item: &Stored<Item>,
) -> Result<()> {
    const SQL: &str = "INSERT INTO item
            (id, organization_id, project_id, collection_id, definition, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let Stored { definition, collection_id, created_at } = item;
    let (id, project) = (definition.id.to_string(), definition.project_id.to_string());
    let collection = collection_id.map(|id| id.to_string());
    let organization = organization.to_string();
    execute!(session, SQL, id, organization, project, collection, to_text(definition)?, created_at.0)
        .map_err(fault)?;
    Ok(())
}

pub(crate) async fn find_item(session: &mut Session, organization: Uuid, item: Uuid) -> Result<Stored<Item>> {
    const SQL: &str = "SELECT definition, collection_id, created_at FROM item
        WHERE id = $1 AND organization_id = $2 AND deleted_at IS NULL";
    query!(session, fetch_optional, Row, SQL, item.to_string(), organization.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("item"))?
        .into_domain()
}

/// As [`find_item`], and holds the row until the session ends.
pub(crate) async fn lock_item(session: &mut Session, organization: Uuid, item: Uuid) -> Result<Stored<Item>> {
    const SQL: &str = "UPDATE item SET created_at = created_at
        WHERE id = $1 AND organization_id = $2 AND deleted_at IS NULL
        RETURNING definition, collection_id, created_at";
    query!(session, fetch_optional, Row, SQL, item.to_string(), organization.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("item"))?
        .into_domain()
}

pub(crate) async fn list_items(
    session: &mut Session,
    organization: Uuid,
    page: &Page,
) -> Result<Listed<Stored<Item>>> {
    const COUNT: &str = "SELECT COUNT(*) FROM item WHERE organization_id = $1 AND deleted_at IS NULL";
    const SQL: &str = "SELECT definition, collection_id, created_at FROM item
        WHERE organization_id = $1 AND deleted_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3";
    list(session, (COUNT, SQL), organization, page).await
}

pub(crate) async fn delete_item(session: &mut Session, item: Uuid, now: Millis) -> Result<()> {
    const SQL: &str = "UPDATE item SET deleted_at = $1, collection_id = NULL WHERE id = $2";
    execute!(session, SQL, now.0, item.to_string()).map_err(fault)?;
    Ok(())
}

async fn list<T: DeserializeOwned>(
    session: &mut Session,
    (count, sql): (&'static str, &'static str),
    organization: Uuid,
    page: &Page,
) -> Result<Listed<Stored<T>>> {
    let organization = organization.to_string();
    let (total,) = query!(&mut *session, fetch_one, (i64,), count, &organization).map_err(fault)?;
    let (before, limit) = (page.before_text(), i64::from(page.limit));
    let rows = query!(session, fetch_all, Row, sql, &organization, before, limit).map_err(fault)?;
    let records = rows.into_iter().map(Row::into_domain).collect::<Result<_>>()?;
    Ok(Listed { total: unsigned(total), records })
}

/// Merges what a gate has counted of a token: each figure is the larger one. A key that was never issued counts nothing.
pub(crate) async fn merge_tiles(session: &mut Session, key: &str, counted: &Days) -> Result<()> {
    const SQL: &str = "INSERT INTO tile_usage (record_key, epoch, day, organization_id, tiles, hits, bytes)
        SELECT t.record_key, $2, $3, s.organization_id, $4, $5, $6
        FROM share_token t JOIN share s ON s.id = t.share_id WHERE t.record_key = $1
        ON CONFLICT (record_key, epoch, day) DO UPDATE SET
            tiles = CASE WHEN excluded.tiles > tile_usage.tiles THEN excluded.tiles ELSE tile_usage.tiles END,
            hits = CASE WHEN excluded.hits > tile_usage.hits THEN excluded.hits ELSE tile_usage.hits END,
            bytes = CASE WHEN excluded.bytes > tile_usage.bytes THEN excluded.bytes ELSE tile_usage.bytes END";
    for day in &counted.days {
        let Meter { tiles, hits, bytes } = day.meter;
        let figures = [tiles, hits, bytes].map(signed);
        let [tiles, hits, bytes] = figures;
        execute!(&mut *session, SQL, key, &counted.epoch, day.day, tiles, hits, bytes).map_err(fault)?;
    }
    Ok(())
}

/// Forgets what was counted before a day.
pub(crate) async fn forget_tiles(session: &mut Session, first: i64) -> Result<u64> {
    execute!(session, "DELETE FROM tile_usage WHERE day < $1", first).map_err(fault)
}

/// Tiles of a token from a day on, whatever its gates called their counts.
pub(crate) async fn tiles_of_token(session: &mut Session, key: &str, first: i64) -> Result<TilesByDay> {
    const SQL: &str = "SELECT day, CAST(SUM(tiles) AS BIGINT) FROM tile_usage
        WHERE record_key = $1 AND day >= $2 GROUP BY day";
    let rows = query!(session, fetch_all, (i64, i64), SQL, key, first).map_err(fault)?;
    Ok(rows.into_iter().map(|(day, tiles)| (day, unsigned(tiles))).collect())
}

/// An organization's shares that have given their tiles of a day, oldest first.
pub(crate) async fn spent_on(
    session: &mut Session,
    organization: Uuid,
    day: i64,
    limit: i64,
) -> Result<Vec<Uuid>> {
    const SQL: &str = "SELECT s.id
        FROM tile_usage u JOIN share_token t ON t.record_key = u.record_key JOIN share s ON s.id = t.share_id
        WHERE u.organization_id = $1 AND u.day = $2
        GROUP BY s.id, s.tile_budget HAVING SUM(u.tiles) >= COALESCE(s.tile_budget, $3)
        ORDER BY s.id LIMIT $4";
    let organization = organization.to_string();
    let rows = query!(session, fetch_all, (String,), SQL, organization, day, signed(DEFAULT_BUDGET), limit)
        .map_err(fault)?;
    rows.iter().map(|(share,)| id(share)).collect()
}

/// What an organization's tiles cost, by day, newest first.
pub(crate) async fn tiles_by_day(
    session: &mut Session,
    organization: Uuid,
    limit: i64,
) -> Result<Vec<(i64, Meter)>> {
    const SQL: &str =
        "SELECT day, CAST(SUM(tiles) AS BIGINT), CAST(SUM(hits) AS BIGINT), CAST(SUM(bytes) AS BIGINT)
        FROM tile_usage WHERE organization_id = $1 GROUP BY day ORDER BY day DESC LIMIT $2";
    let rows = query!(session, fetch_all, (i64, i64, i64, i64), SQL, organization.to_string(), limit)
        .map_err(fault)?;
    let meter = |(day, tiles, hits, bytes): (i64, i64, i64, i64)| {
        (day, Meter { tiles: unsigned(tiles), hits: unsigned(hits), bytes: unsigned(bytes) })
    };
    Ok(rows.into_iter().map(meter).collect())
}
