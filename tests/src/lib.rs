//! What the end-to-end tests stand on: an installation as `cargo xtask dev` starts it ([`Stack`]), a client that takes
//! every answer as it comes ([`Client`]), a mail server that keeps what it gets ([`mail`]), and, for faults, a control plane ([`control`]), a PostgreSQL server ([`postgres`])
//! and the Worker in several locations ([`edges`]) that can be broken, and wires between them that can be cut ([`wire`]). What is tried there more
//! often by `cargo xtask soak` lies here too ([`stale`], [`lost`]), and so does what tests and measurements share ([`process`], [`rows`]).

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking, and these are their tools"
)]

pub mod client;
pub mod control;
pub mod edges;
pub mod lost;
pub mod mail;
pub mod postgres;
pub mod process;
pub mod rows;
pub mod signed;
pub mod stack;
pub mod stale;
pub mod wire;

pub use client::{Client, Reply};
pub use stack::{Database, Stack};
