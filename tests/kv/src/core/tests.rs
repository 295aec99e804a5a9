use super::rest::{MAX_BULK_GET, MAX_BULK_PAIRS, Page};
use super::*;
use bytes::Bytes;
use proptest::prelude::*;

const SECOND: i64 = 1_000;
const LOCATIONS: usize = 3;

fn core(faults: Faults) -> Core {
    Core::new(LOCATIONS, faults, 7)
}

fn text(stored: Option<Arc<Stored>>) -> Option<String> {
    stored.map(|stored| String::from_utf8(stored.value.to_vec()).unwrap())
}

fn read(core: &mut Core, at: i64, location: usize, key: &str) -> Option<String> {
    text(core.read(Millis(at), location, key, None).unwrap())
}

fn newest(core: &mut Core, at: i64) -> Option<String> {
    text(core.newest(Millis(at), "k"))
}

fn was_taken(result: &Result<(), Refusal>) -> bool {
    matches!(result, Ok(()) | Err(Refusal::TimedOut))
}

#[test]
fn a_version_reaches_its_writer_at_once_and_others_within_two_minutes() {
    let mut core = core(Faults::none());
    let keys: Vec<_> = (0..200).map(|key| key.to_string()).collect();
    for key in &keys {
        core.put(Millis(0), Some(1), key, Stored::new("v")).unwrap();
    }
    let seen = |core: &mut Core, at, location: usize| {
        keys.iter().filter(|key| core.locations[location].visible(Millis(at), key).is_some()).count()
    };
    assert_eq!(seen(&mut core, 0, 1), 200);
    assert!(seen(&mut core, 0, 0) < 5);
    let half = seen(&mut core, 60 * SECOND, 0);
    assert!((70..130).contains(&half), "{half}");
    assert_eq!(seen(&mut core, 120 * SECOND, 0), 200);
    assert_eq!(seen(&mut core, 120 * SECOND, 2), 200);
}

#[test]
fn one_version_in_ten_is_late_at_home_too() {
    let mut core = core(Faults { slow_at_home: 0.1, ..Faults::none() });
    let at_once = (0..1_000).filter(|key| {
        let key = key.to_string();
        core.put(Millis(0), Some(1), &key, Stored::new("v")).unwrap();
        core.locations[1].visible(Millis(0), &key).is_some()
    });
    let at_once = at_once.count();
    assert!((850..950).contains(&at_once), "{at_once}");
}

#[test]
fn reads_are_cached_and_misses_too() {
    let mut core = core(Faults::none());
    assert_eq!(read(&mut core, 0, 0, "k"), None);
    core.put(Millis(0), Some(0), "k", Stored::new("a")).unwrap();
    assert_eq!(read(&mut core, 59_999, 0, "k"), None);
    assert_eq!(read(&mut core, 60_000, 0, "k"), Some("a".to_owned()));
    core.delete(Millis(60_000), Some(0), "k").unwrap();
    assert_eq!(read(&mut core, 119_999, 0, "k"), Some("a".to_owned()));
    assert_eq!(read(&mut core, 120_000, 0, "k"), None);
    let Counters { reads, cached_reads, writes, .. } = core.counters();
    assert_eq!((reads, cached_reads, writes), (5, 2, 2));
}

#[test]
fn a_cache_keeps_half_a_minute_at_least() {
    let mut core = core(Faults::none());
    let mut read = |at, ttl| core.read(Millis(at), 0, "k", Some(Duration::from_secs(ttl))).unwrap();
    _ = (read(0, 1), read(29_999, 1), read(30_000, 300), read(60_000, 1));
    assert_eq!(core.counters().cached_reads, 1);
}

#[test]
fn a_second_write_within_a_second_is_refused() {
    let mut core = core(Faults::none());
    let mut put = |at, key| core.put(Millis(at), Some(0), key, Stored::new("v"));
    assert_eq!(put(0, "k"), Ok(()));
    assert_eq!(put(999, "k"), Err(Refusal::TooOften));
    assert_eq!(put(999, "other"), Ok(()));
    assert_eq!(put(1_000, "k"), Ok(()));
    assert_eq!(core.delete(Millis(1_500), None, "k"), Err(Refusal::TooOften));
    assert_eq!(core.counters().refused, 2);
}

