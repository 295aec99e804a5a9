//! The Worker alone, in a workerd process beside those of others. Processor time is the process's own; the order of the
//! subjects changes in each round; medians of the rounds' ratios count.

use crate::load::{self, Connection, Request, path, probe};
use crate::seed::{self, Share};
use crate::table::Row;
use crate::workerd::{Subject, Workerd};
use anyhow::{Context, Result, bail};
use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
/// At once.
pub const CONNECTIONS: usize = 8;
const HOT: u128 = 500;
/// Shares that are visited once: so many in each round.
const COLD: u128 = 300;

/// What is uploaded.
pub fn size() -> Result<Vec<Row>> {
    let build =
        PathBuf::from(std::env::var_os("POSTERN_EDGE_BUILD").context("POSTERN_EDGE_BUILD is not set")?);
    let mut bytes = 0;
    for file in ["index_bg.wasm", "index.js"] {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&std::fs::read(build.join(file))?)?;
        bytes += encoder.finish()?.len();
    }
    #[expect(clippy::cast_precision_loss, reason = "a size far below 2^53")]
    let kilobytes = bytes as f64 / 1_000.0;
    Ok(vec![Row::figure("the whole Worker, gzip", kilobytes, "KB", "<= 200 KB, then 120")])
}

/// A fresh process answers its first request: compiling included.
pub fn first_request() -> Result<Vec<Row>> {
    let forged = Request::get(&path(&format!("shr_{}", "0".repeat(40)), "resolve"), "");
    let once = |subject| -> Result<Duration> {
        let workerd = Workerd::start(subject)?;
        let begun = Instant::now();
        Connection::open(&workerd.address())?.call(&forged)?;
        Ok(begun.elapsed())
    };
    let mut pairs = Vec::new();
    for _ in 0..ROUNDS {
        pairs.push((once(Subject::Postern)?, once(Subject::Baseline)?));
    }
    Ok(vec![Row::ratio("first request of a process", "by hand", &pairs, "<= 1.30, then 1.12")])
}

/// What requests cost.
pub fn requests() -> Result<Vec<Row>> {
    let postern = Workerd::start(Subject::Postern)?;
    let baseline = Workerd::start(Subject::Baseline)?;
    let empty = Workerd::start(Subject::Empty)?;
    let hot = seed::public(0, HOT)?;
    let rounds = u128::try_from(ROUNDS)?;
    let cold = seed::public(HOT, COLD * rounds)?;
    for shares in [&hot, &cold] {
        seed::push(&postern, shares)?;
        seed::write_kv(&baseline, shares)?;
    }
    let resolves: Vec<Request> =
        hot.iter().map(|share| Request::get(&path(&share.token, "resolve"), "")).collect();
    let one_execute = execute(hot.first().context("a share")?);
    let forged = [Request::get(&path(&format!("shr_{}", "0".repeat(40)), "resolve"), "")];

    let mut rows = Vec::new();
    // A few links that many look at: a lease is renewed once a second, however many do.
    let busy: Vec<Request> = resolves.iter().take(20).cycle().take(500).cloned().collect();
    // Compiled, and every hot record in memory.
    for subject in [&postern, &baseline] {
        load::all(&subject.address(), &resolves, 200, (CONNECTIONS, 4))?;
    }
    load::all(&postern.address(), std::slice::from_ref(&one_execute), 200, (1, 50))?;

    let visits = cold.chunks(usize::try_from(COLD)?);
    let mut pairs = Vec::new();
    for (round, visited) in visits.enumerate() {
        let requests: Vec<Request> =
            visited.iter().map(|share| Request::get(&path(&share.token, "resolve"), "")).collect();
        pairs.push(both(round, (&postern, &requests), (&baseline, &requests), 200, 1)?);
    }
    rows.push(Row::ratio("resolve, seen for the first time: KV and gate", "by hand: KV alone", &pairs, ""));
    rows.push(compare(
        "resolve under a lease",
        "by hand: KV",
        (&postern, &busy),
        (&baseline, &busy),
        200,
        10,
        "<= 0.40, then 0.36",
    )?);
    let repeated = vec![one_execute; 200];
    rows.push(compare(
        "execute, result kept",
        "resolve under a lease",
        (&postern, &repeated),
        (&postern, &busy),
        200,
        20,
        "<= 1.5",
    )?);
    let refused = vec![forged[0].clone(); 200];
    rows.push(compare(
        "forged token",
        "an answer without work",
        (&postern, &refused),
        (&empty, &refused),
        401,
        40,
        "<= 1.1",
    )?);
    Ok(rows)
}

