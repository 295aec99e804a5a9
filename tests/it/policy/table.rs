//! A small table with known rows, in both databases: each text in all forms that a stranger may try.

use fastrand::Rng;
use oracle::corpus;
use oracle::rules::Rows;
use rusqlite::Connection;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::collections::BTreeSet;
use tests::{Client, Database, Stack, stack};

/// Filters, their kinds, and the conditions in which they stand.
pub const COLUMNS: [(&str, &str, &str); 7] = [
    ("region", "select", "[[ AND region = :region ]]"),
    ("size", "multi_select", "[[ AND size IN (:size) ]]"),
    ("note", "text", "[[ AND note = :note ]]"),
    ("amount", "number", "[[ AND amount = :amount ]]"),
    ("day", "date", "[[ AND day = :day ]]"),
    ("period", "date_range", "[[ AND day >= :period_start ]] [[ AND day <= :period_end ]]"),
    ("flag", "boolean", "[[ AND flag = :flag ]]"),
];

/// Enough that each form of a text stands beside others of it, and few enough to be sent ten thousand times.
const ROWS: usize = 64;

/// The rows that each filter alone shows, and those that all show together.
pub fn rows_sql() -> String {
    let part = |name: &str, condition: &str| {
        format!("SELECT '{name}' AS part, id FROM thing WHERE 1 = 1 {condition}")
    };
    let parts: Vec<String> = COLUMNS.iter().map(|(slug, _, condition)| part(slug, condition)).collect();
    format!("{} UNION ALL {}", parts.join(" UNION ALL "), part("whole", &conditions()))
}

/// The cells of a column, as options.
pub fn options_sql(slug: &str) -> String {
    let all = conditions();
    format!(
        "SELECT DISTINCT {slug} AS value FROM thing WHERE 1 = 1 {all} \
         [[ AND {slug} LIKE '%' || :search || '%' ]] ORDER BY {slug}"
    )
}

fn conditions() -> String {
    COLUMNS.map(|(_, _, condition)| condition).join(" ")
}

/// The table's rows, by their ids.
pub struct Table {
    /// The data source.
    pub source: Value,
    rows: Vec<Value>,
}

impl Table {
    /// Writes the table and makes a data source of it.
    pub fn create(stack: &Stack, admin: &Client, rng: &mut Rng) -> Self {
        let rows = make(rng);
        let source = match stack.database() {
            Database::Sqlite => {
                write_sqlite(stack, &rows);
                json!({ "kind": "sqlite", "name": "Oracle", "file": "oracle.db" })
            }
            Database::Postgres => {
                json!({ "kind": "postgres", "name": "Oracle", "url": write_postgres(&rows) })
            }
        };
        let source = admin.post("/api/v1/data-sources", &source).expect(201).json()["id"].take();
        Self { source, rows }
    }

    /// What [`rows_sql`] gives when these rows may be seen; of the filters in `beside`, any rows.
    pub fn rows(&self, shown: &Rows, beside: &[&str]) -> BTreeSet<(String, u64)> {
        let may = |slug: &str, row: &Value| beside.contains(&slug) || shown.of(slug).show(cell(slug, row));
        let mut found = BTreeSet::new();
        for (id, row) in (0..).zip(&self.rows) {
            let by = COLUMNS.map(|(slug, ..)| slug).into_iter().filter(|slug| may(slug, row));
            found.extend(by.map(|slug| (slug.to_owned(), id)));
            if COLUMNS.iter().all(|(slug, ..)| may(slug, row)) {
                found.insert(("whole".to_owned(), id));
            }
        }
        found
    }

    /// What [`options_sql`] gives under these rows.
    pub fn cells(&self, slug: &str, under: &Rows) -> Vec<Value> {
        let may = |row: &&Value| COLUMNS.iter().all(|(other, ..)| under.of(other).show(cell(other, row)));
        let texts = self.rows.iter().filter(may).map(|row| cell(slug, row).as_str().unwrap());
        // Both databases sort texts by their bytes here.
        texts.collect::<BTreeSet<_>>().into_iter().map(Value::from).collect()
    }
}

/// A period is one of days.
fn cell<'r>(slug: &str, row: &'r Value) -> &'r Value {
    &row[if slug == "period" { "day" } else { slug }]
}

fn make(rng: &mut Rng) -> Vec<Value> {
    let mut forms: Vec<String> = corpus::WORDS.map(str::to_owned).into();
    let mut others: Vec<String> = forms.iter().flat_map(|word| corpus::twins(word)).collect();
    others.retain(|form| !forms.contains(form));
    rng.shuffle(&mut others);
    others.truncate(ROWS - forms.len());
    forms.append(&mut others);
    let (mut sizes, mut notes) = (forms.clone(), forms.clone());
    rng.shuffle(&mut sizes);
    rng.shuffle(&mut notes);
    let row = |((region, size), note)| {
        // Whole numbers come back from both databases as whole numbers.
        let amount = corpus::number(rng);
        json!({ "region": region, "size": size, "note": note, "amount": amount, "day": corpus::day(rng), "flag": rng.bool() })
    };
    forms.into_iter().zip(sizes).zip(notes).map(row).collect()
}

fn write_sqlite(stack: &Stack, rows: &[Value]) {
    let mut file = Connection::open(stack.state("data/oracle.db")).expect("a file");
    let transaction = file.transaction().unwrap();
    transaction
        .execute_batch("CREATE TABLE thing (id INTEGER PRIMARY KEY, region TEXT, size TEXT, note TEXT, amount REAL, day DATE, flag BOOLEAN)")
        .unwrap();
    for (id, row) in (0_i64..).zip(rows) {
        let text = |slug: &str| row[slug].as_str().unwrap();
        let values = (
            id,
            text("region"),
            text("size"),
            text("note"),
            row["amount"].as_f64(),
            text("day"),
            row["flag"].as_bool(),
        );
        transaction.execute("INSERT INTO thing VALUES (?, ?, ?, ?, ?, ?, ?)", values).unwrap();
    }
    transaction.commit().unwrap();
}

fn write_postgres(rows: &[Value]) -> String {
    let url = stack::own_database().expect("a database");
    let work = async {
        let mut connection = PgConnection::connect(&url).await?;
        let table = "CREATE TABLE thing (id bigint PRIMARY KEY, region text, size text, note text, amount double precision, day date, flag boolean)";
        sqlx::query(AssertSqlSafe(table)).execute(&mut connection).await?;
        for (id, row) in (0_i64..).zip(rows) {
            let text = |slug: &str| row[slug].as_str().unwrap();
            sqlx::query("INSERT INTO thing VALUES ($1, $2, $3, $4, $5, $6::text::date, $7)")
                .bind(id)
                .bind(text("region"))
                .bind(text("size"))
                .bind(text("note"))
                .bind(row["amount"].as_f64())
                .bind(text("day"))
                .bind(row["flag"].as_bool())
                .execute(&mut connection)
                .await?;
        }
        connection.close().await
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work).expect("the table is written");
    url
}
