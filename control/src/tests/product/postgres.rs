//! Data products from queries on PostgreSQL; tried when `TEST_POSTGRES_URL` is set.

use super::super::database::OwnDatabase;
use super::super::world::World;
use super::{PRODUCTS, first};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};

/// A row of usual values, one of what has no place in its type here, and one of nothing.
const TABLE: &str = "CREATE TABLE kinds (
        small SMALLINT, whole BIGINT, float DOUBLE PRECISION, short REAL, exact NUMERIC, word TEXT, truth BOOLEAN,
        day DATE, moment TIMESTAMP, instant TIMESTAMPTZ, paper JSONB, bytes BYTEA, id UUID
    );
    INSERT INTO kinds VALUES
        (-7, 9007199254740993, 0.1, 1.1, 12.50, 'Å; \"quoted\"', true, '2024-02-29', '2024-02-29 10:00:00.250',
            '2024-02-29 10:00:00+05:30', '{\"b\": [1, null]}', '\\x00ff', '0190a8c0-0000-7000-8000-000000000001'),
        (0, -1, 'NaN', '-Infinity', 'NaN', '', false, 'infinity', '-infinity', 'infinity', '1', '', NULL),
        (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)";

#[tokio::test]
async fn every_kind_of_value_comes_as_what_it_is() {
    let Some(own) = OwnDatabase::new().await else { return };
    let url = own.url();
    let mut owner = PgConnection::connect(&url).await.unwrap();
    // What the database prefers changes nothing.
    let name = url.rsplit('/').next().unwrap();
    let settings = format!(
        "ALTER DATABASE {name} SET datestyle = 'German';
        ALTER DATABASE {name} SET timezone = 'Asia/Kolkata';
        ALTER DATABASE {name} SET bytea_output = 'escape'"
    );
    owner.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(settings))).await.unwrap();
    owner.execute(sqlx::raw_sql(TABLE)).await.unwrap();
    for world in World::all().await {
        let source = json!({"name": "pg", "kind": "postgres", "url": url});
        let source = world.post("/api/v1/data-sources", source).await.ok(201).id();
        let sql = "SELECT * FROM kinds ORDER BY small DESC NULLS LAST -- the end";
        let query = json!({"data_source_id": source, "sql": sql});
        let id = world.post(PRODUCTS, json!({"name": "Kinds", "query": query})).await.ok(201).id();
        let call = world.shared(&id).await;
        let page = world.page(&call, first(&Value::Null)).await.ok(200).body;
        let columns = page["columns"].as_array().unwrap();
        let types: Vec<_> = columns.iter().map(|column| column["type"].as_str().unwrap()).collect();
        assert_eq!(
            types,
            [
                "integer",
                "integer",
                "number",
                "number",
                "number",
                "text",
                "boolean",
                "date",
                "timestamp",
                "timestamp",
                "json",
                "text",
                "text"
            ]
        );
        let nothing = Value::Null;
        assert_eq!(
            page["rows"],
            json!([
                [0, -1, nothing, nothing, nothing, "", false, nothing, nothing, nothing, 1, "\\x", nothing],
                [
                    -7, 9_007_199_254_740_993_i64, 0.1, 1.1, 12.5, "Å; \"quoted\"", true, "2024-02-29",
                    "2024-02-29T10:00:00.25", "2024-02-29T04:30:00Z", {"b": [1, null]}, "\\x00ff",
                    "0190a8c0-0000-7000-8000-000000000001"
                ],
                vec![nothing; 13],
            ])
        );
        let line = world.text(&call, "jsonl").await;
        assert!(
            line.contains("\"exact\":12.5,") && line.contains("\"instant\":\"2024-02-29T04:30:00Z\""),
            "{line}"
        );

        owner.execute("INSERT INTO kinds (small) VALUES (1)").await.unwrap();
        let refreshed = world.post(&format!("{PRODUCTS}/{id}/refresh"), json!({})).await.ok(200).body;
        assert_eq!((&refreshed["version"], &refreshed["row_count"]), (&json!(2), &json!(4)));
        owner.execute("DELETE FROM kinds WHERE small = 1").await.unwrap();
    }
}

#[tokio::test]
async fn more_rows_than_are_handed_on_together_come_in_order() {
    let Ok(server) = std::env::var("TEST_POSTGRES_URL") else { return };
    let world = World::new().await;
    let source = json!({"name": "pg", "kind": "postgres", "url": server});
    let source = world.post("/api/v1/data-sources", source).await.ok(201).id();
    let sql = "SELECT i, repeat('x', 20000) AS wide FROM generate_series(1, 1300) AS i ORDER BY i DESC";
    let query = json!({"data_source_id": source, "sql": sql});
    let made = world.post(PRODUCTS, json!({"name": "Rows", "query": query})).await.ok(201);
    assert_eq!(made.body["row_count"], 1_300);
    let call = world.shared(&made.id()).await;
    let mut asked = first(&Value::Null);
    asked["start"] = json!({"offset": 1_299});
    let page = world.page(&call, asked).await.ok(200).body;
    assert_eq!(page["rows"][0][0], 1);
    let none = json!({"data_source_id": source, "sql": "SELECT 1 AS a WHERE FALSE"});
    let empty = world.post(PRODUCTS, json!({"name": "None", "query": none})).await.ok(201).body;
    assert_eq!((&empty["row_count"], &empty["columns"][0]["type"]), (&json!(0), &json!("integer")));
}

#[tokio::test]
async fn what_the_source_refuses_is_told_and_changes_nothing() {
    let Ok(server) = std::env::var("TEST_POSTGRES_URL") else { return };
    let world = World::new().await;
    let source = json!({"name": "pg", "kind": "postgres", "url": server});
    let source = world.post("/api/v1/data-sources", source).await.ok(201).id();
    for (sql, word) in [
        ("CREATE TABLE t (a int)", "refused"),
        ("DELETE FROM pg_class RETURNING 1", "refused"),
        ("WITH x AS (DELETE FROM pg_class RETURNING 1) SELECT * FROM x", "refused"),
        ("SELECT * FROM nowhere", "refused"),
        ("SELECT 1 / (i - 1000) FROM generate_series(1, 2000) AS i", "refused"),
        ("SELECT :city", "filters"),
        ("SELECT 1 AS a, 2 AS a", "another"),
        ("SELECT repeat('x', 300000) AS a", "256 KiB"),
    ] {
        let bad = json!({"name": "Bad", "query": {"data_source_id": source, "sql": sql}});
        let answer = world.post(PRODUCTS, bad).await;
        answer.refused(422, "VALIDATION_ERROR");
        let words = answer.body["errors"][0]["message"].as_str().unwrap();
        assert!(words.contains(word), "{sql}: {words}");
    }
    assert_eq!(world.get(PRODUCTS).await.ok(200).body["total"], 0);
    let away = json!({"name": "away", "kind": "postgres", "url": "postgres://u:p@127.0.0.1:1/d"});
    let away = world.post("/api/v1/data-sources", away).await.ok(201).id();
    let query = json!({"data_source_id": away, "sql": "SELECT 1 AS a"});
    let answer = world.post(PRODUCTS, json!({"name": "Away", "query": query})).await;
    answer.refused(400, "DB_QUERY_ERROR");
    assert!(!answer.body.to_string().contains("127.0.0.1"), "{answer:?}");
}
