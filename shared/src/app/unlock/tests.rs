use super::*;
use crate::app::fake::{Fake, key, run};
use crate::app::redeem::open;
use crate::model::access::Pass;
use crate::model::password::{Hashed, Scheme};
use crate::model::protection::Protection;
use crate::replica::Record;
use crate::replica::tests::live_record;
use std::sync::LazyLock;

const ROOT: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";

static RING: LazyLock<KeyRing> = LazyLock::new(|| KeyRing::parse(ROOT, None).unwrap());
static HASHED: LazyLock<Hashed> =
    LazyLock::new(|| password::hash(&word("open sesame"), &RING.current, Scheme::Argon2id, [7; 16]).unwrap());

fn word(text: &str) -> Password {
    Password::new(text.into()).unwrap()
}

fn protected(max_access_count: Option<u64>) -> Record {
    let mut record = live_record(3);
    let password = Some(HASHED.clone());
    record.live.as_mut().unwrap().protection =
        Protection { password, version: 1, resets: 1, max_access_count };
    record
}

fn counted(max: u64) -> Record {
    let mut record = live_record(3);
    record.live.as_mut().unwrap().protection =
        Protection { max_access_count: Some(max), ..Protection::default() };
    record
}

fn tried(host: &Fake, memory: &Memory, password: Option<&str>, network: &str) -> Result<String> {
    let opened = run(open(host, memory, &key())).unwrap();
    host.asked();
    let password = password.map(word);
    run(unlock(host, memory, &RING, (&key(), &opened), (password.as_ref(), network)))
}

#[test]
fn the_right_password_gives_a_grant_that_opens() {
    let (host, memory) = (Fake::serving(protected(None)), Memory::new(1));
    let grant = tried(&host, &memory, Some("open sesame"), "a").unwrap();
    assert_eq!(host.asked(), ["attempt", "enter"]);
    let grant = grant::verify(&RING, &grant, host.now());
    assert!(run(open(&host, &memory, &key())).unwrap().with_pass(Pass::Link(grant)).live().is_ok());
}

#[test]
fn right_guesses_do_not_count() {
    let (host, memory) = (Fake::serving(protected(None)), Memory::new(1));
    for _ in 0..8 {
        assert!(tried(&host, &memory, Some("open sesame"), "a").is_ok());
        host.later(Duration::from_secs(1));
    }
}

#[test]
fn wrong_guesses_count_and_then_even_the_right_one_waits() {
    let (host, memory) = (Fake::serving(protected(None)), Memory::new(1));
    for _ in 0..5 {
        assert_eq!(tried(&host, &memory, Some("guess"), "a"), Err(Error::WrongPassword));
        host.later(Duration::from_secs(1));
    }
    assert!(matches!(tried(&host, &memory, Some("open sesame"), "a"), Err(Error::Throttled { .. })));
    assert_eq!(host.asked(), ["attempt"], "nothing is hashed");
    assert!(tried(&host, &memory, Some("open sesame"), "b").is_ok(), "another network is not locked out");
    host.later(Duration::from_mins(1));
    assert!(tried(&host, &memory, Some("open sesame"), "a").is_ok());
}

#[test]
fn hashes_queue_and_the_sixth_is_turned_away_uncounted() {
    let (host, memory) = (Fake::serving(protected(None)), Memory::new(1));
    for _ in 0..5 {
        assert!(memory.hash_slot(host.now()).is_some());
    }
    assert_eq!(tried(&host, &memory, Some("open sesame"), "a"), Err(Error::Throttled { retry_after: BUSY }));
    assert_eq!(host.asked(), ["attempt", "give back"]);
    host.later(Duration::from_millis(500));
    assert!(tried(&host, &memory, Some("open sesame"), "a").is_ok());
    assert_eq!(host.asked(), ["attempt", "wait", "enter"]);
}

#[test]
fn a_counted_link_opens_so_often_and_no_more() {
    let (host, memory) = (Fake::serving(counted(2)), Memory::new(1));
    assert!(tried(&host, &memory, None, "a").is_ok());
    assert_eq!(host.asked(), ["enter"], "nothing is guessed");
    assert!(tried(&host, &memory, None, "a").is_ok());
    assert_eq!(tried(&host, &memory, None, "a"), Err(Error::Dead(Why::Spent)));
    assert_eq!(host.tally.borrow().usage.accesses, 2);
}

#[test]
fn a_wrong_password_spends_nothing() {
    let (host, memory) = (Fake::serving(protected(Some(1))), Memory::new(1));
    assert_eq!(tried(&host, &memory, Some("guess"), "a"), Err(Error::WrongPassword));
    assert_eq!(host.tally.borrow().usage.accesses, 0);
    assert!(tried(&host, &memory, Some("open sesame"), "a").is_ok());
    assert_eq!(tried(&host, &memory, Some("open sesame"), "a"), Err(Error::Dead(Why::Spent)));
}

#[test]
fn a_missing_password_is_named_and_not_counted() {
    let (host, memory) = (Fake::serving(protected(None)), Memory::new(1));
    assert!(matches!(tried(&host, &memory, None, "a"), Err(Error::Invalid(_))));
    assert_eq!(host.asked(), [""; 0]);
}

#[test]
fn a_change_between_guess_and_entry_gives_nothing() {
    let (host, memory) = (Fake::serving(counted(2)), Memory::new(1));
    let opened = run(open(&host, &memory, &key())).unwrap();
    *host.gate.borrow_mut() = Some(Record { revision: 4, ..counted(2) });
    let outcome = run(unlock(&host, &memory, &RING, (&key(), &opened), (None, "a")));
    assert!(matches!(outcome, Err(Error::Throttled { .. })));
    assert_eq!(host.tally.borrow().usage.accesses, 0);
}

#[test]
fn without_its_gate_nothing_is_unlocked() {
    for record in [protected(None), counted(2)] {
        let (host, memory) = (Fake::serving(record), Memory::new(1));
        let opened = run(open(&host, &memory, &key())).unwrap();
        host.gate_down.set(true);
        let password = word("open sesame");
        let outcome = run(unlock(&host, &memory, &RING, (&key(), &opened), (Some(&password), "a")));
        assert!(matches!(outcome, Err(Error::Unavailable(_))));
    }
}

#[test]
fn a_link_that_needs_nothing_is_neither_counted_nor_granted() {
    let (host, memory) = (Fake::serving(live_record(3)), Memory::new(1));
    for password in [None, Some("guess")] {
        assert!(matches!(tried(&host, &memory, password, "a"), Err(Error::Conflict(_))));
        assert_eq!(host.asked(), [""; 0]);
    }
}
