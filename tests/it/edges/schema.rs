//! Records that a newer build has made: what this one does with them, wherever they come from.

use super::{Share, World};
use kv_sim::Stored;
use serde_json::{Value, json};
use shared::model::key::KeyRing;
use shared::replica::{Metadata, PUSH_PATH, digest};
use std::thread;
use std::time::{Duration, Instant};
use tests::edges::ROOT_KEY;
use tests::signed;
use tests::stack::eventually;

/// One that no build of ours has yet.
const SCHEMA: u64 = 99;
const LOCATIONS: usize = 3;

pub fn a_record_of_a_newer_build_closes_its_link() {
    let world = World::start();
    let [plain, copied, other] = [(); 3].map(|()| world.share(json!({})));
    let strict = world.share(json!({ "max_access_count": 5 }));
    let grant = world.edges.at(1).post(&strict.path("unlock"), &json!({})).expect(200).json();
    let authorization = format!("Bearer {}", grant["access_token"].as_str().unwrap());
    let entered = |location: usize| {
        let headers = [("authorization", authorization.as_str())];
        world.edges.at(location).send("GET", &strict.path("resolve"), &headers, None)
    };
    let closing = [&plain, &copied, &strict];
    let records = closing.map(|share| {
        let kept = eventually("the gate writes KV", || world.edges.kv().authoritative(&share.record_key()));
        serde_json::from_slice::<Value>(&kept.value).unwrap()
    });

    // Pushed, it is refused, and the older record stays in force.
    for (share, record) in closing.into_iter().zip(&records) {
        let outcome = push(&world, share, &of_a_newer_build(record));
        assert_eq!(outcome["outcome"], "failed", "{outcome}");
        assert!(outcome["reason"].as_str().unwrap().contains("schema 99"), "{outcome}");
    }
    for location in 0..LOCATIONS {
        for share in [&plain, &copied] {
            assert_eq!(world.resolve(location, share).expect(200).json()["share"]["name"], "Link");
            world.execute(location, share, 5).expect(200);
        }
        entered(location).expect(200);
    }
    for (share, record) in closing.into_iter().zip(&records) {
        let kept = world.edges.kv().authoritative(&share.record_key()).unwrap();
        assert_eq!(&serde_json::from_slice::<Value>(&kept.value).unwrap(), record);
    }

    // Held by its gate, as after a newer build was rolled back, it closes the link.
    world.edges.crash(0);
    for (share, record) in closing.into_iter().zip(&records) {
        hold(&world, share, &of_a_newer_build(record));
    }
    // What the newer build wrote to KV is read no more than what it replaced.
    let newer = of_a_newer_build(&records[1]).to_string();
    let metadata = serde_json::to_value(Metadata::of(2, newer.as_bytes())).unwrap();
    world.edges.kv().put_direct(&copied.record_key(), Stored::new(newer).with_metadata(metadata));
    world.edges.revive(0).unwrap();
    // Leases of before the crash end.
    thread::sleep(Duration::from_secs(2));
    // While its gate is slow to come back, an isolate that remembers an older record may still ask the control plane.
    for location in 0..LOCATIONS {
        for share in [&plain, &copied] {
            eventually("the gate's word", || (world.resolve(location, share).status == 503).then_some(()));
        }
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        for location in 0..LOCATIONS {
            for share in [&plain, &copied] {
                world.resolve(location, share).expect_error(503, "SERVICE_UNAVAILABLE");
                world.execute(location, share, 5).expect_error(503, "SERVICE_UNAVAILABLE");
                let page = world.edges.at(location).get(&format!("/share/{}", share.token)).expect(503);
                assert!(!page.text().contains("Link"), "{}", page.text());
            }
            entered(location).expect_error(503, "SERVICE_UNAVAILABLE");
            let unlock = world.edges.at(location).post(&strict.path("unlock"), &json!({}));
            unlock.expect_error(503, "SERVICE_UNAVAILABLE");
            world.resolve(location, &other).expect(200);
        }
    }
    assert!(world.edges.log(0).contains("schema 99"), "{}", world.edges.log(0));

    // The next change of such a share is raised above it, and opens it again.
    for share in closing {
        let admin = world.control.admin();
        let changed = admin.patch(&share.managed(), &json!({ "name": "Changed" })).expect(200).json();
        assert_eq!(changed["effective"], "live", "{changed}");
        assert_eq!(admin.get(&share.managed()).expect(200).json()["revision"], 3);
    }
    for location in 0..LOCATIONS {
        for share in [&plain, &copied] {
            assert_eq!(world.resolve(location, share).expect(200).json()["share"]["name"], "Changed");
            world.execute(location, share, 5).expect(200);
        }
        // Raised, as after an old backup: whoever was in proves it again.
        entered(location).expect_error(401, "AUTH_REQUIRED");
        world.edges.at(location).post(&strict.path("unlock"), &json!({})).expect(200);
    }
}

/// The next revision of a record, which but for its schema this build could read.
fn of_a_newer_build(record: &Value) -> Value {
    let mut newer = record.clone();
    newer["schema"] = json!(SCHEMA);
    newer["revision"] = json!(record["revision"].as_u64().unwrap() + 1);
    newer["live"]["share"]["name"] = json!("Link of a newer build");
    newer
}

/// What becomes of a signed push.
fn push(world: &World, share: &Share, record: &Value) -> Value {
    let keys = KeyRing::parse(ROOT_KEY, None).unwrap().current;
    let push = json!({ "changes": [{ "key": share.record_key(), "record": record }] }).to_string();
    let pushed = signed::send(&world.edges.at(0), &keys.push, "POST", PUSH_PATH, &push, signed::now());
    pushed.expect(200).json()["receipts"][0].take()
}

/// Lets the share's gate hold a record, as a build that can read it would.
fn hold(world: &World, share: &Share, record: &Value) {
    let storage = world.edges.gate_storage(&share.record_key()).unwrap();
    let stored: String = storage.query_row("SELECT stored FROM held", [], |row| row.get(0)).unwrap();
    let mut stored: Value = serde_json::from_str(&stored).unwrap();
    let json = record.to_string();
    stored["revision"] = record["revision"].clone();
    stored["digest"] = json!(digest(json.as_bytes()));
    assert_eq!(
        storage.execute("UPDATE held SET record = ?1, stored = ?2", [json, stored.to_string()]).unwrap(),
        1
    );
}
