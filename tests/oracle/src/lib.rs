//! What a share lets its viewers see, decided a second time: [`rules`] from the documented rules alone, on plain
//! JSON. [`generate`] makes shares and requests, most of them near misses, and [`check`] compares what the policy
//! function decides with what the rules say. The tests run a fixed million of these, `cargo xtask fuzz` new ones. [`embed`] does
//! the same for embed tokens.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what is generated here has the shape that is read here"
)]

pub mod check;
pub mod corpus;
pub mod embed;
pub mod generate;
pub mod parsers;
pub mod rules;
