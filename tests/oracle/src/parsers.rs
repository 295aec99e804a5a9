//! Feeds strangers' bytes to everything that reads them first.

use crate::corpus::pick;
use fastrand::Rng;
use shared::call::{Signed, sign, vouched};
use shared::face::{JSON, dashboard::public};
use shared::model::key::KeyRing;
use shared::model::token::{RecordKey, Token, locate};
use shared::replica::{Head, Record};
use shared::time::{Millis, is_civil_date};
use uuid::Uuid;

const ROOT: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";
const NOW: Millis = Millis(1_790_000_000_000);
const RECORD: &str = concat!(
    r#"{"schema":1,"revision":7,"live":{"organization":{"id":"00000000-0000-0000-0000-000000000001","slug":"a","name":"A"},"#,
    r#""share":{"id":"00000000-0000-0000-0000-000000000002","name":"L","share_type":"link","generation":1,"expires_at":null},"#,
    r#""rules":{"default_mode":"open","policies":[{"filter_slug":"f","filter_kind":"select","mode":"locked","allowed_values":[1]}]},"#,
    r#""target":{"dashboard":{"id":"00000000-0000-0000-0000-000000000003","slug":"d","title":"D","version":1,"#,
    r#""filters":[{"slug":"f","label":"F","kind":"select","choices":"dynamic"}],"layout":[]}}}}"#
);

/// Good examples of what the readers read, to be altered.
pub struct Samples {
    ring: KeyRing,
    token: String,
    texts: Vec<String>,
}

impl Samples {
    /// Makes the examples.
    ///
    /// # Panics
    /// Never: the root key is a good one.
    pub fn new() -> Self {
        let ring = KeyRing::parse(ROOT, None).expect("a root key");
        let token = Token::derive(&ring.current, Uuid::from_u128(7), 1, &[9; 16]).expose().to_owned();
        let signature = sign(&ring.current.push, "POST", "/p", b"{}", NOW);
        let texts = vec![
            RECORD.to_owned(),
            r#"{"parameters":{"f":[1,-0.5e3,"\u00e9\ud83d\ude00",null,true,{"start":"2024-01-01"}]}}"#
                .to_owned(),
            token.clone(),
            format!("127.0.0.1 {signature}"),
            signature,
            "2024-02-29T23:59:60.123456789+23:59".to_owned(),
        ];
        Self { ring, token, texts }
    }

    /// Gives a seed's text number `at`, mostly one of the examples altered, to every reader. What matters is that they return.
    ///
    /// # Errors
    /// When a token that was never issued is taken for one.
    pub fn feed(&self, seed: u64, at: u64) -> Result<(), String> {
        let rng = &mut Rng::with_seed(seed.rotate_left(32) ^ at);
        let bytes = self.bytes(rng);
        let text = String::from_utf8_lossy(&bytes);
        let _ = shared::json::parse(&bytes);
        let _ = public::parse_execute(Some(JSON), &bytes);
        let _ = public::parse_execute(Some(&text), b"{}");
        let _ = public::check_search(Some(text.clone().into_owned()));
        let _ = (Record::parse(&bytes), Head::parse(&bytes), RecordKey::parse(&text));
        let _ = (Millis::parse_rfc3339(&text), is_civil_date(&text));
        let keys = || self.ring.iter().map(|keys| &keys.push);
        if let Some(signed) = Signed::check(keys(), &text, ("POST", "/p"), NOW) {
            let _ = signed.covers(&bytes);
        }
        let _ = vouched(keys(), &text, ("POST", "/p"), NOW);
        if locate(&self.ring, &text).is_some() && text != self.token {
            return Err(format!("{text:?} is taken for a token; again by: cargo xtask fuzz --seed {seed}"));
        }
        Ok(())
    }

    fn bytes(&self, rng: &mut Rng) -> Vec<u8> {
        if rng.u8(0..8) == 0 {
            return (0..rng.usize(0..200)).map(|_| rng.u8(..)).collect();
        }
        let mut bytes = pick(rng, &self.texts).into_bytes();
        for _ in 0..rng.usize(1..4) {
            let (one, other) = (rng.usize(0..=bytes.len()), rng.usize(0..=bytes.len()));
            let part = one.min(other)..one.max(other);
            match rng.u8(0..6) {
                0 => bytes.truncate(one),
                1 => drop(bytes.drain(part)),
                2 => {
                    let copy = bytes[part].to_vec();
                    bytes.splice(other..other, copy);
                }
                3 => {
                    let nested = pick(rng, b"[{\"\\-9");
                    bytes.splice(one..one, vec![nested; rng.usize(1..300)]);
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(one) {
                        *byte = if rng.bool() { rng.u8(..) } else { pick(rng, b"0\"{}[],:.-etn\\ ") };
                    }
                }
            }
        }
        bytes
    }
}

impl Default for Samples {
    fn default() -> Self {
        Self::new()
    }
}
