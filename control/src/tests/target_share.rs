//! One list of all shares, whatever they open, and what can be done with each of them.

use super::map::Map;
use super::usage::{key, usage};
use super::world::World;
use crate::auth::Scope;
use http::Method;
use serde_json::{Value, json};
use shared::call::USAGE_PATH;
use std::collections::BTreeSet;

const CSV: &str = "name,births\nAda,3\n";

/// Shares of each kind: of a dashboard, a data product, an item and a collection.
async fn shares(map: &Map) -> [String; 4] {
    let world = &map.world;
    let dashboard = world.share().await["id"].as_str().unwrap().to_owned();
    let product = world.post("/api/v1/data-products", json!({"name": "Births"})).await.ok(201).id();
    let path = format!("/api/v1/data-products/{product}/file");
    world.send(Method::PUT, &path, "text/csv", CSV).await.ok(200);
    world.post(&format!("/v1/data-products/{product}/share"), json!({})).await.ok(200);
    let linked = find(world, "target_type=data_product").await;
    let product = linked["records"][0]["id"].as_str().unwrap().to_owned();
    let (item, collection) = (map.item(None).await, map.collection().await);
    let link = async |kind, target: &str| {
        let id = map.link(kind, target).await["id"].as_str().unwrap().to_owned();
        uuid::Uuid::parse_str(id.trim_start_matches("lnk_")).unwrap().to_string()
    };
    [dashboard, product, link("item", &item).await, link("collection", &collection).await]
}

async fn find(world: &World, query: &str) -> Value {
    world.get(&format!("/api/v1/shares?{query}")).await.ok(200).body
}

