//! `cargo xtask dev`: the control plane and the Worker on this machine, with demo data.

mod mail;
mod state;

use std::{
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Args;

use self::state::State;
use crate::{
    demo::{
        self, Demo,
        atlas::{self, Atlas},
        map,
    },
    edge, http,
    process::{self, Service},
    repository,
    setup::{self, NpmPackages},
};

/// How long the services may take to start: wrangler takes up to 15 s on a slow machine.
const START_LIMIT: Duration = Duration::from_mins(2);

/// Where everything listens and what it keeps.
#[derive(Args)]
pub(crate) struct Options {
    /// The port of the control plane
    #[arg(long, default_value_t = 8788)]
    control_port: u16,
    /// The port of the Worker
    #[arg(long, default_value_t = 8787)]
    edge_port: u16,
    /// The folder that keeps databases, keys and logs [default: .postern in the repository]
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// Keep the control plane's rows in this database [default: a SQLite file in the state folder]
    #[arg(long)]
    database_url: Option<String>,
    /// Forget what an earlier run kept
    #[arg(long)]
    fresh: bool,
}

impl Options {
    fn control_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.control_port)
    }

    fn edge_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.edge_port)
    }
}

/// `cargo xtask dev`
pub(crate) fn command(options: &Options) -> Result<()> {
    http::require_free(options.control_port, "--control-port")?;
    http::require_free(options.edge_port, "--edge-port")?;
    let state = State::open(options.state_dir.as_deref(), options.fresh)?;

    let tools = setup::edge_tools()?;
    let wrangler = tools.npm.node.command(&NpmPackages::wrangler_script())?;
    let draw = tools.npm.node.command(&repository::root().join(atlas::SCRIPT))?;
    edge::build(|| Ok(tools))?;
    build_control()?;
    let atlas = Atlas::prepare(draw)?;
    let result = serve(options, &state, &atlas, wrangler);
    if process::interrupted() {
        process::progress("Stopped");
        return Ok(());
    }
    result
}

/// Compiles the binary `postern`, and what makes the demo data.
pub(crate) fn build_control() -> Result<()> {
    process::progress("Building the control plane");
    let made = ["--bin", "postern", "--example", "demo_data", "--example", "demo_archive"];
    process::run(process::cargo().arg("build").args(process::SAME_FEATURES).args(made))
}

/// The binary `postern`.
pub(crate) fn control_program() -> Result<PathBuf> {
    program("postern")
}

/// A program that cargo puts beside this one.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().context("the path of xtask itself is unknown")?;
    Ok(this.with_file_name(name))
}

/// Runs until a service fails or the user interrupts. Services stop when they go out of scope.
fn serve(options: &Options, state: &State, atlas: &Atlas, wrangler: Command) -> Result<()> {
    process::progress("Starting the control plane");
    let mut mails = mail::Mails::new(state.mail())?;
    process::run_quietly(control(options, state)?.arg("migrate"))?;
    let mut control_service =
        Service::start("the control plane", control(options, state)?.arg("serve"), &state.log("control"))?;
    let alive = format!("{}/livez", options.control_url());
    control_service.wait_until(START_LIMIT, || http::is_ok(&alive))?;

    process::progress("Starting the Worker under wrangler dev");
    let mut wrangler = worker(options, state, wrangler)?;
    let mut edge_service = Service::start("wrangler", &mut wrangler, &state.log("edge"))?;
    let healthy = format!("{}/healthz", options.edge_url());
    edge_service.wait_until(START_LIMIT, || http::is_ok(&healthy))?;

    let demo = match state.demo()? {
        Some(demo) => demo,
        None => demo::seed(&options.control_url(), &state.data(), atlas, || control(options, state))?,
    };
    let services = state::Services {
        control_url: options.control_url(),
        control_pid: control_service.id(),
        edge_url: options.edge_url(),
        edge_pid: edge_service.id(),
    };
    state.write(&services, &demo)?;
    print_urls(&services, &demo, state);
    loop {
        if process::interrupted() {
            return Ok(());
        }
        control_service.check()?;
        edge_service.check()?;
        mails.show_new()?;
        thread::sleep(Duration::from_millis(200));
    }
}

/// The program `postern` with the environment of this run.
fn control(options: &Options, state: &State) -> Result<Command> {
    let database = match &options.database_url {
        Some(url) => url.clone(),
        None => format!("sqlite://{}", utf8(&state.database())?),
    };
    let mut command = process::command(control_program()?);
    command
        .env("POSTERN_LISTEN", format!("127.0.0.1:{}", options.control_port))
        .env("DATABASE_URL", database)
        .env("POSTERN_ROOT_KEY", state.root_key())
        .env("POSTERN_EDGE_URL", options.edge_url())
        .env("POSTERN_PUBLIC_URL", options.edge_url())
        .env("POSTERN_SQLITE_DIR", state.data())
        .env("POSTERN_PRODUCT_DIR", state.products());
    // A mail server of the user's own counts before the folder.
    if std::env::var_os("POSTERN_SMTP_URL").is_none() {
        command.env("POSTERN_MAIL_DIR", state.mail());
    }
    if let Some(key) = state.previous_root_key() {
        command.env("POSTERN_ROOT_KEY_PREVIOUS", key);
    }
    Ok(command)
}

/// `wrangler dev`. The root key goes through a file: arguments are there for every process to read.
fn worker(options: &Options, state: &State, mut wrangler: Command) -> Result<Command> {
    wrangler
        .args(["dev", "--ip", "127.0.0.1", "--port", &options.edge_port.to_string()])
        // The debugger's default port may be another project's.
        .args(["--inspector-port", &http::free_port()?.to_string()])
        .args(["--var", &format!("CONTROL_URL:{}", options.control_url())])
        .arg("--persist-to")
        .arg(state.edge())
        .arg("--env-file")
        .arg(state.secrets())
        .env("CI", "1")
        // It would ask a server for sample values of `request.cf`, which nothing here reads.
        .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
        .env("NO_COLOR", "1")
        .env("WRANGLER_SEND_METRICS", "false");
    Ok(wrangler)
}

fn utf8(path: &Path) -> Result<&str> {
    match path.to_str() {
        Some(text) => Ok(text),
        None => bail!("{} isn't UTF-8: choose another --state-dir", path.display()),
    }
}

#[expect(clippy::print_stdout, reason = "the URLs are the result of the command")]
fn print_urls(services: &state::Services, demo: &Demo, state: &State) {
    println!();
    println!("  Share link      {}", demo.share_url(&services.edge_url));
    println!("  Data product    {}", demo.product_url(&services.edge_url));
    println!("  Map             {}", demo.item_url(&services.edge_url));
    println!("  All maps        {}", demo.collection_url(&services.edge_url));
    println!("                  their password is {:?}", map::PASSWORD);
    println!("  Portal          {}", demo.portal_url(&services.edge_url));
    println!("                  sign in as {}: its code is shown here", demo.member);
    println!("  Control plane   {}", services.control_url);
    println!("  Embed wizard    {}/wizard/", services.control_url);
    println!("  API key         {}", demo.api_key);
    println!("  Logs            {}", state.logs().display());
    println!("  All of this     {}", state.description().display());
    println!();
    println!("  Ctrl-C stops everything.");
}
