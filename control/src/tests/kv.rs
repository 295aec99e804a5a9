//! `postern reconcile` against a simulated Workers KV that fails as the real one does, in virtual time.

use super::reconcile::{add_shares, until_pushed};
use super::world::World;
use crate::clock::Clock;
use crate::config::KvConfig;
use crate::reconcile::kv::Kv as Client;
use crate::reconcile::{Difference, Failure, Options, Report, Told, run};
use crate::store::outbox::records;
use kv_sim::{Core, Faults, Kv, Server, Settings, Stored};
use serde_json::{Value, json};
use shared::replica::{Metadata, Record, digest};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

const COMPARE: Options = Options { dry_run: true, values: false, restart: false };
const REPAIR: Options = Options { dry_run: false, values: false, restart: false };

struct Site {
    world: World,
    kv: Arc<Kv>,
    server: Server,
    /// Of the shares that were added, sorted.
    keys: Vec<String>,
    share: Value,
}

impl Site {
    /// A control plane with one share that the edge knows and `count` that it does not, and an empty namespace.
    async fn new(world: World, faults: Faults, count: u32) -> Self {
        let Clock::Manual(millis) = &world.app.service.clock else { panic!("a clock of its own") };
        let clock = kv_sim::Clock::following(Arc::clone(millis));
        let kv = Arc::new(Kv::new(Core::new(1, faults, 7), clock));
        let server = Server::start(Arc::clone(&kv), Settings::default()).unwrap();
        let share = world.share().await;
        let keys = add_shares(&world, &share, count).await;
        Self { world, kv, server, keys, share }
    }

    fn config(&self) -> KvConfig {
        KvConfig {
            kv_api_url: Some(self.server.rest_base()),
            kv_namespace: Some("shares".to_owned()),
            kv_api_token: Some("kv-sim".into()),
        }
    }

    async fn run(&self, options: Options) -> Result<Report, Failure> {
        run(&self.world.app.service, &self.config(), options, |_: Told| {}).await
    }

    /// Runs until so many parts are done, and is stopped there.
    async fn run_parts(&self, parts: u32) {
        let (enough, config) = (Notify::new(), self.config());
        let tell = |told: Told| {
            if matches!(told, Told::PartDone(done) if done == parts) {
                enough.notify_one();
            }
        };
        tokio::select! {
            biased;
            () = enough.notified() => {}
            _ = run(&self.world.app.service, &config, REPAIR, tell) => panic!("it was not stopped"),
        }
    }

    /// As gates do, some seconds after a push.
    async fn gates_write(&self) {
        until_pushed(&self.world).await;
        for (key, record) in self.world.edge.records() {
            let metadata = Metadata::of(record.revision, &record.to_json());
            self.kv.put_direct(&key, Stored::new(record.to_json()).with_metadata(json!(metadata)));
        }
        // Late writes of before are over, too.
        self.world.pass(Duration::from_mins(1));
    }

    fn alter_metadata(&self, key: &str, metadata: Option<Metadata>) {
        let held = self.kv.authoritative(key).unwrap();
        self.kv.put_direct(key, Stored { metadata: metadata.map(|metadata| json!(metadata)), ..held });
    }
}

/// How many keys were found of each kind.
fn found(report: &Report) -> Vec<(Difference, u64)> {
    report.counts.differences.iter().map(|(difference, tally)| (*difference, tally.found)).collect()
}

