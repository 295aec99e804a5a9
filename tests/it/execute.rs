//! Rows: what visitors get is what the same SQL gives at the source, narrowed as they ask.

use crate::share::{Share, rows};
use rusqlite::{Connection, OpenFlags, ToSql, types::ValueRef};
use serde_json::{Value, json};
use std::thread;
use tests::Stack;

crate::tests![
    resolve_tells_what_can_be_asked,
    rows_are_those_of_the_source,
    absent_is_the_default_and_null_clears_it,
    columns_are_typed,
    options_come_from_their_source,
    answers_are_cached_by_what_was_asked,
    equal_requests_at_once_run_once,
    sql_in_parameters_is_only_text,
    capped_rows_say_so,
    a_failing_widget_does_not_spoil_the_others,
    failing_options_say_so,
    policies_narrow_rows_and_options,
    a_dashboard_that_outgrows_a_policy_closes_the_share,
];

fn resolve_tells_what_can_be_asked(stack: &Stack) {
    let resolved = Share::create(stack).resolve().expect(200).json();
    assert_eq!(resolved["share"]["share_type"], "link");
    assert_eq!(resolved["share"]["requires_auth"], false);
    assert_eq!(resolved["dashboard"]["id"], stack.described("dashboard_id"));
    let kinds: Vec<_> = resolved["filters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|filter| filter["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["select", "multi_select", "date_range", "number", "boolean"]);
    let period = &resolved["filters"][2];
    assert_eq!(period["parameters"], json!(["period_start", "period_end"]));
    let widgets: Vec<_> = resolved["dashboard"]["layout"]
        .as_array()
        .unwrap()
        .iter()
        .map(|widget| widget["kind"].as_str().unwrap())
        .collect();
    for kind in ["number", "line", "bar", "table"] {
        assert!(widgets.contains(&kind), "{widgets:?}");
    }
    assert!(!resolved.to_string().to_lowercase().contains("select count"), "no SQL leaves: {resolved}");
}

fn rows_are_those_of_the_source(stack: &Stack) {
    let share = Share::create(stack);
    // What is asked, and the same said in SQL to the file itself.
    let cases: [(Value, &str); 7] = [
        (json!({}), "date BETWEEN '2012-01-01' AND '2015-12-31'"),
        (json!({"location": "Seattle"}), "location = 'Seattle'"),
        (json!({"weather": ["rain", "snow"]}), "weather IN ('rain', 'snow')"),
        (
            json!({"period_start": "2013-03-01", "period_end": "2013-05-31"}),
            "date BETWEEN '2013-03-01' AND '2013-05-31'",
        ),
        (json!({"windy": 5.5}), "wind >= 5.5"),
        (json!({"rainy": true}), "precipitation > 0"),
        (
            json!({"location": "New York", "weather": ["rain"], "period": {"start": "2014-01-01"}, "windy": 3, "rainy": true}),
            "location = 'New York' AND weather = 'rain' AND date >= '2014-01-01' AND wind >= 3 AND precipitation > 0",
        ),
    ];
    for (asked, condition) in cases {
        let executed = share.execute(&asked).expect(200).json();
        let same = |sql: &str| at_source(stack, &sql.replace("{}", condition), &[]);
        assert_eq!(rows(&executed, "days"), same("SELECT count(*) FROM weather WHERE {}"), "{asked}");
        assert_eq!(
            rows(&executed, "total_rain"),
            same("SELECT round(sum(precipitation), 1) FROM weather WHERE {}"),
            "{asked}"
        );
        assert_eq!(
            rows(&executed, "hottest"),
            same(
                "SELECT date, location, temp_max, temp_min, precipitation, wind, weather FROM weather WHERE {} \
                 ORDER BY temp_max DESC, date, location LIMIT 300"
            ),
            "{asked}"
        );
    }
}

fn absent_is_the_default_and_null_clears_it(stack: &Stack) {
    let share = Share::create(stack);
    let days = |asked: Value| rows(&share.execute(&asked).expect(200).json(), "days");
    assert_eq!(days(json!({})), days(json!({"period_start": "2012-01-01", "period_end": "2015-12-31"})));
    assert_eq!(days(json!({"period": null})), at_source(stack, "SELECT count(*) FROM weather", &[]));
    assert_eq!(days(json!({"weather": []})), days(json!({})));
}

