//! Dashboards: the definition that its owner writes, SQL included, and the view of it that travels
//! to the edge, SQL left out. What needs a database or a SQL parser is checked in the control plane.

use super::filter::{Choice, Choices, Filter, Kind, Typed};
use crate::error::Flaw;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashSet;
use uuid::Uuid;

/// Most filters of a dashboard.
pub const MAX_FILTERS: usize = 50;
/// Most widgets of a dashboard.
pub const MAX_WIDGETS: usize = 50;
/// Most static options of a filter.
pub const MAX_OPTIONS: usize = 1_000;
/// Longest SQL text, in bytes.
pub const MAX_SQL_BYTES: usize = 16 * 1024;
/// Longest title or label, in characters.
pub const MAX_TITLE_CHARS: usize = 200;
/// Longest slug, in characters.
pub const MAX_SLUG_CHARS: usize = 64;
/// Columns of the page's grid.
pub const GRID_COLUMNS: u8 = 12;

/// How a widget shows its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WidgetKind {
    /// The first cell, large.
    Number,
    /// Bars of `y` over `x`.
    Bar,
    /// Lines of `y` over `x`.
    Line,
    /// Filled lines.
    Area,
    /// Shares of a whole.
    Pie,
    /// Rows and columns.
    Table,
}

/// What a dashboard is, as its owner writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Definition {
    /// Name in URLs, unique in the organization: `[a-z0-9][a-z0-9-]*`, at most 64 characters.
    pub slug: String,
    /// Name for people, at most 200 characters.
    pub title: String,
    /// A sentence under the title, at most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The data source that all SQL of this dashboard runs on.
    pub data_source_id: Uuid,
    /// What viewers may narrow, at most 50.
    #[serde(default)]
    pub filters: Vec<FilterDefinition>,
    /// What viewers see, 1 to 50, in order.
    pub widgets: Vec<Widget>,
}

/// A filter as its owner writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FilterDefinition {
    /// Name in SQL and parameters: `[a-z][a-z0-9_]*`, at most 64 characters; `search` is reserved.
    pub slug: String,
    /// Name for people.
    pub label: String,
    /// What it takes.
    pub kind: Kind,
    /// Must viewers give a value?
    #[serde(default)]
    pub required: bool,
    /// Taken when a viewer gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub default: Option<Value>,
    /// Needed for `select` and `multi_select`, refused for other kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Options>,
}

/// Where a filter's options come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Options {
    /// Written here, 1 to 1,000.
    Static(Vec<Choice>),
    /// A query that gives `value` and, if it likes, `label`. `:search` is what the viewer typed, or NULL.
    Sql(String),
}

/// One thing on the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Widget {
    /// Its name in answers, unique in the dashboard; as a filter's slug.
    pub id: String,
    /// Name for people.
    pub title: String,
    /// How it is shown.
    pub kind: WidgetKind,
    /// One SELECT with named parameters: `:slug`, for a `date_range` `:slug_start` and `:slug_end`.
    /// `[[ AND column IN (:slug) ]]` is kept only when all its parameters have values.
    pub sql: String,
    /// Column for the x axis; the first one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// Columns for the y axis; all but `x` when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub y: Vec<String>,
    /// Unit of the numbers, such as `°C`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Columns of the page's grid that it takes, 1 to 12.
    #[serde(default = "full_width")]
    pub width: u8,
}

const fn full_width() -> u8 {
    GRID_COLUMNS
}

