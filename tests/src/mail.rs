//! A mail server that keeps what it gets: `tests/smtp/sink.py`.

use anyhow::{Context, Result};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running mail server, and the folder of its messages; stops when it goes.
pub struct Mailbox {
    child: Child,
    folder: TempDir,
    url: String,
}

impl Mailbox {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When `PYTHON_BIN` is not set, or is no Python that has `aiosmtpd`.
    pub fn start() -> Result<Self> {
        let python =
            std::env::var_os("PYTHON_BIN").context("PYTHON_BIN is not set: run `cargo xtask test`")?;
        let folder = TempDir::with_prefix("postern-mail-")?;
        let mut child = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("smtp/sink.py"))
            .arg(folder.path())
            // It ends with this pipe, even if this process is killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start Python")?;
        let mut port = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut port)?;
        let port: u16 = port.trim().parse().context("the mail server did not start")?;
        Ok(Self { child, folder, url: format!("smtp://127.0.0.1:{port}") })
    }

    /// Where it takes mail.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it puts each message, as `{number}.json`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
