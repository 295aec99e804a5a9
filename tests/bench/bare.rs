//! What stands beside creates: one connection that inserts rows of the same size, one commit for each share, and does
//! nothing else.

use crate::database::{Database, Given, Raw};
use crate::populate;
use anyhow::Result;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What a create writes before it commits; a share of a common dashboard without any restriction.
const SHARE: &str =
    "INSERT INTO share (id, organization_id, target_id, share_type, name, name_folded, state, generation,
        revision, nonce, key_epoch, rules, created_at, issued_at)
    VALUES ($1, $2, $3, 'link', 'Figures for the board', 'figures for the board', 'live', 1, 1,
        '4f1c9a7be1d05836c7aa10f4e93b5d62', 'c0ffee42', '{\"default_mode\":\"open\",\"policies\":[]}', $4, $4)";
const TOKEN: &str =
    "INSERT INTO share_token (record_key, share_id, generation, issued_at) VALUES ($1, $2, 1, $3)";
const OUTBOX: &str = "INSERT INTO outbox
        (record_key, revision, enqueued_at, attempts, next_attempt_at, claimed_until)
    VALUES ($1, 1, $2, 0, $2, $2)";
const AUDIT: &str = "INSERT INTO audit (id, organization_id, actor, action, subject, at, detail)
    VALUES ($1, $2, 'key:01990000-0000-7000-8000-000000000000', 'share.create', $3, $4,
        '{\"dashboard_id\":\"01990000-0000-7000-8000-000000000000\",\"password\":false}')";

/// The loop, and how far it is.
pub struct Bare {
    raw: Raw,
    organization: String,
    dashboard: String,
    made: u64,
    _database: Database,
}

impl Bare {
    /// On a new database.
    pub fn new(database: Database) -> Result<Self> {
        let mut raw = database.open()?;
        let (organization, dashboard) = populate::owner(&mut raw)?;
        Ok(Self { raw, organization, dashboard, made: 0, _database: database })
    }

    /// How many rows of a share it inserts in a second.
    pub fn rate(&mut self, duration: Duration) -> Result<f64> {
        let (begun, before) = (Instant::now(), self.made);
        while begun.elapsed() < duration {
            self.insert()?;
        }
        Ok(f64::from(u32::try_from(self.made - before)?) / begun.elapsed().as_secs_f64())
    }

    fn insert(&mut self) -> Result<()> {
        self.made += 1;
        let now = Given::Number(tests::signed::now().0);
        // Ids grow as those of shares do; record keys come in no order.
        let id =
            Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + u128::from(self.made)).to_string();
        let key = format!("{:016x}{:016x}", self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15), self.made);
        let (organization, dashboard) = (Given::Text(&self.organization), Given::Text(&self.dashboard));
        let (id, key) = (Given::Text(&id), Given::Text(&key));
        self.raw.order("BEGIN")?;
        self.raw.run(SHARE, &[id, organization, dashboard, now])?;
        self.raw.run(TOKEN, &[key, id, now])?;
        self.raw.run(OUTBOX, &[key, now])?;
        self.raw.run(AUDIT, &[id, organization, id, now])?;
        self.raw.order("COMMIT")
    }
}
