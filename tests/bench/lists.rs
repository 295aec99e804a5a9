//! How long an owner waits for a page of twenty shares, when there are many beside when there are few.

use crate::database::{Database, Kind};
use crate::installation::Installation;
use crate::load::{Connection, Request, probe};
use crate::populate::{self, RARE};
use crate::table::Row;
use anyhow::{Result, bail};
use serde_json::Value;
use std::time::Duration;

const ROUNDS: usize = 3;
/// How long each side is asked in a round.
const DURATION: Duration = Duration::from_millis(1_500);
const FEW: i64 = 1_000;
const MANY: [i64; 2] = [100_000, 1_000_000];

/// One list: its query among so many shares, and which of them it has by number.
struct List {
    name: &'static str,
    query: fn(i64) -> String,
    has: fn(i64, i64) -> bool,
}

const LISTS: [List; 6] = [
    List { name: "the newest", query: |_| String::new(), has: |_, _| true },
    List {
        name: "those in the middle",
        query: |shares| format!("&cursor={}", populate::id(shares / 2)),
        has: |_, _| true,
    },
    List {
        name: "active ones (77 %)",
        query: |_| "&status=active".to_owned(),
        has: |number, _| number % 10 != 0 && number % 7 != 3,
    },
    List {
        name: "revoked ones (10 %)",
        query: |_| "&status=revoked".to_owned(),
        has: |number, _| number % 10 == 0,
    },
    List {
        name: "those with a password (20 %)",
        query: |_| "&protection=password".to_owned(),
        has: |number, _| number % 5 == 1,
    },
    List {
        name: "five by a part of the name",
        query: |_| format!("&name_contains={RARE}"),
        has: |number, shares| number % (shares / populate::RARE_SHARES) == 0,
    },
];

/// On both databases.
pub fn rows() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (kind, name) in [(Kind::Sqlite, "SQLite"), (Kind::Postgres, "PostgreSQL")] {
        let few = Owner::of(kind, FEW)?;
        for shares in MANY {
            let many = Owner::of(kind, shares)?;
            for list in &LISTS {
                let what = format!("p99 of a list, {name}, 10^{}: {}", shares.ilog10(), list.name);
                rows.push(compare(what, list, &many, &few)?);
            }
        }
    }
    Ok(rows)
}

/// An installation with so many shares.
struct Owner {
    installation: Installation,
    shares: i64,
}

impl Owner {
    fn of(kind: Kind, shares: i64) -> Result<Self> {
        let installation = Installation::start(Database::new(kind)?)?;
        let mut raw = installation.database.open()?;
        populate::shares(&mut raw, (&installation.organization, &installation.dashboard), shares)?;
        Ok(Self { installation, shares })
    }

    /// The request of a list, once its answer was looked at.
    fn request(&self, list: &List) -> Result<Request> {
        let path = format!("/api/v1/dashboard-shares?limit=20{}", (list.query)(self.shares));
        let request = self.installation.request("GET", &path, None);
        let (status, body) = Connection::open(&self.installation.address())?.call(&request)?;
        let answer: Value = serde_json::from_slice(&body)?;
        let total = (1..=self.shares).filter(|number| (list.has)(*number, self.shares)).count();
        let quantity = total.min(20);
        let is = |name: &str, count: usize| answer.get(name) == Some(&count.into());
        if status != 200 || !is("total", total) || !is("quantity", quantity) {
            bail!("{path}: not {quantity} of {total} but {status} {answer:.300}");
        }
        Ok(request)
    }

    fn p99(&self, request: &Request) -> Result<Duration> {
        let requests = std::slice::from_ref(request);
        Ok(probe(&self.installation.address(), requests, 200, DURATION)?.permille(990))
    }
}

fn compare(what: String, list: &List, many: &Owner, few: &Owner) -> Result<Row> {
    let (of_many, of_few) = (many.request(list)?, few.request(list)?);
    let mut pairs = Vec::new();
    for round in 0..ROUNDS {
        pairs.push(if round.is_multiple_of(2) {
            (many.p99(&of_many)?, few.p99(&of_few)?)
        } else {
            let few = few.p99(&of_few)?;
            (many.p99(&of_many)?, few)
        });
    }
    Ok(Row::ratio(what, "of 10^3", &pairs, "<= 2"))
}
