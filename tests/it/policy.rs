//! Ten thousand requests through the Worker: the rows that come are those that the rules allow, and no others. Half
//! of the requests ask for what the share does not allow, or for what is written almost like it.

use crate::share::Share;
use fastrand::Rng;
use oracle::rules::{Cells, Offer, Rows};
use oracle::{corpus, generate, rules};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use table::{COLUMNS, Table};
use tests::{Client, Stack};

mod table;

crate::tests![rows_are_those_that_the_rules_allow];

const SEED: u64 = 1;
const DASHBOARDS: usize = 4;
/// Of each dashboard.
const SHARES: usize = 10;
/// To each share, without those for options.
const REQUESTS: usize = 250;
const CLIENTS: usize = 8;

fn rows_are_those_that_the_rules_allow(stack: &Stack) {
    let rng = &mut Rng::with_seed(SEED);
    let admin = admin(stack);
    let table = &Table::create(stack, &admin, rng);
    let probes: Vec<Probe> = (0..DASHBOARDS).flat_map(|_| probes(stack, &admin, table, rng)).collect();
    let (next, counts) = (&AtomicUsize::new(0), &Counts::default());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let edge = stack.edge();
                while let Some(probe) = probes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    probe.ask(&edge, table, counts);
                    probe.ask_for_options(table);
                }
            });
        }
    });
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let all = DASHBOARDS * SHARES * REQUESTS;
    println!("{:?}: {all} requests, {counts:?}", stack.database());
    assert_eq!(count(&counts.accepted) + count(&counts.refused), all);
    assert!(count(&counts.accepted) > all * 3 / 10 && count(&counts.refused) > all * 3 / 10, "{counts:?}");
    assert!(count(&counts.accepted) - count(&counts.of_other_types) > all * 3 / 10, "{counts:?}");
}

/// How the requests ended.
#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicUsize,
    refused: AtomicUsize,
    /// Accepted, but an open filter was given another type than its column has.
    of_other_types: AtomicUsize,
}

/// A client with a key, and so with a budget, of its own: other tests run at the same time.
fn admin(stack: &Stack) -> Client {
    let mut command = stack.postern();
    command.args(["keys", "create", "--json", "--name", "oracle", "--organization"]);
    command.arg(stack.described("company_slug"));
    command.args(["--scope", "shares:write", "--scope", "content:write"]);
    let output = command.output().expect("postern runs");
    let key: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    stack.control().with_key(key["key"].as_str().expect("a key"))
}

/// A share and what it was made from.
struct Probe {
    share: Share,
    filters: Vec<Value>,
    rules: Value,
    seed: u64,
}

/// A new dashboard over the table and its shares.
fn probes(stack: &Stack, admin: &Client, table: &Table, rng: &mut Rng) -> Vec<Probe> {
    let filters: Vec<Value> = COLUMNS.iter().map(|(slug, kind, _)| filter(rng, slug, kind)).collect();
    let definition = json!({
        "slug": format!("oracle-{:016x}", rng.u64(..)), "title": "Oracle", "data_source_id": table.source,
        "filters": filters, "widgets": [{ "id": "rows", "title": "Rows", "kind": "table", "sql": table::rows_sql() }],
    });
    let dashboard = admin.post("/api/v1/dashboards", &definition).expect(201).json();
    let path = format!("/api/v1/dashboards/{}/shares", dashboard["id"].as_str().unwrap());
    let probe = |_| {
        let rules = rules(rng, &filters);
        let fields = json!({
            "name": "Oracle", "share_type": "link",
            "default_mode": rules["default_mode"], "share_filter_policies": rules["policies"],
        });
        let share = Share::of(stack, &admin.post(&path, &fields).expect(201).json());
        Probe { share, filters: filters.clone(), rules, seed: rng.u64(..) }
    };
    (0..SHARES).map(probe).collect()
}

/// A filter with a default that it takes, if any, and with options from the table, if from a query.
fn filter(rng: &mut Rng, slug: &str, kind: &str) -> Value {
    loop {
        let mut filter = generate::filter(rng, slug, kind);
        if let Some(sql) = filter.pointer_mut("/options/sql") {
            *sql = json!(table::options_sql(slug));
        }
        let optional = [json!({ "slug": slug, "kind": kind, "default": filter["default"] })];
        let rows = rules::judge(&optional, &json!({ "default_mode": "open" }), "");
        if rows.is_some_and(|rows| other_types(&rows).is_empty()) {
            return filter;
        }
    }
}