impl Definition {
    /// Everything that is wrong with it and can be told without a database.
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Flaws::default();
        flaws.check(
            is_url_slug(&self.slug),
            "/slug",
            "must be lower case letters, digits and hyphens, at most 64",
        );
        flaws.text("/title", &self.title);
        if let Some(description) = &self.description {
            flaws.check(
                description.chars().count() <= 2_000,
                "/description",
                "must have at most 2,000 characters",
            );
        }
        flaws.check(self.filters.len() <= MAX_FILTERS, "/filters", "must have at most 50 items");
        flaws.check((1..=MAX_WIDGETS).contains(&self.widgets.len()), "/widgets", "must have 1 to 50 items");
        let mut names = HashSet::from(["search".to_owned()]);
        for (at, filter) in self.filters.iter().enumerate() {
            let at = format!("/filters/{at}");
            flaws.filter(&at, filter);
            let mut own = filter.view().parameters();
            if !own.contains(&filter.slug) {
                own.push(filter.slug.clone());
            }
            for name in own {
                flaws.check(
                    names.insert(name),
                    &format!("{at}/slug"),
                    "is taken by another filter, or reserved",
                );
            }
        }
        let mut ids = HashSet::new();
        for (at, widget) in self.widgets.iter().enumerate() {
            let at = format!("/widgets/{at}");
            flaws.widget(&at, widget);
            flaws.check(ids.insert(&widget.id), &format!("{at}/id"), "is taken by another widget");
        }
        flaws.0
    }

    /// What the edge may know of it.
    pub fn view(&self, id: Uuid, version: u64) -> View {
        View {
            id,
            slug: self.slug.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            version,
            filters: self.filters.iter().map(FilterDefinition::view).collect(),
            layout: self.widgets.iter().map(Widget::panel).collect(),
        }
    }
}

impl FilterDefinition {
    /// All but its SQL.
    pub fn view(&self) -> Filter {
        Filter {
            slug: self.slug.clone(),
            label: self.label.clone(),
            kind: self.kind,
            required: self.required,
            default: self.default.clone(),
            choices: self.options.as_ref().map(|options| match options {
                Options::Static(list) => Choices::Static(list.clone()),
                Options::Sql(_) => Choices::Dynamic,
            }),
        }
    }
}

impl Widget {
    fn panel(&self) -> Panel {
        Panel {
            id: self.id.clone(),
            title: self.title.clone(),
            kind: self.kind,
            x: self.x.clone(),
            y: self.y.clone(),
            unit: self.unit.clone(),
            width: self.width,
        }
    }
}

/// A dashboard as the edge knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The dashboard.
    pub id: Uuid,
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub title: String,
    /// A sentence under the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Grows with each change of the definition.
    pub version: u64,
    /// What viewers may narrow.
    pub filters: Vec<Filter>,
    /// What viewers see, in order.
    pub layout: Vec<Panel>,
}

/// A widget as the edge knows it: all but its SQL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Panel {
    /// See [`Widget::id`].
    pub id: String,
    /// See [`Widget::title`].
    pub title: String,
    /// See [`Widget::kind`].
    pub kind: WidgetKind,
    /// See [`Widget::x`].
    pub x: Option<String>,
    /// See [`Widget::y`].
    pub y: Vec<String>,
    /// See [`Widget::unit`].
    pub unit: Option<String>,
    /// See [`Widget::width`].
    pub width: u8,
}

#[derive(Default)]
struct Flaws(Vec<Flaw>);

impl Flaws {
    fn check(&mut self, fits: bool, pointer: &str, message: &str) {
        if !fits {
            self.0.push(Flaw::new(pointer, message));
        }
    }

    fn text(&mut self, pointer: &str, text: &str) {
        let fits = !text.trim().is_empty() && text.chars().count() <= MAX_TITLE_CHARS;
        self.check(fits, pointer, "must have 1 to 200 characters");
    }

    fn sql(&mut self, pointer: &str, sql: &str) {
        self.check(
            !sql.trim().is_empty() && sql.len() <= MAX_SQL_BYTES,
            pointer,
            "must have 1 to 16,384 bytes",
        );
    }

    fn filter(&mut self, at: &str, filter: &FilterDefinition) {
        self.check(is_name(&filter.slug), &format!("{at}/slug"), NAME_RULE);
        self.text(&format!("{at}/label"), &filter.label);
        let options_at = format!("{at}/options");
        match (&filter.options, matches!(filter.kind, Kind::Select | Kind::MultiSelect)) {
            (None, true) => self.check(false, &options_at, "is needed for select and multi_select"),
            (Some(_), false) => self.check(false, &options_at, "is for select and multi_select only"),
            (Some(Options::Sql(sql)), true) => self.sql(&format!("{options_at}/sql"), sql),
            (Some(Options::Static(list)), true) => {
                self.check(
                    (1..=MAX_OPTIONS).contains(&list.len()),
                    &options_at,
                    "must have 1 to 1,000 items",
                );
                for (index, choice) in list.iter().enumerate() {
                    let fits = Typed::read(Kind::Select, &choice.value).is_ok() && !choice.value.is_array();
                    self.check(
                        fits,
                        &format!("{options_at}/static/{index}/value"),
                        "must be a text, number or boolean",
                    );
                }
            }
            (None, false) => {}
        }
        if let Some(Err(message)) = filter.default.as_ref().map(|default| Typed::read(filter.kind, default)) {
            self.check(false, &format!("{at}/default"), message);
        }
    }

