//! Keys that did not sign it, and whatever else opens something.

use super::{Fate, Forge};
use crate::embed::base64;
use crate::embed::key::{self, Secret, hs256};

pub(super) fn cases(forge: &mut Forge) {
    own_key_misread(forge);
    other_keys(forge);
    signatures(forge);
    for (name, credential) in forge.scene.credentials.clone() {
        forge.refused("another credential", name, credential.clone());
        forge.signed_by("another credential as the key", name, credential.as_bytes());
        let token = forge.token();
        let (signed, _) = token.rsplit_once('.').unwrap_or_default();
        forge.refused("another credential as the signature", name, format!("{signed}.{credential}"));
    }
    dead(forge);
}

/// The right key, read as what it is not.
fn own_key_misread(forge: &mut Forge) {
    let own = forge.key.clone();
    let digits = own.trim_start_matches("pek_").to_owned();
    let decoded = base64::read(&digits).expect("the key's own spelling");
    let others: [(&str, Vec<u8>); 18] = [
        ("decoded", decoded.clone()),
        ("decoded with its prefix", base64::read(&format!("{own}A")).unwrap_or_default()),
        ("as hex", hex::encode(&own).into_bytes()),
        ("decoded, as hex", hex::encode(&decoded).into_bytes()),
        ("its hex digits alone", own.bytes().filter(u8::is_ascii_hexdigit).collect()),
        ("as base64", base64::write(&own).into_bytes()),
        ("without prefix", digits.clone().into_bytes()),
        ("with padding", format!("{own}=").into_bytes()),
        ("of the standard alphabet", format!("{}+/", own.replace('-', "+").replace('_', "/")).into_bytes()),
        ("in lower case", own.to_lowercase().into_bytes()),
        ("in upper case", own.to_uppercase().into_bytes()),
        ("with a line feed", format!("{own}\n").into_bytes()),
        ("with a space", format!(" {own}").into_bytes()),
        ("in quotes", format!("\"{own}\"").into_bytes()),
        ("cut", own[..46].to_owned().into_bytes()),
        ("twice", format!("{own}{own}").into_bytes()),
        ("as UTF-16", own.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("hashed", hs256(b"", own.as_bytes()).to_vec()),
    ];
    for (name, key) in others {
        forge.signed_by("the key, misread", name, &key);
    }
}

fn other_keys(forge: &mut Forge) {
    let scene = forge.scene;
    let root = Secret::Root(scene.root);
    let key = |root: &Secret, organization: &str, generation| {
        root.key(organization, generation).unwrap_or_default().into_bytes()
    };
    let mut other_root = scene.root;
    other_root.reverse();
    let other = "0123456789abcdef0123456789abcdef";
    let mut others: Vec<(String, Vec<u8>)> = vec![
        ("empty".into(), Vec::new()),
        ("another organization's".into(), key(&root, other, scene.key_generation)),
        (
            "another root key's".into(),
            key(&Secret::Root(other_root), &scene.organization, scene.key_generation),
        ),
        ("the root key".into(), scene.root.to_vec()),
        ("the root key as hex".into(), hex::encode(scene.root).into_bytes()),
        ("the dashboard's id".into(), scene.dashboard.clone().into_bytes()),
        ("the organization's id".into(), scene.organization.clone().into_bytes()),
        ("the key's name".into(), format!("{}.{}", scene.organization, scene.key_generation).into_bytes()),
    ];
    for generation in [0, scene.key_generation + 1, scene.key_generation + 2, u64::MAX] {
        others.push((format!("generation {generation}"), key(&root, &scene.organization, generation)));
    }
    for word in [
        "secret",
        "pek_",
        "key",
        "null",
        "undefined",
        "your-256-bit-secret",
        "changeme",
        "\0",
        "postern",
        "postern-embed",
        "HS256",
    ] {
        others.push((word.to_owned(), word.as_bytes().to_vec()));
    }
    // Keys of the root key for other purposes.
    let extracted = hs256(&[0; 32], &scene.root);
    for purpose in [
        "token",
        "token-tag",
        "record",
        "push",
        "origin",
        "source",
        "password",
        "grant",
        "network",
        "idempotency",
        "embed",
        "epoch",
    ] {
        let key = hs256(&extracted, format!("postern/v1/{purpose}\x01").as_bytes());
        others.push((purpose.to_owned(), key.to_vec()));
        others.push((format!("{purpose} as hex"), hex::encode(key).into_bytes()));
    }
    for (name, key) in others {
        forge.signed_by("another key", name, &key);
    }
    // Named by one organization, signed by another.
    for kid in [
        format!("{other}.{}", scene.key_generation),
        format!("{}.{}", scene.organization, scene.key_generation + 1),
    ] {
        let header = forge.header.with("kid", format!("\"{kid}\""));
        forge.header("another key named", &header);
    }
}

/// Signatures that are none, of these very bytes.
fn signatures(forge: &mut Forge) {
    let token = forge.token();
    let (signed, signature) = token.rsplit_once('.').unwrap_or_default();
    let own = base64::read(signature).expect("a signature");
    let changed = |at: usize, bits: u8| {
        let mut changed = own.clone();
        changed[at] ^= bits;
        base64::write(changed)
    };
    for at in 0..own.len() {
        forge.refused("a signature with another bit", at, format!("{signed}.{}", changed(at, 1 << (at % 8))));
    }
    for length in (0..own.len()).chain(33..=40).chain([64, 1_000]) {
        let mut other = own.clone();
        other.resize(length, 0);
        forge.refused("a signature of another length", length, format!("{signed}.{}", base64::write(other)));
    }
    for byte in [0, 0xff] {
        forge.refused(
            "a signature of one byte only",
            byte,
            format!("{signed}.{}", base64::write([byte; 32])),
        );
    }
    let (header, payload) = signed.split_once('.').unwrap_or_default();
    for (what, text) in
        [("the header", header), ("the payload", payload), ("nothing", ""), ("the whole token", &token)]
    {
        let signature = base64::write(hs256(forge.key.as_bytes(), text.as_bytes()));
        forge.refused("a signature of something else", what, format!("{signed}.{signature}"));
    }
    let parts = [header, payload].map(|part| base64::read(part).unwrap_or_default());
    let signature = base64::write(hs256(forge.key.as_bytes(), &parts.join(&b'.')));
    forge.refused("a signature of something else", "what is encoded", format!("{signed}.{signature}"));
}

/// Rightly signed, of what is not there.
fn dead(forge: &mut Forge) {
    let scene = forge.scene;
    let (header, claims, key) = (forge.header.clone(), forge.claims.clone(), forge.key.clone());
    let mut dead =
        |detail: String, token: String| forge.case(Fate::Dead, "nothing of this name", detail, token);
    for dashboard in [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "01990000-0000-7000-8000-000000000000",
    ] {
        let claims = claims.with("sub", format!("\"{dashboard}\""));
        dead(format!("dashboard {dashboard}"), key::token(header.text(), claims.text(), &key));
    }
    for generation in [0, scene.generation + 1, scene.generation + 7, u64::MAX] {
        let claims = claims.with("gen", generation);
        dead(format!("generation {generation}"), key::token(header.text(), claims.text(), &key));
    }
    let (own, other) = (scene.organization.as_str(), "0123456789abcdef0123456789abcdef");
    for (organization, generation) in [(own, scene.key_generation + 1), (own, 999_999_999), (other, 1)] {
        let kid = format!("{organization}.{generation}");
        let key = Secret::Root(scene.root).key(organization, generation).unwrap_or_default();
        let header = header.with("kid", format!("\"{kid}\""));
        dead(format!("key {kid}"), key::token(header.text(), claims.text(), &key));
    }
}
