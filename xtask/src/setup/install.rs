//! Installing into the cache folder: all or nothing, and one at a time.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::{lock, process, repository};

/// The folder `name` of the cache, made by `install` if it isn't there.
///
/// `install` fills a folder of another name, which is renamed when it is complete: what was broken off
/// is never taken for done. A lock keeps a second run waiting, which then finds the work done.
pub(crate) fn in_cache(name: &str, install: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = repository::cache()?;
    let folder = cache.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let _lock = lock::wait(&cache.join(".lock"), "another set-up on this machine")?;
    if folder.is_dir() {
        return Ok(folder);
    }
    let unfinished = cache.join(format!(".unfinished-{name}"));
    repository::remove_folder(&unfinished)?;
    fs::create_dir(&unfinished)?;
    install(&unfinished)?;
    fs::rename(&unfinished, &folder)?;
    Ok(folder)
}

/// Tries a step that downloads a second time, because registries have hiccups.
pub(crate) fn twice(mut step: impl FnMut() -> Result<()>) -> Result<()> {
    step().or_else(|error| {
        if process::interrupted() {
            return Err(error);
        }
        process::progress(format!("Once more, for this failed: {error:#}"));
        step()
    })
}
