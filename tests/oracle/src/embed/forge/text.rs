//! Texts that are almost a token: other alphabets, spaces, cuts, dots. Some are signed as they stand.

use super::{Forge, sign};
use crate::embed::{LONGEST, base64, key};

pub(super) fn cases(forge: &mut Forge) {
    let token = two_alphabets(forge);
    encodings(forge, &token);
    spaces(forge, &token);
    cuts(forge, &token);
    dots(forge, &token);
    wholes(forge, &token);
}

fn parts(token: &str) -> [String; 3] {
    let mut parts = token.split('.').map(str::to_owned);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// A good token in which payload and signature have a digit of each kind that base64 has two alphabets for, and each part has bits at
/// its end that say nothing.
fn two_alphabets(forge: &Forge) -> String {
    let header = forge.header.text();
    let header = if header.len().is_multiple_of(3) { format!("{header} ") } else { header };
    let mut tried = (0..).map(|number| {
        let claims = forge
            .claims
            .with("iss", "\">>>???\"")
            .with("jti", format!("\"{}\"", "t".repeat(number % 60 + 1)));
        let spaces = " ".repeat(number / 60);
        key::token(&header, format!("{}{spaces}", claims.text()), &forge.key)
    });
    let has_both = |part: &String| part.contains('-') && part.contains('_');
    let fits = |token: &String| {
        let parts = parts(token);
        parts[1..].iter().all(has_both) && !parts[1].len().is_multiple_of(4)
    };
    tried.find(fits).expect("one of them")
}

fn encodings(forge: &mut Forge, token: &str) {
    let own = parts(token);
    let key = forge.key.clone();
    for at in 0..3 {
        let part = own[at].clone();
        let mut others = vec![
            format!("{part}="),
            format!("{part}=="),
            format!("{part}==="),
            format!("={part}"),
            part.replace('-', "+"),
            part.replace('_', "/"),
            part.replace('-', "+").replace('_', "/"),
            part.replace('-', "%2D"),
            part.replace('_', "~"),
            part.replace('-', "."),
            format!("{part}A"),
            format!("{part}AA"),
            format!("{part}AAA"),
            format!("{part}AAAA"),
            format!("A{part}"),
            format!("{part}%3D"),
            format!("{part}\u{e9}"),
            part.to_lowercase(),
            part.to_uppercase(),
            part.chars().rev().collect(),
            hex::encode(&part),
            base64::write(&part),
        ];
        // The last digit may carry bits that belong to no byte.
        let last =
            base64::DIGITS.iter().map(|digit| format!("{}{}", &part[..part.len() - 1], char::from(*digit)));
        others.extend(last.filter(|other| base64::read(other).is_none()));
        for other in others.into_iter().filter(|other| *other != part) {
            let mut changed = own.clone();
            changed[at].clone_from(&other);
            forge.refused("another encoding", &other, changed.join("."));
            // What is signed is the text, however it reads; `AAA…` behind it is other bytes, and no JSON.
            if at < 2 {
                forge.refused(
                    "another encoding, signed as it is",
                    &other,
                    sign(&changed[0], &changed[1], key.as_bytes()),
                );
            }
        }
    }
}

fn spaces(forge: &mut Forge, token: &str) {
    let (first, second) = (token.find('.').unwrap_or_default(), token.rfind('.').unwrap_or_default());
    let key = forge.key.clone();
    let [header, payload, _] = parts(token);
    for (name, space) in [
        ("space", " "),
        ("tab", "\t"),
        ("line feed", "\n"),
        ("return", "\r\n"),
        ("NUL", "\0"),
        ("no-break space", "\u{a0}"),
        ("zero width", "\u{200b}"),
        ("BOM", "\u{feff}"),
        ("%20", "%20"),
        ("%0A", "%0A"),
        ("%00", "%00"),
        ("+", "+"),
        ("\\n", "\\n"),
        (";", ";"),
        (",", ","),
        ("\"", "\""),
    ] {
        for at in [
            0,
            first / 2,
            first,
            first + 1,
            usize::midpoint(first, second),
            second,
            second + 1,
            usize::midpoint(second, token.len()),
            token.len(),
        ] {
            let mut changed = token.to_owned();
            changed.insert_str(at, space);
            forge.refused("something between", format!("{name} at {at}"), changed);
        }
        for (header, payload) in
            [(format!("{header}{space}"), payload.clone()), (header.clone(), format!("{space}{payload}"))]
        {
            forge.refused(
                "something between, signed as it is",
                name,
                sign(&header, &payload, key.as_bytes()),
            );
        }
    }
}

/// Each part at each of its lengths.
fn cuts(forge: &mut Forge, token: &str) {
    let own = parts(token);
    for at in 0..3 {
        for length in 0..own[at].len() {
            let mut changed = own.clone();
            changed[at].truncate(length);
            forge.refused("a part is cut", format!("part {at} to {length}"), changed.join("."));
        }
    }
    let key = forge.key.clone();
    for at in 0..2 {
        for length in 0..own[at].len() {
            let mut changed = own.clone();
            changed[at].truncate(length);
            forge.refused(
                "a part is cut, signed as it is",
                format!("part {at} to {length}"),
                sign(&changed[0], &changed[1], key.as_bytes()),
            );
        }
    }
}

fn dots(forge: &mut Forge, token: &str) {
    let [header, payload, signature] = parts(token);
    let (h, p, s) = (header.as_str(), payload.as_str(), signature.as_str());
    let jwe = base64::write(r#"{"alg":"dir","enc":"A256GCM"}"#);
    for other in [
        format!(".{token}"),
        format!("{token}."),
        format!("..{token}"),
        format!("{token}.."),
        format!("{h}..{p}.{s}"),
        format!("{h}.{p}..{s}"),
        format!("{h}..{s}"),
        format!("..{s}"),
        format!("{h}.."),
        format!(".{p}."),
        format!(".{p}.{s}"),
        format!("{h}{p}{s}"),
        format!("{h}.{p}"),
        format!("{h}{p}.{s}"),
        format!("{h}.{p}{s}"),
        format!("{h}.{p}.{s}.{s}"),
        format!("{h}.{h}.{p}.{s}"),
        format!("{h}.{p}.{p}.{s}"),
        format!("{p}.{h}.{s}"),
        format!("{s}.{p}.{h}"),
        format!("{h}.{s}.{p}"),
        format!("{h}.{p}.{h}"),
        format!("{h}.{p}.{p}"),
        format!("{token}.{token}"),
        format!("{token},{token}"),
        format!("{token}~"),
        format!("{token}~{token}"),
        format!("{jwe}.{p}.{s}.{p}.{s}"),
        format!("{jwe}..{s}.{p}.{s}"),
        format!("{h}.{p}.{s}.{p}.{s}"),
        format!("{h}:{p}:{s}"),
        format!("{h}\u{3002}{p}\u{3002}{s}"),
        format!("{h}%2E{p}%2E{s}"),
        format!("{h}-{p}-{s}"),
        ".".into(),
        "..".into(),
        "...".into(),
        "....".into(),
        "a.b.c".into(),
        "-.-.-".into(),
        "e30.e30.".into(),
        "e30.e30.e30".into(),
    ] {
        forge.refused("other parts", &other, other.clone());
    }
    let key = forge.key.clone();
    for (header, payload) in [
        (format!("{h}."), p.to_owned()),
        (format!("{h}.{h}"), p.to_owned()),
        (h.to_owned(), format!(".{p}")),
        (h.to_owned(), format!("{p}.")),
        (h.to_owned(), String::new()),
        (String::new(), p.to_owned()),
        (String::new(), String::new()),
        (h.to_owned(), format!("{p}.{p}")),
        (p.to_owned(), h.to_owned()),
        (h.to_owned(), h.to_owned()),
    ] {
        let signed = sign(&header, &payload, key.as_bytes());
        forge.refused("other parts, signed as they are", &signed, signed.clone());
    }
}

/// Other ways to write a signed text down.
fn wholes(forge: &mut Forge, token: &str) {
    let [header, payload, signature] = parts(token);
    for other in [
        format!(r#"{{"payload":"{payload}","protected":"{header}","signature":"{signature}"}}"#),
        format!(
            r#"{{"payload":"{payload}","signatures":[{{"protected":"{header}","signature":"{signature}"}}]}}"#
        ),
        format!("\"{token}\""),
        format!("[{token}]"),
        format!("<{token}>"),
        format!("{token}#"),
        format!("{token}?"),
        format!("{token}/"),
        format!("/{token}"),
        format!("{token}/info"),
        format!("{token};x=1"),
        format!("{token}@"),
        format!("Bearer {token}"),
        format!("Bearer%20{token}"),
        format!("token={token}"),
        format!("shr_{token}"),
        format!("v4.local.{payload}"),
        base64::write(token),
        base64::write(base64::write(token)),
        hex::encode(token),
        String::new(),
        "null".into(),
        "undefined".into(),
        "[object Object]".into(),
        "0".into(),
        "Self".into(),
        "SELF".into(),
        "a".repeat(LONGEST),
        "a".repeat(LONGEST + 1),
        ".".repeat(LONGEST),
    ] {
        forge.refused("no token at all", &other, other.clone());
    }
    let (_, too_long) = forge.longest();
    forge.refused("too long", too_long.len(), too_long);
}
