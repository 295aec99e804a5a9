//! What the edge asks of the data plane, and what it is refused.

use super::world::World;
use crate::store;
use http::Method;
use serde_json::{Value, json};
use shared::call::{EXECUTE_PATH, OPTIONS_PATH};
use shared::model::filter::Kind;
use shared::model::policy::{Mode, Policy};
use std::time::Duration;

async fn execute(world: &World, share: &Value, parameters: Value) -> super::world::Answered {
    let call = json!({"share_id": share["id"], "revision": share["revision"], "parameters": parameters});
    world.signed(EXECUTE_PATH, &call).await
}

#[tokio::test]
async fn filters_narrow_rows() {
    let world = World::new().await;
    let share = world.share().await;
    let days = async |parameters: Value| {
        let answer = execute(&world, &share, parameters).await.ok(200);
        assert_eq!(answer.headers["x-postern-cacheable"], "1");
        answer.body["panels"][0]["rows"][0][0].as_u64().unwrap()
    };
    assert_eq!(days(json!({})).await, 4);
    assert_eq!(days(json!({"location": "Seattle"})).await, 2);
    assert_eq!(days(json!({"location": "Seattle' OR '1'='1"})).await, 0);
    assert_eq!(days(json!({"weather": ["sun", "snow"]})).await, 3);
    assert_eq!(days(json!({"weather": []})).await, 4);
    assert_eq!(days(json!({"period": {"start": "2024-01-02", "end": null}})).await, 2);
    assert_eq!(days(json!({"period_end": "2024-01-01"})).await, 2);
    assert_eq!(days(json!({"wet": true})).await, 2);
    assert_eq!(days(json!({"wet": true, "location": "New York", "weather": ["sun"]})).await, 0);
    let answer = execute(&world, &share, json!({})).await.ok(200).body;
    assert_eq!(answer["panels"][1]["columns"][1], json!({"name": "date", "type": "date"}));
    assert_eq!(answer["panels"][1]["rows"][3], json!(["Seattle", "2024-01-02", 1.5, "rain"]));
    assert_eq!(answer["generated_at"], "2026-01-01T00:00:00.007Z");
}

/// Gives a share a rule as the database holds it.
async fn lock_location(world: &World, share: &Value) {
    let mut session = world.app.service.store.write().await.unwrap();
    let id = share["id"].as_str().unwrap().parse().unwrap();
    let mut share = store::share::any(&mut session, id).await.unwrap().unwrap();
    share.rules.policies = vec![Policy {
        filter_slug: "location".to_owned(),
        filter_kind: Kind::Select,
        mode: Mode::Locked,
        allowed_values: vec![json!("Seattle")],
        default: None,
        hidden: true,
    }];
    store::share::update(&mut session, &share).await.unwrap();
    session.commit().await.unwrap();
}

#[tokio::test]
async fn options_are_searched_and_narrowed() {
    let world = World::new().await;
    let share = world.share().await;
    let options = async |slug: &str, search: Option<&str>| {
        let call = json!({"share_id": share["id"], "revision": share["revision"], "parameters": {},
            "filter_slug": slug, "search": search});
        world.signed(OPTIONS_PATH, &call).await
    };
    let values = |answer: super::world::Answered| {
        let answer = answer.ok(200).body;
        answer["options"]
            .as_array()
            .unwrap()
            .iter()
            .map(|option| option["label"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(values(options("weather", None).await), ["RAIN", "SNOW", "SUN"]);
    assert_eq!(values(options("weather", Some("s")).await), ["SNOW", "SUN"]);
    assert_eq!(values(options("weather", Some("' OR 1 = 1 --")).await), Vec::<String>::new());
    options("location", None).await.refused(403, "FILTER_DISABLED_BY_POLICY");
    options("nothing", None).await.refused(403, "FILTER_DISABLED_BY_POLICY");

    // What the share locks narrows options too, or viewers would learn other tenants' values (API.md 1.k).
    lock_location(&world, &share).await;
    assert_eq!(values(options("weather", None).await), ["RAIN", "SUN"]);
    execute(&world, &share, json!({"location": "New York"}))
        .await
        .refused(400, "SHARE_FILTER_POLICY_VIOLATION");
    let rows = execute(&world, &share, json!({})).await.ok(200).body;
    assert_eq!(rows["panels"][0]["rows"], json!([[2]]));
}

#[tokio::test]
async fn the_edges_word_is_checked_again() {
    let world = World::new().await;
    let share = world.share().await;
    execute(&world, &share, json!({"nothing": 1})).await.refused(400, "SHARE_FILTER_POLICY_VIOLATION");
    execute(&world, &share, json!({"wet": "yes"})).await.refused(400, "SHARE_FILTER_POLICY_VIOLATION");
    let call = json!({"share_id": share["id"], "revision": 1, "parameters": {}});
    world.raw(Method::POST, EXECUTE_PATH, Some(call.to_string()), &[]).await.refused(401, "UNAUTHORIZED");
    world.call(Method::POST, EXECUTE_PATH, Some(call), &[]).await.refused(401, "UNAUTHORIZED");
    let mut other = share.clone();
    other["revision"] = json!(7);
    assert_eq!(execute(&world, &other, json!({})).await.ok(409).body, json!({"error_code": "STALE"}));
    other["id"] = json!("0190a8c0-0000-7000-8000-000000000001");
    assert_eq!(execute(&world, &other, json!({})).await.ok(410).body, json!({"error_code": "DEAD"}));
    let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
    let expiring = json!({"expires_at": "2026-01-01T00:01:00Z"});
    let share = world.call(Method::PATCH, &path, Some(expiring), &[]).await.ok(200).body;
    execute(&world, &share, json!({})).await.ok(200);
    world.pass(Duration::from_mins(1));
    execute(&world, &share, json!({})).await.ok(410);
    let scheduled = json!({"expires_at": null, "not_before": "2026-01-01T00:02:00.007Z"});
    let share = world.call(Method::PATCH, &path, Some(scheduled), &[]).await.ok(200).body;
    world.pass(Duration::from_millis(59_999));
    execute(&world, &share, json!({})).await.ok(410);
    world.pass(Duration::from_millis(1));
    execute(&world, &share, json!({})).await.ok(200);
}

#[tokio::test]
async fn a_failed_query_tells_nothing_of_the_schema() {
    let world = World::new().await;
    let share = world.share().await;
    let url = secrecy::ExposeSecret::expose_secret(&world.config.database_url).to_owned();
    let folder = std::path::Path::new(url.strip_prefix("sqlite://").unwrap())
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned();
    let file = rusqlite::Connection::open(folder.join("weather.db")).unwrap();
    file.execute_batch("ALTER TABLE weather RENAME TO climate").unwrap();
    let answer = execute(&world, &share, json!({})).await.ok(200);
    assert_eq!(answer.headers["x-postern-cacheable"], "0");
    let error = &answer.body["panels"][0]["error"];
    assert_eq!(error, &json!({"error": "The query failed.", "error_code": "DB_QUERY_ERROR"}));
    let call = json!({"share_id": share["id"], "revision": 1, "parameters": {}, "filter_slug": "weather"});
    let answer = world.signed(OPTIONS_PATH, &call).await;
    answer.refused(400, "DB_QUERY_ERROR");
    assert!(!answer.body.to_string().contains("weather"), "{answer:?}");
}
