//! `cargo xtask edge`: the Worker and the page's assets, in `edge/build`. Also wrangler's build command.
//!
//! `index.js` and its wasm come from worker-build, `public/` (what the assets binding serves) from
//! esbuild. worker-build replaces only what it writes itself, so the two live side by side.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::{
    lock, process,
    repository::{remove_folder, root},
    secrets,
    setup::{self, EdgeTools, NpmPackages, WasmToolchain},
    stamp,
};

/// Files and folders that the build reads. The build itself and its tools' versions are code of xtask.
const INPUTS: [&str; 11] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "edge/Cargo.toml",
    "edge/src",
    "edge/web",
    "package-lock.json",
    "shared",
    "xtask/src/edge.rs",
    "xtask/src/setup",
    "xtask/src/setup.rs",
];

/// `cargo xtask edge`
pub(crate) fn command() -> Result<()> {
    build(setup::edge_tools)?;
    // Without a root key the Worker answers nothing: this one makes `wrangler dev` by itself work.
    let local_secrets = root().join(".dev.vars");
    if !local_secrets.exists() {
        secrets::root_key(&local_secrets)?;
    }
    Ok(())
}

/// Builds, unless nothing has changed. `tools` is asked only when there is work for them: wrangler calls
/// this at each start and each saved file.
pub(crate) fn build(tools: impl FnOnce() -> Result<EdgeTools>) -> Result<()> {
    let _lock = lock::wait(&output().join(".lock"), "another build of the edge")?;
    let stamp_path = output().join(".stamp");
    let stamp = stamp::of(&INPUTS)?;
    if fs::read_to_string(&stamp_path).is_ok_and(|built| built == stamp) {
        return Ok(());
    }
    let _ = fs::remove_file(&stamp_path);
    let tools = tools()?;
    process::progress("Building the page's assets");
    build_assets(&tools.npm)?;
    process::progress("Building the Worker");
    build_worker(&tools)?;
    fs::write(&stamp_path, stamp)?;
    Ok(())
}

/// Where the Worker is built to.
pub(crate) fn output() -> PathBuf {
    root().join("edge/build")
}

/// Makes cargo build into the edge's own target folder, emptied when the tool chain is another than
/// before: its objects can't be mixed, neither with the native ones nor with those of another release.
pub(crate) fn use_target_folder(command: &mut Command, toolchain: &WasmToolchain) -> Result<()> {
    let folder = root().join("target/edge");
    let marker = folder.join(".toolchain");
    if fs::read_to_string(&marker).ok().as_deref() != Some(toolchain.id().as_str()) {
        remove_folder(&folder)?;
        fs::create_dir_all(&folder)?;
        fs::write(&marker, toolchain.id())?;
    }
    command.env("CARGO_TARGET_DIR", folder);
    Ok(())
}

/// Bundles into a folder beside, so that a failed build leaves the served one alone.
fn build_assets(npm: &NpmPackages) -> Result<()> {
    let unfinished = output().join("public.unfinished");
    let public = output().join("public");
    remove_folder(&unfinished)?;
    fs::create_dir_all(&unfinished)?;
    process::run(
        npm.command("esbuild")?
            .args([
                "assets/share=edge/web/src/share.ts",
                "assets/product=edge/web/src/product.ts",
                "assets/product=edge/web/style/product.css",
                "assets/unlock=edge/web/src/unlock.ts",
                "assets/embed=edge/web/src/embed.ts",
                "assets/portal=edge/web/src/portal.ts",
                // Of pages of maps alone: the library draws in a worker, which is a file of its own.
                "assets/map=edge/web/src/map.ts",
                "assets/map-worker=maplibre-gl/dist/maplibre-gl-worker.mjs",
                "assets/page=edge/web/style/page.css",
                "assets/map-page=edge/web/style/map.css",
                // For the pages of others, who write its address into them.
                "embed=edge/web/embed/element.ts",
            ])
            .args(["--bundle", "--minify", "--format=esm", "--target=es2022,chrome111,firefox115,safari16.4"])
            .args(["--legal-comments=eof", "--log-level=warning"])
            .arg(format!("--outdir={}", unfinished.display())),
    )?;
    for (file, name) in [("_headers", "_headers"), ("embed/embed.d.ts", "embed.d.ts")] {
        let file = root().join("edge/web").join(file);
        fs::copy(&file, unfinished.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    remove_folder(&public)?;
    fs::rename(&unfinished, &public)?;
    Ok(())
}

fn build_worker(tools: &EdgeTools) -> Result<()> {
    let mut command = process::command(&tools.worker_build);
    // With these it downloads nothing; esbuild and wasm-opt are scripts that run under our Node.
    command
        .args(["edge", "--release"])
        .env("RUST_BACKTRACE", "0")
        .env("WASM_BINDGEN_BIN", &tools.wasm_bindgen)
        .env("WASM_OPT_BIN", NpmPackages::program("wasm-opt"))
        .env("ESBUILD_BIN", NpmPackages::program("esbuild"));
    process::prepend_path(&mut command, [tools.npm.node.folder()])?;
    tools.wasm.apply(&mut command)?;
    use_target_folder(&mut command, &tools.wasm)?;
    process::run(&mut command)
}
