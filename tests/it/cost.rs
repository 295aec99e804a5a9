//! What a visit costs, by the answer's own `Server-Timing`. What takes exact counts is in `alone`.

use crate::share::Share;
use std::time::{Duration, Instant};
use tests::Stack;

crate::tests![a_hot_visit_asks_nobody];

fn a_hot_visit_asks_nobody(stack: &Stack) {
    let share = Share::create(stack);
    let begun = Instant::now();
    share.resolve().expect(200);
    let mut seen = Vec::new();
    for _ in 0..20 {
        let timing = share.resolve().expect(200).header("server-timing").to_owned();
        // So long the first visit's lease holds at the least.
        if begun.elapsed() < Duration::from_secs(2) {
            seen.push(timing);
        }
    }
    assert!(!seen.is_empty(), "21 visits took {:?}", begun.elapsed());
    assert!(seen.iter().all(|timing| timing == "record;desc=memory, gate;desc=lease"), "{seen:?}");
}
