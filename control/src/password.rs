//! From a password as it was typed to what is stored: normalised, checked, hashed aside from everything else.

use crate::random;
use shared::model::key::Keys;
use shared::model::password::{Hashed, Password, Scheme, Typed, hash};
use shared::{Error, Result};
use std::sync::Arc;
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

/// Passwords that are hashed at once: each takes a processor for tens of milliseconds, and 7 MiB.
const AT_ONCE: usize = 2;

/// Hashes new passwords.
pub(crate) struct Hasher {
    keys: Keys,
    scheme: Scheme,
    places: Arc<Semaphore>,
}

impl Hasher {
    /// Keys passwords with `keys`.
    pub(crate) fn new(keys: Keys, scheme: Scheme) -> Self {
        Self { keys, scheme, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Hashes a password; not to be called within a session, since it may wait.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `/password`.
    pub(crate) async fn hash(&self, typed: &Typed) -> Result<Hashed> {
        let password = Password::new(typed.0.nfc().collect())?;
        let salt = random::bytes()?;
        let place = Arc::clone(&self.places).acquire_owned().await;
        let (keys, scheme) = (self.keys.clone(), self.scheme);
        let hashing = tokio::task::spawn_blocking(move || {
            // Held to the end, also when the caller has hung up.
            let _place = place;
            hash(&password, &keys, scheme, salt)
        });
        hashing.await.ok().flatten().ok_or_else(|| Error::Internal("a password was not hashed".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::model::key::KeyRing;
    use shared::model::password::verify;

    #[tokio::test]
    async fn two_spellings_are_one_password() {
        let ring = KeyRing::parse(crate::tests::ROOT, None).unwrap();
        for scheme in [Scheme::Argon2id, Scheme::Bcrypt] {
            let hasher = Hasher::new(ring.current.clone(), scheme);
            let stored = hasher.hash(&Typed("cafe\u{301}".to_owned())).await.unwrap();
            let check = |text: &str| verify(&Password::new(text.to_owned()).unwrap(), &ring, &stored);
            assert!(check("café"));
            assert!(!check("cafe"));
        }
    }

    #[tokio::test]
    async fn a_password_is_salted() {
        let ring = KeyRing::parse(crate::tests::ROOT, None).unwrap();
        let hasher = Hasher::new(ring.current, Scheme::Argon2id);
        let typed = Typed("correct horse".to_owned());
        assert_ne!(hasher.hash(&typed).await.unwrap(), hasher.hash(&typed).await.unwrap());
    }
}
