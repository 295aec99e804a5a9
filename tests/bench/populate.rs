//! Rows in bulk, by SQL that means the same to both databases: a million shares through the API would take half an hour.

use crate::database::{Given, Raw};
use anyhow::Result;

const ORGANIZATION: &str = "01980000-0000-7000-8000-000000000001";
const DASHBOARD: &str = "01980000-0000-7000-8000-000000000002";

/// Shares of one transaction: SQLite's log of what is not in the file yet stays small.
const CHUNK: i64 = 100_000;
/// The shares whose name has [`RARE`] in it, however many there are.
pub const RARE_SHARES: i64 = 5;
/// What few names have in them.
pub const RARE: &str = "northwind";

/// An organization and a dashboard, for rows that need them.
pub fn owner(raw: &mut Raw) -> Result<(String, String)> {
    raw.run(
        "INSERT INTO organization (id, slug, name, created_at) VALUES ($1, 'bare', 'Bare', 0)",
        &[Given::Text(ORGANIZATION)],
    )?;
    raw.run(
        "INSERT INTO dashboard (id, organization_id, slug, version, definition, created_at, updated_at)
        VALUES ($1, $2, 'bare', 1, '{}', 0, 0)",
        &[Given::Text(DASHBOARD), Given::Text(ORGANIZATION)],
    )?;
    Ok((ORGANIZATION.to_owned(), DASHBOARD.to_owned()))
}

/// Of ten shares one is revoked; of five one has a password; of seven one is expired. Names repeat after a thousand, but
/// for the rare ones.
const SHARES: &str = "INSERT INTO share (id, organization_id, target_id, share_type, name, name_folded, state,
        generation, revision, nonce, key_epoch, rules, password_hash, password_epoch, protection_version,
        guess_resets, expires_at, created_at, issued_at, revoked_at)
    WITH RECURSIVE slot (n) AS
        (SELECT CAST($1 AS BIGINT) UNION ALL SELECT n + 1 FROM slot WHERE n < $2)
    SELECT '018bcfe5-6800-7000-8000-' || substr(CAST(1000000000000 + n AS TEXT), 2), $3, $4, 'link',
        CASE WHEN n % $5 = 0 THEN 'Northwind' ELSE 'Team ' || (n % 1000) END || ', weekly figures',
        CASE WHEN n % $5 = 0 THEN 'northwind' ELSE 'team ' || (n % 1000) END || ', weekly figures',
        CASE WHEN n % 10 = 0 THEN 'revoked' ELSE 'live' END, 1, 1, '4f1c9a7be1d05836c7aa10f4e93b5d62',
        'c0ffee42', '{\"default_mode\":\"open\",\"policies\":[]}',
        CASE WHEN n % 5 = 1 THEN '$argon2id$v=19$m=12288,t=3,p=1$c2FsdHNhbHRzYWx0c2E$aGFzaGhhc2hoYXNoaGFzaA' END,
        CASE WHEN n % 5 = 1 THEN 'c0ffee42' END, CASE WHEN n % 5 = 1 THEN 1 ELSE 0 END,
        CASE WHEN n % 5 = 1 THEN 1 ELSE 0 END, CASE WHEN n % 7 = 3 THEN 1700000000000 + n END,
        1700000000000 + n, 1700000000000 + n, CASE WHEN n % 10 = 0 THEN 1700000000000 + n END
    FROM slot";

/// Record keys in no order, as they are.
const TOKENS: &str =
    "INSERT INTO share_token (record_key, share_id, generation, issued_at, retired_at, accesses)
    WITH RECURSIVE slot (n) AS
        (SELECT CAST($1 AS BIGINT) UNION ALL SELECT n + 1 FROM slot WHERE n < $2)
    SELECT substr(CAST(10000000000 + n * 48271 % 2147483647 AS TEXT), 2) || '0123456789abcdef012345',
        '018bcfe5-6800-7000-8000-' || substr(CAST(1000000000000 + n AS TEXT), 2), 1, 1700000000000 + n,
        CASE WHEN n % 10 = 0 THEN 1700000000000 + n END, n % 50
    FROM slot";

/// So many shares of a dashboard, the newest last.
pub fn shares(raw: &mut Raw, (organization, dashboard): (&str, &str), count: i64) -> Result<()> {
    let mut first = 1;
    while first <= count {
        let last = count.min(first + CHUNK - 1);
        let (from, to) = (Given::Number(first), Given::Number(last));
        let rare = Given::Number(count / RARE_SHARES);
        raw.order("BEGIN")?;
        raw.run(SHARES, &[from, to, Given::Text(organization), Given::Text(dashboard), rare])?;
        raw.run(TOKENS, &[from, to])?;
        raw.order("COMMIT")?;
        first = last + 1;
    }
    raw.run(
        "UPDATE dashboard SET shares = $1 WHERE id = $2",
        &[Given::Number(count), Given::Text(dashboard)],
    )?;
    // What PostgreSQL does by itself after a minute.
    if matches!(raw, Raw::Postgres(..)) {
        raw.order("VACUUM ANALYZE")?;
    }
    Ok(())
}

/// The id of the share of this number.
pub fn id(number: i64) -> String {
    format!("018bcfe5-6800-7000-8000-{number:012}")
}
