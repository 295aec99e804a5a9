//! What an organization demands of its shares: a share may be stricter, never more generous. API.md 3.p, 3.q.

use crate::time::Millis;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest life that a limit can name: 10 years, in seconds.
const MAX_LIFE_SECONDS: u64 = 10 * 366 * 24 * 3_600;

/// Defaults and caps of new and changed shares; those that exist keep what they have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Limits {
    /// Seconds until a share expires that names no `expires_at`; absent or null for the cap, or never.
    #[serde(default)]
    pub default_life_seconds: Option<u64>,
    /// Most seconds until a share expires; absent or null for no cap.
    #[serde(default)]
    pub max_life_seconds: Option<u64>,
    /// `max_access_count` of a share that names none; absent or null for the cap, or none.
    #[serde(default)]
    pub default_max_access_count: Option<u64>,
    /// Largest `max_access_count`; absent or null for no cap.
    #[serde(default)]
    pub max_access_count: Option<u64>,
    /// Must every share have a password?
    #[serde(default)]
    pub password_required: bool,
}

impl Limits {
    /// The limits make sense.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the field.
    pub fn check(&self) -> Result<()> {
        let lives = [
            ("/default_life_seconds", self.default_life_seconds),
            ("/max_life_seconds", self.max_life_seconds),
        ];
        for (pointer, life) in lives {
            if life.is_some_and(|life| !(1..=MAX_LIFE_SECONDS).contains(&life)) {
                return Err(Error::invalid(pointer, "must be 1 to 316,224,000 seconds"));
            }
        }
        let counts = [
            ("/default_max_access_count", self.default_max_access_count),
            ("/max_access_count", self.max_access_count),
        ];
        for (pointer, count) in counts {
            super::share::check_max_access_count(count)
                .map_err(|_| Error::invalid(pointer, "must be 1 to 1,000,000,000"))?;
        }
        let beyond =
            |default: Option<u64>, cap: Option<u64>| default.zip(cap).is_some_and(|(value, cap)| value > cap);
        if beyond(self.default_life_seconds, self.max_life_seconds) {
            return Err(Error::invalid("/default_life_seconds", "must be at most max_life_seconds"));
        }
        if beyond(self.default_max_access_count, self.max_access_count) {
            return Err(Error::invalid("/default_max_access_count", "must be at most max_access_count"));
        }
        Ok(())
    }

    /// Expiry of a new share that names this one or none.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is beyond the cap.
    pub fn expiry(&self, named: Option<Millis>, now: Millis) -> Result<Option<Millis>> {
        let own = named.or_else(|| {
            let life = self.default_life_seconds.or(self.max_life_seconds)?;
            Some(now.plus(Duration::from_secs(life)))
        });
        self.check_expiry(own, now)?;
        Ok(own)
    }

    /// Count of a new share that names this one or none.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is beyond the cap.
    pub fn count(&self, named: Option<u64>) -> Result<Option<u64>> {
        let own = named.or(self.default_max_access_count).or(self.max_access_count);
        self.check_max_access_count(own)?;
        Ok(own)
    }

    /// # Errors
    /// [`Error::Invalid`] when the expiry is beyond the cap.
    pub fn check_expiry(&self, expires_at: Option<Millis>, now: Millis) -> Result<()> {
        let Some(cap) = self.max_life_seconds else { return Ok(()) };
        match expires_at {
            Some(at) if at <= now.plus(Duration::from_secs(cap)) => Ok(()),
            _ => Err(Error::invalid(
                "/expires_at",
                format!("must be at most {cap} seconds from now: the organization's limit"),
            )),
        }
    }

    /// # Errors
    /// [`Error::Invalid`] when the count is beyond the cap.
    pub fn check_max_access_count(&self, max_access_count: Option<u64>) -> Result<()> {
        let Some(cap) = self.max_access_count else { return Ok(()) };
        match max_access_count {
            Some(count) if count <= cap => Ok(()),
            _ => Err(Error::invalid(
                "/max_access_count",
                format!("must be at most {cap}: the organization's limit"),
            )),
        }
    }

    /// # Errors
    /// [`Error::Conflict`] when a password is missing that must be there.
    pub fn check_password(&self, has_password: bool) -> Result<()> {
        if self.password_required && !has_password {
            return Err(Error::Conflict("the organization demands a password of every share".to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_000_000);

    fn caps() -> Limits {
        Limits {
            default_life_seconds: Some(60),
            max_life_seconds: Some(3_600),
            default_max_access_count: Some(10),
            max_access_count: Some(100),
            password_required: true,
        }
    }

    #[test]
    fn without_limits_everything_goes() {
        let none = Limits::default();
        assert_eq!(none.expiry(None, NOW), Ok(None));
        assert_eq!(none.count(None), Ok(None));
        assert_eq!(none.expiry(Some(Millis(i64::MAX)), NOW), Ok(Some(Millis(i64::MAX))));
        assert!(none.check_password(false).is_ok());
    }

    #[test]
    fn defaults_fill_in_and_caps_hold() {
        assert_eq!(caps().expiry(None, NOW), Ok(Some(Millis(1_060_000))));
        assert_eq!(caps().expiry(Some(Millis(4_600_000)), NOW), Ok(Some(Millis(4_600_000))));
        assert!(caps().expiry(Some(Millis(4_600_001)), NOW).is_err());
        assert!(caps().check_expiry(None, NOW).is_err());
        assert_eq!(caps().count(None), Ok(Some(10)));
        assert!(caps().count(Some(101)).is_err());
        assert!(caps().check_max_access_count(None).is_err());
        assert!(caps().check_password(false).is_err());
        let only_caps = Limits { default_life_seconds: None, default_max_access_count: None, ..caps() };
        assert_eq!(only_caps.expiry(None, NOW), Ok(Some(Millis(4_600_000))));
        assert_eq!(only_caps.count(None), Ok(Some(100)));
    }

    #[test]
    fn limits_that_contradict_themselves_are_refused() {
        let flawed = [
            Limits { default_life_seconds: Some(3_601), ..caps() },
            Limits { default_max_access_count: Some(101), ..caps() },
            Limits { max_life_seconds: Some(0), default_life_seconds: None, ..caps() },
            Limits { max_access_count: Some(0), default_max_access_count: None, ..caps() },
            Limits { max_life_seconds: Some(u64::MAX), ..caps() },
        ];
        for limits in flawed {
            assert!(limits.check().is_err(), "{limits:?}");
        }
        assert!(caps().check().is_ok());
    }
}
