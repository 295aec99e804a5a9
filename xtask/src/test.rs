//! `cargo xtask test`: every test of the repository, with what they need running.

use anyhow::{Result, bail};

use crate::{
    dev, edge,
    postgres::{Commits, Postgres},
    process,
    setup::{self, NpmPackages},
};

/// `cargo xtask test [filter]`
pub(crate) fn command(filter: Option<&str>) -> Result<()> {
    let tools = setup::edge_tools()?;
    let node = tools.npm.node.program().to_owned();
    let chromium = setup::chromium()?;
    setup::strace()?;
    let programs = Postgres::programs()?;
    let python = setup::python()?;
    edge::build(|| Ok(tools))?;
    dev::build_control()?;
    let postgres = Postgres::start(Commits::Fast)?;

    let mut failed = Vec::new();
    process::progress("Testing shared, control, xtask, the oracle and the simulated KV");
    let mut unit = process::cargo();
    unit.args(["test", "--no-fail-fast", "-p", "shared", "-p", "oracle", "-p", "kv-sim"])
        .args(process::SAME_FEATURES)
        .args(filter);
    if process::run(unit.env("TEST_POSTGRES_URL", postgres.url())).is_err() {
        failed.push("unit tests");
    }
    process::progress("Testing end to end");
    // What embeds are signed with is an example, which no test builds by itself.
    let mut signer = process::cargo();
    signer.args(["build", "-p", "tests", "--example", "sign"]).args(process::SAME_FEATURES);
    process::run(&mut signer)?;
    let mut whole = process::cargo();
    whole
        .args(["test", "--no-fail-fast", "-p", "tests", "--test", "it"])
        .args(process::SAME_FEATURES)
        .args(filter)
        .env("TEST_POSTGRES_URL", postgres.url())
        .env("POSTGRES_BIN_DIR", programs)
        .env("XTASK_BIN", std::env::current_exe()?)
        .env("POSTERN_BIN", dev::control_program()?)
        .env("POSTERN_EDGE_BUILD", edge::output())
        .env("WORKERD_BIN", NpmPackages::workerd())
        .env("NODE_BIN", node)
        .env("WRANGLER_JS", NpmPackages::wrangler_script())
        .env("CHROMIUM_BIN", chromium)
        .env("PYTHON_BIN", python);
    if process::run(&mut whole).is_err() {
        failed.push("end-to-end tests");
    }
    drop(postgres);
    if process::interrupted() {
        bail!("interrupted");
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}
