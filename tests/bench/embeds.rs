//! What an embed's token costs the Worker, beside a Worker that has it checked by jose.

use crate::load::{self, Connection, Request};
use crate::seed;
use crate::table::Row;
use crate::worker::{CONNECTIONS, compare};
use crate::workerd::{Subject, Workerd};
use anyhow::{Result, bail};
use serde_json::Value;

/// Dashboards that many look at, each by a token of their own.
const DASHBOARDS: u128 = 20;
const TOKENS: usize = 500;
/// How often each token is used in a round.
const TIMES: usize = 8;
/// With this in its query, the other Worker imports its key once.
const IMPORTED: &str = "?imported";

/// What embeds cost.
pub fn rows() -> Result<Vec<Row>> {
    let postern = Workerd::start(Subject::Postern)?;
    let jose = Workerd::start(Subject::Jose)?;
    let records = seed::embedded(DASHBOARDS);
    seed::push(&postern, &records)?;
    seed::write_kv(&jose, &records)?;
    let tokens = seed::embed_tokens(DASHBOARDS, TOKENS)?;
    let forged: Vec<String> = tokens.iter().map(|token| forge(token)).collect();
    same_answers(&postern, &jose, &tokens)?;

    // Compiled, and every record in memory.
    let warm = infos(&tokens, "");
    for subject in [&postern, &jose] {
        load::all(&subject.address(), &warm, 200, (CONNECTIONS, 4))?;
    }
    let mut rows = Vec::new();
    for (what, tokens, status) in
        [("embed info under a lease", &tokens, 200), ("forged embed token", &forged, 401)]
    {
        let own = infos(tokens, "");
        let (bytes, imported) = (infos(tokens, ""), infos(tokens, IMPORTED));
        for (beside, theirs) in
            [("jose, given the key's bytes", bytes), ("jose, key imported once", imported)]
        {
            load::all(&jose.address(), &theirs, status, (CONNECTIONS, 2))?;
            rows.push(compare(
                what,
                beside,
                (&postern, &own),
                (&jose, &theirs),
                status,
                TIMES,
                "<= 1.0, then 0.67",
            )?);
        }
    }
    Ok(rows)
}

fn infos(tokens: &[String], query: &str) -> Vec<Request> {
    tokens.iter().map(|token| Request::get(&format!("/api/embed/d/{token}/info{query}"), "")).collect()
}

/// Another signature, of the right length.
fn forge(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or_default();
    let (first, rest) = signature.split_at(1);
    format!("{signed}.{}{rest}", if first == "A" { "B" } else { "A" })
}

/// Both must say the same, or the comparison says nothing.
fn same_answers(postern: &Workerd, jose: &Workerd, tokens: &[String]) -> Result<()> {
    let (mut one, mut other) = (Connection::open(&postern.address())?, Connection::open(&jose.address())?);
    for token in tokens {
        for query in ["", IMPORTED] {
            let asked = Request::get(&format!("/api/embed/d/{token}/info{query}"), "");
            let (one, other) = (one.call(&asked)?, other.call(&asked)?);
            let read = |answer: &(u16, Vec<u8>)| -> Result<(u16, Value)> {
                Ok((answer.0, serde_json::from_slice(&answer.1)?))
            };
            if read(&one)? != read(&other)? || one.0 != 200 {
                let text =
                    |(status, body): &(u16, Vec<u8>)| format!("{status} {}", String::from_utf8_lossy(body));
                bail!("the answers differ:\n{}\n{}", text(&one), text(&other));
            }
        }
    }
    Ok(())
}
