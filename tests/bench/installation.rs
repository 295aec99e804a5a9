//! A whole installation: `postern serve` on a database of its own, and the Worker, which reach one another.

use crate::database::Database;
use crate::load::{Connection, Request};
use crate::workerd::{Subject, Workerd};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tests::process;
use tests::stack::free_port;
use ureq::Agent;

/// More requests than are made here: what one key may ask is not what is measured.
const PLENTY: &str = "1000000000";
const SCOPES: [&str; 4] = ["shares:read", "shares:write", "content:read", "content:write"];

/// A running one, with a dashboard; stops when it goes.
pub struct Installation {
    control: Child,
    port: String,
    /// The Worker.
    pub edge: Workerd,
    /// What the control plane keeps its rows in.
    pub database: Database,
    key: String,
    /// Whose key it is.
    pub organization: String,
    /// The dashboard's id.
    pub dashboard: String,
}

/// A share that was made.
pub struct Made {
    /// Its id.
    pub id: String,
    /// Its token.
    pub token: String,
}

impl Installation {
    /// Starts one and makes its dashboard.
    pub fn start(database: Database) -> Result<Self> {
        let port = free_port()?;
        let edge = Workerd::start(Subject::Installed(&format!("http://127.0.0.1:{port}")))?;
        Self::with(database, port, edge)
    }

    /// The same with an edge that confirms everything at once and opens nothing.
    pub fn start_confirmed(database: Database) -> Result<Self> {
        Self::with(database, free_port()?, Workerd::start(Subject::Confirming)?)
    }

    fn with(database: Database, port: String, edge: Workerd) -> Result<Self> {
        let mut keys = vec!["keys", "create", "--json", "--organization", "acme", "--name", "bench"];
        keys.extend(SCOPES.iter().flat_map(|scope| ["--scope", *scope]));
        let made: Value = serde_json::from_slice(&database.output(&keys)?)?;
        let log_path = database.folder().join("control.log");
        let log = File::create(&log_path)?;
        let edge_url = format!("http://{}", edge.address());
        let control = database
            .postern()?
            .arg("serve")
            .env("POSTERN_LISTEN", format!("127.0.0.1:{port}"))
            .env("POSTERN_EDGE_URL", &edge_url)
            .env("POSTERN_PUBLIC_URL", &edge_url)
            .env("POSTERN_SQLITE_DIR", database.folder())
            .env("POSTERN_PRODUCT_DIR", database.folder().join("products"))
            .env("POSTERN_RATE_LIMIT_PER_MINUTE", PLENTY)
            .env("POSTERN_RATE_LIMIT_BURST", PLENTY)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("the control plane does not start")?;
        let mut installation = Self {
            control,
            port,
            edge,
            database,
            key: text(&made, "/key")?,
            organization: text(&made, "/organization/id")?,
            dashboard: String::new(),
        };
        let begun = Instant::now();
        while TcpStream::connect(installation.address()).is_err() {
            if begun.elapsed() > Duration::from_secs(30) || installation.control.try_wait()?.is_some() {
                bail!("the control plane does not listen: {}", fs::read_to_string(log_path)?);
            }
            thread::sleep(Duration::from_millis(20));
        }
        installation.make_dashboard()?;
        Ok(installation)
    }

    /// `host:port` of the control plane.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The control plane's process.
    pub fn process(&self) -> u32 {
        self.control.id()
    }

    /// The control plane's processor time so far.
    pub fn cpu(&self) -> Result<Duration> {
        process::cpu(self.control.id())
    }

    /// A request with the organization's key.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Request {
        let key = format!("authorization: Bearer {}\r\n", self.key);
        match body {
            Some(body) => Request::send(method, path, &key, body.to_string().as_bytes()),
            None if method == "GET" => Request::get(path, &key),
            None => Request::send(method, path, &key, b""),
        }
    }

    /// Sends a file with the organization's key, however long that takes.
    pub fn upload(&self, path: &str, content_type: &str, file: &Path) -> Result<()> {
        let agent: Agent = Agent::config_builder().proxy(None).build().into();
        let url = format!("http://{}{path}", self.address());
        let request = agent.put(url).header("authorization", format!("Bearer {}", self.key));
        let answer = request.content_type(content_type).send(File::open(file)?)?;
        match answer.status().as_u16() {
            200 => Ok(()),
            status => bail!("status {status} instead of 200 of an upload"),
        }
    }

    /// What makes a share.
    pub fn creation(&self, password: Option<&str>) -> Request {
        let mut body = json!({ "name": "Figures for the board", "share_type": "link" });
        if let (Some(password), Some(fields)) = (password, body.as_object_mut()) {
            fields.insert("password".to_owned(), password.into());
        }
        self.request("POST", &format!("/api/v1/dashboards/{}/shares", self.dashboard), Some(&body))
    }

    /// Makes a share, which the edge knows then.
    pub fn share(&self, connection: &mut Connection, password: Option<&str>) -> Result<Made> {
        let made = made(connection.call(&self.creation(password))?)?;
        Ok(Made { id: text(&made, "/id")?, token: text(&made, "/token")? })
    }

    /// Of six filters and eight widgets, as common ones are.
    fn make_dashboard(&mut self) -> Result<()> {
        let data = rusqlite::Connection::open(self.database.folder().join("figures.db"))?;
        data.execute_batch("CREATE TABLE figures (day TEXT, region TEXT, count INTEGER)")?;
        let mut connection = Connection::open(&self.address())?;
        let source = json!({ "name": "Figures", "kind": "sqlite", "file": "figures.db" });
        let source = made(connection.call(&self.request("POST", "/api/v1/data-sources", Some(&source)))?)?;
        let choices =
            ["north", "east", "south", "west"].map(|name| json!({ "label": name, "value": name })).to_vec();
        let filter = |at: usize| {
            json!({
                "slug": format!("filter_{at}"), "label": format!("Filter number {at}"), "kind": "select",
                "options": { "static": choices },
            })
        };
        let widget = |at: usize| {
            json!({
                "id": format!("panel_{at}"), "title": format!("Figures of the year, part {at}"), "kind": "bar",
                "sql": "SELECT day, count FROM figures WHERE 1 = 1 [[ AND region = :filter_0 ]]",
                "x": "day", "y": ["count"], "width": 6,
            })
        };
        let dashboard = json!({
            "slug": "figures", "title": "Figures of the year", "data_source_id": text(&source, "/id")?,
            "filters": (0..6).map(filter).collect::<Vec<_>>(),
            "widgets": (0..8).map(widget).collect::<Vec<_>>(),
        });
        let dashboard =
            made(connection.call(&self.request("POST", "/api/v1/dashboards", Some(&dashboard)))?)?;
        self.dashboard = text(&dashboard, "/id")?;
        Ok(())
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        // An error means that it is gone. Nothing of it is kept, so it need not end in good order.
        let _ = self.control.kill();
        let _ = self.control.wait();
    }
}

/// The body of a 201: what is pending at the edge is a failure here.
fn made((status, body): (u16, Vec<u8>)) -> Result<Value> {
    if status != 201 {
        bail!("status {status} instead of 201: {}", String::from_utf8_lossy(&body));
    }
    Ok(serde_json::from_slice(&body)?)
}

fn text(answer: &Value, pointer: &str) -> Result<String> {
    let value = answer.pointer(pointer).and_then(Value::as_str);
    value.map(str::to_owned).with_context(|| format!("no {pointer} in {answer}"))
}