    fn widget(&mut self, at: &str, widget: &Widget) {
        self.check(is_name(&widget.id), &format!("{at}/id"), NAME_RULE);
        self.text(&format!("{at}/title"), &widget.title);
        self.sql(&format!("{at}/sql"), &widget.sql);
        self.check((1..=GRID_COLUMNS).contains(&widget.width), &format!("{at}/width"), "must be 1 to 12");
        self.check(widget.y.len() <= 20, &format!("{at}/y"), "must have at most 20 items");
    }
}

const NAME_RULE: &str = "must be lower case letters, digits and underscores, begin with a letter, at most 64";

fn is_name(text: &str) -> bool {
    text.len() <= MAX_SLUG_CHARS
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// Is this a name for URLs: lower case letters, digits and inner hyphens, at most 64?
pub fn is_url_slug(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_SLUG_CHARS
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut json = json!({
            "slug": "sales", "title": "Sales", "data_source_id": "0190a8c0-0000-7000-8000-000000000001",
            "filters": [
                {"slug": "status", "label": "Status", "kind": "select", "options": {"static": [{"label": "A", "value": "a"}]}},
                {"slug": "period", "label": "Period", "kind": "date_range", "default": {"start": "2024-01-01"}},
            ],
            "widgets": [{"id": "total", "title": "Total", "kind": "number", "sql": "SELECT 1"}],
        });
        change(&mut json);
        let definition: Definition = serde_json::from_value(json).expect("the shape is right");
        definition.flaws().into_iter().map(|flaw| flaw.pointer).collect()
    }

    #[test]
    fn a_good_definition_has_no_flaw() {
        assert_eq!(definition(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn each_flaw_is_named_by_its_place() {
        let check = |change: fn(&mut Value), pointer: &str| {
            assert_eq!(definition(change), [pointer], "{pointer}");
        };
        check(|json| json["slug"] = json!("Sales!"), "/slug");
        check(|json| json["title"] = json!(" "), "/title");
        check(|json| json["widgets"] = json!([]), "/widgets");
        check(|json| json["filters"][0]["slug"] = json!("search"), "/filters/0/slug");
        check(|json| json["filters"][0]["slug"] = json!("period_start"), "/filters/1/slug");
        check(|json| json["filters"][0]["slug"] = json!("period"), "/filters/1/slug");
        check(|json| json["filters"][0]["slug"] = json!("1st"), "/filters/0/slug");
        check(|json| json["filters"][0]["options"] = json!(null), "/filters/0/options");
        check(|json| json["filters"][1]["options"] = json!({"sql": "SELECT 1"}), "/filters/1/options");
        check(
            |json| json["filters"][0]["options"]["static"][0]["value"] = json!({}),
            "/filters/0/options/static/0/value",
        );
        check(|json| json["filters"][1]["default"] = json!("2024-01-01"), "/filters/1/default");
        check(|json| json["widgets"][0]["width"] = json!(13), "/widgets/0/width");
        check(|json| json["widgets"][0]["sql"] = json!(""), "/widgets/0/sql");
        check(
            |json| {
                let first = json["widgets"][0].clone();
                json["widgets"].as_array_mut().unwrap().push(first);
            },
            "/widgets/1/id",
        );
    }

    #[test]
    fn the_view_holds_no_sql() {
        let json = json!({
            "slug": "s", "title": "T", "data_source_id": "0190a8c0-0000-7000-8000-000000000001",
            "filters": [{"slug": "f", "label": "F", "kind": "select", "options": {"sql": "SELECT secret_table"}}],
            "widgets": [{"id": "w", "title": "W", "kind": "table", "sql": "SELECT secret_table"}],
        });
        let definition: Definition = serde_json::from_value(json).unwrap();
        let view = serde_json::to_string(&definition.view(Uuid::nil(), 3)).unwrap();
        assert!(!view.contains("secret_table"), "{view}");
    }
}
