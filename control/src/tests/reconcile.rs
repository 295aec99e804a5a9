//! What `postern reconcile` reads and keeps, and how it kills what the database does not know.

use super::world::World;
use crate::store::outbox::{self, records, records_between};
use crate::store::reconciliation::{Progress, find, forget, save, tokens};
use crate::store::{execute, query};
use serde_json::Value;
use shared::replica::{Record, digest};
use shared::time::Millis;
use uuid::Uuid;

/// Adds so many shares of a share's dashboard, each with one token that the edge does not know.
pub(super) async fn add_shares(world: &World, like: &Value, count: u32) -> Vec<String> {
    const SHARE: &str = "INSERT INTO share (id, organization_id, target_id, share_type, name, state, generation,
            revision, nonce, key_epoch, rules, created_at, issued_at)
        SELECT $1, organization_id, target_id, share_type, name, state, generation, revision, nonce, key_epoch,
            rules, created_at, issued_at
        FROM share WHERE id = $2";
    const TOKEN: &str =
        "INSERT INTO share_token (record_key, share_id, generation, issued_at) VALUES ($1, $2, 1, 0)";
    let mut session = world.app.service.store.write().await.unwrap();
    let mut keys = Vec::new();
    for number in 0..count {
        let (id, key) = (Uuid::now_v7().to_string(), digest(&number.to_be_bytes()));
        execute!(&mut session, SHARE, &id, like["id"].as_str().unwrap()).unwrap();
        execute!(&mut session, TOKEN, &key, &id).unwrap();
        keys.push(key);
    }
    session.commit().await.unwrap();
    keys.sort();
    keys
}

#[tokio::test]
async fn records_are_read_in_the_order_of_their_keys() {
    for world in World::all().await {
        let share = world.share().await;
        let keys = add_shares(&world, &share, 120).await;
        let mut session = world.app.service.store.read().await.unwrap();
        assert_eq!(tokens(&mut session).await.unwrap(), 121);
        let mut after = String::new();
        let mut seen = Vec::new();
        loop {
            let page = records_between(&mut session, (&after, "g"), 50).await.unwrap();
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            seen.extend(page);
        }
        assert!(seen.is_sorted_by(|one, other| one.0 < other.0));
        let named = records(&mut session, &keys).await.unwrap();
        assert_eq!((seen.len(), named.len()), (121, 120));
        for (key, record) in &seen {
            if let Some(named) = named.get(key) {
                assert_eq!(record.as_ref().unwrap(), &named.as_ref().unwrap().0);
            }
        }
        let of_a = records_between(&mut session, ("a", "ag"), 500).await.unwrap();
        let begin_with_a = seen.iter().filter(|(key, _)| key.starts_with('a'));
        assert_eq!(of_a.len(), begin_with_a.count());
    }
}

#[tokio::test]
async fn progress_is_kept_for_each_namespace() {
    for world in World::all().await {
        let progress = |next_part| Progress {
            digits: 1,
            next_part,
            with_values: true,
            started_at: Millis(7),
            counts: vec!["a".to_owned()],
        };
        let mut session = world.app.service.store.write().await.unwrap();
        assert_eq!(find::<Vec<String>>(&mut session, "n").await.unwrap(), None);
        for next_part in [1, 2] {
            save(&mut session, "n", &progress(next_part)).await.unwrap();
            assert_eq!(find(&mut session, "n").await.unwrap(), Some(progress(next_part)));
        }
        save(&mut session, "m", &progress(9)).await.unwrap();
        forget(&mut session, "n").await.unwrap();
        assert_eq!(find::<Vec<String>>(&mut session, "n").await.unwrap(), None);
        assert_eq!(find(&mut session, "m").await.unwrap(), Some(progress(9)));
    }
}

#[tokio::test]
async fn a_token_that_the_database_does_not_know_is_killed() {
    let world = World::new().await;
    let replication = &world.app.service.replication;
    let keys: Vec<String> = (0..250_u32).map(|number| digest(&number.to_be_bytes())).collect();
    let at = |revision| keys.iter().map(|key| (key.clone(), revision)).collect();
    assert_eq!(replication.bury(at(5)).await.unwrap().len(), 250);
    assert_eq!(world.edge.records()[&keys[0]], Record::tombstone(5));
    // The edge may hold something newer than KV says.
    assert_eq!(replication.bury(at(2)).await.unwrap().len(), 250);
    assert!(world.edge.records().values().all(|record| *record == Record::tombstone(6)));
    world.edge.set(super::edge::Mood::TakesFirst);
    assert_eq!(replication.bury(at(7)).await.unwrap().len(), 3, "the first of each push");
    world.edge.set(super::edge::Mood::Fails);
    assert!(replication.bury(at(8)).await.unwrap().is_empty(), "none is taken");
}

#[tokio::test]
async fn what_is_enqueued_unclaimed_is_pushed_by_the_loop() {
    for world in World::all().await {
        let share = world.share().await;
        let keys = add_shares(&world, &share, 3).await;
        let store = &world.app.service.store;
        for _ in 0..2 {
            let mut session = store.write().await.unwrap();
            let now = world.app.service.clock.now();
            outbox::enqueue_unclaimed(&mut session, &keys, now).await.unwrap();
            outbox::enqueue_unclaimed(&mut session, &["f".repeat(32)], now).await.unwrap();
            session.commit().await.unwrap();
        }
        until_pushed(&world).await;
        let held = world.edge.records();
        assert!(keys.iter().all(|key| held.contains_key(key)));
        assert!(!held.contains_key(&"f".repeat(32)));
    }
}

/// Waits until the outbox is empty.
pub(super) async fn until_pushed(world: &World) {
    loop {
        let mut session = world.app.service.store.read().await.unwrap();
        let (left,) = query!(&mut session, fetch_one, (i64,), "SELECT COUNT(*) FROM outbox").unwrap();
        drop(session);
        if left == 0 {
            return;
        }
        world.pass(std::time::Duration::from_secs(5));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
