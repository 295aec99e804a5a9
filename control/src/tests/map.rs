//! Maps: projects, collections and items, and links to them, on both databases. What visitors see of them is the edge's.

mod link;
mod upload;
mod usage;

use super::edge::Mood;
use super::usage::key;
use super::world::{Answered, World};
use crate::auth::Scope;
use http::Method;
use serde_json::{Value, json};
use shared::call::Probed;
use shared::model::item::{Collection, MAX_ITEMS};
use shared::model::share::MAX_NAME_CHARS;
use shared::replica::{Live, TargetView};
use std::time::Duration;

const CREATE_LINK: &str = "/v1/op/share.link.create";
const REVOKE_LINK: &str = "/v1/share/link/revoke";
const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

/// A good archive, as the edge tells of it.
fn archive() -> Probed {
    let view = json!({
        "etag": "e1", "bytes": 1_000, "format": "mvt", "gzip": true, "minzoom": 0, "maxzoom": 4,
        "bounds": [-180.0, -85.0, 180.0, 85.0], "center": [0.0, 0.0, 0],
    });
    Probed::Good(serde_json::from_value(view).unwrap())
}

/// A world of its own with a project; `acme/a` and `acme/b` lie in the bucket.
pub(super) struct Map {
    pub(super) world: World,
    project: String,
}

impl Map {
    pub(super) async fn all() -> Vec<Self> {
        let mut maps = Vec::new();
        for world in World::all().await {
            maps.push(Self::of(world).await);
        }
        maps
    }

    async fn of(world: World) -> Self {
        world.edge.store("acme/a", archive());
        world.edge.store("acme/b", archive());
        let project = world.post("/api/v1/projects", json!({"name": "Atlas"})).await.ok(201).id();
        Self { world, project }
    }

    pub(super) async fn collection(&self) -> String {
        let body = json!({"name": "Maps", "project_id": self.project});
        self.world.post("/api/v1/collections", body).await.ok(201).id()
    }

    fn item_in(&self, collection: Option<&str>) -> Value {
        json!({
            "name": "World", "project_id": self.project, "collection_id": collection,
            "profiles": [{"name": "vector", "key": "acme/a"}],
        })
    }

    pub(super) async fn item(&self, collection: Option<&str>) -> String {
        self.world.post("/api/v1/items", self.item_in(collection)).await.ok(201).id()
    }

    pub(super) async fn link(&self, kind: &str, target: &str) -> Value {
        self.world.post(CREATE_LINK, new_link(kind, target)).await.ok(200).body
    }

    async fn revoke(&self, link: &Value) -> Answered {
        self.world.post(REVOKE_LINK, json!({"link_id": link["id"]})).await
    }

    /// Revision of a link at the edge, and what it opens there, if it is alive.
    fn at_edge(&self, link: &Value) -> (u64, Option<TargetView>) {
        let record = self.world.edge.records().remove(&key(link)).unwrap();
        (record.revision, record.live.map(|live| live.target))
    }

    /// What the edge knows of a link in force.
    pub(super) fn live(&self, link: &Value) -> Live {
        self.world.edge.records().remove(&key(link)).unwrap().live.unwrap()
    }

    fn is_open(&self, link: &Value) -> bool {
        self.at_edge(link).1.is_some()
    }

    async fn total(&self, path: &str) -> Value {
        self.world.get(path).await.ok(200).body["total"].clone()
    }
}

fn new_link(kind: &str, target: &str) -> Value {
    json!({
        "target_type": kind, "target_id": target, "password": "correct horse",
        "expires_at": "2027-01-01T00:00:00Z",
    })
}

fn opened_collection(view: Option<TargetView>) -> Collection {
    match view {
        Some(TargetView::Collection(collection)) => collection,
        other => panic!("{other:?}"),
    }
}

/// Checks a problem of the operation dialect.
#[track_caller]
fn problem(answer: &Answered, status: u16) {
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (status, &json!(status)), "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/problem+json");
}

