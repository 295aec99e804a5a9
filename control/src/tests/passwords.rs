//! Passwords of shares, on both databases.

use super::edge::Mood;
use super::world::{Answered, World};
use http::Method;
use serde_json::{Value, json};
use shared::model::key::KeyRing;
use shared::model::password::{Password, verify};
use shared::model::protection::Protection;
use shared::model::token::locate;
use std::time::Duration;

fn path(share: &Value) -> String {
    format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap())
}

async fn set(world: &World, share: &Value, password: &str) -> Answered {
    let body = Some(json!({ "password": password }));
    world.call(Method::PUT, &format!("{}/password", path(share)), body, &[]).await
}

/// What the edge knows of a share's current link.
fn protection(world: &World, share: &Value) -> Protection {
    let key = locate(&ring(), share["token"].as_str().unwrap()).unwrap();
    world.edge.records()[key.as_str()].live.as_ref().unwrap().protection.clone()
}

fn ring() -> KeyRing {
    KeyRing::parse(super::world::ROOT, None).unwrap()
}

fn takes(protection: &Protection, nfc: &str) -> bool {
    verify(&Password::new(nfc.to_owned()).unwrap(), &ring(), protection.password.as_ref().unwrap())
}

#[tokio::test]
async fn no_grant_of_a_history_that_a_backup_lost_holds() {
    for world in World::all().await {
        let share = world.share().await;
        set(&world, &share, "correct horse").await.ok(200);
        let restored = protection(&world, &share);
        // Passwords were set twice after the backup: the edge saw version 3, and grants of it.
        world.edge.leap(4);
        world.call(Method::PATCH, &path(&share), Some(json!({"name": "n"})), &[]).await.ok(200);
        let raised = protection(&world, &share);
        assert!(raised.version > restored.version + 2 && raised.resets > restored.resets + 2, "{raised:?}");
        assert!(takes(&raised, "correct horse"));
        set(&world, &share, "battery staple").await.ok(200);
        let next = protection(&world, &share);
        assert_eq!((next.version, next.resets), (raised.version + 1, raised.resets + 1));
    }
}

#[tokio::test]
async fn a_password_is_set_replaced_kept_and_removed() {
    for world in World::all().await {
        let share = world.share().await;
        assert_eq!(share["has_password"], false);
        let shown = set(&world, &share, "correct horse").await.ok(200).body;
        assert_eq!((&shown["has_password"], &shown["effective"]), (&json!(true), &json!("live")));
        let first = protection(&world, &share);
        assert!(takes(&first, "correct horse") && !takes(&first, "correct hors"));
        assert_eq!((first.version, first.resets), (1, 1));

        set(&world, &share, "battery staple").await.ok(200);
        let second = protection(&world, &share);
        assert!(takes(&second, "battery staple") && !takes(&second, "correct horse"));
        assert_eq!((second.version, second.resets), (2, 2));

        let rotated = world.post(&format!("{}/rotate", path(&share)), json!({})).await.ok(200).body;
        assert_eq!(rotated["has_password"], true);
        assert_eq!(protection(&world, &rotated), second);

        let attempts = format!("{}/password/attempts", path(&share));
        world.delete(&attempts).await.ok(200);
        assert_eq!(protection(&world, &rotated), Protection { resets: 3, ..second });

        let password = format!("{}/password", path(&share));
        let removed = world.delete(&password).await.ok(200).body;
        assert_eq!(removed["has_password"], false);
        assert_eq!(protection(&world, &rotated).version, 3);
        let again = world.delete(&password).await.ok(200).body;
        assert_eq!(again, removed, "nothing changes");

        world.delete(&path(&share)).await.ok(200);
        set(&world, &share, "x").await.refused(409, "CONFLICT");
        world.delete(&attempts).await.refused(409, "CONFLICT");
        assert_eq!(world.delete(&password).await.ok(200).body["status"], "revoked");

        let audit = world.get("/api/v1/audit?limit=100").await.ok(200).body;
        let rows = audit["records"].as_array().unwrap();
        let count = |action: &str| rows.iter().filter(|row| row["action"] == action).count();
        assert_eq!(count("share.password_set"), 2);
        assert_eq!(count("share.password_removed"), 1);
        assert_eq!(count("share.attempts_reset"), 1);
    }
}

#[tokio::test]
async fn what_the_edge_has_yet_to_learn_is_pending() {
    let world = World::new().await;
    let share = world.share().await;
    world.edge.set(Mood::Fails);
    let shown = set(&world, &share, "correct horse").await.ok(202).body;
    assert_eq!((&shown["has_password"], &shown["effective"]), (&json!(true), &json!("pending")));
    world.edge.set(Mood::Takes);
    world.until_delivered(&path(&share)).await;
    assert!(takes(&protection(&world, &share), "correct horse"));
}

#[tokio::test]
async fn a_share_is_made_with_all_its_protection() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let list = format!("/api/v1/dashboards/{dashboard}/shares");
        let body = json!({
            "name": "x", "share_type": "link", "password": "cafe\u{301}", "max_access_count": 3,
            "not_before": "2026-01-01T01:00:00Z", "expires_at": "2026-01-01T02:00:00Z",
        });
        let key = [("idempotency-key", "k1")];
        let share = world.call(Method::POST, &list, Some(body.clone()), &key).await.ok(201).body;
        assert_eq!((&share["has_password"], &share["max_access_count"]), (&json!(true), &json!(3)));
        assert_eq!(share["status"], "scheduled");
        let protection = protection(&world, &share);
        assert!(takes(&protection, "café"), "two spellings are one password");
        assert_eq!((protection.version, protection.resets), (1, 1));
        let again = world.call(Method::POST, &list, Some(body.clone()), &key).await.ok(201);
        assert_eq!((&again.body, &again.headers["idempotent-replayed"]), (&share, &"true".parse().unwrap()));
        let mut other = body;
        other["password"] = json!("cafe");
        world.call(Method::POST, &list, Some(other), &key).await.refused(422, "IDEMPOTENCY_KEY_REUSED");

        world.pass(Duration::from_hours(1));
        assert_eq!(world.get(&path(&share)).await.body["status"], "active");
        world.pass(Duration::from_hours(1));
        assert_eq!(world.get(&path(&share)).await.body["status"], "expired");
    }
}

