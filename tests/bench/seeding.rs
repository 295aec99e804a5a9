//! Filling an empty KV by `postern reconcile`: how long a million records take at half of Cloudflare's rate, and in how much
//! memory.

use crate::database::{Database, Kind};
use crate::installation::Installation;
use crate::populate;
use crate::table::Row;
use anyhow::{Context, Result, bail};
use kv_sim::{Clock, Core, Faults, Kv, Server, Settings};
use serde_json::Value;
use std::io::Read as _;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tests::process::peak_megabytes;

const SHARES: i64 = 1_000_000;
/// Between two looks at the memory.
const PAUSE: Duration = Duration::from_millis(100);

/// On SQLite, over the REST API of the simulated KV, which refuses nothing but a rate that is too high.
pub fn rows() -> Result<Vec<Row>> {
    let installation = Installation::start(Database::new(Kind::Sqlite)?)?;
    let mut raw = installation.database.open()?;
    populate::shares(&mut raw, (&installation.organization, &installation.dashboard), SHARES)?;
    let kv = Arc::new(Kv::new(Core::new(1, Faults::none(), 1), Clock::real(1.0)));
    let settings = Settings::default();
    let token = settings.token.clone();
    let server = Server::start(Arc::clone(&kv), settings)?;
    let begun = Instant::now();
    let mut seeding = installation
        .database
        .postern()?
        .args(["reconcile", "--json"])
        .env("POSTERN_KV_API_URL", server.rest_base())
        .env("POSTERN_KV_API_TOKEN", token)
        .env("POSTERN_KV_NAMESPACE", "bench")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("postern does not start")?;
    let mut peak = 0.0;
    let status = loop {
        peak = peak_megabytes(seeding.id()).unwrap_or(peak);
        if let Some(status) = seeding.try_wait()? {
            break status;
        }
        thread::sleep(PAUSE);
    };
    let took = begun.elapsed();
    let mut said = String::new();
    seeding.stdout.take().context("its output")?.read_to_string(&mut said)?;
    let told: Value = serde_json::from_str(&said).context(said.clone())?;
    let (written, calls) = (kv.keys().len(), told.get("calls").and_then(Value::as_f64).context("calls")?);
    if !status.success() || i64::try_from(written)? < SHARES {
        bail!("{written} of {SHARES} records were written: {said}");
    }
    let name = "an empty KV filled with 10^6 records";
    Ok(vec![
        Row::figure(format!("{name}: time, at half of the API's rate"), took.as_secs_f64(), "s", ""),
        Row::figure(format!("{name}: calls of the API"), calls, "", ""),
        Row::figure(format!("{name}: most memory"), peak, "MB", "bounded"),
    ])
}
