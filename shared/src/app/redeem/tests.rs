use super::*;
use crate::app::fake::{Fake, key, run};
use crate::app::memory::RESULT_TTL;
use crate::app::port::NoRows;
use crate::model::grant::Grant;
use crate::model::lease::{GRACE, LEASE};
use crate::model::protection::{Need, Protection};
use crate::replica::tests::live_record;
use serde_json::Map;
use serde_json::json;

fn found(host: &Fake, memory: &Memory) -> Result<(Found, u64)> {
    run(open(host, memory, &key())).map(|opened| (opened.found, opened.revision()))
}

fn executed(host: &Fake, memory: &Memory, asked: Value) -> Result<Redeemed> {
    let Value::Object(asked) = asked else { panic!("parameters are an object") };
    let opened = run(open(host, memory, &key()))?;
    run(execute(host, memory, &key(), &opened, &asked))
}

#[test]
fn a_cold_open_reads_kv_and_asks_the_gate_once() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    assert_eq!(found(&host, &memory), Ok((Found::Kv, 3)));
    assert_eq!(host.asked(), ["kv", "lease"]);
}

#[test]
fn a_hot_open_asks_nothing() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    found(&host, &memory).unwrap();
    host.asked();
    host.later(Duration::from_millis(999));
    assert_eq!(found(&host, &memory), Ok((Found::Lease, 3)));
    assert_eq!(host.asked(), [""; 0]);
}

#[test]
fn past_half_a_lease_one_request_renews_in_the_background() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    found(&host, &memory).unwrap();
    host.later(LEASE / 2);
    assert!(run(open(&host, &memory, &key())).unwrap().renewal_due);
    assert!(!run(open(&host, &memory, &key())).unwrap().renewal_due);
    host.asked();
    run(renew(&host, &memory, &key()));
    assert_eq!(host.asked(), ["lease"]);
    host.later(LEASE / 2);
    assert!(run(open(&host, &memory, &key())).unwrap().renewal_due, "renewed at half, due at one and a half");
}

#[test]
fn a_renewal_brings_the_new_revision() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    found(&host, &memory).unwrap();
    *host.gate.borrow_mut() = Some(Record::tombstone(4));
    run(renew(&host, &memory, &key()));
    let opened = run(open(&host, &memory, &key())).unwrap();
    assert_eq!(opened.live().err(), Some(Error::Dead(Why::Revoked)));
}

#[test]
fn a_stale_or_missing_kv_copy_never_serves() {
    for copy in [
        None,
        Some(live_record(2).to_json()),
        Some(b"{cut".to_vec()),
        Some(br#"{"schema":9,"revision":3,"live":null}"#.to_vec()),
    ] {
        let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
        *host.kv.borrow_mut() = copy;
        assert_eq!(found(&host, &memory), Ok((Found::Gate, 3)));
    }
}

#[test]
fn kv_down_is_no_matter() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    host.kv_down.set(true);
    assert_eq!(found(&host, &memory), Ok((Found::Gate, 3)));
}

#[test]
fn a_revoke_is_seen_when_the_lease_is_over() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    found(&host, &memory).unwrap();
    *host.gate.borrow_mut() = Some(Record::tombstone(4));
    host.later(LEASE);
    let opened = run(open(&host, &memory, &key())).unwrap();
    assert_eq!(opened.live().err(), Some(Error::Dead(Why::Revoked)));
}

#[test]
fn a_kv_copy_that_was_altered_never_serves() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    let mut altered = live_record(3);
    altered.live.as_mut().unwrap().share.name = "Altered".into();
    *host.kv.borrow_mut() = Some(altered.to_json());
    assert_eq!(found(&host, &memory), Ok((Found::Gate, 3)));
    assert_eq!(run(open(&host, &memory, &key())).unwrap().live().unwrap().share.name, "Public link");
}

