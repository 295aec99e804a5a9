//! Good tokens, altered: some bytes of them, or what they say, which is then signed again.

use super::forge::{Case, Fate, Scene, corpus};
use super::key::{self, Secret};
use super::{base64, check::Judges};
use crate::corpus::{TOKENS, WORDS, pick};
use fastrand::Rng;
use serde_json::{Value, json};

/// Root keys, that in force and that before it.
const ROOTS: [[u8; 32]; 2] = [
    *b"\x9f\x2c\x4a\x7b\xe1\xd0\x58\x36\xc7\xaa\x10\xf4\xe9\x3b\x5d\x62\x78\xc1\xf0\xa3\x5e\x8d\x94\xb6\x07\x13\xac\x2f\xd5\x8e\x6b\x41",
    *b"\x41\xb6\x8e\x5d\xf2\xca\x13\x07\xb6\x94\x8d\x5e\xa3\xf0\xc1\x78\x62\x5d\x3b\xe9\xf4\x10\xaa\xc7\x36\x58\xd0\xe1\x7b\x4a\x2c\x9f",
];
const NOW: u64 = 1_790_000_000;
/// When the tokens are judged, within that second.
pub const NOW_MILLIS: i64 = 1_790_000_000_123;
const ORGANIZATION: &str = "019a2b3c4d5e7f80812233445566778f";
const DASHBOARD: &str = "019a2b3c-4d5e-7f80-8122-33445566778a";
/// What stands in JSON, and what almost does.
const FRAGMENTS: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0061",
    "\\ud800",
    "\\u0000",
    "null",
    "true",
    "0",
    "-",
    ".5",
    "e9",
    " ",
    "\n",
    "\"gen\":1,",
    "\"nbf\":0,",
    "\"ui\":{},",
    "\"\":",
    "\u{e9}",
];

/// A scene that needs no installation.
pub fn scene() -> Scene {
    Scene {
        root: ROOTS[0],
        organization: ORGANIZATION.to_owned(),
        key_generation: 1,
        dashboard: DASHBOARD.to_owned(),
        generation: 3,
        now: NOW,
        filter: "region",
        value: "north",
        credentials: vec![
            ("share token", format!("shr_{}", "0123456789".repeat(4))),
            ("API key", format!("pk_{}", "A".repeat(43))),
        ],
    }
}

/// Both sides, for that scene.
pub fn judges() -> Judges {
    Judges::new(&ROOTS[0], Some(&ROOTS[1]))
}

/// Good tokens, to be altered.
#[derive(Debug)]
pub struct Samples {
    good: Vec<String>,
}

impl Samples {
    /// Makes them.
    pub fn new() -> Self {
        let good = |case: Case| (case.fate == Fate::Opens && case.token.len() < 2_000).then_some(case.token);
        Self { good: corpus(&scene()).into_iter().filter_map(good).collect() }
    }

    /// What a seed makes of one, as number `at`.
    pub fn token(&self, seed: u64, at: u64) -> String {
        let rng = &mut Rng::with_seed(seed.rotate_left(32) ^ at);
        let good = pick(rng, &self.good);
        match rng.u8(0..8) {
            0 => bytes(rng, &good),
            1 => self.spliced(rng, &good),
            2 => signed(rng, &good, 0),
            3 | 4 => signed(rng, &good, 1),
            _ => {
                let (header, claims) = (header(rng), claims(rng));
                key::token(header, claims, &organization_key(rng))
            }
        }
    }

    /// Parts of several tokens.
    fn spliced(&self, rng: &mut Rng, good: &str) -> String {
        let other = pick(rng, &self.good);
        if rng.bool() {
            let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
            let (mut one, other) = (parts(good), parts(&other));
            let at = rng.usize(0..3);
            one[at].clone_from(&other[at]);
            if rng.bool() {
                let last = one.len() - 1;
                let signed = one[..last].join(".");
                one[last] = base64::write(key::hs256(organization_key(rng).as_bytes(), signed.as_bytes()));
            }
            return one.join(".");
        }
        let (from, to) = (rng.usize(0..=good.len()), rng.usize(0..=other.len()));
        format!("{}{}", &good[..from], &other[to..])
    }
}

impl Default for Samples {
    fn default() -> Self {
        Self::new()
    }
}

/// One part altered, and all signed again.
fn signed(rng: &mut Rng, good: &str, at: usize) -> String {
    let mut parts: Vec<Vec<u8>> = good.split('.').filter_map(base64::read).collect();
    parts[at] = edited(rng, std::mem::take(&mut parts[at]));
    key::token(&parts[0], &parts[1], &organization_key(rng))
}

