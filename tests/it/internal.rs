//! What edge and control plane say to one another is refused to everybody else.

use crate::share::Share;
use serde_json::{Value, json};
use shared::call::{DataCall, EXECUTE_PATH, OPTIONS_PATH, RECORD_PATH, USAGE_PATH};
use shared::model::token::Token;
use shared::replica::PUSH_PATH;
use shared::time::Millis;
use tests::{Stack, signed};
use uuid::Uuid;

crate::tests![
    pushes_need_the_push_key,
    data_calls_need_the_origin_key,
    old_pushes_change_nothing,
    a_gate_that_knows_nothing_heals,
    usage_needs_the_origin_key,
    a_weak_root_key_stops_the_start,
];

fn pushes_need_the_push_key(stack: &Stack) {
    let (edge, keys) = (stack.edge(), stack.keys());
    let push = json!({ "changes": [] }).to_string();
    let now = signed::now();
    edge.post_text(PUSH_PATH, &push).expect_error(404, "NOT_FOUND");
    signed::send(&edge, &keys.origin, "POST", PUSH_PATH, &push, now).expect_error(404, "NOT_FOUND");
    // A minute is allowed, and the clock goes on.
    for skew in [-61_000, 90_000] {
        signed::send(&edge, &keys.push, "POST", PUSH_PATH, &push, Millis(now.0 + skew))
            .expect_error(404, "NOT_FOUND");
    }
    signed::send(&edge, &keys.push, "POST", "/internal/counters", &push, now).expect_error(404, "NOT_FOUND");
    let taken = signed::send(&edge, &keys.push, "POST", PUSH_PATH, &push, now).expect(200);
    let taken = taken.json();
    assert_eq!(taken["receipts"], json!([]));
    assert!(taken["at"].as_i64().is_some_and(|at| (at - now.0).abs() < 30_000), "the edge's clock: {taken}");
    edge.get("/internal/counters").expect_error(404, "NOT_FOUND");
    let bad =
        json!({ "changes": [{ "key": "../x", "record": { "schema": 1, "revision": 1, "live": null } }] })
            .to_string();
    let refused = signed::send(&edge, &keys.push, "POST", PUSH_PATH, &bad, now).expect(200).json();
    assert_eq!(refused["receipts"][0]["outcome"], "failed");
    let future = json!({ "changes": [{ "key": "0".repeat(32), "record": { "schema": 99, "revision": 1, "live": null } }] }).to_string();
    let refused = signed::send(&edge, &keys.push, "POST", PUSH_PATH, &future, now).expect(200).json();
    assert_eq!(refused["receipts"][0]["outcome"], "failed");
}

fn data_calls_need_the_origin_key(stack: &Stack) {
    let (control, keys) = (stack.control(), stack.keys());
    let share = Share::create(stack);
    let call = |revision| {
        let call = DataCall {
            share_id: share.id.parse().unwrap(),
            revision,
            parameters: serde_json::Map::new(),
            filter_slug: None,
            search: None,
            embed_token: None,
            portal_token: None,
        };
        serde_json::to_string(&call).unwrap()
    };
    let now = signed::now();
    for path in [EXECUTE_PATH, OPTIONS_PATH, RECORD_PATH] {
        assert_eq!(control.post_text(path, &call(1)).status, 401, "{path}");
        assert_eq!(signed::send(&control, &keys.push, "POST", path, &call(1), now).status, 401, "{path}");
        assert_eq!(
            signed::send(&control, &keys.origin, "POST", path, &call(1), Millis(now.0 - 61_000)).status,
            401,
            "{path}"
        );
        // Not reachable through the edge, signed or not.
        signed::send(&stack.edge(), &keys.origin, "POST", path, &call(1), now).expect(404);
    }
    signed::send(&control, &keys.origin, "POST", EXECUTE_PATH, &call(1), now).expect(200);
    assert_eq!(
        signed::send(&control, &keys.origin, "POST", EXECUTE_PATH, &call(9), now).status,
        409,
        "another revision"
    );
    stack.admin().delete(&share.managed()).expect(200);
    assert_eq!(signed::send(&control, &keys.origin, "POST", EXECUTE_PATH, &call(1), now).status, 410, "dead");
}

