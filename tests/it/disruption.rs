//! Faults, on an installation of its own: what breaks here would break other tests' requests too.

use crate::share::{Share, rows};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tests::{Database, Stack, signed, stack::eventually};

crate::tests![faults_pass];

fn faults_pass(_: &Stack) {
    let stack = Stack::start(Database::Sqlite).expect("an installation");
    a_panic_costs_one_instance(&stack);
    a_paused_control_plane_stops_no_link(&stack);
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
    let asked = json!({ "location": "Seattle" });
    share.execute(&asked).expect(200);
    let control = Pid::from_raw(stack.described_number("control_pid"));
    kill(control, Signal::SIGSTOP).expect("the control plane pauses");
    share.resolve().expect(200);
    share.page().expect(200);
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
