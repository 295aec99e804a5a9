//! Tickets: short signed passes that stand in the paths of tiles, in the place of a token and a password. API.md 2.f.
//!
//! A ticket names the token's record, never the token, and is bound to its generation, the password's version and one profile of
//! one item: a rotation, a new password or another profile is no use to it. There are three kinds: for tiles and for an archive as
//! a whole, which live a quarter of an hour, and one that renews those for a day, which only a cookie of the page ever holds, so
//! that a map that was left open goes on when its tab wakes. None opens anything by itself: the record decides, as with a grant.

use super::grant::Grant;
use super::item::MAX_PROFILE_NAME;
use super::key::KeyRing;
use super::token::RecordKey;
use crate::time::Millis;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::time::Duration;
use uuid::Uuid;

/// How long tiles, or an archive, can be had by one ticket.
pub const LIFE: Duration = Duration::from_mins(15);
/// For how long after the password was given tickets are renewed.
pub const RENEWAL_LIFE: Duration = Duration::from_hours(24);

/// What a ticket is for. Signed, so that one kind never passes for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Tiles.
    Tiles,
    /// New tickets.
    Renewal,
    /// The archive that the tiles are of.
    Archive,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Tiles => 1,
            Self::Renewal => 2,
            Self::Archive => 3,
        }
    }

    const fn life(self) -> Duration {
        match self {
            Self::Tiles | Self::Archive => LIFE,
            Self::Renewal => RENEWAL_LIFE,
        }
    }
}

/// What a ticket says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Whose tiles.
    pub key: RecordKey,
    /// What its holder had proved when it was made.
    pub grant: Grant,
    /// The item; of a renewal, no item.
    pub item: Uuid,
    /// The profile, by name; of a renewal, empty.
    pub profile: String,
}

/// Of fixed length: kind, record key, share, generation, version, expiry, item.
const HEAD_BYTES: usize = 1 + 16 + 16 + 8 + 8 + 8 + 16;
const MAC_BYTES: usize = 16;
/// Longer texts are no tickets of ours, and are not read.
const MAX_CHARS: usize = (HEAD_BYTES + MAX_PROFILE_NAME + MAC_BYTES).div_ceil(3) * 4;

