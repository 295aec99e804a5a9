//! Keys are compared in parts, cut by their first hex digits, so that an interrupted run loses one part at most. Few
//! tokens are one part: each part costs a call at least.

/// From so many tokens on there are 16 parts, and from so many on 256.
const SIXTEEN: u64 = 20_000;
const ALL: u64 = 2_000_000;

/// Hex digits by which so many tokens are cut.
pub(crate) const fn digits(tokens: u64) -> u32 {
    match tokens {
        0..SIXTEEN => 0,
        SIXTEEN..ALL => 1,
        ALL.. => 2,
    }
}

/// How many parts there are.
pub(crate) const fn count(digits: u32) -> u32 {
    16_u32.saturating_pow(digits)
}

/// What all keys of a part begin with.
pub(crate) fn prefix(digits: u32, part: u32) -> String {
    match digits {
        0 => String::new(),
        digits => format!("{part:0width$x}", width = usize::try_from(digits).unwrap_or_default()),
    }
}

/// Greater than all record keys of a part, and not greater than those of the next.
pub(crate) fn end(prefix: &str) -> String {
    format!("{prefix}g")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_each_key_once() {
        for (tokens, parts) in
            [(0, 1), (19_999, 1), (20_000, 16), (1_000_000, 16), (2_000_000, 256), (u64::MAX, 256)]
        {
            let digits = digits(tokens);
            assert_eq!(count(digits), parts);
            let prefixes: Vec<_> = (0..parts).map(|part| prefix(digits, part)).collect();
            assert!(prefixes.is_sorted());
            for key in ["0".repeat(32), "9af3".repeat(8), "a0".repeat(16), "f".repeat(32)] {
                let within = |prefix: &&String| key.starts_with(prefix.as_str());
                assert_eq!(prefixes.iter().filter(within).count(), 1);
                let between = |prefix: &&String| key > **prefix && key < end(prefix);
                assert_eq!(prefixes.iter().filter(between).count(), 1, "{key}");
            }
        }
    }
}