/// The right key, of either root key; once in a while another.
fn organization_key(rng: &mut Rng) -> String {
    let generation = if rng.u8(0..20) == 0 { 2 } else { 1 };
    let root = Secret::Root(pick(rng, &ROOTS));
    root.key(ORGANIZATION, generation).expect("any key comes from a root key")
}

/// Letters of a token exchanged, added or left out.
fn bytes(rng: &mut Rng, token: &str) -> String {
    let mut letters: Vec<char> = token.chars().collect();
    for _ in 0..rng.usize(0..3) {
        let at = rng.usize(0..letters.len());
        match rng.u8(0..4) {
            0 => drop(letters.remove(at)),
            1 => letters.insert(at, pick(rng, &['.', '=', 'A', '-', '_', ' ', '\0', '\u{e9}'])),
            _ => {
                letters[at] =
                    if rng.u8(0..8) == 0 { rng.char(..) } else { char::from(pick(rng, base64::DIGITS)) }
            }
        }
    }
    letters.into_iter().collect()
}

/// Bytes of JSON exchanged, repeated or left out, or pieces of it put between.
fn edited(rng: &mut Rng, mut text: Vec<u8>) -> Vec<u8> {
    for _ in 0..rng.usize(0..3) {
        let (one, other) = (rng.usize(0..=text.len()), rng.usize(0..=text.len()));
        let part = one.min(other)..one.max(other).min(one.min(other) + 12);
        match rng.u8(0..6) {
            0 => drop(text.drain(part)),
            1 => {
                let copy = text[part].to_vec();
                text.splice(other..other, copy);
            }
            2 | 3 => drop(text.splice(one..one, pick(rng, &FRAGMENTS).bytes())),
            4 => drop(text.splice(one..one, pick(rng, &TOKENS).bytes())),
            _ => {
                if let Some(byte) = text.get_mut(one) {
                    *byte =
                        if rng.u8(0..4) == 0 { rng.u8(..) } else { pick(rng, b"0123456789 aZ\"{}[]:,.-_") };
                }
            }
        }
    }
    text
}

fn one_in(rng: &mut Rng, count: u32) -> bool {
    rng.u32(0..count) == 0
}

/// A header, mostly a good one.
fn header(rng: &mut Rng) -> String {
    let kid =
        if one_in(rng, 30) { pick(rng, &["1", "", "x.1"]).to_owned() } else { format!("{ORGANIZATION}.1") };
    let mut fields = vec![("alg", "\"HS256\"".to_owned()), ("kid", format!("\"{kid}\""))];
    if rng.bool() {
        fields.push((
            "typ",
            pick(rng, &["\"JWT\"", "\"JWT\"", "\"JWT\"", "\"JWT\"", "null", "\"jwt\""]).to_owned(),
        ));
    }
    if one_in(rng, 30) {
        fields.push((pick(rng, &["crit", "b64", "jwk", "alg", "kid"]), "[]".to_owned()));
    }
    written(rng, fields)
}

/// Makes what a claim says.
type Generator = fn(&mut Rng) -> String;

/// Claims, most of them good.
fn claims(rng: &mut Rng) -> String {
    let iat = NOW - pick(rng, &[0, 1, 60, 3_600, 86_399, 86_400]);
    let exp = match rng.u8(0..8) {
        0 => iat + pick(rng, &[86_400, 86_401, 86_399, 1, 0]),
        1 => NOW + pick(rng, &[0, 1]),
        _ => NOW + pick(rng, &[1, 1, 60, 600]).min(iat + 86_400 - NOW),
    };
    let mut fields = vec![
        ("aud", "\"postern-embed\"".to_owned()),
        ("sub", format!("\"{DASHBOARD}\"")),
        ("jti", json!(pick(rng, &["a", "t-1", "A.b_c~d", "0"])).to_string()),
        ("iat", iat.to_string()),
        ("exp", exp.to_string()),
        ("gen", pick(rng, &["1", "3", "0", "18446744073709551615"]).to_owned()),
    ];
    let optional: [(&str, Generator); 9] = [
        ("iss", |rng| json!(pick(rng, &WORDS)).to_string()),
        ("org", |_| "\"019a2b3c-4d5e-7f80-8122-33445566778f\"".to_owned()),
        ("nbf", |rng| (NOW - rng.u64(0..3)).to_string()),
        ("allowed_params", names),
        ("required_params", names),
        ("fixed_params", |rng| {
            let fields = (0..rng.usize(0..4))
                .map(|at| (pick(rng, &NAMES[at * 2..at * 2 + 2]), value(rng, 0)))
                .collect();
            written(rng, fields)
        }),
        ("policies", |rng| list(rng, policy)),
        ("origins", |rng| list(rng, |rng| json!(pick(rng, &ORIGINS)).to_string())),
        ("ui", |rng| {
            let mut fields = Vec::new();
            for (name, good) in [
                ("hide_header", ["true", "false"]),
                ("hide_controls", ["true", "false"]),
                ("theme", ["\"dark\"", "\"auto\""]),
            ] {
                if rng.bool() {
                    fields.push((name, pick(rng, &good).to_owned()));
                }
            }
            written(rng, fields)
        }),
    ];
    for (name, good) in optional {
        if one_in(rng, 3) {
            fields.push((name, good(rng)));
        }
    }
    if one_in(rng, 5) {
        spoil(rng, &mut fields);
    }
    written(rng, fields)
}

