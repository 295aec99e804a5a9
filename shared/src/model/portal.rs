//! Access tokens of the portal: what somebody holds who has proved that they read the mail of an address. A JWT, HS256, under a key
//! of its own, for ten minutes (hole 1.o). Whether what it says still holds is one look at the record of a context.

use super::context::ContextView;
use super::key::KeyRing;
use crate::error::Why;
use crate::replica::{Record, TargetView};
use crate::time::Millis;
use chrono::DateTime;
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt, Claims, Header, UntrustedToken};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// How long an access token lives.
pub const ACCESS_LIFE: Duration = Duration::from_mins(10);
/// How long a session lives that nobody refreshes.
pub const SESSION_LIFE: Duration = Duration::from_hours(168);
/// How long a session lives, however often it is refreshed.
pub const LONGEST_SESSION: Duration = Duration::from_hours(30 * 24);
/// How long the refresh token before the last one still works: several tabs may refresh at once.
pub const REFRESH_GRACE: Duration = Duration::from_mins(1);
/// Most contexts that one token names; a person in more sees the oldest ones.
pub const MAX_CONTEXTS: usize = 32;
/// Longer texts are no tokens of ours, and are not read.
const MAX_CHARS: usize = 8_192;
/// `typ` of the header: no other token passes for this one.
const KIND: &str = "share_access";
/// `aud` of the claims (hole 1.o).
const AUDIENCE: &str = "share_portal";

/// The text of an access token. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PortalToken(String);

impl PortalToken {
    /// The text, for its holder or for a check.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for PortalToken {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for PortalToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PortalToken(..)")
    }
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The sign-in that it belongs to.
    #[serde(rename = "sub")]
    pub id: Uuid,
    /// Whose portal.
    #[serde(rename = "org")]
    pub organization: Uuid,
    /// The organization's name in URLs.
    #[serde(rename = "slug")]
    pub company_slug: String,
    /// What its holder was a member of when it was issued.
    #[serde(rename = "ctx")]
    pub memberships: Vec<Membership>,
}

/// That somebody is a member of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Uuid, u64, Uuid)", into = "(Uuid, u64, Uuid)")]
pub struct Membership {
    /// The context.
    pub context: Uuid,
    /// The context's generation.
    pub generation: u64,
    /// The member: the person, or a whole domain.
    pub member: Uuid,
}

impl From<(Uuid, u64, Uuid)> for Membership {
    fn from((context, generation, member): (Uuid, u64, Uuid)) -> Self {
        Self { context, generation, member }
    }
}

impl From<Membership> for (Uuid, u64, Uuid) {
    fn from(membership: Membership) -> Self {
        (membership.context, membership.generation, membership.member)
    }
}

#[derive(Serialize, Deserialize)]
struct Custom {
    aud: String,
    #[serde(flatten)]
    session: Session,
}

/// Makes a token that dies after [`ACCESS_LIFE`], rounded down to a whole second. `None` when the time is out of range or the text
/// too long.
pub fn issue(ring: &KeyRing, session: Session, now: Millis) -> Option<PortalToken> {
    let mut claims = Claims::new(Custom { aud: AUDIENCE.to_owned(), session });
    claims.issued_at = DateTime::from_timestamp_millis(now.0);
    claims.expiration = Some(DateTime::from_timestamp_millis(now.plus(ACCESS_LIFE).0)?);
    let header = Header::empty().with_token_type(KIND);
    let token = Hs256.token(&header, &claims, &Hs256Key::new(ring.current.portal.bytes())).ok()?;
    (token.len() <= MAX_CHARS).then_some(PortalToken(token))
}

/// Reads a token: only one of ours that is still alive at `now`. The control plane gives `leeway`, since the edge has judged by its
/// own clock.
pub fn verify(ring: &KeyRing, token: &str, now: Millis, leeway: Duration) -> Option<Session> {
    if token.len() > MAX_CHARS {
        return None;
    }
    let untrusted = UntrustedToken::new(token).ok()?;
    ring.iter().find_map(|keys| {
        let key = Hs256Key::new(keys.portal.bytes());
        let token = Hs256.validator::<Custom>(&key).validate(&untrusted).ok()?;
        let (header, claims) = token.into_parts();
        let alive = claims.expiration.is_some_and(|at| now.0 < Millis(at.timestamp_millis()).plus(leeway).0)
            && claims.issued_at.is_some_and(|at| at.timestamp_millis() <= now.plus(ACCESS_LIFE).0);
        let ours = header.token_type.as_deref() == Some(KIND) && claims.custom.aud == AUDIENCE;
        (alive && ours).then_some(claims.custom.session)
    })
}

