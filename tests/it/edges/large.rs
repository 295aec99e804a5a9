//! A table that is larger than the memory that it may take on its way in and out.

use super::World;
use serde_json::json;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use tests::edges::Weather;
use tests::process::{forget_peak, peak_megabytes};
use tests::rows;
use ureq::Agent;

/// Of CSV: 168 MB. The disk has to have it some four times.
const SIZE: usize = 160 << 20;
/// Most that a process may have at once beyond what it had before: less than the table, in whatever form.
const MOST_MEGABYTES: f64 = 128.0;

pub fn a_large_table_takes_bounded_memory() {
    let world = World::start_at(1, Weather::TIME_OUT);
    let table = world.control.folder().join("table.csv");
    let count = rows::write(&table, SIZE).unwrap();
    let admin = world.control.admin();
    let made = admin.post("/api/v1/data-products", &json!({ "name": "Prices" })).expect(201).json();
    let id = made["id"].as_str().unwrap();

    let agent: Agent = Agent::config_builder().proxy(None).build().into();
    within_memory(&world, "the upload", || {
        let body = File::open(&table).unwrap();
        let sent = agent
            .put(format!("{}/api/v1/data-products/{id}/file", admin.origin()))
            .header("authorization", format!("Bearer {}", admin.key().unwrap()))
            .content_type("text/csv")
            .send(body);
        assert_eq!(sent.unwrap().status(), 200);
    });
    let share = admin.post(&format!("/v1/data-products/{id}/share"), &json!({})).expect(200).json();
    let token = share["share"]["token"].as_str().unwrap();

    for (format, check) in [("csv", same as Check), ("jsonl", as_many), ("parquet", whole)] {
        let url =
            format!("{}/api/v1/public/shares/{token}/data/download?format={format}", world.edges.url(0));
        within_memory(&world, format, || {
            let mut download = agent.get(&url).call().unwrap().into_body().into_reader();
            check(&mut download, &table, count);
        });
    }
}

fn within_memory(world: &World, what: &str, act: impl FnOnce()) {
    let processes = [("the control plane", world.control.process()), ("workerd", world.edges.process(0))];
    let before = processes.map(|(_, process)| {
        forget_peak(process).unwrap();
        peak_megabytes(process).unwrap()
    });
    act();
    for ((name, process), before) in processes.into_iter().zip(before) {
        let most = peak_megabytes(process).unwrap();
        println!("{what}: {name} had {before:.0} MB, then {most:.0} at the most");
        assert!(most - before < MOST_MEGABYTES, "{what}: {name} had {before} MB, then {most}");
    }
}

/// Is what comes whole, by the file that was sent and its number of rows?
type Check = fn(&mut dyn Read, &Path, usize);

/// Byte for byte.
fn same(download: &mut dyn Read, table: &Path, _: usize) {
    let mut table = File::open(table).unwrap();
    let mut expected = Vec::new();
    let length = parts(download, |part| {
        expected.resize(part.len(), 0);
        table.read_exact(&mut expected).unwrap();
        assert!(part == expected, "another table");
    });
    assert_eq!(length, table.metadata().unwrap().len());
}

fn as_many(download: &mut dyn Read, _: &Path, count: usize) {
    let mut lines = 0;
    parts(download, |part| lines += part.split(|byte| *byte == b'\n').count() - 1);
    assert_eq!(lines, count);
}

/// Parquet ends with its magic number; whether others read it is tried with smaller ones.
fn whole(download: &mut dyn Read, _: &Path, _: usize) {
    let mut end = Vec::new();
    parts(download, |part| {
        end.extend_from_slice(part);
        end.drain(..end.len().saturating_sub(4));
    });
    assert_eq!(end, b"PAR1");
}

/// Takes what comes part by part, and tells its length.
fn parts(download: &mut dyn Read, mut take: impl FnMut(&[u8])) -> u64 {
    let (mut part, mut length) = (vec![0; 64 * 1024], 0);
    loop {
        let read = download.read(&mut part).unwrap();
        if read == 0 {
            return length;
        }
        length += read as u64;
        take(&part[..read]);
    }
}
