//! Data products: from a file to a link, a page, rows and downloads; dead is like unknown.

use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use tests::{Client, Reply, Stack};

crate::tests![
    a_file_becomes_a_link_with_rows,
    other_programs_read_what_is_downloaded,
    the_edge_forwards_the_dialect_of_links,
    bad_questions_are_told_apart_from_dead_links,
    pages_of_a_large_table_are_the_whole,
    a_password_guards_rows_and_files,
    a_dead_link_is_like_one_that_never_was,
    new_rows_are_seen_at_once
];

/// A data product of its own, and its link.
pub struct Product<'s> {
    stack: &'s Stack,
    pub id: String,
    pub token: String,
}

impl<'s> Product<'s> {
    pub fn create(stack: &'s Stack, csv: &str) -> Self {
        let made = stack.admin().post("/api/v1/data-products", &json!({"name": "Prices"})).expect(201).json();
        let id = made["id"].as_str().unwrap().to_owned();
        let mut product = Self { stack, id, token: String::new() };
        product.send(csv);
        product.token = product.rotate();
        product
    }

    fn send(&self, csv: &str) -> Value {
        let path = format!("/api/v1/data-products/{}/file", self.id);
        let headers = [("content-type", "text/csv")];
        self.stack.admin().send("PUT", &path, &headers, Some(csv.as_bytes())).expect(200).json()
    }

    fn link(&self) -> String {
        format!("/v1/data-products/{}/share", self.id)
    }

    fn rotate(&self) -> String {
        let made = self.stack.admin().post(&self.link(), &json!({})).expect(200).json();
        made["share"]["token"].as_str().unwrap().to_owned()
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/public/shares/{}/{rest}", self.token)
    }

    fn get(&self, rest: &str) -> Reply {
        self.stack.edge().get(&self.path(rest))
    }
}

const TABLE: &str = "city,price\nOslo,1.5\nBergen,\noslo,-2\n=1+1,7\n";

