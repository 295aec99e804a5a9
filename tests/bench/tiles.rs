//! What a tile of a map costs, beside a Worker that has the library of protomaps find it, and beside the read of its bytes.

use crate::archive::{Archive, MAX_ZOOM, before, place};
use crate::load::{self, Connection, Request};
use crate::seed::{self, Share};
use crate::table::Row;
use crate::worker::CONNECTIONS;
use crate::workerd::{Subject, Workerd};
use anyhow::{Result, bail};
use std::ops::Range;
use std::time::{Duration, Instant};

const ROUNDS: u64 = 5;
/// Tiles in each round, all of the last zoom, none twice and neighbours one after another: directories are in memory, tiles are not,
/// since of these an isolate remembers 4,096 and 12 MiB at most.
const WALK: u64 = (before(MAX_ZOOM + 1) - before(MAX_ZOOM)) / ROUNDS;
/// Tiles that are asked for again and again, so that all of them are remembered.
const REMEMBERED: u64 = 500;
const GZIP: &str = "accept-encoding: gzip\r\n";

/// Who is asked for a tile, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Postern,
    Protomaps,
    Stored,
    Range,
}

const WAYS: [Way; 4] = [Way::Postern, Way::Protomaps, Way::Stored, Way::Range];

/// What a tile takes: processor time, and how many there are in a second.
type Cost = (Duration, f64);

/// All subjects with the same archive.
struct Subjects {
    archive: Archive,
    map: Share,
    workerds: [Workerd; WAYS.len()],
}

/// What tiles cost.
pub fn rows() -> Result<Vec<Row>> {
    let subjects = Subjects::start()?;
    let (least, mean, most) = subjects.archive.sizes();
    println!("tiles of {least} to {most} bytes with gzip, {mean} on average");
    subjects.check()?;
    let (mut walks, mut remembered) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let first = before(MAX_ZOOM) + round * WALK;
        let mut costs = [Cost::default(); WAYS.len()];
        for at in 0..WAYS.len() {
            let at = (at + usize::try_from(round)?) % WAYS.len();
            if let (Some(way), Some(cost)) = (WAYS.get(at), costs.get_mut(at)) {
                *cost = subjects.cost(*way, first..first + WALK, 1)?;
            }
        }
        let hot = first..first + REMEMBERED;
        subjects.cost(Way::Postern, hot.clone(), 1)?;
        remembered.push((subjects.cost(Way::Postern, hot, 20)?, costs[3]));
        walks.push(costs);
    }
    let beside =
        |at: usize| walks.iter().filter_map(move |costs| Some((costs[0], *costs.get(at)?))).collect();
    let what = "tile under a lease, directory in memory";
    let mut rows = Vec::new();
    for (what, name, pairs, goal) in [
        (what, "protomaps' way", beside(1), "<= 0.45, then 0.38"),
        (what, "the same, stored gzip passed on", beside(2), "<= 0.95, then 0.85"),
        (what, "one read of R2", beside(3), ""),
        ("tile in memory", "one read of R2", remembered, ""),
    ] {
        let pairs: Vec<(Cost, Cost)> = pairs;
        let cpu: Vec<_> = pairs.iter().map(|((own, _), (other, _))| (*own, *other)).collect();
        let rate: Vec<_> = pairs.iter().map(|((_, own), (_, other))| (*own, *other)).collect();
        rows.push(Row::ratio(what, name, &cpu, goal));
        rows.push(Row::figures(format!("{what}: in a second"), name, "/s", &rate, ""));
    }
    Ok(rows)
}

impl Subjects {
    fn start() -> Result<Self> {
        let archive = Archive::new()?;
        let path = archive.path();
        let start = |subject| Workerd::start_with(subject, &path);
        let workerds = [
            start(Subject::Postern)?,
            start(Subject::Protomaps)?,
            start(Subject::Protomaps)?,
            start(Subject::Range)?,
        ];
        let map = seed::map(0, archive.view())?;
        seed::push(&workerds[0], std::slice::from_ref(&map))?;
        Ok(Self { archive, map, workerds })
    }

    fn workerd(&self, way: Way) -> &Workerd {
        let [postern, protomaps, stored, range] = &self.workerds;
        match way {
            Way::Postern => postern,
            Way::Protomaps => protomaps,
            Way::Stored => stored,
            Way::Range => range,
        }
    }

    fn requests(&self, way: Way, numbers: impl Iterator<Item = u64>) -> Result<Vec<Request>> {
        // Made anew, since it does not live for as long as a slow machine may take.
        let ticket = seed::ticket(&self.map)?;
        let path = |number| -> Result<String> {
            Ok(match way {
                Way::Postern => format!("/v1/share/tiles/{ticket}/{}.mvt", place(number)?),
                Way::Protomaps => format!("/archive/{}.mvt", place(number)?),
                Way::Stored => format!("/archive/{}.mvt?stored", place(number)?),
                Way::Range => {
                    let (offset, packed) = self.archive.tile(number)?;
                    format!("/?{offset}-{}", packed.len())
                }
            })
        };
        numbers.map(|number| Ok(Request::get(&path(number)?, GZIP))).collect()
    }

    /// Asks for so many tiles, each so many times.
    fn cost(&self, way: Way, numbers: Range<u64>, times: usize) -> Result<Cost> {
        let (workerd, requests) = (self.workerd(way), self.requests(way, numbers)?);
        let (before, begun) = (workerd.cpu()?, Instant::now());
        let made = u32::try_from(load::all(&workerd.address(), &requests, 200, (CONNECTIONS, times))?)?;
        let took = begun.elapsed();
        Ok((workerd.cpu()?.saturating_sub(before) / made, f64::from(made) / took.as_secs_f64()))
    }

    /// All must send the same tiles, or the comparison says nothing. What is asked is compiled then.
    fn check(&self) -> Result<()> {
        let (sample, others) = (before(MAX_ZOOM)..before(MAX_ZOOM + 1), 0..before(7));
        let numbers = || sample.clone().step_by(16).chain(others.clone());
        for way in WAYS {
            let mut connection = Connection::open(&self.workerd(way).address())?;
            for (number, request) in numbers().zip(self.requests(way, numbers())?) {
                let (status, body) = connection.call(&request)?;
                let (_, packed) = self.archive.tile(number)?;
                let same = match way {
                    Way::Protomaps => body == shared::app::archive::inflate(packed)?,
                    _ => body == packed,
                };
                if status != 200 || !same {
                    bail!("{way:?} answers {status} and {} bytes at {}", body.len(), place(number)?);
                }
            }
        }
        Ok(())
    }
}
