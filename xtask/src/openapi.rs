//! `cargo xtask openapi`: the committed OpenAPI document, which the code generates.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{dev, process, repository::root};

/// `cargo xtask openapi [--check]`
pub(crate) fn command(check: bool) -> Result<()> {
    process::progress(if check { "Checking the OpenAPI document" } else { "Writing the OpenAPI document" });
    dev::build_control()?;
    let generated = process::output(process::command(dev::control_program()?).arg("openapi"))?;
    let path = root().join("control/openapi/dashboard.json");
    if check {
        if fs::read_to_string(&path).ok().as_deref() != Some(generated.as_str()) {
            bail!("{} isn't what the code generates: run `cargo xtask openapi`", path.display());
        }
        return Ok(());
    }
    fs::create_dir_all(path.parent().context("no folder")?)?;
    fs::write(&path, generated).with_context(|| format!("cannot write {}", path.display()))
}
