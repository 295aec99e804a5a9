//! Files byte by byte, with headers that lie.

use super::{codecs, refusal, rows};
use crate::product::parquet::held::{Budget, Held};
use ::parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, Type as Physical};
use ::parquet::column::page::Page;
use ::parquet::data_type::{ByteArray, ByteArrayType};
use ::parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataWriter, RowGroupMetaData,
};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::{ColumnDescriptor, ColumnPath, SchemaDescriptor, Type};
use brotli::enc::BrotliEncoderParams;
use flate2::write::GzEncoder;
use std::io::Read;
use std::sync::Arc;

const TEXT: &str = "message rows { required binary text (UTF8); }";
const LIST: &str =
    "message rows { required group list (LIST) { repeated group list { required int64 element; } } }";
const LONG: usize = 16 * 1024 * 1024;

/// A number as Thrift writes it.
fn integer(number: i64) -> Vec<u8> {
    let (mut left, mut bytes) = ((number << 1 ^ number >> 63).cast_unsigned(), Vec::new());
    while left > 0x7f {
        bytes.push(left.to_le_bytes()[0] | 0x80);
        left >>= 7;
    }
    bytes.push(left.to_le_bytes()[0]);
    bytes
}

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap()
}

/// Fields of numbers, from the first one on.
fn fields(numbers: &[i64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| [vec![0x15], integer(*number)].concat()).collect()
}

/// A data page of the first version.
fn data(inflated: usize, values: i64, encoding: i64, body: &[u8]) -> Vec<u8> {
    let sizes = fields(&[0, length(inflated), length(body.len())]);
    [sizes, vec![0x2c], fields(&[values, encoding, 3, 3]), vec![0, 0], body.to_vec()].concat()
}

fn dictionary(values: i64, body: &[u8]) -> Vec<u8> {
    let sizes = fields(&[2, length(body.len()), length(body.len())]);
    [sizes, vec![0x4c], fields(&[values, 0]), vec![0, 0], body.to_vec()].concat()
}

/// A file of one row, the chunk of whose first column is `pages`.
fn file(schema: &str, codec: Compression, pages: &[u8]) -> Vec<u8> {
    file_of(schema, codec, &[pages])
}

/// A file of one row, the chunks of whose columns are `chunks`; others have none.
fn file_of(schema: &str, codec: Compression, chunks: &[&[u8]]) -> Vec<u8> {
    let schema = Arc::new(SchemaDescriptor::new(Arc::new(parse_message_type(schema).unwrap())));
    let mut group = RowGroupMetaData::builder(Arc::clone(&schema)).set_num_rows(1);
    let mut file = b"PAR1".to_vec();
    for (column, pages) in schema.columns().iter().zip(chunks.iter().chain(std::iter::repeat(&&[][..]))) {
        let chunk = ColumnChunkMetaData::builder(Arc::clone(column)).set_compression(codec);
        let chunk =
            chunk.set_data_page_offset(length(file.len())).set_total_compressed_size(length(pages.len()));
        group = group.add_column_metadata(chunk.build().unwrap());
        file.extend_from_slice(pages);
    }
    let metadata =
        ParquetMetaData::new(FileMetaData::new(1, 1, None, None, schema, None), vec![group.build().unwrap()]);
    ParquetMetaDataWriter::new(&mut file, &metadata).finish().unwrap();
    file
}

/// A file with this footer.
fn footer(footer: &[u8]) -> Vec<u8> {
    let length = u32::try_from(footer.len()).unwrap();
    [b"PAR1", footer, &length.to_le_bytes(), b"PAR1"].concat()
}

fn gzip(text: impl Read) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut { text }, &mut encoder).unwrap();
    encoder.finish().unwrap()
}

fn zeros(length: usize) -> impl Read {
    std::io::repeat(0).take(length as u64)
}

