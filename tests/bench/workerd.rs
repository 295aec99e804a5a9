//! One workerd process for each subject, on loopback and without a way out of it.

use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::stack::free_port;

/// Where the subjects' JavaScript lies.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench");
/// The root key of everything that is measured here.
pub const ROOT_KEY: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";

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
        let folder = TempDir::with_prefix("postern-bench-")?;
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

    /// Processor time so far, of all its threads.
    pub fn cpu(&self) -> Result<Duration> {
        cpu_of(self.child.id())
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        // An error means that it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of a process so far, of all its threads.
pub fn cpu_of(process: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name may hold anything but ends with the last parenthesis; user and system time are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit_once(')').context("a stat line")?.1.split_whitespace().collect();
    let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// Copies a subject's modules beside its configuration, since paths there are relative, and writes that.
fn config(subject: Subject<'_>, (port, kv_port): (&str, &str), folder: &Path) -> Result<String> {
    let copy = |from: PathBuf, name: &str| -> Result<()> {
        fs::copy(&from, folder.join(name)).with_context(|| from.display().to_string())?;
        Ok(())
    };
    let build =
        PathBuf::from(std::env::var_os("POSTERN_EDGE_BUILD").context("POSTERN_EDGE_BUILD is not set")?);
    for stub in ["kv.js", "control.js"] {
        copy(Path::new(SOURCES).join(stub), stub)?;
    }
    fs::create_dir(folder.join("objects"))?;
    let control_url = if let Subject::Installed(url) = subject { url } else { "http://control" };
    let bindings = format!(
        r#"(name = "GATES", durableObjectNamespace = "ShareGate"), (name = "CONTROL_URL", text = "{control_url}"),"#
    );
    let (modules, extra) = match subject {
        Subject::Postern | Subject::Installed(_) => {
            copy(build.join("index.js"), "index.js")?;
            copy(build.join("index_bg.wasm"), "index_bg.wasm")?;
            (
                r#"(name = "index.js", esModule = embed "index.js"), (name = "./index_bg.wasm", wasm = embed "index_bg.wasm")"#,
                bindings.as_str(),
            )
        }
        Subject::Confirming | Subject::Baseline | Subject::Jose | Subject::Empty => {
            let source = match subject {
                Subject::Confirming => Path::new(SOURCES).join("confirm.js"),
                Subject::Baseline => Path::new(SOURCES).join("baseline.js"),
                // One file, with jose in it.
                Subject::Jose => {
                    std::env::var_os("BENCH_EMBED_JS").context("BENCH_EMBED_JS is not set")?.into()
                }
                _ => Path::new(SOURCES).join("empty.js"),
            };
            copy(source, "index.js")?;
            (r#"(name = "index.js", esModule = embed "index.js")"#, "")
        }
    };
    let objects = if matches!(subject, Subject::Postern | Subject::Installed(_)) {
        r#"durableObjectNamespaces = [ (className = "ShareGate", uniqueKey = "gates", enableSql = true) ],
  durableObjectStorage = (localDisk = "objects"),"#
    } else {
        ""
    };
    let control = if matches!(subject, Subject::Installed(_)) {
        r#"network = (allow = ["local"])"#
    } else {
        "worker = .control"
    };
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "main", worker = .main), (name = "kv", worker = .kv), (name = "control", {control}),
    (name = "objects", disk = (path = "objects", writable = true)) ],
  sockets = [ (name = "http", address = "127.0.0.1:{port}", http = (), service = "main"),
    (name = "kv", address = "127.0.0.1:{kv_port}", http = (), service = "kv") ],
);
const main :Workerd.Worker = (
  modules = [ {modules} ],
  compatibilityDate = "2026-11-01",
  bindings = [ (name = "SHARES", kvNamespace = "kv"), {extra} (name = "POSTERN_ROOT_KEY", text = "{ROOT_KEY}") ],
  {objects}
  globalOutbound = "control",
);
const kv :Workerd.Worker = ( modules = [ (name = "kv.js", esModule = embed "kv.js") ], compatibilityDate = "2026-11-01" );
const control :Workerd.Worker = ( modules = [ (name = "control.js", esModule = embed "control.js") ], compatibilityDate = "2026-11-01" );
"#
    );
    Ok(text)
}
