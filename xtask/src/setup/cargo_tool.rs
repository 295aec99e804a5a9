//! Programs that are published as crates.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::install::{in_cache, twice};
use crate::{process, repository::remove_folder};

/// The program `name` of exactly this release of a crate, compiled on first use.
pub(crate) fn program(package: &str, version: &str, name: &str) -> Result<PathBuf> {
    let folder = in_cache(&format!("{package}-{version}"), |folder| {
        process::progress(format!("Installing {package} {version} (once; two to six minutes)"));
        let target = folder.join("target");
        // Not `--locked`: wasm-bindgen-cli's own lock file names a release that not every registry
        // has. The optimizations that are left out would save no second of a build.
        twice(|| {
            process::run(
                process::cargo()
                    .args(["install", "--root"])
                    .arg(folder)
                    .arg("--target-dir")
                    .arg(&target)
                    .arg(format!("{package}@={version}"))
                    .env("CARGO_PROFILE_RELEASE_LTO", "off")
                    .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
                    .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
            )
        })
        .with_context(|| format!("`cargo install {package}@={version}` must work on this machine"))?;
        remove_folder(&target)
    })?;
    Ok(folder.join("bin").join(name))
}
