//! `cargo xtask lint`: all that can be said about the code without running it.

use anyhow::Result;

use crate::{edge, openapi, process, repository::root, setup};

/// `cargo xtask lint`
pub(crate) fn command() -> Result<()> {
    format()?;
    clippy_native()?;
    clippy_wasm()?;
    dependencies()?;
    types()?;
    openapi::command(true)
}

fn format() -> Result<()> {
    process::progress("Checking the format");
    process::run(process::cargo().args(["fmt", "--all", "--check"]))
}

fn clippy_native() -> Result<()> {
    process::progress("Clippy, native");
    let mut command = process::cargo();
    command.args(["clippy", "--workspace", "--exclude", "edge", "--all-targets", "--", "-D", "warnings"]);
    process::run(&mut command)
}

fn clippy_wasm() -> Result<()> {
    process::progress("Clippy, wasm");
    let toolchain = setup::wasm_toolchain()?;
    let mut command = toolchain.clippy()?;
    edge::use_target_folder(&mut command, &toolchain)?;
    let packages = ["-p", "edge", "-p", "shared", "--target", "wasm32-unknown-unknown"];
    process::run(command.args(packages).args(["--", "-D", "warnings"]))
}

fn dependencies() -> Result<()> {
    process::progress("Checking licences, bans and sources of the dependencies");
    let deny = setup::cargo_deny()?;
    let check = |what: &[&str]| process::run(process::command(&deny).args(["check"]).args(what));
    check(&["bans", "licenses", "sources"])?;
    // The database of advisories is fetched over the internet, which isn't everywhere.
    if process::run_quietly(process::command(&deny).args(["fetch", "db"])).is_ok() {
        check(&["--disable-fetch", "advisories"])
    } else {
        process::progress("Advisories are not checked: their database can't be fetched here");
        Ok(())
    }
}

fn types() -> Result<()> {
    process::progress("Checking the types of the page's scripts");
    let npm = setup::npm_packages()?;
    process::run(npm.command("tsc")?.args(["--noEmit", "-p"]).arg(root().join("edge/web")))
}
