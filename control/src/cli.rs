//! The command line.

mod keys;
mod reconcile;
mod serve;
mod share;

use crate::clock::Clock;
use crate::config::{Config, ServeConfig};
use crate::limit::Budget;
use crate::service::Service;
use crate::store::Store;
use crate::{App, StartError, build, observe, openapi};
use clap::{Parser, Subcommand};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::num::NonZeroU32;
use std::sync::Arc;

/// Share links that resolve at the edge: the control plane.
#[derive(Debug, Parser)]
#[command(name = "postern", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    config: Config,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring the database up to date, and serve.
    Serve(ServeConfig),
    /// Bring the database up to date.
    Migrate,
    /// API keys.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Shares of dashboards.
    #[command(subcommand)]
    Share(share::Command),
    /// Compare Workers KV with the database, and repair what differs.
    Reconcile(reconcile::Command),
    /// Print an OpenAPI document of the API.
    Openapi {
        /// Which one
        #[arg(value_enum, default_value_t = openapi::Document::Dashboard)]
        document: openapi::Document,
    },
}

/// Runs a command to its end.
///
/// # Errors
/// Why it could not be done; [`StartError::Setting`] when the operator must change something first.
pub async fn run(cli: Cli) -> Result<(), StartError> {
    let Cli { command, config, json } = cli;
    let printer = Printer { json };
    match command {
        Command::Openapi { document } => print!("{}", document.text()),
        Command::Migrate => {
            connect(&config).await?;
            printer
                .print(&serde_json::json!({ "migrated": true }), || "The database is up to date.".to_owned());
        }
        Command::Serve(serve) => {
            observe::log(&config.log).map_err(StartError::Setting)?;
            serve::run(&config, &serve, &printer).await?;
        }
        Command::Keys(command) => keys::run(&*service(&config).await?, command, &printer).await?,
        Command::Reconcile(command) => {
            observe::log(&config.log).map_err(StartError::Setting)?;
            reconcile::run(&*service(&config).await?, command, &printer).await?;
        }
        Command::Share(command) => share::run(&*service(&config).await?, command, &printer).await?,
    }
    Ok(())
}

/// Opens the database and brings it up to date.
async fn connect(config: &Config) -> Result<Store, StartError> {
    let store = Store::connect(config.database_url.expose_secret()).await?;
    store.migrate().await?;
    Ok(store)
}

/// What a command that does not serve works with.
async fn service(config: &Config) -> Result<Arc<Service>, StartError> {
    let store = connect(config).await?;
    // Nobody calls this one.
    let budget = Budget { per_minute: NonZeroU32::MIN, burst: NonZeroU32::MIN };
    let App { service, .. } = build(config, budget, store, Clock::System)?;
    Ok(service)
}

/// Prints results: JSON for programs, text for people.
struct Printer {
    json: bool,
}

impl Printer {
    fn print(&self, json: &Value, text: impl FnOnce() -> String) {
        if self.json {
            println!("{json}");
        } else {
            println!("{}", text());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_fit_together() {
        Cli::command().debug_assert();
    }
}
