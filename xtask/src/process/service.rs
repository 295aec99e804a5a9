//! Services: processes that run beside xtask until they are stopped.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::{group_of, interrupted, tail};

/// How long a service may take to stop before it is killed: PostgreSQL's and the control plane's
/// shutdown take well under a second, wrangler's about two.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running process, stopped when dropped. Its output goes to a log file.
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    group: Pid,
    log: PathBuf,
    stop_signal: Signal,
}

impl Service {
    /// Starts the command, with a fresh log file.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        if interrupted() {
            bail!("interrupted");
        }
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let group = group_of(&child)?;
        Ok(Self { name, child, group, log: log.to_owned(), stop_signal: Signal::SIGTERM })
    }

    /// Stops by another signal than SIGTERM.
    pub(crate) fn stopped_by(mut self, signal: Signal) -> Self {
        self.stop_signal = signal;
        self
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// # Errors
    /// When the process has ended, with the end of its log.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} stopped by itself ({status})\n{}", self.name, self.log_tail()),
        }
    }

    /// Waits until `ready` says yes.
    ///
    /// # Errors
    /// When the process ends, the user interrupts, or `limit` is over.
    pub(crate) fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let start = Instant::now();
        loop {
            self.check()?;
            if interrupted() {
                bail!("interrupted");
            }
            if ready() {
                return Ok(());
            }
            if start.elapsed() > limit {
                bail!("{} isn't ready after {} s\n{}", self.name, limit.as_secs(), self.log_tail());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        format!("the end of {}:\n{}", self.log.display(), tail(&text))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Errors here mean that the group is gone, which is what is wanted.
        let _ = killpg(self.group, self.stop_signal);
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < STOP_LIMIT {
            thread::sleep(Duration::from_millis(50));
        }
        // The leader may leave others behind, and a leader over the limit is not asked again.
        let _ = killpg(self.group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
