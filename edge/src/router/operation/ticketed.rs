//! What is read of a map by a ticket: no password, and a lease is enough.

use super::Visit;
use crate::env::Counters;
use crate::router::data;
use crate::runtime;
use shared::app::map;
use shared::app::redeem::{self, Opened};
use shared::error::Why;
use shared::face::operation::map::Asked;
use shared::model::access::Pass;
use shared::model::item::{Item, Profile};
use shared::model::ticket::{self, Kind};
use shared::model::token::RecordKey;
use shared::{Error, Result};
use std::time::Duration;

/// What a ticket opens.
pub(super) struct Ticketed {
    pub(super) key: RecordKey,
    pub(super) opened: Opened,
    asked: Asked,
}

impl Ticketed {
    /// What its holder comes with.
    pub(super) fn pass(&self) -> Pass {
        self.opened.pass().clone()
    }

    /// The profile that the ticket names.
    ///
    /// # Errors
    /// [`Error::Dead`], [`Error::NotFound`] for what is no longer there.
    pub(super) fn find(&self) -> Result<(&Item, &Profile)> {
        self.asked.find(&map::map_of(self.opened.live()?)?.target)
    }
}

/// Opens what a ticket is for.
///
/// # Errors
/// [`Error::Dead`] for whatever is no ticket of this kind, and those of [`redeem::open_ticketed`].
pub(super) async fn open(visit: &Visit, kind: Kind, ticket: &str) -> Result<Ticketed> {
    let edge = &visit.port.edge;
    let ticket = ticket::verify(&edge.ring, kind, ticket, runtime::now()).ok_or_else(|| {
        Counters::add(&edge.counters.forged);
        Error::Dead(Why::Forged)
    })?;
    let opened = redeem::open_ticketed(&visit.port, &edge.memory, &ticket.key).await?;
    if opened.renewal_due {
        data::renew_later(visit, &ticket.key, Duration::ZERO);
    }
    let opened = opened.with_pass(Pass::Link(Some(ticket.grant)));
    let asked = Asked { profile: Some(ticket.profile), item: Some(ticket.item) };
    Ok(Ticketed { key: ticket.key, opened, asked })
}
