//! The operation dialect (seed 002): shapes of its five operations, checked as its published clients expect. API.md 2.1 to 2.15.
//! Fields that nobody knows are passed over, as the vendor's own server does.

pub mod error;
mod fields;
pub mod link;
pub mod map;

use super::is_json;
use crate::{Error, Result, json};
use serde_json::{Map, Value};

/// Reads a request's body.
///
/// # Errors
/// [`Error::UnsupportedMediaType`], [`Error::Malformed`], [`Error::Invalid`].
pub fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Map<String, Value>> {
    if !is_json(content_type) {
        return Err(Error::UnsupportedMediaType);
    }
    json::parse_object(body)
}
