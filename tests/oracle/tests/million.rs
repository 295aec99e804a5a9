//! A million requests, the same in each run.

use oracle::check::{self, REQUESTS, Tally};
use oracle::generate::KINDS;
use oracle::parsers::Samples;
use std::thread;

const CASES: u64 = 1_000_000;
const THREADS: usize = 2;

#[test]
fn a_million_requests_are_decided_as_the_rules_say() {
    let part = |thread| {
        let mut tally = Tally::default();
        let mut seeds = (thread..CASES / REQUESTS).step_by(THREADS);
        seeds.try_for_each(|seed| check::share(seed, &mut tally)).map(|()| tally)
    };
    let parts: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..).take(THREADS).map(|thread| scope.spawn(move || part(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let mut tally = Tally::default();
    for part in parts {
        tally.add(part.unwrap_or_else(|mismatch| panic!("{mismatch}")));
    }
    println!("{tally}");

    assert_eq!(tally.all.total(), CASES);
    assert!(tally.all.accepted > CASES * 3 / 10 && tally.all.refused > CASES * 3 / 10, "{tally}");
    assert!(tally.unfit.refused > CASES / 20 && tally.unfit.accepted == 0, "{tally}");
    for kind in KINDS {
        for mode in ["open", "locked", "selectable", "disabled"] {
            let count = tally.by_filter[&(kind.to_owned(), mode.to_owned())];
            assert!(count.accepted > CASES / 200 && count.refused > CASES / 200, "{kind} {mode}: {tally}");
        }
    }
}

#[test]
fn altered_texts_break_no_reader() {
    let samples = Samples::new();
    for seed in 0..20_000 {
        samples.feed(seed, 0).unwrap_or_else(|error| panic!("{error}"));
    }
}
