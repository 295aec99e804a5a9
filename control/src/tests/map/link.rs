//! How long and how often a link to a map opens, and what a repeated request is answered.

use super::super::world::Answered;
use super::{CREATE_LINK, Map, NOBODYS, archive, new_link, problem};
use http::Method;
use serde_json::{Value, json};
use shared::call::Probed;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
const LIMITS: &str = "/api/v1/organization/limits";

async fn limit(map: &Map, limits: Value) {
    map.world.call(Method::PUT, LIMITS, Some(limits), &[]).await.ok(200);
}

/// A request under an `Idempotency-Key`, which is the path.
async fn once(map: &Map, path: &str, body: &Value) -> Answered {
    map.world.call(Method::POST, path, Some(body.clone()), &[("idempotency-key", path)]).await
}

#[tokio::test]
async fn a_link_lives_for_a_year_unless_its_organization_says_otherwise() {
    for map in Map::all().await {
        let item = map.item(None).await;
        let create = async |expires_at: &str| {
            let mut body = new_link("item", &item);
            body["expires_at"] = json!(expires_at);
            map.world.post(CREATE_LINK, body).await
        };
        let refused = |answer: &Answered| {
            assert_eq!(
                (answer.status.as_u16(), &answer.body["detail"][0]["loc"]),
                (422, &json!(["body", "expires_at"]))
            );
        };
        create("2027-01-01T00:00:00Z").await.ok(200);
        refused(&create("2027-01-01T00:00:01Z").await);
        refused(&create("2026-01-01T00:00:00Z").await);
        limit(&map, json!({"max_life_seconds": 3 * 366 * 24 * 3_600})).await;
        create("2029-01-01T00:00:00Z").await.ok(200);
        refused(&create("2029-01-06T00:00:00Z").await);
        limit(&map, json!({"max_life_seconds": 60})).await;
        refused(&create("2026-01-01T00:02:00Z").await);
        create("2026-01-01T00:01:00Z").await.ok(200);
    }
}

#[tokio::test]
async fn an_organizations_count_is_that_of_its_links_to_maps() {
    for map in Map::all().await {
        let item = map.item(None).await;
        limit(&map, json!({"default_max_access_count": 3, "max_access_count": 5})).await;
        let link = map.link("item", &item).await;
        let found = &map.world.get("/api/v1/shares").await.ok(200).body["records"][0];
        assert_eq!((&found["link_id"], &found["max_access_count"]), (&link["id"], &json!(3)));
        limit(&map, json!({"max_access_count": 2})).await;
        map.link("item", &item).await;
        let found = &map.world.get("/api/v1/shares").await.ok(200).body["records"][0];
        assert_eq!(found["max_access_count"], 2);
    }
}

#[tokio::test]
async fn a_repeated_request_is_answered_with_what_it_made_whatever_has_changed_since() {
    for map in Map::all().await {
        let item = once(&map, "/api/v1/items", &map.item_in(None)).await.ok(201);
        let mut body = new_link("item", &item.id());
        body["expires_at"] = json!("2026-01-01T01:00:00Z");
        let link = once(&map, CREATE_LINK, &body).await.ok(200);
        let replayed = |again: &Answered, first: &Answered| {
            assert_eq!(
                (again.status, &again.headers["idempotent-replayed"]),
                (first.status, &"true".parse().unwrap())
            );
            assert_eq!(again.body, first.body);
        };
        map.world.pass(DAY / 2);
        replayed(&once(&map, CREATE_LINK, &body).await, &link);
        map.world.edge.store("acme/a", Probed::Missing);
        replayed(&once(&map, "/api/v1/items", &map.item_in(None)).await, &item);
        // A day later the key is forgotten, and the request is judged anew.
        map.world.pass(DAY / 2);
        assert_eq!(once(&map, CREATE_LINK, &body).await.status, 422);
        assert_eq!(once(&map, "/api/v1/items", &map.item_in(None)).await.status, 422);
        map.world.edge.store("acme/a", archive());
        let nobodys = new_link("item", NOBODYS);
        problem(&once(&map, CREATE_LINK, &nobodys).await, 404);
    }
}
