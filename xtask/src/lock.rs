//! Locks between runs of these commands.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::{Context, Result};

use crate::process;

/// Waits until nobody else holds the lock. Held until dropped; a process that dies releases it too.
pub(crate) fn wait(path: &Path, other: &str) -> Result<File> {
    let file = open(path)?;
    if file.try_lock().is_err() {
        process::progress(format!("Waiting for {other}"));
        file.lock()?;
    }
    Ok(file)
}

/// The lock, or nothing if somebody else holds it.
pub(crate) fn try_take(path: &Path) -> Result<Option<File>> {
    let file = open(path)?;
    Ok(file.try_lock().is_ok().then_some(file))
}

fn open(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    File::create(path).with_context(|| format!("cannot write {}", path.display()))
}
