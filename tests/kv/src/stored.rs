//! What KV holds under a key, and what it refuses to hold.

use crate::refusal::Refusal;
use bytes::Bytes;
use serde_json::Value;
use shared::time::Millis;
use std::time::Duration;

/// Longest key, in bytes of UTF-8. (Workers KV, limits.)
pub const MAX_KEY_BYTES: usize = 512;
/// Largest value, in bytes: 25 MiB. (Workers KV, limits.)
pub const MAX_VALUE_BYTES: usize = 25 * 1024 * 1024;
/// Longest metadata, in bytes of JSON. (Workers KV, limits.)
pub const MAX_METADATA_BYTES: usize = 1_024;
/// How far ahead an expiration must at least be. (Workers KV, write key-value pairs.)
pub const MIN_EXPIRATION: Duration = Duration::from_mins(1);

/// What is stored under a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// At most [`MAX_VALUE_BYTES`].
    pub value: Bytes,
    /// Any JSON of at most [`MAX_METADATA_BYTES`].
    pub metadata: Option<Value>,
    /// When it is gone by itself, at least [`MIN_EXPIRATION`] after it is written. Over HTTP in whole seconds.
    pub expiration: Option<Millis>,
}

impl Stored {
    /// A value without metadata that does not expire.
    pub fn new(value: impl Into<Bytes>) -> Self {
        Self { value: value.into(), ..Self::default() }
    }

    /// The same with metadata.
    #[must_use]
    pub fn with_metadata(self, metadata: Value) -> Self {
        Self { metadata: Some(metadata), ..self }
    }

    pub(crate) fn is_gone(&self, now: Millis) -> bool {
        self.expiration.is_some_and(|expiration| expiration <= now)
    }

    pub(crate) fn check(&self, now: Millis) -> Result<(), Refusal> {
        if self.value.len() > MAX_VALUE_BYTES {
            return Err(Refusal::TooLarge);
        }
        if self.metadata.as_ref().is_some_and(|metadata| metadata.to_string().len() > MAX_METADATA_BYTES) {
            return Err(Refusal::Invalid("metadata is longer than 1024 bytes"));
        }
        if self.expiration.is_some_and(|expiration| expiration < now.plus(MIN_EXPIRATION)) {
            return Err(Refusal::Invalid("expiration is less than 60 seconds ahead"));
        }
        Ok(())
    }
}

pub(crate) fn check_key(key: &str) -> Result<(), Refusal> {
    match key {
        "" => Err(Refusal::Invalid("a key cannot be empty")),
        "." | ".." => Err(Refusal::Invalid("a key cannot be . or ..")),
        key if key.len() > MAX_KEY_BYTES => Err(Refusal::Invalid("a key is longer than 512 bytes")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_limits() {
        for good in ["a", "...", "a/b", &"k".repeat(512)] {
            assert_eq!(check_key(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", &"k".repeat(513), &"ü".repeat(257)] {
            assert!(matches!(check_key(bad), Err(Refusal::Invalid(_))), "{bad}");
        }
    }

    #[test]
    fn values_metadata_and_expirations_have_limits() {
        let now = Millis(1_000);
        assert_eq!(Stored::new(vec![0; MAX_VALUE_BYTES]).check(now), Ok(()));
        assert_eq!(Stored::new(vec![0; MAX_VALUE_BYTES + 1]).check(now), Err(Refusal::TooLarge));
        // Quotes count.
        let metadata = |length| Stored::new("v").with_metadata("m".repeat(length).into());
        assert_eq!(metadata(1_022).check(now), Ok(()));
        assert!(metadata(1_023).check(now).is_err());
        let expiring = |at| Stored { expiration: Some(Millis(at)), ..Stored::new("v") };
        assert_eq!(expiring(61_000).check(now), Ok(()));
        assert!(expiring(60_999).check(now).is_err());
        assert!(expiring(61_000).is_gone(Millis(61_000)) && !expiring(61_000).is_gone(Millis(60_999)));
    }
}
