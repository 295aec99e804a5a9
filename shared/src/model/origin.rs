//! Origins of sites that may frame an embed: `https://shop.example.com`, `http://localhost:3000`,
//! `https://*.example.com`. API.md 1.13, RELIABILITY.md B9 and F3.

use crate::error::Flaw;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// Most origins in one list.
pub const MAX_ORIGINS: usize = 20;
/// Any site.
const ANY: &str = "*";
/// Longest host name, in characters.
const MAX_HOST_CHARS: usize = 253;
/// Longest part of a host name.
const MAX_LABEL_CHARS: usize = 63;

/// A site, or all sites below a domain, in the one spelling in which browsers and content security policies write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

impl Origin {
    /// Reads an origin: scheme, host and port, nothing after them, lower case. A `*` is taken for the whole first label only, with
    /// two labels or more behind it. The scheme's own port is left out. No IPv6 address: security policies know none.
    ///
    /// # Errors
    /// What is wrong with it, in words for a caller.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const SHAPE: &str = "must be an origin such as https://shop.example.com or https://*.example.com";
        let (scheme, rest) = text.split_once("://").ok_or(SHAPE)?;
        let own_port = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err("must begin with https:// or http://"),
        };
        let (host, port) = split_port(rest).ok_or(SHAPE)?;
        if !is_host(host) {
            return Err(SHAPE);
        }
        let port = port.filter(|port| *port != own_port).map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self(format!("{scheme}://{host}{port}")))
    }

    /// Is this the origin of a page, as its browser says it, or one below it? `null` never is.
    pub fn admits(&self, origin: &str) -> bool {
        match self.0.split_once('*') {
            None => self.0 == origin,
            Some((scheme, domain)) => origin
                .strip_prefix(scheme)
                .and_then(|host| host.strip_suffix(domain))
                .is_some_and(|below| !below.is_empty() && below.split('.').all(is_label)),
        }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Origin {
    type Error = &'static str;

    /// From a store or a record of ours, where `*` may stand too.
    fn try_from(text: String) -> Result<Self, &'static str> {
        if text == ANY { Ok(Self(text)) } else { Self::parse(&text) }
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

/// As [`parse_all`], of those that may frame a link's page: `*` alone means any site.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_all_or_any(texts: &[String], pointer: &str) -> Result<Vec<Origin>, Vec<Flaw>> {
    match texts {
        [any] if any == ANY => Ok(vec![Origin(ANY.to_owned())]),
        _ => parse_all(texts, pointer),
    }
}

/// Reads a list, each origin once; places are below `pointer`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_all(texts: &[String], pointer: &str) -> Result<Vec<Origin>, Vec<Flaw>> {
    if texts.len() > MAX_ORIGINS {
        return Err(vec![Flaw::new(pointer, "must have at most 20 items")]);
    }
    let (mut origins, mut flaws) = (Vec::new(), Vec::new());
    for (at, text) in texts.iter().enumerate() {
        match Origin::parse(text) {
            Ok(origin) if origins.contains(&origin) => {}
            Ok(origin) => origins.push(origin),
            Err(message) => flaws.push(Flaw::new(format!("{pointer}/{at}"), message)),
        }
    }
    if flaws.is_empty() { Ok(origins) } else { Err(flaws) }
}

fn split_port(rest: &str) -> Option<(&str, Option<u16>)> {
    let Some((host, digits)) = rest.split_once(':') else { return Some((rest, None)) };
    let port: u16 = digits.parse().ok()?;
    (port > 0 && port.to_string() == digits).then_some((host, Some(port)))
}

fn is_host(host: &str) -> bool {
    let (domain, is_wild) = match host.strip_prefix("*.") {
        Some(domain) => (domain, true),
        None => (host, false),
    };
    let labels: Vec<&str> = domain.split('.').collect();
    // What browsers read as an IPv4 address.
    let is_numeric = labels
        .last()
        .is_some_and(|last| last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit()));
    host.len() <= MAX_HOST_CHARS
        && labels.iter().all(|label| is_label(label))
        && (!is_wild || labels.len() >= 2)
        && (!is_numeric || (!is_wild && domain.parse::<Ipv4Addr>().is_ok()))
}

fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL_CHARS).contains(&label.len())
        && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn origins_have_one_spelling() {
        for (text, canonical) in [
            ("https://shop.example.com", "https://shop.example.com"),
            ("https://shop.example.com:443", "https://shop.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("https://*.example.com", "https://*.example.com"),
            ("https://xn--mnchen-3ya.de", "https://xn--mnchen-3ya.de"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().as_str(), canonical);
        }
    }

    #[test]
    fn paths_wildcards_and_other_schemes_are_refused() {
        for text in [
            "",
            "*",
            "null",
            "https://",
            "https://*",
            "https://*.com",
            "https://*example.com",
            "https://a.*.example.com",
            "https://shop.*",
            "https://*.*.example.com",
            "https://*.1.2.3.4",
            "https://example.com/",
            "https://example.com/path",
            "https://example.com?x",
            "https://example.com#x",
            "https://user@example.com",
            "https://Example.com",
            "https://example.com:0",
            "https://example.com:65536",
            "https://example.com:080",
            "https://example.com:",
            "https://example..com",
            "https://-example.com",
            "https://1.2.3",
            "https://1.2.3.256",
            "https://[::1]",
            "http://[::1]:8080",
            "https://foo.0x1",
            "https://münchen.de",
            "https://example.com; script-src *",
            "https://example.com https://evil.example",
            "ftp://example.com",
            "javascript://example.com",
            "HTTPS://example.com",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_page_is_admitted_by_its_exact_origin_or_from_below_a_wildcard() {
        let check = |pattern: &str, origin: &str, expected: bool| {
            assert_eq!(Origin::parse(pattern).unwrap().admits(origin), expected, "{pattern} {origin}");
        };
        check("https://example.com", "https://example.com", true);
        check("https://example.com", "http://example.com", false);
        check("https://example.com", "https://example.com:8443", false);
        check("https://example.com", "https://example.com.evil.example", false);
        check("https://example.com", "https://evil-example.com", false);
        check("https://example.com", "null", false);
        check("https://*.example.com", "https://a.example.com", true);
        check("https://*.example.com", "https://a.b.example.com", true);
        check("https://*.example.com", "https://example.com", false);
        check("https://*.example.com", "https://.example.com", false);
        check("https://*.example.com", "https://evil.com/.example.com", false);
        check("https://*.example.com", "https://a.example.com:444", false);
        check("https://*.example.com:444", "https://a.example.com:444", true);
        check("https://*.example.com", "https://aexample.com", false);
    }

    #[test]
    fn lists_name_each_mistake_and_keep_each_origin_once() {
        let list = |texts: &[&str]| {
            parse_all(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), "/allowed_origins")
        };
        assert_eq!(list(&["https://a.com", "https://a.com:443"]).unwrap().len(), 1);
        let flaws = list(&["https://a.com", "https://a.com/x", "b"]).unwrap_err();
        let places: Vec<_> = flaws.iter().map(|flaw| flaw.pointer.as_str()).collect();
        assert_eq!(places, ["/allowed_origins/1", "/allowed_origins/2"]);
        assert!(list(&["https://a.com"; 21]).is_err());
        assert!(list(&["*"]).is_err());
        let any = |texts: &[&str]| {
            parse_all_or_any(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), "")
        };
        assert_eq!(any(&["*"]).unwrap()[0].as_str(), "*");
        assert!(any(&["*", "https://a.com"]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_read_can_stand_in_a_header(text in "https?://[*a-zA-Z0-9.:\\[\\]/;,' -]{0,40}|.{0,40}") {
            if let Ok(origin) = Origin::parse(&text) {
                prop_assert!(origin.as_str().bytes().all(|byte| byte.is_ascii_graphic() && !b"\"',;()/\\".contains(&byte)
                    || byte == b'/'), "{}", origin.as_str());
                prop_assert_eq!(Origin::parse(origin.as_str()), Ok(origin));
            }
        }
    }
}
