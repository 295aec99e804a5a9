//! Types of a column of texts: the narrowest that all its cells fit. What would not come back as it was, such as `007` or a number
//! of thirty digits, stays text.

use super::table::Kind;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use shared::call::ColumnType;
use shared::time::is_civil_date;

/// A number with more digits does not survive as a 64-bit float.
const MAX_DIGITS: usize = 15;

/// What a column's cells may still be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guess {
    boolean: bool,
    integer: bool,
    number: bool,
    date: bool,
    instant: bool,
    local: bool,
    seen: bool,
}

impl Default for Guess {
    fn default() -> Self {
        let all = true;
        Self { boolean: all, integer: all, number: all, date: all, instant: all, local: all, seen: false }
    }
}

impl Guess {
    /// Looks at a cell that is not empty.
    pub(super) fn see(&mut self, cell: &str) {
        self.seen = true;
        self.boolean = self.boolean && boolean(cell).is_some();
        self.integer = self.integer && integer(cell).is_some();
        self.number = self.number && number(cell).is_some();
        self.date = self.date && is_civil_date(cell);
        if self.instant || self.local {
            let moment = moment(cell);
            self.instant = self.instant && moment.as_ref().is_some_and(|(_, zoned)| *zoned);
            self.local = self.local && moment.is_some_and(|(_, zoned)| !zoned);
        }
    }

    /// What they all are.
    pub(super) const fn kind(self) -> Kind {
        let zoned = self.instant;
        let column_type = match self {
            Self { seen: false, .. } => ColumnType::Text,
            Self { boolean: true, .. } => ColumnType::Boolean,
            Self { integer: true, .. } => ColumnType::Integer,
            Self { number: true, .. } => ColumnType::Number,
            Self { date: true, .. } => ColumnType::Date,
            Self { instant: true, .. } | Self { local: true, .. } => ColumnType::Timestamp,
            _ => ColumnType::Text,
        };
        Kind { column_type, zoned: zoned && matches!(column_type, ColumnType::Timestamp) }
    }
}

/// `true` or `false`, in any case.
pub(super) fn boolean(cell: &str) -> Option<bool> {
    [("true", true), ("false", false)]
        .into_iter()
        .find(|(word, _)| cell.eq_ignore_ascii_case(word))
        .map(|(_, truth)| truth)
}

/// Digits without a leading zero, with a minus or without, of 64 bits.
pub(super) fn integer(cell: &str) -> Option<i64> {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let leading = digits.len() > 1 && digits.starts_with('0');
    (plain && !leading && cell != "-0").then(|| cell.parse().ok()).flatten()
}

/// A number as JSON writes it, of at most [`MAX_DIGITS`] digits that tell something, and finite.
pub(super) fn number(cell: &str) -> Option<f64> {
    let unsigned = cell.strip_prefix('-').unwrap_or(cell);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (unsigned.get(..at)?, unsigned.get(at + 1..)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    let well_formed = digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits);
    let telling = mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
    (well_formed && telling <= MAX_DIGITS)
        .then(|| cell.parse::<f64>().ok())
        .flatten()
        .filter(|value| value.is_finite())
}

/// A timestamp as it is stored: `YYYY-MM-DDThh:mm:ss` and what is left of a fraction without its last zeros, in UTC when the
/// second of the answer says that an offset or `Z` stood behind it.
pub(super) fn moment(cell: &str) -> Option<(String, bool)> {
    let (date, rest) = cell.split_at_checked(10)?;
    if !is_civil_date(date) || !rest.starts_with(['T', ' ', 't']) {
        return None;
    }
    let rest = rest.get(1..)?;
    let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(zone_at);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let clock = match clock.len() {
        5 => format!("{clock}:00"),
        8 => clock.to_owned(),
        _ => return None,
    };
    let fraction_is_good = fraction.len() <= 6
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && (!fraction.is_empty() || !time.contains('.'));
    let (hours, minutes, seconds) = (two(&clock, 0)?, two(&clock, 3)?, two(&clock, 6)?);
    let colons = clock.as_bytes().get(2) == Some(&b':') && clock.as_bytes().get(5) == Some(&b':');
    if !fraction_is_good || !colons || hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let tail = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    let offset_minutes = match zone {
        "" | "Z" | "z" => 0,
        other => offset(other)?,
    };
    if offset_minutes == 0 {
        return Some((format!("{date}T{clock}{tail}"), !zone.is_empty()));
    }
    let (year, month, day) = (date.get(..4)?.parse().ok()?, two(date, 5)?, two(date, 8)?);
    let local = DateTime::new(year, month, day, hours, minutes, seconds, 0).ok()?;
    let instant = Offset::from_seconds(offset_minutes * 60).ok()?.to_timestamp(local).ok()?;
    let utc = Offset::UTC.to_datetime(instant);
    (1..=9_999).contains(&utc.year()).then(|| (format!("{}{tail}", utc.strftime("%Y-%m-%dT%H:%M:%S")), true))
}

