//! What tiles cost their sharer, as gates report it, and budgets that are spent.

use super::super::usage::{key, usage};
use super::{Map, new_link};
use crate::auth::Scope;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use shared::call::USAGE_PATH;
use shared::model::meter::DEFAULT_BUDGET;
use std::time::Duration;

/// 2026-01-01, when worlds begin.
const TODAY: i64 = 20_454;

/// Reports what a gate has counted: days, tiles, hits and bytes.
async fn report(map: &Map, link: &Value, epoch: &str, days: &[(i64, u64, u64, u64)]) {
    let days: Vec<Value> = days
        .iter()
        .map(|(day, tiles, hits, bytes)| json!({"day": day, "tiles": tiles, "hits": hits, "bytes": bytes}))
        .collect();
    let body = json!({
        "key": key(link), "usage": usage(0, 0, None, None, 0), "tiles": {"epoch": epoch, "days": days},
    });
    map.world.signed(USAGE_PATH, &body).await.ok(204);
}

/// Reports tiles alone, all of one day.
async fn tiles(map: &Map, link: &Value, epoch: &str, (day, tiles): (i64, u64)) {
    report(map, link, epoch, &[(day, tiles, 0, 0)]).await;
}

async fn told(map: &Map) -> Value {
    map.world.get("/api/v1/usage").await.ok(200).body
}

fn day(day: &str, tiles: u64, hits: u64, bytes: u64) -> Value {
    json!({"day": day, "tiles": tiles, "cache_hits": hits, "bytes": bytes})
}

/// Rows of the audit trail that tell of a spent budget, newest first.
async fn notices(map: &Map) -> Vec<Value> {
    let audit = map.world.get("/api/v1/audit?limit=100").await.ok(200).body;
    let rows = audit["records"].as_array().unwrap().iter();
    rows.filter(|row| row["action"] == "share.tile_budget_spent").cloned().collect()
}

async fn link(map: &Map, budget: Option<u64>) -> Value {
    let item = map.item(None).await;
    let mut body = new_link("item", &item);
    body["tile_budget"] = json!(budget);
    map.world.post(super::CREATE_LINK, body).await.ok(200).body
}

#[tokio::test]
async fn reports_may_be_late_repeated_and_of_a_new_gate() {
    for map in Map::all().await {
        let link = link(&map, None).await;
        let (old, new) = ([(TODAY, 5, 2, 50)], [(TODAY, 9, 3, 90)]);
        for days in [old, new, old, new] {
            report(&map, &link, "e1", &days).await;
        }
        assert_eq!(told(&map).await["days"], json!([day("2026-01-01", 9, 3, 90)]));
        // Of each figure the larger one, should one gate ever tell two.
        report(&map, &link, "e1", &[(TODAY, 1, 8, 1)]).await;
        assert_eq!(told(&map).await["days"], json!([day("2026-01-01", 9, 8, 90)]));
        // A gate that lost its storage counts anew.
        report(&map, &link, "e2", &[(TODAY, 1, 0, 10)]).await;
        report(&map, &link, "e1", &new).await;
        assert_eq!(told(&map).await["days"], json!([day("2026-01-01", 10, 8, 100)]));
        // A gate tells what is older, too.
        report(&map, &link, "e2", &[(TODAY - 1, 4, 0, 0), (TODAY, 2, 1, 20)]).await;
        assert_eq!(
            told(&map).await["days"],
            json!([day("2026-01-01", 11, 9, 110), day("2025-12-31", 4, 0, 0)])
        );
    }
}

#[tokio::test]
async fn days_are_summed_over_links_and_told_to_their_owner_alone() {
    for map in Map::all().await {
        let (one, other) = (link(&map, None).await, link(&map, None).await);
        report(&map, &one, "e", &[(TODAY, 1, 1, 10)]).await;
        report(&map, &other, "e", &[(TODAY, 2, 0, 20), (TODAY - 1, 3, 0, 30)]).await;
        let days = json!([day("2026-01-01", 3, 1, 30), day("2025-12-31", 3, 0, 30)]);
        assert_eq!(told(&map).await, json!({"days": days, "spent": []}));
        // What a link gave before it was revoked was given.
        map.revoke(&other).await.ok(200);
        assert_eq!(told(&map).await["days"], days);
        let stranger = map.world.key("globex", &Scope::ALL).await;
        let header = [("x-api-key", stranger.as_str())];
        let seen = map.world.raw(Method::GET, "/api/v1/usage", None, &header).await.ok(200).body;
        assert_eq!(seen, json!({"days": [], "spent": []}));
        let month: Vec<_> = (0..32).map(|ago| (TODAY - ago, 1, 0, 0)).collect();
        report(&map, &one, "month", &month).await;
        assert_eq!(told(&map).await["days"].as_array().unwrap().len(), 31);
    }
}

