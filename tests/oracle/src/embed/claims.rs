//! The claims of an embed token: which there are, of which type, and what they must be. An unknown one, one of another type,
//! or one of null where a value is meant, refuses the token.

use super::json::Json;
use super::{is_hex, origin};
use crate::generate::KINDS;
use serde_json::{Value, json};

const KNOWN: [&str; 15] = [
    "iss",
    "aud",
    "sub",
    "org",
    "jti",
    "iat",
    "exp",
    "nbf",
    "gen",
    "allowed_params",
    "required_params",
    "fixed_params",
    "policies",
    "origins",
    "ui",
];
const POLICY: [&str; 6] = ["filter_slug", "filter_kind", "mode", "allowed_values", "default", "hidden"];
const DAY: u64 = 86_400;
/// The last second of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;
/// Most names of parameters in a list, most policies, most origins; longest name, longest `iss`, in characters.
const NAMES: usize = 100;
const POLICIES: usize = 50;
const ORIGINS: usize = 20;
const NAME: usize = 70;
const ISSUER: usize = 200;

/// What they say, those that are left out included; `None` when they are not as documented, or the token is not alive at `now`, in
/// milliseconds since 1970.
pub fn read(claims: &Json, organization: &str, now: i64) -> Option<Value> {
    if !claims.fields()?.iter().all(|(name, _)| KNOWN.contains(&name.as_str())) {
        return None;
    }
    let text = |name: &str| optional(claims, name, |value| value.text().map(str::to_owned));
    if text("iss")?.is_some_and(|issuer| issuer.chars().count() > ISSUER)
        || text("aud")? != Some("postern-embed".into())
    {
        return None;
    }
    let dashboard = text("sub")?.filter(|id| is_uuid(id))?;
    if text("org")?.is_some_and(|own| !is_uuid(&own) || own.replace('-', "") != organization) {
        return None;
    }
    let jti = text("jti")?.filter(|jti| is_token_id(jti))?;
    let second =
        |name: &str| optional(claims, name, |value| value.whole().filter(|second| *second <= LAST_SECOND));
    let (iat, exp, nbf) = (second("iat")??, second("exp")??, second("nbf")?);
    let now = u64::try_from(now).ok()?;
    let begun = iat * 1_000 <= now && nbf.is_none_or(|nbf| nbf * 1_000 <= now);
    if !begun || now >= exp * 1_000 || exp - iat > DAY {
        return None;
    }
    let origins = optional(claims, "origins", |list| all(list, ORIGINS, |item| origin::read(item.text()?)))?;
    Some(json!({
        "sub": dashboard,
        "jti": jti,
        "iat": iat,
        "exp": exp,
        "nbf": nbf,
        "gen": optional(claims, "gen", Json::whole)??,
        "allowed_params": optional(claims, "allowed_params", names)?.unwrap_or_default(),
        "required_params": optional(claims, "required_params", names)?.unwrap_or_default(),
        "fixed_params": optional(claims, "fixed_params", values)?.unwrap_or_else(|| json!({})),
        "policies": optional(claims, "policies", |list| all(list, POLICIES, policy))?.unwrap_or_default(),
        "origins": once(origins.unwrap_or_default()),
        "ui": look(claims.field("ui").unwrap_or(&Json::Object(Vec::new())))?,
    }))
}

/// A field that may be left out; `None` when it is there and wrong.
#[expect(clippy::option_option, reason = "left out is not wrong")]
fn optional<T>(object: &Json, name: &str, read: impl Fn(&Json) -> Option<T>) -> Option<Option<T>> {
    match object.field(name) {
        None => Some(None),
        Some(value) => read(value).map(Some),
    }
}

fn all<T>(list: &Json, most: usize, read: impl Fn(&Json) -> Option<T>) -> Option<Vec<T>> {
    list.list().filter(|list| list.len() <= most)?.iter().map(read).collect()
}

fn names(list: &Json) -> Option<Vec<String>> {
    all(list, NAMES, |name| name.text().filter(|name| is_name(name)).map(str::to_owned))
}

fn values(object: &Json) -> Option<Value> {
    let fields = object.fields()?;
    (fields.len() <= NAMES && fields.iter().all(|(name, _)| is_name(name))).then(|| object.value())
}

fn policy(policy: &Json) -> Option<Value> {
    if !policy.fields()?.iter().all(|(name, _)| POLICY.contains(&name.as_str())) {
        return None;
    }
    let one_of = |name: &str, known: &[&str]| {
        policy.field(name)?.text().filter(|text| known.contains(text)).map(str::to_owned)
    };
    Some(json!({
        "filter_slug": policy.field("filter_slug")?.text()?,
        "filter_kind": one_of("filter_kind", &KINDS)?,
        "mode": one_of("mode", &["open", "locked", "selectable", "disabled"])?,
        "allowed_values": optional(policy, "allowed_values", |list| list.list().map(|_| list.value()))?.unwrap_or_else(|| json!([])),
        "default": policy.field("default").map(Json::value),
        "hidden": optional(policy, "hidden", Json::bool)?.unwrap_or_default(),
    }))
}

fn look(look: &Json) -> Option<Value> {
    if !look
        .fields()?
        .iter()
        .all(|(name, _)| matches!(name.as_str(), "hide_header" | "hide_controls" | "theme"))
    {
        return None;
    }
    let theme = optional(look, "theme", |theme| {
        theme.text().filter(|theme| ["auto", "light", "dark"].contains(theme)).map(str::to_owned)
    })?;
    Some(json!({
        "hide_header": optional(look, "hide_header", Json::bool)?.unwrap_or_default(),
        "hide_controls": optional(look, "hide_controls", Json::bool)?.unwrap_or_default(),
        "theme": theme.unwrap_or_else(|| "auto".to_owned()),
    }))
}

fn once(origins: Vec<String>) -> Vec<String> {
    let mut list = Vec::new();
    for origin in origins {
        if !list.contains(&origin) {
            list.push(origin);
        }
    }
    list
}

/// Lower case, with hyphens.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { is_hex(byte) })
}

fn is_token_id(text: &str) -> bool {
    // It must stand in a path.
    text != "."
        && text != ".."
        && (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte))
}

fn is_name(name: &str) -> bool {
    (1..=NAME).contains(&name.chars().count())
}
