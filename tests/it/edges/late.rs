//! Writes of KV that were given up and arrive after those that followed them: KV is behind the database for seconds, and then
//! never again.

use super::{Share, World, calm};
use kv_sim::Faults;
use serde_json::{Value, json};
use shared::call::RECORD_PATH;
use shared::model::gate::KV_REPEAT_AFTER;
use shared::model::key::KeyRing;
use std::thread;
use std::time::{Duration, Instant};
use tests::Client;
use tests::edges::{ROOT_KEY, Weather};
use tests::signed;
use tests::stack::eventually;

const LINKS: usize = 12;
/// Longest time, by KV's clock, until a write arrives that was given up.
const LATEST: Duration = Duration::from_secs(150);
/// Longer than twelve changes take, in real time.
const HANGING: Duration = Duration::from_secs(8);

pub fn writes_that_arrive_too_late_are_written_over() {
    written_over(&World::start_at(1, Weather::TIME_OUT), false);
}

/// The same when nobody is left who gave it up: the instance that began the write ended in the middle of it.
pub fn a_write_of_a_gate_that_died_is_written_over() {
    written_over(&World::start_at(1, HANGING), true);
}

fn written_over(world: &World, dies: bool) {
    let kv = world.edges.kv();
    let shares: Vec<Share> = (0..LINKS).map(|_| world.share(json!({}))).collect();
    eventually("the gates write KV", || (behind(world, &shares) == 0).then_some(()));

    kv.set_faults(Faults { write_late: 1.0, latest: LATEST, ..calm() });
    rename(world, &shares, "Given up");
    eventually("writes are under way", || (kv.counters().late >= LINKS as u64).then_some(()));
    if dies {
        world.edges.crash(0);
    }
    kv.set_faults(calm());
    if dies {
        world.edges.revive(0).unwrap();
    }
    rename(world, &shares, "In force");
    eventually("KV has what is in force", || (behind(world, &shares) == 0).then_some(()));
    let written = Instant::now();

    // All that is under way arrives.
    kv.clock().advance(LATEST);
    let overtaken = behind(world, &shares);
    assert!(overtaken * 2 > LINKS, "few were late enough: {overtaken}");
    for share in &shares {
        assert_eq!(world.resolve(0, share).expect(200).json()["share"]["name"], "In force");
    }
    while behind(world, &shares) > 0 {
        let late = KV_REPEAT_AFTER + Duration::from_secs(5);
        assert!(written.elapsed() < late, "{} of {overtaken} stay overtaken", behind(world, &shares));
        thread::sleep(Duration::from_millis(100));
    }
    println!("{overtaken} of {LINKS} overtaken, KV equal to the database after {:?}", written.elapsed());

    // For longer than anything may be late, by KV's clock, and than a gate waits, by its own.
    let begun = Instant::now();
    while begun.elapsed() < KV_REPEAT_AFTER + Duration::from_secs(2) {
        kv.clock().advance(LATEST);
        assert_eq!(behind(world, &shares), 0);
        thread::sleep(Duration::from_millis(500));
    }
}

/// Renames all shares at once.
fn rename(world: &World, shares: &[Share], name: &str) {
    thread::scope(|scope| {
        for share in shares {
            scope.spawn(|| {
                let renamed =
                    world.control.admin().patch(&share.managed(), &json!({ "name": name })).expect(200);
                assert_eq!(renamed.json()["effective"], "live");
            });
        }
    });
}

/// How many of the shares KV does not have as the database has them.
fn behind(world: &World, shares: &[Share]) -> usize {
    let keys = KeyRing::parse(ROOT_KEY, None).unwrap().current;
    let control = Client::new(world.control.admin().origin());
    let differs = |share: &&Share| {
        let body = json!({ "key": share.record_key() }).to_string();
        let told = signed::send(&control, &keys.origin, "POST", RECORD_PATH, &body, signed::now())
            .expect(200)
            .json();
        let kept = world.edges.kv().authoritative(&share.record_key());
        kept.is_none_or(|kept| serde_json::from_slice::<Value>(&kept.value).unwrap() != told["record"])
    };
    shares.iter().filter(differs).count()
}
