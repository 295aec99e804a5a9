//! A private PostgreSQL server for one run of the tests, or of the measurements.

use std::{
    env, fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{self as std_process, Command},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::{sys::signal::Signal, unistd::User};

use crate::{http, process, repository::find_program, setup};

/// Where Debian keeps the server's programs, one folder per release.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";
/// Users that a server may run as when xtask is root, which PostgreSQL refuses to run as. Debian's
/// package makes the first; the second is everywhere.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// What a commit promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commits {
    /// Nothing: nothing in it outlives the run of the tests.
    Fast,
    /// That it outlives the machine, as PostgreSQL has it by itself: for measurements.
    Durable,
}

/// A server on a free port, with an empty cluster that is removed when this is dropped.
pub(crate) struct Postgres {
    url: String,
    // Dropped in this order: the server stops before its folder goes.
    _service: process::Service,
    _folder: Folder,
}

impl Postgres {
    /// The folder of `initdb` and `postgres`; installs them if they are missing.
    pub(crate) fn programs() -> Result<PathBuf> {
        if let Some(folder) = find_programs() {
            return Ok(folder);
        }
        setup::install_debian_packages(&["postgresql"], "the tests and measurements of storage")?;
        find_programs().context("PostgreSQL's initdb isn't on PATH")
    }

    /// Starts a server.
    pub(crate) fn start(commits: Commits) -> Result<Self> {
        process::progress("Starting PostgreSQL");
        let programs = Self::programs()?;
        let user = server_user()?;
        let folder = Folder::new(user.as_ref())?;
        let data = folder.0.join("data");

        // Byte order is what SQLite sorts by, so lists come in one order from both.
        let mut initdb = as_user(user.as_ref(), &programs.join("initdb"));
        process::run_quietly(
            initdb
                .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
                .arg("--pgdata")
                .arg(&data)
                .current_dir(&folder.0),
        )?;

        let port = http::free_port()?;
        let mut server = as_user(user.as_ref(), &programs.join("postgres"));
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]).current_dir(&folder.0);
        // Each test has a database and a pool of its own.
        let common = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=400"];
        let fast: &[&str] = match commits {
            Commits::Fast => &[
                "fsync=off",
                "synchronous_commit=off",
                "full_page_writes=off",
                // Each database that a test makes goes through the log, which may keep 1 GB by itself.
                "wal_level=minimal",
                "max_wal_senders=0",
                "min_wal_size=32MB",
                "max_wal_size=64MB",
            ],
            Commits::Durable => &[],
        };
        for setting in common.iter().chain(fast) {
            server.args(["-c", setting]);
        }
        let log = folder.0.join("server.log");
        // SIGINT is PostgreSQL's fast shutdown: sessions are ended, not waited for.
        let mut service =
            process::Service::start("PostgreSQL", &mut server, &log)?.stopped_by(Signal::SIGINT);
        service.wait_until(Duration::from_mins(1), || is_ready(&programs, port))?;
        Ok(Self {
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            _service: service,
            _folder: folder,
        })
    }

    /// The URL of its maintenance database.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

fn find_programs() -> Option<PathBuf> {
    if let Some(program) = find_program("initdb") {
        // May be a link to the folder where its siblings are.
        return program.canonicalize().ok()?.parent().map(Path::to_owned);
    }
    let releases = fs::read_dir(DEBIAN_FOLDER).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    releases.map(|release| release.join("bin")).filter(|folder| folder.join("initdb").is_file()).max()
}

fn is_ready(programs: &Path, port: u16) -> bool {
    let mut command = process::command(programs.join("pg_isready"));
    process::probe(command.args(["-h", "127.0.0.1", "-p", &port.to_string()])).is_some()
}

fn server_user() -> Result<Option<User>> {
    if !setup::is_root() {
        return Ok(None);
    }
    for name in USERS {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(user));
        }
    }
    bail!("PostgreSQL doesn't run as root: run the tests as another user")
}

fn as_user(user: Option<&User>, program: &Path) -> Command {
    let Some(user) = user else { return process::command(program) };
    let mut command = process::command("setpriv");
    command
        .args([format!("--reuid={}", user.uid), format!("--regid={}", user.gid)])
        .args(["--clear-groups", "--"])
        .arg(program);
    command
}

/// A folder of the server's user, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(user: Option<&User>) -> Result<Self> {
        let path = env::temp_dir().join(format!("postern-postgres-{}", std_process::id()));
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let folder = Self(path);
        if let Some(user) = user {
            chown(&folder.0, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed lies in the system's folder for such things.
        let _ = fs::remove_dir_all(&self.0);
    }
}