/// Checks that one place of a body is refused.
#[track_caller]
fn refused_at(answer: &Answered, place: &str) {
    answer.refused(422, "VALIDATION_ERROR");
    let places: Vec<_> = answer.body["errors"].as_array().unwrap().iter().collect();
    assert_eq!((places.len(), &places[0]["instancePath"]), (1, &json!(place)), "{answer:?}");
}

#[tokio::test]
async fn what_is_registered_is_read_and_listed() {
    for map in Map::all().await {
        let world = &map.world;
        let collection = map.collection().await;
        let body = json!({
            "name": "World", "project_id": map.project, "collection_id": collection, "attribution": "Us",
            "profiles": [{"name": "vector", "key": "acme/a"}, {"name": "other", "key": "acme/b"}],
        });
        let made = world.post("/api/v1/items", body).await.ok(201);
        assert_eq!(made.body["created_at"], "2026-01-01T00:00:00.007Z");
        assert_eq!(
            (&made.body["collection_id"], &made.body["attribution"]),
            (&json!(collection), &json!("Us"))
        );
        let profile = &made.body["profiles"][1];
        assert_eq!((&profile["name"], &profile["key"]), (&json!("other"), &json!("acme/b")));
        let found = &profile["archive"];
        assert_eq!((&found["format"], &found["maxzoom"]), (&json!("mvt"), &json!(4)), "{found}");
        let item = made.id();
        assert_eq!(world.get(&format!("/api/v1/items/{item}")).await.ok(200).body, made.body);
        let held = world.get(&format!("/api/v1/collections/{collection}")).await.ok(200).body;
        assert_eq!((&held["name"], &held["item_ids"]), (&json!("Maps"), &json!([item])));
        let second = map.item(None).await;
        let newest = world.get("/api/v1/items?limit=1").await.ok(200).body;
        assert_eq!((&newest["records"][0]["id"], &newest["total"]), (&json!(second), &json!(2)));
        let cursor = newest["next_cursor"].as_str().unwrap();
        let rest = world.get(&format!("/api/v1/items?limit=1&cursor={cursor}")).await.ok(200).body;
        assert_eq!(rest["records"], json!([made.body]));
        assert_eq!(world.get("/api/v1/collections").await.ok(200).body["records"], json!([held]));
        let projects = world.get("/api/v1/projects").await.ok(200).body;
        assert_eq!(
            (&projects["records"][0]["id"], &projects["records"][0]["name"]),
            (&json!(map.project), &json!("Atlas"))
        );
    }
}

