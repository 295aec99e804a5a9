//! Reading PMTiles archives by range, over whatever a host supplies: what an archive holds, and single tiles of it.
//!
//! The library `pmtiles` walks the directories, but it inflates without limit. So it is told that nothing is compressed, and
//! gets directories and metadata that were inflated here, within limits, on their way to it ([`Guarded`]). Tiles are passed
//! through as they are stored. RELIABILITY.md G4.

use super::port::Unreachable;
use crate::model::item::ArchiveView;
use crate::model::tile::{Coordinates, Format};
use crate::{Error, Result};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use integer_encoding::VarInt as _;
use lru::LruCache;
use pmtiles::tilejson::VectorLayer;
use pmtiles::{
    AsyncBackend, AsyncPmTilesReader, BackendResponse, Compression, DirCacheResult, Directory,
    DirectoryCache, Header, PmtError, PmtResult, TileId,
};
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::io::Read as _;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Nothing is inflated to more bytes.
const MAX_INFLATED_BYTES: usize = 8 * 1024 * 1024;
/// Nor to more times its length, if that is over [`RATIO_FREE_BYTES`].
const MAX_RATIO: usize = 100;
/// What little may be inflated whatever the ratio.
const RATIO_FREE_BYTES: usize = 64 * 1024;
/// Larger tiles are not sent. RELIABILITY.md 4.2.
const MAX_TILE_BYTES: usize = 1024 * 1024;
/// Most bytes of a directory, or of the metadata, as they are stored and inflated.
const MAX_SECTION_BYTES: usize = 1024 * 1024;
/// Most entries of a directory: parsed, so many take less than what is remembered of an archive.
const MAX_ENTRIES: u64 = 40_000;
/// Length of an archive's header.
const HEADER_BYTES: usize = 127;
/// The root directory ends within the first 16 KiB.
const START_BYTES: usize = 16 * 1024;
/// Leaf directories that are remembered of one archive, and bytes of them.
const CACHED_DIRECTORIES: usize = 256;
const CACHED_BYTES: usize = 1024 * 1024;
/// Longest attribution that is taken from an archive, in characters.
const MAX_ATTRIBUTION_CHARS: usize = 500;
/// Most bytes of JSON that the descriptions of layers may have: they stand in records.
const MAX_LAYERS_BYTES: usize = 64 * 1024;

/// Why a part of an archive was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoBytes {
    /// The store did not answer.
    Unreachable(Unreachable),
    /// There is no such archive, or another one than was registered.
    Changed,
}

/// An archive in a store. Reads give fewer bytes than were asked for at its end.
pub trait Ranges: Send + Sync {
    /// Reads `length` bytes at `offset`.
    fn range(
        &self,
        offset: u64,
        length: usize,
    ) -> impl Future<Output = std::result::Result<Bytes, NoBytes>> + Send;
}

/// Inflates a tile of gzip within limits.
///
/// # Errors
/// [`Error::Archive`] for what is no gzip, or too much.
pub fn inflate(deflated: &[u8]) -> Result<Vec<u8>> {
    inflate_to(deflated, MAX_INFLATED_BYTES)
}

fn inflate_to(deflated: &[u8], most: usize) -> Result<Vec<u8>> {
    let limit = deflated.len().saturating_mul(MAX_RATIO).clamp(RATIO_FREE_BYTES, most);
    let mut inflated = Vec::new();
    let mut reader = MultiGzDecoder::new(deflated).take(limit as u64 + 1);
    reader.read_to_end(&mut inflated).map_err(|error| Error::Archive(format!("gzip: {error}")))?;
    if inflated.len() > limit {
        return Err(Error::Archive(format!("{} bytes inflate to more than {limit}", deflated.len())));
    }
    Ok(inflated)
}

/// What of an archive is compressed, and where; known once its header was read.
struct Layout {
    gzip: bool,
    leaves: Range<u64>,
    metadata: Range<u64>,
}

/// An archive as the library sees it: nothing in it is compressed but tiles.
struct Guarded<R> {
    ranges: R,
    layout: OnceLock<Layout>,
}

impl<R: Ranges> Guarded<R> {
    async fn fetch(&self, offset: u64, length: usize) -> PmtResult<Bytes> {
        self.ranges.range(offset, length).await.map_err(|no_bytes| match no_bytes {
            NoBytes::Unreachable(Unreachable(reason)) => PmtError::Reading(std::io::Error::other(reason)),
            NoBytes::Changed => PmtError::SourceModified,
        })
    }