#[tokio::test]
async fn what_is_no_password_changes_nothing() {
    for world in World::all().await {
        let share = world.share().await;
        let list = format!("/api/v1/dashboards/{}/shares", share["dashboard_id"].as_str().unwrap());
        let put = format!("{}/password", path(&share));
        let bearer = format!("Bearer {}", world.key);
        let send = async |method: Method, path: &str, body: String| {
            world.raw(method, path, Some(body), &[("authorization", &bearer)]).await
        };
        let long = "x".repeat(129);
        for bad in ["\"\"", "\"a\\u0000b\"", &format!("\"{long}\""), "8675309", "[\"8675309\"]"] {
            let made = format!(r#"{{"name":"x","share_type":"link","password":{bad}}}"#);
            for answer in [
                send(Method::PUT, &put, format!(r#"{{"password":{bad}}}"#)).await,
                send(Method::POST, &list, made).await,
            ] {
                answer.refused(422, "VALIDATION_ERROR");
                assert_eq!(answer.body["errors"][0]["instancePath"], "/password", "{bad}");
                let shown = answer.body.to_string();
                assert!(!shown.contains("8675309") && !shown.contains(&long), "{shown}");
            }
        }
        send(Method::PUT, &put, r#"{"password":"\ud800"}"#.to_owned()).await.refused(400, "MALFORMED_JSON");
        send(Method::PUT, &put, "{}".to_owned()).await.refused(422, "VALIDATION_ERROR");
        send(Method::PUT, &put, r#"{"password":null}"#.to_owned()).await.refused(422, "VALIDATION_ERROR");
        let unknown = "/api/v1/dashboard-shares/0190a8c0-0000-7000-8000-000000000001/password";
        send(Method::PUT, unknown, r#"{"password":"x"}"#.to_owned()).await.refused(404, "NOT_FOUND");
        world.delete(unknown).await.refused(404, "NOT_FOUND");
        assert_eq!(world.get(&path(&share)).await.ok(200).body, share);
        assert_eq!(world.get(&list).await.ok(200).body["total"], 1);
    }
}

#[tokio::test]
async fn a_beginning_lies_before_an_end_and_a_count_is_at_least_one() {
    for world in World::all().await {
        let share = world.share().await;
        let list = format!("/api/v1/dashboards/{}/shares", share["dashboard_id"].as_str().unwrap());
        let refused = async |fields: Value, pointer: &str| {
            let mut body = json!({"name": "x", "share_type": "link"});
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            for answer in [
                world.post(&list, body).await,
                world.call(Method::PATCH, &path(&share), Some(fields), &[]).await,
            ] {
                answer.refused(422, "VALIDATION_ERROR");
                assert_eq!(answer.body["errors"][0]["instancePath"], pointer);
            }
        };
        let end = "2026-01-02T00:00:00Z";
        refused(json!({"not_before": end, "expires_at": end}), "/not_before").await;
        refused(json!({"not_before": "soon"}), "/not_before").await;
        refused(json!({"max_access_count": 0}), "/max_access_count").await;
        refused(json!({"max_access_count": 1_000_000_001}), "/max_access_count").await;
        refused(json!({"max_access_count": -1}), "/max_access_count").await;
        assert_eq!(world.get(&path(&share)).await.ok(200).body, share);
        assert_eq!(world.get(&list).await.body["total"], 1);

        let patch =
            async |body: Value| world.call(Method::PATCH, &path(&share), Some(body), &[]).await.ok(200).body;
        let shown = patch(json!({"not_before": end, "max_access_count": 5})).await;
        assert_eq!((&shown["status"], &shown["max_access_count"]), (&json!("scheduled"), &json!(5)));
        assert_eq!(shown["not_before"], "2026-01-02T00:00:00.000Z");
        let shown = patch(json!({"not_before": null, "max_access_count": null})).await;
        assert_eq!((&shown["status"], &shown["max_access_count"]), (&json!("active"), &Value::Null));
        assert_eq!(shown["not_before"], Value::Null);
    }
}

#[tokio::test]
async fn no_answer_and_no_audit_row_shows_a_password() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let list = format!("/api/v1/dashboards/{dashboard}/shares");
        let body = json!({"name": "x", "share_type": "link", "password": "correct horse"});
        let share = world.post(&list, body).await.ok(201).body;
        let shown = [
            share.clone(),
            set(&world, &share, "battery staple").await.ok(200).body,
            world.get(&path(&share)).await.ok(200).body,
            world.get(&list).await.ok(200).body,
            world.get("/api/v1/audit").await.ok(200).body,
            world.post(&format!("{}/rotate", path(&share)), json!({})).await.ok(200).body,
        ];
        for body in shown.map(|body| body.to_string()) {
            for secret in ["correct horse", "battery staple", "argon2", "$v=19$"] {
                assert!(!body.contains(secret), "{body}");
            }
        }
    }
}
