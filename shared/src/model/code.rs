//! One-time codes by e-mail: eight digits, written `1234-5678`, ten minutes, five tries (hole 1.m). One service for whatever asks
//! for codes (X14).
//!
//! A code is derived from the key and the row that stands for it, as tokens are: no store holds one, nor anything that it could be
//! guessed from.

use super::address::Address;
use super::key::Keys;
use super::pace::Rule;
use std::fmt;
use std::time::Duration;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// How long a code may be used.
pub const LIFE: Duration = Duration::from_mins(10);
/// Most codes that are compared with what was typed, right or wrong.
pub const MAX_TRIES: u32 = 5;
/// Codes that one address of an organization is sent (RELIABILITY.md D1).
pub const SENDING: [Rule; 3] = [
    Rule { within: Duration::from_secs(30), most: 1 },
    Rule { within: Duration::from_hours(1), most: 5 },
    Rule { within: Duration::from_hours(24), most: 10 },
];
/// Mails that an organization has sent, of every kind: somebody may ask for codes for any address of a domain that is a member.
pub const MAILING: [Rule; 1] = [Rule { within: Duration::from_hours(1), most: 500 }];
/// Codes that are asked for from one network, whoever is meant.
pub const ASKING: [Rule; 1] = [Rule { within: Duration::from_mins(1), most: 10 }];
/// Codes that are typed from one network.
pub const TYPING: [Rule; 1] = [Rule { within: Duration::from_mins(1), most: 60 }];
/// Digits of a code.
const DIGITS: usize = 8;
/// One more than the largest code.
const CODES: u64 = 100_000_000;

/// A code's digits. `Debug` shows none of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Code([u8; DIGITS]);

/// What a code opens, and for whom: a code for one thing is none for another.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The organization whose portal it is.
    pub organization: Uuid,
    /// Whom it was sent to.
    pub address: &'a Address,
}

impl Code {
    /// The code that a row of this id and random nonce stands for.
    pub fn derive(keys: &Keys, id: Uuid, nonce: &[u8; 16], subject: Subject<'_>) -> Self {
        let (organization, address) = (subject.organization.as_bytes(), subject.address.as_str().as_bytes());
        let mac = keys.code.mac(&[b"portal", organization, address, id.as_bytes(), nonce]);
        let mut number = mac.first_chunk().map_or(0, |eight| u64::from_be_bytes(*eight));
        // 2^64 is 1.8e11 times as many as there are codes: none is likelier than another.
        number %= CODES;
        let mut digits = [b'0'; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit += u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
        Self(digits)
    }

    /// Reads what somebody typed: eight digits, with spaces and hyphens wherever they like.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 4 * DIGITS {
            return None;
        }
        let mut typed = text.chars().filter(|letter| !matches!(letter, ' ' | '-' | '\t' | '\u{a0}'));
        let mut digits = [0; DIGITS];
        for digit in &mut digits {
            *digit =
                typed.next().filter(char::is_ascii_digit).and_then(|letter| u8::try_from(letter).ok())?;
        }
        typed.next().is_none().then_some(Self(digits))
    }

    /// Compares in constant time.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// `1234-5678`, for the mail.
    pub fn shown(&self) -> String {
        let (left, right) = self.0.split_at(DIGITS / 2);
        let text = |half: &[u8]| half.iter().map(|digit| char::from(*digit)).collect::<String>();
        format!("{}-{}", text(left), text(right))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Code(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::RootKey;

    fn keys() -> Keys {
        Keys::derive(
            &RootKey::parse("9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41").unwrap(),
        )
    }

    fn code(id: u128, nonce: u8, organization: u128, address: &str) -> Code {
        let address = Address::parse(address).unwrap();
        let subject = Subject { organization: Uuid::from_u128(organization), address: &address };
        Code::derive(&keys(), Uuid::from_u128(id), &[nonce; 16], subject)
    }

    #[test]
    fn a_code_is_pinned_and_bound_to_all_that_it_is_for() {
        let own = code(1, 1, 1, "a@b.com");
        assert_eq!(own.shown().len(), 9);
        assert_eq!(own, code(1, 1, 1, "A@B.com"));
        for other in [
            code(2, 1, 1, "a@b.com"),
            code(1, 2, 1, "a@b.com"),
            code(1, 1, 2, "a@b.com"),
            code(1, 1, 1, "b@b.com"),
        ] {
            assert!(!own.is(&other));
        }
    }

    #[test]
    fn a_code_is_read_however_it_is_grouped() {
        let code = Code::parse("1234-5678").unwrap();
        for text in
            ["12345678", "1234 5678", " 1234-5678 ", "12 34 56 78", "1234\u{a0}5678", "1-2-3-4-5-6-7-8"]
        {
            assert!(Code::parse(text).unwrap().is(&code), "{text}");
        }
        assert_eq!(code.shown(), "1234-5678");
        for bad in
            ["", "1234567", "123456789", "1234-567x", "1234_5678", "\u{661}2345678", "+1234567", "1234.5678"]
        {
            assert_eq!(Code::parse(bad), None, "{bad}");
        }
        assert_eq!(Code::parse(&" ".repeat(1_000)), None);
        assert_eq!(format!("{code:?}"), "Code(..)");
    }

    #[test]
    fn codes_use_every_digit_everywhere() {
        let codes: Vec<_> = (0..2_000).map(|id| code(id, 7, 1, "a@b.com").shown()).collect();
        for place in (0..9).filter(|place| *place != 4) {
            for digit in b'0'..=b'9' {
                let times = codes.iter().filter(|code| code.as_bytes()[place] == digit).count();
                assert!((120..=290).contains(&times), "{} at {place}: {times} of 2000", char::from(digit));
            }
        }
    }
}
