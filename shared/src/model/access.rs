//! THE access decision: may this record be opened now, by whoever holds this grant? Start reading here.
//!
//! Every surface asks these functions; whatever is dead looks the same from outside, whatever the
//! reason ([`crate::error::Why`] is for the log).

use super::grant::Grant;
use crate::error::Why;
use crate::replica::{Live, Record};
use crate::time::Millis;
use crate::{Error, Result};

/// Decides whether a record opens at `now`, by the edge's clock only, for a visitor with this grant. `spent` says that
/// the token was opened as often as it may be: it goes on for those who hold a grant, and is dead to others.
///
/// # Errors
/// [`Error::Dead`], or [`Error::AuthRequired`] saying what the visitor must do.
pub fn decide<'r>(record: &'r Record, grant: Option<&Grant>, spent: bool, now: Millis) -> Result<&'r Live> {
    let live = alive(record, now).map_err(Error::Dead)?;
    let own = |grant: &&Grant| grant.share == live.share.id && grant.generation == live.share.generation;
    match live.protection.admits(grant.filter(own)) {
        Ok(()) => Ok(live),
        Err(_) if spent => Err(Error::Dead(Why::Spent)),
        Err(need) => Err(Error::AuthRequired(need)),
    }
}

/// Is there anything to open at `now`, for whoever can prove that they may?
///
/// # Errors
/// Why not.
pub fn alive(record: &Record, now: Millis) -> Result<&Live, Why> {
    let live = record.live.as_ref().ok_or(Why::Revoked)?;
    in_time(live.share.not_before, live.share.expires_at, now)?;
    Ok(live)
}

/// Has a share begun at `now`, and not yet ended?
///
/// # Errors
/// Why not.
pub fn in_time(not_before: Option<Millis>, expires_at: Option<Millis>, now: Millis) -> Result<(), Why> {
    if not_before.is_some_and(|begin| now < begin) {
        return Err(Why::Early);
    }
    if expires_at.is_some_and(|end| now >= end) {
        return Err(Why::Expired);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::protection::{Need, Protection};
    use crate::replica::tests::live_record;
    use uuid::Uuid;

    fn with(change: impl FnOnce(&mut Live)) -> Record {
        let mut record = live_record(1);
        change(record.live.as_mut().unwrap());
        record
    }

    fn counted() -> Record {
        with(|live| {
            live.protection = Protection { version: 4, max_access_count: Some(1), ..Protection::default() }
        })
    }

    fn grant(share: u128, generation: u64, version: u64) -> Grant {
        Grant { share: Uuid::from_u128(share), generation, version }
    }

    #[test]
    fn a_live_record_opens() {
        assert!(decide(&live_record(1), None, false, Millis(0)).is_ok());
    }

    #[test]
    fn a_tombstone_opens_nothing_for_nobody() {
        let tombstone = Record::tombstone(2);
        let refused = decide(&tombstone, Some(&grant(2, 1, 0)), false, Millis(0));
        assert_eq!(refused.err(), Some(Error::Dead(Why::Revoked)));
    }

    #[test]
    fn beginning_and_end_are_exact_to_the_millisecond() {
        let record = with(|live| {
            live.share.not_before = Some(Millis(500));
            live.share.expires_at = Some(Millis(1_000));
        });
        let why = |now| alive(&record, Millis(now)).err();
        assert_eq!(why(499), Some(Why::Early));
        assert_eq!(why(500), None);
        assert_eq!(why(999), None);
        assert_eq!(why(1_000), Some(Why::Expired));
        assert_eq!(why(1_001), Some(Why::Expired));
    }

    #[test]
    fn only_a_grant_of_this_share_generation_and_version_opens() {
        let record = counted();
        let asks = Some(Error::AuthRequired(Need::Opening));
        let refusal = |grant: Option<&Grant>| decide(&record, grant, false, Millis(0)).err();
        assert_eq!(refusal(Some(&grant(2, 1, 4))), None);
        assert_eq!(refusal(None), asks);
        assert_eq!(refusal(Some(&grant(3, 1, 4))), asks);
        assert_eq!(refusal(Some(&grant(2, 2, 4))), asks);
        assert_eq!(refusal(Some(&grant(2, 1, 3))), asks);
        assert_eq!(refusal(Some(&grant(2, 1, 5))), asks);
    }

    #[test]
    fn what_is_spent_is_dead_but_for_who_is_in() {
        let record = counted();
        assert!(decide(&record, Some(&grant(2, 1, 4)), true, Millis(0)).is_ok());
        assert_eq!(decide(&record, None, true, Millis(0)).err(), Some(Error::Dead(Why::Spent)));
    }
}