#[tokio::test]
async fn mistakes_are_named_by_place_and_register_nothing() {
    for map in Map::all().await {
        let world = &map.world;
        let long = "a".repeat(MAX_NAME_CHARS + 1);
        for (path, body, place) in [
            ("/api/v1/projects", json!({"name": ""}), "/name"),
            ("/api/v1/projects", json!({"name": long}), "/name"),
            ("/api/v1/projects", json!({"name": 1}), "/name"),
            ("/api/v1/projects", json!({}), ""),
            ("/api/v1/projects", json!({"name": "x", "colour": "red"}), "/colour"),
            ("/api/v1/collections", json!({"name": long, "project_id": map.project}), "/name"),
            ("/api/v1/collections", json!({"name": "x", "project_id": NOBODYS}), "/project_id"),
            ("/api/v1/collections", json!({"name": "x", "project_id": "x"}), "/project_id"),
        ] {
            refused_at(&world.post(path, body).await, place);
        }
        let elsewhere = world.post("/api/v1/projects", json!({"name": "Other"})).await.ok(201).id();
        let foreign = json!({"name": "Other", "project_id": elsewhere});
        let foreign = world.post("/api/v1/collections", foreign).await.ok(201).id();
        world.edge.store("acme/broken", Probed::Broken("its directory is no directory".to_owned()));
        world.edge.store("globex/a", archive());
        let profile = |name: &str, key: &str| json!({"name": name, "key": key});
        let good = profile("a", "acme/a");
        for (field, value, place) in [
            ("name", json!(""), "/name"),
            ("name", json!(long), "/name"),
            ("attribution", json!("a".repeat(501)), "/attribution"),
            ("project_id", json!(NOBODYS), "/project_id"),
            ("collection_id", json!(NOBODYS), "/collection_id"),
            ("collection_id", json!(foreign), "/collection_id"),
            ("profiles", json!([]), "/profiles"),
            ("profiles", json!(vec![&good; 9]), "/profiles"),
            ("profiles", json!([good, profile("a", "acme/b")]), "/profiles/1/name"),
            ("profiles", json!([profile("A", "acme/a")]), "/profiles/0/name"),
            ("profiles", json!([profile("../a", "acme/a")]), "/profiles/0/name"),
            ("profiles", json!([profile("", "acme/a")]), "/profiles/0/name"),
            ("profiles", json!([profile(&"a".repeat(33), "acme/a")]), "/profiles/0/name"),
            ("profiles", json!([good, profile("b", "globex/a")]), "/profiles/1/key"),
            ("profiles", json!([profile("a", "acme/../globex/a")]), "/profiles/0/key"),
            ("profiles", json!([profile("a", "acme/")]), "/profiles/0/key"),
            ("profiles", json!([good, profile("b", "acme/nothing")]), "/profiles/1/key"),
            ("profiles", json!([profile("a", "acme/broken")]), "/profiles/0/key"),
        ] {
            let mut body = map.item_in(None);
            body[field] = value;
            let answer = world.post("/api/v1/items", body.clone()).await;
            refused_at(&answer, place);
            if body["profiles"][0]["key"] == "acme/broken" {
                assert!(answer.body.to_string().contains("its directory is no directory"), "{answer:?}");
            }
        }
        world.edge.set(Mood::Fails);
        world.post("/api/v1/items", map.item_in(None)).await.refused(503, "SERVICE_UNAVAILABLE");
        assert_eq!(map.total("/api/v1/items").await, 0);
    }
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    for map in Map::all().await {
        let world = &map.world;
        let collection = map.collection().await;
        let item = map.item(Some(&collection)).await;
        let links = [map.link("item", &item).await, map.link("collection", &collection).await];
        let stranger = world.key("globex", &Scope::ALL).await;
        let call = async |method: Method, path: &str, body: Option<Value>| {
            let body = body.map(|body| body.to_string());
            world.raw(method, path, body, &[("x-api-key", &stranger)]).await
        };
        for path in [format!("/api/v1/items/{item}"), format!("/api/v1/collections/{collection}")] {
            call(Method::GET, &path, None).await.refused(404, "NOT_FOUND");
            call(Method::DELETE, &path, None).await.refused(404, "NOT_FOUND");
        }
        for path in ["/api/v1/projects", "/api/v1/collections", "/api/v1/items"] {
            assert_eq!(call(Method::GET, path, None).await.ok(200).body["total"], 0);
        }
        let body = json!({"name": "x", "project_id": map.project});
        refused_at(&call(Method::POST, "/api/v1/collections", Some(body)).await, "/project_id");
        let project = call(Method::POST, "/api/v1/projects", Some(json!({"name": "x"}))).await.ok(201).id();
        world.edge.store("globex/a", archive());
        let mut body = map.item_in(Some(&collection));
        body["profiles"][0]["key"] = json!("globex/a");
        refused_at(&call(Method::POST, "/api/v1/items", Some(body.clone())).await, "/project_id");
        body["project_id"] = json!(project);
        refused_at(&call(Method::POST, "/api/v1/items", Some(body)).await, "/collection_id");
        for (kind, target) in [("item", &item), ("collection", &collection)] {
            problem(&call(Method::POST, CREATE_LINK, Some(new_link(kind, target))).await, 404);
        }
        for link in &links {
            let revoke = json!({"link_id": link["id"]});
            problem(&call(Method::POST, REVOKE_LINK, Some(revoke)).await, 404);
            assert!(map.is_open(link));
        }
    }
}

