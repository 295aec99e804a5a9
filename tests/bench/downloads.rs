//! A data product of 1 GiB on its way to a visitor, beside the same bytes from a plain file.

use crate::database::{Database, Kind};
use crate::installation::Installation;
use crate::load::{Connection, Request, path};
use crate::plain::Plain;
use crate::table::Row;
use crate::workerd::{Subject, Workerd};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::process::{forget_peak, peak_megabytes};
use tests::rows;

const ROUNDS: usize = 5;
/// Mebibytes of CSV, when this variable names no other number.
const MEBIBYTES: usize = 1_024;
const SIZE_VARIABLE: &str = "BENCH_PRODUCT_MIB";
/// Of those, parts that are compared at once.
const PART: usize = 64 * 1024;

/// One download.
#[derive(Debug, Clone, Copy, Default)]
struct Download {
    first_byte: Duration,
    /// Millions of bytes in a second.
    rate: f64,
}

/// What downloads cost.
pub fn rows() -> Result<Vec<Row>> {
    let mebibytes = match std::env::var(SIZE_VARIABLE) {
        Ok(number) => number.parse().context(SIZE_VARIABLE)?,
        Err(_) => MEBIBYTES,
    };
    let installation = Installation::start(Database::new(Kind::Sqlite)?)?;
    let file = installation.database.folder().join("table.csv");
    let count = rows::write(&file, mebibytes << 20)?;
    println!("{count} rows, {} bytes of CSV", file.metadata()?.len());
    let processes = [installation.process(), installation.edge.process()];

    let begun = Instant::now();
    let link = product(&installation, &file)?;
    let mut rows = vec![
        Row::figure(format!("data product of {mebibytes} MiB, sent as CSV"), seconds(begun), "s", ""),
        Row::figure("the same: most memory of the control plane", peak(processes[0])?, "MB", "bounded"),
    ];
    check(&installation, &link, &file)?;

    let plain = Plain::start(&file)?;
    let passing = Workerd::start(Subject::Passing(&format!("http://{}", plain.address())))?;
    let csv = (installation.edge.address(), as_format(&link, "csv"));
    let any = Request::get("/", "");
    let ways = [csv, (passing.address(), any.clone()), (plain.address().to_owned(), any)];
    for process in processes {
        forget_peak(process)?;
    }
    let mut downloads = Vec::new();
    for round in 0..ROUNDS {
        let mut taken = [Download::default(); 3];
        for at in (0..ways.len()).map(|at| (at + round) % ways.len()) {
            if let (Some((address, request)), Some(taken)) = (ways.get(at), taken.get_mut(at)) {
                *taken = download(address, request)?;
            }
        }
        downloads.push(taken);
    }
    let through = "a plain file through a Worker";
    let first: Vec<_> = downloads.iter().map(|[own, other, _]| (own.first_byte, other.first_byte)).collect();
    rows.push(Row::ratio("download as CSV: first byte", through, &first, ""));
    let beside = |name, other: fn(&[Download; 3]) -> Download| {
        let rates: Vec<_> = downloads.iter().map(|all| (all[0].rate, other(all).rate)).collect();
        Row::figures("download as CSV", name, "MB/s", &rates, "")
    };
    rows.extend([beside(through, |all| all[1]), beside("the file alone, no Worker", |all| all[2])]);
    for (process, name) in processes.into_iter().zip(["the control plane", "workerd"]) {
        let what = format!("download as CSV: most memory of {name}");
        rows.push(Row::figure(what, peak(process)?, "MB", "bounded"));
    }
    for (format, name) in [("jsonl", "JSON lines"), ("parquet", "Parquet")] {
        forget_peak(processes[0])?;
        let begun = Instant::now();
        let taken = download(&installation.edge.address(), &as_format(&link, format))?;
        let what = |what| format!("download as {name}: {what}");
        rows.extend([
            Row::figure(what("in all"), seconds(begun), "s", ""),
            Row::figure(what("first byte"), taken.first_byte.as_secs_f64() * 1e6, "us", ""),
            Row::figure(what("most memory of the control plane"), peak(processes[0])?, "MB", "bounded"),
        ]);
    }
    Ok(rows)
}

/// Makes a data product of a file and gives the token of its link.
fn product(installation: &Installation, file: &Path) -> Result<String> {
    let mut connection = Connection::open(&installation.address())?;
    let mut made = |path: &str, body: Value, pointer: &str| -> Result<String> {
        let (status, answer) = connection.call(&installation.request("POST", path, Some(&body)))?;
        let text = String::from_utf8_lossy(&answer);
        let read: Value = serde_json::from_str(&text).with_context(|| format!("{status} {text}"))?;
        let found = read.pointer(pointer).and_then(Value::as_str);
        found.map(str::to_owned).with_context(|| format!("status {status}, no {pointer}: {text}"))
    };
    let id = made("/api/v1/data-products", json!({ "name": "Prices" }), "/id")?;
    installation.upload(&format!("/api/v1/data-products/{id}/file"), "text/csv", file)?;
    made(&format!("/v1/data-products/{id}/share"), json!({}), "/share/token")
}

fn as_format(link: &str, format: &str) -> Request {
    Request::get(&path(link, &format!("data/download?format={format}")), "")
}

/// What comes out must be what went in, or its time says nothing.
fn check(installation: &Installation, link: &str, file: &Path) -> Result<()> {
    let (mut file, mut expected) = (File::open(file)?, vec![0; PART]);
    let mut connection = Connection::open(&installation.edge.address())?;
    let (status, _) = connection.receive(&as_format(link, "csv"), |came| {
        for part in came.chunks(PART) {
            let expected = expected.get_mut(..part.len()).context("a part")?;
            file.read_exact(expected).context("there is more than was sent")?;
            if part != expected {
                bail!("the table is another");
            }
        }
        Ok(())
    })?;
    if status != 200 || file.read(&mut expected)? > 0 {
        bail!("status {status}, and not the whole table");
    }
    Ok(())
}

fn download(address: &str, request: &Request) -> Result<Download> {
    let mut connection = Connection::open(address)?;
    let (begun, mut bytes) = (Instant::now(), 0_usize);
    let (status, first_byte) = connection.receive(request, |part| {
        bytes += part.len();
        Ok(())
    })?;
    if status != 200 {
        bail!("status {status} of a download");
    }
    #[expect(clippy::cast_precision_loss, reason = "a size far below 2^53")]
    let megabytes = bytes as f64 / 1e6;
    Ok(Download { first_byte, rate: megabytes / seconds(begun) })
}

fn peak(process: u32) -> Result<f64> {
    peak_megabytes(process).context("a process is gone")
}

fn seconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64()
}
