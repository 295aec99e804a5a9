//! What happens when the edge is out of reach, and after.

use super::edge::Mood;
use super::world::{ROOT, World};
use crate::store::outbox;
use serde_json::{Value, json};
use shared::call::RECORD_PATH;
use shared::model::key::KeyRing;
use shared::model::token::locate;
use std::time::Duration;

#[tokio::test]
async fn what_the_edge_did_not_take_is_pending_and_delivered_later() {
    for world in World::all().await {
        for mood in [Mood::Fails, Mood::Refuses] {
            world.edge.set(Mood::Takes);
            let dashboard = world.dashboard_named(&format!("{mood:?}").to_lowercase()).await;
            let share = world.share_of(&dashboard).await;
            let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
            world.edge.set(mood);
            let rotated = world.post(&format!("{path}/rotate"), json!({})).await.ok(202).body;
            assert_eq!(rotated["effective"], "pending");
            assert_eq!(world.get(&path).await.body["effective"], "pending");
            let revoked = world.delete(&path).await.ok(202).body;
            assert_eq!((&revoked["revoked"], &revoked["effective"]), (&json!(true), &json!("pending")));
            assert_eq!(world.edge.live().len(), 1, "the edge knows only what it took");
            assert_eq!(world.get("/readyz?verbose").await.ok(200).body["ready"], true);
            world.pass(Duration::from_secs(61));
            let late = world.get("/readyz?verbose").await.ok(503).body;
            assert!(late["outbox_lag_ms"].as_u64().unwrap() >= 61_000);

            world.edge.set(Mood::Takes);
            world.until_delivered(&path).await;
            assert!(world.edge.live().is_empty());
            assert_eq!(world.delete(&path).await.ok(200).body["effective"], "live");
            world.get("/readyz").await.ok(200);
        }
    }
}

#[tokio::test]
async fn a_change_that_the_edge_chokes_on_holds_up_no_other() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        world.edge.set(Mood::Fails);
        let mut paths = Vec::new();
        for name in ["poison", "first", "second"] {
            let body = json!({"name": name, "share_type": "link"});
            let share =
                world.post(&format!("/api/v1/dashboards/{dashboard}/shares"), body).await.ok(202).body;
            paths.push(format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap()));
        }
        world.edge.set(Mood::Chokes);
        world.until_delivered(&paths[1]).await;
        world.until_delivered(&paths[2]).await;
        assert_eq!(world.get(&paths[0]).await.body["effective"], "pending");
        world.edge.set(Mood::Takes);
        world.until_delivered(&paths[0]).await;
    }
}

#[tokio::test]
async fn a_restored_backup_is_raised_above_what_the_edge_holds() {
    for world in World::all().await {
        let share = world.share().await;
        let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
        world.edge.leap(9);
        let rotated = world.post(&format!("{path}/rotate"), json!({})).await.ok(200).body;
        assert_eq!(rotated["effective"], "live");
        let live = world.edge.live();
        assert_eq!(live.len(), 1, "the old token's record is dead");
        assert_eq!(
            json!(live[0].revision),
            world.get(&path).await.body["revision"],
            "both know one revision"
        );
        // One change since the backup: the same revision, another history.
        world.edge.leap(live[0].revision + 1);
        assert_eq!(world.edge.live().len(), 1);
        assert_eq!(
            world.call(http::Method::PATCH, &path, Some(json!({"name": "n"})), &[]).await.ok(200).body["effective"],
            "live"
        );
        assert_eq!(world.edge.live()[0].live.as_ref().unwrap().share.name, "n");
        world.edge.leap(99);
        assert_eq!(world.delete(&path).await.ok(200).body["effective"], "live");
        assert!(world.edge.live().is_empty());
    }
}

