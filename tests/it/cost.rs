//! What a visit costs, by the answer's own `Server-Timing`. What takes exact counts is in `alone`.

use crate::share::Share;
use tests::Stack;

crate::tests![a_hot_visit_asks_nobody];

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