#[test]
fn what_is_malformed_is_refused() {
    let mut core = core(Faults::none());
    for key in ["", ".", ".."] {
        assert!(matches!(core.put(Millis(0), None, key, Stored::new("v")), Err(Refusal::Invalid(_))));
        assert!(matches!(core.read(Millis(0), 0, key, None), Err(Refusal::Invalid(_))));
    }
    assert!(matches!(core.read(Millis(0), LOCATIONS, "k", None), Err(Refusal::Invalid(_))));
    let soon = Stored { expiration: Some(Millis(59_999)), ..Stored::new("v") };
    assert!(matches!(core.put(Millis(0), None, "k", soon), Err(Refusal::Invalid(_))));
    let many = vec![("k".to_owned(), Stored::new("v")); MAX_BULK_PAIRS + 1];
    assert!(matches!(core.bulk_put(Millis(0), many), Err(Refusal::Invalid(_))));
    let many = vec!["k".to_owned(); MAX_BULK_GET + 1];
    assert!(matches!(core.bulk_get(Millis(0), many), Err(Refusal::Invalid(_))));
    for limit in [9, 1_001] {
        assert!(matches!(core.list(Millis(0), "", Some(limit), None), Err(Refusal::Invalid(_))));
    }
    assert!(matches!(core.list(Millis(0), "", None, Some("!")), Err(Refusal::Invalid(_))));
    assert_eq!(core.keys(Millis(0)), Vec::<String>::new());
}

#[test]
fn a_failed_write_does_nothing_and_a_timed_out_one_something() {
    let mut core = core(Faults { write_failed: 1.0, ..Faults::none() });
    assert_eq!(core.put(Millis(0), None, "k", Stored::new("a")), Err(Refusal::Failed));
    assert_eq!(newest(&mut core, 60 * SECOND), None);
    core.set_faults(Faults { write_timed_out: 1.0, ..Faults::none() });
    assert_eq!(core.put(Millis(60 * SECOND), None, "k", Stored::new("b")), Err(Refusal::TimedOut));
    assert_eq!(newest(&mut core, 60 * SECOND), Some("b".to_owned()));
    let Counters { writes, refused, timed_out, late, .. } = core.counters();
    assert_eq!((writes, refused, timed_out, late), (1, 1, 1, 0));
}

#[test]
fn a_late_write_may_overwrite_a_newer_one() {
    let late = Faults { write_late: 1.0, ..Faults::none() };
    let overtaken = (0..100).filter(|seed| {
        let mut core = Core::new(LOCATIONS, late.clone(), *seed);
        assert_eq!(core.put(Millis(0), None, "k", Stored::new("older")), Err(Refusal::TimedOut));
        core.set_faults(Faults::none());
        core.put(Millis(SECOND), None, "k", Stored::new("newer")).unwrap();
        assert_eq!(newest(&mut core, SECOND), Some("newer".to_owned()));
        let last = newest(&mut core, 10 * SECOND);
        assert_eq!(core.counters().late, 1);
        // All locations agree in the end.
        for location in 0..LOCATIONS {
            assert_eq!(read(&mut core, 200 * SECOND, location, "k"), last);
        }
        last == Some("older".to_owned())
    });
    // Those that were late by more than a second.
    let overtaken = overtaken.count();
    assert!((80..=98).contains(&overtaken), "{overtaken}");
}

#[test]
fn default_faults_are_as_frequent_as_they_say() {
    let mut core = core(Faults::default());
    for key in 0..10_000 {
        _ = core.put(Millis(0), None, &key.to_string(), Stored::new("v"));
        _ = core.read(Millis(0), 0, &key.to_string(), None);
    }
    let Counters { reads, cached_reads, failed_reads, refused, timed_out, late, .. } = core.counters();
    assert_eq!((reads, cached_reads), (10_000, 0));
    assert!((150..250).contains(&failed_reads), "{failed_reads}");
    assert!((430..570).contains(&refused), "{refused}");
    assert!((430..570).contains(&timed_out), "{timed_out}");
    assert!((150..250).contains(&late), "{late}");
}

#[test]
fn in_a_blackout_only_caches_answer() {
    let mut core = core(Faults::none());
    core.put(Millis(0), Some(0), "k", Stored::new("v")).unwrap();
    assert_eq!(read(&mut core, 0, 0, "k"), Some("v".to_owned()));
    core.blackout(Millis(10_000), Millis(90_000));
    let dark = |left| Refusal::Unavailable { retry_after: Duration::from_millis(left) };
    assert_eq!(read(&mut core, 59_999, 0, "k"), Some("v".to_owned()));
    assert_eq!(core.read(Millis(60_000), 0, "k", None), Err(dark(30_000)));
    assert_eq!(core.put(Millis(60_000), None, "k", Stored::new("w")), Err(dark(30_000)));
    assert_eq!(core.bulk_delete(Millis(60_000), vec!["k".to_owned()]), Err(dark(30_000)));
    assert_eq!(core.list(Millis(60_000), "", None, None), Err(dark(30_000)));
    assert_eq!(core.get(Millis(60_000), "k"), Err(dark(30_000)));
    assert_eq!(read(&mut core, 90_000, 0, "k"), Some("v".to_owned()));
}

