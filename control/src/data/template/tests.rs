use super::*;
use proptest::prelude::*;

fn values() -> Values {
    Values::from([
        ("one".to_owned(), Value::One(Bind::Text("x".to_owned()))),
        ("many".to_owned(), Value::Many(vec![Bind::Integer(1), Bind::Integer(2)])),
        ("empty".to_owned(), Value::Many(Vec::new())),
        ("none".to_owned(), Value::Absent(NullType::Date)),
    ])
}

fn check(dialect: Dialect, sql: &str, expected: &str) {
    let template = Template::parse(dialect, sql).unwrap_or_else(|fault| panic!("{sql}: {fault}"));
    assert_eq!(template.render(&values()).sql, expected, "{sql}");
}

fn both(sql: &str, sqlite: &str, postgres: &str) {
    check(Dialect::Sqlite, sql, sqlite);
    check(Dialect::Postgres, sql, postgres);
}

fn refused(dialect: Dialect, sql: &str, expected: &str) {
    match Template::parse(dialect, sql) {
        Err(fault) => assert_eq!(fault.to_string(), expected, "{sql}"),
        Ok(template) => panic!("{sql} gave {template:?}"),
    }
}

#[test]
fn names_become_positions() {
    both("SELECT :one", "SELECT ?1", "SELECT CAST($1 AS text)");
    both("a IN (:many)", "a IN (?1,?2)", "a IN (CAST($1 AS bigint),CAST($2 AS bigint))");
    both("a IN (:empty)", "a IN (NULL)", "a IN (NULL)");
    both("a = :none", "a = NULL", "a = CAST(NULL AS date)");
    both("a = :unknown", "a = NULL", "a = NULL");
}

#[test]
fn a_name_is_bound_once() {
    let template = Template::parse(Dialect::Sqlite, ":one :many :one :many").unwrap();
    let query = template.render(&values());
    assert_eq!(query.sql, "?1 ?2,?3 ?1 ?2,?3");
    assert_eq!(query.binds, [Bind::Text("x".to_owned()), Bind::Integer(1), Bind::Integer(2)]);
}

#[test]
fn blocks_are_kept_when_all_their_parameters_have_values() {
    check(Dialect::Sqlite, "WHERE 1 [[AND a = :one]] LIMIT 5", "WHERE 1 AND a = ?1 LIMIT 5");
    check(Dialect::Sqlite, "WHERE 1[[AND a = :none]]LIMIT 5", "WHERE 1 LIMIT 5");
    check(Dialect::Sqlite, "1 [[ :one :none ]] 2", "1   2");
    check(Dialect::Sqlite, "[[ IN (:empty) ]]", " IN (NULL) ");
    let whole = Template::parse(Dialect::Sqlite, "1 [[AND :none]]").unwrap().render_whole(&values());
    assert_eq!(whole.sql, "1 AND NULL");
}

#[test]
fn what_is_quoted_is_left_alone() {
    for text in ["':one'", "'it''s :one'", "\":one\"", "-- :one\n", "/* :one */", "'[[ :one'", "a::text"] {
        both(text, text, text);
    }
    for text in
        ["$$ :one $$", "$a$ :one $$ $a$", "E'\\' :one'", "/* /* :one */ :one */", "a ? b", "a @> b", "x[1:2]"]
    {
        check(Dialect::Postgres, text, text);
    }
    for text in ["[:one]", "`:one`", "/* /* :one */"] {
        check(Dialect::Sqlite, text, text);
    }
    both("'a' :one", "'a' ?1", "'a' CAST($1 AS text)");
}

#[test]
fn one_final_semicolon_is_dropped() {
    both("SELECT 1;", "SELECT 1", "SELECT 1");
    both("SELECT 1 ; -- done", "SELECT 1  -- done", "SELECT 1  -- done");
    refused(Dialect::Sqlite, "SELECT 1; SELECT 2", "must be one statement (line 1, column 11)");
    refused(Dialect::Postgres, "SELECT 1;\n 'x'", "must be one statement (line 2, column 2)");
    refused(Dialect::Sqlite, "SELECT 1;;", "must be one statement (line 1, column 10)");
}

#[test]
fn what_has_no_end_is_named_by_its_place() {
    refused(Dialect::Sqlite, "SELECT\n  'abc", "this text has no end (line 2, column 3)");
    refused(Dialect::Sqlite, "SELECT [[ :one", "this block has no ]] (line 1, column 8)");
    refused(Dialect::Sqlite, "/* x", "this comment has no end (line 1, column 1)");
    refused(Dialect::Postgres, "$a$ x $b$", "this text has no end (line 1, column 1)");
    refused(Dialect::Sqlite, "[[ a [[ :one ]] ]]", "blocks cannot be nested (line 1, column 6)");
    refused(Dialect::Sqlite, "[[ a ]]", "this block names no parameter (line 1, column 6)");
    refused(Dialect::Sqlite, "[[ :one; ]]", "a block cannot hold a semicolon (line 1, column 8)");
}

#[test]
fn positional_parameters_are_refused() {
    for sql in ["?", "?1", "@a", "$a", "$1"] {
        refused(Dialect::Sqlite, sql, "parameters are written :name (line 1, column 1)");
    }
    refused(Dialect::Postgres, "é $1", "parameters are written :name (line 1, column 3)");
}

#[test]
fn names_are_listed_in_order() {
    let template = Template::parse(Dialect::Sqlite, ":b [[ :a ]] :b ':c'").unwrap();
    assert_eq!(template.names(), ["b", "a", "b"]);
}

proptest! {
    #[test]
    fn no_text_panics(sql in "\\PC{0,60}|[\\[\\]:'\"$/*;ae1 -]{0,60}") {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            if let Ok(template) = Template::parse(dialect, &sql) {
                template.render(&values());
            }
        }
    }

    #[test]
    fn a_value_never_enters_the_text(secret in "[a-z]{12}|'; DROP TABLE x; --|\\PC{8,20}") {
        let sql = "SELECT :v, ':v' [[ AND :v IN (:w) ]]";
        let values = Values::from([
            ("v".to_owned(), Value::One(Bind::Text(secret.clone()))),
            ("w".to_owned(), Value::Many(vec![Bind::Text(secret.clone()), Bind::Date(secret.clone())])),
        ]);
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            let query = Template::parse(dialect, sql).unwrap().render(&values);
            prop_assert!(!query.sql.contains(&secret));
            prop_assert_eq!(query.binds.len(), 3);
        }
    }

    #[test]
    fn text_without_parameters_comes_back_as_it_was(sql in "[a-z0-9 ,.()<>=+\n'\"-]{0,60}") {
        if let Ok(template) = Template::parse(Dialect::Postgres, &sql) {
            prop_assert_eq!(template.render(&Values::new()).sql, sql);
        }
    }
}
