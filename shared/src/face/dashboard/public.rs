//! What visitors of a public link send and get: resolve, execute, options. Rows 1.3-1.5, holes 1.c, 1.w.

use crate::app::redeem::{Freshness, Options};
use crate::error::Why;
use crate::face::{Answer, JSON, MAX_BODY_BYTES, is_json};
use crate::model::dashboard::{Panel, View};
use crate::model::data_product;
use crate::model::filter::{Choice, Choices, Filter, Kind, Typed};
use crate::model::policy::{ChoiceSource, Mode, Rules, shown_value};
use crate::model::share::ShareType;
use crate::model::{grant, password};
use crate::replica::{Live, TargetView};
use crate::time::Millis;
use crate::{Error, Result, json};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Longest `search` of an options request, in characters.
pub const MAX_SEARCH_CHARS: usize = 128;

/// Answer of `GET /api/v1/public/shares/:token/resolve`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResolveOut<'a> {
    /// The share.
    pub share: ResolvedShare<'a>,
    /// What it shows.
    pub dashboard: ResolvedDashboard<'a>,
    /// What the viewer may narrow; disabled and hidden filters are left out.
    pub filters: Vec<ResolvedFilter<'a>>,
}

/// The share, as viewers see it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResolvedShare<'a> {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: &'a str,
    /// A link, or an embed.
    pub share_type: ShareType,
    /// Was a grant needed to see this?
    pub requires_auth: bool,
    /// RFC 3339, or null.
    pub expires_at: Option<String>,
    /// Always `["view"]` here.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub permissions: [&'static str; 1],
}

/// The dashboard, as viewers see it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResolvedDashboard<'a> {
    /// Its id.
    pub id: Uuid,
    /// Its name in URLs.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub slug: &'a str,
    /// Its name for people.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: &'a str,
    /// A sentence under the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Option<&'a str>,
    /// The widgets, in order.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Panel>))]
    pub layout: &'a [Panel],
}

/// A filter, as viewers see it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResolvedFilter<'a> {
    /// Its name in parameters.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub slug: &'a str,
    /// Its name for people.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub label: &'a str,
    /// What it takes.
    pub kind: Kind,
    /// What the viewer may do with it.
    pub mode: Mode,
    /// Must the viewer give a value?
    pub required: bool,
    /// Taken when the viewer gives none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub default: Option<Value>,
    /// What a locked filter is fixed to; hidden ones are left out altogether.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub value: Option<Value>,
    /// Where its options come from, for `select` and `multi_select`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub source: Option<&'static str>,
    /// Names of the parameters that set it.
    pub parameters: Vec<String>,
}

/// Answer of a resolve of a link to a data product.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResolveProductOut<'a> {
    /// The share.
    pub share: ResolvedShare<'a>,
    /// What it shows.
    pub data_product: ResolvedProduct<'a>,
}

/// The data product, as viewers see it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResolvedProduct<'a> {
    /// Its id.
    pub id: Uuid,
    /// Its name for people.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: &'a str,
    /// A sentence under the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Option<&'a str>,
    /// Grows when its rows or its name change.
    pub version: u64,
    /// Names and types of the cells.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<data_product::Column>))]
    pub columns: &'a [data_product::Column],
    /// How many rows there are.
    pub row_count: u64,
    /// RFC 3339: when they were read from their source.
    pub loaded_at: String,
}

/// Renders the answer to a resolve.
pub fn resolve(live: &Live) -> Answer {
    let share = ResolvedShare {
        id: live.share.id,
        name: &live.share.name,
        share_type: live.share.share_type,
        requires_auth: live.protection.need().is_some() || live.context.is_some(),
        expires_at: live.share.expires_at.map(Millis::to_rfc3339),
        permissions: ["view"],
    };
    match &live.target {
        TargetView::Dashboard(view) => {
            let (dashboard, filters) = (resolved_dashboard(view), filters(view, &live.rules));
            Answer::json(200, &ResolveOut { share, dashboard, filters })
        }
        TargetView::DataProduct(view) => {
            Answer::json(200, &ResolveProductOut { share, data_product: resolved_product(view) })
        }
        // The access decision lets nobody come here by a link.
        TargetView::Item(_) | TargetView::Collection(_) | TargetView::Context(_) => {
            super::error::render(&Error::Dead(Why::OtherTarget), "")
        }
    }
}

