//! Forged and good embed tokens, and a hundred thousand that were good before they were altered: product and rules say the same.

use oracle::check::Count;
use oracle::embed::forge::{Fate, corpus};
use oracle::embed::{check, judge, key::Secret, mutate};
use std::collections::{BTreeMap, HashSet};
use std::thread;

const MUTATIONS: u64 = 100_000;
const THREADS: usize = 2;

#[test]
fn forged_tokens_are_refused_and_good_ones_are_not() {
    let scene = mutate::scene();
    let judges = mutate::judges();
    let cases = corpus(&scene);
    let mut classes: BTreeMap<_, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in &cases {
        *classes.entry((case.fate == Fate::Refused, case.class)).or_default() += 1;
        match judges.compare(scene.now_millis(), &case.token) {
            Ok(accepted) if accepted == (case.fate != Fate::Refused) => {}
            Ok(_) => wrong.push(format!("{case}")),
            Err(difference) => wrong.push(format!("{case}\n{difference}")),
        }
    }
    for ((refused, class), count) in &classes {
        println!("{} {count:5} {class}", if *refused { "refused " } else { "accepted" });
    }
    let count = |fate: Fate| cases.iter().filter(|case| case.fate == fate).count();
    println!("{} forged, {} dead, {} good", count(Fate::Refused), count(Fate::Dead), count(Fate::Opens));
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
    assert!(count(Fate::Refused) >= 500 && count(Fate::Opens) >= 80, "{classes:?}");
    let distinct: HashSet<_> = cases.iter().map(|case| &case.token).collect();
    assert_eq!(distinct.len(), cases.len());
}

#[test]
fn tokens_live_from_their_first_millisecond_to_their_last() {
    let scene = mutate::scene();
    let judges = mutate::judges();
    for case in corpus(&scene).iter().filter(|case| case.fate == Fate::Opens) {
        let said = judge(&[Secret::Root(scene.root)], scene.now_millis(), &case.token).expect("a good token");
        let second = |name: &str| said.claims[name].as_i64().unwrap_or_default();
        let (begin, end) = (second("iat").max(second("nbf")) * 1_000, second("exp") * 1_000);
        for (now, alive) in
            [(begin - 1, false), (begin, true), (end - 1, true), (end, false), (i64::MAX, false), (-1, false)]
        {
            assert_eq!(judges.compare(now, &case.token), Ok(alive), "{now} {case}");
        }
    }
}

#[test]
fn altered_tokens_are_judged_as_the_rules_say() {
    let (judges, samples) = (&mutate::judges(), &mutate::Samples::new());
    let part = |thread| {
        let mut count = Count::default();
        let mut seeds = (thread..MUTATIONS).step_by(THREADS);
        seeds.try_for_each(|seed| check::mutation((seed, 0), judges, samples, &mut count)).map(|()| count)
    };
    let parts: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..).take(THREADS).map(|thread| scope.spawn(move || part(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let mut count = Count::default();
    for part in parts {
        count.add(part.unwrap_or_else(|difference| panic!("{difference}")));
    }
    println!("{count:?}");
    assert_eq!(count.total(), MUTATIONS);
    assert!(count.accepted > MUTATIONS / 4 && count.refused > MUTATIONS / 4, "{count:?}");
}
