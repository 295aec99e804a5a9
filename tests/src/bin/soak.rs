//! `cargo xtask soak`: what the tests try of changes and faults, for longer and from seeds of its own.

#![expect(clippy::print_stdout, reason = "the reports are the result of the command")]

use anyhow::{Context, Result, ensure};
use std::thread;
use tests::{Database, lost, stale};

/// Changes between two new starts: each start begins with empty gates and another seed.
const CHANGES_AT_ONCE: usize = 1_000;
/// The same of rounds.
const ROUNDS_AT_ONCE: usize = 100;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let mut next = || -> Result<u64> { Ok(arguments.next().context("changes, rounds and a seed")??) };
    let (changes, rounds, seed) = (usize::try_from(next()?)?, usize::try_from(next()?)?, next()?);
    changed(changes, seed)?;
    broken(rounds, seed)
}

fn changed(changes: usize, seed: u64) -> Result<()> {
    let mut made = 0;
    while made < changes {
        let seed = seed.wrapping_add(made as u64);
        println!("seed {seed}: changes from {made} on");
        let report =
            stale::run(CHANGES_AT_ONCE.min(changes - made), seed).with_context(|| format!("seed {seed}"))?;
        made += report.changed();
        println!("seed {seed}, {made} of {changes} changes: {:?} {:?}", report.changes, report.answers);
        ensure!(report.stale.is_empty(), "seed {seed}: stale answers: {:#?}", report.stale);
        ensure!(
            report.refused.is_empty(),
            "seed {seed}: refused visitors: {:#?}\nThe locations' logs: {:#?}",
            report.refused,
            report.log
        );
    }
    Ok(())
}

fn broken(rounds: usize, seed: u64) -> Result<()> {
    let mut made = 0;
    while made < rounds {
        let seed = seed.wrapping_add(made as u64);
        println!("seed {seed}: rounds from {made} on");
        let reports = thread::scope(|scope| -> Result<Vec<lost::Report>> {
            let trials = [Database::Sqlite, Database::Postgres]
                .map(|database| scope.spawn(move || lost::run(database, ROUNDS_AT_ONCE, seed)));
            trials
                .into_iter()
                .map(|trial| trial.join().unwrap_or_else(|_| anyhow::bail!("a trial panicked")))
                .collect()
        })
        .with_context(|| format!("seed {seed}"))?;
        for report in reports {
            made += report.rounds.values().sum::<usize>();
            println!(
                "seed {seed}, {made} of {rounds} rounds: {} struck, equal after {:?}",
                report.struck, report.converged_after
            );
            ensure!(report.revived.is_empty(), "seed {seed}: links came back: {:#?}", report.revived);
        }
    }
    Ok(())
}