#[test]
fn whatever_happens_to_a_kv_copy_the_gates_record_is_served() {
    let whole = live_record(3).to_json();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            *host.kv.borrow_mut() = Some(flipped);
            assert_eq!(found(&host, &memory), Ok((Found::Gate, 3)), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn without_its_gate_a_link_goes_by_the_control_planes_word() {
    for hangs in [false, true] {
        by_the_control_planes_word(hangs);
    }
}

fn by_the_control_planes_word(hangs: bool) {
    let grace = || {
        let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
        found(&host, &memory).unwrap();
        host.gate_down.set(true);
        host.gate_hangs.set(hangs);
        host.later(LEASE);
        (host, memory)
    };
    let (host, memory) = grace();
    assert_eq!(found(&host, &memory), Ok((Found::Grace, 3)));

    let (host, memory) = grace();
    *host.database.borrow_mut() = Some(Record::tombstone(4));
    let opened = run(open(&host, &memory, &key())).unwrap();
    assert_eq!((opened.found, opened.live().err()), (Found::Grace, Some(Error::Dead(Why::Revoked))));
    host.gate_hangs.set(false);
    *host.origin.borrow_mut() = Some(NoRows::Unreachable(Unreachable("refused".into())));
    let opened = run(open(&host, &memory, &key())).unwrap();
    assert_eq!(opened.live().err(), Some(Error::Dead(Why::Revoked)), "it is not forgotten again");
    host.later(GRACE);
    assert!(matches!(found(&host, &memory), Err(Error::Unavailable(_))), "nor does it last longer");

    let (host, memory) = grace();
    let mut strict = live_record(4);
    strict.live.as_mut().unwrap().protection =
        Protection { max_access_count: Some(1), ..Protection::default() };
    *host.database.borrow_mut() = Some(strict);
    // Hanging, it would be waited for until the host gives up.
    host.gate_hangs.set(false);
    assert!(matches!(found(&host, &memory), Err(Error::Unavailable(_))));

    let (host, memory) = grace();
    *host.database.borrow_mut() = None;
    assert_eq!(found(&host, &memory), Err(Error::Dead(Why::Unknown)));
}

#[test]
fn gate_and_control_plane_down_serves_a_known_link_for_the_grace_only() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    found(&host, &memory).unwrap();
    host.gate_down.set(true);
    *host.origin.borrow_mut() = Some(NoRows::Unreachable(Unreachable("refused".into())));
    host.later(LEASE);
    assert_eq!(found(&host, &memory), Ok((Found::Grace, 3)));
    host.later(GRACE);
    assert!(matches!(found(&host, &memory), Err(Error::Unavailable(_))));
    assert!(
        matches!(found(&host, &Memory::new(1)), Err(Error::Unavailable(_))),
        "an unknown link has no grace"
    );
}

#[test]
fn what_no_gate_knows_is_dead_even_if_kv_has_it() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    *host.gate.borrow_mut() = None;
    assert_eq!(found(&host, &memory), Err(Error::Dead(Why::Unknown)));
}

#[test]
fn results_are_kept_for_equal_parameters_only() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    let first = executed(&host, &memory, json!({"status": "a"})).unwrap();
    assert!(!first.freshness.hit);
    host.later(Duration::from_millis(900));
    let again = executed(&host, &memory, json!({"status": ["a"]})).unwrap();
    assert_eq!(again.freshness, Freshness { hit: true, age: Duration::from_millis(900), stale: false });
    assert!(!executed(&host, &memory, json!({"status": "b"})).unwrap().freshness.hit);
    assert!(!executed(&host, &memory, json!({})).unwrap().freshness.hit);
    assert_eq!(host.asked().iter().filter(|call| **call == "execute").count(), 3);
}

#[test]
fn a_new_revision_finds_nothing_that_was_kept() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    executed(&host, &memory, json!({})).unwrap();
    *host.gate.borrow_mut() = Some(live_record(4));
    host.later(LEASE);
    let after = executed(&host, &memory, json!({})).unwrap();
    assert_eq!((after.freshness.hit, &*after.json), (false, br#"{"revision":4}"#.as_slice()));
}

#[test]
fn answers_with_a_failed_panel_are_not_kept() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    host.uncacheable.set(true);
    executed(&host, &memory, json!({})).unwrap();
    assert!(!executed(&host, &memory, json!({})).unwrap().freshness.hit);
}

#[test]
fn an_old_result_stands_in_while_the_data_plane_is_down() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    executed(&host, &memory, json!({})).unwrap();
    *host.origin.borrow_mut() = Some(NoRows::Unreachable(Unreachable("refused".into())));
    host.later(RESULT_TTL);
    let old = executed(&host, &memory, json!({})).unwrap();
    assert_eq!(old.freshness, Freshness { hit: true, age: RESULT_TTL, stale: true });
    assert!(matches!(executed(&host, &memory, json!({"status": "z"})), Err(Error::Unavailable(_))));
}

#[test]
fn a_dead_share_in_the_database_is_dead_here_whatever_is_kept() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    executed(&host, &memory, json!({})).unwrap();
    *host.origin.borrow_mut() = Some(NoRows::Dead);
    host.later(RESULT_TTL);
    assert_eq!(executed(&host, &memory, json!({})).err(), Some(Error::Dead(Why::Revoked)));
}

#[test]
fn a_database_ahead_of_the_lease_makes_us_look_again() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    let opened = run(open(&host, &memory, &key())).unwrap();
    *host.origin.borrow_mut() = Some(NoRows::OtherRevision);
    host.asked();
    assert!(matches!(run(execute(&host, &memory, &key(), &opened, &Map::new())), Err(Error::Unavailable(_))));
    let again = ["wait", "gate", "execute"];
    assert_eq!(host.asked(), [["execute", "gate", "execute"].as_slice(), &again, &again, &again].concat());
}

#[test]
fn a_visitor_between_a_change_and_its_push_gets_rows_by_the_new_rule() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    let opened = run(open(&host, &memory, &key())).unwrap();
    *host.origin.borrow_mut() = Some(NoRows::OtherRevision);
    *host.on_its_way.borrow_mut() = Some(live_record(4));
    host.asked();
    let redeemed = run(execute(&host, &memory, &key(), &opened, &Map::new())).unwrap();
    assert_eq!(&*redeemed.json, br#"{"revision":4}"#);
    assert_eq!(host.asked(), ["execute", "gate", "execute", "wait", "gate", "execute"]);
}

