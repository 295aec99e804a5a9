//! A Rust tool chain that compiles for `wasm32-unknown-unknown`.
//!
//! On most machines this is rustup's, after `rustup target add`. Where rustup's server can't be reached
//! but Debian's can, Debian's own compiler does it: its standard library for wasm is compiled once from
//! Debian's sources into a folder of the cache. Native code is always compiled by the default tool chain.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{apt, install::in_cache};
use crate::{
    process,
    repository::{cache, find_program, remove_folder},
};

/// The only target of the edge.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's newest compiler (packaged for browsers), the source of the standard library, clippy and a
/// linker of the same LLVM.
const DEBIAN_PACKAGES: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy", "lld-22"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_CLIPPY: [&str; 2] = ["/usr/bin/cargo-clippy", "/usr/bin/clippy-driver"];
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld-22";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library";

/// Knows how to call a cargo that compiles for wasm.
pub(crate) struct WasmToolchain {
    version: String,
    /// The folder of Debian's tool chain with our standard library; `None` means the default tool chain.
    debian: Option<PathBuf>,
}

impl WasmToolchain {
    /// The compiler's version and where it is from. Objects of two ids must not share a target folder.
    pub(crate) fn id(&self) -> String {
        let origin = if self.debian.is_some() { "Debian" } else { "default tool chain" };
        format!("{} ({origin})", self.version)
    }

    /// `cargo clippy` for wasm.
    pub(crate) fn clippy(&self) -> Result<Command> {
        let program = match &self.debian {
            Some(folder) => folder.join("bin/cargo-clippy"),
            None => "cargo-clippy".into(),
        };
        let mut command = process::command(program);
        command.arg("clippy");
        self.apply(&mut command)?;
        Ok(command)
    }

    /// Makes a program, such as worker-build, use this tool chain.
    pub(crate) fn apply(&self, command: &mut Command) -> Result<()> {
        let Some(folder) = &self.debian else { return Ok(()) };
        process::prepend_path(command, [folder.join("bin").as_path()])?;
        command
            .env_remove("RUSTC")
            .env_remove("RUSTUP_TOOLCHAIN")
            // Only clippy reads it; it doesn't call `rustc`, where the same is said.
            .env("SYSROOT", folder)
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER);
        Ok(())
    }
}

/// Finds or sets up the tool chain.
pub(crate) fn toolchain() -> Result<WasmToolchain> {
    if let Some(version) = default_toolchain() {
        return Ok(WasmToolchain { version, debian: None });
    }
    if has_debian_packages()
        && let Some(folder) = installed_debian_folder()?
    {
        return debian_toolchain(folder);
    }
    if find_program("rustup").is_some() {
        process::progress(format!("Adding the target {TARGET} by rustup"));
        if process::run_quietly(process::command("rustup").args(["target", "add", TARGET])).is_ok()
            && let Some(version) = default_toolchain()
        {
            return Ok(WasmToolchain { version, debian: None });
        }
    }
    if !apt::available() {
        bail!("Rust's standard library for {TARGET} is missing: make `rustup target add {TARGET}` work");
    }
    if !has_debian_packages() {
        apt::install(&DEBIAN_PACKAGES, "compiling to wasm")?;
    }
    debian_toolchain(install_debian_folder()?)
}

/// The version of the default compiler, if it has the target.
fn default_toolchain() -> Option<String> {
    let libraries =
        process::probe(process::command("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    if !Path::new(&libraries).is_dir() {
        return None;
    }
    process::probe(process::command("rustc").arg("--version"))
}

fn has_debian_packages() -> bool {
    [DEBIAN_RUSTC, DEBIAN_CARGO, DEBIAN_LINKER, DEBIAN_SOURCE]
        .iter()
        .chain(&DEBIAN_CLIPPY)
        .all(|path| Path::new(path).exists())
}

fn debian_toolchain(folder: PathBuf) -> Result<WasmToolchain> {
    Ok(WasmToolchain { version: debian_version()?, debian: Some(folder) })
}

fn debian_version() -> Result<String> {
    process::probe(process::command(DEBIAN_RUSTC).arg("--version"))
        .with_context(|| format!("{DEBIAN_RUSTC} doesn't run"))
}

/// Keyed by version, because a compiler reads only the standard library that it compiled itself.
fn debian_folder_name() -> Result<String> {
    let version = debian_version()?;
    let number = version.split(' ').nth(1).context("rustc tells no version")?;
    Ok(format!("wasm-toolchain-{number}"))
}

fn installed_debian_folder() -> Result<Option<PathBuf>> {
    let folder = cache()?.join(debian_folder_name()?);
    Ok(folder.is_dir().then_some(folder))
}

fn install_debian_folder() -> Result<PathBuf> {
    in_cache(&debian_folder_name()?, |folder| {
        process::progress("Compiling the standard library for wasm (once; a minute)");
        let build = folder.join("build");
        compile_standard_library(&build)?;
        let libraries = folder.join("lib/rustlib").join(TARGET).join("lib");
        fs::create_dir_all(&libraries)?;
        copy_libraries(&build.join("target").join(TARGET).join("release/deps"), &libraries)?;
        remove_folder(&build)?;
        link_native_libraries(folder)?;
        link_programs(folder)
    })
}

/// Compiles an empty crate together with the standard library.
fn compile_standard_library(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "#![no_std]\n")?;
    let manifest = "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), manifest)?;
    process::run_quietly(
        process::command(DEBIAN_CARGO)
            .args(["build", "--release", "-Z", "build-std=std,panic_abort,test", "--target", TARGET])
            .arg("--target-dir")
            .arg(folder.join("target"))
            .current_dir(folder)
            .env_remove("RUSTUP_TOOLCHAIN")
            .env("RUSTC", DEBIAN_RUSTC)
            // Unlocks -Z on a stable compiler, for its own standard library.
            .env("RUSTC_BOOTSTRAP", "1")
            // Link-time optimization reads bitcode; without it the linker stops at the first library.
            .env("RUSTFLAGS", "-Cembed-bitcode=yes"),
    )
    .context("Debian's standard library doesn't compile for wasm")
}

fn copy_libraries(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        let is_empty_crate = name.to_string_lossy().starts_with("libempty-");
        if path.extension().is_some_and(|extension| extension == "rlib") && !is_empty_crate {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// Build scripts and procedural macros are compiled for this machine, with Debian's own libraries.
fn link_native_libraries(folder: &Path) -> Result<()> {
    let libraries = Path::new("/usr/lib/rustlib");
    for entry in fs::read_dir(libraries)? {
        let entry = entry?;
        let link = folder.join("lib/rustlib").join(entry.file_name());
        if !link.exists() {
            symlink(entry.path(), link)?;
        }
    }
    Ok(())
}

/// Programs to put first on `PATH`. `rustc` is told where our standard library lies.
fn link_programs(folder: &Path) -> Result<()> {
    let programs = folder.join("bin");
    fs::create_dir(&programs)?;
    for program in [DEBIAN_CARGO].iter().chain(&DEBIAN_CLIPPY) {
        let name = Path::new(program).file_name().unwrap_or_default();
        symlink(program, programs.join(name))?;
    }
    // The script finds the folder from its own path: the folder is renamed when it is complete.
    let script = format!("#!/bin/sh\nexec {DEBIAN_RUSTC} --sysroot \"${{0%/bin/*}}\" \"$@\"\n");
    let rustc = programs.join("rustc");
    fs::write(&rustc, script)?;
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