    /// Header and root directory, the latter inflated.
    async fn start(&self) -> PmtResult<Bytes> {
        let start = self.fetch(0, START_BYTES).await?;
        let (header, rest) = start.split_at_checked(HEADER_BYTES).ok_or(PmtError::InvalidHeader)?;
        let number = |at: usize| {
            let bytes = header.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u64::from_le_bytes).ok_or(PmtError::InvalidHeader)
        };
        let section = |at: usize| -> PmtResult<Range<u64>> {
            let (offset, length) = (number(at)?, number(at + 8)?);
            Ok(offset..offset.checked_add(length).ok_or(PmtError::InvalidHeader)?)
        };
        let compression = header.get(COMPRESSION_AT).copied();
        let gzip = match compression {
            Some(1) => false,
            Some(2) => true,
            _ => return Err(PmtError::InvalidCompression),
        };
        let root = section(ROOT_AT)?;
        let within = |at: u64| usize::try_from(at).ok().and_then(|at| at.checked_sub(HEADER_BYTES));
        let (from, to) = within(root.start).zip(within(root.end)).ok_or(PmtError::InvalidHeader)?;
        let root = rest.get(from..to).ok_or(PmtError::InvalidHeader)?;
        let root = if gzip { inflate_section(root)? } else { root.to_vec() };
        check_directory(&root)?;
        let layout = Layout { gzip, leaves: section(LEAVES_AT)?, metadata: section(METADATA_AT)? };
        // Read twice it says the same: the store checks that the archive did not change.
        let _ = self.layout.set(layout);
        let mut plain = header.to_vec();
        for (at, number) in [(ROOT_AT, HEADER_BYTES), (ROOT_AT + 8, root.len())] {
            if let Some(slot) = plain.get_mut(at..at + 8) {
                slot.copy_from_slice(&(number as u64).to_le_bytes());
            }
        }
        if let Some(compression) = plain.get_mut(COMPRESSION_AT) {
            *compression = 1;
        }
        plain.extend(root);
        Ok(plain.into())
    }
}

/// Places in the header, by the specification.
const ROOT_AT: usize = 8;
const METADATA_AT: usize = 24;
const LEAVES_AT: usize = 40;
const COMPRESSION_AT: usize = 97;

fn inflate_section(deflated: &[u8]) -> PmtResult<Vec<u8>> {
    inflate_to(deflated, MAX_SECTION_BYTES).map_err(|_| PmtError::InvalidEntry)
}

/// A directory begins with the number of its entries: the library makes room for so many before it reads them.
fn check_directory(plain: &[u8]) -> PmtResult<()> {
    let entries = u64::decode_var(plain).map(|(entries, _)| entries);
    entries.filter(|entries| *entries <= MAX_ENTRIES).map(drop).ok_or(PmtError::InvalidEntry)
}

impl<R: Ranges> AsyncBackend for Guarded<R> {
    async fn read(&self, _: u64, _: usize) -> PmtResult<BackendResponse> {
        // The library reads the start of an archive alone by this.
        Ok(BackendResponse::new(self.start().await?))
    }

    async fn read_exact(&self, offset: u64, length: usize) -> PmtResult<BackendResponse> {
        let layout = self.layout.get();
        let is_leaf = layout.is_some_and(|layout| layout.leaves.contains(&offset));
        let is_metadata = layout.is_some_and(|layout| layout.metadata.contains(&offset));
        let most = if is_leaf || is_metadata { MAX_SECTION_BYTES } else { MAX_TILE_BYTES };
        if length > most {
            return Err(PmtError::InvalidEntry);
        }
        let bytes = self.fetch(offset, length).await?;
        if bytes.len() != length {
            return Err(PmtError::UnexpectedNumberOfBytesReturned(length, bytes.len()));
        }
        let compressed = (is_leaf || is_metadata) && layout.is_some_and(|layout| layout.gzip);
        let bytes = if compressed { inflate_section(&bytes)?.into() } else { bytes };
        if is_leaf {
            check_directory(&bytes)?;
        }
        Ok(BackendResponse::new(bytes))
    }
}

/// Leaf directories of one archive, those that were used last.
struct Leaves(Mutex<(LruCache<u64, Directory>, usize)>);

impl Default for Leaves {
    fn default() -> Self {
        Self(Mutex::new((LruCache::unbounded(), 0)))
    }
}

impl Leaves {
    fn find(&self, offset: u64, tile: TileId) -> DirCacheResult {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match cache.0.get(&offset) {
            Some(directory) => directory.find_tile_id(tile).into(),
            None => DirCacheResult::NotCached,
        }
    }

    fn keep(&self, offset: u64, directory: Directory) {
        let size = directory.get_approx_byte_size();
        if size > CACHED_BYTES {
            return;
        }
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (directories, bytes) = &mut *cache;
        *bytes += size;
        if let Some((_, replaced)) = directories.push(offset, directory) {
            *bytes -= replaced.get_approx_byte_size();
        }
        while *bytes > CACHED_BYTES || directories.len() > CACHED_DIRECTORIES {
            let Some((_, oldest)) = directories.pop_lru() else { break };
            *bytes -= oldest.get_approx_byte_size();
        }
    }
}

impl DirectoryCache for Leaves {
    async fn get_dir_entry_or_insert(
        &self,
        offset: u64,
        tile: TileId,
        fetcher: impl Future<Output = PmtResult<Directory>> + Send,
    ) -> PmtResult<Option<pmtiles::DirEntry>> {
        match self.find(offset, tile) {
            DirCacheResult::Found(entry) => Ok(Some(entry)),
            DirCacheResult::NotFound => Ok(None),
            DirCacheResult::NotCached => {
                let directory = fetcher.await?;
                let entry = directory.find_tile_id(tile).copied();
                self.keep(offset, directory);
                Ok(entry)
            }
        }
    }
}