/// The body of the page of a written file of one text of zeros, and how long it is inflated.
fn body(codec: Compression) -> (Vec<u8>, usize) {
    let properties = WriterProperties::builder().set_compression(codec).set_dictionary_enabled(false).build();
    let schema = Arc::new(parse_message_type(TEXT).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let text = [ByteArray::from(vec![b'x'; 10_000])];
    column.typed::<ByteArrayType>().write_batch(&text, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    let file = bytes::Bytes::from(writer.into_inner().unwrap());
    let reader = SerializedFileReader::new(file.clone()).unwrap();
    let (start, length) = reader.metadata().row_group(0).column(0).byte_range();
    let chunk = file.slice(usize::try_from(start).unwrap()..usize::try_from(start + length).unwrap());
    let inflated = 10_004;
    let header =
        (1..chunk.len()).find(|at| data(inflated, 1, 0, &chunk[*at..]).len() == chunk.len()).unwrap();
    (chunk[header..].to_vec(), inflated)
}

#[test]
fn pages_are_as_long_as_they_say() {
    for codec in codecs() {
        let (body, inflated) = body(codec);
        let made = |says| file(TEXT, codec, &data(says, 1, 0, &body));
        assert_eq!(rows(&made(inflated)).unwrap()[0], [format!("Text({:?})", "x".repeat(10_000))]);
        assert_eq!(refusal(&made(129 << 20)), "has a page of over 128 MiB");
        if codec != Compression::UNCOMPRESSED {
            refusal(&made(inflated - 1));
        }
    }
}

#[test]
fn streams_are_no_longer_than_their_pages() {
    let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
    std::io::copy(&mut zeros(LONG), &mut frame).unwrap();
    let gzip_twice = [gzip([0; 1_000].as_slice()), gzip(zeros(LONG))].concat();
    let mut brotli_stream = Vec::new();
    brotli::BrotliCompress(&mut zeros(LONG), &mut brotli_stream, &BrotliEncoderParams::default()).unwrap();
    let gzip_codec = Compression::GZIP(GzipLevel::default());
    for (codec, stream) in [
        (gzip_codec, gzip(zeros(LONG))),
        (gzip_codec, gzip_twice),
        (Compression::BROTLI(BrotliLevel::default()), brotli_stream),
        (Compression::LZ4, frame.finish().unwrap()),
    ] {
        let file = file(TEXT, codec, &data(1_000, 1, 0, &stream));
        assert_eq!(refusal(&file), "has a page that inflates to more than it says");
    }
}

#[test]
fn windows_of_brotli_are_not_large() {
    let parameters = BrotliEncoderParams { large_window: true, lgwin: 30, ..Default::default() };
    let mut stream = Vec::new();
    brotli::BrotliCompress(&mut zeros(1_000), &mut stream, &parameters).unwrap();
    let file = file(TEXT, Compression::BROTLI(BrotliLevel::default()), &data(1_000, 1, 0, &stream));
    assert_eq!(refusal(&file), "has a page of Brotli with a large window");
}

#[test]
fn texts_of_a_dictionary_do_not_stand_in_a_row_without_number() {
    let text = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_le_bytes(), bytes].concat();
    let list = |schema, of_text: usize, values: i64, first: &[u8]| {
        // One row: the first level is 0, the others are 1. Each value is the first one of the dictionary.
        let levels = [vec![2, 0], integer(values - 1), vec![1]].concat();
        let levels = [&u32::try_from(levels.len()).unwrap().to_le_bytes(), &levels[..]].concat();
        let runs = [&[1], first, &integer(values), &[0]].concat();
        let here =
            [&u32::try_from(integer(values).len() + 1).unwrap().to_le_bytes()[..], &integer(values), &[1]]
                .concat();
        let body = [levels, here, runs].concat();
        let pages = [dictionary(1, &text(&vec![b'x'; of_text])), data(body.len(), values, 8, &body)].concat();
        file(schema, Compression::UNCOMPRESSED, &pages)
    };
    let schema = "message rows { required group list (LIST) { repeated group list { required binary element (UTF8); } } }";
    let short = rows(&list(schema, 3, 1_000, &[])).unwrap();
    assert_eq!(short, [[format!("Text({:?})", serde_json::to_string(&vec!["xxx"; 1_000]).unwrap())]]);
    for first in [&[][..], &[0]] {
        assert_eq!(refusal(&list(schema, 200_000, 100_000, first)), "takes over 640 MiB at once to be read");
    }
    assert_eq!(refusal(&list(schema, 200_000, 2, &[])), "has a cell of over 256 KiB, in column \"list\"");
    assert_eq!(refusal(&list(schema, 300_000, 1, &[])), "has a cell of over 256 KiB");
}

#[test]
fn columns_of_a_list_have_the_same_rows() {
    let schema = "message rows { required group list (LIST) { repeated group list { required group element {
        required int32 number; required int32 other; } } } }";
    let prefixed = |runs: Vec<u8>| [&u32::try_from(runs.len()).unwrap().to_le_bytes()[..], &runs].concat();
    // So many rows of one value each, or one row of them all.
    let page = |values: i64, is_one_row: bool| {
        let levels = if is_one_row {
            [vec![2, 0], integer(values - 1), vec![1]].concat()
        } else {
            [integer(values), vec![0]].concat()
        };
        let here = [integer(values), vec![1]].concat();
        let numbers = vec![0; usize::try_from(values).unwrap() * 4];
        let body = [prefixed(levels), prefixed(here), numbers].concat();
        data(body.len(), values, 0, &body)
    };
    let made = |number: &[u8], other: &[u8]| file_of(schema, Compression::UNCOMPRESSED, &[number, other]);
    let one = rows(&made(&page(3, true), &page(3, true))).unwrap();
    let element = r#"{\"number\":0,\"other\":0}"#;
    assert_eq!(one, [[format!("Text(\"[{element},{element},{element}]\")")]]);
    let apart = "has columns that disagree on where a row ends";
    let rows_of_one = [page(50, false), page(50, false)].concat();
    assert_eq!(refusal(&made(&page(100, true), &rows_of_one)), apart);
    // Of a column that may lack values the library takes any number, if it has none.
    let lacking = schema.replace("required int32 other", "optional int32 other");
    assert_eq!(refusal(&file_of(&lacking, Compression::UNCOMPRESSED, &[&page(100, true), &[]])), apart);
}

