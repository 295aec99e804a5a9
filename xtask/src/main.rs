//! `cargo xtask <command>`: everything one does with this repository, from a fresh machine on.
//!
//! This crate is compiled before anything else is set up, so its dependencies stay few and light.
//! Start reading at [`setup`], which finds or installs the tools that all other commands use.

mod bench;
mod demo;
mod dev;
mod edge;
mod fuzz;
mod http;
mod lint;
mod lock;
mod openapi;
mod postgres;
mod process;
mod repository;
mod secrets;
mod setup;
mod soak;
mod stamp;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sets up, builds, runs and tests Postern.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing: wasm target, worker-build, wrangler with its Node, demo data
    Setup {
        /// Also what only the tests and lints need: PostgreSQL, Chromium, Python, cargo-deny
        #[arg(long)]
        all: bool,
    },
    /// Build the Worker and the page's assets into edge/build
    Edge,
    /// Start the control plane and the Worker on this machine, with demo data
    Dev(dev::Options),
    /// Run all tests, on both databases, under wrangler dev and in a browser
    Test {
        /// Only tests whose name contains this
        filter: Option<String>,
    },
    /// Measure what requests, revocations, creates and lists cost, beside something written by hand
    Bench {
        /// Only parts whose name contains this: size, start, requests, embeds, guesses, revokes, creates, lists
        filter: Option<String>,
    },
    /// Compare the policy function and the reader of embed tokens with the documented rules, on random shares, requests and tokens
    Fuzz(fuzz::Options),
    /// Make changes under load and break things by the ten thousand, and look for stale, lost and revived links
    Soak(soak::Options),
    /// Check formatting, lints for native and wasm, licences, types and the committed OpenAPI
    Lint,
    /// What continuous integration runs: lint, then test
    Ci,
    /// Write the OpenAPI documents that the code generates
    Openapi {
        /// Only fail when the committed documents differ
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::explain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    process::stop_children_on_signals()?;
    match cli.command {
        Command::Setup { all } => setup::command(all),
        Command::Edge => edge::command(),
        Command::Dev(options) => dev::command(&options),
        Command::Test { filter } => test::command(filter.as_deref()),
        Command::Bench { filter } => bench::command(filter.as_deref()),
        Command::Fuzz(options) => fuzz::command(&options),
        Command::Soak(options) => soak::command(&options),
        Command::Lint => lint::command(),
        Command::Ci => lint::command().and_then(|()| test::command(None)),
        Command::Openapi { check } => openapi::command(check),
    }
}
