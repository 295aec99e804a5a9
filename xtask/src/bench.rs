//! `cargo xtask bench`: what Postern costs beside what one would write by hand, side by side in one run.

use anyhow::Result;

use crate::{edge, process, repository::root, setup};

/// `cargo xtask bench`
pub(crate) fn command() -> Result<()> {
    edge::build(setup::edge_tools)?;
    process::progress("Measuring: some two minutes, best with nothing else running");
    // The package for this platform carries the program itself.
    let platform = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "64",
    };
    let package = format!("node_modules/@cloudflare/workerd-{}-{platform}/bin/workerd", os());
    process::run(
        process::cargo()
            // With the dependencies as tests have them: what is measured runs in other processes.
            .args(["test", "-q", "-p", "tests", "--bench", "bench"])
            .env("WORKERD_BIN", root().join(package))
            .env("POSTERN_EDGE_BUILD", edge::output()),
    )
}

const fn os() -> &'static str {
    if cfg!(target_os = "macos") { "darwin" } else { "linux" }
}
