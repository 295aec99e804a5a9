//! What the visitors of a share would see, before there is one.

use crate::call::PanelError;
use crate::face::dashboard::public::ResolvedFilter;
use crate::model::policy::{DefaultMode, Policy, Rules};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Body of `POST /api/v1/dashboard-shares/preview`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreviewIn {
    /// The dashboard.
    pub dashboard_id: Uuid,
    /// As of a share that is made.
    #[serde(default)]
    pub share_filter_policies: Vec<Policy>,
    /// As of a share that is made.
    #[serde(default)]
    pub default_mode: DefaultMode,
    /// What a visitor sends to `execute`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub parameters: Map<String, Value>,
}

impl PreviewIn {
    /// Takes it apart: dashboard, rules, parameters.
    pub fn into_parts(self) -> (Uuid, Rules, Map<String, Value>) {
        let rules = Rules { default_mode: self.default_mode, policies: self.share_filter_policies };
        (self.dashboard_id, rules, self.parameters)
    }
}

/// Answer of a preview.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreviewOut<'a> {
    /// What visitors may narrow, as `resolve` tells them.
    pub filters: Vec<ResolvedFilter<'a>>,
    /// What the queries run with: each filter that is not disabled, hidden ones too.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub parameters: Map<String, Value>,
    /// What the queries give, in the order of the widgets.
    pub widgets: Vec<PreviewWidget<'a>>,
    /// Queries that do not use a filter which the share locks or makes selectable: their rows or options are not narrowed
    /// by it. As it should be for some; a leak for others.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Unnarrowed>))]
    pub not_narrowed: &'a [Unnarrowed],
}

/// A query that a rule does not reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Unnarrowed {
    /// JSON pointer to the query in the dashboard's definition.
    pub at: String,
    /// The filter.
    pub filter_slug: String,
}

/// What a widget's query gives.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreviewWidget<'a> {
    /// The widget.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: &'a str,
    /// Its name for people.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub title: &'a str,
    /// How many rows visitors would see.
    pub row_count: u64,
    /// The query gives more; these are the first.
    pub truncated: bool,
    /// The query failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<PanelError>))]
    pub error: Option<&'a PanelError>,
}
