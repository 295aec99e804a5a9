//! The Worker in three locations over a KV that misbehaves (see [`tests::edges`]).

mod large;
mod late;
mod schema;

use kv_sim::Faults;
use serde_json::{Value, json};
use shared::model::key::KeyRing;
use shared::model::token::locate;
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};
use tests::control::Control;
use tests::edges::{Edges, ROOT_KEY, Weather};
use tests::stack::{eventually, free_port, within};
use tests::{Database, Reply, lost, stale};

crate::own_tests![
    links_survive_what_fails,
    schema::a_record_of_a_newer_build_closes_its_link,
    large::a_large_table_takes_bounded_memory,
    late::writes_that_arrive_too_late_are_written_over,
    late::a_write_of_a_gate_that_died_is_written_over,
    no_answer_is_stale_after_a_change,
    nothing_is_lost_or_revived_on_sqlite,
    nothing_is_lost_or_revived_on_postgres,
];

/// Fewer than `cargo xtask soak` makes, in a run of the tests.
const CHANGES: usize = 200;
/// The same, for each database.
const ROUNDS: usize = 100;
/// Installations that are broken at once, for each database.
const TRIALS: usize = 2;

fn no_answer_is_stale_after_a_change() {
    let report = stale::run(CHANGES, 1).expect("the trial runs");
    println!("{report:#?}");
    assert!(report.changed() >= CHANGES, "{} changes", report.changed());
    for kind in ["embed token", "embed generation", "embed key"] {
        assert!(report.changes.contains_key(kind), "{kind}: {:?}", report.changes);
    }
    assert_eq!(report.stale, [""; 0]);
    assert_eq!(report.refused, [""; 0]);
}

fn nothing_is_lost_or_revived_on_sqlite() {
    nothing_is_lost_or_revived(Database::Sqlite);
}

fn nothing_is_lost_or_revived_on_postgres() {
    nothing_is_lost_or_revived(Database::Postgres);
}

fn nothing_is_lost_or_revived(database: Database) {
    thread::scope(|scope| {
        let trials: Vec<_> = (0..TRIALS)
            .map(|trial| scope.spawn(move || lost::run(database, ROUNDS / TRIALS, 50 * trial as u64)))
            .collect();
        let mut calls: BTreeMap<String, usize> = BTreeMap::new();
        for trial in trials {
            let report = trial.join().expect("no panic").expect("the trial runs");
            println!("{database:?}: {report:#?}");
            assert_eq!(report.revived, [""; 0]);
            assert!(report.struck * 2 > ROUNDS / TRIALS, "few faults struck: {report:?}");
            assert_eq!(
                database == Database::Postgres,
                report.panics > 0,
                "PostgreSQL's own disk: {report:?}"
            );
            for (fault, struck) in report.struck_by.iter().filter(|(fault, _)| fault.contains("Call(")) {
                *calls.entry(fault.split(',').next().unwrap().to_owned()).or_default() += struck;
            }
        }
        assert!(
            calls.len() > 1 && calls.values().all(|struck| *struck > 0),
            "no such call is made: {calls:?}"
        );
    });
}

/// Locations, a control plane behind them, and a dashboard.
struct World {
    edges: Edges,
    control: Control,
    dashboard: String,
}

impl World {
    fn start() -> Self {
        Self::start_at(3, Weather::TIME_OUT)
    }

    /// So many locations, and how long they wait for KV when it times out.
    fn start_at(locations: usize, time_out: Duration) -> Self {
        let port = free_port().unwrap();
        let weather = Weather { rate: 1.0, faults: calm(), time_out, seed: 7 };
        let edges = Edges::start(locations, &Control::url(&port), weather).unwrap();
        let control = Control::start(&edges.url(0), port, None).unwrap();
        let dashboard = control.dashboard().unwrap();
        Self { edges, control, dashboard }
    }

