//! A location's configuration for `workerd`.

use super::{ROOT_KEY, built};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// JavaScript that stands in for the platform around the Worker.
const GATES_ELSEWHERE: &str = include_str!("gates_elsewhere.js");
const GATES_DOOR: &str = include_str!("gates_door.js");
const ANALYTICS: &str = include_str!("analytics.js");
const ANALYTICS_SINK: &str = include_str!("analytics_sink.js");

/// What a location is connected to.
pub(super) struct Wires<'a> {
    pub(super) port: &'a str,
    pub(super) metrics_port: &'a str,
    /// Where the first location lets the others in to its gates.
    pub(super) gates_port: &'a str,
    pub(super) owns_gates: bool,
    pub(super) kv_address: &'a str,
    pub(super) control_url: &'a str,
}

/// Makes a location's folder: modules and configuration, whose paths are relative to it.
pub(super) fn write(folder: &Path, wires: &Wires<'_>) -> Result<()> {
    fs::create_dir_all(folder.join("objects"))?;
    for file in ["index.js", "index_bg.wasm"] {
        let from = built(file)?;
        fs::copy(&from, folder.join(file)).with_context(|| from.display().to_string())?;
    }
    let scripts = [
        ("gates_elsewhere.js", GATES_ELSEWHERE),
        ("gates_door.js", GATES_DOOR),
        ("analytics.js", ANALYTICS),
        ("analytics_sink.js", ANALYTICS_SINK),
    ];
    for (name, script) in scripts {
        fs::write(folder.join(name), script)?;
    }
    fs::write(folder.join("config.capnp"), text(wires))?;
    Ok(())
}

fn text(wires: &Wires<'_>) -> String {
    let Wires { port, metrics_port, gates_port, owns_gates, kv_address, control_url } = wires;
    let (gates, services, sockets, objects) = if *owns_gates {
        (
            r#"(name = "GATES", durableObjectNamespace = "ShareGate")"#.to_owned(),
            r#"(name = "door", worker = .door), (name = "objects", disk = (path = "objects", writable = true)),"#
                .to_owned(),
            format!(r#"(name = "gates", address = "127.0.0.1:{gates_port}", http = (), service = "door"),"#),
            r#"durableObjectNamespaces = [ (className = "ShareGate", uniqueKey = "gates", enableSql = true) ],
  durableObjectStorage = (localDisk = "objects"),"#,
        )
    } else {
        (
            r#"(name = "GATES", wrapped = (moduleName = "test:gates", innerBindings = [ (name = "owner", service = "owner") ]))"#
                .to_owned(),
            format!(r#"(name = "owner", external = (address = "127.0.0.1:{gates_port}", http = ())),"#),
            String::new(),
            "",
        )
    };
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ {services}
    (name = "main", worker = .main),
    (name = "kv", external = (address = "{kv_address}", http = ())),
    (name = "sink", worker = .sink),
    (name = "network", network = (allow = ["private"])) ],
  sockets = [ {sockets}
    (name = "metrics", address = "127.0.0.1:{metrics_port}", http = (), service = "sink"),
    (name = "http", address = "127.0.0.1:{port}", http = (), service = "main") ],
  extensions = [ (modules = [
    (name = "test:gates", internal = true, esModule = embed "gates_elsewhere.js"),
    (name = "test:analytics", internal = true, esModule = embed "analytics.js") ]) ],
);
const main :Workerd.Worker = (
  modules = [ (name = "index.js", esModule = embed "index.js"), (name = "./index_bg.wasm", wasm = embed "index_bg.wasm") ],
  compatibilityDate = "2026-11-01",
  bindings = [ (name = "SHARES", kvNamespace = "kv"), {gates},
    (name = "METRICS", wrapped = (moduleName = "test:analytics", innerBindings = [ (name = "sink", service = "sink") ])),
    (name = "CONTROL_URL", text = "{control_url}"), (name = "POSTERN_ROOT_KEY", text = "{ROOT_KEY}") ],
  {objects}
  globalOutbound = "network",
);
const door :Workerd.Worker = (
  modules = [ (name = "door.js", esModule = embed "gates_door.js") ],
  compatibilityDate = "2026-11-01",
  bindings = [ (name = "GATES", durableObjectNamespace = (className = "ShareGate", serviceName = "main")) ],
);
const sink :Workerd.Worker = (
  modules = [ (name = "sink.js", esModule = embed "analytics_sink.js") ],
  compatibilityDate = "2026-11-01",
);
"#
    )
}