#[test]
fn long_texts_are_refused_before_they_are_copied() {
    let text = |length: usize| {
        let body = [&u32::try_from(length).unwrap().to_le_bytes()[..], &vec![b'x'; length]].concat();
        file(TEXT, Compression::UNCOMPRESSED, &data(body.len(), 1, 0, &body))
    };
    assert_eq!(rows(&text(256 * 1024)).unwrap().len(), 1);
    assert_eq!(refusal(&text(256 * 1024 + 1)), "has a cell of over 256 KiB");
}

#[test]
fn schemas_on_which_the_library_gives_up_are_refused() {
    let refused = |schema: &str| refusal(&file(schema, Compression::UNCOMPRESSED, &data(4, 1, 0, &[0; 4])));
    for columns in [
        "required group a (LIST) { required int32 b; required int32 c; }",
        "required group a (LIST) { required int32 b; }",
        "required group a (MAP) { repeated int32 b; }",
        "required group a (MAP) { required group b { required int32 c; required int32 d; } }",
        "required group a (MAP) { repeated group b { required int32 c; required int32 d; required int32 e; } }",
    ] {
        assert_eq!(refused(&format!("message rows {{ {columns} }}")), "is no Parquet file that can be read");
    }
    let twice = "message rows { required group a { required int32 b; required int32 b; } }";
    assert_eq!(refused(twice), "has two members of one name, in column \"a\"");
}

#[test]
fn values_are_checked_wherever_they_stand() {
    let text = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_le_bytes(), bytes].concat();
    for (member, value, flaw) in [
        (
            "int64 it (TIMESTAMP_MILLIS)",
            i64::MAX.to_le_bytes().to_vec(),
            "a timestamp beyond the years 1 to 9999",
        ),
        (
            "int64 it (TIMESTAMP_MICROS)",
            i64::MIN.to_le_bytes().to_vec(),
            "a timestamp beyond the years 1 to 9999",
        ),
        ("int32 it (DATE)", i32::MAX.to_le_bytes().to_vec(), "a date beyond the years 1 to 9999"),
        ("int64 it (TIME_MICROS)", (-1_i64).to_le_bytes().to_vec(), "a time that is not within a day"),
        ("binary it (DECIMAL(9, 2))", text(&[1; 513]), "a decimal of over 1,000 digits"),
        ("binary it (UTF8)", text(b"a\0b"), "a NUL in a text"),
    ] {
        let refused = |schema: String| {
            refusal(&file(&schema, Compression::UNCOMPRESSED, &data(value.len(), 1, 0, &value)))
        };
        let alone = refused(format!("message rows {{ required {member}; }}"));
        assert_eq!(alone, format!("has {flaw}, in column \"it\""));
        let within = refused(format!("message rows {{ required group around {{ required {member}; }} }}"));
        assert_eq!(within, format!("has {flaw}, in column \"around\""));
    }
}

#[test]
fn headers_of_pages_are_strict() {
    let body = [4, 0, 0, 0, b'a', b'b', b'c', b'd'];
    let good = data(8, 1, 0, &body);
    assert_eq!(rows(&file(TEXT, Compression::UNCOMPRESSED, &good)).unwrap().len(), 1);
    for length in 0..good.len() {
        refusal(&file(TEXT, Compression::UNCOMPRESSED, &good[..length]));
    }
    let twice = [fields(&[0, 8, 8, 0]), vec![0x05], integer(2), integer(8), good[6..].to_vec()].concat();
    let index = [fields(&[1, 8, 8]), vec![0x3c, 0, 0], body.to_vec(), good.clone()].concat();
    let negative = [fields(&[0, -1, 8]), good[6..].to_vec()].concat();
    let wide = [fields(&[0, (1 << 32) + 8, 8]), good[6..].to_vec()].concat();
    for pages in [twice, index, negative, wide] {
        assert_eq!(
            refusal(&file(TEXT, Compression::UNCOMPRESSED, &pages)),
            "is no Parquet file that can be read"
        );
    }
}

