//! The root key of a local installation: made once, kept in a file that only its owner may read.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::{Context, Result};

/// As wrangler's `--env-file` and `.dev.vars` want it.
const NAME: &str = "POSTERN_ROOT_KEY=";
const PREVIOUS_NAME: &str = "POSTERN_ROOT_KEY_PREVIOUS=";

/// The key in the file, in hex; a new one if there is no file.
pub(crate) fn root_key(path: &Path) -> Result<String> {
    if path.exists() {
        return read(path, NAME)?.with_context(|| format!("{} names no root key", path.display()));
    }
    let key = random_key()?;
    write(path, &format!("{NAME}{key}\n"))?;
    Ok(key)
}

/// The key before it, while a rotation lasts: a line that whoever rotates adds by hand.
pub(crate) fn previous_root_key(path: &Path) -> Result<Option<String>> {
    read(path, PREVIOUS_NAME)
}

fn read(path: &Path, name: &str) -> Result<Option<String>> {
    let text = fs::read_to_string(path)?;
    Ok(text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned))
}

/// Writes a file that only its owner may read.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

fn random_key() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    let mut key = String::with_capacity(64);
    for byte in bytes {
        write!(key, "{byte:02x}")?;
    }
    Ok(key)
}
