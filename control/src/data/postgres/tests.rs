use super::*;
use crate::data::Budget;
use serde_json::json;

#[test]
fn urls_name_a_host() {
    for good in ["postgres://u:p@h/d", "postgresql://h:5432/d", "postgres://h"] {
        assert_eq!(check_url(good), Ok(()), "{good}");
    }
    for bad in [
        "",
        "http://h/d",
        "postgres://",
        "postgres:///d",
        "postgres://u:p@/d",
        "sqlite://x",
        "postgres://h:notaport/d",
    ] {
        assert!(check_url(bad).is_err(), "{bad}");
    }
}

#[test]
fn text_becomes_json_by_its_type() {
    let check =
        |column_type, text: &str, expected: Value| assert_eq!(json(column_type, text.to_owned()), expected);
    check(ColumnType::Integer, "9007199254740993", json!(9_007_199_254_740_993_i64));
    check(ColumnType::Number, "1.50", json!(1.5));
    check(ColumnType::Number, "7", json!(7));
    check(ColumnType::Number, "NaN", Value::Null);
    check(ColumnType::Number, "Infinity", Value::Null);
    check(ColumnType::Boolean, "true", json!(true));
    check(ColumnType::Timestamp, "2024-01-01 10:00:00", json!("2024-01-01T10:00:00"));
    check(ColumnType::Timestamp, "2024-01-01 10:00:00.5+00", json!("2024-01-01T10:00:00.5Z"));
    check(ColumnType::Json, r#"{"a": 1}"#, json!({"a": 1}));
}

/// A pool on the test server; `None` when there is none.
fn pool() -> Option<PgPool> {
    let url = std::env::var("TEST_POSTGRES_URL").ok()?;
    Some(Pools::new().pool(Uuid::nil(), &url.into()).unwrap())
}

async fn ask(pool: &PgPool, sql: &str, binds: Vec<Bind>) -> Result<Rows, Failure> {
    run(pool, Query { sql: sql.to_owned(), binds }, &ten(), Instant::now() + Duration::from_secs(10)).await
}

#[tokio::test]
async fn columns_are_typed_and_values_bound() {
    let Some(pool) = pool() else { return };
    let sql = "SELECT 1::int AS a, 2.5::numeric AS b, 'x' AS c, true AS d, DATE '2024-01-01' AS e,
        TIMESTAMPTZ '2024-01-01 10:00:00+01' AS f, '{\"k\":1}'::jsonb AS g, NULL::text AS h, 1 AS a -- the end";
    let rows = ask(&pool, sql, vec![]).await.unwrap();
    let columns: Vec<(&str, ColumnType)> =
        rows.columns.iter().map(|column| (column.name.as_str(), column.column_type)).collect();
    assert_eq!(
        columns,
        [
            ("a", ColumnType::Integer),
            ("b", ColumnType::Number),
            ("c", ColumnType::Text),
            ("d", ColumnType::Boolean),
            ("e", ColumnType::Date),
            ("f", ColumnType::Timestamp),
            ("g", ColumnType::Json),
            ("h", ColumnType::Text),
            ("a", ColumnType::Integer)
        ]
    );
    assert_eq!(
        rows.cells,
        [[
            json!(1),
            json!(2.5),
            json!("x"),
            json!(true),
            json!("2024-01-01"),
            json!("2024-01-01T09:00:00Z"),
            json!({"k": 1}),
            Value::Null,
            json!(1)
        ]]
    );
    let sql = "SELECT CAST($1 AS text), CAST($2 AS bigint) + 1, CAST($3 AS double precision), CAST($4 AS boolean), CAST($5 AS date) + 1";
    let binds = vec![
        Bind::Text("'; DROP".into()),
        Bind::Integer(1),
        Bind::Float(0.5),
        Bind::Boolean(false),
        Bind::Date("2024-02-28".into()),
    ];
    let rows = ask(&pool, sql, binds).await.unwrap();
    assert_eq!(rows.cells, [[json!("'; DROP"), json!(2), json!(0.5), json!(false), json!("2024-02-29")]]);
}

#[tokio::test]
async fn rows_beyond_the_cap_are_cut_in_order() {
    let Some(pool) = pool() else { return };
    let rows = ask(&pool, "SELECT i FROM generate_series(1, 11) AS i ORDER BY i DESC;", vec![]).await;
    // The template drops a final semicolon; here it stands, and is refused.
    assert!(matches!(rows, Err(Failure::Refused(_))));
    let rows = ask(&pool, "SELECT i FROM generate_series(1, 11) AS i ORDER BY i DESC", vec![]).await.unwrap();
    assert_eq!((rows.cells.len(), rows.truncated, &rows.cells[0][0]), (10, true, &json!(11)));
}

#[tokio::test]
async fn whatever_is_no_reading_is_refused() {
    let Some(pool) = pool() else { return };
    for sql in [
        "CREATE TABLE t (a int)",
        "DELETE FROM pg_class RETURNING 1",
        "WITH x AS (DELETE FROM pg_class RETURNING 1) SELECT * FROM x",
        "SELECT 1) AS q(c0); DROP TABLE t; --",
        "SELECT 1 INTO t",
        "SHOW search_path",
        "SELECT nextval('none')",
    ] {
        assert!(matches!(ask(&pool, sql, vec![]).await, Err(Failure::Refused(_))), "{sql}");
        let prepared = prepare(&pool, Query { sql: sql.to_owned(), binds: vec![] }).await;
        assert!(matches!(prepared, Err(Failure::Refused(_))), "{sql}");
    }
}

#[tokio::test]
async fn a_query_without_end_is_stopped() {
    let Some(pool) = pool() else { return };
    let query = Query { sql: "SELECT pg_sleep(60)".to_owned(), binds: vec![] };
    let deadline = Instant::now() + Duration::from_millis(50);
    assert_eq!(run(&pool, query, &ten(), deadline).await, Err(Failure::TimedOut));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let pool = Pools::new().pool(Uuid::nil(), &"postgres://u:p@127.0.0.1:1/d".to_owned().into()).unwrap();
    assert!(matches!(ask(&pool, "SELECT 1", vec![]).await, Err(Failure::Unreachable(_))));
}

fn ten() -> Cap {
    Cap { rows: 10, bytes: Budget::new() }
}