#[tokio::test]
async fn a_restored_backup_brings_no_dead_link_back() {
    for world in World::all().await {
        let share = world.share().await;
        let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
        // Both behind the edge, and ahead of it: a database may have gone on counting before its first push.
        for dead_at in [7, 1] {
            let dashboard = share["dashboard_id"].as_str().unwrap();
            let share = world.share_of(dashboard).await;
            let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
            world.edge.bury(dead_at);
            world.call(http::Method::PATCH, &path, Some(json!({"name": "n"})), &[]).await.ok(200);
            assert_eq!(world.get(&path).await.body["status"], "revoked", "{dead_at}");
        }
        world.edge.bury(7);
        // The database knows nothing of it: to its owner the link is live, and any change would open it again.
        let renamed = world.call(http::Method::PATCH, &path, Some(json!({"name": "n"})), &[]).await.ok(200);
        assert_eq!(renamed.body["effective"], "live");
        assert!(world.edge.live().is_empty());
        let found = world.get(&path).await.body;
        assert_eq!((&found["status"], &found["effective"]), (&json!("revoked"), &json!("live")), "{found}");
        let audited = world.get("/api/v1/audit").await.ok(200).body;
        assert_eq!(audited["records"][0]["action"], "share.buried", "{audited}");
        world.post(&format!("{path}/rotate"), json!({})).await.refused(409, "CONFLICT");
    }
}

#[tokio::test]
async fn an_answer_waits_until_leases_have_ended() {
    let world = World::new().await;
    let share = world.share().await;
    world.edge.drain(300);
    let before = std::time::Instant::now();
    world.delete(&format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap())).await.ok(200);
    assert!(before.elapsed() >= Duration::from_millis(300));
    // A drain that no gate asks for is not waited out, and not called done.
    world.edge.drain(60_000);
    let dashboard = share["dashboard_id"].as_str().unwrap();
    let path = format!("/api/v1/dashboards/{dashboard}/shares");
    world.post(&path, json!({"name": "x", "share_type": "link"})).await.ok(202);
}

#[tokio::test]
async fn receipts_are_noted_while_others_change_the_rows_in_another_order() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let (a, b) = (world.share_of(&dashboard).await, world.share_of(&dashboard).await);
        let ring = KeyRing::parse(ROOT, None).unwrap();
        let key = |share: &Value| locate(&ring, share["token"].as_str().unwrap()).unwrap();
        world.edge.drain(1_000);
        let body = json!({"action": "revoke", "filter": {"dashboard_id": dashboard}});
        let bulk = world.post("/api/v1/dashboard-shares/bulk", body);
        // Holds the row that is settled last, and then wants the one that is settled first.
        let other = async {
            while world.edge.live().len() == 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let now = world.app.service.clock.now();
            let mut session = world.app.service.store.write().await.unwrap();
            outbox::enqueue(&mut session, key(&a).as_str(), 2, now).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1_300)).await;
            outbox::enqueue(&mut session, key(&b).as_str(), 2, now).await.unwrap();
            session.commit().await.unwrap();
        };
        let (done, ()) = tokio::join!(bulk, other);
        done.ok(200);
        let path = format!("/api/v1/dashboard-shares/{}", a["id"].as_str().unwrap());
        assert_eq!(world.get(&path).await.body["effective"], "live");
    }
}

#[tokio::test]
async fn a_lost_record_is_told_to_the_edge_alone() {
    let world = World::new().await;
    let share = world.share().await;
    let ring = KeyRing::parse(ROOT, None).unwrap();
    let key = locate(&ring, share["token"].as_str().unwrap()).unwrap();
    let healed = world.signed(RECORD_PATH, &json!({"key": key.as_str()})).await.ok(200).body;
    assert_eq!(healed["record"], serde_json::to_value(&world.edge.records()[key.as_str()]).unwrap());
    world.signed(RECORD_PATH, &json!({"key": "0".repeat(32)})).await.refused(404, "NOT_FOUND");
    world.signed(RECORD_PATH, &json!({"key": "x"})).await.refused(404, "NOT_FOUND");
    world.post(RECORD_PATH, json!({"key": key.as_str()})).await.refused(401, "UNAUTHORIZED");
    world.delete(&format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap())).await.ok(200);
    let healed = world.signed(RECORD_PATH, &json!({"key": key.as_str()})).await.ok(200).body;
    assert_eq!(healed["record"], json!({"schema": shared::replica::SCHEMA, "revision": 2, "live": null}));
}
