//! Plain data and decisions: functions of (state, input, now). Nothing here is async.

pub mod access;
pub mod address;
pub mod attempt;
pub mod code;
pub mod context;
pub mod dashboard;
pub mod data_product;
pub mod embed;
pub mod filter;
pub mod gate;
pub mod grant;
pub mod key;
pub mod lease;
pub mod limits;
pub mod origin;
pub mod pace;
pub mod password;
pub mod policy;
pub mod portal;
pub mod protection;
pub mod share;
pub mod tally;
pub mod token;
pub mod usage;