fn resolved_product(view: &data_product::View) -> ResolvedProduct<'_> {
    ResolvedProduct {
        id: view.id,
        name: &view.name,
        description: view.description.as_deref(),
        version: view.version,
        columns: &view.table.columns,
        row_count: view.table.row_count,
        loaded_at: view.table.loaded_at.to_rfc3339(),
    }
}

/// A dashboard as viewers see it.
pub(super) fn resolved_dashboard(view: &View) -> ResolvedDashboard<'_> {
    ResolvedDashboard {
        id: view.id,
        slug: &view.slug,
        name: &view.title,
        description: view.description.as_deref(),
        layout: &view.layout,
    }
}

/// The filters of a dashboard as viewers under these rules see them.
pub fn filters<'a>(view: &'a View, rules: &'a Rules) -> Vec<ResolvedFilter<'a>> {
    view.filters.iter().filter_map(|filter| resolved_filter(filter, rules)).collect()
}

fn resolved_filter<'a>(filter: &'a Filter, rules: &'a Rules) -> Option<ResolvedFilter<'a>> {
    if !rules.shows(&filter.slug) {
        return None;
    }
    let mode = rules.mode(&filter.slug);
    let policy = rules.policy(&filter.slug);
    let narrowed = matches!(mode, Mode::Locked | Mode::Selectable);
    let default = match (mode, policy.and_then(|policy| policy.default.as_ref())) {
        (_, Some(own)) => Some(own.clone()),
        (Mode::Open, None) => filter.default.clone(),
        _ => None,
    };
    Some(ResolvedFilter {
        slug: &filter.slug,
        label: &filter.label,
        kind: filter.kind,
        mode,
        required: filter.required,
        default: default.filter(|value| Typed::read(filter.kind, value).is_ok()),
        value: shown_value(filter, rules),
        source: filter.choices.as_ref().map(|choices| match choices {
            _ if narrowed => "policy",
            Choices::Static(_) => "static",
            Choices::Dynamic => "dynamic",
        }),
        parameters: filter.parameters(),
    })
}

/// Reads the body of an execute: `{"parameters": {...}}`; no body at all means no parameters.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::UnsupportedMediaType`], [`Error::Malformed`], [`Error::Invalid`].
pub fn parse_execute(content_type: Option<&str>, body: &[u8]) -> Result<Map<String, Value>> {
    if body.len() > MAX_BODY_BYTES {
        return Err(Error::TooLarge { limit_bytes: MAX_BODY_BYTES });
    }
    if body.is_empty() {
        return Ok(Map::new());
    }
    if !is_json(content_type) {
        return Err(Error::UnsupportedMediaType);
    }
    parameters(json::parse_object(body)?)
}

/// What is left of the body of an execute: nothing but its parameters.
pub(super) fn parameters(mut body: Map<String, Value>) -> Result<Map<String, Value>> {
    let parameters = body.remove("parameters");
    if let Some(unknown) = body.keys().next() {
        return Err(Error::invalid(format!("/{}", pointer_token(unknown)), "is not a documented field"));
    }
    match parameters {
        None => Ok(Map::new()),
        Some(Value::Object(parameters)) => Ok(parameters),
        Some(_) => Err(Error::invalid("/parameters", "must be an object")),
    }
}

/// Reads the body of an unlock: `{"password": "..."}`, or nothing for a share that needs none.
///
/// # Errors
/// As [`parse_execute`].
pub fn parse_unlock(content_type: Option<&str>, body: &[u8]) -> Result<Option<password::Typed>> {
    // A form of another site can send any body, but not this type without asking first.
    if !is_json(content_type) {
        return Err(Error::UnsupportedMediaType);
    }
    let mut body = json::parse_object(body)?;
    let password = body.remove("password");
    if let Some(unknown) = body.keys().next() {
        return Err(Error::invalid(format!("/{}", pointer_token(unknown)), "is not a documented field"));
    }
    match password {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(password)) => Ok(Some(password::Typed(password))),
        Some(_) => Err(Error::invalid("/password", "must be a text")),
    }
}

/// Answer of `POST /api/v1/public/shares/:token/unlock`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnlockOut<'a> {
    /// The grant, for `Authorization: Bearer`; the page has it as a cookie.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub access_token: &'a str,
    /// Always `Bearer`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u64,
}

/// Renders the answer to an unlock.
pub fn unlock(grant: &str) -> Answer {
    let expires_in = grant::LIFE.as_secs();
    Answer::json(200, &UnlockOut { access_token: grant, token_type: "Bearer", expires_in })
}

/// A key as a part of a JSON pointer, cut to 64 characters.
fn pointer_token(key: &str) -> String {
    key.chars().take(64).collect::<String>().replace('~', "~0").replace('/', "~1")
}