#[tokio::test]
async fn one_pass_repairs_all_and_a_second_finds_nothing() {
    for world in World::all().await {
        let site = Site::new(world, Faults::default(), 3_000).await;
        let Site { world, kv, keys, .. } = &site;
        let seeded = site.run(REPAIR).await.unwrap();
        assert_eq!(found(&seeded), [(Difference::Missing, 3_001)]);
        assert!(seeded.counts.is_equal());
        site.gates_write().await;
        assert!(found(&site.run(REPAIR).await.unwrap()).is_empty());

        let mut next = keys.iter().step_by(10);
        let mut some = |count: usize| next.by_ref().take(count).cloned().collect::<Vec<_>>();
        let (lost, aged, altered, bare, cut) = (some(30), some(30), some(30), some(30), some(30));
        for key in &lost {
            kv.remove_direct(key);
        }
        for key in &aged {
            site.alter_metadata(key, Some(Metadata::of(0, b"old")));
        }
        for key in &altered {
            site.alter_metadata(key, Some(Metadata::of(1, b"other")));
        }
        for key in &bare {
            site.alter_metadata(key, None);
        }
        for key in &cut {
            assert!(kv.tamper(key, "{"));
        }
        let live = kv.authoritative(&keys[1]).unwrap();
        for number in 0..30_u8 {
            kv.put_direct(&digest(&[number, 1]), live.clone());
            let dead =
                Stored::new("x").with_metadata(json!(Metadata::of(4, &Record::tombstone(4).to_json())));
            kv.put_direct(&digest(&[number, 2]), dead);
            kv.put_direct(&format!("config {number}"), Stored::new("x"));
        }
        let before = kv.keys();
        let compared = site.run(Options { values: true, ..COMPARE }).await.unwrap();
        let expected = [
            (Difference::Missing, 30),
            (Difference::Stale, 30),
            (Difference::Altered, 90),
            (Difference::Surplus, 30),
            (Difference::Foreign, 30),
        ];
        assert_eq!(found(&compared), expected);
        assert!(!compared.counts.is_equal());
        assert_eq!(kv.keys(), before, "a dry run changes nothing");

        let repaired = site.run(Options { values: true, ..REPAIR }).await.unwrap();
        assert_eq!(found(&repaired), expected);
        assert!(repaired.counts.is_equal(), "{repaired:?}");
        site.gates_write().await;
        let again = site.run(Options { values: true, ..REPAIR }).await.unwrap();
        assert_eq!(found(&again), []);
        let mut session = world.app.service.store.read().await.unwrap();
        let records = records(&mut session, keys).await.unwrap();
        drop(session);
        for key in keys {
            let (record, _) = records[key].as_ref().unwrap();
            assert_eq!(kv.authoritative(key).unwrap().value, record.to_json(), "{key}");
        }
        assert!(kv.keys().iter().all(|key| key.len() == 32), "what was foreign is gone");
    }
}

#[tokio::test]
async fn a_newer_revision_in_kv_is_overtaken_and_not_overwritten() {
    for world in World::all().await {
        let site = Site::new(world, Faults::none(), 3).await;
        site.run(REPAIR).await.unwrap();
        // A backup was restored: the edge has seen more than the database knows.
        site.world.edge.leap(9);
        site.gates_write().await;
        let ahead = site.run(REPAIR).await.unwrap();
        assert_eq!(found(&ahead), [(Difference::Ahead, 1)]);
        site.gates_write().await;
        assert!(found(&site.run(REPAIR).await.unwrap()).is_empty());
        let path = format!("/api/v1/dashboard-shares/{}", site.share["id"].as_str().unwrap());
        assert_eq!(site.world.get(&path).await.body["revision"], 10);
    }
}

#[tokio::test]
async fn a_retired_token_is_the_same_while_its_share_goes_on() {
    let site = Site::new(World::new().await, Faults::none(), 0).await;
    let path = format!("/api/v1/dashboard-shares/{}", site.share["id"].as_str().unwrap());
    site.world.post(&format!("{path}/rotate"), json!({})).await.ok(200);
    site.gates_write().await;
    site.world.call(http::Method::PATCH, &path, Some(json!({"name": "n"})), &[]).await.ok(200);
    site.gates_write().await;
    let report = site.run(Options { values: true, ..COMPARE }).await.unwrap();
    assert_eq!((found(&report), report.counts.tokens), (vec![], 2));
}