fn columns_are_typed(stack: &Stack) {
    let executed = Share::create(stack).execute(&json!({})).expect(200).json();
    let columns = |panel: &str| {
        let panels = executed["panels"].as_array().unwrap();
        let panel = panels.iter().find(|found| found["id"] == panel).unwrap();
        panel["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column["type"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(columns("days"), ["integer"]);
    assert_eq!(columns("hottest"), ["date", "text", "number", "number", "number", "number", "text"]);
    assert!(executed["generated_at"].as_str().unwrap().ends_with('Z'));
}

fn options_come_from_their_source(stack: &Stack) {
    let share = Share::create(stack);
    let fixed = share.options("location", "").expect(200).json();
    assert_eq!((&fixed["source"], fixed["options"].as_array().unwrap().len()), (&json!("static"), 2));
    assert_eq!(
        share.options("location", "?search=YORK").expect(200).json()["options"],
        json!([{"label": "New York", "value": "New York"}])
    );
    let found = share.options("weather", "").expect(200).json();
    assert_eq!((&found["filter_slug"], &found["source"]), (&json!("weather"), &json!("dynamic")));
    let values: Vec<_> =
        found["options"].as_array().unwrap().iter().map(|option| json!([option["value"]])).collect();
    assert_eq!(
        Value::from(values),
        at_source(stack, "SELECT DISTINCT weather FROM weather ORDER BY weather", &[])
    );
    let narrowed = share.options("weather", "?search=sn").expect(200).json();
    assert_eq!(narrowed["options"], json!([{"label": "Snow", "value": "snow"}]));
    assert_eq!(
        share.options("weather", "?search=%27%20OR%201%3D1%20--").expect(200).json()["options"],
        json!([])
    );
    for none in ["period", "windy", "unknown", "weather%00"] {
        share.options(none, "").expect_error(403, "FILTER_DISABLED_BY_POLICY");
    }
}

fn answers_are_cached_by_what_was_asked(stack: &Stack) {
    let share = Share::create(stack);
    let cache = |asked: Value| share.execute(&asked).expect(200).json()["cache"]["hit"].clone();
    assert_eq!(cache(json!({"location": "Seattle"})), false);
    assert_eq!(cache(json!({"location": "Seattle"})), true);
    assert_eq!(
        cache(json!({"location": ["Seattle"], "period_end": "2015-12-31", "period_start": "2012-01-01"})),
        true,
        "the same, said otherwise"
    );
    assert_eq!(cache(json!({"location": "New York"})), false);
    let other = Share::create(stack);
    assert_eq!(
        other.execute(&json!({"location": "Seattle"})).expect(200).json()["cache"]["hit"],
        false,
        "another share"
    );
    let timing = share.execute(&json!({"location": "Seattle"})).expect(200);
    let timing = timing.header("server-timing");
    for part in ["record;", "gate;", "origin;", "cache;desc=hit"] {
        assert!(timing.contains(part), "{timing}");
    }
}

fn equal_requests_at_once_run_once(stack: &Stack) {
    // A share of its own, so that the count in its gate's name is of these requests only.
    let share = Share::create(stack);
    share.resolve().expect(200);
    let ran_before = executes(stack);
    let asked = json!({"location": "Seattle", "windy": 7.25});
    let answers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..16).map(|_| scope.spawn(|| share.execute(&asked).expect(200).json())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| rows(answer, "days") == rows(&answers[0], "days")));
    let ran = executes(stack) - ran_before;
    // Other tests run at the same time, so this bounds rather than equals: 16 would be no flight at all.
    assert!(ran < 16, "{ran} runs for 16 equal requests");
    let generated: std::collections::HashSet<_> =
        answers.iter().map(|answer| answer["generated_at"].to_string()).collect();
    assert_eq!(generated.len(), 1, "all got the one run's answer");
}