#[test]
fn options_look_again_too() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    let opened = run(open(&host, &memory, &key())).unwrap();
    *host.origin.borrow_mut() = Some(NoRows::OtherRevision);
    host.asked();
    let refused = run(options(&host, &memory, &key(), &opened, "status", None));
    assert!(matches!(refused, Err(Error::Unavailable(_))));
    let again = ["wait", "gate", "options"];
    assert_eq!(host.asked(), [["options", "gate", "options"].as_slice(), &again, &again, &again].concat());
}

#[test]
fn an_undeclared_parameter_asks_the_data_plane_nothing() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    assert!(matches!(executed(&host, &memory, json!({"other": 1})), Err(Error::Policy { .. })));
    assert_eq!(host.asked(), ["kv", "lease"]);
}

#[test]
fn found_options_are_kept_for_equal_searches() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    let opened = run(open(&host, &memory, &key())).unwrap();
    host.asked();
    for search in [Some("a"), Some("a"), None] {
        let options = run(options(&host, &memory, &key(), &opened, "status", search));
        assert!(matches!(options, Ok(Options::Found(found)) if found.options.len() == 1));
    }
    assert_eq!(host.asked(), ["options", "options"]);
}

fn counted_record(revision: u64) -> Record {
    let mut record = live_record(revision);
    record.live.as_mut().unwrap().protection =
        Protection { version: 1, max_access_count: Some(2), ..Protection::default() };
    record
}

#[test]
fn a_strict_record_asks_its_gate_each_time_and_is_closed_without_it() {
    let (host, memory) = (Fake::serving(counted_record(3)), Memory::new(1));
    assert_eq!(found(&host, &memory), Ok((Found::Kv, 3)));
    host.asked();
    assert_eq!(found(&host, &memory), Ok((Found::Confirmed, 3)));
    assert_eq!(host.asked(), ["lease"]);
    host.gate_down.set(true);
    assert!(matches!(found(&host, &memory), Err(Error::Unavailable(_))));
}

#[test]
fn a_record_that_becomes_strict_is_seen_when_the_lease_ends() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    found(&host, &memory).unwrap();
    *host.gate.borrow_mut() = Some(counted_record(4));
    host.later(LEASE);
    let opened = run(open(&host, &memory, &key())).unwrap();
    assert!(opened.needs_grant());
    assert_eq!(opened.live().err(), Some(Error::AuthRequired(Need::Opening)));
}

#[test]
fn a_grant_opens_and_rows_are_read_under_it() {
    let (host, memory) = (Fake::serving(counted_record(3)), Memory::new(1));
    let open = || run(open(&host, &memory, &key())).unwrap();
    let refused = run(execute(&host, &memory, &key(), &open(), &Map::new()));
    assert_eq!(refused, Err(Error::AuthRequired(Need::Opening)));
    assert!(!host.asked().contains(&"execute"));
    let grant = Grant { share: uuid::Uuid::from_u128(2), generation: 1, version: 1 };
    let granted = open().with_pass(Pass::Link(Some(grant)));
    assert!(run(execute(&host, &memory, &key(), &granted, &Map::new())).is_ok());
}

#[test]
fn a_grant_is_judged_again_when_the_share_changed_meanwhile() {
    let (host, memory) = (Fake::serving(counted_record(3)), Memory::new(1));
    let grant = Grant { share: uuid::Uuid::from_u128(2), generation: 1, version: 1 };
    let granted = run(open(&host, &memory, &key())).unwrap().with_pass(Pass::Link(Some(grant)));
    let mut newer = counted_record(4);
    newer.live.as_mut().unwrap().protection.version = 2;
    *host.gate.borrow_mut() = Some(newer);
    *host.origin.borrow_mut() = Some(NoRows::OtherRevision);
    let refused = run(execute(&host, &memory, &key(), &granted, &Map::new()));
    assert_eq!(refused, Err(Error::AuthRequired(Need::Opening)));
}

#[test]
fn the_gate_is_told_of_openings_with_the_next_lease() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    found(&host, &memory).unwrap();
    assert!(memory.counts.open(&key()));
    memory.counts.open(&key());
    host.gate_down.set(true);
    run(renew(&host, &memory, &key()));
    host.gate_down.set(false);
    run(renew(&host, &memory, &key()));
    assert_eq!(host.tally.borrow().usage.opens, 2);
}

#[test]
fn an_embed_is_served_under_its_lease_alone() {
    let mut record = live_record(3);
    record.live.as_mut().unwrap().embed = Some(crate::model::embed::Terms::default());
    let (host, memory) = (Fake::serving(record), Memory::new(1));
    found(&host, &memory).unwrap();
    host.gate_down.set(true);
    host.later(LEASE / 4);
    assert_eq!(found(&host, &memory), Ok((Found::Lease, 3)));
    host.later(LEASE);
    assert!(matches!(found(&host, &memory), Err(Error::Unavailable(_))), "one of its tokens may have died");
}
