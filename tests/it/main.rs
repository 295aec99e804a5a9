//! Every end-to-end test, against one installation for each database. One binary, so that each is
//! started once; a `main` of its own, so that each is stopped whatever happens.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests fail by panicking, and their names are sentences"
)]

mod alone;
mod browser;
mod cost;
mod dead;
mod edges;
mod errors;
mod execute;
mod internal;
mod keys;
mod manage;
mod many;
mod password;
mod past;
mod policy;
mod reconcile;
mod share;
mod story;

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
    let databases = [(Database::Sqlite, "sqlite"), (Database::Postgres, "postgres")];
    let mut trials = Vec::new();
    for (name, test) in own_tests() {
        trials.push(Trial::test(name, move || {
            test();
            Ok(())
        }));
    }
    let mut stacks = Vec::new();
    for (database, prefix) in databases {
        let wanted: Vec<_> =
            tests().into_iter().filter(|(name, _)| wants(&arguments, &format!("{prefix}::{name}"))).collect();
        if arguments.list || wanted.is_empty() {
            trials.extend(
                wanted.into_iter().map(|(name, _)| Trial::test(format!("{prefix}::{name}"), || Ok(()))),
            );
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
    let conclusion = libtest_mimic::run(&arguments, trials);
    // The runner's threads may still hold a stack; the logs are read when all tests are over.
    let leaks: Vec<String> = stacks.iter().flat_map(|stack| share::leaks(stack)).collect();
    for leak in &leaks {
        eprintln!("{leak}");
    }
    drop(stacks);
    if leaks.is_empty() { conclusion.exit_code() } else { ExitCode::FAILURE }
}

fn wants(arguments: &Arguments, name: &str) -> bool {
    let matches =
        |pattern: &String| if arguments.exact { name == pattern } else { name.contains(pattern.as_str()) };
    arguments.filter.as_ref().is_none_or(matches) && !arguments.skip.iter().any(matches)
}

fn tests() -> Vec<(String, Test)> {
    let groups: [(&str, &[(&str, Test)]); 13] = [
        ("story", story::TESTS),
        ("execute", execute::TESTS),
        ("dead", dead::TESTS),
        ("errors", errors::TESTS),
        ("cost", cost::TESTS),
        ("internal", internal::TESTS),
        ("manage", manage::TESTS),
        ("many", many::TESTS),
        ("password", password::TESTS),
        ("past", past::TESTS),
        ("policy", policy::TESTS),
        ("reconcile", reconcile::TESTS),
        ("browser", browser::TESTS),
    ];
    groups.into_iter().flat_map(|(group, tests)| named(group, tests)).collect()
}

fn own_tests() -> Vec<(String, Own)> {
    let groups: [(&str, &[(&str, Own)]); 3] =
        [("edges", edges::TESTS), ("alone", alone::TESTS), ("keys", keys::TESTS)];
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
    ($($name:ident),+ $(,)?) => {
        pub const TESTS: &[(&str, $crate::Own)] = &[$((stringify!($name), $name)),+];
    };
}
