//! `fuzz <seconds> <seed>`: what `cargo xtask fuzz` runs. Compares shares with their requests, and embed tokens, on all processors,
//! from the seed on until the time is over or something differs.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what it prints is its result")]

use oracle::check::{self, Count, Tally};
use oracle::embed::{self, mutate};
use oracle::parsers::Samples;
use std::env;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Texts for the readers, for each share.
const TEXTS: u64 = 4;
/// Embed tokens, for each share: as many as there are requests to it.
const TOKENS: u64 = check::REQUESTS;

/// Tells where a thread was when it panicked.
struct Position(u64);

impl Drop for Position {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("a panic; again by: cargo xtask fuzz --seed {}", self.0);
        }
    }
}

fn main() -> ExitCode {
    let mut numbers = env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (Some(Ok(seconds)), Some(Ok(seed)), None) = (numbers.next(), numbers.next(), numbers.next()) else {
        eprintln!("usage: fuzz <seconds> <seed>");
        return ExitCode::FAILURE;
    };
    println!("From seed {seed} on, for {seconds} s");
    let end = Instant::now() + Duration::from_secs(seconds);
    let (next, stop) = (AtomicU64::new(seed), AtomicBool::new(false));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let found: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| run(&next, &stop, end))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a panic".to_owned())))
            .collect()
    });
    let mut tally = Tally::default();
    let mut tokens = Count::default();
    let mut differs = false;
    for found in found {
        match found {
            Ok((part, part_of_tokens)) => {
                tally.add(part);
                tokens.add(part_of_tokens);
            }
            Err(difference) => {
                eprintln!("{difference}");
                differs = true;
            }
        }
    }
    println!("{tally}\nembed tokens: {} accepted, {} refused", tokens.accepted, tokens.refused);
    if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run(next: &AtomicU64, stop: &AtomicBool, end: Instant) -> Result<(Tally, Count), String> {
    let samples = Samples::new();
    let (judges, good_tokens) = (mutate::judges(), mutate::Samples::new());
    let (mut tally, mut tokens) = (Tally::default(), Count::default());
    // The first is run whatever the time, so that one seed can be run again.
    loop {
        let position = Position(next.fetch_add(1, Ordering::Relaxed));
        let seed = position.0;
        let mut checked = check::share(seed, &mut tally).map_err(|mismatch| mismatch.to_string());
        for at in 0..TEXTS {
            checked = checked.and_then(|()| samples.feed(seed, at));
        }
        for at in 0..TOKENS {
            checked =
                checked.and_then(|()| embed::check::mutation((seed, at), &judges, &good_tokens, &mut tokens));
        }
        if checked.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        checked?;
        if stop.load(Ordering::Relaxed) || Instant::now() >= end {
            return Ok((tally, tokens));
        }
    }
}
