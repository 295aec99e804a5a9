//! One change of many shares, on both databases.

use super::edge::Mood;
use super::world::{Answered, World};
use crate::auth::Scope;
use crate::store;
use http::Method;
use serde_json::{Value, json};
use shared::model::token::RecordKey;
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

const BULK: &str = "/api/v1/dashboard-shares/bulk";

async fn bulk(world: &World, action: &str, filter: Value) -> Answered {
    world.post(BULK, json!({"action": action, "filter": filter})).await
}

fn ids(answer: &Answered) -> BTreeSet<String> {
    let shares = answer.body["shares"].as_array().unwrap();
    shares.iter().map(|share| share["id"].as_str().unwrap().to_owned()).collect()
}

fn set(shares: &[&Value]) -> BTreeSet<String> {
    shares.iter().map(|share| share["id"].as_str().unwrap().to_owned()).collect()
}

/// Gives a share so many copies that the edge has not heard of.
async fn copy(world: &World, share: &Value, copies: u128) {
    let mut session = world.app.service.store.write().await.unwrap();
    let id = share["id"].as_str().unwrap().parse().unwrap();
    let share = store::share::any(&mut session, id).await.unwrap().unwrap();
    for number in 1..=copies {
        let copy = shared::model::share::Share { id: Uuid::from_u128(number), ..share.clone() };
        store::share::insert(&mut session, &copy).await.unwrap();
        let key = RecordKey::parse(&format!("{number:032x}")).unwrap();
        store::share::insert_token(&mut session, &copy, &key).await.unwrap();
    }
    session.commit().await.unwrap();
}

#[tokio::test]
async fn what_the_filter_matches_is_revoked_and_nothing_else() {
    for world in World::all().await {
        let (one, other) = (world.dashboard().await, world.dashboard_named("other").await);
        let (a, b, c) =
            (world.share_of(&one).await, world.share_of(&one).await, world.share_of(&other).await);
        let dry = json!({"action": "revoke", "filter": {"dashboard_id": one}, "dry_run": true});
        let told = world.post(BULK, dry).await.ok(200);
        assert_eq!((&told.body["matched"], &told.body["changed"]), (&json!(2), &json!(0)));
        assert_eq!((ids(&told), &told.body["effective"]), (set(&[&a, &b]), &json!("live")));
        assert_eq!(world.edge.live().len(), 3, "a dry run changes nothing");

        let done = bulk(&world, "revoke", json!({"dashboard_id": one})).await.ok(200);
        assert_eq!((&done.body["matched"], &done.body["changed"]), (&json!(2), &json!(2)));
        assert_eq!((ids(&done), &done.body["effective"]), (set(&[&a, &b]), &json!("live")));
        for share in done.body["shares"].as_array().unwrap() {
            assert_eq!(
                (&share["status"], &share["token"], &share["url"]),
                (&json!("revoked"), &Value::Null, &Value::Null)
            );
        }
        let live = world.edge.live();
        assert_eq!(live.len(), 1);
        assert_eq!(live[0].live.as_ref().unwrap().share.id.to_string(), c["id"]);
        let again = bulk(&world, "revoke", json!({"dashboard_id": one})).await.ok(200);
        assert_eq!((&again.body["matched"], &again.body["changed"]), (&json!(0), &json!(0)));
        let audit = world.get("/api/v1/audit?limit=100").await.ok(200).body;
        let rows = audit["records"].as_array().unwrap().clone();
        assert_eq!(rows.iter().filter(|row| row["action"] == "share.revoke").count(), 2);
    }
}

