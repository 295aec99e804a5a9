//! Good tokens in every spelling that the rules leave open.

use super::{Fate, Fields, Forge};
use crate::embed::{base64, key};
use fastrand::Rng;
use serde_json::json;

const SHUFFLES: usize = 12;

pub(super) fn cases(forge: &mut Forge) {
    let (header, claims) = (forge.header.clone(), forge.claims.clone());
    headers(forge, &header, &claims);
    spellings(forge, &header, &claims);
    optional(forge, &header, &claims);
    lengths(forge, &header, &claims);
}

fn good(forge: &mut Forge, class: &'static str, header: impl AsRef<str>, claims: impl AsRef<str>) {
    let token = key::token(header.as_ref(), claims.as_ref(), &forge.key);
    forge.case(Fate::Opens, class, format!("{} {}", header.as_ref(), claims.as_ref()), token);
}

fn headers(forge: &mut Forge, header: &Fields, claims: &Fields) {
    let [a, b, c] = [0, 1, 2].map(|at| header.0[at].clone());
    for order in [[&a, &b, &c], [&a, &c, &b], [&b, &a, &c], [&b, &c, &a], [&c, &a, &b], [&c, &b, &a]] {
        let ordered = Fields(order.into_iter().cloned().collect());
        good(forge, "header in any order", ordered.text(), claims.text());
        good(forge, "header without typ", ordered.without("typ").text(), claims.text());
    }
    for (around, inside) in [(" ", ""), ("", " "), ("\n  ", " "), ("\r\n", "\t"), ("\t", "\t ")] {
        good(forge, "header with spaces", header.spaced(around, inside), claims.text());
    }
    for text in [
        header.text().replace("alg", "\\u0061lg"),
        header.text().replace("HS256", "\\u0048S256"),
        header.text().replace("kid", "k\\u0069d"),
        header.text().replace("JWT", "\\u004A\\u0057\\u0054"),
        format!(" {} \n", header.text()),
    ] {
        good(forge, "header in other letters", text, claims.text());
    }
}

fn spellings(forge: &mut Forge, header: &Fields, claims: &Fields) {
    let rng = &mut Rng::with_seed(1);
    for _ in 0..SHUFFLES {
        let mut shuffled = claims.clone();
        rng.shuffle(&mut shuffled.0);
        good(forge, "claims in any order", header.text(), shuffled.text());
    }
    for (around, inside) in
        [(" ", ""), ("", " "), ("\n    ", " "), ("\r\n", "\t"), ("          ", "          ")]
    {
        good(forge, "claims with spaces", header.text(), claims.spaced(around, inside));
    }
    for text in [
        claims.text().replace("\"aud\"", "\"\\u0061\\u0075\\u0064\""),
        claims.text().replace("postern-embed", "\\u0070ostern\\u002dembed"),
        claims.text().replace("\"gen\"", "\"\\u0067en\""),
        claims.text().replace("forged", "\\u0066\\u006F\\u0072ged"),
        format!("\n\t {}\r\n", claims.text()),
    ] {
        good(forge, "claims in other letters", header.text(), text);
    }
}

fn optional(forge: &mut Forge, header: &Fields, claims: &Fields) {
    let (now, filter, value) = (forge.scene.now, forge.scene.filter, json!(forge.scene.value));
    let own = &forge.scene.organization;
    let organization =
        format!("\"{}-{}-{}-{}-{}\"", &own[..8], &own[8..12], &own[12..16], &own[16..20], &own[20..]);
    let fixed = json!({ filter: value }).to_string();
    let policy = |mode: &str, rest: &str| {
        format!(r#"[{{"filter_slug":"{filter}","filter_kind":"select","mode":"{mode}"{rest}}}]"#)
    };
    let names = format!("[\"{filter}\"]");
    let selectable =
        policy("selectable", &format!(r#","allowed_values":[{value}],"default":null,"hidden":false"#));
    let locked = policy("locked", &format!(r#","hidden":true,"allowed_values":[{value}]"#));
    let one = |name: &str, raw: &str| claims.with(name, raw);
    let whole = claims
        .with("iss", "\"shop\"")
        .with("org", &organization)
        .with("nbf", now - 60)
        .with("allowed_params", &names)
        .with("required_params", &names)
        .with("fixed_params", "{}")
        .with("policies", &selectable)
        .with("origins", r#"["https://shop.example.com"]"#)
        .with("ui", r#"{"hide_header":true,"hide_controls":false,"theme":"dark"}"#);
    for claims in [
        claims.clone(),
        whole,
        one("iss", "\"\""),
        one("iss", "\"\\u00e9\\ud83d\\ude00\\u0000\""),
        one("iss", &format!("\"{}\"", "\u{e9}".repeat(200))),
        one("org", &organization),
        one("nbf", "0"),
        one("nbf", &now.to_string()),
        one("nbf", "1"),
        claims.with("iat", now).with("exp", now + 3_600),
        claims.with("iat", now - 60).with("exp", now - 60 + 86_400),
        claims.with("iat", now - 86_400 + 600).with("exp", now + 600),
        one("jti", "\"a\""),
        one("jti", &format!("\"{}\"", "x".repeat(64))),
        one("jti", "\"-._~AZaz09\""),
        one("jti", "\"..\""),
        one("jti", "\"null\""),
        one("allowed_params", "[]"),
        one("allowed_params", &names),
        one("allowed_params", &format!("[\"{filter}\",\"{filter}\"]")),
        one("required_params", "[]"),
        claims.with("allowed_params", &names).with("required_params", &names),
        one("fixed_params", "{}"),
        one("fixed_params", &fixed),
        claims.with("fixed_params", &fixed).with("required_params", &names),
        one("policies", "[]"),
        claims.with("allowed_params", &names).with("policies", policy("open", "")),
        claims.with("allowed_params", &names).with("policies", &selectable),
        one("policies", &policy("disabled", r#","allowed_values":[]"#)),
        one("policies", &locked),
        one("origins", "[]"),
        one("origins", r#"["https://a.com","https://a.com:443","https://a.com"]"#),
        one("origins", r#"["http://localhost:3000","http://127.0.0.1"]"#),
        one(
            "origins",
            r#"["https://*.example.com","https://*.a.b.example.com:8443","http://a_b.c-d.xn--mnchen-3ya.de"]"#,
        ),
        one("ui", "{}"),
        one("ui", r#"{"theme":"auto"}"#),
        one("ui", r#"{"theme":"light"}"#),
        one("ui", r#"{"theme":"\u0064ark"}"#),
        one("ui", r#"{"hide_controls":true}"#),
        one("ui", r#"{"hide_header":false}"#),
    ] {
        good(forge, "optional claims", header.text(), claims.text());
    }
}

/// As long as a token and its header may be, to the letter.
fn lengths(forge: &mut Forge, header: &Fields, claims: &Fields) {
    let header = header.text();
    let wide = header.replacen('{', &format!("{{{}", " ".repeat(192 - header.len())), 1);
    debug_assert_eq!(base64::write(&wide).len(), 256, "three bytes are four digits");
    good(forge, "the longest header", &wide, claims.text());
    let (longest, _) = forge.longest();
    forge.case(Fate::Opens, "the longest token", longest.len(), longest);
}