#[tokio::test]
async fn a_spent_budget_is_told_once_a_day() {
    for map in Map::all().await {
        let (link, frugal) = (link(&map, Some(10)).await, link(&map, Some(1_000)).await);
        let is_spent = json!([link["id"]]);
        tiles(&map, &link, "e", (TODAY, 9)).await;
        tiles(&map, &frugal, "e", (TODAY, 999)).await;
        assert_eq!((notices(&map).await.len(), &told(&map).await["spent"]), (0, &json!([])));
        for count in [10, 10, 9, 12, 10] {
            tiles(&map, &link, "e", (TODAY, count)).await;
        }
        // A new gate's tiles make it no less spent.
        tiles(&map, &link, "later", (TODAY, 30)).await;
        let rows = notices(&map).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(rows[0]["detail"], json!({"day": "2026-01-01", "tiles": 10, "budget": 10}));
        assert_eq!(rows[0]["actor"], "edge");
        let subject = rows[0]["subject"].as_str().unwrap().replace('-', "");
        assert_eq!(link["id"], json!(format!("lnk_{subject}")));
        assert_eq!(told(&map).await["spent"], is_spent);

        map.world.pass(Duration::from_hours(24));
        assert_eq!(told(&map).await["spent"], json!([]));
        report(&map, &link, "e", &[(TODAY, 12, 0, 0), (TODAY + 1, 11, 0, 0)]).await;
        assert_eq!((notices(&map).await.len(), &told(&map).await["spent"]), (2, &is_spent));
        assert_eq!(notices(&map).await[0]["detail"]["day"], "2026-01-02");
        let metrics = map.world.get("/metrics").await.ok(200).body;
        assert!(metrics.as_str().unwrap().contains("postern_tile_budget_spent_total"));
    }
}

#[tokio::test]
async fn a_budget_is_one_over_all_gates_of_a_link_and_has_a_default() {
    for map in Map::all().await {
        let (link, usual) = (link(&map, Some(10)).await, link(&map, None).await);
        tiles(&map, &link, "e1", (TODAY, 6)).await;
        tiles(&map, &link, "e2", (TODAY, 6)).await;
        tiles(&map, &usual, "e", (TODAY, DEFAULT_BUDGET - 1)).await;
        assert_eq!(told(&map).await["spent"], json!([link["id"]]));
        tiles(&map, &usual, "e", (TODAY, DEFAULT_BUDGET)).await;
        let details: Vec<_> =
            notices(&map).await.into_iter().map(|row| row["detail"]["tiles"].clone()).collect();
        assert_eq!(details, [json!(DEFAULT_BUDGET), json!(12)]);
        assert_eq!(told(&map).await["spent"], json!([link["id"], usual["id"]]));
    }
}

#[tokio::test]
async fn reports_at_once_tell_it_once() {
    for map in Map::all().await {
        let link = link(&map, Some(10)).await;
        join_all((0..16).map(|more| tiles(&map, &link, "e", (TODAY, 10 + more)))).await;
        assert_eq!(notices(&map).await.len(), 1);
    }
}

#[tokio::test]
async fn what_tiles_cost_is_kept_for_more_than_a_year() {
    for map in Map::all().await {
        let link = link(&map, None).await;
        report(&map, &link, "e1", &[(TODAY - 401, 1, 0, 0), (TODAY - 400, 2, 0, 0), (TODAY, 3, 0, 0)]).await;
        crate::manage::map::sweep(&map.world.app.service).await.unwrap();
        let kept = json!([day("2026-01-01", 3, 0, 0), day("2024-11-27", 2, 0, 0)]);
        assert_eq!(told(&map).await["days"], kept);
    }
}
