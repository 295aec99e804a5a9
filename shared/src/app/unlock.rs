//! Unlocking a share: a password, or the deliberate act of opening a counted link, becomes a grant.
//!
//! In this order: the guess is counted at the gate, it waits for its turn to be hashed, it is compared, and the gate lets
//! the visitor in by one conditional step. A guess that is not compared counts for nothing; a right one neither.

use super::memory::Memory;
use super::port::{Host, Told, Unreachable};
use super::redeem::Opened;
use crate::error::Why;
use crate::model::grant::{self, Grant};
use crate::model::key::KeyRing;
use crate::model::password::{self, Password, Scheme};
use crate::model::tally::{Admission, Entry};
use crate::model::token::RecordKey;
use crate::time::Millis;
use crate::{Error, Result};
use std::time::Duration;

/// What a wait is told when nobody can say how long it will be.
const BUSY: Duration = Duration::from_secs(2);

/// Gives a grant for what `opened` found, if the visitor may have one. `network` says from where they guess.
///
/// # Errors
/// [`Error::Dead`], [`Error::Conflict`] when the link needs no unlocking, [`Error::Invalid`] when a password is needed and
/// none is given, [`Error::WrongPassword`],
/// [`Error::Throttled`] for too many guesses, [`Error::Unavailable`] when the gate is out of reach.
pub async fn unlock(
    host: &impl Host,
    memory: &Memory,
    ring: &KeyRing,
    (key, opened): (&RecordKey, &Opened),
    (password, network): (Option<&Password>, &str),
) -> Result<String> {
    let live = opened.locked()?;
    let Some(_) = live.protection.need() else {
        // The link alone opens it: there is nothing to prove, to count or to keep.
        return Err(Error::Conflict("the link needs no unlocking".to_owned()));
    };
    let attempt = match &live.protection.password {
        None => None,
        Some(hashed) => {
            let password = password.ok_or_else(|| Error::invalid("/password", "is needed"))?;
            let attempt = admit(host, key, network).await?;
            if let Err(busy) = hash_turn(host, memory).await {
                host.give_back(key, attempt).await.map_err(gate_is_down)?;
                return Err(busy);
            }
            if !password::verify(password, ring, hashed) {
                return Err(Error::WrongPassword);
            }
            Some(attempt)
        }
    };
    match host.enter(key, opened.revision(), attempt).await.map_err(gate_is_down)? {
        Entry::Granted => {}
        Entry::Spent => return Err(Error::Dead(Why::Spent)),
        Entry::Changed => return Err(Error::Throttled { retry_after: Duration::from_secs(1) }),
    }
    let grant =
        Grant { share: live.share.id, generation: live.share.generation, version: live.protection.version };
    grant::issue(ring, grant, host.now()).ok_or_else(|| Error::Internal("no grant can be made".to_owned()))
}

/// Does with a guess at a token that opens nothing what [`unlock`] does with a wrong one: as many are taken, and each costs as many
/// calls and a hash. Without it the sixth guess in a minute, or a clock, would tell what is dead from what is alive. `was_asked` says
/// that the gate was asked to find out. Links whose passwords are hashed with bcrypt take longer.
///
/// # Errors
/// [`Error::Throttled`] where [`unlock`] has it, [`Error::Unavailable`] when the gate is out of reach.
pub async fn feign(
    host: &impl Host,
    memory: &Memory,
    ring: &KeyRing,
    (key, was_asked): (&RecordKey, bool),
    (password, network): (Option<&Password>, &str),
) -> Result<()> {
    // The gate is asked about whatever has a password, and then to count a guess.
    let calls = if password.is_some() { 2 } else { 1 };
    for _ in u8::from(was_asked)..calls {
        host.lease(key, Told::default()).await.map_err(gate_is_down)?;
    }
    let Some(password) = password else { return Ok(()) };
    let attempt = count_decoy(memory, key, network, host.now())?;
    if let Err(busy) = hash_turn(host, memory).await {
        memory.give_back_decoy(key, attempt);
        host.lease(key, Told::default()).await.map_err(gate_is_down)?;
        return Err(busy);
    }
    std::hint::black_box(password::hash(password, &ring.current, Scheme::Argon2id, [0; 16]));
    Ok(())
}

/// Counts a guess at what opens nothing, and names it; enough by itself for what was never a token.
///
/// # Errors
/// [`Error::Throttled`].
pub fn count_decoy(memory: &Memory, key: &RecordKey, network: &str, now: Millis) -> Result<u64> {
    memory.decoy_attempt(key, network, now).map_err(|retry_after| Error::Throttled { retry_after })
}

/// Waits until a password may be hashed.
async fn hash_turn(host: &impl Host, memory: &Memory) -> Result<()> {
    let wait = memory.hash_slot(host.now()).ok_or(Error::Throttled { retry_after: BUSY })?;
    if !wait.is_zero() {
        host.wait(wait).await;
    }
    Ok(())
}

async fn admit(host: &impl Host, key: &RecordKey, network: &str) -> Result<u64> {
    match host.attempt(key, network).await.map_err(gate_is_down)? {
        Admission::Admitted { attempt } => Ok(attempt),
        Admission::Refused { retry_after_ms } => {
            Err(Error::Throttled { retry_after: Duration::from_millis(retry_after_ms) })
        }
        Admission::Dead => Err(Error::Dead(Why::Revoked)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn gate_is_down(unreachable: Unreachable) -> Error {
    Error::Unavailable(format!("gate: {unreachable}"))
}

#[cfg(test)]
mod tests;
