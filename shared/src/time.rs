//! Instants as whole milliseconds since 1970, UTC: what records, rows and claims hold.
//! RFC 3339 exists only at the edges of the API.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// Reads RFC 3339 with any offset; digits below a millisecond are cut.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let instant: jiff::Timestamp = text.parse().ok()?;
        Some(Self(instant.as_millisecond()))
    }

    /// `2026-11-21T09:00:00.000Z`, as every dialect shows instants.
    pub fn to_rfc3339(self) -> String {
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let (date, time) = {
            let civil = jiff::tz::Offset::UTC.to_datetime(instant);
            (civil.date(), civil.time())
        };
        // By hand: jiff's own printer would be a tenth of the Worker.
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            date.year(),
            date.month(),
            date.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.millisecond()
        )
    }

    /// This instant and `duration` after it; saturates.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Is this `YYYY-MM-DD` of the proleptic Gregorian calendar, years 0001 to 9999?
pub fn is_civil_date(text: &str) -> bool {
    // Digits by hand: jiff's own parser would be a tenth of the Worker. The calendar is jiff's.
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text.as_bytes() else { return false };
    let number = |digits: &[&u8]| {
        digits.iter().try_fold(0_i16, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i16::from(**digit - b'0'))
        })
    };
    let parts = (number(&[y0, y1, y2, y3]), number(&[m0, m1]), number(&[d0, d1]));
    let (Some(year @ 1..), Some(month), Some(day)) = parts else { return false };
    // Two digits fit.
    let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else { return false };
    jiff::civil::Date::new(year, month, day).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_with_milliseconds_and_z() {
        assert_eq!(Millis(1_730_538_900_000).to_rfc3339(), "2024-11-02T09:15:00.000Z");
        assert_eq!(Millis(1_730_538_900_007).to_rfc3339(), "2024-11-02T09:15:00.007Z");
        assert_eq!(Millis(-1).to_rfc3339(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn instants_are_read_with_any_offset() {
        assert_eq!(Millis::parse_rfc3339("2024-11-02T10:15:00+01:00"), Some(Millis(1_730_538_900_000)));
        assert_eq!(Millis::parse_rfc3339("2024-11-02"), None);
        assert_eq!(Millis::parse_rfc3339("tomorrow"), None);
    }

    #[test]
    fn only_real_days_are_dates() {
        for good in ["2024-02-29", "0001-01-01", "9999-12-31"] {
            assert!(is_civil_date(good), "{good}");
        }
        for bad in [
            "2023-02-29",
            "2024-13-01",
            "2024-1-1",
            "20240101",
            "2024-01-01T00:00",
            "0000-01-01",
            "",
            "２０２４-01-01",
        ] {
            assert!(!is_civil_date(bad), "{bad}");
        }
    }
}