#[tokio::test]
async fn a_link_is_made_and_revoked_and_only_by_its_own_kind_of_id() {
    for map in Map::all().await {
        let item = map.item(None).await;
        for (kind, target) in [("item", NOBODYS), ("collection", item.as_str()), ("item", "x"), ("item", "")]
        {
            problem(&map.world.post(CREATE_LINK, new_link(kind, target)).await, 404);
        }
        let (one, other) = (map.link("item", &item).await, map.link("item", &item).await);
        assert_ne!(one["token"], other["token"], "many links may be of one item");
        for id in ["", "lnk_", one["id"].as_str().unwrap().trim_start_matches("lnk_"), &item] {
            problem(&map.world.post(REVOKE_LINK, json!({"link_id": id})).await, 404);
        }
        // A dashboard's link is none here, by whatever id.
        let dashboard = map.world.share().await;
        let id = dashboard["id"].as_str().unwrap().replace('-', "");
        problem(&map.world.post(REVOKE_LINK, json!({"link_id": format!("lnk_{id}")})).await, 404);
        for _ in 0..2 {
            let revoked = map.revoke(&one).await.ok(200).body;
            assert_eq!(revoked, json!({"ok": true, "id": one["id"], "effective": "live"}));
        }
        assert!(!map.is_open(&one) && map.is_open(&other));
    }
}

#[tokio::test]
async fn a_change_of_a_collection_changes_its_links() {
    for map in Map::all().await {
        let collection = map.collection().await;
        let link = map.link("collection", &collection).await;
        let (revision, view) = map.at_edge(&link);
        assert!(opened_collection(view).items.is_empty());
        let item = map.item(Some(&collection)).await;
        let (next, view) = map.at_edge(&link);
        let items = opened_collection(view).items;
        assert_eq!((next, items.len(), items[0].id.to_string()), (revision + 1, 1, item));
    }
}

#[tokio::test]
async fn a_deleted_item_takes_its_links_along_and_leaves_its_collection() {
    for map in Map::all().await {
        let world = &map.world;
        let collection = map.collection().await;
        let (gone, kept) = (map.item(Some(&collection)).await, map.item(Some(&collection)).await);
        let links = [map.link("item", &gone).await, map.link("item", &gone).await];
        let others = [map.link("item", &kept).await, map.link("collection", &collection).await];
        let path = format!("/api/v1/items/{gone}");
        world.delete(&path).await.ok(204);
        assert!(links.iter().all(|link| !map.is_open(link)));
        assert_eq!(map.at_edge(&others[0]).0, 1);
        let (revision, view) = map.at_edge(&others[1]);
        let items = opened_collection(view).items;
        assert_eq!((revision, items.len(), items[0].id.to_string()), (2, 1, kept.clone()));
        world.get(&path).await.refused(404, "NOT_FOUND");
        world.delete(&path).await.refused(404, "NOT_FOUND");
        problem(&world.post(CREATE_LINK, new_link("item", &gone)).await, 404);
        let held = world.get(&format!("/api/v1/collections/{collection}")).await.ok(200).body;
        assert_eq!(held["item_ids"], json!([kept]));
        assert_eq!(map.total("/api/v1/items").await, 1);
        assert_eq!(map.revoke(&links[0]).await.ok(200).body["ok"], true);
        let audit = world.get("/api/v1/audit?limit=100").await.ok(200).body;
        let row = audit["records"].as_array().unwrap().iter().find(|row| row["action"] == "item.delete");
        assert_eq!(row.unwrap()["subject"], json!(gone));
    }
}

