//! What is wrong with a definition's SQL, named by its place, before anybody opens a link to it.

use super::template::{Dialect, Template, Values};
use super::{Engine, Failure, bind};
use shared::error::Flaw;
use shared::model::dashboard::{Definition, Options};
use sqlparser::ast::Statement;
use sqlparser::dialect::{PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;
use std::collections::BTreeSet;

/// All flaws. Without an engine (the source cannot be reached) only what can be told from the text.
pub(super) async fn flaws(engine: Option<&Engine>, dialect: Dialect, definition: &Definition) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let parameters: BTreeSet<String> =
        definition.filters.iter().flat_map(|filter| filter.view().parameters()).collect();
    let mut values = bind::no_values(definition);
    for (at, widget) in definition.widgets.iter().enumerate() {
        let checked = query(engine, dialect, &widget.sql, &parameters, &values).await;
        match checked {
            Err(message) => flaws.push(Flaw::new(format!("/widgets/{at}/sql"), message)),
            Ok(None) => {}
            Ok(Some(columns)) => {
                let known = |name: &String| columns.contains(name);
                if widget.x.as_ref().is_some_and(|x| !known(x)) {
                    flaws.push(Flaw::new(format!("/widgets/{at}/x"), NO_COLUMN));
                }
                for (index, _) in widget.y.iter().enumerate().filter(|(_, y)| !known(y)) {
                    flaws.push(Flaw::new(format!("/widgets/{at}/y/{index}"), NO_COLUMN));
                }
            }
        }
    }
    let mut searchable = parameters;
    searchable.insert(bind::SEARCH.to_owned());
    values.insert(bind::SEARCH.to_owned(), bind::search(None));
    for (at, filter) in definition.filters.iter().enumerate() {
        if let Some(Options::Sql(sql)) = &filter.options
            && let Err(message) = query(engine, dialect, sql, &searchable, &values).await
        {
            flaws.push(Flaw::new(format!("/filters/{at}/options/sql"), message));
        }
    }
    flaws
}

const NO_COLUMN: &str = "is no column of the widget's query";

/// Checks one query; gives the names of its columns when an engine was there to tell.
async fn query(
    engine: Option<&Engine>,
    dialect: Dialect,
    sql: &str,
    parameters: &BTreeSet<String>,
    values: &Values,
) -> Result<Option<Vec<String>>, String> {
    let template = Template::parse(dialect, sql).map_err(|fault| fault.to_string())?;
    if let Some(name) = template.names().into_iter().find(|name| !parameters.contains(*name)) {
        return Err(format!("uses :{name}, which is no filter of this dashboard"));
    }
    let query = template.render_whole(values);
    let parsed = parse(dialect, &query.sql);
    if parsed == Parsed::Other {
        return Err("must be one SELECT".to_owned());
    }
    let prepared = match engine {
        Some(engine) => engine.prepare(query).await,
        None => Err(Failure::Unreachable(String::new())),
    };
    match (prepared, parsed) {
        (Ok(columns), _) => Ok(Some(columns)),
        (Err(Failure::Refused(message)), _) => Err(format!("is refused by the database: {message}")),
        // The engine has the last word on what our parser cannot read; without it the parser's stands.
        (Err(Failure::Unreachable(_) | Failure::TimedOut), Parsed::Unreadable(message)) => Err(message),
        (Err(Failure::Unreachable(_) | Failure::TimedOut), _) => Ok(None),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    Query,
    Other,
    Unreadable(String),
}

fn parse(dialect: Dialect, sql: &str) -> Parsed {
    let statements = match dialect {
        Dialect::Sqlite => Parser::parse_sql(&SQLiteDialect {}, sql),
        Dialect::Postgres => Parser::parse_sql(&PostgreSqlDialect {}, sql),
    };
    match statements.as_deref() {
        Ok([Statement::Query(_)]) => Parsed::Query,
        Ok(_) => Parsed::Other,
        Err(error) => Parsed::Unreadable(format!("cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    async fn check(widget_sql: &str, options_sql: &str) -> Vec<String> {
        let definition: Definition = serde_json::from_value(json!({
            "slug": "s", "title": "T", "data_source_id": "0190a8c0-0000-7000-8000-000000000001",
            "filters": [
                {"slug": "kind", "label": "Kind", "kind": "select", "options": {"sql": options_sql}},
                {"slug": "period", "label": "Period", "kind": "date_range"},
            ],
            "widgets": [{"id": "w", "title": "W", "kind": "table", "sql": widget_sql}],
        }))
        .unwrap();
        let flaws = flaws(None, Dialect::Postgres, &definition).await;
        flaws.into_iter().map(|flaw| format!("{} {}", flaw.pointer, flaw.message)).collect()
    }

    #[tokio::test]
    async fn good_sql_has_no_flaw() {
        let found = check(
            "WITH a AS (SELECT 1 AS x) SELECT * FROM a WHERE x > 0 [[AND kind IN (:kind)]] AND d >= :period_start",
            "SELECT DISTINCT k AS value FROM t WHERE :search IS NULL OR k LIKE :search || '%'",
        );
        assert_eq!(found.await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn flaws_are_named_by_their_place() {
        assert_eq!(
            check("SELECT :foo", "SELECT :bar").await,
            [
                "/widgets/0/sql uses :foo, which is no filter of this dashboard",
                "/filters/0/options/sql uses :bar, which is no filter of this dashboard"
            ]
        );
        assert_eq!(check("SELECT :search", "SELECT 1").await.len(), 1);
        assert_eq!(check("SELECT :period", "SELECT 1").await.len(), 1);
        for other in
            ["DELETE FROM t", "DROP TABLE t", "INSERT INTO t VALUES (1)", "UPDATE t SET a = 1", "VACUUM"]
        {
            assert_eq!(check(other, "SELECT 1").await, ["/widgets/0/sql must be one SELECT"], "{other}");
        }
        assert_eq!(
            check("SELECT 1; DROP TABLE t", "SELECT 1").await,
            ["/widgets/0/sql must be one statement (line 1, column 11)"]
        );
        assert!(check("SELECT (1", "SELECT 1").await[0].starts_with("/widgets/0/sql cannot be read"));
    }
}
