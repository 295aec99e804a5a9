//! A mail server that keeps what it gets: `tests/smtp/sink.py`.

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running mail server, and the folder of its messages; stops when it goes.
pub struct Mailbox {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Mailbox {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When `PYTHON_BIN` is not set, or is no Python that has `aiosmtpd`.
    pub fn start() -> Result<Self> {
        let folder = TempDir::with_prefix("postern-mail-")?;
        let (child, port) = Self::spawn(folder.path(), 0)?;
        Ok(Self { child, folder, port })
    }

    fn spawn(folder: &Path, port: u16) -> Result<(Child, u16)> {
        let python =
            std::env::var_os("PYTHON_BIN").context("PYTHON_BIN is not set: run `cargo xtask test`")?;
        let mut child = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("smtp/sink.py"))
            .arg(folder)
            .arg(port.to_string())
            // It ends with this pipe, even if this process is killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start Python")?;
        let mut port = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut port)?;
        Ok((child, port.trim().parse().context("the mail server did not start")?))
    }

    /// Takes no mail any more, until [`Self::revive`].
    pub fn stop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }

    /// Takes mail again, at the same port.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn revive(&mut self) -> Result<()> {
        (self.child, _) = Self::spawn(self.folder.path(), self.port)?;
        Ok(())
    }

    /// Lets it hang, or go on: connections are taken, and nothing is said.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.child.id())?), signal)?)
    }

    /// All that arrived so far, in order.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn mails(&self) -> Result<Vec<Value>> {
        let mut mails = Vec::new();
        for entry in fs::read_dir(self.folder())? {
            let path = entry?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
            if let Some(number) =
                number.filter(|_| path.extension().is_some_and(|extension| extension == "json"))
            {
                mails.push((number, serde_json::from_slice(&fs::read(path)?)?));
            }
        }
        mails.sort_by_key(|(number, _)| *number);
        Ok(mails.into_iter().map(|(_, mail)| mail).collect())
    }

    /// Where it takes mail.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Where it puts each message, as `{number}.json`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        // It may hang.
        let _ = self.signal(Signal::SIGCONT);
        self.stop();
    }
}
