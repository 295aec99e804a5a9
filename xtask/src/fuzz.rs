//! `cargo xtask fuzz`: what the tests compare with the documented rules, from new seeds on.

use anyhow::Result;
use clap::Args;

use crate::process;

/// How long, and from where.
#[derive(Args)]
pub(crate) struct Options {
    /// How long to go on
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where to begin: a failure names its seed [default: a random one]
    #[arg(long)]
    seed: Option<u64>,
}

/// `cargo xtask fuzz`
pub(crate) fn command(options: &Options) -> Result<()> {
    let seed = match options.seed {
        Some(seed) => seed,
        None => getrandom::u64()?,
    };
    process::progress(
        "Comparing the policy function and the reader of embed tokens with the documented rules",
    );
    let mut fuzz = process::cargo();
    fuzz.args(["run", "--release", "-p", "oracle", "--bin", "fuzz", "--"]);
    process::run(fuzz.args([options.seconds.to_string(), seed.to_string()]))
}