#[tokio::test]
async fn each_filter_chooses() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let list = format!("/api/v1/dashboards/{dashboard}/shares");
        let plain = world.share_of(&dashboard).await;
        let named = world.post(&list, json!({"name": "For Ada", "share_type": "link"})).await.ok(201).body;
        let secret = json!({"name": "s", "share_type": "link", "password": "correct horse"});
        let secret = world.post(&list, secret).await.ok(201).body;
        let later = json!({"name": "l", "share_type": "link", "not_before": "2026-01-02T00:00:00Z"});
        let later = world.post(&list, later).await.ok(201).body;
        world.pass(Duration::from_secs(10));
        let new = world.share_of(&dashboard).await;
        let revoked = world.share_of(&dashboard).await;
        world.delete(&format!("/api/v1/dashboard-shares/{}", revoked["id"].as_str().unwrap())).await.ok(200);
        let stranger = world.key("globex", &Scope::ALL).await;

        let check = async |filter: Value, expected: &[&Value]| {
            let done = bulk(&world, "rotate", filter.clone()).await.ok(200);
            assert_eq!(ids(&done), set(expected), "{filter}");
            assert_eq!(done.body["changed"], expected.len());
            // The same words of another organization reach nothing.
            let body = json!({"action": "revoke", "filter": filter}).to_string();
            let theirs = world.raw(Method::POST, BULK, Some(body), &[("x-api-key", &stranger)]).await.ok(200);
            assert_eq!(theirs.body["matched"], 0, "{filter}");
        };
        check(json!({"status": "active"}), &[&plain, &named, &secret, &new]).await;
        check(json!({"status": "scheduled"}), &[&later]).await;
        check(json!({"status": "revoked"}), &[]).await;
        check(json!({"protection": "password"}), &[&secret]).await;
        check(json!({"name_contains": "ada"}), &[&named]).await;
        check(json!({"dashboard_id": dashboard}), &[&plain, &named, &secret, &later, &new]).await;
        check(json!({"created_after": "2026-01-01T00:00:10Z"}), &[&new]).await;
        check(json!({"created_before": "2026-01-01T00:00:10Z"}), &[&plain, &named, &secret, &later]).await;
        check(
            json!({"ids": [new["id"], plain["id"], plain["id"], revoked["id"], dashboard]}),
            &[&new, &plain],
        )
        .await;
        check(json!({"ids": [new["id"], secret["id"]], "protection": "password"}), &[&secret]).await;
        let all = world.post(BULK, json!({"action": "revoke", "filter": {}, "all": true})).await.ok(200);
        assert_eq!(all.body["changed"], 5);
        assert!(world.edge.live().is_empty());
    }
}

#[tokio::test]
async fn a_rotation_gives_new_links() {
    for world in World::all().await {
        let share = world.share().await;
        let done = bulk(&world, "rotate", json!({"ids": [share["id"]]})).await.ok(200).body;
        let rotated = &done["shares"][0];
        assert_eq!((&rotated["generation"], &rotated["status"]), (&json!(2), &json!("active")));
        assert_ne!(rotated["token"], share["token"]);
        let shown = world.get(&format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap())).await;
        assert_eq!((&shown.body["token"], &shown.body["url"]), (&rotated["token"], &rotated["url"]));
        assert_eq!(world.edge.live().len(), 1);
    }
}

#[tokio::test]
async fn what_the_edge_has_yet_to_learn_is_pending() {
    let world = World::new().await;
    let share = world.share().await;
    world.edge.set(Mood::Fails);
    let done = bulk(&world, "revoke", json!({"ids": [share["id"]]})).await.ok(202).body;
    assert_eq!((&done["effective"], &done["changed"]), (&json!("pending"), &json!(1)));
    assert_eq!(done["shares"][0]["effective"], "pending");
    world.edge.set(Mood::Takes);
    world.until_delivered(&format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap())).await;
    assert!(world.edge.live().is_empty());
}

#[tokio::test]
async fn each_share_says_whether_it_is_pending() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let (a, b) = (world.share_of(&dashboard).await, world.share_of(&dashboard).await);
        world.edge.set(Mood::TakesFirst);
        let done = bulk(&world, "revoke", json!({"dashboard_id": dashboard})).await.ok(202).body;
        assert_eq!((&done["effective"], &done["changed"]), (&json!("pending"), &json!(2)));
        let told = [&done["shares"][0], &done["shares"][1]].map(|share| (&share["id"], &share["effective"]));
        assert_eq!(told, [(&b["id"], &json!("live")), (&a["id"], &json!("pending"))]);
    }
}

