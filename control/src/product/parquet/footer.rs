//! The footer of a file: what the file says of itself. It is looked at before the library makes it a hundred times as long, or calls
//! itself once for each level of its schema.

use super::thrift::{I32, LIST, STRUCT, Thrift};
use super::{refused, unavailable, unreadable};
use ::parquet::basic::CompressionCodec;
use ::parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy, RowGroupMetaData,
};
use shared::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// Longest footer, in bytes: a chunk of a column takes some 200.
const MAX_BYTES: u32 = 32 * 1024 * 1024;
/// Most row groups and chunks of columns: the library takes some 500 bytes for each.
const MAX_CHUNKS: u64 = 100_000;
/// Most columns and groups of a schema, at all levels.
const MAX_NODES: u64 = 4_096;
/// Most levels of a schema.
const MAX_LEVELS: usize = 32;
/// Most notes that a program leaves in a file.
const MAX_NOTES: u64 = 4_096;
/// Most digits of a decimal: the library writes them all.
const MAX_DIGITS: i32 = 1_000;
const MAGIC: &[u8] = b"PAR1";
const ENCRYPTED_MAGIC: &[u8] = b"PARE";

/// Reads the footer.
///
/// # Errors
/// [`shared::Error::Invalid`] when it is none, or too large, or tells of chunks that are not in the file.
pub(super) fn read(file: &mut File) -> Result<ParquetMetaData> {
    let failed = |error| unavailable(&error);
    let length = file.metadata().map_err(failed)?.len();
    let end = length.checked_sub(8).ok_or_else(unreadable)?;
    let mut tail = [0; 8];
    file.seek(SeekFrom::Start(end)).map_err(failed)?;
    file.read_exact(&mut tail).map_err(failed)?;
    let (bytes, magic) = tail.split_at(4);
    if magic == ENCRYPTED_MAGIC {
        return Err(encrypted());
    }
    if magic != MAGIC {
        return Err(unreadable());
    }
    let bytes = u32::from_le_bytes(bytes.try_into().map_err(|_| unreadable())?);
    if bytes > MAX_BYTES {
        return Err(refused("has a footer of over 32 MiB"));
    }
    let start = end.checked_sub(bytes.into()).ok_or_else(unreadable)?;
    file.seek(SeekFrom::Start(start)).map_err(failed)?;
    let mut footer = Vec::new();
    file.take(bytes.into()).read_to_end(&mut footer).map_err(failed)?;
    check(&footer)?;
    // Statistics of others are not believed, so they need not be kept.
    let options = ParquetMetaDataOptions::new()
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    let metadata = ParquetMetaDataReader::decode_metadata_with_options(&footer, Some(&options))
        .map_err(super::failure)?;
    check_chunks(&metadata, start)?;
    check_types(&metadata)?;
    Ok(metadata)
}

fn check(footer: &[u8]) -> Result<()> {
    let mut thrift = Thrift::new(footer);
    let (mut number, mut chunks) = (0, 0);
    while let Some(kind) = thrift.field(&mut number)? {
        match (number, kind) {
            (2, LIST) => check_schema(&mut thrift)?,
            (4, LIST) => {
                for _ in 0..thrift.structs()? {
                    chunks += 1 + count_chunks(&mut thrift)?;
                    if chunks > MAX_CHUNKS {
                        return Err(refused("has over 100,000 chunks of columns"));
                    }
                }
            }
            (5, LIST) => {
                let notes = thrift.structs()?;
                if notes > MAX_NOTES {
                    return Err(refused("has over 4,096 notes in its footer"));
                }
                (0..notes).try_for_each(|_| thrift.skip(STRUCT))?;
            }
            (2 | 4 | 5, _) => return Err(unreadable()),
            // The footer alone is not encrypted.
            (8, _) => return Err(encrypted()),
            _ => thrift.skip(kind)?,
        }
    }
    Ok(())
}

fn encrypted() -> Error {
    refused("is encrypted")
}

/// The schema is a list of nodes, each before its children.
fn check_schema(thrift: &mut Thrift<&[u8]>) -> Result<()> {
    let nodes = thrift.structs()?;
    if nodes > MAX_NODES {
        return Err(refused("has over 4,096 columns at all levels"));
    }
    // Nodes that are still to come, at each level.
    let mut awaited = vec![1_u64];
    for _ in 0..nodes {
        while awaited.last() == Some(&0) {
            awaited.pop();
        }
        let level = awaited.last_mut().ok_or_else(unreadable)?;
        *level -= 1;
        let children = children(thrift)?;
        if children > MAX_NODES {
            return Err(unreadable());
        }
        if children > 0 {
            awaited.push(children);
        }
        if awaited.len() > MAX_LEVELS {
            return Err(refused("has columns of over 32 levels"));
        }
    }
    if awaited.iter().any(|awaited| *awaited > 0) { Err(unreadable()) } else { Ok(()) }
}

fn children(thrift: &mut Thrift<&[u8]>) -> Result<u64> {
    let (mut number, mut children) = (0, 0);
    while let Some(kind) = thrift.field(&mut number)? {
        match (number, kind) {
            (5, I32) => children = u64::try_from(thrift.i32()?).map_err(|_| unreadable())?,
            (5, _) => return Err(unreadable()),
            _ => thrift.skip(kind)?,
        }
    }
    Ok(children)
}

/// How many chunks a row group has.
fn count_chunks(thrift: &mut Thrift<&[u8]>) -> Result<u64> {
    let (mut number, mut chunks) = (0, 0);
    while let Some(kind) = thrift.field(&mut number)? {
        match (number, kind) {
            (1, LIST) => {
                chunks = thrift.structs()?;
                (0..chunks).try_for_each(|_| thrift.skip(STRUCT))?;
            }
            (1, _) => return Err(unreadable()),
            _ => thrift.skip(kind)?,
        }
    }
    Ok(chunks)
}

/// Chunks lie before the footer, and all together are no longer: no byte is inflated for many of them.
fn check_chunks(metadata: &ParquetMetaData, end: u64) -> Result<()> {
    let mut bytes = 0_u64;
    for chunk in metadata.row_groups().iter().flat_map(RowGroupMetaData::columns) {
        let (start, length) = range(chunk).ok_or_else(unreadable)?;
        bytes = bytes.saturating_add(length);
        if bytes > end || start.checked_add(length).is_none_or(|ended| ended > end) {
            return Err(unreadable());
        }
    }
    Ok(())
}

/// What the library does not read, or not in time.
fn check_types(metadata: &ParquetMetaData) -> Result<()> {
    for column in metadata.file_metadata().schema_descr().columns() {
        if column.type_precision() > MAX_DIGITS || column.type_scale() > MAX_DIGITS {
            return Err(refused("has a decimal of over 1,000 digits"));
        }
    }
    let chunks = metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
    if chunks.map(ColumnChunkMetaData::compression_codec).any(|codec| codec == CompressionCodec::LZO) {
        return Err(refused("is compressed with LZO"));
    }
    Ok(())
}

/// Where a chunk begins and how long it is; the library's own function of the kind panics.
pub(super) fn range(chunk: &ColumnChunkMetaData) -> Option<(u64, u64)> {
    let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    Some((u64::try_from(start).ok()?, u64::try_from(chunk.compressed_size()).ok()?))
}