fn old_pushes_change_nothing(stack: &Stack) {
    let (edge, keys) = (stack.edge(), stack.keys());
    let share = Share::create(stack);
    let key = record_key(stack, &share.token);
    let asked = json!({ "key": key }).to_string();
    let live = signed::send(&stack.control(), &keys.origin, "POST", RECORD_PATH, &asked, signed::now());
    let live = live.expect(200).json()["record"].clone();
    stack.admin().delete(&share.managed()).expect(200);
    // The record that was live before, pushed again after the revoke.
    let push = json!({ "changes": [{ "key": key, "record": live }] }).to_string();
    let old = signed::send(&edge, &keys.push, "POST", PUSH_PATH, &push, signed::now());
    let receipt = json!({ "key": key, "outcome": "ahead", "revision": 2, "dead": true });
    assert_eq!(old.expect(200).json()["receipts"][0], receipt, "the gate says what is in force");
    share.resolve().expect_error(401, "TOKEN_INVALID");
}

fn a_gate_that_knows_nothing_heals(stack: &Stack) {
    let (control, keys) = (stack.control(), stack.keys());
    // Made by a program that cannot reach the edge: no gate has heard of it.
    let made = stack
        .postern()
        .env("POSTERN_EDGE_URL", "http://127.0.0.1:1")
        .args(["share", "create", "--json", "--organization", stack.described("company_slug")])
        .args(["--dashboard", stack.described("dashboard_id"), "--name", "Unheard of"])
        .output()
        .unwrap();
    let made: Value =
        serde_json::from_slice(&made.stdout).unwrap_or_else(|error| panic!("{error}: {made:?}"));
    let token = made["token"].as_str().unwrap();
    stack.edge().get(&format!("/api/v1/public/shares/{token}/resolve")).expect(200);

    let asked = json!({ "key": record_key(stack, token) }).to_string();
    let healed =
        signed::send(&control, &keys.origin, "POST", RECORD_PATH, &asked, signed::now()).expect(200).json();
    assert_eq!((&healed["record"]["schema"], &healed["record"]["revision"]), (&json!(2), &json!(1)));
    assert_eq!(healed["record"]["live"]["share"]["id"], made["id"]);
    assert_eq!(healed["usage"]["accesses"], 0);
    let nobody = Token::derive(&keys, Uuid::from_u128(0xdead), 1, &[0; 16]);
    let asked = json!({ "key": nobody.record_key(&keys).as_str() }).to_string();
    assert_eq!(signed::send(&control, &keys.origin, "POST", RECORD_PATH, &asked, signed::now()).status, 404);
}

fn record_key(stack: &Stack, token: &str) -> String {
    let ring = shared::model::key::KeyRing { current: stack.keys(), previous: None };
    shared::model::token::locate(&ring, token).expect("our own token").as_str().to_owned()
}

fn a_weak_root_key_stops_the_start(stack: &Stack) {
    for weak in ["", "changeme", &"00".repeat(32), &"0123456789abcdef".repeat(4)] {
        let mut command = stack.postern();
        let output =
            command.args(["serve", "--listen", "127.0.0.1:0"]).env("POSTERN_ROOT_KEY", weak).output();
        let output = output.expect("postern runs");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(words.contains("POSTERN_ROOT_KEY") && (weak.is_empty() || !words.contains(weak)), "{words}");
    }
}

fn usage_needs_the_origin_key(stack: &Stack) {
    let (control, keys) = (stack.control(), stack.keys());
    let share = Share::create_with(stack, json!({ "max_access_count": 5 }));
    let usage =
        json!({ "accesses": 5, "opens": 0, "last_opened_at": null, "locked_until": null, "resets": 0 });
    let report = json!({ "key": record_key(stack, &share.token), "usage": usage }).to_string();
    assert_eq!(control.post_text(USAGE_PATH, &report).status, 401);
    for (key, skew) in [(&keys.push, 0), (&keys.origin, 90_000), (&keys.origin, -61_000)] {
        let now = Millis(signed::now().0 + skew);
        assert_eq!(signed::send(&control, key, "POST", USAGE_PATH, &report, now).status, 401);
    }
    assert_eq!(stack.admin().get(&share.managed()).expect(200).json()["access_count"], 0);
    assert!(signed::send(&control, &keys.origin, "POST", USAGE_PATH, &report, signed::now()).status < 300);
    assert_eq!(stack.admin().get(&share.managed()).expect(200).json()["status"], "spent");
}