#[tokio::test]
async fn a_repeated_revocation_is_live_when_the_first_one_is() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let (a, b) = (world.share_of(&dashboard).await, world.share_of(&dashboard).await);
        let other = world.dashboard_named("other").await;
        let c = world.share_of(&other).await;
        world.edge.set(Mood::Fails);
        bulk(&world, "revoke", json!({"ids": [a["id"], b["id"]], "status": "active"})).await.ok(202);
        for filter in [
            json!({"ids": [a["id"]]}),
            json!({"ids": [b["id"]], "status": "active"}),
            json!({"dashboard_id": dashboard}),
            json!({"status": "active", "name_contains": "public", "created_before": "2026-01-01T00:00:00Z"}),
            json!({"status": "active", "dashboard_id": dashboard, "protection": "none"}),
        ] {
            // The third share is none of them.
            let none = filter["created_before"].is_string();
            let again = bulk(&world, "revoke", filter.clone()).await.ok(if none { 200 } else { 202 }).body;
            let told = if none { "live" } else { "pending" };
            assert_eq!((&again["changed"], &again["effective"]), (&json!(0), &json!(told)), "{filter}");
        }
        bulk(&world, "revoke", json!({"dashboard_id": other, "status": "expired"})).await.ok(200);
        let stranger = world.key("globex", &Scope::ALL).await;
        let body = json!({"action": "revoke", "filter": {"ids": [a["id"]]}}).to_string();
        world.raw(Method::POST, BULK, Some(body), &[("x-api-key", &stranger)]).await.ok(200);
        assert_eq!(world.edge.live().len(), 3);

        world.edge.set(Mood::Takes);
        let done = bulk(&world, "revoke", json!({"dashboard_id": dashboard})).await.ok(200).body;
        assert_eq!((&done["changed"], &done["effective"]), (&json!(0), &json!("live")));
        let live = world.edge.live();
        assert_eq!(live.len(), 1);
        assert_eq!(live[0].live.as_ref().unwrap().share.id.to_string(), c["id"]);
    }
}

#[tokio::test]
async fn a_thousand_at_once_and_not_one_more() {
    for world in World::all().await {
        let share = world.share().await;
        copy(&world, &share, 1_000).await;
        let everything = json!({"action": "revoke", "filter": {}, "all": true});
        let refused = world.post(BULK, everything.clone()).await;
        refused.refused(422, "VALIDATION_ERROR");
        assert!(refused.body["error"].as_str().unwrap().contains("1001"), "{refused:?}");
        assert_eq!(world.get("/api/v1/dashboard-shares?status=active&limit=1").await.body["total"], 1_001);

        let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
        world.delete(&path).await.ok(200);
        // One after the other, the pushes would take longer than one is waited for.
        world.edge.delay(Duration::from_millis(600));
        let done = world.post(BULK, everything).await;
        assert_eq!((done.status.as_u16(), &done.body["effective"]), (200, &json!("live")));
        assert_eq!(done.body["changed"], 1_000);
        assert_eq!(world.get("/api/v1/dashboard-shares?status=revoked&limit=1").await.body["total"], 1_001);
    }
}

#[tokio::test]
async fn what_is_not_meant_is_refused() {
    let world = World::new().await;
    world.share().await;
    let check = async |body: Value, pointer: &str| {
        let answer = world.post(BULK, body).await;
        answer.refused(422, "VALIDATION_ERROR");
        assert_eq!(answer.body["errors"][0]["instancePath"], pointer, "{answer:?}");
    };
    check(json!({"action": "revoke", "filter": {}}), "/filter").await;
    check(json!({"action": "revoke", "filter": {"status": "active"}, "all": true}), "/all").await;
    check(json!({"action": "delete", "filter": {"status": "active"}}), "/action").await;
    check(json!({"action": "revoke", "filter": {"colour": "red"}}), "/filter/colour").await;
    check(json!({"action": "revoke", "filter": {"ids": []}}), "/filter/ids").await;
    check(json!({"action": "revoke", "filter": {"ids": vec![Uuid::nil(); 1_001]}}), "/filter/ids").await;
    let body = json!({"action": "rotate", "filter": {}, "all": true});
    let answer = world.call(Method::POST, BULK, Some(body), &[("idempotency-key", "k")]).await;
    answer.refused(422, "VALIDATION_ERROR");
    assert!(answer.body["error"].as_str().unwrap().contains("Idempotency-Key"));
    assert_eq!(world.edge.live()[0].revision, 1);
}