/// Renders the answer to an execute: the data plane's bytes, and what the edge knows of its cache.
pub fn execute(executed: &[u8], freshness: Freshness) -> Answer {
    let open = executed.strip_suffix(b"}").unwrap_or(executed);
    let cache = format!(
        r#","cache":{{"hit":{},"age":{},"stale":{}}}}}"#,
        freshness.hit,
        freshness.age.as_secs(),
        freshness.stale
    );
    let mut body = Vec::with_capacity(open.len() + cache.len());
    body.extend_from_slice(open);
    body.extend_from_slice(cache.as_bytes());
    Answer { status: 200, content_type: JSON, headers: Vec::new(), body }
}

/// Answer of `GET /api/v1/public/shares/:token/filters/:filter_slug/options`. Rows 1.25, 1.26.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OptionsOut<'a> {
    /// The filter.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub filter_slug: &'a str,
    /// At most 1,000.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Choice>))]
    pub options: Vec<&'a Choice>,
    /// `static`, `dynamic` or `policy`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub source: &'static str,
}

/// Renders options, those known at the edge narrowed by `search`: a case-insensitive part of label or value (1.j).
/// A query has narrowed its own.
pub fn options(filter_slug: &str, options: &Options, search: Option<&str>) -> Answer {
    let (found, source): (Vec<&Choice>, _) = match options {
        Options::Found(found) => (found.options.iter().collect(), "dynamic"),
        Options::Known { choices, source } => {
            let wanted = search.map(str::to_lowercase);
            let fits = |choice: &&Choice| wanted.as_deref().is_none_or(|wanted| contains(choice, wanted));
            let source = match source {
                ChoiceSource::Static => "static",
                ChoiceSource::Policy => "policy",
            };
            (choices.iter().filter(fits).collect(), source)
        }
    };
    Answer::json(200, &OptionsOut { filter_slug, options: found, source })
}

fn contains(choice: &Choice, wanted: &str) -> bool {
    let value = match &choice.value {
        Value::String(text) => text.to_lowercase(),
        other => other.to_string(),
    };
    choice.label.to_lowercase().contains(wanted) || value.contains(wanted)
}

