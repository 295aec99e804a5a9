//! E-mail addresses and domains of people who are invited: compared by their exact bytes, once both are written in one way
//! (RELIABILITY.md D6). Only ASCII is taken, so that no letter stands for one that looks alike.

use crate::{Error, Result};
use email_address::{EmailAddress, Options};
use serde::Serialize;
use std::fmt;

/// Longest address, in bytes (RFC 5321, 4.5.3.1.3 without its brackets).
pub const MAX_ADDRESS_BYTES: usize = 254;
/// Longest domain, in bytes.
pub const MAX_DOMAIN_BYTES: usize = 253;

/// An address in lower case: `name@example.com`. Mail goes to it and to nothing else that somebody typed. `Debug` shows its domain
/// alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Address(String);

/// A domain in lower case, of at least two labels. Its subdomains are others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Domain(String);

impl Address {
    /// Reads an address that somebody typed: case and surrounding white space do not matter, everything else does. Quoted names,
    /// comments, addresses of hosts by number and letters beyond ASCII are none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > MAX_ADDRESS_BYTES || !text.is_ascii() || text.contains(['"', '(', ')']) {
            return None;
        }
        let options = Options::default().without_display_text().without_domain_literal();
        let parsed = EmailAddress::parse_with_options(text, options).ok()?;
        Domain::parse(parsed.domain())?;
        Some(Self(text.to_ascii_lowercase()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address(..@{})", self.domain())
    }
}

impl Domain {
    /// Reads a domain: labels of letters, digits and inner hyphens, the last one not a number.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let (_, last) = text.rsplit_once('.')?;
        let fits = text.len() <= MAX_DOMAIN_BYTES
            && text.split('.').all(is_label)
            && !last.bytes().all(|byte| byte.is_ascii_digit());
        fits.then_some(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who may be in a context: one person, or whoever has an address at a domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invited {
    /// One person.
    Person(Address),
    /// Everybody with an address at exactly this domain.
    Domain(Domain),
}

impl Invited {
    /// Reads what was typed for a person.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `pointer`.
    pub fn person(text: &str, pointer: &str) -> Result<Self> {
        let message = "must be an e-mail address of ASCII letters, such as name@example.com";
        Address::parse(text).map(Self::Person).ok_or_else(|| Error::invalid(pointer, message))
    }

    /// Reads what was typed for a domain.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `pointer`.
    pub fn domain(text: &str, pointer: &str) -> Result<Self> {
        let message = "must be a domain of ASCII letters, such as example.com";
        Domain::parse(text).map(Self::Domain).ok_or_else(|| Error::invalid(pointer, message))
    }

    /// The text of either.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Person(address) => address.as_str(),
            Self::Domain(domain) => domain.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_and_white_space_around_do_not_matter() {
        for text in ["customer@company.com", " Customer@Company.COM\n", "CUSTOMER@company.com"] {
            assert_eq!(Address::parse(text).unwrap().as_str(), "customer@company.com", "{text:?}");
        }
    }

    #[test]
    fn everything_else_does() {
        let plain = Address::parse("customer@company.com");
        for other in [
            "customer+a@company.com",
            "cust.omer@company.com",
            "customer@mail.company.com",
            "customer@company.co",
        ] {
            assert_ne!(Address::parse(other), plain, "{other}");
            assert!(Address::parse(other).is_some(), "{other}");
        }
    }

    #[test]
    fn what_is_no_plain_address_is_none() {
        let long = format!("{}@company.com", "x".repeat(65));
        let longer = format!("a@{}.com", "x.".repeat(130));
        for bad in [
            "",
            "@",
            "customer",
            "customer@",
            "@company.com",
            "customer@company",
            "customer@localhost",
            "a@b@company.com",
            "customer@company..com",
            ".customer@company.com",
            "customer.@company.com",
            "cus tomer@company.com",
            "customer@[127.0.0.1]",
            "customer@127.0.0.1",
            "\"customer\"@company.com",
            "customer(x)@company.com",
            "Customer <customer@company.com>",
            "customer@company.com, other@company.com",
            "customer@company.com\r\nBcc: other@company.com",
            "customer\0@company.com",
            "\u{441}ustomer@company.com",
            "customer@c\u{43e}mpany.com",
            "custom\u{e9}r@company.com",
            "customer@company.com\u{200b}",
            "customer\u{ff20}company.com",
            "customer@-company.com",
            "customer@company-.com",
            &long,
            &longer,
        ] {
            assert_eq!(Address::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn domains_are_bounded() {
        assert_eq!(Domain::parse(" Company.COM ").unwrap().as_str(), "company.com");
        assert_eq!(Address::parse("a@Company.com").unwrap().domain(), "company.com");
        for bad in
            ["", "com", ".com", "a..com", "a.com.", "*.com", "a_b.com", "1.2.3.4", "\u{e4}.com", "a@b.com"]
        {
            assert_eq!(Domain::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn debug_tells_no_name() {
        assert_eq!(
            format!("{:?}", Address::parse("customer@company.com").unwrap()),
            "Address(..@company.com)"
        );
    }

    proptest! {
        #[test]
        fn what_is_read_reads_again_as_itself(text in "\\PC{0,40}@\\PC{0,40}") {
            if let Some(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(address.as_str()), Some(address.clone()));
                prop_assert!(address.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
