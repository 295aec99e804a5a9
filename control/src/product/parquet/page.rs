//! Pages before the library inflates them: what their headers say, and whether it is so.

use super::footer;
use super::thrift::{FALSE, I32, STRUCT, TRUE, Thrift};
use super::{refused, unreadable};
use ::parquet::basic::CompressionCodec;
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::reader::ChunkReader;
use flate2::bufread::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use shared::Result;
use std::fs::File;
use std::io::{BufRead, Read};
use std::sync::Arc;

/// Longest page, in bytes, as it is in the file and inflated. Most writers end one at about 1 MiB, or after one cell, and some at 100 MB.
const MAX_BYTES: u64 = 128 * 1024 * 1024;
/// Longest header of a page, in bytes: it may hold the least and the greatest value.
const MAX_HEADER_BYTES: u64 = 1024 * 1024;

/// Begins a stream of Brotli that is no plain one.
const LARGE_WINDOW: u8 = 0x11;
const BROTLI_BUFFER_BYTES: usize = 4_096;

const DATA: i32 = 0;
const DICTIONARY: i32 = 2;
const DATA_V2: i32 = 3;

/// What a header says of the bytes after it.
#[derive(Default)]
struct Header {
    kind: i32,
    stored: u64,
    inflated: u64,
    /// Levels at the beginning that are not deflated.
    levels: u64,
    is_deflated: bool,
}

/// Goes through the pages of a chunk, a step ahead of the library.
pub(super) struct Scout {
    file: Arc<File>,
    next: u64,
    left: u64,
    codec: CompressionCodec,
}

impl Scout {
    pub(super) fn new(file: Arc<File>, chunk: &ColumnChunkMetaData) -> Result<Self> {
        let (next, left) = footer::range(chunk).ok_or_else(unreadable)?;
        Ok(Self { file, next, left, codec: chunk.compression_codec() })
    }

    /// Looks at the next page: how many bytes it takes, inflated. `None` after the last.
    ///
    /// # Errors
    /// [`shared::Error::Invalid`] when its header cannot be read, or it is too long, or longer than its header says.
    pub(super) fn next(&mut self) -> Result<Option<u64>> {
        let Some((header, length)) = self.header()? else { return Ok(None) };
        let (body, left) = (self.next + length, self.left - length);
        if header.stored.max(header.inflated) > MAX_BYTES {
            return Err(refused("has a page of over 128 MiB"));
        }
        let left = left.checked_sub(header.stored).ok_or_else(unreadable)?;
        let expected = header.inflated.checked_sub(header.levels).ok_or_else(unreadable)?;
        let deflated = header.stored.checked_sub(header.levels).ok_or_else(unreadable)?;
        if header.is_deflated && expected > 0 {
            let stream = self.file.get_read(body + header.levels).map_err(super::failure)?.take(deflated);
            check_stream(self.codec, stream, expected)?;
        }
        (self.next, self.left) = (body + header.stored, left);
        Ok(Some(header.inflated.max(header.stored)))
    }

    /// Does a row begin with the next page, or end with the one before? In the first version of data pages it may go through both.
    pub(super) fn is_at_row(&self) -> Result<bool> {
        Ok(self.header()?.is_none_or(|(header, _)| header.kind == DATA_V2))
    }

    /// The next header, and how long it is.
    fn header(&self) -> Result<Option<(Header, u64)>> {
        if self.left == 0 {
            return Ok(None);
        }
        let file = self.file.get_read(self.next).map_err(super::failure)?;
        let mut thrift = Thrift::new(file.take(self.left.min(MAX_HEADER_BYTES)));
        let header = header(&mut thrift)?;
        Ok(Some((header, thrift.consumed())))
    }
}

/// Refuses a stream that is longer than `expected` bytes. The library gives Snappy, Zstandard and blocks of LZ4 just that much room;
/// gzip, Brotli and frames of LZ4, for which it also takes what is no Hadoop's LZ4, it reads to the end.
fn check_stream(codec: CompressionCodec, mut stream: impl BufRead, expected: u64) -> Result<()> {
    let is_longer = match codec {
        CompressionCodec::BROTLI => {
            // An extension of Brotli, by which a stream has the reader set up to 1 GiB aside.
            let first = stream.fill_buf().ok().and_then(|bytes| bytes.first().copied());
            if first.is_some_and(|first| first & 0x7f == LARGE_WINDOW) {
                return Err(refused("has a page of Brotli with a large window"));
            }
            is_longer(brotli::Decompressor::new(stream, BROTLI_BUFFER_BYTES), expected)
        }
        CompressionCodec::GZIP => is_longer(MultiGzDecoder::new(stream), expected),
        CompressionCodec::LZ4 => is_longer(FrameDecoder::new(stream), expected),
        _ => false,
    };
    if is_longer { Err(refused("has a page that inflates to more than it says")) } else { Ok(()) }
}

/// What breaks off before is not longer: the library finds it out by itself.
fn is_longer(mut stream: impl Read, expected: u64) -> bool {
    let (mut buffer, mut length) = ([0; 16 * 1024], 0);
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        length += read as u64;
        if length > expected {
            return true;
        }
    }
    false
}

fn header(thrift: &mut Thrift<impl Read>) -> Result<Header> {
    let mut header = Header { kind: -1, is_deflated: true, ..Header::default() };
    let mut part = 0;
    let mut number = 0;
    while let Some(field) = thrift.field(&mut number)? {
        match (number, field) {
            (1, I32) => header.kind = thrift.i32()?,
            (2, I32) => header.inflated = length(thrift)?,
            (3, I32) => header.stored = length(thrift)?,
            (4, I32) => drop(thrift.i32()?),
            (5 | 7, STRUCT) if part == 0 => {
                part = number;
                thrift.skip(field)?;
            }
            (8, STRUCT) if part == 0 => {
                part = number;
                levels(thrift, &mut header)?;
            }
            _ => return Err(unreadable()),
        }
    }
    match (header.kind, part) {
        (DATA, 5) | (DICTIONARY, 7) | (DATA_V2, 8) => Ok(header),
        _ => Err(unreadable()),
    }
}

/// What the second version of data pages does not deflate.
fn levels(thrift: &mut Thrift<impl Read>, header: &mut Header) -> Result<()> {
    let mut number = 0;
    while let Some(field) = thrift.field(&mut number)? {
        match (number, field) {
            (5 | 6, I32) => header.levels += length(thrift)?,
            (7, TRUE | FALSE) => header.is_deflated = field == TRUE,
            (5..=7, _) => return Err(unreadable()),
            _ => thrift.skip(field)?,
        }
    }
    Ok(())
}

fn length(thrift: &mut Thrift<impl Read>) -> Result<u64> {
    u64::try_from(thrift.i32()?).map_err(|_| unreadable())
}
