//! Packs a folder of map tiles, `{z}/{x}/{y}` with `metadata.json` beside them, into a PMTiles archive, which
//! `cargo xtask dev` shows as a map: `demo_archive <folder> <archive>`.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use pmtiles::{Compression, PmTilesWriter, TileCoord, TileType};
use serde::Deserialize;

fn main() -> Result<()> {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let [folder, archive] = arguments.as_slice() else {
        bail!("usage: demo_archive <folder> <archive>");
    };
    pack(Path::new(folder), Path::new(archive))
}

/// What `metadata.json` says besides what viewers are shown.
#[derive(Deserialize)]
struct About {
    format: String,
    maxzoom: u8,
    bounds: [f64; 4],
}

fn pack(folder: &Path, archive: &Path) -> Result<()> {
    let metadata = fs::read_to_string(folder.join("metadata.json"))?;
    let About { format, maxzoom, bounds: [west, south, east, north] } = serde_json::from_str(&metadata)?;
    let (kind, compression) = match format.as_str() {
        "mvt" => (TileType::Mvt, Compression::Gzip),
        "png" => (TileType::Png, Compression::None),
        other => bail!("no such format: {other}"),
    };
    let mut writer = PmTilesWriter::new(kind)
        .tile_compression(compression)
        .max_zoom(maxzoom)
        .bounds(west, south, east, north)
        .metadata(&metadata)
        .create(BufWriter::new(File::create(archive)?))?;
    for (z, zoom) in numbered(folder)? {
        for (x, column) in numbered(&zoom)? {
            for (y, tile) in numbered(&column)? {
                writer.add_tile(TileCoord::new(u8::try_from(z)?, x, y)?, &fs::read(tile)?)?;
            }
        }
    }
    Ok(writer.finalize()?)
}

/// What of a folder is named by a number, in order.
fn numbered(folder: &Path) -> Result<Vec<(u32, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some(number) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}