#[tokio::test]
async fn an_interrupted_run_goes_on_where_it_was() {
    let site = Site::new(World::new().await, Faults::none(), 20_000).await;
    site.run_parts(5).await;
    let held = site.kv.keys();
    assert!(held.iter().all(|key| key.as_str() < "5"), "five parts of sixteen");
    let rest = site.run(REPAIR).await.unwrap();
    assert_eq!((rest.plan.parts_done, rest.plan.parts), (5, 16));
    assert_eq!((rest.counts.tokens, rest.counts.of(Difference::Missing).repaired), (20_001, 20_001));
    assert_eq!(site.kv.keys().len(), 20_001);
    // What is done is not gone on with, nor what another kind of run, or one of the day before, has left.
    for (pass, options) in [
        (Duration::ZERO, Options { values: true, ..REPAIR }),
        (Duration::ZERO, Options { restart: true, ..REPAIR }),
        (Duration::from_hours(24), REPAIR),
    ] {
        site.run_parts(1).await;
        site.world.pass(pass);
        let anew = site.run(options).await.unwrap();
        assert_eq!((anew.plan.parts_done, anew.counts.tokens, found(&anew)), (0, 20_001, vec![]));
    }
    assert!(site.kv.counters().most_rest_calls < 1_200);
}

#[tokio::test]
async fn an_outage_is_outlasted_or_told() {
    let site = Site::new(World::new().await, Faults::none(), 100).await;
    let now = || site.world.app.service.clock.now();
    // Too many calls, by somebody: all are refused for five minutes.
    site.kv.with(|core, now| (0..1_201).for_each(|_| _ = core.rest_call(now)));
    let began = now();
    assert!(site.run(REPAIR).await.unwrap().counts.is_equal());
    assert!(now().since(began) >= Duration::from_mins(5));
    let calls = site.kv.counters().rest_calls - 1_201;
    assert!(calls < 10, "Retry-After is obeyed: {calls}");
    site.kv.blackout(Duration::from_mins(5));
    assert!(site.run(REPAIR).await.unwrap().counts.is_equal());
    // Nothing but failures, without a word on how long.
    site.kv.set_faults(Faults { read_failed: 1.0, ..Faults::none() });
    let began = now();
    let failure = site.run(REPAIR).await.unwrap_err();
    assert!(now().since(began) >= Duration::from_mins(5));
    assert!(matches!(failure, Failure::OutOfReach { .. }), "{failure}");
    assert!(failure.to_string().contains("run it again to go on"), "{failure}");
    site.kv.set_faults(Faults::none());
    assert!(site.run(REPAIR).await.unwrap().counts.is_equal());
    let config = KvConfig { kv_api_token: Some("another".into()), ..site.config() };
    let refused = run(&site.world.app.service, &config, COMPARE, |_| {}).await.unwrap_err();
    assert!(matches!(&refused, Failure::Refused(text) if text.contains("Authentication error")), "{refused}");
}

#[tokio::test]
async fn calls_stay_below_half_of_the_limit() {
    let site = Site::new(World::new().await, Faults::default(), 0).await;
    let mut client = Client::new(&site.config(), site.world.app.service.clock.clone()).unwrap();
    for _ in 0..2_000 {
        client.list("", None).await.unwrap();
    }
    let most = site.kv.counters().most_rest_calls;
    assert!((500..=600).contains(&most), "{most}");
}

#[tokio::test]
async fn a_namespace_of_somebody_else_is_not_emptied() {
    let site = Site::new(World::new().await, Faults::none(), 2).await;
    for number in 0..30 {
        site.kv.put_direct(&format!("theirs {number}"), Stored::new("x"));
    }
    let report = site.run(REPAIR).await.unwrap();
    assert!(!report.counts.is_equal());
    assert_eq!(report.counts.of(Difference::Foreign).repaired, 0);
    assert_eq!(site.kv.keys().len(), 33);
}

#[tokio::test]
async fn an_empty_database_kills_nothing() {
    let site = Site::new(World::new().await, Faults::none(), 2).await;
    site.run(REPAIR).await.unwrap();
    let empty = World::new().await;
    let report = run(&empty.app.service, &site.config(), REPAIR, |_| {}).await.unwrap();
    assert_eq!((found(&report), report.counts.is_equal()), (vec![(Difference::Surplus, 3)], false));
    assert!(empty.edge.records().is_empty());
}
