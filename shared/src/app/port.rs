//! What a host must supply so that links can be redeemed.

use crate::call::{DataCall, OptionsFound};
use crate::model::token::RecordKey;
use crate::time::Millis;

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

/// A host of the public path. Implementations decide whether their futures are `Send`.
#[expect(async_fn_in_trait, reason = "used generically only: the concrete host decides about Send")]
pub trait Host {
    /// The time by this host's clock.
    fn now(&self) -> Millis;

    /// Reads a record from Workers KV; may be old, may miss what exists.
    async fn read_record(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, Unreachable>;

    /// Asks the token's gate for a lease: the revision in force, `None` when nobody knows the token.
    async fn lease(&self, key: &RecordKey) -> Result<Option<u64>, Unreachable>;

    /// Reads the record from the token's gate: the one in force.
    async fn read_gate(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, Unreachable>;

    /// Runs the widgets' queries. Equal calls at the same time run once.
    async fn execute(&self, call: &DataCall) -> Result<Rows, NoRows>;

    /// Runs a filter's query.
    async fn options(&self, call: &DataCall) -> Result<OptionsFound, NoRows>;
}
