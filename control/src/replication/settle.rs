//! What becomes of rows that were pushed: they go, or wait longer each time.

use super::{Confirmed, Inner};
use crate::random;
use crate::store::{Session, outbox};
use shared::Result;
use shared::replica::MAX_CHANGES;
use std::collections::HashMap;
use std::time::Duration;

/// First pause after a failed push; it doubles with each further one.
const FIRST_PAUSE_MS: u64 = 500;
/// Longest pause.
const LONGEST_PAUSE_MS: u64 = 30_000;
/// Pause while the edge is out of reach: no row is to blame, and one call in [`POLL`] finds out for all.
const REACH_PAUSE_MS: u64 = 4_000;
/// A row that failed this often is parked: an alarm, and a try every [`PARKED_PAUSE`].
const PARK_AFTER: i64 = 20;
const PARKED_PAUSE: Duration = Duration::from_secs(45);
impl Inner {
    /// As [`Self::settle`]; should it fail, the rows stay and are pushed again, which is harmless.
    pub(super) async fn settle_or_warn(
        &self,
        keys: &[String],
        attempts: &HashMap<String, i64>,
        pushed: &Result<Confirmed>,
    ) {
        if let Err(error) = self.settle(keys, attempts, pushed).await {
            tracing::warn!(%error, "receipts could not be noted");
        }
    }

    /// Notes what became of a push: confirmed rows go, the others wait longer each time.
    async fn settle(
        &self,
        keys: &[String],
        attempts: &HashMap<String, i64>,
        pushed: &Result<Confirmed>,
    ) -> Result<()> {
        // SQLite writes one after the other. On PostgreSQL whoever holds one row waits for no other: bulk changes
        // take theirs in an order of their own.
        let together = if self.store.has_one_writer() { MAX_CHANGES } else { 1 };
        if let Err(error) = pushed {
            tracing::warn!(%error, changes = keys.len(), "the edge is out of reach: changes wait");
        }
        // Raising one record may have brought another of its share along.
        let brought = pushed.iter().flat_map(HashMap::keys).filter(|key| !keys.contains(key));
        let keys: Vec<String> = keys.iter().chain(brought).cloned().collect();
        for keys in keys.chunks(together) {
            let mut session = self.store.write().await?;
            self.settle_within(&mut session, keys, attempts, pushed).await?;
            session.commit().await?;
        }
        Ok(())
    }

    async fn settle_within(
        &self,
        session: &mut Session,
        keys: &[String],
        attempts: &HashMap<String, i64>,
        pushed: &Result<Confirmed>,
    ) -> Result<()> {
        let now = self.clock.now();
        for key in keys {
            if let Some((revision, _)) = pushed.as_ref().ok().and_then(|confirmed| confirmed.get(key)) {
                outbox::settle(session, key, *revision).await?;
                count("confirmed");
                continue;
            }
            count("failed");
            if let Err(error) = pushed {
                let next = now.plus(jittered(REACH_PAUSE_MS)?);
                outbox::wait(session, key, next, &error.to_string()).await?;
                continue;
            }
            let attempts = attempts.get(key).copied().unwrap_or_default() + 1;
            let error = "not confirmed";
            let parked = (attempts >= PARK_AFTER).then_some(now);
            if attempts == PARK_AFTER {
                tracing::error!(
                    record_key = key,
                    attempts,
                    error,
                    "a change is parked: the edge does not learn it"
                );
                count("parked");
            }
            let pause = if parked.is_some() { PARKED_PAUSE } else { pause(attempts)? };
            outbox::postpone(session, key, now.plus(pause), parked, error).await?;
        }
        Ok(())
    }
}

/// How long to wait after `attempts` failures: doubling, with jitter of up to a half, so that rows that failed
/// together are not tried together.
pub(crate) fn pause(attempts: i64) -> Result<Duration> {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    jittered(FIRST_PAUSE_MS.saturating_mul(1 << doublings).min(LONGEST_PAUSE_MS))
}

fn jittered(whole: u64) -> Result<Duration> {
    let jitter = u64::from(u16::from_be_bytes(random::bytes()?)) % (whole / 2 + 1);
    Ok(Duration::from_millis(whole - jitter))
}

fn count(outcome: &'static str) {
    metrics::counter!("postern_push_total", "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        for (attempts, whole) in
            [(1, 500), (2, 1_000), (5, 8_000), (8, 30_000), (20, 30_000), (i64::MAX, 30_000)]
        {
            let pause = u64::try_from(pause(attempts).unwrap().as_millis()).unwrap();
            assert!((whole / 2..=whole).contains(&pause), "{attempts}: {pause}");
        }
    }
}
