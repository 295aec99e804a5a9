//! Postern's domain, compiled into the Worker and into the control plane alike.
//!
//! Here: what a share is and how it changes ([`model`]), what opening one means over
//! whatever a host supplies ([`app`]), how each API dialect reads and writes it
//! ([`face`]), and what travels between control plane and edge ([`replica`], [`call`]).
//!
//! Not here, on purpose: sockets, SQL, JavaScript, clocks and random sources. `now` and
//! random bytes are arguments. Start reading at [`model::access`] (who may open) and
//! [`model::policy`] (what they may ask).

pub mod app;
pub mod call;
pub mod error;
pub mod face;
pub mod json;
pub mod model;
pub mod replica;
pub mod time;

pub use error::{Error, Result};
