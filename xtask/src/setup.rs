//! Finds or installs the tools, so that nobody needs to know which.
//!
//! A tool that the system has in a good version is used as it is. What is missing goes to the cache
//! folder ([`repository::cache`]), keyed by version, so that a second run and a second clone start at
//! once. Only Debian packages are installed outside of it. Every step is skipped when it is done.

mod apt;
mod cargo_tool;
mod chromium;
mod install;
mod node;
mod npm;
mod python;
mod wasm;

use std::path::PathBuf;

use anyhow::{Context, Result};

pub(crate) use self::{
    apt::{install as install_debian_packages, is_root},
    chromium::chromium,
    install::in_cache,
    node::Node,
    npm::NpmPackages,
    python::python,
    wasm::WasmToolchain,
};
use crate::{postgres::Postgres, process, repository};

/// The release of worker-build that fits the `worker` crate in Cargo.toml.
const WORKER_BUILD: &str = "0.8.7";
const CARGO_DENY: &str = "0.20.2";

/// What it takes to build the Worker and to serve it.
pub(crate) struct EdgeTools {
    pub(crate) wasm: WasmToolchain,
    pub(crate) npm: NpmPackages,
    pub(crate) worker_build: PathBuf,
    pub(crate) wasm_bindgen: PathBuf,
}

/// `cargo xtask setup`
pub(crate) fn command(all: bool) -> Result<()> {
    let tools = edge_tools()?;
    process::progress(format!("wasm: {}", tools.wasm.id()));
    process::progress(format!("Node: {}", tools.npm.node.program().display()));
    if all {
        cargo_deny()?;
        process::progress(format!("PostgreSQL: {}", Postgres::programs()?.display()));
        process::progress(format!("Chromium: {}", chromium()?.display()));
        process::progress(format!("strace: {}", strace()?.display()));
        process::progress(format!("Python: {}", python()?.display()));
    }
    process::progress("Everything is set up");
    Ok(())
}

/// The tools of `cargo xtask edge` and `cargo xtask dev`.
pub(crate) fn edge_tools() -> Result<EdgeTools> {
    let npm = npm::packages(node::node()?)?;
    let wasm = wasm::toolchain()?;
    let wasm_bindgen = repository::locked_version("wasm-bindgen")?;
    Ok(EdgeTools {
        wasm,
        npm,
        worker_build: cargo_tool::program("worker-build", WORKER_BUILD, "worker-build")?,
        // The generated glue must be of the very version that the crate was compiled with.
        wasm_bindgen: cargo_tool::program("wasm-bindgen-cli", &wasm_bindgen, "wasm-bindgen")?,
    })
}

/// The wasm tool chain alone, for lints.
pub(crate) fn wasm_toolchain() -> Result<WasmToolchain> {
    wasm::toolchain()
}

/// The npm packages alone.
pub(crate) fn npm_packages() -> Result<NpmPackages> {
    npm::packages(node::node()?)
}

/// The program by which tests let system calls fail.
pub(crate) fn strace() -> Result<PathBuf> {
    if let Some(program) = repository::find_program("strace") {
        return Ok(program);
    }
    apt::install(&["strace"], "the tests of faults")?;
    repository::find_program("strace").context("strace isn't on PATH")
}

/// The program that checks licences, sources and advisories of the dependencies.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    cargo_tool::program("cargo-deny", CARGO_DENY, "cargo-deny")
}
