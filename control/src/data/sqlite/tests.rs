use super::*;
use serde_json::{Value, json};
use shared::call::ColumnType;

/// A folder with one database of a few tables.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE day (date DATE, at DATETIME, rain REAL, days INTEGER, wet BOOLEAN, note TEXT, raw BLOB);
             INSERT INTO day VALUES ('2024-01-01', '2024-01-01 10:00:00', 1.5, 3, 1, 'it''s', x'00ff');
             INSERT INTO day VALUES ('2024-01-02', '2024-01-02T11:00:00Z', 2, NULL, 0, NULL, NULL);",
        )
        .unwrap();
    (folder, path)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

async fn ask(sql: &str, binds: Vec<Bind>) -> Result<Rows, Failure> {
    let (_folder, path) = folder();
    run(path, Query { sql: sql.to_owned(), binds }, ten(), soon()).await
}

#[tokio::test]
async fn declared_types_count_when_cells_fit() {
    let rows = ask("SELECT * FROM day ORDER BY date", vec![]).await.unwrap();
    let types: Vec<ColumnType> = rows.columns.iter().map(|column| column.column_type).collect();
    assert_eq!(
        types,
        [
            ColumnType::Date,
            ColumnType::Timestamp,
            ColumnType::Number,
            ColumnType::Integer,
            ColumnType::Boolean,
            ColumnType::Text,
            ColumnType::Text
        ]
    );
    assert_eq!(
        rows.cells[0],
        [
            json!("2024-01-01"),
            json!("2024-01-01T10:00:00"),
            json!(1.5),
            json!(3),
            json!(true),
            json!("it's"),
            json!("00ff")
        ]
    );
    assert_eq!(rows.cells[1][3..], [Value::Null, json!(false), Value::Null, Value::Null]);
}

#[tokio::test]
async fn expressions_are_what_their_cells_are() {
    let rows =
        ask("SELECT 1, 1.5, 'a', NULL, COUNT(*) FROM day UNION ALL SELECT 2.5, 2, 'b', NULL, 7", vec![])
            .await
            .unwrap();
    let types: Vec<ColumnType> = rows.columns.iter().map(|column| column.column_type).collect();
    assert_eq!(
        types,
        [ColumnType::Number, ColumnType::Number, ColumnType::Text, ColumnType::Text, ColumnType::Integer]
    );
    let rows = ask("SELECT 9007199254740993, 1e999", vec![]).await.unwrap();
    assert_eq!(rows.cells, [[json!(9_007_199_254_740_993_i64), Value::Null]]);
}

#[tokio::test]
async fn values_are_bound() {
    let sql = "SELECT COUNT(*) FROM day WHERE date = ?1 AND wet = ?2 AND rain > ?3 AND days = ?4";
    let binds =
        vec![Bind::Date("2024-01-01".into()), Bind::Boolean(true), Bind::Float(1.0), Bind::Integer(3)];
    assert_eq!(ask(sql, binds).await.unwrap().cells, [[json!(1)]]);
    let rows = ask("SELECT ?1", vec![Bind::Text("'; DROP TABLE day".into())]).await.unwrap();
    assert_eq!(rows.cells, [[json!("'; DROP TABLE day")]]);
}

#[tokio::test]
async fn rows_beyond_the_cap_are_cut() {
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 11) SELECT i FROM n";
    let rows = ask(sql, vec![]).await.unwrap();
    assert_eq!((rows.cells.len(), rows.truncated), (10, true));
    let rows = ask(&sql.replace("11", "10"), vec![]).await.unwrap();
    assert_eq!((rows.cells.len(), rows.truncated), (10, false));
}

#[tokio::test]
async fn whatever_is_no_reading_is_refused() {
    for sql in [
        "DELETE FROM day",
        "INSERT INTO day (note) VALUES ('x') RETURNING note",
        "UPDATE day SET note = 'x'",
        "CREATE TABLE t (a)",
        "CREATE TEMP TABLE t (a)",
        "DROP TABLE day",
        "ATTACH '/tmp/other.db' AS other",
        "PRAGMA user_version = 5",
        "PRAGMA query_only = OFF",
        "SELECT * FROM pragma_table_info('day')",
        "SELECT load_extension('x')",
        "SELECT fts3_tokenizer('simple')",
        "VACUUM INTO '/tmp/copy.db'",
        "REINDEX",
        "BEGIN",
        "EXPLAIN DELETE FROM day",
        "SELECT 1; SELECT 2",
        "",
    ] {
        assert!(matches!(ask(sql, vec![]).await, Err(Failure::Refused(_))), "{sql}");
    }
}

#[tokio::test]
async fn a_query_without_end_is_stopped() {
    let (_folder, path) = folder();
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n";
    let query = Query { sql: sql.to_owned(), binds: vec![] };
    let deadline = Instant::now() + Duration::from_millis(50);
    assert_eq!(run(path, query, ten(), deadline).await, Err(Failure::TimedOut));
}

#[tokio::test]
async fn preparing_names_the_columns_and_runs_nothing() {
    let (_folder, path) = folder();
    let query = |sql: &str| Query { sql: sql.to_owned(), binds: vec![] };
    assert_eq!(
        prepare(path.clone(), query("SELECT date AS d, 1 AS one FROM day")).await.unwrap(),
        ["d", "one"]
    );
    assert!(matches!(prepare(path, query("SELECT nothing FROM day")).await, Err(Failure::Refused(_))));
}

#[test]
fn files_lie_below_the_folder() {
    let (folder, path) = folder();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.db"), "x").unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(folder.path().join("sub/b.db"), "x").unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.db"), folder.path().join("link.db")).unwrap();
    let sources = Folder::new(Some(folder.path().to_owned()));
    assert_eq!(sources.resolve("data.db").unwrap(), path.canonicalize().unwrap());
    assert!(sources.resolve("sub/b.db").is_ok());
    let absolute = outside.path().join("secret.db");
    for bad in [
        "",
        ".",
        "..",
        "../x.db",
        "sub/../../x.db",
        "sub",
        "link.db",
        "missing.db",
        absolute.to_str().unwrap(),
        "a\0b",
    ] {
        assert!(sources.resolve(bad).is_err(), "{bad:?}");
    }
    assert!(Folder::new(None).resolve("data.db").is_err());
}

#[tokio::test]
async fn what_is_no_database_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.db");
    std::fs::write(&path, "no database, but long enough to have a header".repeat(10)).unwrap();
    assert!(probe(path).await.is_err());
}

fn ten() -> Cap {
    Cap { rows: 10, bytes: Budget::new() }
}

#[tokio::test]
async fn queries_of_one_answer_share_its_bytes() {
    let (folder, path) = (tempfile::tempdir().unwrap(), "big.db");
    let path = folder.path().join(path);
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x TEXT)").unwrap();
    let budget = Budget::new();
    // 5 MiB each: the second does not fit into what the first left.
    let sql = "SELECT printf('%.*c', 5 * 1024 * 1024, 'x') AS x";
    for expected in [(1, false), (0, true)] {
        let query = Query { sql: sql.to_owned(), binds: Vec::new() };
        let rows = run(path.clone(), query, Cap { rows: 10, bytes: budget.clone() }, soon()).await.unwrap();
        assert_eq!((rows.cells.len(), rows.truncated), expected);
    }
}
