//! The claims of an embed token, read strictly: none twice, none unknown, none of another type. A misspelt `fixed_params` that was
//! passed over would show a viewer more than its signer meant.

use super::{Embed, Granted, Look, MAX_LIFE, is_token_id};
use crate::model::dashboard::MAX_FILTERS;
use crate::model::origin::{self, MAX_ORIGINS};
use crate::model::policy::{MAX_PARAMETERS, Policy};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// `aud` of every embed token.
pub const AUDIENCE: &str = "postern-embed";
/// `iss` of those that the control plane makes; a customer's own may say what it likes.
const ISSUER: &str = "postern";
/// Last second of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;
/// Longest name of a parameter, in characters: a filter's slug and `_start`.
const MAX_NAME_CHARS: usize = 70;
/// Longest `iss`, in characters.
const MAX_ISSUER_CHARS: usize = 200;

/// As they stand in a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    aud: String,
    sub: String,
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    jti: String,
    iat: i64,
    exp: i64,
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(rename = "gen")]
    generation: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allowed_params: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    required_params: Vec<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    fixed_params: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    policies: Vec<Policy>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    origins: Vec<String>,
    #[serde(default)]
    ui: Look,
}

/// A claim that is there has a value: null is none.
fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Claims {
    /// The claims of a token that is to be made.
    pub fn of(embed: &Embed) -> Self {
        let Granted { allowed_params, required_params, fixed_params, policies, origins, look } =
            embed.terms.clone();
        Self {
            iss: Some(ISSUER.to_owned()),
            aud: AUDIENCE.to_owned(),
            sub: embed.dashboard.to_string(),
            org: Some(embed.organization.to_string()),
            jti: embed.id.clone(),
            iat: embed.issued_at,
            exp: embed.expires_at,
            nbf: embed.not_before,
            generation: embed.generation,
            allowed_params,
            required_params,
            fixed_params,
            policies,
            origins: origins.into_iter().map(String::from).collect(),
            ui: look,
        }
    }

    /// Reads what a signed token says. `None` for whatever is not as documented, whenever it may live.
    pub fn read(payload: &[u8], (organization, key_generation): (Uuid, u64)) -> Option<Embed> {
        // Read twice: once for what must not be there twice, once by the reader that records are read by, which is in the Worker anyway.
        let object = crate::json::parse_object(payload).ok()?;
        let claims: Self = serde_json::from_slice(payload).ok()?;
        let life = claims.exp.checked_sub(claims.iat)?;
        let seconds = [Some(claims.iat), Some(claims.exp), claims.nbf];
        let names = [&claims.allowed_params, &claims.required_params];
        let fits = claims.aud == AUDIENCE
            && claims.iss.is_none_or(|iss| iss.chars().count() <= MAX_ISSUER_CHARS)
            && claims.org.is_none_or(|org| uuid(&org) == Some(organization))
            && is_token_id(&claims.jti)
            && seconds.into_iter().flatten().all(|second| (0..=LAST_SECOND).contains(&second))
            && life > 0
            && life.unsigned_abs() <= MAX_LIFE.as_secs()
            && names
                .iter()
                .all(|names| names.len() <= MAX_PARAMETERS && names.iter().all(|name| is_name(name)))
            && claims.fixed_params.len() <= MAX_PARAMETERS
            && claims.fixed_params.keys().all(|name| is_name(name))
            && claims.policies.len() <= MAX_FILTERS
            && claims.origins.len() <= MAX_ORIGINS
            && is_plain(&object);
        if !fits {
            return None;
        }
        Some(Embed {
            organization,
            key_generation,
            dashboard: uuid(&claims.sub)?,
            generation: claims.generation,
            id: claims.jti,
            issued_at: claims.iat,
            expires_at: claims.exp,
            not_before: claims.nbf,
            terms: Granted {
                allowed_params: claims.allowed_params,
                required_params: claims.required_params,
                fixed_params: claims.fixed_params,
                policies: claims.policies,
                origins: origin::parse_all(&claims.origins, "").ok()?,
                look: claims.ui,
            },
        })
    }
}

/// Is each object written as one, and each name of a choice as a text? Derived readers take a list for an object, and an object for
/// such a name.
fn is_plain(claims: &Map<String, Value>) -> bool {
    let names = |object: &Value, names: &[&str]| {
        let is_text = |name: &&str| object.get(*name).is_none_or(Value::is_string);
        object.is_object() && names.iter().all(is_text)
    };
    let policies = claims.get("policies").and_then(Value::as_array);
    claims.get("ui").is_none_or(|look| names(look, &["theme"]))
        && policies.into_iter().flatten().all(|policy| names(policy, &["filter_kind", "mode"]))
}

