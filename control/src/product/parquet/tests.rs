//! Files of writers are read; files that were made to harm are refused for what is wrong with them.

mod hostile;
mod written;

use super::fill;
use ::parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::ColumnPath;
use rusqlite::Connection;
use rusqlite::types::Value;
use shared::model::data_product::Column;
use shared::time::Millis;
use shared::{Error, Result};
use std::sync::Arc;

struct Filled {
    columns: Vec<Column>,
    /// Which of them are of instants.
    zoned: Vec<bool>,
    rows: Vec<Vec<Value>>,
}

fn filled(file: &[u8]) -> Result<Filled> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, file).unwrap();
    let filled = fill(folder.path(), &path, Millis(0))?;
    let connection = Connection::open(&filled.file).unwrap();
    let mut rows = connection.prepare("SELECT * FROM rows ORDER BY rowid").unwrap();
    let width = filled.table.columns.len();
    let rows = rows.query_map([], |row| (0..width).map(|at| row.get(at)).collect()).unwrap();
    let mut zoned = connection.prepare("SELECT zoned FROM stats ORDER BY at").unwrap();
    let zoned = zoned.query_map([], |row| row.get(0)).unwrap();
    Ok(Filled {
        columns: filled.table.columns,
        zoned: zoned.map(std::result::Result::unwrap).collect(),
        rows: rows.map(std::result::Result::unwrap).collect(),
    })
}

/// Its rows, each cell as it is written in Rust.
fn rows(file: &[u8]) -> Result<Vec<Vec<String>>> {
    Ok(filled(file)?.rows.iter().map(|row| row.iter().map(|cell| format!("{cell:?}")).collect()).collect())
}

/// What a file is refused for.
fn refusal(file: &[u8]) -> String {
    match rows(file) {
        Err(Error::Invalid(flaws)) => flaws[0].message.clone(),
        Err(error) => panic!("{error}"),
        Ok(rows) => panic!("{} rows were read", rows.len()),
    }
}

fn codecs() -> [Compression; 7] {
    [
        Compression::BROTLI(BrotliLevel::default()),
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::LZ4,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::LZ4_RAW,
    ]
}

/// A file of 3,000 rows in pages of 64: a number, a text that may be absent, and a list of two numbers or none.
fn written(properties: WriterPropertiesBuilder) -> Vec<u8> {
    let schema = "message rows {
        required int64 number;
        optional binary text (UTF8);
        optional group list (LIST) { repeated group list { optional int64 element; } }
    }";
    let properties = properties.set_data_page_row_count_limit(64).set_write_batch_size(64).build();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for group in 0..3_i64 {
        let rows = group * 1_000..(group + 1) * 1_000;
        let numbers: Vec<i64> = rows.clone().collect();
        let texts: Vec<ByteArray> = rows
            .clone()
            .filter(|row| row % 10 > 0)
            .map(|row| ByteArray::from(format!("text {}", row % 700).as_str()))
            .collect();
        let there: Vec<i16> = rows.clone().map(|row| i16::from(row % 10 > 0)).collect();
        let (mut levels, mut repeated, mut elements) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            if row % 3 == 0 {
                levels.push(1);
                repeated.push(0);
            } else {
                levels.extend([3, 3]);
                repeated.extend([0, 1]);
                elements.extend([row, -row]);
            }
        }
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&numbers, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts, Some(&there), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&elements, Some(&levels), Some(&repeated)).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn check(file: &[u8]) {
    let rows = rows(file).unwrap();
    assert_eq!(rows.len(), 3_000);
    for (at, row) in rows.iter().enumerate() {
        let text = if at % 10 > 0 { format!("Text(\"text {}\")", at % 700) } else { "Null".to_owned() };
        let list = if at % 3 > 0 { format!("[{at},-{at}]") } else { "[]".to_owned() };
        assert_eq!(row, &[format!("Integer({at})"), text, format!("Text(\"{list}\")")]);
    }
}

#[test]
fn files_of_all_codecs_and_versions_are_read() {
    for codec in codecs() {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for dictionary in [true, false] {
                let properties =
                    WriterProperties::builder().set_compression(codec).set_writer_version(version);
                check(&written(properties.set_dictionary_enabled(dictionary)));
            }
        }
    }
}

#[test]
fn files_of_all_encodings_of_texts_are_read() {
    for encoding in [Encoding::PLAIN, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY] {
        let properties = WriterProperties::builder().set_dictionary_enabled(false);
        check(&written(properties.set_column_encoding(ColumnPath::from("text"), encoding)));
    }
}

#[test]
fn lists_of_old_programs_are_lists() {
    for (schema, expected) in [
        ("required group it (LIST) { repeated int64 array; }", "[1,2,3]"),
        ("required group it (LIST) { repeated int64 element; }", "[1,2,3]"),
        ("repeated int64 it;", "[1,2,3]"),
        (
            "required group it (LIST) { repeated group array { required int64 only; } }",
            r#"[{\"only\":1},{\"only\":2},{\"only\":3}]"#,
        ),
        ("required group it (LIST) { repeated group bag { required int64 item; } }", "[1,2,3]"),
        (
            "required group it (LIST) { repeated group array (LIST) { repeated int64 array; } }",
            "[[1],[2],[3]]",
        ),
    ] {
        let schema = Arc::new(parse_message_type(&format!("message rows {{ {schema} }}")).unwrap());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let deepest = i16::from(expected.starts_with("[[")) + 1;
        column.typed::<Int64Type>().write_batch(&[1, 2, 3], Some(&[deepest; 3]), Some(&[0, 1, 1])).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        let rows = rows(&writer.into_inner().unwrap()).unwrap();
        assert_eq!(rows, [[format!("Text(\"{expected}\")")]]);
    }
}
