//! Keys of organizations, and signatures by them.

use super::base64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

/// What tokens are signed by.
#[derive(Debug, Clone)]
pub enum Secret {
    /// The root key of an installation, from which the keys of all organizations come.
    Root([u8; 32]),
    /// A key of one organization.
    Organization {
        /// The organization, as 32 hex digits.
        organization: String,
        /// Which of its keys.
        generation: u64,
        /// The key.
        key: String,
    },
}

impl Secret {
    /// The key of this name, if it comes from this secret.
    pub fn key(&self, organization: &str, generation: u64) -> Option<String> {
        match self {
            Self::Root(root) => Some(derive(root, organization, generation)),
            Self::Organization { organization: own, generation: own_generation, key } => {
                (own == organization && *own_generation == generation).then(|| key.clone())
            }
        }
    }
}

/// `pek_`, and the HMAC of organization and generation under a key that HKDF-SHA256 derives from the root key for this purpose.
/// Each part of what goes into the HMAC has its length before it.
fn derive(root: &[u8; 32], organization: &str, generation: u64) -> String {
    let extracted = hs256(&[0; 32], root);
    let expanded = hs256(&extracted, b"postern/v1/embed\x01");
    let id: Vec<u8> = (0..16)
        .map(|at| u8::from_str_radix(&organization[2 * at..2 * at + 2], 16).expect("hex digits"))
        .collect();
    let (id_length, length) = (16_u64.to_be_bytes(), 8_u64.to_be_bytes());
    let message = [&id_length[..], &id, &length, &generation.to_be_bytes()].concat();
    format!("pek_{}", base64::write(hs256(&expanded, &message)))
}

/// HMAC-SHA256.
///
/// # Panics
/// Never: keys have any length.
pub fn hs256(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("keys have any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA384.
///
/// # Panics
/// Never: keys have any length.
pub fn hs384(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha384>::new_from_slice(key).expect("keys have any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// HMAC-SHA512.
///
/// # Panics
/// Never: keys have any length.
pub fn hs512(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("keys have any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// A token of these two parts, as they are, signed.
pub fn token(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>, key: &str) -> String {
    let signed = format!("{}.{}", base64::write(header), base64::write(payload));
    let signature = hs256(key.as_bytes(), signed.as_bytes());
    format!("{signed}.{}", base64::write(signature))
}
