//! An archive of vector tiles, as maps of a whole country have them: zooms 0 to 8, and the same at each run.

use anyhow::{Context, Result};
use flate2::{Compression as Level, write::GzEncoder};
use pmtiles::{Compression, PmTilesWriter, TileCoord, TileId, TileType};
use serde_json::json;
use shared::model::item::ArchiveView;
use shared::model::tile::Format;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use tempfile::TempDir;

/// Its last zoom, of 65,536 tiles.
pub const MAX_ZOOM: u8 = 8;
/// How many tiles lie before this zoom, in the order of their numbers.
pub const fn before(zoom: u8) -> u64 {
    ((1 << (2 * zoom)) - 1) / 3
}
/// Tiles that differ, a power of two: the archive has each of these in some twenty places, as it has seas, so that it fits into memory several
/// times over.
const BODIES: u64 = 4_096;
/// Where a header says at which byte tiles begin.
const DATA_AT: usize = 56;

/// See the module.
pub struct Archive {
    folder: TempDir,
    bytes: u64,
    /// By number of the body: where it lies, and what it is with gzip.
    bodies: Vec<(u64, Vec<u8>)>,
}

impl Archive {
    /// Makes it.
    pub fn new() -> Result<Self> {
        let folder = TempDir::with_prefix("postern-bench-")?;
        let path = folder.path().join("archive.pmtiles");
        let packed: Vec<Vec<u8>> = (0..BODIES).map(|body| pack(&tile(body))).collect::<Result<_>>()?;
        let metadata = json!({ "vector_layers": [{ "id": "land", "fields": { "class": "String" } }] });
        let mut writer = PmTilesWriter::new(TileType::Mvt)
            .precompressed(Compression::Gzip)
            .max_zoom(MAX_ZOOM)
            .metadata(metadata.to_string())
            .create(File::create_new(&path)?)?;
        for number in 0..before(MAX_ZOOM + 1) {
            let packed = packed.get(body_of(number)).context("a body")?;
            writer.add_tile(TileCoord::from(TileId::new(number)?), packed)?;
        }
        writer.finalize()?;

        // Each body lies where it was first added, one behind the other.
        let head = fs::read(&path)?;
        let begin: [u8; 8] =
            head.get(DATA_AT..).and_then(|rest| rest.first_chunk()).copied().context("a header")?;
        let mut offsets = vec![None; packed.len()];
        let mut next = u64::from_le_bytes(begin);
        for number in 0..before(MAX_ZOOM + 1) {
            let body = body_of(number);
            let (offset, packed) = (offsets.get_mut(body), packed.get(body));
            if let (Some(offset @ None), Some(packed)) = (offset, packed) {
                *offset = Some(next);
                next += packed.len() as u64;
            }
        }
        let bodies = offsets.into_iter().zip(packed).map(|(offset, packed)| Some((offset?, packed)));
        let bodies = bodies.collect::<Option<_>>().context("a body that is nowhere")?;
        Ok(Self { folder, bytes: head.len() as u64, bodies })
    }

    /// Its file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("archive.pmtiles")
    }

    /// Where a tile lies in it, and the tile with gzip.
    pub fn tile(&self, number: u64) -> Result<(u64, &[u8])> {
        let (offset, packed) = self.bodies.get(body_of(number)).context("a tile")?;
        Ok((*offset, packed))
    }

    /// Bytes of its different tiles with gzip: fewest, on average, most.
    pub fn sizes(&self) -> (usize, usize, usize) {
        let mut sizes: Vec<usize> = self.bodies.iter().map(|(_, packed)| packed.len()).collect();
        sizes.sort_unstable();
        let [least, most] = [sizes.first(), sizes.last()].map(|size| size.copied().unwrap_or_default());
        (least, sizes.iter().sum::<usize>() / sizes.len().max(1), most)
    }

    /// As it stands in a record.
    pub fn view(&self) -> ArchiveView {
        ArchiveView {
            etag: "stored".to_owned(),
            bytes: self.bytes,
            format: Format::Mvt,
            gzip: true,
            minzoom: 0,
            maxzoom: MAX_ZOOM,
            bounds: [-180.0, -85.051_129, 180.0, 85.051_129],
            center: (0.0, 0.0, 0),
            attribution: None,
            layers: Vec::new(),
        }
    }
}

/// `z/x/y` of a tile by its number.
pub fn place(number: u64) -> Result<String> {
    let at = TileCoord::from(TileId::new(number)?);
    Ok(format!("{}/{}/{}", at.z(), at.x(), at.y()))
}

/// Neighbours differ.
fn body_of(number: u64) -> usize {
    usize::try_from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & (BODIES - 1)).unwrap_or_default()
}

fn pack(plain: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder.write_all(plain)?;
    Ok(encoder.finish()?)
}

/// A tile of one layer of polygons, as Mapbox describes it: few of them in most tiles, many in some.
fn tile(number: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(number);
    let mut layer = Vec::new();
    field(&mut layer, 1, b"land");
    for _ in 0..8 << random.u32(0..7) {
        let tags = [0, random.u32(0..16)];
        let mut geometry = vec![9, random.u32(0..8_192), random.u32(0..8_192)];
        let points = random.u32(3..24);
        geometry.push(points << 3 | 2);
        geometry.extend((0..2 * points).map(|_| random.u32(0..120)));
        geometry.push(15);
        let mut feature = Vec::new();
        field(&mut feature, 2, &packed(&tags));
        feature.extend([3 << 3, 3]);
        field(&mut feature, 4, &packed(&geometry));
        field(&mut layer, 2, &feature);
    }
    field(&mut layer, 3, b"class");
    for class in 0..16 {
        let mut value = Vec::new();
        field(&mut value, 1, format!("land use of class {class}").as_bytes());
        field(&mut layer, 4, &value);
    }
    layer.extend([15 << 3, 2]);
    let mut tile = Vec::new();
    field(&mut tile, 3, &layer);
    tile
}

/// A field of bytes, as protocol buffers write it.
fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.extend(bytes);
}

fn packed(numbers: &[u32]) -> Vec<u8> {
    let mut out = Vec::new();
    for number in numbers {
        varint(&mut out, *number);
    }
    out
}

fn varint(out: &mut Vec<u8>, mut number: u32) {
    while let [low, ..] = number.to_le_bytes()
        && number >= 0x80
    {
        out.push(low | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}