#[test]
fn what_expires_is_nowhere_any_more() {
    let mut core = core(Faults::none());
    let stored = Stored { expiration: Some(Millis(200 * SECOND)), ..Stored::new("v") };
    core.put(Millis(0), Some(0), "k", stored).unwrap();
    assert_eq!(read(&mut core, 199_999, 0, "k"), Some("v".to_owned()));
    assert_eq!(core.keys(Millis(199_999)), ["k"]);
    assert_eq!(read(&mut core, 200_000, 0, "k"), None);
    assert_eq!(core.keys(Millis(200_000)), Vec::<String>::new());
    assert_eq!(core.list(Millis(200_000), "", None, None), Ok(Page::default()));
}

#[test]
fn a_hand_is_neither_limited_nor_seen_at_once() {
    let mut core = core(Faults { write_failed: 1.0, ..Faults::none() });
    core.put_direct(Millis(0), "k", Stored::new("a").with_metadata("m".into()));
    assert!(core.tamper(Millis(0), "k", Bytes::from("b")));
    assert!(!core.tamper(Millis(0), "absent", Bytes::from("b")));
    let expected = Stored::new("b").with_metadata("m".into());
    assert_eq!(core.authoritative(Millis(0), "k"), Some(expected));
    assert_eq!(read(&mut core, 0, 0, "k"), None);
    assert_eq!(read(&mut core, 120 * SECOND, 0, "k"), Some("b".to_owned()));
    core.remove_direct(Millis(120 * SECOND), "k");
    assert_eq!(core.authoritative(Millis(120 * SECOND), "k"), None);
    assert_eq!(read(&mut core, 240 * SECOND, 0, "k"), None);
}

#[derive(Debug, Clone)]
enum Step {
    Put(usize, u8),
    Delete(usize, u8),
    Read(usize, u8, u64),
    Tamper(u8),
}

/// Steps, each with the milliseconds since the one before.
fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let step = prop_oneof![
        4 => (0..LOCATIONS, 0..3_u8).prop_map(|(location, key)| Step::Put(location, key)),
        1 => (0..LOCATIONS, 0..3_u8).prop_map(|(location, key)| Step::Delete(location, key)),
        4 => (0..LOCATIONS, 0..3_u8, 30..100_u64)
            .prop_map(|(location, key, ttl)| Step::Read(location, key, ttl)),
        1 => (0..3_u8).prop_map(Step::Tamper),
    ];
    prop::collection::vec((prop_oneof![0..1_500_i64, 0..40_000_i64], step), 1..80)
}

/// Does a step; true when it was a write that was taken.
fn act(core: &mut Core, now: Millis, number: usize, step: &Step) -> bool {
    match step {
        Step::Put(location, key) => {
            let stored = Stored::new(number.to_string());
            was_taken(&core.put(now, Some(*location), &key.to_string(), stored))
        }
        Step::Delete(location, key) => was_taken(&core.delete(now, Some(*location), &key.to_string())),
        Step::Read(location, key, ttl) => {
            _ = core.read(now, *location, &key.to_string(), Some(Duration::from_secs(*ttl)));
            false
        }
        Step::Tamper(key) => {
            core.tamper(now, &key.to_string(), Bytes::from("tampered"));
            false
        }
    }
}

