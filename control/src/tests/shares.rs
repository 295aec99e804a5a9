//! Shares, from their making to their end, on both databases.

use super::world::World;
use crate::store::execute;
use http::Method;
use serde_json::{Value, json};
use shared::model::key::KeyRing;
use shared::model::token::locate;
use std::time::Duration;

fn record_key(share: &Value) -> String {
    let ring = KeyRing::parse(super::world::ROOT, None).unwrap();
    locate(&ring, share["token"].as_str().unwrap()).unwrap().as_str().to_owned()
}

#[tokio::test]
async fn a_share_is_made_rotated_and_revoked() {
    for world in World::all().await {
        let share = world.share().await;
        let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
        let token = share["token"].as_str().unwrap();
        assert_eq!(share["url"], format!("https://share.example/share/{token}"));
        assert_eq!((&share["effective"], &share["status"]), (&json!("live"), &json!("active")));
        assert_eq!((&share["generation"], &share["revision"]), (&json!(1), &json!(1)));
        assert_eq!(share["created_at"], "2026-01-01T00:00:00.007Z");
        let old = record_key(&share);
        let record = &world.edge.records()[&old];
        assert_eq!(record.live.as_ref().unwrap().organization.slug, "acme");
        assert!(!String::from_utf8(record.to_json()).unwrap().contains("SELECT"));
        assert_eq!(world.get(&path).await.ok(200).body, share);

        world.pass(Duration::from_secs(1));
        let rotated = world.post(&format!("{path}/rotate"), json!({})).await.ok(200).body;
        let new = record_key(&rotated);
        assert_ne!(rotated["token"], share["token"]);
        assert_eq!((&rotated["generation"], &rotated["created_at"]), (&json!(2), &share["created_at"]));
        assert_eq!(rotated["token_issued_at"], "2026-01-01T00:00:01.007Z");
        assert!(world.edge.records()[&old].live.is_none());
        assert!(world.edge.records()[&new].live.is_some());
        // The old link is dead before the new one lives.
        assert_eq!(world.edge.log()[1..], [(old.clone(), 2), (new.clone(), 2)]);

        let amended = world.call(
            Method::PATCH,
            &path,
            Some(json!({"name": "New", "expires_at": "2026-02-01T00:00:00Z"})),
            &[],
        );
        let amended = amended.await.ok(200).body;
        assert_eq!((&amended["name"], &amended["token"]), (&json!("New"), &rotated["token"]));
        let view = world.edge.records()[&new].live.clone().unwrap().share;
        assert_eq!((view.name.as_str(), view.expires_at.is_some()), ("New", true));

        assert_eq!(world.delete(&path).await.ok(200).body["revoked"], true);
        let again = world.delete(&path).await.ok(200).body;
        assert_eq!((&again["revoked"], &again["effective"]), (&json!(false), &json!("live")));
        assert!(world.edge.live().is_empty());
        let revoked = world.get(&path).await.ok(200).body;
        assert_eq!(
            (&revoked["status"], &revoked["token"], &revoked["url"]),
            (&json!("revoked"), &Value::Null, &Value::Null)
        );
        world.post(&format!("{path}/rotate"), json!({})).await.refused(409, "CONFLICT");
        world.call(Method::PATCH, &path, Some(json!({"name": "x"})), &[]).await.refused(409, "CONFLICT");

        let audit = world.get("/api/v1/audit").await.ok(200).body;
        let actions: Vec<&str> =
            audit["records"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
        assert_eq!(
            actions,
            [
                "share.revoke",
                "share.amend",
                "share.rotate",
                "share.create",
                "dashboard.create",
                "data_source.create",
                "api_key.create",
                "organization.create",
            ]
        );
    }
}

#[tokio::test]
async fn an_expired_share_says_so() {
    let world = World::new().await;
    let dashboard = world.dashboard().await;
    let path = format!("/api/v1/dashboards/{dashboard}/shares");
    let body = json!({"name": "x", "share_type": "link", "expires_at": "2026-01-01T00:01:00Z"});
    let share = world.post(&path, body.clone()).await.ok(201);
    world.pass(Duration::from_mins(1));
    let shown = world.get(&format!("/api/v1/dashboard-shares/{}", share.id())).await.ok(200).body;
    assert_eq!(shown["status"], "expired");
    world.post(&path, body).await.refused(422, "VALIDATION_ERROR");
}

#[tokio::test]
async fn a_repeated_request_is_answered_with_what_it_made() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let path = format!("/api/v1/dashboards/{dashboard}/shares");
        let body = json!({"name": "x", "share_type": "link"});
        let key = [("idempotency-key", "k1")];
        let post =
            async |path: &str, body: &Value| world.call(Method::POST, path, Some(body.clone()), &key).await;
        let first = post(&path, &body).await.ok(201);
        let second = post(&path, &body).await.ok(201);
        assert_eq!(first.body, second.body);
        assert_eq!(second.headers["idempotent-replayed"], "true");
        assert!(!first.headers.contains_key("idempotent-replayed"));
        assert_eq!(world.get(&path).await.body["total"], 1);
        post(&path, &json!({"name": "y", "share_type": "link"})).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
        let rotate = format!("/api/v1/dashboard-shares/{}/rotate", first.id());
        post(&rotate, &json!({})).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
        let rotated = world.call(Method::POST, &rotate, None, &[("idempotency-key", "k2")]).await.ok(200);
        let replayed = world.call(Method::POST, &rotate, None, &[("idempotency-key", "k2")]).await.ok(200);
        assert_eq!(
            (rotated.body["generation"].clone(), replayed.body["token"].clone()),
            (json!(2), rotated.body["token"].clone())
        );
        // After a day the key is free again.
        world.pass(Duration::from_hours(24));
        let anew = post(&path, &body).await.ok(201);
        assert_ne!(anew.id(), first.id());
    }
}

