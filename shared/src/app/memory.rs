//! What one isolate remembers between requests: records under a lease, and results. Bounded; losing it
//! costs time, never correctness.

use super::counts::Counts;
use crate::model::grant::{self, Grant};
use crate::model::lease::{self, LEASE, Standing};
use crate::model::protection::Protection;
use crate::model::tally::{Admission, Tally};
use crate::model::token::RecordKey;
use crate::replica::Record;
use crate::time::Millis;
use lru::LruCache;
use std::cell::{Cell, OnceCell, RefCell};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;

/// Records remembered, whatever their size.
const MAX_RECORDS: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");
/// Bytes of records remembered, as JSON; parsed and rendered they take about three times as much. Most have
/// 2-30 KiB, the largest 300.
const MAX_RECORD_BYTES: usize = 8 * 1024 * 1024;
/// Results remembered, whatever their size.
const MAX_RESULTS: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");
/// Bytes of results remembered.
const MAX_RESULT_BYTES: usize = 24 * 1024 * 1024;
/// Larger results are not remembered: one of them would push out everything else.
const MAX_ONE_RESULT_BYTES: usize = 4 * 1024 * 1024;

/// Dead tokens whose guesses are counted: 20 of each within a quarter of an hour, of some 100 bytes.
const MAX_DECOYS: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");
/// Right passwords that are remembered; each for as long as a grant lives.
const MAX_PROOFS: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

/// At most two password hashes a second.
const HASH_INTERVAL: Duration = Duration::from_millis(500);
/// So many may wait for theirs.
const MAX_WAITING_HASHES: u32 = 4;

/// How long a result is served without asking the data plane.
pub const RESULT_TTL: Duration = Duration::from_mins(1);
/// How long a result may stand in while the data plane is out of reach.
pub const RESULT_STALE_LIMIT: Duration = Duration::from_hours(24);

/// A record, and the answer to a resolve of it, rendered once.
#[derive(Debug)]
pub struct Loaded {
    /// The record.
    pub record: Record,
    /// Body of the resolve answer.
    pub resolved: OnceCell<Vec<u8>>,
    /// The record's length as JSON.
    bytes: usize,
}

/// A record under a lease.
#[derive(Debug, Clone)]
struct Leased {
    loaded: Rc<Loaded>,
    asked_at: Millis,
    renewal_asked_at: Option<Millis>,
}

/// Names a result: SHA-256 over all that it depends on.
pub type ResultKey = [u8; 32];

#[derive(Debug)]
struct Kept {
    json: Rc<[u8]>,
    kept_at: Millis,
}

#[derive(Debug)]
struct Leases {
    leased: LruCache<RecordKey, Leased>,
    bytes: usize,
}

#[derive(Debug)]
struct Results {
    kept: LruCache<ResultKey, Kept>,
    bytes: usize,
}

/// By token and network: a digest of what was proved from there, and when.
type Proofs = LruCache<(RecordKey, String), ([u8; 32], Millis)>;

/// An isolate's memory.
#[derive(Debug)]
pub struct Memory {
    leases: RefCell<Leases>,
    results: RefCell<Results>,
    /// When the next password may be hashed.
    next_hash_at: Cell<Millis>,
    /// What was proved.
    proofs: RefCell<Proofs>,
    /// Guesses at what is dead, counted as those at what is alive.
    decoys: RefCell<LruCache<RecordKey, Tally>>,
    /// What is counted of tokens.
    pub counts: Counts,
}

impl Memory {
    /// Remembers nothing yet. `isolate` is random: it names what is counted here among what other isolates count.
    pub fn new(isolate: u64) -> Self {
        Self {
            leases: RefCell::new(Leases { leased: LruCache::new(MAX_RECORDS), bytes: 0 }),
            results: RefCell::new(Results { kept: LruCache::new(MAX_RESULTS), bytes: 0 }),
            next_hash_at: Cell::new(Millis(0)),
            proofs: RefCell::new(LruCache::new(MAX_PROOFS)),
            decoys: RefCell::new(LruCache::new(MAX_DECOYS)),
            counts: Counts::new(isolate),
        }
    }