#[tokio::test]
async fn a_deleted_collection_takes_its_links_along_and_leaves_its_items() {
    for map in Map::all().await {
        let world = &map.world;
        let collection = map.collection().await;
        let item = map.item(Some(&collection)).await;
        let (own, items) = (map.link("collection", &collection).await, map.link("item", &item).await);
        let path = format!("/api/v1/collections/{collection}");
        world.delete(&path).await.ok(204);
        assert!(!map.is_open(&own) && map.is_open(&items));
        world.get(&path).await.refused(404, "NOT_FOUND");
        world.delete(&path).await.refused(404, "NOT_FOUND");
        problem(&world.post(CREATE_LINK, new_link("collection", &collection)).await, 404);
        let left = world.get(&format!("/api/v1/items/{item}")).await.ok(200).body;
        assert_eq!(left["collection_id"], Value::Null);
        refused_at(&world.post("/api/v1/items", map.item_in(Some(&collection))).await, "/collection_id");
        world.delete(&format!("/api/v1/items/{item}")).await.ok(204);
        assert!(!map.is_open(&items));
    }
}

#[tokio::test]
async fn a_deletion_that_the_edge_did_not_take_is_pending_and_delivered_later() {
    for map in Map::all().await {
        let item = map.item(None).await;
        let link = map.link("item", &item).await;
        map.world.edge.set(Mood::Fails);
        map.world.delete(&format!("/api/v1/items/{item}")).await.ok(202);
        assert!(map.is_open(&link));
        assert_eq!(map.revoke(&link).await.ok(200).body["effective"], "pending");
        map.world.edge.set(Mood::Takes);
        while map.is_open(&link) {
            map.world.pass(Duration::from_secs(10));
            let _moved_on = tokio::time::timeout(Duration::from_millis(100), map.world.edge.changed()).await;
        }
    }
}

#[tokio::test]
async fn an_idempotency_key_makes_one_thing() {
    for map in Map::all().await {
        let world = &map.world;
        let collection = map.collection().await;
        let item = map.item(None).await;
        for (path, status, body, other) in [
            ("/api/v1/projects", 201, json!({"name": "x"}), json!({"name": "y"})),
            (
                "/api/v1/collections",
                201,
                json!({"name": "x", "project_id": map.project}),
                json!({"name": "y", "project_id": map.project}),
            ),
            ("/api/v1/items", 201, map.item_in(Some(&collection)), map.item_in(None)),
            (CREATE_LINK, 200, new_link("item", &item), new_link("collection", &collection)),
        ] {
            let call = async |body: &Value| {
                let once = [("idempotency-key", path)];
                world.call(Method::POST, path, Some(body.clone()), &once).await
            };
            let first = call(&body).await.ok(status);
            assert!(!first.headers.contains_key("idempotent-replayed"));
            let again = call(&body).await.ok(status);
            assert_eq!(again.body, first.body, "{path}");
            assert_eq!(call(&other).await.status, 422, "{path}");
        }
        assert_eq!(map.total("/api/v1/projects").await, 2);
        assert_eq!(map.total("/api/v1/collections").await, 2);
        assert_eq!(map.total("/api/v1/items").await, 2);
        assert_eq!(world.edge.live().len(), 1);
    }
}

#[tokio::test]
async fn a_collection_has_so_many_items_and_no_more() {
    for map in Map::all().await {
        let collection = map.collection().await;
        let link = map.link("collection", &collection).await;
        let first = map.item(Some(&collection)).await;
        for _ in 1..MAX_ITEMS {
            map.item(Some(&collection)).await;
        }
        let more = map.item_in(Some(&collection));
        map.world.post("/api/v1/items", more.clone()).await.refused(409, "CONFLICT");
        assert_eq!(map.total("/api/v1/items").await, MAX_ITEMS);
        map.world.delete(&format!("/api/v1/items/{first}")).await.ok(204);
        map.world.post("/api/v1/items", more).await.ok(201);
        assert_eq!(opened_collection(map.at_edge(&link).1).items.len(), MAX_ITEMS);
    }
}
