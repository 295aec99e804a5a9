//! What the end-to-end tests stand on: an installation as `cargo xtask dev` starts it ([`Stack`]), and a
//! client that takes every answer as it comes ([`Client`]).

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking, and these are their tools"
)]

pub mod client;
pub mod signed;
pub mod stack;

pub use client::{Client, Reply};
pub use stack::{Database, Stack};