    /// The record of a token, if remembered, and what its lease is worth.
    pub fn record(&self, key: &RecordKey, now: Millis) -> Option<(Rc<Loaded>, Standing)> {
        let mut leases = self.leases.borrow_mut();
        let remembered = leases.leased.get(key)?;
        Some((Rc::clone(&remembered.loaded), lease::standing(remembered.asked_at, now)))
    }

    /// Is a grant one of this token, as far as this isolate remembers what that opens?
    pub fn may_be_of(&self, key: &RecordKey, grant: &Grant, now: Millis) -> bool {
        self.record(key, now).is_none_or(|(loaded, _)| {
            loaded.record.live.as_ref().is_some_and(|live| live.share.id == grant.share)
        })
    }

    /// Should this request renew the lease in the background? One at a time, but a renewal that never
    /// came back blocks none for longer than half a lease.
    pub fn claim_renewal(&self, key: &RecordKey, now: Millis) -> bool {
        let mut leases = self.leases.borrow_mut();
        let Some(remembered) = leases.leased.get_mut(key) else { return false };
        let underway = remembered.renewal_asked_at.is_some_and(|at| now.since(at) < LEASE / 2);
        if !underway {
            remembered.renewal_asked_at = Some(now);
        }
        !underway
    }

    /// The gate confirmed the remembered revision for a lease asked at `asked_at`.
    pub fn extend(&self, key: &RecordKey, revision: u64, asked_at: Millis) {
        if let Some(leased) = self.leases.borrow_mut().leased.get_mut(key)
            && leased.loaded.record.revision == revision
        {
            leased.asked_at = leased.asked_at.max(asked_at);
            leased.renewal_asked_at = None;
        }
    }

    /// Remembers a record under a lease asked at `asked_at`, unless a newer one came in meanwhile; gives
    /// the one to use.
    pub fn keep_record(&self, key: &RecordKey, record: Record, bytes: usize, asked_at: Millis) -> Rc<Loaded> {
        let mut leases = self.leases.borrow_mut();
        if let Some(leased) = leases.leased.get(key)
            && leased.loaded.record.revision > record.revision
        {
            return Rc::clone(&leased.loaded);
        }
        let loaded = Rc::new(Loaded { record, resolved: OnceCell::new(), bytes });
        leases.bytes += bytes;
        let before = leases.leased.pop(key);
        let fresh = Leased { loaded: Rc::clone(&loaded), asked_at, renewal_asked_at: None };
        let pushed_out = leases.leased.push(key.clone(), fresh).map(|(_, leased)| leased);
        for gone in before.into_iter().chain(pushed_out) {
            leases.bytes -= gone.loaded.bytes;
        }
        while leases.bytes > MAX_RECORD_BYTES {
            let Some((_, oldest)) = leases.leased.pop_lru() else { break };
            leases.bytes -= oldest.loaded.bytes;
        }
        loaded
    }

    /// Puts a newer record in the place of the remembered one, under the lease of that one, if there is one; gives the one to
    /// use.
    pub fn replace_record(&self, key: &RecordKey, record: Record, bytes: usize) -> Rc<Loaded> {
        let asked_at = self.leases.borrow().leased.peek(key).map_or(Millis(0), |leased| leased.asked_at);
        self.keep_record(key, record, bytes, asked_at)
    }

    /// Forgets a record: nobody knows its token any more.
    pub fn forget_record(&self, key: &RecordKey) {
        let mut leases = self.leases.borrow_mut();
        if let Some(forgotten) = leases.leased.pop(key) {
            leases.bytes -= forgotten.loaded.bytes;
        }
    }

    /// Was this proved from there, while a grant for it would still live?
    pub fn knows_proof(&self, (key, network): (&RecordKey, &str), proof: &[u8; 32], now: Millis) -> bool {
        let mut proofs = self.proofs.borrow_mut();
        let known = proofs.get(&(key.clone(), network.to_owned()));
        known.is_some_and(|(known, at)| known == proof && now.since(*at) < grant::LIFE)
    }