/// Checks the `search` of an options request; empty means none.
///
/// # Errors
/// [`Error::Invalid`] when it is longer than [`MAX_SEARCH_CHARS`] or holds NUL.
pub fn check_search(search: Option<String>) -> Result<Option<String>> {
    match search {
        Some(text) if text.chars().count() > MAX_SEARCH_CHARS || text.contains('\0') => {
            Err(Error::invalid("/search", "must have at most 128 characters"))
        }
        other => Ok(other.filter(|text| !text.is_empty())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::policy::Policy;
    use crate::replica::tests::live_record;
    use serde_json::json;
    use std::time::Duration;

    fn resolved(change: impl FnOnce(&mut Live)) -> Value {
        let mut live = live_record(1).live.unwrap();
        change(&mut live);
        serde_json::from_slice(&resolve(&live).body).unwrap()
    }

    #[test]
    fn resolve_has_the_documented_shape() {
        assert_eq!(
            resolved(|_| {}),
            json!({
                "share": {"id": "00000000-0000-0000-0000-000000000002", "name": "Public link", "share_type": "link",
                          "requires_auth": false, "expires_at": null, "permissions": ["view"]},
                "dashboard": {"id": "00000000-0000-0000-0000-000000000003", "slug": "sales", "name": "Sales", "layout": []},
                "filters": [{"slug": "status", "label": "Status", "kind": "select", "mode": "open", "required": false,
                             "source": "dynamic", "parameters": ["status"]}],
            })
        );
    }

    #[test]
    fn resolve_of_a_data_product_has_its_columns_and_no_dashboard() {
        let shown = resolved(|live| live.target = TargetView::DataProduct(data_product::tests::view()));
        assert_eq!(shown.get("dashboard"), None);
        assert_eq!(
            shown["data_product"],
            json!({
                "id": "00000000-0000-0000-0000-000000000004", "name": "Prices", "version": 3, "row_count": 10,
                "columns": [{"name": "city", "type": "text", "sortable": true},
                            {"name": "price", "type": "number", "sortable": true},
                            {"name": "notes", "type": "json", "sortable": false}],
                "loaded_at": "1970-01-01T00:00:00.000Z",
            })
        );
    }

    #[test]
    fn resolve_shows_what_is_locked_unless_hidden_and_leaves_out_what_is_disabled() {
        let policy = |mode, hidden| Policy {
            filter_slug: "status".into(),
            filter_kind: Kind::Select,
            mode,
            allowed_values: if mode == Mode::Locked { vec![json!("tenant-7")] } else { Vec::new() },
            default: None,
            hidden,
        };
        let shown = resolved(|live| live.rules.policies = vec![policy(Mode::Locked, false)]);
        assert_eq!(
            (&shown["filters"][0]["mode"], &shown["filters"][0]["value"]),
            (&json!("locked"), &json!("tenant-7"))
        );
        for gone in [policy(Mode::Locked, true), policy(Mode::Disabled, false)] {
            let shown = resolved(|live| live.rules.policies = vec![gone]);
            assert_eq!(shown["filters"], json!([]));
            assert!(!shown.to_string().contains("tenant-7"));
        }
    }

    #[test]
    fn execute_bodies_are_read_strictly() {
        let parse = |body: &str| parse_execute(Some(JSON), body.as_bytes());
        assert_eq!(parse("").unwrap(), Map::new());
        assert_eq!(parse("{}").unwrap(), Map::new());
        assert_eq!(parse(r#"{"parameters":{"a":1}}"#).unwrap()["a"], json!(1));
        assert!(matches!(parse(r#"{"parameters":[]}"#), Err(Error::Invalid(_))));
        assert!(matches!(parse(r#"{"parameters":null}"#), Err(Error::Invalid(_))));
        assert!(matches!(parse(r#"{"params":{}}"#), Err(Error::Invalid(_))));
        assert!(matches!(parse(r#"{"parameters":{"a":1,"a":2}}"#), Err(Error::Malformed(_))));
        assert!(matches!(parse_execute(None, b"{}"), Err(Error::UnsupportedMediaType)));
        assert!(matches!(
            parse_execute(Some(JSON), &vec![b' '; MAX_BODY_BYTES + 1]),
            Err(Error::TooLarge { .. })
        ));
    }

    #[test]
    fn unlock_bodies_are_read_strictly() {
        let parse = |body: &str| parse_unlock(Some(JSON), body.as_bytes());
        assert_eq!(parse("{}").unwrap(), None);
        assert_eq!(parse(r#"{"password":null}"#).unwrap(), None);
        assert_eq!(parse(r#"{"password":" x "}"#).unwrap(), Some(password::Typed(" x ".into())));
        assert!(matches!(parse(r#"{"password":1}"#), Err(Error::Invalid(_))));
        assert!(matches!(parse(r#"{"password":"a","pw":"b"}"#), Err(Error::Invalid(_))));
        assert!(matches!(parse(r#"{"password":"a","password":"b"}"#), Err(Error::Malformed(_))));
        assert!(matches!(parse(r#"{"password":"\ud800"}"#), Err(Error::Malformed(_))));
        assert!(matches!(parse(""), Err(Error::Malformed(_))));
        let form = Some("application/x-www-form-urlencoded");
        assert!(matches!(parse_unlock(form, b"password=a"), Err(Error::UnsupportedMediaType)));
        assert!(matches!(parse_unlock(Some("text/plain"), b"{}"), Err(Error::UnsupportedMediaType)));
    }

    #[test]
    fn the_cache_is_told_after_the_panels() {
        let freshness = Freshness { hit: true, age: Duration::from_millis(12_900), stale: false };
        let answer = execute(br#"{"panels":[],"generated_at":"x"}"#, freshness);
        assert_eq!(
            String::from_utf8(answer.body).unwrap(),
            r#"{"panels":[],"generated_at":"x","cache":{"hit":true,"age":12,"stale":false}}"#
        );
    }

    #[test]
    fn search_finds_parts_of_label_or_value_in_any_case() {
        let choice = |label: &str, value: Value| Choice { label: label.into(), value };
        let choices =
            vec![choice("Active", json!("act")), choice("Pending", json!("PND")), choice("Seven", json!(7))];
        let known = Options::Known { choices, source: ChoiceSource::Static };
        let found = |search: Option<&str>| {
            let answer = options("status", &known, search);
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            body["options"]
                .as_array()
                .unwrap()
                .iter()
                .map(|option| option["label"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(found(None).len(), 3);
        assert_eq!(found(Some("ACT")), ["Active"]);
        assert_eq!(found(Some("pnd")), ["Pending"]);
        assert_eq!(found(Some("7")), ["Seven"]);
        assert_eq!(found(Some("%")), Vec::<String>::new());
    }
}