    fn share(&self, mut fields: Value) -> Share {
        fields["name"] = json!("Link");
        fields["share_type"] = json!("link");
        let path = format!("/api/v1/dashboards/{}/shares", self.dashboard);
        let made = self.control.admin().post(&path, &fields).expect(201).json();
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        Share { id: text("id"), token: text("token") }
    }

    fn resolve(&self, location: usize, share: &Share) -> Reply {
        self.edges.at(location).get(&share.path("resolve"))
    }

    fn execute(&self, location: usize, share: &Share, rule: u64) -> Reply {
        self.edges.at(location).post(&share.path("execute"), &json!({ "parameters": { "rule": rule } }))
    }
}

/// A KV in which nothing fails, and nothing is late.
fn calm() -> Faults {
    Faults { longest_delay: Duration::ZERO, ..Faults::none() }
}

struct Share {
    id: String,
    token: String,
}

impl Share {
    fn path(&self, verb: &str) -> String {
        format!("/api/v1/public/shares/{}/{verb}", self.token)
    }

    fn managed(&self) -> String {
        format!("/api/v1/dashboard-shares/{}", self.id)
    }

    fn record_key(&self) -> String {
        locate(&KeyRing::parse(ROOT_KEY, None).unwrap(), &self.token).unwrap().as_str().to_owned()
    }
}

/// Each takes a minute, in which it mostly waits.
fn links_survive_what_fails() {
    thread::scope(|scope| {
        scope.spawn(without_kv_or_control_plane);
        scope.spawn(without_gates);
    });
}

fn without_kv_or_control_plane() {
    let world = World::start();
    visits_are_told_to_metrics(&world);
    kv_decides_nothing(&world);

    let (known, unknown) = (world.share(json!({})), world.share(json!({})));
    let counted = world.share(json!({ "max_access_count": 1 }));
    world.execute(1, &known, 5).expect(200);
    let executed = Instant::now();
    world.control.crash();
    for location in 0..3 {
        world.resolve(location, &known).expect(200);
        world.resolve(location, &unknown).expect(200);
    }
    let edge = world.edges.at(2);
    edge.post(&counted.path("unlock"), &json!({})).expect(200);
    edge.post(&counted.path("unlock"), &json!({})).expect_error(401, "TOKEN_INVALID");
    assert_eq!(world.execute(1, &known, 5).expect(200).json()["cache"]["stale"], false);
    let refused = world.execute(1, &known, 6);
    refused.expect_error(503, "SERVICE_UNAVAILABLE");
    assert_ne!(refused.header("retry-after"), "");

    // Results are fresh for a minute.
    thread::sleep(Duration::from_secs(61).saturating_sub(executed.elapsed()));
    let kept = world.execute(1, &known, 5).expect(200).json();
    assert_eq!(
        (&kept["cache"]["stale"], &kept["panels"][0]["rows"][0][0]),
        (&json!(true), &json!(5)),
        "{kept}"
    );
    world.control.revive().unwrap();
    let fresh = world.execute(1, &known, 5).expect(200).json();
    assert_eq!(fresh["cache"]["stale"], false, "{fresh}");
}

