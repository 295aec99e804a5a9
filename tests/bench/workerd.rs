//! One workerd process for each subject, on loopback and without a way out of it.

use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::process;
use tests::stack::free_port;

/// Where the subjects' JavaScript lies.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench");
/// The root key of everything that is measured here.
pub const ROOT_KEY: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";

/// What lies in the bucket.
const ARCHIVE: &str = "archive.pmtiles";

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// Postern's Worker as it is built, with its gates. What it asks the control plane is answered by a stub.
    Postern,
    /// The same, with the control plane at this origin on loopback.
    Installed(&'a str),
    /// An edge that confirms every push and does nothing else.
    Confirming,
    /// A Worker written by hand in JavaScript.
    Baseline,
    /// One written by hand that has the tokens of embeds checked by jose.
    Jose,
    /// What the library of protomaps makes of an archive.
    Protomaps,
    /// One that passes on bytes of an archive whose place it is told.
    Range,
    /// One that passes on whatever this address sends.
    Passing(&'a str),
    /// An answer without any work.
    Empty,
}

/// A running subject.
pub struct Workerd {
    child: Child,
    port: String,
    kv_port: String,
    _folder: TempDir,
}

impl Workerd {
    /// Starts it and waits until it listens; it is compiled at the first request.
    pub fn start(subject: Subject<'_>) -> Result<Self> {
        Self::start_in(subject, TempDir::with_prefix("postern-bench-")?)
    }

    /// The same with an archive in its bucket.
    pub fn start_with(subject: Subject<'_>, archive: &Path) -> Result<Self> {
        let folder = TempDir::with_prefix("postern-bench-")?;
        fs::copy(archive, folder.path().join(ARCHIVE))?;
        Self::start_in(subject, folder)
    }

    fn start_in(subject: Subject<'_>, folder: TempDir) -> Result<Self> {
        let (port, kv_port) = (free_port()?, free_port()?);
        fs::write(folder.path().join("config.capnp"), config(subject, (&port, &kv_port), folder.path())?)?;
        let program =
            std::env::var_os("WORKERD_BIN").context("WORKERD_BIN is not set: run `cargo xtask bench`")?;
        let child = Command::new(program)
            .args(["serve", "config.capnp"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .spawn()
            .context("workerd does not start")?;
        let mut workerd = Self { child, port, kv_port, _folder: folder };
        let begun = Instant::now();
        while TcpStream::connect(workerd.address()).is_err() {
            if begun.elapsed() > Duration::from_secs(10) || workerd.child.try_wait()?.is_some() {
                bail!("workerd does not listen");
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(workerd)
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where its KV is written.
    pub fn kv_address(&self) -> String {
        format!("127.0.0.1:{}", self.kv_port)
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Processor time so far, of all its threads.
    pub fn cpu(&self) -> Result<Duration> {
        process::cpu(self.child.id())
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        // An error means that it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies a subject's modules beside its configuration, since paths there are relative, and writes that.
fn config(subject: Subject<'_>, (port, kv_port): (&str, &str), folder: &Path) -> Result<String> {
    let copy = |from: PathBuf, name: &str| -> Result<()> {
        fs::copy(&from, folder.join(name)).with_context(|| from.display().to_string())?;
        Ok(())
    };
    let build =
        PathBuf::from(std::env::var_os("POSTERN_EDGE_BUILD").context("POSTERN_EDGE_BUILD is not set")?);
    for stub in ["kv.js", "control.js", "r2.js", "cache.js"] {
        copy(Path::new(SOURCES).join(stub), stub)?;
    }
    // Nothing lies in the bucket of most.
    File::options().append(true).create(true).open(folder.join(ARCHIVE))?;
    fs::create_dir(folder.join("objects"))?;
    let (control_url, control) = match subject {
        Subject::Installed(url) | Subject::Passing(url) => (url, r#"network = (allow = ["local"])"#),
        _ => ("http://control", "worker = .control"),
    };
    let (modules, gates) = if let Some(source) = script(subject)? {
        copy(source, "index.js")?;
        (r#"(name = "index.js", esModule = embed "index.js")"#, ("", ""))
    } else {
        copy(build.join("index.js"), "index.js")?;
        copy(build.join("index_bg.wasm"), "index_bg.wasm")?;
        let modules = r#"(name = "index.js", esModule = embed "index.js"), (name = "./index_bg.wasm", wasm = embed "index_bg.wasm")"#;
        let binding = r#"(name = "GATES", durableObjectNamespace = "ShareGate"),"#;
        let objects = r#"durableObjectNamespaces = [ (className = "ShareGate", uniqueKey = "gates", enableSql = true) ],
  durableObjectStorage = (localDisk = "objects"),"#;
        (modules, (binding, objects))
    };
    let (binding, objects) = gates;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "main", worker = .main), (name = "kv", worker = .kv), (name = "r2", worker = .r2),
    (name = "cache", worker = .cache), (name = "control", {control}), (name = "objects", disk = (path = "objects", writable = true)) ],
  sockets = [ (name = "http", address = "127.0.0.1:{port}", http = (), service = "main"),
    (name = "kv", address = "127.0.0.1:{kv_port}", http = (), service = "kv") ],
);
const main :Workerd.Worker = (
  modules = [ {modules} ],
  compatibilityDate = "2026-11-01",
  bindings = [ (name = "SHARES", kvNamespace = "kv"), (name = "TILES", r2Bucket = "r2"), {binding}
    (name = "CONTROL_URL", text = "{control_url}"), (name = "TILES_PER_SECOND", text = "1000000"), (name = "POSTERN_ROOT_KEY", text = "{ROOT_KEY}") ],
  {objects}
  globalOutbound = "control",
  cacheApiOutbound = "cache",
);
const kv :Workerd.Worker = ( modules = [ (name = "kv.js", esModule = embed "kv.js") ], compatibilityDate = "2026-11-01" );
const r2 :Workerd.Worker = (
  modules = [ (name = "r2.js", esModule = embed "r2.js"), (name = "{ARCHIVE}", data = embed "{ARCHIVE}") ],
  compatibilityDate = "2026-11-01",
);
const cache :Workerd.Worker = ( modules = [ (name = "cache.js", esModule = embed "cache.js") ], compatibilityDate = "2026-11-01" );
const control :Workerd.Worker = ( modules = [ (name = "control.js", esModule = embed "control.js") ], compatibilityDate = "2026-11-01" );
"#
    );
    Ok(text)
}

/// The one script of a subject; those of Postern are built.
fn script(subject: Subject<'_>) -> Result<Option<PathBuf>> {
    let written = |name: &str| Ok(Some(Path::new(SOURCES).join(name)));
    // One file, with the library in it.
    let bundled = |variable: &str| {
        let path = std::env::var_os(variable).with_context(|| format!("{variable} is not set"))?;
        Ok(Some(path.into()))
    };
    match subject {
        Subject::Postern | Subject::Installed(_) => Ok(None),
        Subject::Confirming => written("confirm.js"),
        Subject::Baseline => written("baseline.js"),
        Subject::Jose => bundled("BENCH_EMBED_JS"),
        Subject::Protomaps => bundled("BENCH_TILES_JS"),
        Subject::Range => written("range.js"),
        Subject::Passing(_) => written("pass.js"),
        Subject::Empty => written("empty.js"),
    }
}