#[test]
fn counts_are_no_more_than_there_is() {
    let made = |schema, page: Vec<u8>| refusal(&file(schema, Compression::UNCOMPRESSED, &page));
    let many = i64::from(i32::MAX);
    let words = [1, 0, 0, 0, b'a'];
    let pages = [dictionary(many, &words), data(2, 1, 8, &[0, 2])].concat();
    assert_eq!(made(TEXT, pages), "has a dictionary of more values than bytes");
    // A row that goes on for two thousand million values, in runs of a few bytes.
    let levels = [8, 0, 0, 0, 2, 0, 0xfe, 0xff, 0xff, 0xff, 0xf, 1];
    let body = [&levels[..], &levels[..], &[0; 8]].concat();
    assert_eq!(made(LIST, data(body.len(), many, 0, &body)), "has a cell of over 256 KiB");
    // The library passes over a header of nothing.
    let hidden = [&[13, 0, 0, 0, 0], &levels[4..], &[0; 4]].concat();
    let body = [&hidden[..], &levels[..], &[0; 8]].concat();
    assert_eq!(made(LIST, data(body.len(), many, 0, &body)), "has a cell of over 256 KiB");
    // Lengths without number, each of no bits.
    let lengths = [&[0x80, 1, 4][..], &[0xff, 0xff, 0xff, 0xff, 7, 0], &[0; 64]].concat();
    let one = [0x80, 1, 4, 1, 0];
    for (encoding, body) in [(6, lengths.clone()), (7, lengths.clone()), (7, [&one, &lengths[..]].concat())] {
        assert_eq!(
            made(TEXT, data(body.len(), 1, encoding, &body)),
            "has a page of more values than it says"
        );
    }
}

#[test]
fn what_is_held_at_once_is_bounded() {
    let column = Type::primitive_type_builder("text", Physical::BYTE_ARRAY).build().unwrap();
    let column = Arc::new(ColumnDescriptor::new(Arc::new(column), 0, 0, ColumnPath::from("text")));
    let budget = Arc::new(Budget::default());
    let held = || {
        let mut held = Held::new(Arc::clone(&column), true, Arc::clone(&budget)).unwrap();
        held.inflate(64 << 20).map(|()| held)
    };
    let mut all: Vec<Held> = (0..9).map(|_| held().unwrap()).collect();
    assert!(held().is_err(), "640 MiB for pages, and nothing for what reads them");
    all.pop();
    assert!(held().is_ok());
}

#[test]
fn values_are_counted_though_they_cost_a_file_nothing() {
    let column = Type::primitive_type_builder("number", Physical::INT32).build().unwrap();
    let column = Arc::new(ColumnDescriptor::new(Arc::new(column), 0, 0, ColumnPath::from("number")));
    let mut held = Held::new(column, true, Arc::default()).unwrap();
    let page = Page::DataPage {
        buf: bytes::Bytes::new(),
        num_values: u32::MAX,
        encoding: Encoding::PLAIN,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    };
    assert!(held.add(&page).is_ok() && held.add(&page).is_ok());
    let refused = held.add(&page).unwrap_err().to_string();
    assert!(refused.contains("has over 8,589,934,592 values"), "{refused}");
}

#[test]
fn footers_are_bounded() {
    let leaf = vec![0x15, 2, 0x25, 0, 0x18, 1, b'a', 0];
    let group = |children| [vec![0x35, 0, 0x18, 1, b'a', 0x15], integer(children), vec![0]].concat();
    let list = |nodes: i64, schema: Vec<u8>| {
        // Thrift writes a length as it writes a number of half of it.
        assert!(nodes % 2 == 0);
        [vec![0x15, 2, 0x19, 0xfc], integer(nodes / 2), schema].concat()
    };
    let deep = list(2_000, group(1).repeat(2_000));
    let wide = list(1_000_000, leaf.repeat(1_000_000));
    let lying = list(2, [group(i64::from(i32::MAX)), leaf.clone()].concat());
    let groups =
        [list(2, [group(1), leaf].concat()), vec![0x29, 0xfc, 0x80, 0x89, 0x7a], vec![0; 2_000_000]].concat();
    for (bytes, reason) in [
        (deep, "has columns of over 32 levels"),
        (wide, "has over 4,096 columns at all levels"),
        (lying, "is no Parquet file that can be read"),
        (groups, "has over 100,000 chunks of columns"),
        (vec![0; 33 << 20], "has a footer of over 32 MiB"),
    ] {
        assert_eq!(refusal(&footer(&bytes)), reason);
    }
    let encrypted = [footer(&[0; 64])[..72].to_vec(), b"PARE".to_vec()].concat();
    assert_eq!(refusal(&encrypted), "is encrypted");
    // The names of algorithms stand in a footer that is not.
    let readable =
        [list(2, [group(1), vec![0x15, 2, 0x25, 0, 0x18, 1, b'a', 0]].concat()), vec![0x6c, 0]].concat();
    assert_eq!(refusal(&footer(&readable)), "is encrypted");
}
