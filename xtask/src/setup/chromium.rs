//! The browser that the tests drive.

use std::{env, path::PathBuf};

use anyhow::{Context, Result};

use super::apt;
use crate::repository::find_program;

/// `CHROMIUM_BIN`, or a Chromium on `PATH`, or Debian's.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(program) = env::var_os("CHROMIUM_BIN") {
        return Ok(program.into());
    }
    if let Some(program) = installed() {
        return Ok(program);
    }
    apt::install(&["chromium"], "the browser tests")?;
    installed().context("set CHROMIUM_BIN to the path of a Chromium")
}

fn installed() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(find_program)
}
