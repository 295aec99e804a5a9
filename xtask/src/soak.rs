//! `cargo xtask soak`: changes and faults by the ten thousand, beyond what a run of the tests has time for.

use anyhow::Result;
use clap::Args;

use crate::{
    dev, edge,
    postgres::Postgres,
    process,
    setup::{self, NpmPackages},
};

/// How much, and from where.
#[derive(Args)]
pub(crate) struct Options {
    /// Changes under load from three locations
    #[arg(long, default_value_t = 10_000)]
    changes: u64,
    /// Rounds in which something breaks
    #[arg(long, default_value_t = 10_000)]
    rounds: u64,
    /// Where to begin: a failure names its seed [default: a random one]
    #[arg(long)]
    seed: Option<u32>,
}

/// `cargo xtask soak`
pub(crate) fn command(options: &Options) -> Result<()> {
    setup::strace()?;
    let programs = Postgres::programs()?;
    let tools = setup::edge_tools()?;
    edge::build(|| Ok(tools))?;
    dev::build_control()?;
    let seed = match options.seed {
        Some(seed) => seed,
        None => getrandom::u32()?,
    };
    // Before anything can go wrong, so that whatever does can be begun again from the same seed.
    process::progress(format!(
        "{} changes and {} rounds from seed {seed}: hours",
        options.changes, options.rounds
    ));
    let mut soak = process::cargo();
    soak.args(["run", "-p", "tests", "--bin", "soak", "--"])
        .args([options.changes.to_string(), options.rounds.to_string(), seed.to_string()])
        .env("POSTGRES_BIN_DIR", programs)
        .env("POSTERN_BIN", dev::control_program()?)
        .env("POSTERN_EDGE_BUILD", edge::output())
        .env("WORKERD_BIN", NpmPackages::workerd());
    process::run(&mut soak)
}