/// An archive whose header and root directory were read.
pub struct Archive<R: Ranges> {
    reader: AsyncPmTilesReader<Guarded<R>, Leaves>,
}

impl<R: Ranges> Archive<R> {
    /// Reads header and root directory.
    ///
    /// # Errors
    /// [`Error::Archive`] for what is no archive that we take, [`Error::Unavailable`].
    pub async fn open(ranges: R) -> Result<Self> {
        let guarded = Guarded { ranges, layout: OnceLock::new() };
        let reader = AsyncPmTilesReader::try_from_cached_source(guarded, Leaves::default()).await;
        reader.map(|reader| Self { reader }).map_err(unread)
    }

    /// A tile as it is stored; `None` when the archive has none there.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn tile(&self, at: Coordinates) -> Result<Option<Bytes>> {
        let tile = self.reader.get_tile(at.in_archive()?).await.map_err(unread)?;
        Ok(tile.filter(|tile| !tile.is_empty()))
    }

    /// What the archive holds, checked. `etag` and `bytes` are what the store says of it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn describe(&self, etag: &str, bytes: u64) -> Result<ArchiveView> {
        let header = self.reader.get_header();
        let format = Format::of_archive(header.tile_type)
            .ok_or_else(|| Error::Archive("its tiles are of no kind that maps show".to_owned()))?;
        let gzip = match header.tile_compression {
            Compression::Gzip => true,
            Compression::None | Compression::Unknown => false,
            Compression::Brotli | Compression::Zstd => {
                return Err(Error::Archive(
                    "its tiles are compressed neither by gzip nor not at all".to_owned(),
                ));
            }
        };
        if header.min_zoom > header.max_zoom || header.max_zoom > crate::model::tile::MAX_ZOOM {
            return Err(Error::Archive("its zooms make no sense".to_owned()));
        }
        let metadata = self.reader.get_metadata().await.map_err(unread)?;
        let Metadata { attribution, vector_layers } = serde_json::from_str(&metadata)
            .map_err(|error| Error::Archive(format!("its metadata is not what it should be: {error}")))?;
        let attribution = attribution.filter(|text| !text.is_empty());
        let layers: Vec<VectorLayer> =
            vector_layers.into_iter().flatten().map(Layer::into_described).collect();
        let names: HashSet<&str> = layers.iter().map(|layer| layer.id.as_str()).collect();
        let too_long = serde_json::to_vec(&layers).map_or(true, |json| json.len() > MAX_LAYERS_BYTES);
        if too_long || names.len() < layers.len() || (format.is_vector() && layers.is_empty()) {
            return Err(Error::Archive(
                "its metadata must describe its layers, each once, in at most 64 KiB".to_owned(),
            ));
        }
        Ok(ArchiveView {
            etag: etag.to_owned(),
            bytes,
            format,
            gzip,
            minzoom: header.min_zoom,
            maxzoom: header.max_zoom,
            bounds: bounds(header),
            center: (
                header.center_longitude.clamp(-180.0, 180.0),
                header.center_latitude.clamp(-90.0, 90.0),
                header.center_zoom.clamp(header.min_zoom, header.max_zoom),
            ),
            attribution: attribution.map(|text| text.chars().take(MAX_ATTRIBUTION_CHARS).collect()),
            layers: if format.is_vector() { layers } else { Vec::new() },
        })
    }
}

/// What is read of an archive's metadata: nothing else is held, however much there is.
#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    attribution: Option<String>,
    #[serde(default)]
    vector_layers: Option<Vec<Layer>>,
}

#[derive(Deserialize)]
struct Layer {
    id: String,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    minzoom: Option<u8>,
    #[serde(default)]
    maxzoom: Option<u8>,
}

impl Layer {
    fn into_described(self) -> VectorLayer {
        let Self { id, fields, description, minzoom, maxzoom } = self;
        VectorLayer { description, minzoom, maxzoom, ..VectorLayer::new(id, fields) }
    }
}

/// The header's, within the world and the right way round.
fn bounds(header: &Header) -> [f64; 4] {
    let (west, east) = (header.min_longitude.clamp(-180.0, 180.0), header.max_longitude.clamp(-180.0, 180.0));
    let (south, north) = (header.min_latitude.clamp(-90.0, 90.0), header.max_latitude.clamp(-90.0, 90.0));
    if west < east && south < north {
        [west, south, east, north]
    } else {
        [-180.0, -85.051_129, 180.0, 85.051_129]
    }
}

fn unread(error: PmtError) -> Error {
    match error {
        PmtError::Reading(reason) => Error::Unavailable(format!("archive: {reason}")),
        PmtError::SourceModified => {
            Error::Unavailable("archive: it is another than was registered".to_owned())
        }
        broken => Error::Archive(broken.to_string()),
    }
}

#[cfg(test)]
mod tests;
