//! Plain data and decisions: functions of (state, input, now). Nothing here is async.

pub mod access;
pub mod api_key;
pub mod attempt;
pub mod dashboard;
pub mod embed;
pub mod filter;
pub mod gate;
pub mod grant;
pub mod item;
pub mod key;
pub mod lease;
pub mod limits;
pub mod meter;
pub mod origin;
pub mod password;
pub mod policy;
pub mod protection;
pub mod share;
pub mod tally;
pub mod ticket;
pub mod tile;
pub mod token;
pub mod usage;