    /// Remembers a proof. Worth nothing by itself: the gate is asked about the record each time.
    pub fn keep_proof(&self, (key, network): (&RecordKey, &str), proof: [u8; 32], now: Millis) {
        self.proofs.borrow_mut().put((key.clone(), network.to_owned()), (proof, now));
    }

    /// Whoever guesses wrong is not spared the count of the next guess, even if that is right: else one that needs no count would
    /// tell a guesser that it is.
    pub fn forget_proof(&self, (key, network): (&RecordKey, &str)) {
        self.proofs.borrow_mut().pop(&(key.clone(), network.to_owned()));
    }

    /// When the caller may hash a password: how long to wait, or `None` when too many wait already. A hash takes some
    /// 30 ms in which nothing else runs here.
    pub fn hash_slot(&self, now: Millis) -> Option<Duration> {
        let slot = self.next_hash_at.get().max(now);
        let wait = slot.since(now);
        if wait > HASH_INTERVAL * MAX_WAITING_HASHES {
            return None;
        }
        self.next_hash_at.set(slot.plus(HASH_INTERVAL));
        Some(wait)
    }

    /// Counts a guess at a token that opens nothing, by the rules for those that do, and names it; a gate keeps no count of it.
    ///
    /// # Errors
    /// For how long no further guess is taken.
    pub fn decoy_attempt(&self, key: &RecordKey, network: &str, now: Millis) -> Result<u64, Duration> {
        let mut decoys = self.decoys.borrow_mut();
        let tally = decoys.get_or_insert_mut_ref(key, Tally::default);
        match tally.attempt(&Protection::default(), network, now) {
            Admission::Admitted { attempt } => Ok(attempt),
            // What has no count is never spent.
            Admission::Dead => Ok(0),
            Admission::Refused { retry_after_ms } => Err(Duration::from_millis(retry_after_ms)),
        }
    }

    /// Takes a guess back that cost nothing.
    pub fn give_back_decoy(&self, key: &RecordKey, attempt: u64) {
        if let Some(tally) = self.decoys.borrow_mut().get_mut(key) {
            tally.give_back(attempt);
        }
    }

    /// A result and its age, if remembered and not older than [`RESULT_STALE_LIMIT`].
    pub fn result(&self, key: &ResultKey, now: Millis) -> Option<(Rc<[u8]>, Duration)> {
        let mut results = self.results.borrow_mut();
        let kept = results.kept.get(key)?;
        let age = now.since(kept.kept_at);
        (age <= RESULT_STALE_LIMIT).then(|| (Rc::clone(&kept.json), age))
    }