/// Lower case with hyphens, as everywhere in the API: one name, one spelling.
fn uuid(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text).ok().filter(|uuid| uuid.to_string() == text)
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_CHARS).contains(&name.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::embed::tests::embed;
    use serde_json::json;

    const OWNER: (Uuid, u64) = (Uuid::from_u128(1), 1);

    fn claims() -> Value {
        json!({"aud": AUDIENCE, "sub": "00000000-0000-0000-0000-000000000003", "jti": "t1", "iat": 1_700_000_000,
            "exp": 1_700_003_600, "gen": 1})
    }

    fn read(claims: &Value) -> Option<Embed> {
        Claims::read(claims.to_string().as_bytes(), OWNER)
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    #[test]
    fn few_claims_are_enough() {
        assert_eq!(read(&claims()), Some(embed()));
        for name in ["aud", "sub", "jti", "iat", "exp", "gen"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(name);
            assert_eq!(read(&claims), None, "{name}");
        }
    }

    #[test]
    fn what_is_made_is_read() {
        let embed = Embed {
            not_before: Some(1_700_000_001),
            terms: Granted {
                allowed_params: vec!["period_start".into(), "period_end".into()],
                required_params: vec!["period_start".into()],
                fixed_params: json!({"region": "EU", "tags": ["a"]}).as_object().unwrap().clone(),
                policies: serde_json::from_value(
                    json!([{"filter_slug": "s", "filter_kind": "text", "mode": "disabled"}]),
                )
                .unwrap(),
                origins: origin::parse_all(&["https://*.a.com".into()], "").unwrap(),
                look: Look { hide_header: true, ..Look::default() },
            },
            ..embed()
        };
        let json = serde_json::to_vec(&Claims::of(&embed)).unwrap();
        assert_eq!(Claims::read(&json, OWNER), Some(embed));
    }

    #[test]
    fn times_are_whole_seconds_in_order_within_a_day() {
        let flawed = [
            with("exp", json!(1_700_000_000)),
            with("exp", json!(1_699_999_999)),
            with("exp", json!(1_700_086_401)),
            with("exp", json!("1700003600")),
            with("exp", json!(1_700_003_600.0)),
            with("exp", json!(1_700_003_600.5)),
            with("exp", json!(1e300)),
            with("exp", json!(i64::MAX)),
            with("exp", json!(u64::MAX)),
            with("exp", json!(null)),
            with("exp", json!([1_700_003_600])),
            with("iat", json!(-1)),
            with("iat", json!(i64::MIN)),
            with("iat", json!("1700000000")),
            with("nbf", json!(null)),
            with("nbf", json!(-1)),
            with("nbf", json!(1.5)),
        ];
        for claims in flawed {
            assert_eq!(read(&claims), None, "{claims}");
        }
        assert!(read(&with("exp", json!(1_700_086_400))).is_some());
        assert!(read(&with("exp", json!(1_700_000_001))).is_some());
        assert!(read(&with("nbf", json!(0))).is_some());
    }

    #[test]
    fn foreign_and_unknown_claims_are_refused() {
        let flawed = [
            with("aud", json!("postern-grant")),
            with("aud", json!([AUDIENCE])),
            with("sub", json!("00000000000000000000000000000003")),
            with("sub", json!("00000000-0000-0000-0000-00000000000A")),
            with("org", json!("00000000-0000-0000-0000-000000000009")),
            with("org", json!(null)),
            with("jti", json!("")),
            with("jti", json!("a b")),
            with("jti", json!("..")),
            with("jti", json!("x".repeat(65))),
            with("jti", json!(1)),
            with("gen", json!(-1)),
            with("gen", json!(1.0)),
            with("iss", json!(1)),
            with("fixed_param", json!({})),
            with("allowed_params", json!("all")),
            with("allowed_params", json!(null)),
            with("allowed_params", json!([1])),
            with("allowed_params", json!([""])),
            with("allowed_params", json!(vec!["a"; 101])),
            with("fixed_params", json!([])),
            with("policies", json!([{"filter_slug": "a"}])),
            with("origins", json!(["https://a.com/path"])),
            with("origins", json!("https://a.com")),
            with("ui", json!({"theme": "blue"})),
            with("ui", json!({"hide": true})),
            with("ui", json!([])),
            with("ui", json!([true, true, "dark"])),
            with("ui", json!({"theme": {"dark": null}})),
            with("policies", json!([["a", "text", "open"]])),
            with("policies", json!([{"filter_slug": "a", "filter_kind": "text", "mode": {"open": null}}])),
            with("policies", json!([{"filter_slug": "a", "filter_kind": {"text": null}, "mode": "open"}])),
            with("fixed_params", json!({"a": {"$serde_json::private::RawValue": "1"}})),
        ];
        for claims in flawed {
            assert_eq!(read(&claims), None, "{claims}");
        }
        assert!(read(&with("iss", json!("shop"))).is_some());
        assert!(read(&with("org", json!("00000000-0000-0000-0000-000000000001"))).is_some());
    }

    #[test]
    fn no_claim_is_read_twice() {
        let text = claims().to_string();
        let twice = text.replacen('{', "{\"gen\":2,", 1);
        assert_eq!(Claims::read(twice.as_bytes(), OWNER), None);
        let escaped = text.replacen('{', "{\"\\u0067en\":2,", 1);
        assert_eq!(Claims::read(escaped.as_bytes(), OWNER), None);
        let nested = text.replacen('{', "{\"fixed_params\":{\"a\":1,\"a\":2},", 1);
        assert_eq!(Claims::read(nested.as_bytes(), OWNER), None);
        assert_eq!(Claims::read(b"[]", OWNER), None);
    }
}
