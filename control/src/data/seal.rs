//! Sealing of data source URLs: XChaCha20-Poly1305 with the source's id as associated data, so that a sealed
//! URL opens only where it was put.

use crate::random;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::SecretString;
use shared::model::key::{Key, KeyRing};
use shared::{Error, Result};
use uuid::Uuid;

const NONCE_BYTES: usize = 24;

/// Encrypts a URL: hex of nonce and ciphertext.
pub(super) fn seal(key: &Key, source: Uuid, url: &str) -> Result<String> {
    let nonce = random::bytes::<NONCE_BYTES>()?;
    let payload = Payload { msg: url.as_bytes(), aad: source.as_bytes() };
    let sealed = XChaCha20Poly1305::new(key.bytes().into())
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| Error::Internal("a URL cannot be sealed".to_owned()))?;
    Ok(hex::encode(nonce) + &hex::encode(sealed))
}

/// Decrypts a URL with any key of the ring.
///
/// # Errors
/// When it was sealed by a root key that is gone, for another source, or was altered.
pub(super) fn open(ring: &KeyRing, source: Uuid, sealed: &str) -> Result<SecretString, String> {
    let refused =
        || "the data source's URL cannot be opened: its root key is gone, or it was altered".to_owned();
    let bytes = hex::decode(sealed).map_err(|_| refused())?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(refused)?;
    let opened = ring.iter().find_map(|keys| {
        let payload = Payload { msg: sealed, aad: source.as_bytes() };
        XChaCha20Poly1305::new(keys.source.bytes().into()).decrypt(&XNonce::from(*nonce), payload).ok()
    });
    let text = opened.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(refused)?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    const ROOT: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";
    const OTHER: &str = "41b68e5df2ca1307b6948d5ea3f0c178625d3be9f410aac73658d0e17b4a2c9f";

    #[test]
    fn a_url_opens_for_its_source_alone() {
        let ring = KeyRing::parse(ROOT, None).unwrap();
        let (source, url) = (Uuid::from_u128(1), "postgres://u:p@h/d");
        let sealed = seal(&ring.current.source, source, url).unwrap();
        assert!(!sealed.contains(&hex::encode("postgres")));
        assert_eq!(open(&ring, source, &sealed).unwrap().expose_secret(), url);
        assert!(open(&ring, Uuid::from_u128(2), &sealed).is_err());
        assert!(open(&ring, source, &sealed[2..]).is_err());
        assert!(open(&ring, source, "").is_err());
        assert!(open(&KeyRing::parse(OTHER, None).unwrap(), source, &sealed).is_err());
        assert!(open(&KeyRing::parse(OTHER, Some(ROOT)).unwrap(), source, &sealed).is_ok());
    }
}
