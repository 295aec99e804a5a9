//! Claims that are not as documented, in tokens that are rightly signed. Most of them stand in `claims.txt`.

use super::{Forge, many};
use serde_json::{Value, json};

const DAY: u64 = 86_400;
const LAST_SECOND: u64 = 253_402_300_799;

pub(super) fn cases(forge: &mut Forge) {
    for (class, name, raw) in forge.read(include_str!("claims.txt")) {
        let claims = forge.claims.with(name, &raw);
        forge.claims(class, &claims);
    }
    for name in ["aud", "sub", "jti", "iat", "exp", "gen"] {
        let claims = forge.claims.without(name);
        forge.claims("a claim is missing", &claims);
    }
    times(forge);
    spans(forge);
    lengths(forge);
    repeated(forge);
    shapes(forge);
}

/// Seconds are whole numbers, written as such.
fn times(forge: &mut Forge) {
    let now = forge.scene.now;
    for (name, second) in [("iat", now - 60), ("exp", now + 3_600), ("nbf", now - 60)] {
        for raw in include_str!("times.txt").lines() {
            let raw = forge.fill(&raw.replace("<second>", &second.to_string()));
            let claims = forge.claims.with(name, raw);
            forge.claims("a time that is none", &claims);
        }
    }
}

/// From when until when.
fn spans(forge: &mut Forge) {
    let now = forge.scene.now;
    for (iat, exp) in [
        (now - 120, now - 1),
        (now - 60, now),
        (now - 60, now - 60),
        (now - 60, now - 61),
        (1, 2),
        (0, 0),
        (now + 3_600, now + 7_200),
        (now - 60, now - 60 + DAY + 1),
        (now - DAY, now + 1),
        (now - 60, now + 365 * DAY),
        (0, now + 3_600),
        (now - 60, LAST_SECOND),
        (0, LAST_SECOND),
    ] {
        let claims = forge.claims.with("iat", iat).with("exp", exp);
        forge.claims("not alive, or for too long", &claims);
    }
    for nbf in [now + 3_600, now + 3_599, LAST_SECOND] {
        let claims = forge.claims.with("nbf", nbf);
        forge.claims("not alive, or for too long", &claims);
    }
}

/// Lists that are one too long.
fn lengths(forge: &mut Forge) {
    let policy = json!({ "filter_slug": forge.scene.filter, "filter_kind": "select", "mode": "disabled" });
    let fields: Value = (0..101).map(|at| (format!("p{at}"), json!(1))).collect();
    for (name, raw) in [
        ("allowed_params", many(101, |at| json!(format!("p{at}")))),
        ("required_params", many(101, |_| json!(forge.scene.filter))),
        ("fixed_params", fields.to_string()),
        ("policies", many(51, |_| policy.clone())),
        ("origins", many(21, |_| json!("https://a.com"))),
        ("origins", json!([format!("https://{}com", "a.".repeat(126))]).to_string()),
    ] {
        let claims = forge.claims.with(name, raw);
        forge.claims("too many", &claims);
    }
}

fn repeated(forge: &mut Forge) {
    let claims = forge.claims.with("fixed_params", "{}").with("origins", "[]").with("nbf", "0");
    for (name, own) in &claims.0 {
        let escaped = format!("\\u{:04X}{}", name.as_bytes()[0], &name[1..]);
        for (name, raw) in [(name, own.as_str()), (name, "null"), (&escaped, own.as_str()), (&escaped, "1")] {
            forge.claims("claim twice", &claims.after(name, raw));
            forge.claims("claim twice", &claims.before(name, raw));
        }
    }
}

/// What is no object of JSON.
fn shapes(forge: &mut Forge) {
    let text = forge.claims.text();
    for shape in super::shapes(&text) {
        forge.claims_text("claims that are no plain object", shape);
    }
    for raw in [
        "\"\n\"",
        "\"\t\"",
        "\"\u{0}\"",
        "\"\u{1f}\"",
        "\"\\x41\"",
        "\"\\u{41}\"",
        "\"\\u004\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\'\"",
        "`a`",
        "\"a",
        "a",
    ] {
        let claims = forge.claims.with("iss", raw);
        forge.claims("a text that is none", &claims);
    }
    for bytes in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"] {
        let broken = [text.replace('}', ",\"iss\":\"").as_bytes(), bytes, b"\"}"].concat();
        forge.claims_text("a text that is none", broken);
    }
}
