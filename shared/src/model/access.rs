//! THE access decision: may this record be opened now? Start reading here.
//!
//! Every surface asks this one function; what it refuses looks the same from outside, whatever the
//! reason ([`crate::error::Why`] is for the log).

use crate::error::Why;
use crate::replica::{Live, Record};
use crate::time::Millis;

/// Decides whether a record opens at `now`, by the edge's clock only.
///
/// # Errors
/// Why it does not.
pub fn decide(record: &Record, now: Millis) -> Result<&Live, Why> {
    let live = record.live.as_ref().ok_or(Why::Revoked)?;
    match live.share.expires_at {
        Some(expires_at) if now >= expires_at => Err(Why::Expired),
        _ => Ok(live),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::tests::live_record;

    #[test]
    fn a_live_record_opens() {
        assert!(decide(&live_record(1), Millis(0)).is_ok());
    }

    #[test]
    fn a_tombstone_opens_nothing() {
        assert_eq!(decide(&Record::tombstone(2), Millis(0)).err(), Some(Why::Revoked));
    }

    #[test]
    fn expiry_is_exact_to_the_millisecond() {
        let mut record = live_record(1);
        record.live.as_mut().unwrap().share.expires_at = Some(Millis(1_000));
        assert!(decide(&record, Millis(999)).is_ok());
        assert_eq!(decide(&record, Millis(1_000)).err(), Some(Why::Expired));
        assert_eq!(decide(&record, Millis(1_001)).err(), Some(Why::Expired));
    }
}
