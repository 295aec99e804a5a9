//! Use cases over ports: what opening a link means, whatever the host. No HTTP, no SQL, no JavaScript.

pub mod archive;
pub mod counts;
#[cfg(test)]
pub(crate) mod fake;
pub mod map;
pub mod memory;
pub mod places;
pub mod port;
pub mod redeem;
pub mod throttle;
pub mod unlock;