/// Processor time for each request of two subjects, round by round.
pub fn compare(
    what: &'static str,
    beside: &'static str,
    first: (&Workerd, &[Request]),
    second: (&Workerd, &[Request]),
    status: u16,
    times: usize,
    goal: &'static str,
) -> Result<Row> {
    let pairs =
        (0..ROUNDS).map(|round| both(round, first, second, status, times)).collect::<Result<Vec<_>>>()?;
    Ok(Row::ratio(what, beside, &pairs, goal))
}

fn both(
    round: usize,
    first: (&Workerd, &[Request]),
    second: (&Workerd, &[Request]),
    status: u16,
    times: usize,
) -> Result<(Duration, Duration)> {
    let cost = |(workerd, requests): (&Workerd, &[Request])| -> Result<Duration> {
        let before = workerd.cpu()?;
        let made = load::all(&workerd.address(), requests, status, (CONNECTIONS, times))?;
        Ok(workerd.cpu()?.saturating_sub(before) / u32::try_from(made)?)
    };
    if round.is_multiple_of(2) {
        Ok((cost(first)?, cost(second)?))
    } else {
        let second = cost(second)?;
        Ok((cost(first)?, second))
    }
}

/// A visitor of a public link while others guess passwords as fast as they can.
pub fn guesses() -> Result<Vec<Row>> {
    let postern = Workerd::start(Subject::Postern)?;
    let public = seed::public(0, 1)?;
    seed::push(&postern, &public)?;
    let targets: Vec<Share> = (100..200).map(seed::protected).collect::<Result<_>>()?;
    seed::push(&postern, &targets)?;
    let visit = [Request::get(&path(&public.first().context("a share")?.token, "resolve"), "")];
    let address = postern.address();
    probe(&address, &visit, 200, Duration::from_secs(1))?;
    let mut pairs = Vec::new();
    let mut compared = 0;
    for _ in 0..ROUNDS {
        let idle = probe(&address, &visit, 200, Duration::from_secs(3))?;
        let stop = AtomicBool::new(false);
        let (pouring, wrong) = thread::scope(|scope| -> Result<_> {
            let guessers: Vec<_> = (0..4)
                .map(|guesser| {
                    let (targets, stop, address) = (&targets, &stop, &address);
                    scope.spawn(move || -> Result<usize> {
                        let mut connection = Connection::open(address)?;
                        let mut wrong = 0;
                        for share in targets.iter().cycle().skip(guesser * 25) {
                            if stop.load(Ordering::Relaxed) {
                                break;
                            }
                            let body = br#"{"password":"guess"}"#;
                            let (status, _) = connection.call(&Request::send(
                                "POST",
                                &path(&share.token, "unlock"),
                                "",
                                body,
                            ))?;
                            wrong += usize::from(status == 401);
                        }
                        Ok(wrong)
                    })
                })
                .collect();
            let pouring = probe(&address, &visit, 200, Duration::from_secs(3));
            stop.store(true, Ordering::Relaxed);
            let mut wrong = 0;
            for guesser in guessers {
                match guesser.join() {
                    Ok(count) => wrong += count?,
                    Err(_) => bail!("a guesser's thread ended"),
                }
            }
            Ok((pouring?, wrong))
        })?;
        compared += wrong;
        pairs.push((pouring.permille(990), idle.permille(990)));
    }
    println!("{compared} guesses were compared in {} s of pouring", 3 * ROUNDS);
    Ok(vec![Row::ratio(
        "p99 of a visitor while passwords are guessed",
        "p99 when nobody guesses",
        &pairs,
        "<= 2",
    )])
}

fn execute(share: &Share) -> Request {
    Request::send("POST", &path(&share.token, "execute"), "", b"{}")
}
