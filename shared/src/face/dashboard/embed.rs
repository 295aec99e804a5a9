//! What the frame of an embed gets: info. Execute and options are those of [`super::public`]. Rows 1.14-1.16.

use super::public::{ResolvedDashboard, ResolvedFilter, ResolvedShare, filters, resolved_dashboard};
use crate::Result;
use crate::face::Answer;
use crate::model::dashboard::View;
use crate::model::embed::{Embed, Theme};
use crate::model::origin::Origin;
use crate::replica::Live;
use askama::Template;
use serde::Serialize;

/// Answer of `GET /api/embed/d/:token/info`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InfoOut<'a> {
    /// The embed; `expires_at` is the token's.
    pub share: ResolvedShare<'a>,
    /// What it shows.
    pub dashboard: ResolvedDashboard<'a>,
    /// What the viewer may set, or may see that it is fixed.
    pub filters: Vec<ResolvedFilter<'a>>,
    /// What the token says of itself.
    pub embed: EmbedInfo<'a>,
}

/// What a token says of itself.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmbedInfo<'a> {
    /// RFC 3339.
    pub expires_at: String,
    /// Parameters that the viewer may set.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub allowed_params: &'a [String],
    /// Parameters that must be set and are not yet.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub required_params: Vec<&'a str>,
    /// Sites that may frame it.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub allowed_origins: Vec<&'a str>,
    /// Without title and description.
    pub hide_header: bool,
    /// Without filters.
    pub hide_controls: bool,
    /// Colours.
    pub theme: Theme,
}

/// Renders the answer to an info.
///
/// # Errors
/// [`crate::Error::Policy`] when the token does not fit the dashboard.
pub fn info(live: &Live, view: &View, embed: &Embed, origins: &[&Origin]) -> Result<Answer> {
    let granted = &embed.terms;
    let rules = granted.fitting_rules(&view.filters)?;
    let required: Vec<&str> = granted
        .required_params
        .iter()
        .filter(|name| !granted.fixed_params.contains_key(*name))
        .map(String::as_str)
        .collect();
    let mut filters = filters(view, &rules);
    for filter in &mut filters {
        filter.required |= filter.parameters.iter().any(|name| required.contains(&name.as_str()));
    }
    let expires_at = embed.ends().to_rfc3339();
    Ok(Answer::json(
        200,
        &InfoOut {
            share: ResolvedShare {
                id: live.share.id,
                name: &live.share.name,
                share_type: live.share.share_type,
                requires_auth: false,
                expires_at: Some(expires_at.clone()),
                permissions: ["view"],
            },
            dashboard: resolved_dashboard(view),
            filters,
            embed: EmbedInfo {
                expires_at,
                allowed_params: &granted.allowed_params,
                required_params: required,
                allowed_origins: origins.iter().map(|origin| origin.as_str()).collect(),
                hide_header: granted.look.hide_header,
                hide_controls: granted.look.hide_controls,
                theme: granted.look.theme,
            },
        },
    ))
}

#[derive(Template)]
#[template(path = "embed_snippet.html")]
struct Snippet<'a> {
    url: &'a str,
    title: &'a str,
}

/// An iframe of an embed's page, ready to be put into a page.
pub fn snippet(url: &str, title: &str) -> String {
    // Templates write into a string and hold no fallible filter.
    Snippet { url, title }.render().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::embed::tests::embed;
    use crate::model::embed::{Granted, Look};
    use crate::replica::{TargetView, tests::live_record};
    use serde_json::{Value, json};

    fn shown(granted: Granted) -> Value {
        let mut live = live_record(1).live.unwrap();
        live.share.share_type = crate::model::share::ShareType::Embed;
        let TargetView::Dashboard(view) = &live.target else { panic!("no dashboard") };
        let origin = Origin::parse("https://a.com").unwrap();
        let embed = Embed { terms: granted, ..embed() };
        serde_json::from_slice(&info(&live, view, &embed, &[&origin]).unwrap().body).unwrap()
    }

    #[test]
    fn info_has_the_documented_shape() {
        let granted = Granted {
            allowed_params: vec!["status".into()],
            required_params: vec!["status".into()],
            look: Look { hide_header: true, theme: Theme::Dark, ..Look::default() },
            ..Granted::default()
        };
        assert_eq!(
            shown(granted),
            json!({
                "share": {"id": "00000000-0000-0000-0000-000000000002", "name": "Public link", "share_type": "embed",
                          "requires_auth": false, "expires_at": "2023-11-14T23:13:20.000Z", "permissions": ["view"]},
                "dashboard": {"id": "00000000-0000-0000-0000-000000000003", "slug": "sales", "name": "Sales", "layout": []},
                "filters": [{"slug": "status", "label": "Status", "kind": "select", "mode": "open", "required": true,
                             "source": "dynamic", "parameters": ["status"]}],
                "embed": {"expires_at": "2023-11-14T23:13:20.000Z", "allowed_params": ["status"], "required_params": ["status"],
                          "allowed_origins": ["https://a.com"], "hide_header": true, "hide_controls": false, "theme": "dark"},
            })
        );
    }

    #[test]
    fn what_is_fixed_or_not_allowed_is_left_out() {
        let fixed = json!({"status": "tenant-7"}).as_object().unwrap().clone();
        let granted =
            Granted { fixed_params: fixed, required_params: vec!["status".into()], ..Granted::default() };
        for granted in [granted, Granted::default()] {
            let shown = shown(granted);
            assert_eq!(shown["filters"], json!([]));
            assert_eq!(shown["embed"]["required_params"], json!([]));
            assert!(!shown.to_string().contains("tenant-7"));
        }
    }

    #[test]
    fn a_title_is_escaped_in_the_snippet() {
        let html = snippet("https://share.example/embed/d/a.b.c", "\"><script>");
        assert!(html.starts_with("<iframe src=\"https://share.example/embed/d/a.b.c\" title=\""), "{html}");
        assert!(!html.contains("<script>"), "{html}");
    }
}
