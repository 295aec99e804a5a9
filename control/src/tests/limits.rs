//! What an organization demands of its shares, on both databases.

use super::world::{Answered, World};
use crate::auth::Scope;
use http::Method;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/organization/limits";

async fn put(world: &World, limits: Value) -> Answered {
    world.call(Method::PUT, PATH, Some(limits), &[]).await
}

fn none() -> Value {
    json!({
        "default_life_seconds": null, "max_life_seconds": null, "default_max_access_count": null,
        "max_access_count": null, "password_required": false,
    })
}

#[tokio::test]
async fn limits_are_replaced_and_noted() {
    for world in World::all().await {
        assert_eq!(world.get(PATH).await.ok(200).body, none());
        let limits = json!({
            "default_life_seconds": 60, "max_life_seconds": 3_600, "default_max_access_count": 10,
            "max_access_count": 100, "password_required": true,
        });
        assert_eq!(put(&world, limits.clone()).await.ok(200).body, limits);
        assert_eq!(world.get(PATH).await.ok(200).body, limits);
        let audit = world.get("/api/v1/audit").await.ok(200).body;
        let row = &audit["records"][0];
        assert_eq!((&row["action"], &row["detail"]), (&json!("organization.limits_set"), &limits));
        let stranger = world.key("globex", &Scope::ALL).await;
        let others = world.raw(Method::GET, PATH, None, &[("x-api-key", &stranger)]).await.ok(200).body;
        assert_eq!(others, none());
        for (bad, pointer) in [
            (json!({"max_life_seconds": 0}), "/max_life_seconds"),
            (json!({"max_life_seconds": -1}), "/max_life_seconds"),
            (json!({"default_life_seconds": 61, "max_life_seconds": 60}), "/default_life_seconds"),
            (json!({"default_max_access_count": 2, "max_access_count": 1}), "/default_max_access_count"),
            (json!({"max_access_count": 0}), "/max_access_count"),
            (json!({"password_required": "yes"}), "/password_required"),
            (json!({"colour": 1}), "/colour"),
        ] {
            let answer = put(&world, bad).await;
            answer.refused(422, "VALIDATION_ERROR");
            assert_eq!(answer.body["errors"][0]["instancePath"], pointer);
        }
        assert_eq!(world.get(PATH).await.ok(200).body, limits, "what is refused changes nothing");
        assert_eq!(put(&world, json!({})).await.ok(200).body, none());
    }
}

#[tokio::test]
async fn whoever_makes_shares_does_not_lift_them() {
    for world in World::all().await {
        let limits = json!({"max_life_seconds": 3_600});
        put(&world, limits).await.ok(200);
        let maker = world.key("acme", &[Scope::SharesRead, Scope::SharesWrite]).await;
        let key = [("x-api-key", maker.as_str())];
        let lifted = world.raw(Method::PUT, PATH, Some("{}".to_owned()), &key).await;
        lifted.refused(403, "FORBIDDEN");
        assert!(lifted.body["error"].as_str().unwrap().contains("organization:write"));
        assert_eq!(world.raw(Method::GET, PATH, None, &key).await.ok(200).body["max_life_seconds"], 3_600);
        let admin = world.key("acme", &[Scope::OrganizationWrite]).await;
        world.raw(Method::PUT, PATH, Some("{}".to_owned()), &[("x-api-key", &admin)]).await.ok(200);
    }
}

#[tokio::test]
async fn new_and_changed_shares_keep_within_them() {
    for world in World::all().await {
        let old = world.share().await;
        let list = format!("/api/v1/dashboards/{}/shares", old["dashboard_id"].as_str().unwrap());
        let limits = json!({
            "default_life_seconds": 60, "max_life_seconds": 3_600, "default_max_access_count": 10,
            "max_access_count": 100,
        });
        put(&world, limits).await.ok(200);
        let create = async |fields: Value| {
            let mut body = json!({"name": "x", "share_type": "link"});
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            world.post(&list, body).await
        };
        let share = create(json!({})).await.ok(201).body;
        assert_eq!(share["expires_at"], "2026-01-01T00:01:00.007Z");
        assert_eq!(share["max_access_count"], 10);
        let share = create(json!({"expires_at": "2026-01-01T01:00:00Z", "max_access_count": 100})).await;
        let share = share.ok(201).body;
        let beyond = [json!({"expires_at": "2026-01-01T01:00:00.008Z"}), json!({"max_access_count": 101})];
        for fields in beyond {
            create(fields.clone()).await.refused(422, "VALIDATION_ERROR");
            let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
            world.call(Method::PATCH, &path, Some(fields), &[]).await.refused(422, "VALIDATION_ERROR");
        }
        let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
        for fields in [json!({"expires_at": null}), json!({"max_access_count": null})] {
            world.call(Method::PATCH, &path, Some(fields), &[]).await.refused(422, "VALIDATION_ERROR");
        }
        assert_eq!(world.get(&list).await.ok(200).body["total"], 3);

        // What exists keeps what it has, and may be changed in other ways.
        let path = format!("/api/v1/dashboard-shares/{}", old["id"].as_str().unwrap());
        let named = world.call(Method::PATCH, &path, Some(json!({"name": "New"})), &[]).await.ok(200).body;
        assert_eq!((&named["expires_at"], &named["max_access_count"]), (&Value::Null, &Value::Null));
    }
}

#[tokio::test]
async fn a_password_may_be_demanded() {
    for world in World::all().await {
        let old = world.share().await;
        let list = format!("/api/v1/dashboards/{}/shares", old["dashboard_id"].as_str().unwrap());
        put(&world, json!({"password_required": true, "max_access_count": 5})).await.ok(200);
        let body = |count: u64| json!({"name": "x", "share_type": "link", "password": "correct horse", "max_access_count": count});
        world.post(&list, json!({"name": "x", "share_type": "link"})).await.refused(409, "CONFLICT");
        world.post(&list, body(6)).await.refused(422, "VALIDATION_ERROR");
        assert_eq!(world.get(&list).await.ok(200).body["total"], 1, "what is refused makes nothing");
        let share = world.post(&list, body(5)).await.ok(201).body;
        let password =
            |share: &Value| format!("/api/v1/dashboard-shares/{}/password", share["id"].as_str().unwrap());
        world.delete(&password(&share)).await.refused(409, "CONFLICT");
        world
            .call(Method::PUT, &password(&share), Some(json!({"password": "battery staple"})), &[])
            .await
            .ok(200);
        // It had none before they were set.
        world.delete(&password(&old)).await.ok(200);
    }
}
