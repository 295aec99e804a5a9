//! Plain data and decisions: functions of (state, input, now). Nothing here is async.

pub mod access;
pub mod dashboard;
pub mod filter;
pub mod gate;
pub mod key;
pub mod lease;
pub mod policy;
pub mod share;
pub mod token;
