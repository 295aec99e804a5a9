//! Which rules of a share a dashboard's SQL does not know: what they fix or allow narrows nothing there.

use super::template::{Dialect, Template};
use shared::face::dashboard::manage::Unnarrowed;
use shared::model::dashboard::{Definition, Options};
use shared::model::filter::Filter;
use shared::model::policy::{Mode, Rules};

/// Each query that visitors cause and that names no parameter of a filter which the rules narrow.
pub(super) fn unnarrowed(
    dialect: Dialect,
    definition: &Definition,
    filters: &[Filter],
    rules: &Rules,
) -> Vec<Unnarrowed> {
    let narrowed: Vec<&Filter> = filters
        .iter()
        .filter(|filter| matches!(rules.mode(&filter.slug), Mode::Locked | Mode::Selectable))
        .collect();
    let widgets = definition.widgets.iter().enumerate();
    let widgets = widgets.map(|(at, widget)| (format!("/widgets/{at}/sql"), widget.sql.as_str(), ""));
    let options = definition.filters.iter().enumerate().filter_map(|(at, filter)| match &filter.options {
        // Narrowed filters offer their allowed values, disabled ones nothing: their queries do not run.
        Some(Options::Sql(sql)) if rules.mode(&filter.slug) == Mode::Open => {
            Some((format!("/filters/{at}/options/sql"), sql.as_str(), filter.slug.as_str()))
        }
        _ => None,
    });
    widgets
        .chain(options)
        .flat_map(|(at, sql, own)| {
            // What is saved can be read; what cannot be gives no rows.
            let names = Template::parse(dialect, sql).map(|template| owned(&template)).unwrap_or_default();
            let unknown = move |filter: &&&Filter| {
                filter.slug != own && !filter.parameters().iter().any(|parameter| names.contains(parameter))
            };
            let found = narrowed.iter().filter(unknown).map(|filter| filter.slug.clone());
            found.map(|filter_slug| Unnarrowed { at: at.clone(), filter_slug }).collect::<Vec<_>>()
        })
        .collect()
}

fn owned(template: &Template) -> Vec<String> {
    template.names().into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn found(widget_sql: &str, options_sql: &str, policies: serde_json::Value) -> Vec<(String, String)> {
        let definition: Definition = serde_json::from_value(json!({
            "slug": "s", "title": "T", "data_source_id": "0190a8c0-0000-7000-8000-000000000001",
            "filters": [
                {"slug": "kind", "label": "Kind", "kind": "select", "options": {"sql": options_sql}},
                {"slug": "period", "label": "Period", "kind": "date_range"},
            ],
            "widgets": [{"id": "w", "title": "W", "kind": "table", "sql": widget_sql}],
        }))
        .unwrap();
        let rules = Rules { policies: serde_json::from_value(policies).unwrap(), ..Rules::default() };
        let filters = definition.view(Uuid::nil(), 1).filters;
        unnarrowed(Dialect::Sqlite, &definition, &filters, &rules)
            .into_iter()
            .map(|Unnarrowed { at, filter_slug }| (at, filter_slug))
            .collect()
    }

    #[test]
    fn queries_that_do_not_know_a_rule_are_named() {
        let locked = json!([{"filter_slug": "period", "filter_kind": "date_range", "mode": "locked",
            "allowed_values": [{"start": "2026-01-01", "end": null}]}]);
        let knowing = "SELECT 1 AS value [[ WHERE 1 > :period_start ]]";
        let ignorant = "SELECT 1 AS value";
        let named = |at: &str| (at.to_owned(), "period".to_owned());
        assert_eq!(found(knowing, knowing, locked.clone()), []);
        assert_eq!(found(ignorant, knowing, locked.clone()), [named("/widgets/0/sql")]);
        assert_eq!(found(knowing, ignorant, locked), [named("/filters/0/options/sql")]);
        assert_eq!(found(ignorant, ignorant, json!([])), [], "nothing is to be narrowed");
        let own = json!([{"filter_slug": "kind", "filter_kind": "select", "mode": "locked", "allowed_values": ["a"]}]);
        assert_eq!(
            found(ignorant, ignorant, own),
            [("/widgets/0/sql".to_owned(), "kind".to_owned())],
            "a locked filter runs no query for its own options"
        );
    }
}
