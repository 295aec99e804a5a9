//! A whole installation, started and stopped the way a user does it: by `cargo xtask dev`.

use crate::mail::Mailbox;
use crate::{Client, signed};
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use shared::model::key::{KeyRing, Keys};
use shared::model::meter;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Control plane, wrangler and demo data; wrangler alone takes up to 15 s on a slow machine.
const START_LIMIT: Duration = Duration::from_mins(3);
/// Everything has stopped by then, or is killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Between two looks at something that is awaited.
const PAUSE: Duration = Duration::from_millis(50);

/// What the control plane keeps its rows in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// Its own file.
    Sqlite,
    /// The server of `TEST_POSTGRES_URL`, a database of its own.
    Postgres,
}

/// A running installation; stops when it goes.
pub struct Stack {
    child: Child,
    folder: TempDir,
    mail: Mailbox,
    described: Value,
    database: Database,
    database_url: String,
}

impl Stack {
    /// Starts one on free ports and waits until it is seeded.
    ///
    /// # Errors
    /// When it does not come up; the end of its log tells why.
    pub fn start(database: Database) -> Result<Self> {
        let folder = TempDir::with_prefix("postern-test-")?;
        let database_url = match database {
            Database::Sqlite => format!("sqlite://{}", folder.path().join("state/postern.db").display()),
            Database::Postgres => own_database()?,
        };
        let mail = Mailbox::start()?;
        let child = spawn(&folder, &database_url, &mail)?;
        let mut stack = Self { child, folder, mail, described: Value::Null, database, database_url };
        stack.described = stack.wait_for_description()?;
        Ok(stack)
    }

