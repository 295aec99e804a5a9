//! What owners send and get to embed dashboards. Rows 1.13, 1.23, holes 1.s, 1.t.

use crate::error::Flaw;
use crate::model::embed::{DEFAULT_LIFE, Granted, Look, MAX_LIFE, MIN_LIFE, Theme};
use crate::model::filter::{Filter, Kind};
use crate::model::origin::{self, Origin};
use crate::model::policy::{MAX_PARAMETERS, Policy};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Body of `POST /api/v1/embed/dashboards/:id`: what the viewers of one token may do.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmbedIn {
    /// Parameters that the viewer may set; both ends of a date range or none.
    #[serde(default)]
    pub allowed_params: Vec<String>,
    /// Parameters that must be set, by the viewer or in `fixed_params`.
    #[serde(default)]
    pub required_params: Vec<String>,
    /// Parameters that the token sets: they win over whatever the viewer sends. The page does not show
    /// them, but a token is signed, not encrypted: whoever has it can read them.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub fixed_params: Map<String, Value>,
    /// Seconds that the token lives: 60 to 86,400, 3,600 when absent.
    #[serde(default)]
    pub expires_in: Option<u64>,
    /// What the viewer may do with the filters, beyond that: `open` or `selectable` where `allowed_params` name the filter, else
    /// `locked` or `disabled`.
    #[serde(default)]
    pub share_filter_policies: Vec<Policy>,
    /// Sites that may frame it, besides those of the organization: `https://shop.example.com`, `https://*.example.com`; at most 20.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// Without title and description.
    #[serde(default)]
    pub hide_header: bool,
    /// Without filters.
    #[serde(default)]
    pub hide_controls: bool,
    /// Colours.
    #[serde(default)]
    pub theme: Theme,
}

impl EmbedIn {
    /// What the token grants, and for how many seconds; `filters` are those of the dashboard.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming each place.
    pub fn check(self, filters: &[Filter]) -> Result<(Granted, u64)> {
        let mut flaws = Vec::new();
        let life = self.expires_in.unwrap_or(DEFAULT_LIFE.as_secs());
        if !(MIN_LIFE.as_secs()..=MAX_LIFE.as_secs()).contains(&life) {
            flaws.push(Flaw::new("/expires_in", "must be 60 to 86,400 seconds"));
        }
        let counts = [
            ("/allowed_params", self.allowed_params.len()),
            ("/required_params", self.required_params.len()),
            ("/fixed_params", self.fixed_params.len()),
            ("/share_filter_policies", self.share_filter_policies.len()),
        ];
        for (pointer, count) in counts {
            if count > MAX_PARAMETERS {
                flaws.push(Flaw::new(pointer, "must have at most 100 items"));
            }
        }
        let origins =
            origin::parse_all(&self.allowed_origins, "/allowed_origins").unwrap_or_else(|mistakes| {
                flaws.extend(mistakes);
                Vec::new()
            });
        let Self { hide_header, hide_controls, theme, .. } = self;
        let granted = Granted {
            allowed_params: self.allowed_params,
            required_params: self.required_params,
            fixed_params: self.fixed_params,
            policies: self.share_filter_policies,
            origins,
            look: Look { hide_header, hide_controls, theme },
        };
        if flaws.is_empty() {
            flaws = granted.flaws(filters);
        }
        if flaws.is_empty() { Ok((granted, life)) } else { Err(Error::Invalid(flaws)) }
    }
}

/// A token, and what to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmbedOut {
    /// The token; no store holds it.
    pub token: String,
    /// The page for an iframe.
    pub embed_url: String,
    /// An iframe, ready to be put into a page.
    pub html: String,
    /// Names the token, so that it can be revoked alone.
    pub jti: String,
    /// Names the key that signed it.
    pub kid: String,
    /// The generation of the dashboard's embed: a rotation ends its tokens.
    pub generation: u64,
    /// RFC 3339.
    pub expires_at: String,
    /// Seconds of its life.
    pub expires_in: u64,
    /// `live` when the edge opens it, `pending` while it has yet to learn that the dashboard is embedded.
    pub effective: String,
}

/// How a dashboard is embedded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmbedDashboardOut {
    /// The dashboard.
    pub dashboard_id: Uuid,
    /// Can it be? The first token turns embedding on.
    pub enabled: bool,
    /// The embed among the dashboard's shares; null when it is not enabled.
    pub share_id: Option<Uuid>,
    /// `gen` of its tokens; 0 when it was never embedded.
    pub generation: u64,
    /// How many single tokens are revoked that have not ended by themselves.
    pub revoked_tokens: u64,
    /// `live`, or `pending` while the edge has yet to learn of the last change.
    pub effective: String,
    /// What may stand in `allowed_params` and `fixed_params`.
    pub parameters: Vec<EmbedParameterOut>,
}

/// A parameter of a dashboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmbedParameterOut {
    /// Its name.
    pub name: String,
    /// Its filter.
    pub filter_slug: String,
    /// The filter's name for people.
    pub label: String,
    /// What it takes.
    pub kind: Kind,
    /// Must it have a value?
    pub required: bool,
}

impl EmbedParameterOut {
    /// All parameters of a dashboard's filters.
    pub fn all(filters: &[Filter]) -> Vec<Self> {
        let of = |filter: &Filter| {
            let parameter = |name| Self {
                name,
                filter_slug: filter.slug.clone(),
                label: filter.label.clone(),
                kind: filter.kind,
                required: filter.required,
            };
            filter.parameters().into_iter().map(parameter).collect::<Vec<_>>()
        };
        filters.iter().flat_map(of).collect()
    }
}

