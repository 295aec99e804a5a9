//! Debian packages.

use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::unistd::geteuid;

use super::install::twice;
use crate::{process, repository::find_program};

/// Whether xtask runs as root.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// Whether [`install`] has a chance.
pub(crate) fn available() -> bool {
    find_program("apt-get").is_some() && (is_root() || find_program("sudo").is_some())
}

/// Installs Debian packages; `purpose` completes "… is needed for".
pub(crate) fn install(packages: &[&str], purpose: &str) -> Result<()> {
    let list = packages.join(" ");
    if !available() {
        bail!("{list} is needed for {purpose}: install it and run this command again");
    }
    process::progress(format!("Installing Debian packages for {purpose}: {list}"));
    // The package lists of a fresh machine are missing or old, but are often good enough.
    if get(&[&["install", "-y", "--no-install-recommends"], packages].concat()).is_ok() {
        return Ok(());
    }
    twice(|| {
        get(&["update"])?;
        get(&[&["install", "-y", "--no-install-recommends"], packages].concat())
    })
    .with_context(|| format!("{purpose} needs the Debian packages {list}: install them by hand"))
}

fn get(arguments: &[&str]) -> Result<()> {
    let mut command = if is_root() { process::command("apt-get") } else { sudo()? };
    process::run_quietly(command.arg("-q").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// `sudo apt-get`, after the user has given the password, if one is needed. It is asked for by a process
/// of our own group: others may not read from the terminal.
fn sudo() -> Result<Command> {
    let status = Command::new("sudo").arg("--validate").status()?;
    if !status.success() {
        bail!("sudo doesn't let us install packages");
    }
    let mut command = process::command("sudo");
    command.args(["--non-interactive", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    Ok(command)
}