#[tokio::test]
async fn a_repeated_request_is_known_while_the_root_key_changes() {
    for mut world in World::all().await {
        let dashboard = world.dashboard().await;
        let path = format!("/api/v1/dashboards/{dashboard}/shares");
        let body = json!({"name": "x", "share_type": "link", "password": "correct horse"});
        let key = [("idempotency-key", "k1")];
        let first = world.call(Method::POST, &path, Some(body.clone()), &key).await.ok(201);
        world.change_root_key();
        let again = world.call(Method::POST, &path, Some(body), &key).await;
        assert_eq!(
            (again.id(), &again.headers["idempotent-replayed"]),
            (first.id(), &"true".parse().unwrap())
        );
        assert_eq!(again.body["token"], first.body["token"]);
        let other = json!({"name": "x", "share_type": "link", "password": "correct hors"});
        world.call(Method::POST, &path, Some(other), &key).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
    }
}

#[tokio::test]
async fn equal_requests_at_once_make_one_share() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let path = format!("/api/v1/dashboards/{dashboard}/shares");
        let body = json!({"name": "x", "share_type": "link"});
        let calls = (0..8)
            .map(|_| world.call(Method::POST, &path, Some(body.clone()), &[("idempotency-key", "same")]));
        let answers = futures_util::future::join_all(calls).await;
        assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
        assert!(answers.iter().all(|answer| answer.id() == answers[0].id()));
        assert_eq!(world.get(&path).await.body["total"], 1);
    }
}

#[tokio::test]
async fn rotations_at_once_leave_one_living_link() {
    for world in World::all().await {
        let share = world.share().await;
        let path = format!("/api/v1/dashboard-shares/{}/rotate", share["id"].as_str().unwrap());
        let answers = futures_util::future::join_all((0..64).map(|_| world.post(&path, json!({})))).await;
        let newest = answers.iter().map(|answer| answer.body["generation"].as_u64().unwrap()).max();
        assert_eq!(newest, Some(65));
        let live = world.edge.live();
        assert_eq!(live.len(), 1);
        assert_eq!(live[0].live.as_ref().unwrap().share.generation, 65);
    }
}

#[tokio::test]
async fn lists_are_paged_newest_first() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let mut made = Vec::new();
        for _ in 0..5 {
            made.push(world.share_of(&dashboard).await["id"].as_str().unwrap().to_owned());
        }
        made.reverse();
        for list in ["/api/v1/dashboard-shares".to_owned(), format!("/api/v1/dashboards/{dashboard}/shares")]
        {
            let (mut seen, mut path) = (Vec::new(), format!("{list}?limit=2"));
            loop {
                let page = world.get(&path).await.ok(200).body;
                assert_eq!(page["total"], 5);
                let records = page["records"].as_array().unwrap();
                assert_eq!(page["quantity"], records.len());
                seen.extend(records.iter().map(|share| share["id"].as_str().unwrap().to_owned()));
                let Some(cursor) = page["next_cursor"].as_str() else { break };
                path = format!("{list}?limit=2&cursor={cursor}");
            }
            assert_eq!(seen, made);
        }
    }
}

#[tokio::test]
async fn a_change_whose_dashboard_cannot_be_locked_is_to_be_tried_again() {
    for world in World::all().await {
        let share = world.share().await;
        let (id, dashboard) = (share["id"].as_str().unwrap(), share["dashboard_id"].as_str().unwrap());
        let path = format!("/api/v1/dashboard-shares/{id}");
        let mut other = world.app.service.store.write().await.unwrap();
        let held = execute!(&mut other, "UPDATE dashboard SET version = version WHERE id = $1", dashboard);
        assert_eq!(held.unwrap(), 1);
        let body = Some(json!({"name": "n", "share_filter_policies": []}));
        let refused = world.call(Method::PATCH, &path, body.clone(), &[]).await;
        refused.refused(503, "SERVICE_UNAVAILABLE");
        drop(other);
        world.call(Method::PATCH, &path, body, &[]).await.ok(200);
    }
}
