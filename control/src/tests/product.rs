//! Data products: the dialect of seed 000 to the letter, files good and hostile, pages and downloads.

mod postgres;

use super::world::{Answered, World};
use axum::body::to_bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use shared::call::{DOWNLOAD_PATH, PAGE_PATH};
use std::collections::BTreeSet;
use std::time::Duration;

const PRODUCTS: &str = "/api/v1/data-products";
const TABLE: &str = "city,price,at,open,day,code\n\
    Oslo,1.5,2024-01-02 10:00,true,2024-01-01,007\n\
    \"Bergen, west\",,2024-01-01T10:00:00.250,false,2024-01-02,=1+1\n\
    oslo,-2,,,,\"-3\"\n";

impl World {
    async fn product(&self, file: &str) -> String {
        let id = self.post(PRODUCTS, json!({"name": "Prices"})).await.ok(201).id();
        self.send(Method::PUT, &format!("{PRODUCTS}/{id}/file"), "text/csv", file.to_owned()).await.ok(200);
        id
    }

    /// The token of a product's link, and what the edge knows of its share.
    async fn shared(&self, product: &str) -> Value {
        self.post(&link(product), json!({})).await.ok(200);
        let live = self.edge.live();
        let record =
            live.iter().filter_map(|record| record.live.as_ref().map(|live| (record.revision, live)));
        let of_product = |live: &shared::replica::Live| {
            live.target.data_product().is_some_and(|view| view.id.to_string() == product)
        };
        let (revision, live) = record.into_iter().find(|(_, live)| of_product(live)).unwrap();
        json!({"share_id": live.share.id, "revision": revision})
    }

    async fn page(&self, call: &Value, asked: Value) -> Answered {
        let mut call = call.clone();
        call["asked"] = asked;
        self.signed(PAGE_PATH, &call).await
    }

    async fn download(&self, call: &Value, format: &str) -> axum::response::Response {
        let mut call = call.clone();
        call["asked"] = format.into();
        self.signed_stream(DOWNLOAD_PATH, &call).await
    }

    async fn text(&self, call: &Value, format: &str) -> String {
        let body = to_bytes(self.download(call, format).await.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }
}

fn link(product: &str) -> String {
    format!("/v1/data-products/{product}/share")
}

fn first(sort: &Value) -> Value {
    json!({"limit": 100, "sort": sort, "search": null, "start": {"offset": 0}})
}

fn refused(answer: &Answered, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), &answer.body["error"]["code"]), (status, &json!(code)), "{answer:?}");
    assert_eq!(answer.body.as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn the_dialect_is_as_documented() {
    for world in World::all().await {
        let id = world.product(TABLE).await;
        let link = link(&id);
        assert_eq!(world.get(&link).await.ok(200).body, json!({"share": null}));
        let none = world.delete(&link).await.ok(200).body;
        assert_eq!(none, json!({"revoked": false, "id": id}));

        let made = world.send(Method::POST, &link, "application/json", "").await.ok(200).body;
        let share = &made["share"];
        let keys: BTreeSet<_> = share.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, BTreeSet::from(["token", "url", "has_password", "created_at"]));
        let token = share["token"].as_str().unwrap();
        assert!(token.len() == 44 && token.starts_with("shr_"));
        assert_eq!(share["url"], format!("https://share.example/share/{token}"));
        assert_eq!(share["has_password"], false);
        assert_eq!(world.get(&link).await.ok(200).body, made);

        let long = world
            .call(Method::PUT, &format!("{link}/password"), Some(json!({"password": "x".repeat(129)})), &[])
            .await;
        refused(&long, 422, "invalid_request");
        let set = world
            .call(Method::PUT, &format!("{link}/password"), Some(json!({"password": "correct horse"})), &[])
            .await;
        assert_eq!(set.ok(200).body["share"]["has_password"], true);
        world.pass(Duration::from_secs(5));
        let rotated = world.post(&link, json!({})).await.ok(200).body;
        assert_eq!(rotated["share"]["has_password"], true, "a rotation keeps the password");
        assert_ne!(rotated["share"]["token"], share["token"]);
        assert_ne!(rotated["share"]["created_at"], share["created_at"]);
        let live: Vec<_> = world.edge.live();
        assert_eq!(live.len(), 1, "the old link is dead when the call returns");
        assert!(live[0].live.as_ref().unwrap().protection.password.is_some());

        assert_eq!(world.delete(&link).await.ok(200).body, json!({"revoked": true, "id": id}));
        assert_eq!(world.edge.live().len(), 0);
        assert_eq!(world.delete(&link).await.ok(200).body, json!({"revoked": false, "id": id}));
        assert_eq!(world.get(&link).await.ok(200).body, json!({"share": null}));
        let password = world.call(Method::DELETE, &format!("{link}/password"), None, &[]).await;
        refused(&password, 404, "not_found");
        let anew = world.post(&link, json!({})).await.ok(200).body;
        assert_eq!(anew["share"]["has_password"], false, "a revoke drops the password");
        let freed = world.call(Method::DELETE, &format!("{link}/password"), None, &[]).await.ok(200).body;
        assert_eq!(freed, anew);
    }
}

