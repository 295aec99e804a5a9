//! Ranges of bytes (RFC 9110, 14): one of a `Range` header, or none.

use http_range_header::parse_range_header;
use std::ops::RangeInclusive;

/// Longest header that is read, in bytes.
const MAX_BYTES: usize = 64;

/// What a header asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All: it names no range, or several at once (RELIABILITY G9).
    Whole,
    /// A part that is there.
    Part(RangeInclusive<u64>),
    /// A part that is not there.
    Nothing,
}

/// Reads a `Range` header that asks for something of so many bytes.
pub fn wanted(header: Option<&str>, bytes: u64) -> Wanted {
    let one = header.filter(|header| header.len() <= MAX_BYTES && !header.contains(','));
    let Some(ranges) = one.and_then(|header| parse_range_header(header).ok()) else { return Wanted::Whole };
    match ranges.validate(bytes).map(|mut ranges| ranges.pop()) {
        Ok(Some(range)) => Wanted::Part(range),
        Ok(None) => Wanted::Whole,
        Err(_) => Wanted::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_range_is_read_and_all_else_is_none() {
        let read = |header: &str| wanted(Some(header), 100);
        assert_eq!(read("bytes=0-9"), Wanted::Part(0..=9));
        assert_eq!(read("bytes=90-"), Wanted::Part(90..=99));
        assert_eq!(read("bytes=-10"), Wanted::Part(90..=99));
        assert_eq!(read("bytes=5-4611686018427387904"), Wanted::Part(5..=99));
        assert_eq!(read("bytes=100-"), Wanted::Nothing);
        for none in
            ["", "bytes", "bytes=", "tiles=0-1", "bytes=0-1,5-6", "bytes=x-9", "bytes=1e1-", &"9".repeat(65)]
        {
            assert_eq!(read(none), Wanted::Whole, "{none}");
        }
        assert_eq!(wanted(None, 100), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn a_range_lies_within(header in "(bytes=)?[-0-9, ]{0,24}", bytes in 1_u64..1_000) {
            if let Wanted::Part(range) = wanted(Some(&header), bytes) {
                prop_assert!(range.start() <= range.end() && *range.end() < bytes);
            }
        }
    }
}