/// Minutes of `+hh:mm`, `+hhmm` or `+hh`.
fn offset(zone: &str) -> Option<i32> {
    let (sign, digits) = zone.split_at_checked(1)?;
    let hours = i32::from(two(digits, 0)?);
    let minutes = match digits.len() {
        2 => 0,
        4 => i32::from(two(digits, 2)?),
        5 if digits.as_bytes().get(2) == Some(&b':') => i32::from(two(digits, 3)?),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then_some((hours * 60 + minutes) * if sign == "-" { -1 } else { 1 })
}

/// Two digits at a place.
fn two(text: &str, at: usize) -> Option<i8> {
    let digits = text.get(at..at + 2)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kind(cells: &[&str]) -> (ColumnType, bool) {
        let mut guess = Guess::default();
        cells.iter().for_each(|cell| guess.see(cell));
        let kind = guess.kind();
        (kind.column_type, kind.zoned)
    }

    #[test]
    fn a_column_is_the_narrowest_that_all_cells_fit() {
        use ColumnType::{Boolean, Date, Integer, Number, Text, Timestamp};
        for (cells, expected) in [
            (&[][..], Text),
            (&["1", "-20", "9223372036854775807"], Integer),
            (&["1", "9223372036854775808"], Text),
            (&["1", "2.5", "-1e9", "0"], Number),
            (&["1", "x"], Text),
            (&["007"], Text),
            (&["-0"], Number),
            (&["+1"], Text),
            (&["1,5"], Text),
            (&["NaN"], Text),
            (&["1e999"], Text),
            (&["0.1234567890123456789"], Text),
            (&["0x10"], Text),
            (&[" 1"], Text),
            (&["true", "FALSE"], Boolean),
            (&["true", "1"], Text),
            (&["2024-02-29", "0001-01-01"], Date),
            (&["2023-02-29"], Text),
            (&["2024-01-01", "2024-01-01T00:00"], Text),
            (&["2024-01-01 10:00", "2024-01-01T10:00:00.25"], Timestamp),
            (&["2024-01-01T10:00:00Z", "2024-01-01 10:00+0200"], Timestamp),
            (&["2024-01-01T10:00:00Z", "2024-01-01T10:00:00"], Text),
            (&["2024-01-01T24:00:00Z"], Text),
            (&["2024-01-01T10:00:00.1234567"], Text),
        ] {
            assert_eq!(kind(cells).0, expected, "{cells:?}");
        }
        assert!(kind(&["2024-01-01T10:00:00Z"]).1);
        assert!(!kind(&["2024-01-01T10:00:00"]).1);
    }

    #[test]
    fn instants_are_in_utc() {
        for (cell, stored) in [
            ("2024-01-01T00:30:00+02:00", "2023-12-31T22:30:00"),
            ("2024-01-01 00:30-05", "2024-01-01T05:30:00"),
            ("2024-01-01T00:30:00.500Z", "2024-01-01T00:30:00.5"),
        ] {
            assert_eq!(moment(cell), Some((stored.to_owned(), true)), "{cell}");
        }
        assert_eq!(moment("0001-01-01T00:00:00+02:00"), None, "before the first year");
    }

    proptest! {
        #[test]
        fn what_is_a_number_comes_back(value in any::<i64>(), float in -1e12..1e12_f64) {
            prop_assert_eq!(integer(&value.to_string()), Some(value));
            let rounded = format!("{float:.2}");
            prop_assert_eq!(number(&rounded), rounded.parse().ok());
        }

        #[test]
        fn nothing_makes_it_fail(cell in "\\PC{0,40}") {
            let mut guess = Guess::default();
            guess.see(&cell);
            let _ = guess.kind();
        }

        #[test]
        fn stored_instants_sort_as_instants_do(a in 0..4_000_000_000_i64, b in 0..4_000_000_000_i64, fa in 0..1_000_000, fb in 0..1_000_000) {
            let text = |seconds: i64, micros: i32| {
                let instant = jiff::Timestamp::new(seconds, micros * 1_000).unwrap();
                moment(&instant.to_string()).unwrap().0
            };
            prop_assert_eq!(text(a, fa).cmp(&text(b, fb)), (a, fa).cmp(&(b, fb)));
        }
    }
}