#[tokio::test]
async fn a_link_is_made_with_its_password_where_an_organization_demands_one() {
    for world in World::all().await {
        let link = link(&world.product(TABLE).await);
        let limits = json!({"password_required": true});
        world.call(Method::PUT, "/api/v1/organization/limits", Some(limits), &[]).await.ok(200);
        refused(&world.post(&link, json!({})).await, 409, "conflict");
        let once = [("idempotency-key", "k")];
        let body = json!({"password": "correct horse"});
        let made = world.call(Method::POST, &link, Some(body.clone()), &once).await.ok(200).body;
        assert_eq!(made["share"]["has_password"], true);
        assert_eq!(world.call(Method::POST, &link, Some(body), &once).await.ok(200).body, made);
        let version = || world.edge.live()[0].live.as_ref().unwrap().protection.version;
        assert_eq!(version(), 1);
        world.post(&link, json!({})).await.ok(200);
        assert_eq!(version(), 1, "a rotation keeps the password");
        let changed = world.post(&link, json!({"password": "battery staple"})).await.ok(200).body;
        assert_eq!((version(), &changed["share"]["has_password"]), (2, &json!(true)));
        assert_ne!(changed["share"]["token"], made["share"]["token"]);
    }
}

#[tokio::test]
async fn its_errors_are_its_own() {
    let world = World::new().await;
    let id = world.product(TABLE).await;
    for (method, path) in [(Method::GET, link(&id)), (Method::POST, link(&id)), (Method::DELETE, link(&id))] {
        let stranger = world.raw(method.clone(), &path, None, &[]).await;
        refused(&stranger, 401, "unauthorized");
        assert_eq!(stranger.headers["www-authenticate"], "Bearer");
        let other = world.key("globex", &crate::auth::Scope::ALL).await;
        refused(&world.raw(method, &path, None, &[("x-api-key", &other)]).await, 404, "not_found");
    }
    for nowhere in ["/v1/data-products/x/share", "/v1/nothing"] {
        refused(&world.get(nowhere).await, 404, "not_found");
    }
    refused(&world.call(Method::PATCH, &link(&id), None, &[]).await, 405, "method_not_allowed");
    let empty = world.post(PRODUCTS, json!({"name": "Empty"})).await.ok(201).id();
    refused(&world.post(&link(&empty), json!({})).await, 409, "conflict");
    for wrong in [json!({"colour": "red"}), json!({"password": ""}), json!({"password": "x".repeat(129)})] {
        refused(&world.post(&link(&id), wrong).await, 422, "invalid_request");
    }
    assert_eq!(world.get(&link(&id)).await.ok(200).body, json!({"share": null}));

    let world = World::throttled(3).await;
    let path = link("0190a8c0-0000-7000-8000-000000000001");
    let mut last = world.get(&path).await;
    for _ in 0..4 {
        last = world.get(&path).await;
    }
    refused(&last, 429, "rate_limited");
    assert!(last.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn of_many_concurrent_posts_one_token_lives() {
    for world in World::all().await {
        let link = link(&world.product(TABLE).await);
        let made = join_all((0..64).map(|_| world.post(&link, json!({})))).await;
        let tokens: BTreeSet<_> = made
            .into_iter()
            .map(|answer| {
                assert!(matches!(answer.status.as_u16(), 200 | 202), "{answer:?}");
                answer.body["share"]["token"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(tokens.len(), 64, "each caller gets its own");
        let live = world.get(&link).await.ok(200).body;
        assert!(tokens.contains(live["share"]["token"].as_str().unwrap()));
        assert_eq!(world.edge.live().len(), 1);
    }
}

#[tokio::test]
async fn a_file_is_read_as_a_table() {
    for world in World::all().await {
        let id = world.product(TABLE).await;
        let product = world.get(&format!("{PRODUCTS}/{id}")).await.ok(200).body;
        let types: Vec<_> =
            product["columns"].as_array().unwrap().iter().map(|column| column["type"].clone()).collect();
        assert_eq!(types, ["text", "number", "timestamp", "boolean", "date", "text"]);
        assert_eq!((&product["row_count"], &product["version"]), (&json!(3), &json!(2)));
        let call = world.shared(&id).await;
        let page = world.page(&call, first(&Value::Null)).await.ok(200).body;
        assert_eq!(
            page["rows"],
            json!([
                ["Oslo", 1.5, "2024-01-02T10:00:00", true, "2024-01-01", "007"],
                ["Bergen, west", null, "2024-01-01T10:00:00.25", false, "2024-01-02", "=1+1"],
                ["oslo", -2.0, null, null, null, "-3"],
            ])
        );
        assert_eq!((&page["total"], &page["next_cursor"]), (&json!(3), &Value::Null));
        let sorted = world.page(&call, first(&json!({"column": 1, "descending": true}))).await.ok(200).body;
        let cities: Vec<_> = sorted["rows"].as_array().unwrap().iter().map(|row| row[0].clone()).collect();
        assert_eq!(cities, ["Oslo", "oslo", "Bergen, west"]);
        let mut asked = first(&Value::Null);
        asked["search"] = "OSLO".into();
        assert_eq!(world.page(&call, asked).await.ok(200).body["matched"], 2);
        world
            .page(&call, first(&json!({"column": 6, "descending": false})))
            .await
            .refused(422, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn what_is_no_table_changes_nothing() {
    let world = World::new().await;
    let id = world.product(TABLE).await;
    let path = format!("{PRODUCTS}/{id}");
    let before = world.get(&path).await.ok(200).body;
    let file = format!("{path}/file");
    let wide = (0..257).map(|at| at.to_string()).collect::<Vec<_>>().join(",");
    for hostile in [
        String::new(),
        "a,b\n1\n".into(),
        "a,b\n1,2,3\n".into(),
        "a,a\n1,2\n".into(),
        "a,\n1,2\n".into(),
        format!("{wide}\n"),
        format!("a\n\"{}\n", "x".repeat(6 * 1024 * 1024)),
        format!("a\n{}\n", "x".repeat(300 * 1024)),
        "a\nx\0y\n".into(),
        "PAR1".into(),
    ] {
        let answer = world.send(Method::PUT, &file, "text/csv", hostile.clone()).await;
        // A head alone is a table without rows.
        if hostile == "PAR1" {
            assert_eq!(answer.ok(200).body["row_count"], 0);
            world.send(Method::PUT, &file, "text/csv", TABLE).await.ok(200);
            continue;
        }
        answer.refused(422, "VALIDATION_ERROR");
    }
    world
        .send(Method::PUT, &file, "text/csv", vec![b'a', b'\n', 0xff, b'\n'])
        .await
        .refused(422, "VALIDATION_ERROR");
    let mut truncated = b"PAR1".to_vec();
    truncated.extend([0xff; 64]);
    for bytes in [
        b"x".to_vec(),
        b"PAR1PAR1".to_vec(),
        truncated,
        [b"PAR1".as_slice(), &[1, 0, 0, 0], b"PAR1"].concat(),
    ] {
        let answer = world.send(Method::PUT, &file, "application/vnd.apache.parquet", bytes).await;
        answer.refused(422, "VALIDATION_ERROR");
    }
    world.send(Method::PUT, &file, "application/json", "{}").await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    let after = world.get(&path).await.ok(200).body;
    assert_eq!((&after["columns"], &after["row_count"]), (&before["columns"], &before["row_count"]));
    let folder = world.config.product_dir.clone().unwrap();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1, "one version's file, and nothing unfinished");
}

#[tokio::test]
async fn downloads_hold_all_rows() {
    let world = World::new().await;
    let id = world.product(TABLE).await;
    let call = world.shared(&id).await;
    let answer = world.download(&call, "csv").await;
    assert_eq!(answer.headers()["content-disposition"], "attachment; filename=\"prices.csv\"");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(
        world.text(&call, "csv").await,
        "city,price,at,open,day,code\r\nOslo,1.5,2024-01-02T10:00:00,true,2024-01-01,007\r\n\
        \"Bergen, west\",,2024-01-01T10:00:00.25,false,2024-01-02,'=1+1\r\noslo,-2,,,,'-3\r\n"
    );
    let lines = world.text(&call, "jsonl").await;
    assert_eq!(
        lines.lines().next().unwrap(),
        r#"{"city":"Oslo","price":1.5,"at":"2024-01-02T10:00:00","open":true,"day":"2024-01-01","code":"007"}"#
    );
    assert_eq!(lines.lines().count(), 3);

    // What Parquet holds, read again, is the same table.
    let parquet = to_bytes(world.download(&call, "parquet").await.into_body(), usize::MAX).await.unwrap();
    let again = world.post(PRODUCTS, json!({"name": "Again"})).await.ok(201).id();
    let file = format!("{PRODUCTS}/{again}/file");
    let read = world.send(Method::PUT, &file, "application/vnd.apache.parquet", parquet).await.ok(200).body;
    assert_eq!(read["columns"], world.get(&format!("{PRODUCTS}/{id}")).await.ok(200).body["columns"]);
    let copy = world.shared(&again).await;
    let rows = async |call| world.page(call, first(&Value::Null)).await.ok(200).body["rows"].clone();
    assert_eq!(rows(&copy).await, rows(&call).await);
}

#[tokio::test]
async fn a_download_ends_with_its_link() {
    let world = World::new().await;
    let line = "x".repeat(1_000);
    let file = std::iter::once("a".to_owned())
        .chain((0..2_000).map(|_| line.clone()))
        .collect::<Vec<_>>()
        .join("\n");
    let id = world.product(&file).await;
    let call = world.shared(&id).await;
    let mut body = world.download(&call, "csv").await.into_body().into_data_stream();
    assert!(body.next().await.unwrap().is_ok());
    world.delete(&link(&id)).await.ok(200);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(body.next().await.unwrap().is_err(), "nobody takes it for the whole");
    let dead = world.download(&call, "csv").await;
    assert_eq!(dead.status(), 410);
}

#[tokio::test]
async fn a_query_is_a_snapshot_until_it_is_refreshed() {
    for world in World::all().await {
        let source = world.source().await;
        let query = json!({"data_source_id": source, "sql": "SELECT location, date, rain, weather FROM weather ORDER BY 1, 2"});
        let id = world.post(PRODUCTS, json!({"name": "Days", "query": query})).await.ok(201).id();
        let call = world.shared(&id).await;
        let page = world.page(&call, first(&Value::Null)).await.ok(200).body;
        assert_eq!(page["rows"][0], json!(["New York", "2024-01-01", 0.0, "sun"]));
        let types: Vec<_> =
            page["columns"].as_array().unwrap().iter().map(|column| column["type"].clone()).collect();
        assert_eq!(types, ["text", "date", "number", "text"]);
        let refreshed = world.post(&format!("{PRODUCTS}/{id}/refresh"), json!({})).await.ok(200).body;
        assert_eq!((&refreshed["version"], &refreshed["row_count"]), (&json!(2), &json!(4)));
        let stale = world.page(&call, first(&Value::Null)).await;
        assert_eq!(stale.status, 409, "the edge asks again under the newer revision");
        for (sql, word) in [
            ("DELETE FROM weather", "refused"),
            ("SELECT * FROM nowhere", "refused"),
            ("SELECT :city", "filters"),
            ("SELECT 1 AS a, 2 AS a", "another"),
            ("", "query"),
        ] {
            let bad = json!({"name": "Bad", "query": {"data_source_id": source, "sql": sql}});
            let answer = world.post(PRODUCTS, bad).await;
            answer.refused(422, "VALIDATION_ERROR");
            assert!(answer.body["errors"][0]["message"].as_str().unwrap().contains(word), "{answer:?}");
        }
        world.delete(&format!("/api/v1/data-sources/{source}")).await.refused(409, "CONFLICT");
        assert_eq!(world.delete(&format!("{PRODUCTS}/{id}")).await.status, 204);
        assert_eq!(world.edge.live().len(), 0, "its link is dead");
        world.get(&format!("{PRODUCTS}/{id}")).await.refused(404, "NOT_FOUND");
    }
}