impl Session {
    /// What it says of a context.
    pub fn membership(&self, context: Uuid) -> Option<&Membership> {
        self.memberships.iter().find(|membership| membership.context == context)
    }
}

/// That somebody is in a context now. Only [`admit`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    organization: Uuid,
    context: Uuid,
}

impl Admitted {
    /// Does it open shares of this organization that are bound to this context?
    pub fn opens(&self, organization: Uuid, context: Uuid) -> bool {
        self.organization == organization && self.context == context
    }
}

/// Decides whether the holder of a token is in the context of this record.
///
/// # Errors
/// Why not.
pub fn admit<'r>(
    record: &'r Record,
    session: &Session,
    membership: &Membership,
) -> Result<(Admitted, &'r ContextView), Why> {
    let live = record.live.as_ref().ok_or(Why::Revoked)?;
    let TargetView::Context(context) = &live.target else { return Err(Why::OtherTarget) };
    if live.organization.id != session.organization || context.id != membership.context {
        return Err(Why::OtherTarget);
    }
    let has_ended = live.share.generation != membership.generation
        || context.ended.contains(&membership.member)
        || context.ended.contains(&session.id);
    if has_ended {
        return Err(Why::Revoked);
    }
    Ok((Admitted { organization: live.organization.id, context: context.id }, context))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::grant::{self, Grant};
    use crate::model::share::ShareType;
    use crate::replica::tests::live_record;

    const ROOT: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";
    const OTHER: &str = "41b68e5df2ca1307b6948d5ea3f0c178625d3be9f410aac73658d0e17b4a2c9f";
    const NOW: Millis = Millis(1_700_000_000_000);

    fn ring() -> KeyRing {
        KeyRing::parse(ROOT, None).unwrap()
    }

    const MEMBERSHIP: Membership =
        Membership { context: Uuid::from_u128(5), generation: 3, member: Uuid::from_u128(6) };

    fn session() -> Session {
        Session {
            id: Uuid::from_u128(9),
            organization: Uuid::from_u128(1),
            company_slug: "acme".into(),
            memberships: vec![MEMBERSHIP],
        }
    }

    fn record(change: impl FnOnce(&mut ContextView)) -> Record {
        let mut view = ContextView {
            id: Uuid::from_u128(5),
            name: "Customers".into(),
            ended: vec![],
            dashboards: vec![],
        };
        change(&mut view);
        let mut record = live_record(1);
        let live = record.live.as_mut().unwrap();
        (live.share.share_type, live.share.generation) = (ShareType::Portal, 3);
        live.target = TargetView::Context(view);
        record
    }

    fn why(record: &Record, session: &Session) -> Option<Why> {
        admit(record, session, &session.memberships[0]).err()
    }

    #[test]
    fn a_token_lives_ten_minutes() {
        let token = issue(&ring(), session(), NOW).unwrap();
        let at = |millis: i64| verify(&ring(), token.expose(), Millis(NOW.0 + millis), Duration::ZERO);
        assert_eq!(at(0), Some(session()));
        assert_eq!(at(599_999), Some(session()));
        assert_eq!(at(600_000), None);
        let late = verify(&ring(), token.expose(), Millis(NOW.0 + 659_999), Duration::from_mins(1));
        assert_eq!(late, Some(session()));
        assert_eq!(format!("{token:?}"), "PortalToken(..)");
    }

    #[test]
    fn clocks_that_differ_by_five_minutes_shorten_its_life_and_end_nothing_else() {
        let five = Duration::from_mins(5);
        let at = |issued: Millis, now: Millis| {
            let token = issue(&ring(), session(), issued).unwrap();
            verify(&ring(), token.expose(), now, Duration::ZERO).is_some()
        };
        let ahead = NOW.plus(five);
        assert!(at(ahead, NOW), "issued by a clock that is ahead");
        assert!(at(NOW, ahead) && !at(NOW, ahead.plus(five)), "issued by a clock that is behind");
    }

    #[test]
    fn it_verifies_under_either_root_key_and_no_other() {
        let token = issue(&ring(), session(), NOW).unwrap();
        let verified = |ring: &KeyRing| verify(ring, token.expose(), NOW, Duration::ZERO).is_some();
        assert!(verified(&KeyRing::parse(OTHER, Some(ROOT)).unwrap()));
        assert!(!verified(&KeyRing::parse(OTHER, None).unwrap()));
    }

    #[test]
    fn one_changed_character_kills_it() {
        let token = issue(&ring(), session(), NOW).unwrap().expose().to_owned();
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).unwrap();
            assert_eq!(verify(&ring(), &altered, NOW, Duration::ZERO), None, "{at}");
        }
    }

    #[test]
    fn other_tokens_are_none() {
        let grant = Grant { share: Uuid::from_u128(1), generation: 1, version: 1 };
        let grant = grant::issue(&ring(), grant, NOW).unwrap();
        let key = Hs256Key::new(ring().current.portal.bytes());
        let token = |typ: &str, aud: &str| {
            let mut claims = Claims::new(Custom { aud: aud.into(), session: session() });
            claims.expiration = DateTime::from_timestamp_millis(NOW.0 + 1_000);
            claims.issued_at = DateTime::from_timestamp_millis(NOW.0);
            Hs256.token(&Header::empty().with_token_type(typ), &claims, &key).unwrap()
        };
        assert!(verify(&ring(), &token(KIND, AUDIENCE), NOW, Duration::ZERO).is_some());
        for foreign in [
            grant,
            token("JWT", AUDIENCE),
            token(KIND, "postern-grant"),
            String::new(),
            "a.b.c".into(),
            "x".repeat(9_000),
        ] {
            assert_eq!(verify(&ring(), &foreign, NOW, Duration::ZERO), None);
        }
    }

    #[test]
    fn the_longest_token_is_read() {
        let slug = "x".repeat(64);
        let many = Session { company_slug: slug, memberships: vec![MEMBERSHIP; MAX_CONTEXTS], ..session() };
        assert!(issue(&ring(), many, NOW).is_some());
    }

    #[test]
    fn only_who_is_in_the_context_is_admitted() {
        let (admitted, view) =
            admit(&record(|_| ()), &session(), &MEMBERSHIP).map(|(a, v)| (a, v.clone())).unwrap();
        assert_eq!(view.name, "Customers");
        assert!(admitted.opens(Uuid::from_u128(1), Uuid::from_u128(5)));
        assert!(!admitted.opens(Uuid::from_u128(1), Uuid::from_u128(6)));
        assert!(!admitted.opens(Uuid::from_u128(2), Uuid::from_u128(5)));

        let with = |membership: Membership| Session { memberships: vec![membership], ..session() };
        let plain = record(|_| ());
        assert_eq!(why(&Record::tombstone(2), &session()), Some(Why::Revoked));
        assert_eq!(why(&live_record(1), &session()), Some(Why::OtherTarget));
        assert_eq!(why(&record(|view| view.ended = vec![MEMBERSHIP.member]), &session()), Some(Why::Revoked));
        assert_eq!(why(&record(|view| view.ended = vec![session().id]), &session()), Some(Why::Revoked));
        assert_eq!(why(&record(|view| view.ended = vec![Uuid::from_u128(7)]), &session()), None);
        assert_eq!(why(&plain, &with(Membership { generation: 2, ..MEMBERSHIP })), Some(Why::Revoked));
        let other = Membership { context: Uuid::from_u128(8), ..MEMBERSHIP };
        assert_eq!(why(&plain, &with(other)), Some(Why::OtherTarget));
        let foreign = Session { organization: Uuid::from_u128(2), ..session() };
        assert_eq!(why(&plain, &foreign), Some(Why::OtherTarget));
    }
}