proptest! {
    #[test]
    fn when_all_delays_are_over_every_location_reads_the_newest(
        seed: u64, steps in steps(), none in any::<bool>(),
    ) {
        let faults = if none { Faults::none() } else { Faults::default() };
        let mut core = Core::new(LOCATIONS, faults, seed);
        let mut now = Millis(0);
        for (number, (pause, step)) in steps.iter().enumerate() {
            now = Millis(now.0 + pause);
            act(&mut core, now, number, step);
        }
        core.set_faults(Faults::none());
        // Late writes, delays, the longest cache: each may begin when the one before ends.
        let end = Millis(now.0 + (10 + 120 + 100) * SECOND);
        for key in ["0", "1", "2"] {
            let newest = core.authoritative(end, key);
            for location in 0..LOCATIONS {
                let read = core.read(end, location, key, None).unwrap();
                prop_assert_eq!(read.as_deref(), newest.as_ref());
            }
        }
    }

    #[test]
    fn no_two_writes_to_a_key_within_a_second_are_taken(seed: u64, steps in steps()) {
        let mut core = Core::new(LOCATIONS, Faults::default(), seed);
        let (mut now, mut taken) = (Millis(0), HashMap::<u8, Millis>::new());
        for (number, (pause, step)) in steps.iter().enumerate() {
            now = Millis(now.0 + pause);
            if act(&mut core, now, number, step)
                && let Step::Put(_, key) | Step::Delete(_, key) = step
                && let Some(before) = taken.insert(*key, now)
            {
                prop_assert!(now.since(before) >= WRITE_PAUSE);
            }
        }
    }

    #[test]
    fn within_a_cached_time_a_location_answers_the_same(seed: u64, steps in steps()) {
        let mut core = Core::new(LOCATIONS, Faults::default(), seed);
        let mut now = Millis(0);
        let mut last: HashMap<(usize, u8), (Millis, Duration, Content)> = HashMap::new();
        for (number, (pause, step)) in steps.iter().enumerate() {
            now = Millis(now.0 + pause);
            let Step::Read(location, key, ttl) = *step else {
                act(&mut core, now, number, step);
                continue;
            };
            let ttl = Duration::from_secs(ttl);
            let cached_before = core.counters().cached_reads;
            let read = core.read(now, location, &key.to_string(), Some(ttl));
            let was_cached = core.counters().cached_reads > cached_before;
            let of = (location, key);
            if let Some((since, life, content)) = last.get_mut(&of) {
                *life = ttl.min(*life);
                prop_assert_eq!(was_cached, now.since(*since) < *life);
                if was_cached {
                    prop_assert_eq!(read.as_ref(), Ok(&*content));
                    continue;
                }
            }
            if let Ok(content) = read {
                last.insert(of, (now, ttl, content));
            }
        }
    }

    #[test]
    fn a_list_gives_each_key_once_in_order(
        keys in prop::collection::btree_set("[ab]{1,3}[cü/]?", 0..90),
        prefix in "[ab]{0,2}",
        limit in 10_usize..30,
    ) {
        let mut core = core(Faults::none());
        let pairs = keys.iter().map(|key| (key.clone(), Stored::new("v").with_metadata(1.into())));
        core.bulk_put(Millis(0), pairs.collect()).unwrap();
        let (mut listed, mut cursor) = (Vec::new(), None);
        loop {
            let page = core.list(Millis(0), &prefix, Some(limit), cursor.as_deref()).unwrap();
            prop_assert!(page.keys.len() == limit || page.cursor.is_none());
            prop_assert!(page.keys.iter().all(|key| key.metadata == Some(1.into())));
            listed.extend(page.keys.into_iter().map(|key| key.name));
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        let expected: Vec<_> = keys.into_iter().filter(|key| key.starts_with(&prefix)).collect();
        prop_assert_eq!(listed, expected);
    }

    #[test]
    fn unsuccessful_keys_are_never_written(
        seed: u64,
        rounds in prop::collection::vec((0_i64..2_000, prop::collection::btree_set(0..60_u8, 0..50)), 1..8),
    ) {
        let mut core = Core::new(1, Faults { bulk_unsuccessful: 0.2, ..Faults::none() }, seed);
        let (mut now, mut expected) = (Millis(0), BTreeMap::new());
        for (round, (pause, keys)) in rounds.into_iter().enumerate() {
            now = Millis(now.0 + pause);
            let keys: Vec<_> = keys.iter().map(u8::to_string).collect();
            let value = round.to_string();
            let pairs = keys.iter().map(|key| (key.clone(), Stored::new(value.clone())));
            let bulk = core.bulk_put(now, pairs.collect()).unwrap();
            prop_assert_eq!(bulk.successful_key_count + bulk.unsuccessful_keys.len(), keys.len());
            for key in keys.into_iter().filter(|key| !bulk.unsuccessful_keys.contains(key)) {
                expected.insert(key, value.clone());
            }
        }
        let end = Millis(now.0 + 120 * SECOND);
        prop_assert_eq!(core.keys(end), expected.keys().cloned().collect::<Vec<_>>());
        for (key, value) in expected {
            prop_assert_eq!(read(&mut core, end.0, 0, &key), Some(value));
        }
    }
}

#[test]
fn of_two_pairs_for_one_key_the_last_is_written() {
    let mut core = core(Faults::none());
    let pairs = vec![("k".to_owned(), Stored::new("a")), ("k".to_owned(), Stored::new("b"))];
    let bulk = core.bulk_put(Millis(0), pairs).unwrap();
    assert_eq!((bulk.successful_key_count, bulk.unsuccessful_keys.len()), (1, 0));
    assert_eq!(newest(&mut core, 0), Some("b".to_owned()));
}