fn executes(stack: &Stack) -> u64 {
    stack
        .control()
        .get("/metrics")
        .expect(200)
        .text()
        .lines()
        .filter(|line| {
            line.contains("/internal/data/execute") && line.starts_with("postern_http_requests_total")
        })
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .map(|count| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            {
                count as u64
            }
        })
        .sum()
}

fn sql_in_parameters_is_only_text(stack: &Stack) {
    let share = Share::create(stack);
    for hostile in [
        "Seattle' OR '1'='1",
        "Seattle'; DROP TABLE weather; --",
        "Seattle\" OR 1=1",
        "%",
        "Seattle\\' OR 1=1",
        ":windy",
        "[[ 1 ]]",
    ] {
        let executed = share.execute(&json!({"location": hostile})).expect(200).json();
        assert_eq!(rows(&executed, "days"), json!([[0]]), "{hostile}");
    }
    assert_eq!(rows(&share.execute(&json!({})).expect(200).json(), "days"), json!([[2922]]));
}

fn capped_rows_say_so(stack: &Stack) {
    let share = probe(
        stack,
        "capped",
        &json!([
            {"id": "many", "title": "Many", "kind": "table", "sql": "SELECT a.date FROM weather a, (SELECT 1 FROM weather LIMIT 10) b"},
            {"id": "few", "title": "Few", "kind": "table", "sql": "SELECT date FROM weather LIMIT 10000"},
        ]),
    );
    let executed = share.execute(&json!({})).expect(200).json();
    assert_eq!(
        (rows(&executed, "many").as_array().unwrap().len(), &executed["panels"][0]["truncated"]),
        (10_000, &json!(true))
    );
    assert_eq!(
        (rows(&executed, "few").as_array().unwrap().len(), &executed["panels"][1]["truncated"]),
        (2_922, &json!(false))
    );
}

