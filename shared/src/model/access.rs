//! THE access decision: may this record be opened now, by whoever holds this grant? Start reading here.
//!
//! Every surface asks these functions; whatever is dead looks the same from outside, whatever the
//! reason ([`crate::error::Why`] is for the log).

use super::embed::Embed;
use super::embed::token::EmbedToken;
use super::grant::Grant;
use super::portal::{Admitted, PortalToken};
use crate::error::Why;
use crate::replica::{Live, Record, TargetView};
use crate::time::Millis;
use crate::{Error, Result};
use std::rc::Rc;

/// What a visitor came with.
#[derive(Debug, Clone)]
pub enum Pass {
    /// A link, and what they were given for a password or a deliberate opening, if they have it.
    Link(Option<Grant>),
    /// An embed token, rightly signed: what it says, and itself.
    Embed(Rc<Embed>, EmbedToken),
    /// Membership of a context, and the access token that says so.
    Portal(Admitted, PortalToken),
}

/// Decides whether a record opens at `now`, by the edge's clock only, for a visitor with this pass. `spent` says that
/// the token was opened as often as it may be: it goes on for those who hold a grant, and is dead to others.
///
/// # Errors
/// [`Error::Dead`]; [`Error::AuthRequired`] or [`Error::SignIn`] saying what the visitor must do.
pub fn decide<'r>(record: &'r Record, pass: &Pass, spent: bool, now: Millis) -> Result<&'r Live> {
    let live = alive(record, now).map_err(Error::Dead)?;
    let grant = match (pass, &live.embed) {
        (Pass::Link(grant), None) => grant.as_ref(),
        (Pass::Embed(embed, _), Some(terms)) => {
            let view = live.target.dashboard().ok_or(Error::Dead(Why::OtherTarget))?;
            let own = (live.organization.id, view.id, live.share.generation);
            return embed.in_force(own, terms, now).map(|()| live).map_err(Error::Dead);
        }
        (Pass::Portal(admitted, _), None) => {
            let opens = live.context.is_some_and(|context| admitted.opens(live.organization.id, context));
            return if opens { Ok(live) } else { Err(Error::Dead(Why::OtherTarget)) };
        }
        (Pass::Link(_) | Pass::Portal(..), Some(_)) | (Pass::Embed(..), None) => {
            return Err(Error::Dead(Why::OtherTarget));
        }
    };
    if matches!(live.target, TargetView::Context(_)) {
        return Err(Error::Dead(Why::OtherTarget));
    }
    if live.context.is_some() {
        return Err(Error::SignIn { company_slug: live.organization.slug.clone() });
    }
    let own = |grant: &&Grant| grant.share == live.share.id && grant.generation == live.share.generation;
    match live.protection.admits(grant.filter(own)) {
        Ok(()) => Ok(live),
        Err(_) if spent => Err(Error::Dead(Why::Spent)),
        Err(need) => Err(Error::AuthRequired(need)),
    }
}

/// Is there anything to open at `now`, for whoever can prove that they may?
///
/// # Errors
/// Why not.
pub fn alive(record: &Record, now: Millis) -> Result<&Live, Why> {
    let live = record.live.as_ref().ok_or(Why::Revoked)?;
    in_time(live.share.not_before, live.share.expires_at, now)?;
    Ok(live)
}

