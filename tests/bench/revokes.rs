//! How long it takes until what an owner did is so at the edge, while links are visited as fast as the Worker answers.

use crate::database::{Database, Kind};
use crate::installation::Installation;
use crate::load::{Connection, Latencies, Request, path, together};
use crate::table::Row;
use crate::visitors::{Link, visited};
use anyhow::{Context, Result, bail};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Links that are visited all the time and stay.
const HOT: usize = 40;
/// Shares that are revoked, of each kind.
const REVOKED: usize = 160;
/// Shares that are made while others are visited.
const MADE: usize = 300;

/// Measures all of it in one installation.
pub fn rows() -> Result<Vec<Row>> {
    let installation = Installation::start(Database::new(Kind::Sqlite)?)?;
    let hot = links(&installation, HOT, None)?;
    let public = links(&installation, REVOKED, None)?;
    let strict = links(&installation, REVOKED, Some("open sesame"))?;

    let mut rows = Vec::new();
    // A revocation of a public link waits for leases, so many are on their way at once; the others follow one another.
    let (taken, visits) =
        visited(&installation, &with(&hot, &public), || revoke(&installation, &public, 16))?;
    println!("{visits} visits while public links were revoked");
    rows.extend(Row::latencies("revoke of a visited link", &taken, "<= 2,500 ms"));
    let (taken, visits) = visited(&installation, &with(&hot, &strict), || revoke(&installation, &strict, 2))?;
    println!("{visits} visits while links with a password were revoked");
    rows.extend(Row::latencies("revoke of a visited link with a password", &taken, "<= 500 ms"));
    let (taken, visits) = visited(&installation, &with(&hot, &[]), || create(&installation))?;
    println!("{visits} visits while links were made");
    rows.extend(Row::latencies("from a create to its first visit", &taken, "<= 250 ms, then 60"));
    Ok(rows)
}

fn with<'l>(hot: &'l [Link], others: &'l [Link]) -> Vec<&'l Link> {
    hot.iter().chain(others).collect()
}

fn links(installation: &Installation, count: usize, password: Option<&str>) -> Result<Vec<Link>> {
    let mut connection = Connection::open(&installation.address())?;
    let mut one = || {
        let made = installation.share(&mut connection, password)?;
        if password.is_some() { Link::unlocked(&made) } else { Ok(Link::public(&made)) }
    };
    (0..count).map(|_| one()).collect()
}

/// Revokes all of them, so many at once; an answer that does not say `live` is a failure.
fn revoke(installation: &Installation, links: &[Link], at_once: usize) -> Result<Latencies> {
    let next = AtomicUsize::new(0);
    let taken = together(at_once, |_| {
        let mut control = Connection::open(&installation.address())?;
        let mut edge = Connection::open(&installation.edge.address())?;
        let mut taken = Vec::new();
        while let Some(link) = links.get(next.fetch_add(1, Ordering::Relaxed)) {
            let path = format!("/api/v1/dashboard-shares/{}", link.id);
            let request = installation.request("DELETE", &path, None);
            taken.push(link.revoke(&mut edge, || {
                let asked = Instant::now();
                let (status, body) = control.call(&request)?;
                if status != 200 {
                    bail!("status {status} of a revocation: {}", String::from_utf8_lossy(&body));
                }
                Ok(asked.elapsed())
            })?);
        }
        Ok(taken)
    })?;
    Ok(Latencies::of(taken.concat()))
}

/// Makes shares one after another and visits each as soon as its token is known.
fn create(installation: &Installation) -> Result<Latencies> {
    let mut control = Connection::open(&installation.address())?;
    let mut edge = Connection::open(&installation.edge.address())?;
    let mut one = || -> Result<Duration> {
        let asked = Instant::now();
        let made = installation.share(&mut control, None)?;
        let visit = Request::get(&path(&made.token, "resolve"), "");
        let (status, _) = edge.call(&visit)?;
        (status == 200).then(|| asked.elapsed()).with_context(|| format!("status {status} of a new link"))
    };
    let taken: Result<Vec<_>> = (0..MADE).map(|_| one()).collect();
    Ok(Latencies::of(taken?))
}
