//! Headers that would choose algorithm or key, or say anything beside. Many of them stand in `header.txt`.

use super::{Forge, sign};
use crate::embed::{base64, key};
use serde_json::json;

const NONE: [&str; 10] =
    ["none", "None", "NONE", "nOnE", "noNe", "none ", " none", "none\\u0000", "no\\u200bne", "null"];
/// Makes a signature by a key.
type Mac = fn(&[u8], &[u8]) -> Vec<u8>;
/// Algorithms of other keys.
const FOREIGN: [&str; 22] = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES256K",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
    "ML-DSA-44",
    "RS1",
    "HS1",
    "dir",
    "A256KW",
    "A256GCMKW",
    "RSA-OAEP",
    "RSA1_5",
    "ECDH-ES",
    "PBES2-HS256+A128KW",
];
pub(super) fn cases(forge: &mut Forge) {
    for (class, name, raw) in forge.read(include_str!("header.txt")) {
        let header = forge.header.with(name, &raw);
        forge.header(class, &header);
    }
    for name in ["alg", "kid"] {
        let header = forge.header.without(name);
        forge.header("header field missing", &header);
    }
    algorithms(forge);
    other_macs(forge);
    own_keys(forge);
    payload_as_it_is(forge);
    repeated_fields(forge);
    shapes(forge);
}

fn algorithms(forge: &mut Forge) {
    let (header, payload) = (forge.header.clone(), base64::write(forge.claims.text()));
    let quoted = |name: &str| format!("\"{name}\"");
    for none in NONE {
        let none = header.with("alg", quoted(none));
        forge.header("algorithm none, signed", &none);
        let first = base64::write(none.text());
        forge.refused("algorithm none, no signature", none.get("alg"), format!("{first}.{payload}."));
        forge.refused("algorithm none, two parts", none.get("alg"), format!("{first}.{payload}"));
    }
    for name in FOREIGN {
        let foreign = header.with("alg", quoted(name));
        forge.header("foreign algorithm, signed by HS256", &foreign);
        let first = base64::write(foreign.text());
        for length in [0, 64, 256] {
            let signature = base64::write(vec![0x5a; length]);
            forge.refused(
                "foreign algorithm, no such signature",
                name,
                format!("{first}.{payload}.{signature}"),
            );
        }
    }
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    forge.signed_by("a public key taken for a secret", "PEM", pem.as_bytes());
}

/// HMACs of other lengths, by the right key.
fn other_macs(forge: &mut Forge) {
    let payload = base64::write(forge.claims.text());
    let macs: [(&str, Mac); 2] = [("HS384", key::hs384), ("HS512", key::hs512)];
    for (name, mac) in macs {
        for alg in [name, "HS256"] {
            let first = base64::write(forge.header.with("alg", format!("\"{alg}\"")).text());
            let signed = format!("{first}.{payload}");
            let whole = mac(forge.key.as_bytes(), signed.as_bytes());
            for length in [whole.len(), 32] {
                let signature = base64::write(&whole[..length]);
                forge.refused(
                    "another HMAC, rightly made",
                    format!("{alg} {name} {length}"),
                    format!("{signed}.{signature}"),
                );
            }
        }
        forge.header("another HMAC named, signed by HS256", &forge.header.with("alg", format!("\"{name}\"")));
    }
}

/// Headers that bring the key by which they are signed.
fn own_keys(forge: &mut Forge) {
    let payload = base64::write(forge.claims.text());
    let secret = b"the attacker's own key, 32 bytes";
    let jwk = json!({"kty": "oct", "k": base64::write(secret), "alg": "HS256", "kid": "own"}).to_string();
    let own = [
        ("jwk", jwk.clone()),
        ("jwk", format!("[{jwk}]")),
        ("jwk", "null".to_owned()),
        ("jwk", "{}".to_owned()),
        ("jwks", format!("{{\"keys\":[{jwk}]}}")),
        ("key", format!("\"{}\"", base64::write(secret))),
        ("k", format!("\"{}\"", base64::write(secret))),
        ("secret", "\"own\"".to_owned()),
        ("jwk", r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned()),
        ("jwk", r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.to_owned()),
        ("jku", "\"https://evil.example/jwks.json\"".to_owned()),
        ("x5u", "\"https://evil.example/cert.pem\"".to_owned()),
        ("x5c", format!("[\"{}\"]", base64::write(secret))),
    ];
    for (name, raw) in own {
        let header = forge.header.with(name, &raw);
        forge.header("a key in the header, signed by the right one", &header);
        let token = sign(&base64::write(header.text()), &payload, secret);
        forge.refused("a key in the header, signed by it", raw, token);
    }
}

/// RFC 7797: the payload stands there as it is.
fn payload_as_it_is(forge: &mut Forge) {
    let header = forge.header.with("b64", "false").with("crit", "[\"b64\"]").text();
    forge.header_text("payload that is not encoded", &header);
    let token = sign(&base64::write(&header), &forge.claims.text(), forge.key.as_bytes());
    forge.refused("payload that is not encoded", "its text", token);
}

fn repeated_fields(forge: &mut Forge) {
    let header = forge.header.clone();
    for name in ["alg", "typ", "kid"] {
        let own = header.get(name).to_owned();
        let escaped = format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]);
        for (name, raw) in [
            (name, own.as_str()),
            (name, "\"none\""),
            (name, "null"),
            (escaped.as_str(), own.as_str()),
            (escaped.as_str(), "\"none\""),
        ] {
            forge.header("header field twice", &header.after(name, raw));
            forge.header("header field twice", &header.before(name, raw));
        }
    }
    forge.header("header field twice", &header.with("jwk", r#"{"k":"a","k":"b"}"#));
}

/// What is no object of JSON, or too long.
fn shapes(forge: &mut Forge) {
    let text = forge.header.text();
    for shape in super::shapes(&text) {
        forge.header_text("header that is no plain object", shape);
    }
    let spread = forge.header.spaced(&" ".repeat(40), "");
    forge.header_text("header that is too long", spread);
}
