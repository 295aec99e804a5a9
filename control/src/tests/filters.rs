//! Lists of some shares, on both databases.

use super::world::World;
use http::Method;
use serde_json::{Value, json};
use shared::call::USAGE_PATH;
use shared::model::key::KeyRing;
use shared::model::token::locate;
use std::collections::BTreeSet;
use std::time::Duration;

async fn make(world: &World, dashboard: &str, fields: Value) -> Value {
    let mut body = json!({"name": "x", "share_type": "link"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    world.post(&format!("/api/v1/dashboards/{dashboard}/shares"), body).await.ok(201).body
}

/// The names of the shares of a list; `total` counts them.
async fn names(world: &World, path: &str) -> BTreeSet<String> {
    let list = world.get(path).await.ok(200).body;
    let records = list["records"].as_array().unwrap();
    assert_eq!(list["total"], records.len(), "{path}");
    records.iter().map(|share| share["name"].as_str().unwrap().to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn each_status_finds_the_shares_that_say_it() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let policy = json!([{"filter_slug": "wet", "filter_kind": "boolean", "mode": "disabled"}]);
        make(&world, &dashboard, json!({"name": "active"})).await;
        make(&world, &dashboard, json!({"name": "scheduled", "not_before": "2026-01-02T00:00:00Z"})).await;
        make(&world, &dashboard, json!({"name": "expired", "expires_at": "2026-01-01T00:01:00Z"})).await;
        make(&world, &dashboard, json!({"name": "closed", "share_filter_policies": policy})).await;
        let revoked = make(&world, &dashboard, json!({"name": "revoked"})).await;
        world.delete(&format!("/api/v1/dashboard-shares/{}", revoked["id"].as_str().unwrap())).await.ok(200);
        let spent = make(&world, &dashboard, json!({"name": "spent", "max_access_count": 1})).await;
        let ring = KeyRing::parse(super::world::ROOT, None).unwrap();
        let key = locate(&ring, spent["token"].as_str().unwrap()).unwrap();
        let usage =
            json!({"accesses": 1, "opens": 1, "last_opened_at": 1, "locked_until": null, "resets": 0});
        world.signed(USAGE_PATH, &json!({"key": key.as_str(), "usage": usage})).await.ok(204);
        let path = format!("/api/v1/dashboards/{dashboard}");
        let mut definition = super::world::definition(&world.source().await);
        definition["filters"].as_array_mut().unwrap().pop();
        definition["widgets"].as_array_mut().unwrap().remove(0);
        world.call(Method::PUT, &path, Some(definition), &[]).await.ok(200);
        world.pass(Duration::from_mins(1));

        for status in ["active", "scheduled", "expired", "spent", "revoked", "closed"] {
            for list in ["/api/v1/dashboard-shares".to_owned(), format!("{path}/shares")] {
                let found = world.get(&format!("{list}?status={status}")).await.ok(200).body;
                assert_eq!(found["total"], 1, "{status}: {found}");
                let share = &found["records"][0];
                assert_eq!((&share["name"], &share["status"]), (&json!(status), &json!(status)));
            }
        }
    }
}

#[tokio::test]
async fn filters_find_what_they_name() {
    for world in World::all().await {
        let (one, other) = (world.dashboard().await, world.dashboard_named("other").await);
        make(&world, &one, json!({"name": "Åsa 100%"})).await;
        make(&world, &one, json!({"name": "secret", "password": "correct horse"})).await;
        world.pass(Duration::from_secs(10));
        make(&world, &other, json!({"name": "both", "password": "correct horse", "max_access_count": 1}))
            .await;
        make(&world, &other, json!({"name": "counted", "max_access_count": 1})).await;
        let global = "/api/v1/dashboard-shares";
        let check = async |query: &str, expected: &[&str]| {
            assert_eq!(names(&world, &format!("{global}?{query}")).await, set(expected), "{query}");
        };
        check("", &["Åsa 100%", "secret", "both", "counted"]).await;
        check("protection=none", &["Åsa 100%"]).await;
        check("protection=password", &["secret", "both"]).await;
        check("protection=counted", &["counted"]).await;
        check("name_contains=SECR", &["secret"]).await;
        check("name_contains=%C3%A5SA", &["Åsa 100%"]).await;
        check("name_contains=A%CC%8As", &["Åsa 100%"]).await;
        check("name_contains=0%25", &["Åsa 100%"]).await;
        check("name_contains=%25", &["Åsa 100%"]).await;
        check("name_contains=_", &[]).await;
        check("name_contains=o", &["both", "counted"]).await;
        check(&format!("dashboard_id={one}"), &["Åsa 100%", "secret"]).await;
        check("dashboard_id=0190a8c0-0000-7000-8000-000000000001", &[]).await;
        check("created_before=2026-01-01T00:00:10.007Z", &["Åsa 100%", "secret"]).await;
        check("created_after=2026-01-01T00:00:10.007Z", &["both", "counted"]).await;
        check("created_after=2026-01-01T00:00:10.008Z", &[]).await;
        check(&format!("dashboard_id={other}&protection=password&status=active&name_contains=bo"), &["both"])
            .await;
        let of_one = format!("/api/v1/dashboards/{one}/shares");
        assert_eq!(names(&world, &format!("{of_one}?protection=password")).await, set(&["secret"]));
        let page = world.get(&format!("{global}?protection=password&limit=1")).await.ok(200).body;
        assert_eq!((&page["total"], &page["quantity"]), (&json!(2), &json!(1)));
        let cursor = page["next_cursor"].as_str().unwrap();
        let next = world.get(&format!("{global}?protection=password&limit=1&cursor={cursor}")).await.ok(200);
        assert_eq!(next.body["records"][0]["name"], "secret");
        let renamed = format!("{global}/{}", next.body["records"][0]["id"].as_str().unwrap());
        world.call(Method::PATCH, &renamed, Some(json!({"name": "ÉTÉ"})), &[]).await.ok(200);
        check("name_contains=t%C3%A9", &["ÉTÉ"]).await;

        for (query, field) in [
            ("status=dead", "/status"),
            ("protection=", "/protection"),
            ("name_contains=", "/name_contains"),
            ("name_contains=%00", "/name_contains"),
            ("dashboard_id=x", "/dashboard_id"),
            ("created_before=soon", "/created_before"),
            ("created_after=1", "/created_after"),
            ("ids=0190a8c0-0000-7000-8000-000000000001", "/ids"),
            ("colour=red", "/colour"),
            ("status=active&status=active", "/status"),
            ("limit=0", "/limit"),
        ] {
            let answer = world.get(&format!("{global}?{query}")).await;
            answer.refused(422, "VALIDATION_ERROR");
            assert_eq!(answer.body["errors"][0]["instancePath"], field, "{query}");
        }
        let answer = world.get(&format!("{of_one}?dashboard_id={one}")).await;
        answer.refused(422, "VALIDATION_ERROR");
        assert_eq!(answer.body["errors"][0]["instancePath"], "/dashboard_id");
    }
}
