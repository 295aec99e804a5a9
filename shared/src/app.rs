//! Use cases over ports: what opening a link means, whatever the host. No HTTP, no SQL, no JavaScript.

pub mod archive;
#[cfg(test)]
pub(crate) mod fake;
pub mod map;
pub mod memory;
pub mod port;
pub mod redeem;
pub mod unlock;