const NAMES: [&str; 8] = ["region", "day", "period_start", "period_end", "a", "\u{e9}", "with space", "x"];
const ORIGINS: [&str; 10] = [
    "https://a.com",
    "https://a.com:443",
    "https://*.a.com",
    "http://localhost:3000",
    "http://[::1]",
    "http://127.0.0.1:80",
    "https://b.a.com:8443",
    "https://a_b.com",
    "https://1.2.3.4",
    "https://xn--a.de",
];

/// A claim left out, said twice, or said as something else.
fn spoil(rng: &mut Rng, fields: &mut Vec<(&'static str, String)>) {
    let at = rng.usize(0..fields.len());
    match rng.u8(0..5) {
        0 => drop(fields.remove(at)),
        1 => fields.push(fields[at].clone()),
        2 => fields.push((
            pick(rng, &["exp", "fixed_param", "", "ui", "gen", "$serde_json::private::RawValue"]),
            value(rng, 0),
        )),
        _ => fields[at].1 = value(rng, 0),
    }
}

fn names(rng: &mut Rng) -> String {
    list(rng, |rng| json!(pick(rng, &NAMES)).to_string())
}

fn policy(rng: &mut Rng) -> String {
    let mut fields = vec![
        ("filter_slug", json!(pick(rng, &NAMES)).to_string()),
        ("filter_kind", json!(pick(rng, &crate::generate::KINDS)).to_string()),
        ("mode", json!(pick(rng, &["open", "locked", "selectable", "disabled"])).to_string()),
    ];
    if rng.bool() {
        fields.push(("allowed_values", list(rng, |rng| value(rng, 1))));
    }
    if rng.bool() {
        fields.push(("default", value(rng, 1)));
    }
    if rng.bool() {
        fields.push(("hidden", rng.bool().to_string()));
    }
    if one_in(rng, 20) {
        spoil(rng, &mut fields);
    }
    if one_in(rng, 40) {
        return format!("[{}]", fields.iter().map(|(_, raw)| raw.as_str()).collect::<Vec<_>>().join(","));
    }
    written(rng, fields)
}

fn list(rng: &mut Rng, item: impl Fn(&mut Rng) -> String) -> String {
    let items: Vec<String> = (0..rng.usize(0..4)).map(|_| item(rng)).collect();
    format!("[{}]", items.join(","))
}

/// Some JSON, once in a while none.
fn value(rng: &mut Rng, depth: usize) -> String {
    match rng.u8(0..10) {
        0..5 => json!(pick(rng, &WORDS)).to_string(),
        5..7 => rng.u32(0..100).to_string(),
        7 if one_in(rng, 4) => pick(rng, &TOKENS).to_owned(),
        8 if depth < 18 => list(rng, |rng| value(rng, depth + 1)),
        9 if depth < 18 => {
            let fields = (0..rng.usize(0..3)).map(|at| (NAMES[at], value(rng, depth + 1))).collect();
            written(rng, fields)
        }
        _ => Value::from(rng.bool()).to_string(),
    }
}

/// An object of these fields, in any order, some of its names escaped, with spaces or without.
fn written(rng: &mut Rng, mut fields: Vec<(&'static str, String)>) -> String {
    rng.shuffle(&mut fields);
    let space = pick(rng, &["", "", "", " ", "\n  "]);
    let field = |(name, raw): &(&str, String)| {
        let name: String = name.chars().map(|letter| letter_of(rng, letter)).collect();
        format!("{space}\"{name}\":{space}{raw}")
    };
    format!("{{{}{space}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
}

fn letter_of(rng: &mut Rng, letter: char) -> String {
    if one_in(rng, 60) { format!("\\u{:04x}", u32::from(letter)) } else { letter.to_string() }
}
