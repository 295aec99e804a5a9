//! A control plane of a test's own, which can be killed and started again.

use crate::Client;
use crate::edges::ROOT_KEY;
use crate::stack::free_port;
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const START_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);

/// The program `postern serve` over a database of its own.
pub struct Control {
    child: Mutex<Option<Child>>,
    folder: Arc<TempDir>,
    port: String,
    edge_url: String,
    database_url: String,
    key: String,
}

impl Control {
    /// Makes the database and a key, and starts; `edge_url` is where it pushes to. `None` as the database is its own SQLite
    /// file.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(edge_url: &str, port: String, database_url: Option<String>) -> Result<Self> {
        let folder = TempDir::with_prefix("postern-control-")?;
        let file = folder.path().join("postern.db");
        let mut control = Self {
            child: Mutex::new(None),
            port,
            edge_url: edge_url.to_owned(),
            database_url: database_url.unwrap_or_else(|| format!("sqlite://{}", file.display())),
            folder: Arc::new(folder),
            key: String::new(),
        };
        control.run(&["migrate"])?;
        let scopes = ["shares:read", "shares:write", "content:read", "content:write", "organization:write"];
        let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
        let mut arguments = vec!["keys", "create", "--json", "--name", "test", "--organization", "acme"];
        arguments.extend(scopes);
        let made: Value = serde_json::from_slice(&control.run(&arguments)?)?;
        made["key"].as_str().context("a key")?.clone_into(&mut control.key);
        control.revive()?;
        Ok(control)
    }

    /// Its origin at a port.
    pub fn url(port: &str) -> String {
        format!("http://127.0.0.1:{port}")
    }

    /// Whoever holds its key.
    pub fn admin(&self) -> Client {
        Client::new(Self::url(&self.port)).with_key(&self.key)
    }

    /// A dashboard whose one filter, `rule`, is what its one widget shows: rows tell under which rule they were read.
    ///
    /// # Errors
    /// When no file can be written.
    ///
    /// # Panics
    /// When the control plane refuses.
    pub fn dashboard(&self) -> Result<String> {
        self.dashboard_named("rules")
    }

    /// As [`Self::dashboard`], under a slug.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub fn dashboard_named(&self, slug: &str) -> Result<String> {
        fs::create_dir_all(self.folder.path().join("data"))?;
        rusqlite::Connection::open(self.folder.path().join("data/rules.db"))?
            .execute("CREATE TABLE IF NOT EXISTS rules (rule)", [])?;
        let admin = self.admin();
        let source = json!({ "kind": "sqlite", "name": "Rules", "file": "rules.db" });
        let source = admin.post("/api/v1/data-sources", &source).expect(201).json()["id"].take();
        let dashboard = json!({
            "slug": slug, "title": "Rules", "data_source_id": source,
            "filters": [{ "slug": "rule", "label": "Rule", "kind": "number" }],
            "widgets": [{ "id": "rule", "title": "Rule", "kind": "table", "sql": "SELECT :rule AS rule" }],
        });
        let dashboard = admin.post("/api/v1/dashboards", &dashboard).expect(201).json();
        Ok(dashboard["id"].as_str().context("an id")?.to_owned())
    }

    /// The program with its environment.
    ///
    /// # Panics
    /// When `POSTERN_BIN` is not set.
    pub fn postern(&self) -> Command {
        let mut command = Command::new(std::env::var_os("POSTERN_BIN").expect("POSTERN_BIN is set"));
        command
            .env("DATABASE_URL", &self.database_url)
            .env("POSTERN_ROOT_KEY", ROOT_KEY)
            .env("POSTERN_EDGE_URL", &self.edge_url)
            .env("POSTERN_PUBLIC_URL", &self.edge_url)
            .env("POSTERN_SQLITE_DIR", self.folder.path().join("data"))
            .env("POSTERN_PRODUCT_DIR", self.folder.path().join("products"))
            .env("POSTERN_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("POSTERN_RATE_LIMIT_PER_MINUTE", "1000000")
            .env("POSTERN_RATE_LIMIT_BURST", "100000")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = self.postern().args(arguments).output()?;
        if !output.status.success() {
            bail!("postern {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(output.stdout)
    }

    /// Starts it, if it does not run.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn revive(&self) -> Result<()> {
        self.start_by(None)
    }

    /// The same under another program, which is given the command line of `postern serve` after its own `arguments`.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn revive_under(&self, program: &str, arguments: &[OsString]) -> Result<()> {
        self.start_by(Some((program, arguments)))
    }

    fn start_by(&self, under: Option<(&str, &[OsString])>) -> Result<()> {
        let serve = self.postern();
        let mut command = match under {
            None => self.postern(),
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(serve.get_program()).stdin(Stdio::null());
                for (name, value) in serve.get_envs() {
                    command.env(name, value.unwrap_or_default());
                }
                command
            }
        };
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"))?;
        let mut child = command
            .arg("serve")
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("postern does not start")?;
        let begun = Instant::now();
        let alive = Client::new(Self::url(&self.port));
        while alive.try_get("/livez").is_none_or(|reply| reply.status != 200) {
            if begun.elapsed() > START_LIMIT || child.try_wait()?.is_some() {
                bail!("postern is not up:\n{}", self.log());
            }
            thread::sleep(PAUSE);
        }
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        Ok(())
    }

    /// Ends it at once, as a crash does.
    pub fn crash(&self) {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = child {
            // An error means that it is gone.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Has it ended by itself?
    pub fn has_ended(&self) -> bool {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// Stops or continues its process: to others it hangs.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process()).expect("an id of a process");
        kill(Pid::from_raw(id), signal).expect("the signal is sent");
    }

    /// Its process.
    ///
    /// # Panics
    /// When it does not run.
    pub fn process(&self) -> u32 {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.as_ref().map(Child::id).expect("a running process")
    }

    /// Lets go of it whoever traces it, see [`Self::revive_under`]. Nothing when nobody does.
    pub fn untrace(&self) {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(id) = child.as_ref().map(Child::id) else { return };
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")?.trim().parse().ok());
        if let Some(tracer @ 1..) = tracer {
            // An error means that it is gone.
            let _ = kill(Pid::from_raw(tracer), Signal::SIGTERM);
        }
    }

    /// Another one on the same database, at a port of its own.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn beside(&self) -> Result<Self> {
        let other = Self {
            child: Mutex::new(None),
            folder: Arc::clone(&self.folder),
            port: free_port()?,
            edge_url: self.edge_url.clone(),
            database_url: self.database_url.clone(),
            key: self.key.clone(),
        };
        other.revive()?;
        Ok(other)
    }

    /// The last of what it logged.
    pub fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its folder: `postern.db` on SQLite, `data` with the data sources.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its database.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.crash();
    }
}
