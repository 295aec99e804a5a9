//! What gates report, on both databases.

use super::world::{Answered, ROOT, World};
use http::Method;
use serde_json::{Value, json};
use shared::call::{RECORD_PATH, USAGE_PATH};
use shared::model::key::KeyRing;
use shared::model::token::locate;
use std::time::Duration;

/// The record key of what has a token.
pub(super) fn key(share: &Value) -> String {
    let ring = KeyRing::parse(ROOT, None).unwrap();
    locate(&ring, share["token"].as_str().unwrap()).unwrap().as_str().to_owned()
}

pub(super) fn usage(accesses: u64, opens: u64, last: Option<i64>, locked: Option<i64>, resets: u64) -> Value {
    json!({
        "accesses": accesses, "opens": opens, "last_opened_at": last, "locked_until": locked,
        "resets": resets,
    })
}

async fn report(world: &World, share: &Value, usage: &Value) -> Answered {
    world.signed(USAGE_PATH, &json!({"key": key(share), "usage": usage})).await
}

async fn get(world: &World, share: &Value) -> Value {
    world.get(&format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap())).await.ok(200).body
}

/// Now, and milliseconds after it.
fn at(world: &World, millis: i64) -> i64 {
    world.app.service.clock.now().0 + millis
}

async fn locks(world: &World) -> usize {
    let audit = world.get("/api/v1/audit?limit=100").await.ok(200).body;
    let rows = audit["records"].as_array().unwrap();
    let locks = rows.iter().filter(|row| row["action"] == "share.password_locked");
    locks.inspect(|row| assert_eq!(row["actor"], "edge")).count()
}

async fn with_password(world: &World) -> Value {
    let share = world.share().await;
    let path = format!("/api/v1/dashboard-shares/{}/password", share["id"].as_str().unwrap());
    world.call(Method::PUT, &path, Some(json!({"password": "correct horse"})), &[]).await.ok(200).body
}

#[tokio::test]
async fn reports_may_be_late_and_repeated() {
    for world in World::all().await {
        let share = world.share().await;
        let (old, new) =
            (usage(1, 5, Some(at(&world, 1)), None, 0), usage(3, 4, Some(at(&world, 9)), None, 0));
        for sent in [&old, &new, &old, &new, &usage(0, 0, None, None, 0)] {
            assert_eq!(report(&world, &share, sent).await.status, 204);
        }
        let shown = get(&world, &share).await;
        assert_eq!((&shown["access_count"], &shown["open_count"]), (&json!(3), &json!(5)));
        assert_eq!(shown["last_opened_at"], "2026-01-01T00:00:00.016Z");
        assert_eq!((&shown["effective"], &shown["revision"]), (&json!("live"), &json!(1)));
        assert_eq!(world.edge.log().len(), 1, "there is nothing for the edge to learn");
    }
}

#[tokio::test]
async fn opens_are_those_of_all_links_and_accesses_those_of_the_current_one() {
    for world in World::all().await {
        let share = world.share().await;
        let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
        let count = json!({"max_access_count": 2});
        world.call(Method::PATCH, &path, Some(count), &[]).await.ok(200);
        report(&world, &share, &usage(2, 5, Some(at(&world, 9)), None, 0)).await.ok(204);
        assert_eq!(get(&world, &share).await["status"], "spent");
        let rotated = world.post(&format!("{path}/rotate"), json!({})).await.ok(200).body;
        assert_eq!((&rotated["status"], &rotated["access_count"]), (&json!("active"), &json!(0)));
        report(&world, &rotated, &usage(1, 7, Some(at(&world, 3)), None, 0)).await.ok(204);
        let shown = get(&world, &rotated).await;
        assert_eq!((&shown["access_count"], &shown["open_count"]), (&json!(1), &json!(12)));
        assert_eq!(shown["last_opened_at"], "2026-01-01T00:00:00.016Z");
        world.delete(&path).await.ok(200);
        // The last gate's last report is still heard.
        report(&world, &rotated, &usage(2, 7, None, None, 0)).await.ok(204);
        assert_eq!(get(&world, &rotated).await["access_count"], 2);
    }
}

#[tokio::test]
async fn a_lock_is_told_once() {
    for world in World::all().await {
        let share = with_password(&world).await;
        let lock = |world: &World, millis| usage(0, 0, None, Some(at(world, millis)), 1);
        let first = lock(&world, 60_000);
        for _ in 0..3 {
            report(&world, &share, &first).await.ok(204);
        }
        // The same lock, seen by another guesser.
        report(&world, &share, &lock(&world, 61_000)).await.ok(204);
        assert_eq!(locks(&world).await, 1);
        assert_eq!(get(&world, &share).await["password_locked_until"], "2026-01-01T00:01:01.007Z");

        let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
        world.delete(&format!("{path}/password/attempts")).await.ok(200);
        assert_eq!(get(&world, &share).await["password_locked_until"], Value::Null);
        // A late report of the old lock changes nothing.
        report(&world, &share, &lock(&world, 61_500)).await.ok(204);
        assert_eq!(get(&world, &share).await["password_locked_until"], Value::Null);
        assert_eq!(locks(&world).await, 1);
        let after = usage(0, 0, None, Some(at(&world, 30_000)), 2);
        report(&world, &share, &after).await.ok(204);
        report(&world, &share, &first).await.ok(204);
        assert_eq!(locks(&world).await, 2);
        assert_eq!(get(&world, &share).await["password_locked_until"], "2026-01-01T00:00:30.007Z");

        world.pass(Duration::from_secs(30));
        assert_eq!(get(&world, &share).await["password_locked_until"], Value::Null);
        // One that is over when it is heard of locks nobody.
        report(&world, &share, &usage(0, 0, None, Some(at(&world, 0)), 3)).await.ok(204);
        assert_eq!(locks(&world).await, 2);
        report(&world, &share, &usage(0, 0, None, Some(at(&world, 60_000)), 3)).await.ok(204);
        assert_eq!(locks(&world).await, 3);
        let metrics = world.get("/metrics").await.ok(200).body;
        assert!(metrics.as_str().unwrap().contains("postern_password_locked_total"));
    }
}

#[tokio::test]
async fn a_lost_gate_goes_on_counting_from_what_it_reported() {
    for world in World::all().await {
        let share = world.share().await;
        let call = json!({"key": key(&share)});
        let none = world.signed(RECORD_PATH, &call).await.ok(200).body;
        assert_eq!(none["usage"], usage(0, 0, None, None, 0));
        let told = usage(3, 9, Some(at(&world, 1)), Some(at(&world, 2)), 4);
        report(&world, &share, &told).await.ok(204);
        let healed = world.signed(RECORD_PATH, &call).await.ok(200).body;
        assert_eq!(healed["usage"], told);
        assert_eq!(healed["record"]["revision"], 1);
    }
}

#[tokio::test]
async fn only_the_edge_reports_and_only_of_what_there_is() {
    let world = World::new().await;
    let share = world.share().await;
    let good = json!({"key": key(&share), "usage": usage(1, 1, None, None, 0)});
    world.post(USAGE_PATH, good.clone()).await.refused(401, "UNAUTHORIZED");
    let mut other = good.clone();
    other["key"] = json!("0".repeat(32));
    world.signed(USAGE_PATH, &other).await.refused(404, "NOT_FOUND");
    other["key"] = json!("x");
    world.signed(USAGE_PATH, &other).await.refused(404, "NOT_FOUND");
    let mut other = good;
    other["colour"] = json!(1);
    world.signed(USAGE_PATH, &other).await.refused(400, "MALFORMED_JSON");
    assert_eq!(get(&world, &share).await["access_count"], 0);
}