/// Answer of `DELETE /api/v1/embed/dashboards/:id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmbedRevokedOut {
    /// Was it embedded until this call?
    pub revoked: bool,
    /// The dashboard.
    pub dashboard_id: Uuid,
    /// `live` when no token opens it any more, `pending` while the edge is out of reach.
    pub effective: String,
}

/// Answer of `DELETE /api/v1/embed/dashboards/:id/tokens/:jti`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenRevokedOut {
    /// Was it revoked by this call?
    pub revoked: bool,
    /// The token.
    pub jti: String,
    /// `live` when it opens nothing any more, `pending` while the edge is out of reach.
    pub effective: String,
}

/// A key of the organization, for its embed tokens.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmbedKeyOut {
    /// `kid` of the tokens that it signs.
    pub kid: String,
    /// Its number.
    pub generation: u64,
    /// RFC 3339.
    pub created_at: String,
    /// The key itself, whose characters are used as they are; only where one key is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Where a key was made: `live`, or `pending` while the edge has yet to learn of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<String>,
}

/// Keys in force.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmbedKeysOut {
    /// Newest first: one or two. The newest signs.
    pub keys: Vec<EmbedKeyOut>,
}

/// Answer of `DELETE /api/v1/embed/keys/:kid`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyRevokedOut {
    /// Was it in force until this call?
    pub revoked: bool,
    /// The key.
    pub kid: String,
    /// `live` when no token that it signed opens anything any more, `pending` while the edge is out of reach.
    pub effective: String,
}

/// Body of `PUT /api/v1/embed/origins`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmbedOriginsIn {
    /// At most 20.
    pub allowed_origins: Vec<String>,
}

impl EmbedOriginsIn {
    /// The origins, checked.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming each place.
    pub fn check(&self) -> Result<Vec<Origin>> {
        origin::parse_all(&self.allowed_origins, "/allowed_origins").map_err(Error::Invalid)
    }
}

/// Sites that may frame every embed of the organization, besides those that a token names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmbedOriginsOut {
    /// In one spelling, each once.
    pub allowed_origins: Vec<String>,
    /// `live`, or `pending` while the edge has yet to learn of it.
    pub effective: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filters() -> Vec<Filter> {
        let filter = |slug: &str, kind| Filter {
            slug: slug.into(),
            label: slug.into(),
            kind,
            required: false,
            default: None,
            choices: None,
        };
        vec![filter("city", Kind::Text), filter("period", Kind::DateRange)]
    }

    fn flawed(body: &Value, pointer: &str) {
        let result = crate::face::dashboard::manage::parse::<EmbedIn>(
            Some("application/json"),
            body.to_string().as_bytes(),
        )
        .and_then(|input| input.check(&filters()));
        match result {
            Err(Error::Invalid(flaws)) => {
                assert!(flaws.iter().any(|flaw| flaw.pointer == pointer), "{flaws:?}");
            }
            other => panic!("{body} gave {other:?}"),
        }
    }

    #[test]
    fn the_seeds_body_is_taken() {
        let body = json!({"allowed_params": ["period_start", "period_end"],
            "required_params": ["period_start", "period_end"], "expires_in": 3600});
        let input: EmbedIn = serde_json::from_value(body).unwrap();
        let (granted, life) = input.check(&filters()).unwrap();
        assert_eq!((granted.allowed_params.len(), life), (2, 3_600));
        assert_eq!(EmbedIn::default().check(&filters()).unwrap().1, 3_600);
    }

    #[test]
    fn mistakes_name_their_place() {
        flawed(&json!({"expires_in": 59}), "/expires_in");
        flawed(&json!({"expires_in": 86_401}), "/expires_in");
        flawed(&json!({"expires_in": -1}), "/expires_in");
        flawed(&json!({"expires_in": 3600.5}), "/expires_in");
        flawed(&json!({"expires_in": "3600"}), "/expires_in");
        flawed(&json!({"allowed_params": ["country"]}), "/allowed_params/0");
        flawed(&json!({"allowed_params": ["period_start"]}), "/allowed_params");
        flawed(&json!({"required_params": ["city"]}), "/required_params/0");
        flawed(&json!({"fixed_params": {"country": "NO"}}), "/fixed_params/country");
        flawed(&json!({"fixed_params": {"city": 1}}), "/fixed_params/city");
        flawed(&json!({"allowed_origins": ["https://a.com", "https://b.com/path"]}), "/allowed_origins/1");
        flawed(&json!({"allowed_params": vec!["city"; 101]}), "/allowed_params");
        flawed(
            &json!({"share_filter_policies": [{"filter_slug": "x", "filter_kind": "text", "mode": "disabled"}]}),
            "/share_filter_policies/0",
        );
        flawed(&json!({"theme": "blue"}), "/theme");
        flawed(&json!({"fixed_parameters": {}}), "/fixed_parameters");
    }

    #[test]
    fn parameters_are_told_by_the_names_that_callers_use() {
        let names: Vec<_> =
            EmbedParameterOut::all(&filters()).into_iter().map(|parameter| parameter.name).collect();
        assert_eq!(names, ["city", "period_start", "period_end"]);
    }
}
