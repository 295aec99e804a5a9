//! `cargo xtask bench`: what Postern costs beside what one would write by hand, side by side in one run.

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    edge,
    postgres::{Commits, Postgres},
    process,
    repository::root,
    setup::{self, NpmPackages},
};

/// `cargo xtask bench [filter]`
pub(crate) fn command(filter: Option<&str>) -> Result<()> {
    Postgres::programs()?;
    edge::build(setup::edge_tools)?;
    let (embed_js, tiles_js) = (bundle("tests/bench/embed.js")?, bundle("tests/bench/tiles.js")?);
    process::progress("Building the control plane as it is installed");
    process::run(process::cargo().args([
        "build",
        "--profile",
        "server",
        "-p",
        "control",
        "--bin",
        "postern",
    ]))?;
    let postgres = Postgres::start(Commits::Durable)?;
    process::progress("Measuring: some ten minutes for all, best with nothing else running");
    process::run(
        process::cargo()
            // With the dependencies as tests have them: what is measured runs in other processes, but for the loops that
            // insert rows, and SQLite is optimized in every profile.
            .args(["test", "-q", "-p", "tests", "--bench", "bench"])
            .args(process::SAME_FEATURES)
            .arg("--")
            .args(filter)
            .env("WORKERD_BIN", NpmPackages::workerd())
            .env("POSTERN_BIN", std::env::current_exe()?.with_file_name("../server/postern"))
            .env("POSTERN_EDGE_BUILD", edge::output())
            .env("BENCH_EMBED_JS", embed_js)
            .env("BENCH_TILES_JS", tiles_js)
            .env("TEST_POSTGRES_URL", postgres.url()),
    )
}

/// Puts a script and what it imports into one file, as wrangler would upload it.
fn bundle(script: &str) -> Result<PathBuf> {
    let output = root().join("target/bench").join(script);
    let npm = setup::npm_packages()?;
    process::run_quietly(
        npm.command("esbuild")?
            .args([script, "--bundle", "--minify", "--format=esm", "--target=esnext"])
            .args(["--platform=neutral", "--conditions=workerd,worker,import", "--log-level=warning"])
            .arg(format!("--outfile={}", output.display())),
    )?;
    Ok(output)
}