fn a_file_becomes_a_link_with_rows(stack: &Stack) {
    let product = Product::create(stack, TABLE);
    let page = stack.edge().get(&format!("/share/{}", product.token)).expect(200);
    assert!(page.text().contains("/assets/product.js"), "{}", page.text());
    let resolved = product.get("resolve").expect(200).json();
    assert_eq!(resolved["data_product"]["row_count"], 4);
    assert_eq!(
        resolved["data_product"]["columns"][1],
        json!({"name": "price", "type": "number", "sortable": true})
    );
    let rows = product.get("data?sort=price&order=desc").expect(200).json();
    assert_eq!(rows["rows"], json!([["=1+1", 7.0], ["Oslo", 1.5], ["oslo", -2.0], ["Bergen", null]]));
    assert_eq!((&rows["total"], &rows["next_cursor"]), (&json!(4), &Value::Null));
    assert_eq!(product.get("data?search=OSL").expect(200).json()["matched"], 2);
    let csv = product.get("data/download?format=csv").expect(200);
    assert_eq!(csv.text(), "city,price\r\nOslo,1.5\r\nBergen,\r\noslo,-2\r\n'=1+1,7\r\n");
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"prices.csv\"");
    assert_eq!(csv.header("x-content-type-options"), "nosniff");
    let head =
        stack.edge().send("HEAD", &product.path("data/download?format=parquet"), &[], None).expect(200);
    assert_eq!((head.header("content-type"), head.body.len()), ("application/vnd.apache.parquet", 0));
    let lines = product.get("data/download?format=jsonl").expect(200).text();
    assert_eq!(lines.lines().nth(1), Some(r#"{"city":"Bergen","price":null}"#));
    // What opens a dashboard opens no rows of a table, and the other way round.
    product.stack.edge().post(&product.path("execute"), &json!({})).expect_error(401, "TOKEN_INVALID");
    let dashboard = format!("/api/v1/public/shares/{}/data", stack.described("share_token"));
    stack.edge().get(&dashboard).expect_error(401, "TOKEN_INVALID");
}

fn other_programs_read_what_is_downloaded(stack: &Stack) {
    let head = "whole,number,text,truth,day,local,instant\n";
    let first = "1,0.5,Zürich,true,2024-02-29,2024-02-29T23:59:59.25,2024-02-29T23:59:59+01:00\n";
    let second = "-9007199254740991,-1e300,\"a,\"\"b\"\"\",false,1969-12-31,1969-12-31 00:00:00,1969-12-31T00:00:00Z\n";
    let last = ",,,,,,\n";
    // More than a page, and more than a row group.
    let product = Product::create(stack, &[head, first, second, last, &first.repeat(70_000)].concat());
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(&product.get("data/download?format=parquet").expect(200).body).expect("a file");
    let output = Command::new(std::env::var_os("NODE_BIN").expect("NODE_BIN is set: run `cargo xtask test`"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/parquet.mjs"))
        .env("FILE", file.path())
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        read["columns"],
        json!([
            ["whole", "INT64"],
            ["number", "DOUBLE"],
            ["text", "STRING"],
            ["truth", "BOOLEAN"],
            ["day", "DATE"],
            ["local", "TIMESTAMP"],
            ["instant", "TIMESTAMP"],
        ])
    );
    let first = json!({
        "whole": "1", "number": 0.5, "text": "Zürich", "truth": true, "day": "2024-02-29T00:00:00.000Z",
        "local": "2024-02-29T23:59:59.250Z", "instant": "2024-02-29T22:59:59.000Z",
    });
    let second = json!({
        "whole": "-9007199254740991", "number": -1e300, "text": "a,\"b\"", "truth": false, "day": "1969-12-31T00:00:00.000Z",
        "local": "1969-12-31T00:00:00.000Z", "instant": "1969-12-31T00:00:00.000Z",
    });
    assert_eq!((&read["rows"][0], &read["rows"][1]), (&first, &second));
    assert!(read["rows"][2].as_object().expect("a row").values().all(Value::is_null));
    let rows = read["rows"].as_array().expect("rows");
    assert!(rows.len() == 70_003 && rows[3..].iter().all(|row| *row == first));
}

fn the_edge_forwards_the_dialect_of_links(stack: &Stack) {
    let product = Product::create(stack, TABLE);
    let edge: Client = stack.edge().with_key(stack.described("api_key"));
    let shown = edge.get(&product.link()).expect(200).json();
    assert_eq!(shown["share"]["url"], format!("{}/share/{}", stack.described("edge_url"), product.token));
    assert_eq!(stack.edge().get(&product.link()).expect(401).json()["error"]["code"], "unauthorized");
    let nowhere = "/v1/data-products/0190a8c0-0000-7000-8000-000000000001/share";
    assert_eq!(edge.get(nowhere).expect(404).json()["error"]["code"], "not_found");
    let long = edge.put(&format!("{}/password", product.link()), &json!({"password": "x".repeat(129)}));
    assert_eq!(long.expect(422).json()["error"]["code"], "invalid_request");
    assert_eq!(edge.delete(&product.link()).expect(200).json(), json!({"revoked": true, "id": product.id}));
    assert_eq!(edge.delete(&product.link()).expect(200).json(), json!({"revoked": false, "id": product.id}));
    assert_eq!(edge.get(&product.link()).expect(200).json(), json!({"share": null}));
}

fn bad_questions_are_told_apart_from_dead_links(stack: &Stack) {
    let product = Product::create(stack, TABLE);
    for (query, place) in [
        ("sort=nowhere", "/sort"),
        ("sort=price%22;--", "/sort"),
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("cursor=forged", "/cursor"),
        ("order=desc", "/order"),
        ("offset=-1", "/offset"),
        ("page=2", "/page"),
    ] {
        let refused = product.get(&format!("data?{query}")).expect_error(422, "VALIDATION_ERROR");
        assert_eq!(refused["errors"][0]["instancePath"], place, "{query}");
    }
    let cursor = product.get("data?limit=1&sort=price").expect(200).json()["next_cursor"].clone();
    let cursor = cursor.as_str().unwrap();
    product.get(&format!("data?limit=1&sort=price&cursor={cursor}")).expect(200);
    for other in ["sort=city", "sort=price&order=desc", "search=o"] {
        product.get(&format!("data?limit=1&{other}&cursor={cursor}")).expect_error(422, "VALIDATION_ERROR");
    }
    product.get("data/download?format=xlsx").expect_error(422, "VALIDATION_ERROR");
    product.stack.edge().post(&product.path("data"), &json!({})).expect_error(405, "METHOD_NOT_ALLOWED");
}

fn pages_of_a_large_table_are_the_whole(stack: &Stack) {
    let rows = 50_000;
    let csv: String = std::iter::once("n,group,name\n".to_owned())
        .chain((0..rows).map(|at| format!("{at},{},Name {}\n", at % 7, (at * 7_919) % rows)))
        .collect();
    let product = Product::create(stack, &csv);
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let page = product.get(&format!("data?limit=1000&sort=group&order=desc{cursor}")).expect(200).json();
        seen.extend(
            page["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| (row[1].as_i64().unwrap(), row[0].as_i64().unwrap())),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let mut expected: Vec<_> = (0..rows).map(|at| (at % 7, at)).collect();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(seen, expected);
    let far = product.get("data?offset=49999&sort=n").expect(200).json();
    assert_eq!(far["rows"][0][0], 49_999);
    let downloaded = product.get("data/download?format=csv").expect(200).text();
    assert_eq!(downloaded.replace("\r\n", "\n"), csv, "what comes out is what went in");
    let jsonl = product.get("data/download?format=jsonl").expect(200).text();
    assert_eq!(jsonl.lines().count(), usize::try_from(rows).unwrap());
}

fn a_password_guards_rows_and_files(stack: &Stack) {
    let product = Product::create(stack, TABLE);
    let path = format!("{}/password", product.link());
    stack.admin().put(&path, &json!({"password": "correct horse"})).expect(200);
    for rest in ["resolve", "data", "data/download?format=csv"] {
        product.get(rest).expect_error(401, "AUTH_REQUIRED");
    }
    let unlocked =
        stack.edge().post(&product.path("unlock"), &json!({"password": "correct horse"})).expect(200).json();
    let visitor = stack.edge().with_key(unlocked["access_token"].as_str().unwrap());
    for rest in ["resolve", "data", "data/download?format=csv"] {
        visitor.get(&product.path(rest)).expect(200);
    }
    let rotated = Product { token: product.rotate(), id: product.id.clone(), ..product };
    rotated.get("data").expect_error(401, "AUTH_REQUIRED");
    stack.admin().delete(&path).expect(200);
    rotated.get("data").expect(200);
}

fn a_dead_link_is_like_one_that_never_was(stack: &Stack) {
    let unknown = shared::model::token::Token::derive(&stack.keys(), uuid::Uuid::now_v7(), 1, &[9; 16]);
    let unknown = unknown.expose().to_owned();
    let mut product = Product::create(stack, TABLE);
    let rotated = product.token.clone();
    product.token = product.rotate();
    product.get("data").expect(200);
    stack.admin().delete(&format!("/api/v1/data-products/{}", product.id)).expect(204);
    let page = |token: &str| stack.edge().get(&format!("/share/{token}")).expect(404).body;
    for dead in [&rotated, &product.token] {
        assert_eq!(page(dead), page(&unknown));
        for rest in ["resolve", "data", "data/download?format=csv"] {
            let refused = |token: &str| {
                let path = format!("/api/v1/public/shares/{token}/{rest}");
                let mut body = stack.edge().get(&path).expect_error(401, "TOKEN_INVALID");
                body["request_id"] = Value::Null;
                body
            };
            assert_eq!(refused(dead), refused(&unknown));
        }
    }
}

fn new_rows_are_seen_at_once(stack: &Stack) {
    let product = Product::create(stack, TABLE);
    assert_eq!(product.get("data").expect(200).json()["total"], 4);
    let cursor = product.get("data?limit=1").expect(200).json()["next_cursor"].as_str().unwrap().to_owned();
    product.send("city\nTromsø\n");
    let rows = product.get("data").expect(200).json();
    assert_eq!((&rows["total"], &rows["rows"]), (&json!(1), &json!([["Tromsø"]])));
    product.get(&format!("data?limit=1&cursor={cursor}")).expect_error(422, "VALIDATION_ERROR");
    let broken = stack.admin().send(
        "PUT",
        &format!("/api/v1/data-products/{}/file", product.id),
        &[("content-type", "text/csv")],
        Some(b"a,b\n1\n"),
    );
    broken.expect_error(422, "VALIDATION_ERROR");
    assert_eq!(product.get("data").expect(200).json(), rows, "what fails changes nothing");
}