    /// Stops it, has `secrets` change the file of its keys, and starts it again with all that it kept.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn restart_with(&mut self, secrets: impl FnOnce(String) -> String) -> Result<()> {
        self.stop();
        let changed = secrets(self.log("secrets.env"));
        fs::write(self.state("secrets.env"), changed)?;
        let started = fs::metadata(self.state("dev.json"))?.modified()?;
        self.child = spawn(&self.folder, &self.database_url, &self.mail)?;
        let begun = Instant::now();
        // The description of the run before still lies there.
        while fs::metadata(self.state("dev.json"))?.modified()? == started {
            if begun.elapsed() > START_LIMIT || self.child.try_wait()?.is_some() {
                bail!("xtask dev did not come up again:\n{}", self.log("../dev.log"));
            }
            thread::sleep(PAUSE);
        }
        self.described = self.wait_for_description()?;
        Ok(())
    }

    fn stop(&mut self) {
        let Ok(id) = i32::try_from(self.child.id()) else { return };
        // An error means that it is gone, which is what is wanted.
        let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < STOP_LIMIT {
            thread::sleep(PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn wait_for_description(&mut self) -> Result<Value> {
        let begun = Instant::now();
        loop {
            if let Ok(text) = fs::read(self.state("dev.json")) {
                return serde_json::from_slice(&text).context("dev.json is no JSON");
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("xtask dev ended ({status}):\n{}", self.log("../dev.log"));
            }
            if begun.elapsed() > START_LIMIT {
                bail!("xtask dev is not up after {} s:\n{}", START_LIMIT.as_secs(), self.log("../dev.log"));
            }
            thread::sleep(PAUSE);
        }
    }

    /// A path below its state folder.
    pub fn state(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join("state").join(path)
    }

    /// A log of it, as far as it is written.
    pub fn log(&self, path: impl AsRef<Path>) -> String {
        fs::read(self.state(path)).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
    }

    /// A field of `dev.json`.
    ///
    /// # Panics
    /// When there is no such text.
    pub fn described(&self, field: &str) -> &str {
        self.described[field]
            .as_str()
            .unwrap_or_else(|| panic!("dev.json has no {field}: {}", self.described))
    }

    /// A process id of `dev.json`.
    ///
    /// # Panics
    /// When there is none.
    pub fn described_number(&self, field: &str) -> i32 {
        let number = self.described[field].as_i64().and_then(|number| i32::try_from(number).ok());
        number.unwrap_or_else(|| panic!("dev.json has no {field}: {}", self.described))
    }

    /// What it keeps its rows in.
    pub const fn database(&self) -> Database {
        self.database
    }

    /// What it has sent by mail.
    pub const fn mail(&self) -> &Mailbox {
        &self.mail
    }

    /// The mail server, to have it fail.
    pub const fn mail_mut(&mut self) -> &mut Mailbox {
        &mut self.mail
    }

    /// A stranger at the edge.
    pub fn edge(&self) -> Client {
        Client::new(self.described("edge_url"))
    }

    /// A stranger at the control plane.
    pub fn control(&self) -> Client {
        Client::new(self.described("control_url"))
    }

    /// The organization's administrator at the control plane.
    pub fn admin(&self) -> Client {
        self.control().with_key(self.described("api_key"))
    }

    /// The keys of this installation.
    ///
    /// # Panics
    /// When its root key cannot be read.
    pub fn keys(&self) -> Keys {
        KeyRing::parse(&self.root_key(), None).expect("a strong root key").current
    }

    /// The root key, as 64 hex digits.
    ///
    /// # Panics
    /// When there is none.
    pub fn root_key(&self) -> String {
        let secrets = self.log("secrets.env");
        let root = secrets.lines().find_map(|line| line.strip_prefix("POSTERN_ROOT_KEY="));
        root.expect("a root key").trim().to_owned()
    }

    /// The program `postern` in this installation's environment.
    ///
    /// # Panics
    /// When `POSTERN_BIN` is not set.
    pub fn postern(&self) -> Command {
        let mut command = Command::new(std::env::var_os("POSTERN_BIN").expect("POSTERN_BIN is set"));
        command
            .env("DATABASE_URL", &self.database_url)
            .env("POSTERN_ROOT_KEY", self.root_key())
            .env("POSTERN_EDGE_URL", self.described("edge_url"))
            .env("POSTERN_PUBLIC_URL", self.described("edge_url"))
            .env("POSTERN_SQLITE_DIR", self.state("data"))
            .env("POSTERN_PRODUCT_DIR", self.state("products"));
        command
    }

    /// What the edge's isolate has been asked to do so far.
    pub fn counters(&self) -> Value {
        let keys = self.keys();
        signed::send(&self.edge(), &keys.push, "GET", "/internal/counters", "", signed::now())
            .expect(200)
            .json()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts `xtask dev` on free ports.
fn spawn(folder: &TempDir, database_url: &str, mail: &Mailbox) -> Result<Child> {
    let program = std::env::var_os("XTASK_BIN").context("XTASK_BIN is not set: run `cargo xtask test`")?;
    let log = File::create(folder.path().join("dev.log"))?;
    let mut command = Command::new(program);
    command
        .args(["dev", "--control-port", &free_port()?, "--edge-port", &free_port()?])
        .arg("--state-dir")
        .arg(folder.path().join("state"))
        .args(["--database-url", database_url])
        .env("POSTERN_SMTP_URL", mail.url())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    command.spawn().context("cannot start xtask dev")
}

/// Waits until `found` gives something.
///
/// # Panics
/// When it has not after ten seconds.
pub fn eventually<T>(what: &str, found: impl FnMut() -> Option<T>) -> T {
    poll(Duration::from_secs(10), PAUSE, what, found)
}

/// As [`eventually`], for what takes longer: it is asked so seldom that no key runs into its limit.
///
/// # Panics
/// When it is not found in time.
pub fn within<T>(limit: Duration, what: &str, found: impl FnMut() -> Option<T>) -> T {
    poll(limit, Duration::from_millis(500), what, found)
}

fn poll<T>(limit: Duration, pause: Duration, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(begun.elapsed() < limit, "{what}: not within {} s", limit.as_secs());
        thread::sleep(pause);
    }
}

/// Waits for midnight in UTC where less than `needed` is left of the day: what is counted by the day is then counted on one.
pub fn within_a_day(needed: Duration) {
    let left = meter::until_tomorrow(signed::now());
    if left < needed {
        thread::sleep(left);
    }
}

/// A port that nobody listens on, and that nobody else is given: neither here, nor by a system that is asked for any port, which
/// takes one above these.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<String> {
    const PORTS: std::ops::Range<u16> = 10_240..32_768;
    static NEXT: LazyLock<AtomicUsize> = LazyLock::new(|| AtomicUsize::new(fastrand::usize(..PORTS.len())));
    let port = PORTS.clone().find_map(|_| {
        let port = PORTS.clone().nth(NEXT.fetch_add(1, Ordering::Relaxed) % PORTS.len())?;
        TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    });
    Ok(port.context("all ports are taken")?.to_string())
}

/// Makes an empty database on the tests' PostgreSQL server and gives its URL.
///
/// # Errors
/// When the server cannot be reached.
pub fn own_database() -> Result<String> {
    let server =
        std::env::var("TEST_POSTGRES_URL").context("TEST_POSTGRES_URL is not set: run `cargo xtask test`")?;
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    let name = format!("e2e_{}", hex::encode(random));
    let (origin, _) = server.rsplit_once('/').context("TEST_POSTGRES_URL names no database")?;
    let url = format!("{origin}/{name}");
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
        let mut connection = PgConnection::connect(&server).await?;
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
        connection.close().await
    })?;
    Ok(url)
}
