//! What needs an installation of its own: exact counts, and faults that would break other tests' requests.

use crate::embed_forged::Corpus;
use crate::share::{Share, rows};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oracle::embed::forge::Fate;
use serde_json::{Value, json};
use std::time::Instant;
use tests::{Database, Stack, signed, stack::eventually};

crate::own_tests![costs_and_faults];

fn costs_and_faults() {
    let stack = Stack::start(Database::Sqlite).expect("an installation");
    a_forged_token_costs_no_io(&stack);
    forged_embed_tokens_cost_no_io(&stack);
    a_hot_visit_costs_no_io(&stack);
    a_panic_costs_one_instance(&stack);
    a_paused_control_plane_stops_no_link(&stack);
}

/// Right shape, wrong tag: no KV, no gate, no data plane.
fn a_forged_token_costs_no_io(stack: &Stack) {
    let edge = stack.edge();
    let token = Share::create(stack).token;
    let before = stack.counters();
    let mut forged = 0;
    for (at, digit) in token.char_indices().skip(4) {
        let other = if digit == '0' { "1" } else { "0" };
        let mut changed = token.clone();
        changed.replace_range(at..=at, other);
        let path = format!("/api/v1/public/shares/{changed}");
        edge.get(&format!("{path}/resolve")).expect_error(401, "TOKEN_INVALID");
        edge.get(&format!("{path}/filters/weather/options")).expect_error(401, "TOKEN_INVALID");
        edge.post(&format!("{path}/execute"), &json!({})).expect_error(401, "TOKEN_INVALID");
        edge.get(&format!("/share/{changed}")).expect(404);
        forged += 4;
    }
    let after = stack.counters();
    assert_eq!(spent(&before, &after, "forged"), forged);
    for io in ["kv_reads", "gate_calls", "origin_calls"] {
        assert_eq!(spent(&before, &after, io), 0, "{io} for {forged} forged tokens");
    }
}

/// Every one of the corpus, in every way: no KV, no gate, no data plane. Those that are rightly signed are looked up.
fn forged_embed_tokens_cost_no_io(stack: &Stack) {
    let corpus = Corpus::create(stack);
    let before = stack.counters();
    let asked = corpus.answers(Fate::Refused).len() as u64;
    let after = stack.counters();
    assert_eq!(spent(&before, &after, "forged"), asked);
    for io in ["kv_reads", "gate_calls", "origin_calls"] {
        assert_eq!(spent(&before, &after, io), 0, "{io} for {asked} requests with forged tokens");
    }
    let asked = corpus.answers(Fate::Dead).len() as u64;
    let dead = stack.counters();
    assert_eq!(spent(&after, &dead, "forged"), 0, "{asked} requests with tokens of nothing");
    assert_eq!(spent(&after, &dead, "origin_calls"), 0, "{asked} requests with tokens of nothing");
    let [kv_reads, gate_calls] = ["kv_reads", "gate_calls"].map(|io| spent(&after, &dead, io));
    assert!(
        kv_reads > 0 && kv_reads <= asked,
        "{kv_reads} reads for {asked} requests with tokens of nothing"
    );
    assert!(gate_calls > 0, "{gate_calls} calls for {asked} requests with tokens of nothing");
    println!("{asked} requests with tokens of nothing: {kv_reads} reads of KV, {gate_calls} calls of gates");
}

/// The first visit reads KV once and asks the gate once; those under its lease ask nobody.
fn a_hot_visit_costs_no_io(stack: &Stack) {
    let share = Share::create(stack);
    let cold = stack.counters();
    share.resolve().expect(200);
    let warm = stack.counters();
    for io in ["kv_reads", "gate_calls"] {
        assert!(spent(&cold, &warm, io) <= 2, "a first visit: {warm}");
    }
    assert_eq!(spent(&cold, &warm, "kv_reads"), 1);
    let begun = Instant::now();
    let visits = 50;
    for _ in 0..visits {
        share.resolve().expect(200);
    }
    let hot = stack.counters();
    // In a second, a renewal of the lease and two reports of visits at the most, in the background, however many visits there are.
    let background = 3 * (begun.elapsed().as_secs() + 1);
    assert!(spent(&warm, &hot, "gate_calls") <= background, "{visits} hot visits: {warm} {hot}");
    for io in ["kv_reads", "origin_calls"] {
        assert_eq!(spent(&warm, &hot, io), 0, "{io} for {visits} hot visits");
    }
}

fn spent(before: &Value, after: &Value, counter: &str) -> u64 {
    let count =
        |counters: &Value| counters[counter].as_u64().unwrap_or_else(|| panic!("no {counter} in {counters}"));
    count(after) - count(before)
}

/// A panic ends the wasm instance; the next request finds a new one.
fn a_panic_costs_one_instance(stack: &Stack) {
    let share = Share::create(stack);
    share.resolve().expect(200);
    stack.edge().post_text("/internal/trap", "").expect_error(404, "NOT_FOUND");
    for _ in 0..3 {
        let requests = |stack: &Stack| stack.counters()["requests"].as_u64().expect("a count");
        let before = requests(stack);
        let trapped =
            signed::send(&stack.edge(), &stack.keys().push, "POST", "/internal/trap", "", signed::now());
        assert!(trapped.status >= 500, "{}", trapped.status);
        // The trapped instance may still answer the request that comes first with an error.
        eventually("a new instance serves", || (share.resolve().status == 200).then_some(()));
        assert!(requests(stack) < before + 3, "the counters are those of a new instance");
        share.execute(&json!({ "location": "Seattle" })).expect(200);
    }
}

/// Resolve and remembered rows go on; other rows are refused in words; everything is back afterwards.
fn a_paused_control_plane_stops_no_link(stack: &Stack) {
    let share = Share::create(stack);
    let protected = Share::create_with(stack, json!({ "password": "open sesame", "max_access_count": 2 }));
    let asked = json!({ "location": "Seattle" });
    share.execute(&asked).expect(200);
    let control = Pid::from_raw(stack.described_number("control_pid"));
    kill(control, Signal::SIGSTOP).expect("the control plane pauses");
    share.resolve().expect(200);
    share.page().expect(200);
    // A password is checked at the edge alone, and its count kept there.
    let grant = protected.unlock("open sesame").expect(200).json()["access_token"].clone();
    protected.with_grant(grant.as_str().unwrap(), "resolve").expect(200);
    protected.unlock("open sesame").expect(200);
    protected.unlock("open sesame").expect_error(401, "TOKEN_INVALID");
    let remembered = share.execute(&asked).expect(200).json();
    assert_eq!((rows(&remembered, "days"), &remembered["cache"]["hit"]), (json!([[1461]]), &json!(true)));
    let refused = share.execute(&json!({ "location": "New York" }));
    refused.expect_error(503, "SERVICE_UNAVAILABLE");
    assert_ne!(refused.header("retry-after"), "");
    kill(control, Signal::SIGCONT).expect("the control plane goes on");
    eventually("rows are back", || {
        (share.execute(&json!({ "location": "New York" })).status == 200).then_some(())
    });
}
