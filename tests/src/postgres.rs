//! A PostgreSQL server of a test's own, whose disk can fail: `strace` attaches to all of its processes and lets system calls
//! of theirs fail. Its commits are durable, unlike those of the server that all tests share: what it has acknowledged must
//! outlive what is done to it.

use crate::stack::free_port;
use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Users that a server may run as when the tests are root, which PostgreSQL refuses to run as.
const USERS: [&str; 2] = ["postgres", "nobody"];
/// Recovery after a crash is part of it.
const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(10);
const ATTACH_LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// A running server; it goes with its cluster.
pub struct Server {
    child: Mutex<Child>,
    /// Does its disk fail at present?
    failing: AtomicBool,
    port: String,
    user: Option<User>,
    programs: PathBuf,
    folder: TempDir,
}

impl Server {
    /// Makes a cluster and starts.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start() -> Result<Arc<Self>> {
        let programs = std::env::var_os("POSTGRES_BIN_DIR")
            .context("POSTGRES_BIN_DIR is not set: run `cargo xtask test`")?;
        let programs = PathBuf::from(programs);
        let folder = TempDir::with_prefix("postern-postgres-")?;
        let user = if geteuid().is_root() { server_user()? } else { None };
        if let Some(user) = &user {
            chown(folder.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        let output = as_user(user.as_ref(), &programs.join("initdb"))
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .arg("--pgdata")
            .arg(folder.path().join("data"))
            .current_dir(folder.path())
            .output()?;
        ensure!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let port = free_port()?;
        let child = Mutex::new(spawn(user.as_ref(), &programs, folder.path(), &port)?);
        let server = Self { child, failing: AtomicBool::new(false), port, user, programs, folder };
        server.wait_until_ready()?;
        Ok(Arc::new(server))
    }

    /// The URL of its one database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Starts it again if it has ended by itself, as whoever watches over services does; not while its disk fails, which
    /// is why it has.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn revive(&self) -> Result<()> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if self.failing.load(SeqCst) || child.try_wait()?.is_none() {
            return Ok(());
        }
        *child = spawn(self.user.as_ref(), &self.programs, self.folder.path(), &self.port)?;
        drop(child);
        self.wait_until_ready()
    }

    /// Lets a system call fail from now on, in each of its processes and those that they start: `fault` is what strace calls
    /// an injection.
    ///
    /// # Errors
    /// When strace cannot attach.
    pub fn fail(self: &Arc<Self>, call: &str, fault: &str) -> Result<Failing> {
        let said = self.folder.path().join("strace");
        let trace = self.folder.path().join("trace");
        let processes = self.processes()?;
        let strace = Command::new("strace")
            .args(["-f", "-e", &format!("trace={call}"), "-e", &format!("inject={call}:{fault}"), "-o"])
            .arg(&trace)
            .args(processes.iter().map(|id| format!("--attach={id}")))
            .stdin(Stdio::null())
            .stderr(File::create(&said)?)
            .spawn()
            .context("strace does not start: is it installed?")?;
        self.failing.store(true, SeqCst);
        let mut failing = Failing { server: Arc::clone(self), strace, trace };
        let begun = Instant::now();
        // A line for each: it is attached, or it has ended meanwhile.
        while fs::read_to_string(&said)?.matches("attach").count() < processes.len() {
            if failing.strace.try_wait()?.is_some() || begun.elapsed() > ATTACH_LIMIT {
                bail!(
                    "strace cannot attach: are you root, or is kernel.yama.ptrace_scope 0?\n{}",
                    fs::read_to_string(&said)?
                );
            }
            thread::sleep(PAUSE);
        }
        Ok(failing)
    }

    /// The first one, and those that it has started.
    fn processes(&self) -> Result<Vec<u32>> {
        let first = self.child.lock().unwrap_or_else(PoisonError::into_inner).id();
        let mut all = vec![first];
        for entry in fs::read_dir("/proc")? {
            let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            // Behind the name, which may hold anything: state, parent.
            let parent =
                stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
            if parent == Some(first) {
                all.push(id);
            }
        }
        Ok(all)
    }

    fn wait_until_ready(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let mut asked = Command::new(self.programs.join("pg_isready"));
            asked.args(["-q", "-h", "127.0.0.1", "-p", &self.port]).stdin(Stdio::null());
            if asked.status()?.success() {
                return Ok(());
            }
            let ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait()?.is_some();
            if ended || begun.elapsed() > START_LIMIT {
                bail!("PostgreSQL is not up:\n{}", self.log());
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Ok(id) = i32::try_from(child.id()) {
            // An error means that it is gone. Its own processes end when they notice that.
            let _ = kill(Pid::from_raw(id), Signal::SIGINT);
        }
        let begun = Instant::now();
        while matches!(child.try_wait(), Ok(None)) && begun.elapsed() < STOP_LIMIT {
            thread::sleep(PAUSE);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A server whose disk fails until this goes.
pub struct Failing {
    server: Arc<Server>,
    strace: Child,
    trace: PathBuf,
}

impl Failing {
    /// Lets the disk work again, and tells whether anything failed.
    ///
    /// # Errors
    /// When strace has written nothing.
    pub fn end(self) -> Result<bool> {
        let trace = self.trace.clone();
        drop(self);
        Ok(fs::read_to_string(trace)?.contains("(INJECTED)"))
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        // It lets go of all processes first. An error means that it is gone.
        let _ = i32::try_from(self.strace.id()).map(|id| kill(Pid::from_raw(id), Signal::SIGTERM));
        let _ = self.strace.wait();
        self.server.failing.store(false, SeqCst);
    }
}

fn server_user() -> Result<Option<User>> {
    for name in USERS {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(user));
        }
    }
    bail!("PostgreSQL does not run as root: run the tests as another user")
}

fn as_user(user: Option<&User>, program: &Path) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command
        .args([format!("--reuid={}", user.uid), format!("--regid={}", user.gid)])
        .args(["--clear-groups", "--"])
        .arg(program);
    command
}

fn spawn(user: Option<&User>, programs: &Path, folder: &Path, port: &str) -> Result<Child> {
    let log = File::options().create(true).append(true).open(folder.join("log"))?;
    let mut command = as_user(user, &programs.join("postgres"));
    command.arg("-D").arg(folder.join("data")).args(["-p", port]).current_dir(folder);
    for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=16MB"] {
        command.args(["-c", setting]);
    }
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("PostgreSQL does not start")
}
