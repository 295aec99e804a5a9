//! The npm packages of the root `package.json`: wrangler, esbuild, wasm-opt, the page's libraries.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{Node, install::twice};
use crate::{process, repository};

/// The installed packages, and the Node that runs them.
pub(crate) struct NpmPackages {
    pub(crate) node: Node,
}

impl NpmPackages {
    /// The folder of all packages.
    pub(crate) fn folder() -> PathBuf {
        repository::root().join("node_modules")
    }

    /// A program that a package brings.
    pub(crate) fn program(name: &str) -> PathBuf {
        Self::folder().join(".bin").join(name)
    }

    /// A command that runs such a program.
    pub(crate) fn command(&self, name: &str) -> Result<Command> {
        self.node.command(&Self::program(name))
    }

    /// workerd, the runtime in wrangler: the package for this platform carries the program itself.
    pub(crate) fn workerd() -> PathBuf {
        let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
        let processor = if cfg!(target_arch = "aarch64") { "arm64" } else { "64" };
        Self::folder().join(format!("@cloudflare/workerd-{system}-{processor}/bin/workerd"))
    }

    /// The script of wrangler.
    pub(crate) fn wrangler_script() -> PathBuf {
        Self::folder().join("wrangler/bin/wrangler.js")
    }
}

/// Installs what `package-lock.json` says, unless this very file was installed before.
pub(crate) fn packages(node: Node) -> Result<NpmPackages> {
    let lock_path = repository::root().join("package-lock.json");
    let lock = fs::read(&lock_path).with_context(|| format!("cannot read {}", lock_path.display()))?;
    let stamp = NpmPackages::folder().join(".postern-lock.json");
    if !is_copy(&stamp, &lock) {
        process::progress("Installing npm packages");
        twice(|| process::run_quietly(node.npm()?.arg("ci")))
            .context("`npm ci` must work on this machine")?;
        fs::write(&stamp, &lock)?;
    }
    Ok(NpmPackages { node })
}

fn is_copy(path: &Path, content: &[u8]) -> bool {
    fs::read(path).is_ok_and(|copy| copy == content)
}
