//! Files of other programs, which `written/make.py` has them write.

use super::{Filled, filled, refusal};
use rusqlite::types::Value;
use shared::call::ColumnType::{self, Boolean, Date, Integer, Json, Number, Text, Timestamp};

/// A column: its first and second cell. The third is none.
type Column = (&'static str, ColumnType, &'static str, &'static str);

/// What all of them write.
const PLAIN: [Column; 19] = [
    ("int8", Integer, "-128", "127"),
    ("uint16", Integer, "0", "65535"),
    ("int32", Integer, "-1073741824", "1073741823"),
    ("int64", Integer, "-9223372036854775808", "9223372036854775807"),
    ("uint64", Text, "0", "18446744073709551615"),
    ("float", Number, "0.1", "NULL"),
    ("double", Number, "-1.5", "NULL"),
    ("boolean", Boolean, "1", "0"),
    ("text", Text, "Zürich 🗺", ""),
    ("binary", Text, "74657874", "00ff"),
    ("date", Date, "2024-02-29", "0001-01-01"),
    ("millis", Timestamp, "2024-02-29T23:59:59.25", "1969-12-31T23:59:59"),
    ("micros", Timestamp, "2024-02-29T23:59:59.25", "1969-12-31T23:59:59"),
    ("nanos", Timestamp, "2024-02-29T23:59:59.25", "1969-12-31T23:59:59"),
    ("zoned", Timestamp, "2024-02-29T23:59:59.25", "1969-12-31T23:59:59"),
    ("time", Text, "23:59:59.25", "00:00:00"),
    ("decimal", Text, "-0.05", "1234567.89"),
    ("list", Json, "[1,null]", "[]"),
    ("group", Json, r#"{"b":0.1,"a":"2024-02-29"}"#, r#"{"b":null,"a":null}"#),
];

/// What Arrow has besides.
const ARROW: [Column; 21] = [
    ("uint32", Integer, "0", "4294967295"),
    ("half", Number, "0.5", "-2.0"),
    ("fixed", Text, "61626364", "00010203"),
    ("uuid", Text, "00010203-0405-0607-0809-0a0b0c0d0e0f", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    ("seconds", Timestamp, "2024-02-29T23:59:59", "1969-12-31T23:59:59"),
    ("millitime", Text, "23:59:59.25", "00:00:00"),
    ("nanotime", Text, "00:00:00.000000001", "00:00:00"),
    ("long", Text, "1000000000000000000000000000000000000000000000000000000000000.0000", "-0.0001"),
    ("lists", Json, "[[1],[],null]", "[[59]]"),
    ("moments", Json, r#"["2024-02-29T23:59:59.25","1969-12-31T23:59:59",null]"#, "[]"),
    ("map", Json, r#"{"k":true}"#, "{}"),
    ("numbers", Json, r#"{"7":"07"}"#, "{}"),
    ("ids", Json, "[4611686018427387905]", "[]"),
    ("whole", Text, "-5", "100000000000000000"),
    ("bounds", Timestamp, "9999-12-31T23:59:59", "0001-01-01T00:00:00"),
    ("before", Timestamp, "1969-12-31T23:59:59.999999", "1969-12-31T23:59:58.999999"),
    (
        "members",
        Json,
        r#"[{"at":"1970-01-01T00:00:00Z","id":"00010203-0405-0607-0809-0a0b0c0d0e0f"},null]"#,
        "[]",
    ),
    ("instants", Json, r#"{"1969-12-31T23:59:59Z":"1969-12-31T23:59:59Z"}"#, "{}"),
    ("clocks", Json, r#"{"only":{"a":["00:00:00.000000001"]}}"#, r#"{"only":null}"#),
    ("category", Text, "one", "two"),
    ("nothing", Integer, "NULL", "NULL"),
];

/// Names and types of columns, and which of them are of instants.
type Columns = (Vec<(String, ColumnType)>, Vec<String>);

/// What a table is, and its rows as SQLite's own shell writes them.
fn table(file: &[u8]) -> (Columns, Vec<Vec<String>>) {
    let Filled { columns, zoned, rows } = filled(file).unwrap();
    let shown = |cell: Value| match cell {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{number:?}"),
        Value::Text(text) => text,
        Value::Blob(bytes) => panic!("{bytes:?}"),
    };
    let instants =
        columns.iter().zip(zoned).filter(|(_, zoned)| *zoned).map(|(column, _)| column.name.clone());
    let instants = instants.collect();
    let columns = columns.into_iter().map(|column| (column.name, column.column_type)).collect();
    ((columns, instants), rows.into_iter().map(|row| row.into_iter().map(shown).collect()).collect())
}

fn check(file: &[u8], expected: &[Column], of_instants: &[&str]) {
    let ((columns, instants), rows) = table(file);
    assert_eq!(instants, of_instants);
    for (at, (name, kind, first, second)) in expected.iter().enumerate() {
        assert_eq!(columns[at], ((*name).to_owned(), *kind));
        assert_eq!([&rows[0][at], &rows[1][at], &rows[2][at]], [first, second, "NULL"], "{name}");
    }
    assert_eq!((columns.len(), rows.len()), (expected.len(), 3));
}

#[test]
fn files_of_pyarrow_are_read() {
    let columns = [PLAIN.as_slice(), &ARROW].concat();
    check(include_bytes!("written/pyarrow.parquet"), &columns, &["zoned"]);
    check(include_bytes!("written/pyarrow-brotli.parquet"), &columns, &["zoned"]);
}

#[test]
fn timestamps_of_96_bits_are_instants_of_milliseconds() {
    let ((columns, instants), rows) = table(include_bytes!("written/pyarrow-int96.parquet"));
    let at = |name| columns.iter().position(|(column, _)| column == name).unwrap();
    assert_eq!(instants, ["millis", "micros", "nanos", "zoned", "seconds", "bounds", "before"]);
    assert_eq!(rows[0][at("nanos")], "2024-02-29T23:59:59.25");
    assert_eq!(rows[0][at("before")], "1969-12-31T23:59:59.999");
}

#[test]
fn files_of_polars_are_read() {
    check(include_bytes!("written/polars.parquet"), &PLAIN, &["zoned"]);
}

#[test]
fn files_of_duckdb_are_read() {
    check(include_bytes!("written/duckdb-v1.parquet"), &PLAIN, &["zoned"]);
    check(include_bytes!("written/duckdb-v2.parquet"), &PLAIN, &["zoned"]);
    let intervals = refusal(include_bytes!("written/duckdb-interval.parquet"));
    assert_eq!(intervals, r#"has intervals, in column "later": store them as texts"#);
    assert_eq!(refusal(include_bytes!("written/duckdb-encrypted.parquet")), "is encrypted");
}

#[test]
fn files_of_fastparquet_are_read() {
    let ((columns, instants), rows) = table(include_bytes!("written/fastparquet.parquet"));
    assert_eq!(instants, [""; 0]);
    let types: Vec<ColumnType> = columns.into_iter().map(|(_, column_type)| column_type).collect();
    assert_eq!(types, [Integer, Text, Timestamp]);
    assert_eq!(rows[1], ["2", "Zürich", "1969-12-31T23:59:59"]);
}

#[test]
fn bytes_of_old_programs_are_texts_where_they_can_be() {
    let (_, rows) = table(include_bytes!("written/old.parquet"));
    assert_eq!(rows, [["Zürich"], ["plain"], ["00ff"]]);
}