/// Whatever Workers KV says, or does not say, the gate's record is what visitors see.
fn kv_decides_nothing(world: &World) {
    let (altered, future) = (world.share(json!({})), world.share(json!({})));
    for share in [&altered, &future] {
        eventually("the gate writes KV", || world.edges.kv().authoritative(&share.record_key()));
    }
    let kept = world.edges.kv().authoritative(&altered.record_key()).unwrap();
    let evil = String::from_utf8_lossy(&kept.value).replace("Link", "Evil");
    assert!(world.edges.kv().tamper(&altered.record_key(), evil));
    assert!(world.edges.kv().tamper(&future.record_key(), r#"{"schema":99,"revision":1,"live":{}}"#));
    for share in [&altered, &future] {
        let seen = world.resolve(0, share).expect(200);
        assert_eq!(seen.json()["share"]["name"], "Link");
        assert!(
            seen.header("server-timing").starts_with("record;desc=gate"),
            "{}",
            seen.header("server-timing")
        );
    }
    world.edges.kv().blackout(Duration::from_mins(5));
    let dark = world.share(json!({}));
    for location in 0..3 {
        world.resolve(location, &dark).expect(200);
    }
    let begun = Instant::now();
    world.control.admin().delete(&dark.managed()).expect(200);
    assert!(begun.elapsed() < Duration::from_secs(15), "a revoke needs no KV: {:?}", begun.elapsed());
    for location in 0..3 {
        world.resolve(location, &dark).expect_error(401, "TOKEN_INVALID");
    }
}

fn visits_are_told_to_metrics(world: &World) {
    let share = world.share(json!({}));
    let begun = Instant::now();
    for _ in 0..20 {
        world.resolve(2, &share).expect(200);
    }
    // In the order of the Worker's configuration: requests, forged tokens, KV reads, calls of gates, of the control plane.
    let sums = eventually("metrics", || {
        let mut sums = [0_u64; 5];
        for point in world.edges.metrics(2) {
            for (sum, figure) in sums.iter_mut().zip(point["doubles"].as_array().unwrap()) {
                *sum += format!("{:.0}", figure.as_f64().unwrap()).parse::<u64>().unwrap();
            }
        }
        (sums[0] >= 20).then_some(sums)
    });
    assert_eq!((sums[0], sums[1], sums[2], sums[4]), (20, 0, 1, 0), "{sums:?}");
    let background = 3 * (begun.elapsed().as_secs() + 1);
    assert!(sums[3] <= 1 + background, "a visit, and renewals and reports: {sums:?}");
}

fn without_gates() {
    let world = World::start();
    let (known, revoked, unknown) = (world.share(json!({})), world.share(json!({})), world.share(json!({})));
    let counted = world.share(json!({ "max_access_count": 5 }));
    let grant = world.edges.at(1).post(&counted.path("unlock"), &json!({})).expect(200).json();
    let authorization = format!("Bearer {}", grant["access_token"].as_str().unwrap());
    let entered = || {
        let headers = [("authorization", authorization.as_str())];
        world.edges.at(1).send("GET", &counted.path("resolve"), &headers, None)
    };
    entered().expect(200);
    for share in [&known, &revoked] {
        world.resolve(1, share).expect(200);
    }
    let leased = Instant::now();
    world.edges.crash(0);

    entered().expect_error(503, "SERVICE_UNAVAILABLE");
    world.resolve(1, &unknown).expect_error(503, "SERVICE_UNAVAILABLE");
    world.resolve(1, &known).expect(200);
    // The edge cannot confirm it, and yet: who cannot ask the gate asks the control plane.
    let pending = world.control.admin().delete(&revoked.managed()).expect(202).json();
    assert_eq!(pending["effective"], "pending");
    eventually("the lease is over", || (world.resolve(1, &revoked).status == 401).then_some(()));
    world.resolve(1, &known).expect(200);
    world.control.crash();
    world.resolve(1, &known).expect(200);
    world.resolve(1, &revoked).expect_error(401, "TOKEN_INVALID");

    // Its last lease, and a minute.
    thread::sleep(Duration::from_secs(50).saturating_sub(leased.elapsed()));
    world.resolve(1, &known).expect(200);
    thread::sleep(Duration::from_secs(64).saturating_sub(leased.elapsed()));
    world.resolve(1, &known).expect_error(503, "SERVICE_UNAVAILABLE");

    world.control.revive().unwrap();
    world.edges.revive(0).unwrap();
    eventually("everything is back", || (world.resolve(1, &known).status == 200).then_some(()));
    entered().expect(200);
    within(Duration::from_secs(40), "the revoke is in force", || {
        let found = world.control.admin().get(&revoked.managed()).json();
        (found["effective"] == "live").then_some(())
    });
}
