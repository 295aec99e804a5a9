//! `postern`: the control plane's program.

use clap::Parser;
use control::StartError;
use control::cli::{Cli, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("postern: {error:#}");
            let setting = error.downcast_ref().is_some_and(|error| matches!(error, StartError::Setting(_)));
            // As clap does for flags that it refuses.
            if setting { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(run(cli))?)
}
