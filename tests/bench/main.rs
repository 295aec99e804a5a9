//! What Postern costs beside what one would write by hand, in one run: `cargo xtask bench`.
//!
//! Figures of other days or machines say nothing beside these, so goals are ratios within the run wherever there is
//! something to stand beside. The other goals are promises: how long a revoke may take.

#![expect(clippy::print_stdout, reason = "the table is the result of the command")]

mod archive;
mod bare;
mod creates;
mod database;
mod downloads;
mod embeds;
mod installation;
mod lists;
mod load;
mod plain;
mod populate;
mod revokes;
mod seed;
mod seeding;
mod table;
mod tiles;
mod visitors;
mod worker;
mod workerd;

use anyhow::{Result, bail};
use table::Row;

/// Measures something.
type Part = fn() -> Result<Vec<Row>>;

/// What can be measured by itself, in the order of the table.
const PARTS: [(&str, Part); 11] = [
    ("size", worker::size),
    ("start", worker::first_request),
    ("requests", worker::requests),
    ("embeds", embeds::rows),
    ("tiles", tiles::rows),
    ("guesses", worker::guesses),
    ("revokes", revokes::rows),
    ("creates", creates::rows),
    ("lists", lists::rows),
    ("seeding", seeding::rows),
    ("downloads", downloads::rows),
];

fn main() -> Result<()> {
    // Run by hand, without the variables of `cargo xtask bench`.
    if std::env::var_os("WORKERD_BIN").is_none() {
        return Ok(());
    }
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    let mut rows = Vec::new();
    for (name, measure) in PARTS {
        if name.contains(&filter) {
            println!("measuring {name}");
            rows.extend(measure()?);
        }
    }
    if rows.is_empty() {
        bail!("no part is named {filter}: there are {}", PARTS.map(|(name, _)| name).join(", "));
    }
    table::print(&rows);
    table::write_json(&rows)
}