/// Makes a ticket. `None` for a record key or a profile that is none.
pub fn issue(ring: &KeyRing, kind: Kind, ticket: &Ticket, now: Millis) -> Option<String> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + MAX_PROFILE_NAME + MAC_BYTES);
    bytes.push(kind.byte());
    bytes.extend(hex::decode(ticket.key.as_str()).ok()?);
    bytes.extend(ticket.grant.share.as_bytes());
    bytes.extend(ticket.grant.generation.to_be_bytes());
    bytes.extend(ticket.grant.version.to_be_bytes());
    bytes.extend(now.plus(kind.life()).0.to_be_bytes());
    bytes.extend(ticket.item.as_bytes());
    bytes.extend(ticket.profile.as_bytes());
    if !(HEAD_BYTES..=HEAD_BYTES + MAX_PROFILE_NAME).contains(&bytes.len()) {
        return None;
    }
    let mac = ring.current.ticket.mac(&[&bytes]);
    bytes.extend(mac.get(..MAC_BYTES)?);
    Some(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Reads a ticket: only one of ours, of this kind, that is still alive. Costs no I/O.
pub fn verify(ring: &KeyRing, kind: Kind, text: &str, now: Millis) -> Option<Ticket> {
    if text.len() > MAX_CHARS {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    let (signed, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
    if !ring.iter().any(|keys| keys.ticket.verify(&[signed], mac)) {
        return None;
    }
    let mut rest = signed;
    let [own_kind] = take(&mut rest)?;
    let key: [u8; 16] = take(&mut rest)?;
    let share = Uuid::from_bytes(take(&mut rest)?);
    let generation = u64::from_be_bytes(take(&mut rest)?);
    let version = u64::from_be_bytes(take(&mut rest)?);
    let expires_at = Millis(i64::from_be_bytes(take(&mut rest)?));
    let item = Uuid::from_bytes(take(&mut rest)?);
    if own_kind != kind.byte() || now >= expires_at {
        return None;
    }
    Some(Ticket {
        key: RecordKey::parse(&hex::encode(key))?,
        grant: Grant { share, generation, version },
        item,
        profile: std::str::from_utf8(rest).ok()?.to_owned(),
    })
}

fn take<const BYTES: usize>(rest: &mut &[u8]) -> Option<[u8; BYTES]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOT: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";
    const OTHER: &str = "41b68e5df2ca1307b6948d5ea3f0c178625d3be9f410aac73658d0e17b4a2c9f";
    const NOW: Millis = Millis(1_700_000_000_000);

    fn ring() -> KeyRing {
        KeyRing::parse(ROOT, None).unwrap()
    }

    fn ticket() -> Ticket {
        Ticket {
            key: RecordKey::parse(&"a1".repeat(16)).unwrap(),
            grant: Grant { share: Uuid::from_u128(7), generation: 3, version: 2 },
            item: Uuid::from_u128(9),
            profile: "raster".into(),
        }
    }

    #[test]
    fn a_ticket_says_what_it_was_made_of_until_it_ends() {
        for (kind, life) in [(Kind::Tiles, 900_000), (Kind::Renewal, 86_400_000)] {
            let text = issue(&ring(), kind, &ticket(), NOW).unwrap();
            let at = |millis: i64| verify(&ring(), kind, &text, Millis(NOW.0 + millis));
            assert_eq!(at(0), Some(ticket()));
            assert_eq!(at(life - 1), Some(ticket()));
            assert_eq!(at(life), None);
        }
    }

    #[test]
    fn tickets_are_pinned() {
        let pinned = "AaGhoaGhoaGhoaGhoaGhoaEAAAAAAAAAAAAAAAAAAAAHAAAAAAAAAAMAAAAAAAAAAgAAAYvP8yOgAAAAAAAAAAAAAAAAAAAACXJhc3RlckBTK_YAemyTU_rWA94L1V0";
        assert_eq!(issue(&ring(), Kind::Tiles, &ticket(), NOW).unwrap(), pinned);
    }

    #[test]
    fn one_kind_is_not_the_other_and_another_root_key_none() {
        let text = issue(&ring(), Kind::Tiles, &ticket(), NOW).unwrap();
        assert_eq!(verify(&ring(), Kind::Renewal, &text, NOW), None);
        assert!(verify(&KeyRing::parse(OTHER, Some(ROOT)).unwrap(), Kind::Tiles, &text, NOW).is_some());
        assert!(verify(&KeyRing::parse(OTHER, None).unwrap(), Kind::Tiles, &text, NOW).is_none());
    }

    #[test]
    fn an_altered_or_cut_ticket_is_none() {
        let text = issue(&ring(), Kind::Tiles, &ticket(), NOW).unwrap();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).unwrap();
            if altered != text {
                assert_eq!(verify(&ring(), Kind::Tiles, &altered, NOW), None, "{at}");
            }
            assert_eq!(verify(&ring(), Kind::Tiles, &text[..at], NOW), None, "{at}");
        }
        let long = Ticket { profile: "a".repeat(33), ..ticket() };
        assert_eq!(issue(&ring(), Kind::Tiles, &long, NOW), None);
        let longest = Ticket { profile: "a".repeat(32), ..ticket() };
        let text = issue(&ring(), Kind::Tiles, &longest, NOW).unwrap();
        assert_eq!(verify(&ring(), Kind::Tiles, &text, NOW), Some(longest));
    }

    proptest! {
        #[test]
        fn no_stranger_makes_a_ticket(text in "[A-Za-z0-9_-]{0,170}") {
            prop_assert_eq!(verify(&ring(), Kind::Tiles, &text, NOW), None);
        }
    }
}