    /// Remembers a result, and forgets the ones unused for longest to make room.
    pub fn keep_result(&self, key: ResultKey, json: Rc<[u8]>, now: Millis) {
        if json.len() > MAX_ONE_RESULT_BYTES {
            return;
        }
        let mut results = self.results.borrow_mut();
        results.bytes += json.len();
        if let Some((_, replaced)) = results.kept.push(key, Kept { json, kept_at: now }) {
            results.bytes -= replaced.json.len();
        }
        while results.bytes > MAX_RESULT_BYTES {
            let Some((_, oldest)) = results.kept.pop_lru() else { break };
            results.bytes -= oldest.json.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::tests::live_record;

    fn key(digit: char) -> RecordKey {
        RecordKey::parse(&digit.to_string().repeat(32)).unwrap()
    }

    #[test]
    fn an_older_record_never_replaces_a_newer_one() {
        let memory = Memory::new(1);
        memory.keep_record(&key('a'), live_record(5), 900, Millis(0));
        assert_eq!(memory.keep_record(&key('a'), live_record(4), 900, Millis(9)).record.revision, 5);
        assert_eq!(memory.record(&key('a'), Millis(9)).unwrap().0.record.revision, 5);
    }

    #[test]
    fn a_lease_is_extended_for_the_same_revision_only() {
        let memory = Memory::new(1);
        memory.keep_record(&key('a'), live_record(5), 900, Millis(0));
        memory.extend(&key('a'), 4, Millis(1_900));
        assert_eq!(memory.record(&key('a'), Millis(2_000)).unwrap().1, Standing::Grace);
        memory.extend(&key('a'), 5, Millis(1_900));
        assert_eq!(memory.record(&key('a'), Millis(2_000)).unwrap().1, Standing::Fresh);
    }

    #[test]
    fn one_renewal_at_a_time() {
        let memory = Memory::new(1);
        memory.keep_record(&key('a'), live_record(5), 900, Millis(0));
        assert!(memory.claim_renewal(&key('a'), Millis(1_000)));
        assert!(!memory.claim_renewal(&key('a'), Millis(1_500)));
        assert!(memory.claim_renewal(&key('a'), Millis(2_000)), "the first never came back");
        assert!(!memory.claim_renewal(&key('b'), Millis(0)));
    }

    #[test]
    fn records_are_bounded_in_bytes() {
        let memory = Memory::new(1);
        let digits = "0123456789abcdef";
        for digit in digits.chars() {
            memory.keep_record(&key(digit), live_record(1), 1024 * 1024, Millis(0));
        }
        memory.forget_record(&key('f'));
        memory.keep_record(&key('e'), live_record(2), 1024 * 1024, Millis(0));
        let held = digits.chars().filter(|digit| memory.record(&key(*digit), Millis(0)).is_some()).count();
        assert_eq!(held, 7, "eight fitted, one was forgotten");
    }

    #[test]
    fn results_are_bounded_in_bytes() {
        let memory = Memory::new(1);
        let megabyte: Rc<[u8]> = vec![0; 1024 * 1024].into();
        for name in 0..40 {
            memory.keep_result([name; 32], Rc::clone(&megabyte), Millis(0));
        }
        memory.keep_result([39; 32], Rc::clone(&megabyte), Millis(1));
        let held = (0..40).filter(|name| memory.result(&[*name; 32], Millis(1)).is_some()).count();
        assert_eq!(held * megabyte.len(), MAX_RESULT_BYTES);
        memory.keep_result([50; 32], vec![0; MAX_ONE_RESULT_BYTES + 1].into(), Millis(1));
        assert!(memory.result(&[50; 32], Millis(1)).is_none());
    }

    #[test]
    fn a_proof_is_remembered_as_long_as_a_grant() {
        let memory = Memory::new(1);
        let token = key('a');
        let place = (&token, "here");
        memory.keep_proof(place, [1; 32], Millis(0));
        assert!(memory.knows_proof(place, &[1; 32], Millis(899_999)));
        assert!(!memory.knows_proof(place, &[1; 32], Millis(900_000)));
        assert!(!memory.knows_proof(place, &[2; 32], Millis(0)));
        assert!(!memory.knows_proof((&token, "there"), &[1; 32], Millis(0)));
        assert!(!memory.knows_proof((&key('b'), "here"), &[1; 32], Millis(0)));
        memory.forget_proof(place);
        assert!(!memory.knows_proof(place, &[1; 32], Millis(0)));
    }

    #[test]
    fn passwords_are_hashed_twice_a_second_and_four_wait() {
        let memory = Memory::new(1);
        let waits: Vec<_> =
            (0..6).map(|_| memory.hash_slot(Millis(10_000)).map(|wait| wait.as_millis())).collect();
        assert_eq!(waits, [Some(0), Some(500), Some(1_000), Some(1_500), Some(2_000), None]);
        assert_eq!(memory.hash_slot(Millis(10_499)), None);
        assert_eq!(memory.hash_slot(Millis(10_500)), Some(Duration::from_secs(2)));
        assert_eq!(memory.hash_slot(Millis(20_000)), Some(Duration::ZERO));
    }

    #[test]
    fn results_die_of_age() {
        let memory = Memory::new(1);
        memory.keep_result([0; 32], Rc::from(*b"{}"), Millis(0));
        assert_eq!(memory.result(&[0; 32], Millis(61_000)).unwrap().1, Duration::from_secs(61));
        assert!(memory.result(&[0; 32], Millis(86_400_001)).is_none());
    }
}
