//! What a host must supply so that links can be redeemed.

use super::memory::ResultKey;
use crate::call::{DataCall, OptionsFound, PageCall};
use crate::model::meter::Meter;
use crate::model::tally::{Admission, Entry};
use crate::model::token::RecordKey;
use crate::time::Millis;
use std::time::Duration;

/// Something could not be asked; the text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// Why the data plane gave no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRows {
    /// The share has another revision in the database than the one that we asked under.
    OtherRevision,
    /// The share is dead in the database.
    Dead,
    /// The data source refused or failed the query; the words are for the visitor.
    Query(String),
    /// Too many ask at once.
    Busy,
    /// No answer, or none that we understand.
    Unreachable(Unreachable),
}

/// Answer of the data plane to an execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// [`crate::call::Executed`] as JSON, passed on byte for byte.
    pub json: Vec<u8>,
    /// May it be kept? Not when a panel failed.
    pub cacheable: bool,
}

/// What an isolate tells a gate of its token: what was counted since the last time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Names it among all that the gate is told, so that tiles which are told twice count once. 0 when nothing is told.
    pub id: u64,
    /// Times that it was opened.
    pub opens: u64,
    /// Tiles that were answered.
    pub tiles: Meter,
}

/// What a gate says of its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The revision in force.
    pub revision: u64,
    /// Digest of its record, see [`crate::replica::digest`]: a copy with another one is not used.
    pub digest: String,
    /// Was the token opened as often as it may be?
    pub spent: bool,
    /// Tiles of this UTC day that the gate was told of.
    pub tiles_today: u64,
}

/// A host of the public path. Implementations decide whether their futures are `Send`.
#[expect(async_fn_in_trait, reason = "used generically only: the concrete host decides about Send")]
pub trait Host {
    /// The time by this host's clock.
    fn now(&self) -> Millis;

    /// Reads a record from Workers KV; may be old, may miss what exists.
    async fn read_record(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, Unreachable>;

    /// Asks the token's gate for a lease, and tells it what was counted here. `None` when nobody knows the token.
    async fn lease(&self, key: &RecordKey, told: Told) -> Result<Option<Lease>, Unreachable>;

    /// Reads the record from the token's gate: the one in force.
    async fn read_gate(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, Unreachable>;

    /// Asks the control plane for the record that its database has, when the gate is out of reach. `None` when nobody knows
    /// the token.
    async fn read_origin(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, Unreachable>;

    /// Counts a guess at the token's gate. `network` says from where, see [`crate::model::attempt::network`].
    async fn attempt(&self, key: &RecordKey, network: &str) -> Result<Admission, Unreachable>;

    /// Takes a guess back that was never compared.
    async fn give_back(&self, key: &RecordKey, attempt: u64) -> Result<(), Unreachable>;

    /// Lets a visitor in who has proved that they may open `revision`: counts it, and takes the guess back that was right.
    async fn enter(&self, key: &RecordKey, revision: u64, attempt: Option<u64>)
    -> Result<Entry, Unreachable>;

    /// Waits.
    async fn wait(&self, duration: Duration);

    /// Runs the widgets' queries. Calls with the same `flight`, the name of their result, run once at the same time.
    async fn execute(&self, flight: &ResultKey, call: &DataCall) -> Result<Rows, NoRows>;

    /// Reads a page of a data product: [`crate::call::PageRows`] as JSON.
    async fn page(&self, flight: &ResultKey, call: &PageCall) -> Result<Vec<u8>, NoRows>;

    /// Runs a filter's query.
    async fn options(&self, flight: &ResultKey, call: &DataCall) -> Result<OptionsFound, NoRows>;
}