/// Has a share begun at `now`, and not yet ended?
///
/// # Errors
/// Why not.
pub fn in_time(not_before: Option<Millis>, expires_at: Option<Millis>, now: Millis) -> Result<(), Why> {
    if not_before.is_some_and(|begin| now < begin) {
        return Err(Why::Early);
    }
    if expires_at.is_some_and(|end| now >= end) {
        return Err(Why::Expired);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::embed::{Terms, tests::embed};
    use crate::model::protection::{Need, Protection};
    use crate::replica::tests::live_record;
    use uuid::Uuid;

    fn with(change: impl FnOnce(&mut Live)) -> Record {
        let mut record = live_record(1);
        change(record.live.as_mut().unwrap());
        record
    }

    fn counted() -> Record {
        with(|live| {
            live.protection = Protection { version: 4, max_access_count: Some(1), ..Protection::default() }
        })
    }

    fn grant(share: u128, generation: u64, version: u64) -> Grant {
        Grant { share: Uuid::from_u128(share), generation, version }
    }

    /// A visitor with this grant, or with none.
    fn link(grant: Option<&Grant>) -> Pass {
        Pass::Link(grant.cloned())
    }

    /// A visitor with a token that was rightly signed.
    fn token() -> Pass {
        Pass::Embed(Rc::new(embed()), EmbedToken::from("t".to_owned()))
    }

    #[test]
    fn a_live_record_opens() {
        assert!(decide(&live_record(1), &link(None), false, Millis(0)).is_ok());
    }

    #[test]
    fn a_tombstone_opens_nothing_for_nobody() {
        let tombstone = Record::tombstone(2);
        for pass in [link(Some(&grant(2, 1, 0))), token()] {
            let refused = decide(&tombstone, &pass, false, Millis(0));
            assert_eq!(refused.err(), Some(Error::Dead(Why::Revoked)));
        }
    }

    #[test]
    fn an_embed_opens_by_its_tokens_alone_and_a_link_by_none() {
        let now = Millis(1_700_000_000_000);
        let embedded = with(|live| live.embed = Some(Terms { keys: vec![1], ..Terms::default() }));
        let token = token();
        assert!(decide(&embedded, &token, false, now).is_ok());
        let refusal = |record: &Record, pass: &Pass, now| decide(record, pass, false, now).err();
        assert_eq!(refusal(&embedded, &token, Millis(now.0 - 1)), Some(Error::Dead(Why::Early)));
        assert_eq!(refusal(&embedded, &link(None), now), Some(Error::Dead(Why::OtherTarget)));
        assert_eq!(refusal(&live_record(1), &token, now), Some(Error::Dead(Why::OtherTarget)));
        let other_key = with(|live| live.embed = Some(Terms { keys: vec![2], ..Terms::default() }));
        assert_eq!(refusal(&other_key, &token, now), Some(Error::Dead(Why::Revoked)));
    }

    #[test]
    fn beginning_and_end_are_exact_to_the_millisecond() {
        let record = with(|live| {
            live.share.not_before = Some(Millis(500));
            live.share.expires_at = Some(Millis(1_000));
        });
        let why = |now| alive(&record, Millis(now)).err();
        assert_eq!(why(499), Some(Why::Early));
        assert_eq!(why(500), None);
        assert_eq!(why(999), None);
        assert_eq!(why(1_000), Some(Why::Expired));
        assert_eq!(why(1_001), Some(Why::Expired));
    }

    #[test]
    fn only_a_grant_of_this_share_generation_and_version_opens() {
        let record = counted();
        let asks = Some(Error::AuthRequired(Need::Opening));
        let refusal = |grant: Option<&Grant>| decide(&record, &link(grant), false, Millis(0)).err();
        assert_eq!(refusal(Some(&grant(2, 1, 4))), None);
        assert_eq!(refusal(None), asks);
        assert_eq!(refusal(Some(&grant(3, 1, 4))), asks);
        assert_eq!(refusal(Some(&grant(2, 2, 4))), asks);
        assert_eq!(refusal(Some(&grant(2, 1, 3))), asks);
        assert_eq!(refusal(Some(&grant(2, 1, 5))), asks);
    }

    #[test]
    fn what_is_spent_is_dead_but_for_who_is_in() {
        let record = counted();
        assert!(decide(&record, &link(Some(&grant(2, 1, 4))), true, Millis(0)).is_ok());
        assert_eq!(decide(&record, &link(None), true, Millis(0)).err(), Some(Error::Dead(Why::Spent)));
    }
}