/// Rules that fit, and whose texts are texts as in the table.
fn rules(rng: &mut Rng, filters: &[Value]) -> Value {
    loop {
        let rules = generate::rules(rng, filters);
        let typed = |policy: &Value| {
            let values = policy["allowed_values"].as_array().into_iter().flatten();
            let is_list = policy["filter_kind"] == "select" || policy["filter_kind"] == "multi_select";
            !is_list || values.into_iter().all(Value::is_string)
        };
        if rules::fit(filters, &rules) && rules["policies"].as_array().unwrap().iter().all(typed) {
            return rules;
        }
    }
}

impl Probe {
    fn ask(&self, edge: &Client, table: &Table, counts: &Counts) {
        let rng = &mut Rng::with_seed(self.seed);
        for _ in 0..REQUESTS {
            let body = generate::body(rng, &self.filters, &self.rules);
            let reply = edge.post_text(&self.share.path("execute"), &body);
            let about = || {
                let filters = Value::from(self.filters.clone());
                format!("filters {filters}\nrules {}\nbody {body}\nanswer {}", self.rules, reply.text())
            };
            let Some(rows) = rules::judge(&self.filters, &self.rules, &body) else {
                counts.refused.fetch_add(1, Ordering::Relaxed);
                assert!(matches!(reply.status, 400 | 413 | 422), "a bypass\n{}", about());
                continue;
            };
            counts.accepted.fetch_add(1, Ordering::Relaxed);
            assert_eq!(reply.status, 200, "{}", about());
            let panel = &reply.json()["panels"][0];
            let found: BTreeSet<(String, u64)> = panel["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| (row[0].as_str().unwrap().to_owned(), row[1].as_u64().unwrap()))
                .collect();
            let others: Vec<&str> = other_types(&rows);
            if others.is_empty() {
                assert!(panel.get("error").is_none(), "{}", about());
                assert_eq!(found, table.rows(&rows, &others), "{}", about());
            } else {
                // What a text that is compared with a number shows, if anything, is the database's matter. All else
                // is as it is.
                counts.of_other_types.fetch_add(1, Ordering::Relaxed);
                assert!(found.is_subset(&table.rows(&rows, &others)), "a bypass\n{}", about());
            }
        }
    }

    fn ask_for_options(&self, table: &Table) {
        let rng = &mut Rng::with_seed(self.seed);
        let under = rules::under(&self.filters, &self.rules).unwrap();
        for slug in COLUMNS.map(|(slug, ..)| slug).into_iter().chain(["gone", "REGION"]) {
            let options = |query: &str| {
                let reply = self.share.options(slug, query).expect(200).json();
                let options = reply["options"].as_array().unwrap().iter();
                options.map(|option| option["value"].clone()).collect::<Vec<_>>()
            };
            let about = || format!("options of {slug}\nfilters {:?}\nrules {}", self.filters, self.rules);
            let allowed = match rules::offer(&self.filters, &self.rules, slug) {
                Offer::Nothing => {
                    self.share.options(slug, "").expect_error(403, "FILTER_DISABLED_BY_POLICY");
                    continue;
                }
                Offer::List(list) => list,
                Offer::Query => table.cells(slug, &under),
            };
            assert_eq!(options(""), allowed, "{}", about());
            let word = corpus::word(rng);
            let word = corpus::twin(rng, word.as_str().unwrap());
            let encoded: String = word.bytes().map(|byte| ["%", &hex::encode([byte])].concat()).collect();
            let found = options(&format!("?search={encoded}"));
            assert!(found.iter().all(|value| allowed.contains(value)), "a bypass by {word:?}: {}", about());
        }
    }
}

/// Filters over texts that were given something else.
fn other_types(rows: &Rows) -> Vec<&str> {
    let other = |(slug, cells): (_, &Cells)| match cells {
        Cells::Of(values) if matches!(slug, "region" | "size") && !values.iter().all(Value::is_string) => {
            Some(slug)
        }
        _ => None,
    };
    rows.columns().filter_map(other).collect()
}
