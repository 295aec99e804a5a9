//! Workers KV for tests, as bad as the real one unless told otherwise: what is written shows up late and not everywhere
//! at once, what is read is cached, keys that are absent too, and calls fail, time out or are refused.
//!
//! [`Core`] is all of it without I/O: `now` is an argument, and chance is seeded. [`Kv`] gives it a [`Clock`] and
//! shares it between threads. [`Server`] lets others reach it: a port for each location, as workerd's KV binding asks,
//! and one as Cloudflare's REST API.

mod clock;
mod core;
mod counters;
mod faults;
mod kv;
mod location;
mod rate;
mod refusal;
mod server;
mod stored;

pub use crate::core::Core;
pub use crate::core::rest::{Bulk, Listed, MAX_BULK_GET, MAX_BULK_PAIRS, Page};
pub use clock::Clock;
pub use counters::Counters;
pub use faults::Faults;
pub use kv::Kv;
pub use location::{DEFAULT_CACHE_TTL, MIN_CACHE_TTL};
pub use rate::{BLOCKED, CALLS, Quota, WINDOW};
pub use refusal::Refusal;
pub use server::{Server, Settings};
pub use stored::{MAX_KEY_BYTES, MAX_METADATA_BYTES, MAX_VALUE_BYTES, MIN_EXPIRATION, Stored};
