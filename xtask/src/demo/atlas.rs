//! Archives of the demo's maps, made once out of published shapes and kept in the cache.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{
    dev, process,
    repository::remove_folder,
    setup::{NpmPackages, in_cache},
    stamp,
};

/// The program that draws the tiles; the npm packages that it draws with stand in the lock file.
pub(crate) const SCRIPT: &str = "xtask/demo/atlas.mjs";
/// What archives are made from.
const INPUTS: [&str; 3] = [SCRIPT, "control/examples/demo_archive.rs", "package-lock.json"];
const NAMES: [&str; 3] = ["countries", "countries-drawn", "airports"];

/// PMTiles archives of real geography.
pub(crate) struct Atlas {
    folder: PathBuf,
}

impl Atlas {
    /// Makes them, unless they are there. `draw` is Node with [`SCRIPT`].
    ///
    /// # Errors
    /// When Node or cargo fails.
    pub(crate) fn prepare(mut draw: Command) -> Result<Self> {
        let folder = in_cache(&format!("atlas-{}", stamp::of(&INPUTS)?), |folder| {
            process::progress("Drawing the demo's maps");
            let tiles = folder.join("tiles");
            fs::create_dir(&tiles)?;
            process::run_quietly(draw.arg(NpmPackages::folder()).arg(&tiles))?;
            NAMES
                .iter()
                .try_for_each(|name| pack(&tiles.join(name), &folder.join(format!("{name}.pmtiles"))))?;
            remove_folder(&tiles)
        })?;
        Ok(Self { folder })
    }

    /// Countries, as shapes with names.
    pub(crate) fn countries(&self) -> PathBuf {
        self.folder.join("countries.pmtiles")
    }

    /// Countries, as pictures.
    pub(crate) fn countries_drawn(&self) -> PathBuf {
        self.folder.join("countries-drawn.pmtiles")
    }

    /// Airports, as points.
    pub(crate) fn airports(&self) -> PathBuf {
        self.folder.join("airports.pmtiles")
    }
}

fn pack(tiles: &Path, archive: &Path) -> Result<()> {
    process::run_quietly(process::command(dev::program("examples/demo_archive")?).arg(tiles).arg(archive))
}