fn a_failing_widget_does_not_spoil_the_others(stack: &Stack) {
    let share = probe(
        stack,
        "failing",
        &json!([
            {"id": "good", "title": "Good", "kind": "number", "sql": "SELECT 1 AS one"},
            {"id": "bad", "title": "Bad", "kind": "number", "sql": "SELECT abs(-9223372036854775807 - 1) AS secret_overflow"},
            {"id": "slow", "title": "Slow", "kind": "number",
             "sql": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n"},
        ]),
    );
    let reply = share.execute(&json!({})).expect(200);
    let executed = reply.json();
    assert_eq!(rows(&executed, "good"), json!([[1]]));
    for at in [1, 2] {
        assert_eq!(executed["panels"][at]["error"]["error_code"], "DB_QUERY_ERROR", "{executed}");
        assert_eq!(executed["panels"][at]["rows"], json!([]));
    }
    assert!(!reply.text().contains("overflow") && !reply.text().contains("SELECT"), "{}", reply.text());
    let quick = probe(
        stack,
        "failing-quickly",
        &json!([{"id": "bad", "title": "Bad", "kind": "number", "sql": "SELECT abs(-9223372036854775807 - 1) AS overflow"}]),
    );
    for _ in 0..2 {
        let failed = quick.execute(&json!({})).expect(200).json();
        assert_eq!(failed["cache"]["hit"], false, "a failure is not kept");
    }
}

fn failing_options_say_so(stack: &Stack) {
    let filter = json!({"slug": "broken", "label": "Broken", "kind": "select",
                        "options": {"sql": "SELECT abs(-9223372036854775807 - 1) AS value"}});
    let widget = json!({"id": "one", "title": "One", "kind": "number", "sql": "SELECT 1 AS one"});
    let share = share_of(stack, &json!({"slug": "broken-options", "filters": [filter], "widgets": [widget]}));
    let error = share.options("broken", "").expect_error(400, "DB_QUERY_ERROR");
    assert!(!error.to_string().contains("overflow"), "{error}");
    share.execute(&json!({})).expect(200);
}

fn policies_narrow_rows_and_options(stack: &Stack) {
    let share = Share::create_with(
        stack,
        json!({"share_filter_policies": [
            {"filter_slug": "location", "filter_kind": "select", "mode": "locked", "allowed_values": ["Seattle"]},
            {"filter_slug": "weather", "filter_kind": "multi_select", "mode": "selectable", "allowed_values": ["rain", "snow"]},
            {"filter_slug": "windy", "filter_kind": "number", "mode": "disabled"},
            {"filter_slug": "period", "filter_kind": "date_range", "mode": "selectable",
             "allowed_values": [{"start": "2013-01-01", "end": "2013-12-31"}]},
        ]}),
    );
    let allowed = "location = 'Seattle' AND date BETWEEN '2013-01-01' AND '2013-12-31'";
    let days = |asked: Value| rows(&share.execute(&asked).expect(200).json(), "days");
    let same = |condition: &str| {
        at_source(stack, &format!("SELECT count(*) FROM weather WHERE {allowed} AND {condition}"), &[])
    };
    assert_eq!(days(json!({})), same("weather IN ('rain', 'snow')"));
    assert_eq!(days(json!({"location": "Seattle", "weather": ["snow"]})), same("weather = 'snow'"));
    assert_eq!(days(json!({"weather": []})), json!([[0]]), "an empty list is no way around");
    assert_eq!(
        days(json!({"period_start": "2013-03-01", "period_end": "2013-03-31"})),
        same("weather IN ('rain', 'snow') AND date BETWEEN '2013-03-01' AND '2013-03-31'")
    );
    for refused in [
        json!({"location": "New York"}),
        json!({"location": null}),
        json!({"location": "seattle"}),
        json!({"weather": ["sun"]}),
        json!({"weather": ["rain", "sun"]}),
        json!({"weather": null}),
        json!({"windy": 3}),
        json!({"windy": null}),
        json!({"period": null}),
        json!({"period_start": "2013-06-01"}),
        json!({"period_start": "2012-12-31", "period_end": "2013-06-01"}),
    ] {
        let error = share.execute(&refused).expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
        assert!(!error.to_string().contains("Seattle") && !error.to_string().contains("snow"), "{error}");
    }

    let resolved = share.resolve().expect(200).json();
    let filters: Vec<_> = resolved["filters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|filter| (&filter["slug"], &filter["mode"]))
        .collect();
    assert_eq!(filters.len(), 4, "the disabled one is not there: {filters:?}");
    assert_eq!(
        (&resolved["filters"][0]["mode"], &resolved["filters"][0]["value"]),
        (&json!("locked"), &json!("Seattle"))
    );
    let options = |slug: &str| share.options(slug, "").expect(200).json();
    assert_eq!(
        (&options("location")["source"], &options("location")["options"]),
        (&json!("policy"), &json!([{"label": "Seattle", "value": "Seattle"}]))
    );
    assert_eq!(options("weather")["options"].as_array().unwrap().len(), 2);
    share.options("windy", "").expect_error(403, "FILTER_DISABLED_BY_POLICY");

    // Opened wider and narrowed again: each is in force when the call returns.
    let admin = stack.admin();
    let changed = admin.patch(&share.managed(), &json!({"share_filter_policies": []})).expect(200).json();
    assert_eq!((&changed["share_filter_policies"], &changed["token"]), (&json!([]), &json!(share.token)));
    assert_eq!(days(json!({"location": "New York"})), json!([[1461]]));
    admin.patch(&share.managed(), &json!({"default_mode": "disabled"})).expect(200);
    share.execute(&json!({"location": "New York"})).expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
    assert_eq!(share.resolve().expect(200).json()["filters"], json!([]));
    let wrong = json!({"share_filter_policies": [{"filter_slug": "gone", "filter_kind": "select", "mode": "disabled"}]});
    let error = admin.patch(&share.managed(), &wrong).expect_error(422, "VALIDATION_ERROR");
    assert_eq!(error["errors"][0]["instancePath"], "/share_filter_policies/0");
}

fn a_dashboard_that_outgrows_a_policy_closes_the_share(stack: &Stack) {
    let admin = stack.admin();
    let filter = json!({"slug": "location", "label": "City", "kind": "select", "options": {"static": [
        {"label": "Seattle", "value": "Seattle"}, {"label": "New York", "value": "New York"}]}});
    let widget = json!({"id": "days", "title": "Days", "kind": "number",
                        "sql": "SELECT count(*) AS days FROM weather WHERE 1 = 1 [[ AND location = :location ]]"});
    let source = admin.get("/api/v1/data-sources").expect(200).json()["records"][0]["id"].clone();
    let mut definition = json!({"slug": "outgrown", "title": "Outgrown", "data_source_id": source,
                                "filters": [filter], "widgets": [widget]});
    let dashboard = admin.post("/api/v1/dashboards", &definition).expect(201).json();
    let path = format!("/api/v1/dashboards/{}", dashboard["id"].as_str().unwrap());
    let tenant = json!({"name": "Tenant", "share_type": "link", "share_filter_policies": [
        {"filter_slug": "location", "filter_kind": "select", "mode": "locked", "allowed_values": ["Seattle"], "hidden": true}]});
    let share = Share::of(stack, &admin.post(&format!("{path}/shares"), &tenant).expect(201).json());
    let open = Share::of(
        stack,
        &admin
            .post(&format!("{path}/shares"), &json!({"name": "All", "share_type": "link"}))
            .expect(201)
            .json(),
    );
    assert_eq!(rows(&share.execute(&json!({})).expect(200).json(), "days"), json!([[1461]]));
    assert!(!share.resolve().expect(200).text().contains("Seattle"), "hidden");

    // Without the filter nothing would narrow the tenant's rows any more.
    let filters = definition["filters"].take();
    definition["filters"] = json!([]);
    definition["widgets"][0]["sql"] = json!("SELECT count(*) AS days FROM weather");
    let replaced = admin.put(&path, &definition).expect(200).json();
    assert_eq!(replaced["closed_shares"], json!([share.id]));
    share.resolve().expect_error(401, "TOKEN_INVALID");
    share.execute(&json!({})).expect_error(401, "TOKEN_INVALID");
    share.page().expect(404);
    open.resolve().expect(200);
    assert_eq!(admin.get(&share.managed()).expect(200).json()["status"], "closed");

    definition["filters"] = filters;
    definition["widgets"][0]["sql"] = widget["sql"].clone();
    assert_eq!(admin.put(&path, &definition).expect(200).json().get("closed_shares"), None);
    assert_eq!(rows(&share.execute(&json!({})).expect(200).json(), "days"), json!([[1461]]));
    assert_eq!(admin.get(&share.managed()).expect(200).json()["status"], "active");
}

/// A share of a new dashboard with these widgets.
fn probe(stack: &Stack, slug: &str, widgets: &Value) -> Share {
    share_of(stack, &json!({"slug": slug, "widgets": widgets}))
}

/// A share of a new dashboard over the demo's data.
fn share_of(stack: &Stack, definition: &Value) -> Share {
    let admin = stack.admin();
    let source = admin.get("/api/v1/data-sources").expect(200).json()["records"][0]["id"].clone();
    let mut definition = definition.clone();
    definition["title"] = json!("Probe");
    definition["data_source_id"] = source;
    let dashboard = admin.post("/api/v1/dashboards", &definition).expect(201).json();
    let path = format!("/api/v1/dashboards/{}/shares", dashboard["id"].as_str().unwrap());
    Share::of(stack, &admin.post(&path, &json!({"name": "Probe", "share_type": "link"})).expect(201).json())
}

/// Rows that SQL gives directly on the demo's file.
fn at_source(stack: &Stack, sql: &str, values: &[&dyn ToSql]) -> Value {
    let file = stack.state("data/weather.db");
    let source =
        Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the demo's file");
    let mut statement = source.prepare(sql).expect("good SQL");
    let width = statement.column_count();
    let mut rows = statement.query(values).expect("rows");
    let mut found = Vec::new();
    while let Some(row) = rows.next().expect("a row") {
        let cell = |at| match row.get_ref(at).expect("a cell") {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => json!(number),
            ValueRef::Real(number) => json!(number),
            ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
            ValueRef::Blob(_) => panic!("no blobs here"),
        };
        found.push(Value::from((0..width).map(cell).collect::<Vec<_>>()));
    }
    Value::from(found)
}
