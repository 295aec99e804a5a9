//! Every end-to-end test: those that start what they need, and those of one installation for each database. One binary,
//! so that each is started once; a `main` of its own, so that each is stopped whatever happens.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests fail by panicking, and their names are sentences"
)]

mod alone;
mod archive;
mod browser;
mod cost;
mod dead;
mod edges;
mod embed;
mod embed_forged;
mod embed_signed;
mod errors;
mod execute;
mod internal;
mod keys;
mod mail;
mod manage;
mod many;
mod map;
mod operation;
mod password;
mod past;
mod policy;
mod portal;
mod product;
mod reconcile;
mod restart;
mod share;
mod story;
mod tenant;
mod tile;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use std::sync::Arc;
use tests::{Database, Stack};

/// A test of one installation; it fails by panicking.
type Test = fn(&Stack);
/// A test that starts what it needs.
type Own = fn();

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let own = own_tests().into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    if arguments.list {
        let listed = databases().flat_map(|(_, prefix)| {
            tests().into_iter().map(move |(name, _)| Trial::test(format!("{prefix}::{name}"), || Ok(())))
        });
        return libtest_mimic::run(&arguments, own.chain(listed).collect()).exit_code();
    }
    // First, and by themselves: their load would be too much for whoever waits for an answer beside them.
    let without_stack = libtest_mimic::run(&arguments, own.collect());
    let mut trials = Vec::new();
    let mut stacks = Vec::new();
    for (database, prefix) in databases() {
        let wanted: Vec<_> =
            tests().into_iter().filter(|(name, _)| wants(&arguments, &format!("{prefix}::{name}"))).collect();
        if wanted.is_empty() {
            continue;
        }
        let stack = match Stack::start(database) {
            Ok(stack) => Arc::new(stack),
            Err(error) => {
                eprintln!("{prefix}: {error:#}");
                return ExitCode::FAILURE;
            }
        };
        stacks.push(Arc::clone(&stack));
        for (name, test) in wanted {
            let stack = Arc::clone(&stack);
            trials.push(Trial::test(format!("{prefix}::{name}"), move || {
                test(&stack);
                Ok(())
            }));
        }
    }
    let with_stack = libtest_mimic::run(&arguments, trials);
    // The runner's threads may still hold a stack; the logs are read when all tests are over.
    let leaks: Vec<String> = stacks.iter().flat_map(|stack| share::leaks(stack)).collect();
    for leak in &leaks {
        eprintln!("{leak}");
    }
    drop(stacks);
    let good = leaks.is_empty() && !without_stack.has_failed() && !with_stack.has_failed();
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn databases() -> impl Iterator<Item = (Database, &'static str)> {
    [(Database::Sqlite, "sqlite"), (Database::Postgres, "postgres")].into_iter()
}

fn wants(arguments: &Arguments, name: &str) -> bool {
    let matches =
        |pattern: &String| if arguments.exact { name == pattern } else { name.contains(pattern.as_str()) };
    arguments.filter.as_ref().is_none_or(matches) && !arguments.skip.iter().any(matches)
}

fn tests() -> Vec<(String, Test)> {
    let groups: [(&str, &[(&str, Test)]); 21] = [
        ("archive", archive::TESTS),
        ("story", story::TESTS),
        ("execute", execute::TESTS),
        ("dead", dead::TESTS),
        ("errors", errors::TESTS),
        ("cost", cost::TESTS),
        ("internal", internal::TESTS),
        ("manage", manage::TESTS),
        ("many", many::TESTS),
        ("embed", embed::TESTS),
        ("portal", portal::TESTS),
        ("embed_forged", embed_forged::TESTS),
        ("embed_signed", embed_signed::TESTS),
        ("password", password::TESTS),
        ("operation", operation::TESTS),
        ("past", past::TESTS),
        ("policy", policy::TESTS),
        ("product", product::TESTS),
        ("reconcile", reconcile::TESTS),
        ("tile", tile::TESTS),
        ("browser", browser::TESTS),
    ];
    groups.into_iter().flat_map(|(group, tests)| named(group, tests)).collect()
}

fn own_tests() -> Vec<(String, Own)> {
    let groups: [(&str, &[(&str, Own)]); 5] = [
        ("edges", edges::TESTS),
        ("alone", alone::TESTS),
        ("keys", keys::TESTS),
        ("mail", mail::TESTS),
        ("restart", restart::TESTS),
    ];
    groups.into_iter().flat_map(|(group, tests)| named(group, tests)).collect()
}

fn named<T: Copy>(group: &str, tests: &[(&str, T)]) -> Vec<(String, T)> {
    tests.iter().map(|(name, test)| (format!("{group}::{name}"), *test)).collect()
}

/// Lists tests with their own names.
#[macro_export]
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        pub const TESTS: &[(&str, $crate::Test)] = &[$((stringify!($name), $name)),+];
    };
}

/// The same of tests that start what they need.
#[macro_export]
macro_rules! own_tests {
    ($($name:path),+ $(,)?) => {
        pub const TESTS: &[(&str, $crate::Own)] = &[$((stringify!($name), $name)),+];
    };
}
