//! Child processes: commands that are waited for, and services that run until they are stopped.
//!
//! Every child leads a process group of its own, so that stopping it also stops what it started
//! (wrangler's workerd, cargo's rustc). A signal to xtask stops all groups, whichever step is under way.

mod service;

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

pub(crate) use self::service::Service;

/// How many lines of a log are shown when its process failed.
const TAIL_LINES: usize = 20;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// The commands being waited for, which a signal ends. Services are ended by their owner, in order.
static FOREGROUND: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// On SIGINT, SIGTERM or SIGHUP: ends the running commands and makes [`interrupted`] true.
pub(crate) fn stop_children_on_signals() -> Result<()> {
    ctrlc::set_handler(|| {
        INTERRUPTED.store(true, Ordering::SeqCst);
        for group in foreground().iter() {
            // A group that is gone already needs no signal.
            let _ = killpg(*group, Signal::SIGTERM);
        }
    })
    .context("cannot install the signal handler")
}

/// Whether the user asked xtask to stop.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

fn foreground() -> MutexGuard<'static, Vec<Pid>> {
    FOREGROUND.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says what is being done, among the output of the tools.
pub(crate) fn progress(message: impl AsRef<str>) {
    // Nobody to tell is no reason to stop.
    let _ = writeln!(io::stderr(), "\u{1b}[1;36m==>\u{1b}[0m {}", message.as_ref());
}

/// Says why a command failed: what was being done, then what went wrong.
pub(crate) fn explain(error: &anyhow::Error) {
    let text: Vec<String> = error.chain().map(|cause| cause.to_string().trim_end().to_owned()).collect();
    let _ = writeln!(io::stderr(), "\u{1b}[1;31merror:\u{1b}[0m {}", text.join("\n"));
}

/// A command that starts at the root of the repository, without what the outer `cargo` added to the
/// environment: another tool chain's cargo must not believe it runs inside this one.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(crate::repository::root()).stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&*name);
        }
    }
    command.env_remove("CARGO").env_remove("LD_LIBRARY_PATH");
    command
}

/// Packages that have the features of dependencies be the same in whatever command names them. Otherwise a command compiles again,
/// for minutes, what another one has compiled.
pub(crate) const SAME_FEATURES: [&str; 4] = ["-p", "control", "-p", "xtask"];

/// `cargo` of the native tool chain.
pub(crate) fn cargo() -> Command {
    command("cargo")
}

/// Puts folders in front of the command's `PATH`.
pub(crate) fn prepend_path<'a>(
    command: &mut Command,
    folders: impl IntoIterator<Item = &'a Path>,
) -> Result<()> {
    let before: Option<OsString> = command
        .get_envs()
        .find(|(name, _)| *name == "PATH")
        .and_then(|(_, value)| value.map(OsStr::to_owned))
        .or_else(|| env::var_os("PATH"));
    let rest = before.iter().flat_map(env::split_paths);
    let path = env::join_paths(folders.into_iter().map(Path::to_owned).chain(rest))
        .context("a tool's folder has a colon in its name")?;
    command.env("PATH", path);
    Ok(())
}

/// Runs a command to its end, its output being the user's to see.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = wait(command)?.status;
    succeeded(command, status)
}

/// Runs a command quietly; its output is shown only if it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// Runs a command and returns what it printed. What it says on stderr is shown if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = wait(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    succeeded(command, output.status)
        .with_context(|| format!("{}{}", tail(&text), tail(&String::from_utf8_lossy(&output.stderr))))?;
    Ok(text.into_owned())
}

/// What a command says on stdout, or nothing if it can't be run or fails.
pub(crate) fn probe(command: &mut Command) -> Option<String> {
    let output = wait(command.stdout(Stdio::piped()).stderr(Stdio::null())).ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn wait(command: &mut Command) -> Result<Output> {
    let name = name(command);
    let group;
    let child = {
        // Held over the start, so that a signal finds the child listed or not yet started.
        let mut running = foreground();
        if interrupted() {
            bail!("interrupted");
        }
        let child = command.process_group(0).spawn().with_context(|| format!("cannot start {name}"))?;
        group = group_of(&child)?;
        running.push(group);
        child
    };
    let output = child.wait_with_output();
    foreground().retain(|other| *other != group);
    output.with_context(|| format!("cannot wait for {name}"))
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if interrupted() {
        bail!("interrupted");
    }
    if !status.success() {
        bail!("{} failed ({status})", name(command));
    }
    Ok(())
}

/// The program and its first arguments: enough to know which call it was.
fn name(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args().take(3));
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn group_of(child: &Child) -> Result<Pid> {
    Ok(Pid::from_raw(i32::try_from(child.id()).context("the process id is out of range")?))
}

/// The last lines of a text.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default();
    last.iter().flat_map(|line| ["  ", line, "\n"]).collect()
}
