//! `cargo xtask openapi`: the committed OpenAPI documents, which the code generates.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{dev, process, repository::root};

/// One for each dialect that has a contract of its own.
const DOCUMENTS: [&str; 2] = ["dashboard", "operation"];

/// `cargo xtask openapi [--check]`
pub(crate) fn command(check: bool) -> Result<()> {
    process::progress(if check { "Checking the OpenAPI documents" } else { "Writing the OpenAPI documents" });
    dev::build_control()?;
    DOCUMENTS.iter().try_for_each(|name| one(name, check))
}

fn one(name: &str, check: bool) -> Result<()> {
    let generated = process::output(process::command(dev::control_program()?).args(["openapi", name]))?;
    let path = root().join(format!("control/openapi/{name}.json"));
    if check {
        if fs::read_to_string(&path).ok().as_deref() != Some(generated.as_str()) {
            bail!("{} isn't what the code generates: run `cargo xtask openapi`", path.display());
        }
        return Ok(());
    }
    fs::create_dir_all(path.parent().context("no folder")?)?;
    fs::write(&path, generated).with_context(|| format!("cannot write {}", path.display()))
}