fn ids(list: &Value) -> BTreeSet<String> {
    list["records"].as_array().unwrap().iter().map(|share| share["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn all_shares_are_in_one_list_and_its_filters_hold() {
    for map in Map::all().await {
        let world = &map.world;
        let shares = shares(&map).await;
        // A context is no link: it has an API of its own.
        world.post("/api/v1/share-contexts", json!({"name": "Partners"})).await.ok(201);
        let all = find(world, "").await;
        assert_eq!((&all["total"], ids(&all)), (&json!(4), shares.iter().cloned().collect()));
        for (share, kind) in shares.iter().zip(["dashboard", "data_product", "item", "collection"]) {
            let found = find(world, &format!("target_type={kind}")).await;
            assert_eq!((&found["total"], ids(&found)), (&json!(1), BTreeSet::from([share.clone()])));
            let found = &found["records"][0];
            assert_eq!(found["target_type"], kind);
            let of_target = find(world, &format!("target_id={}", found["target_id"].as_str().unwrap())).await;
            assert_eq!(ids(&of_target), BTreeSet::from([share.clone()]));
            assert_eq!(&world.get(&format!("/api/v1/shares/{share}")).await.ok(200).body, found);
            let is_map = matches!(kind, "item" | "collection");
            assert_eq!((found["link_id"].is_string(), found["tile_budget"] == 100_000), (is_map, is_map));
            assert_eq!((found["has_password"] == true, &found["status"]), (is_map, &json!("active")));
            assert!(found["url"].as_str().unwrap().ends_with(found["token"].as_str().unwrap()));
        }
        let protected = find(world, "protection=password&limit=1").await;
        assert_eq!((&protected["total"], protected["next_cursor"].is_string()), (&json!(2), true));
        for (query, place) in [
            ("target_type=context", "/target_type"),
            ("target_type=", "/target_type"),
            ("target_id=x", "/target_id"),
            ("dashboard_id=x", "/dashboard_id"),
            ("status=dead", "/status"),
            ("colour=red", "/colour"),
        ] {
            let answer = world.get(&format!("/api/v1/shares?{query}")).await;
            answer.refused(422, "VALIDATION_ERROR");
            assert_eq!(answer.body["errors"][0]["instancePath"], place);
        }
        let stranger = world.key("globex", &Scope::ALL).await;
        let call = async |method: Method, path: &str| {
            world.raw(method, path, None, &[("x-api-key", &stranger)]).await
        };
        assert_eq!(call(Method::GET, "/api/v1/shares").await.ok(200).body["total"], 0);
        for share in &shares {
            let path = format!("/api/v1/shares/{share}");
            call(Method::GET, &path).await.refused(404, "NOT_FOUND");
            call(Method::DELETE, &path).await.refused(404, "NOT_FOUND");
        }
        assert_eq!(find(world, "status=active").await["total"], 4);
    }
}

#[tokio::test]
async fn any_share_is_rotated_and_revoked_by_its_id() {
    for map in Map::all().await {
        let world = &map.world;
        for share in shares(&map).await {
            let path = format!("/api/v1/shares/{share}");
            let before = world.get(&path).await.ok(200).body;
            let rotate = format!("{path}/rotate");
            let once = [("idempotency-key", rotate.as_str())];
            let rotated = world.call(Method::POST, &rotate, None, &once).await.ok(200);
            assert_eq!(
                (&rotated.body["generation"], &rotated.body["effective"]),
                (&json!(2), &json!("live"))
            );
            assert_eq!(rotated.body["has_password"], before["has_password"]);
            let records = world.edge.records();
            assert!(records[&key(&before)].live.is_none() && records[&key(&rotated.body)].live.is_some());
            let again = world.call(Method::POST, &rotate, None, &once).await.ok(200);
            assert_eq!(
                (&again.body, again.headers.contains_key("idempotent-replayed")),
                (&rotated.body, true)
            );
            for revoked in [true, false] {
                let answer = world.delete(&path).await.ok(200).body;
                assert_eq!((&answer["revoked"], &answer["effective"]), (&json!(revoked), &json!("live")));
            }
            assert!(world.edge.records()[&key(&rotated.body)].live.is_none());
            world.call(Method::POST, &rotate, None, &[]).await.refused(409, "CONFLICT");
            let revoked = world.get(&path).await.ok(200).body;
            assert_eq!((&revoked["status"], &revoked["token"]), (&json!("revoked"), &Value::Null));
        }
        assert_eq!(find(world, "status=revoked").await["total"], 4);
    }
}

#[tokio::test]
async fn the_password_of_a_link_to_a_map_is_changed_and_never_removed() {
    for map in Map::all().await {
        let world = &map.world;
        let link = map.link("item", &map.item(None).await).await;
        let share = find(world, "target_type=item").await["records"][0].clone();
        let path = format!("/api/v1/shares/{}", share["id"].as_str().unwrap());
        let password = format!("{path}/password");
        let version = || map.live(&link).protection.version;
        let set = async |password_: &str| {
            world.call(Method::PUT, &password, Some(json!({"password": password_})), &[]).await
        };
        assert_eq!(version(), 1);
        let short = set("seven77").await;
        short.refused(422, "VALIDATION_ERROR");
        assert_eq!(short.body["errors"][0]["instancePath"], "/password");
        set("battery staple").await.ok(200);
        assert_eq!(version(), 2);
        world.delete(&password).await.refused(409, "CONFLICT");
        assert_eq!(version(), 2);
        // A lock that a gate has told of ends by the owner's word.
        let locked = json!({"key": key(&link), "usage": usage(3, 7, Some(1_767_225_700_000), Some(1_767_226_500_000), 2)});
        world.signed(USAGE_PATH, &locked).await.ok(204);
        let told = world.get(&path).await.ok(200).body;
        assert_eq!((&told["access_count"], &told["open_count"]), (&json!(3), &json!(7)));
        assert!(told["password_locked_until"].is_string(), "{told}");
        let reset = world.delete(&format!("{password}/attempts")).await.ok(200).body;
        assert_eq!(reset["password_locked_until"], Value::Null);
        assert_eq!(map.live(&link).protection.resets, 3);
    }
}
