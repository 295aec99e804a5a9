//! What a visit costs, by the edge's own counters.

use crate::share::Share;
use serde_json::Value;
use tests::Stack;

crate::tests![a_forged_token_costs_no_io, a_hot_visit_asks_nobody];

fn a_forged_token_costs_no_io(stack: &Stack) {
    let edge = stack.edge();
    let share = Share::create(stack);
    let before = stack.counters();
    let mut forged = 0_u64;
    // One changed digit each: right shape, wrong tag.
    for at in 4..44 {
        for digit in ["0", "f"] {
            let mut token = share.token.clone();
            if &token[at..=at] != digit {
                token.replace_range(at..=at, digit);
                edge.get(&format!("/api/v1/public/shares/{token}/resolve"))
                    .expect_error(401, "TOKEN_INVALID");
                edge.get(&format!("/share/{token}")).expect(404);
                forged += 2;
            }
        }
    }
    let after = stack.counters();
    assert!(count(&after, "forged") - count(&before, "forged") >= forged);
    // Other tests run beside this one, so what they ask is counted too: but 150 forged tokens would show.
    let spent = count(&after, "kv_reads") - count(&before, "kv_reads");
    assert!(spent < forged / 2, "{spent} KV reads during {forged} forged requests");
}

fn a_hot_visit_asks_nobody(stack: &Stack) {
    let share = Share::create(stack);
    share.resolve().expect(200);
    let mut seen = Vec::new();
    for _ in 0..20 {
        seen.push(share.resolve().expect(200).header("server-timing").to_owned());
    }
    let hot = seen.iter().filter(|timing| timing.as_str() == "record;desc=memory, gate;desc=lease").count();
    assert_eq!(hot, 20, "{seen:?}");
}

fn count(counters: &Value, name: &str) -> u64 {
    counters[name].as_u64().unwrap_or_else(|| panic!("no {name} in {counters}"))
}
