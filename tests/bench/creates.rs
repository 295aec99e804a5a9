//! How many shares are made in a second, each durable and known to the edge before it is answered, beside a bare loop on
//! the same disk.

use crate::bare::Bare;
use crate::database::{Database, Kind};
use crate::installation::Installation;
use crate::load;
use crate::table::Row;
use anyhow::Result;
use std::time::Duration;

const ROUNDS: usize = 5;
const CLIENTS: usize = 16;
/// How long each side takes in a round.
const DURATION: Duration = Duration::from_secs(3);

/// On both databases.
pub fn rows() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (kind, name) in [(Kind::Sqlite, "SQLite"), (Kind::Postgres, "PostgreSQL")] {
        // Gates on this disk commit several times for each new link, as those of the real edge do not on it: what the
        // control plane does by itself stands in a row of its own.
        let whole = Installation::start(Database::new(kind)?)?;
        rows.push(row(format!("creates, {name}, {CLIENTS} clients"), kind, &whole)?);
        drop(whole);
        let alone = Installation::start_confirmed(Database::new(kind)?)?;
        rows.push(row(
            format!("creates, {name}, {CLIENTS} clients, the edge confirming at once"),
            kind,
            &alone,
        )?);
    }
    Ok(rows)
}

fn row(what: String, kind: Kind, installation: &Installation) -> Result<Row> {
    let mut bare = Bare::new(Database::new(kind)?)?;
    let creation = installation.creation(None);
    let create = |duration| load::rate(&installation.address(), &creation, 201, (CLIENTS, duration));
    create(Duration::from_secs(1))?;
    bare.rate(Duration::from_secs(1))?;
    let mut pairs = Vec::new();
    let (mut control, mut edge) = (Duration::ZERO, Duration::ZERO);
    for round in 0..ROUNDS {
        let first = if round.is_multiple_of(2) { None } else { Some(bare.rate(DURATION)?) };
        let before = (installation.cpu()?, installation.edge.cpu()?);
        let own = create(DURATION)?;
        control += installation.cpu()?.saturating_sub(before.0);
        edge += installation.edge.cpu()?.saturating_sub(before.1);
        pairs.push((own, first.map_or_else(|| bare.rate(DURATION), Ok)?));
    }
    let made = pairs.iter().map(|(own, _)| own).sum::<f64>() * DURATION.as_secs_f64();
    println!(
        "{what}: {:.0} us of the control plane's processor time each, {:.0} us of the Worker's",
        control.as_secs_f64() * 1e6 / made,
        edge.as_secs_f64() * 1e6 / made
    );
    Ok(Row::figures(what, "bare loop, one commit each", "/s", &pairs, ">= 0.8, then 2.0"))
}
