//! Maps: from a token and a password to a grant, and tiles of archives that an isolate has open.
//!
//! A password is judged by [`super::unlock`], like that of any share. Clients of the operation dialect send it with each tile, so
//! an isolate remembers a keyed digest of what it found right; the gate is asked about the record all the same.

use super::archive::{Archive, Ranges};
use super::memory::Memory;
use super::port::Host;
use super::redeem::{self, Found, Opened};
use super::unlock;
use crate::error::Why;
use crate::model::access::Pass;
use crate::model::grant::Grant;
use crate::model::item::Profile;
use crate::model::key::KeyRing;
use crate::model::meter;
use crate::model::password::Password;
use crate::model::tile::{Coordinates, Format};
use crate::model::token::RecordKey;
use crate::replica::Live;
use crate::time::Millis;
use crate::{Error, Result};
use bytes::Bytes;
use lru::LruCache;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

/// Archives that an isolate has open; each holds a root directory of a few KiB, and up to 1 MiB of leaf directories.
const MAX_ARCHIVES: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");
/// Tiles that an isolate remembers, and bytes of them.
const MAX_TILES: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");
const MAX_TILE_CACHE_BYTES: usize = 12 * 1024 * 1024;
/// Larger tiles are not remembered.
const MAX_KEPT_TILE_BYTES: usize = 512 * 1024;

/// What a visitor proves that they may see a map by.
pub struct Proof<'a> {
    /// The link's token.
    pub token: &'a str,
    /// What they hold of an earlier proof.
    pub grant: Option<Grant>,
    /// What they typed.
    pub password: Option<&'a Password>,
    /// From where they guess.
    pub network: &'a str,
}

/// Opens a map for whoever may see it. What is dead, or no map, takes a password like what is alive: see [`unlock::feign`].
///
/// # Errors
/// [`Error::Dead`] also for what is no map, [`Error::WrongPassword`] also for none, and those of [`unlock::unlock`].
pub async fn admit(
    host: &impl Host,
    memory: &Memory,
    ring: &KeyRing,
    key: &RecordKey,
    proof: &Proof<'_>,
) -> Result<(Opened, Grant)> {
    let opened = redeem::open(host, memory, key).await;
    // What is known to be dead is remembered.
    let was_asked = !matches!(&opened, Ok(Opened { found: Found::Lease, .. }));
    let outcome = match opened {
        Ok(opened) => prove(host, memory, ring, (key, opened), proof).await,
        Err(error) => Err(error),
    };
    if let Err(Error::Dead(_)) = &outcome {
        let guess = (proof.password, proof.network);
        unlock::feign(host, memory, ring, (key, was_asked), guess).await?;
    }
    outcome
}

async fn prove(
    host: &impl Host,
    memory: &Memory,
    ring: &KeyRing,
    (key, opened): (&RecordKey, Opened),
    proof: &Proof<'_>,
) -> Result<(Opened, Grant)> {
    let live = map_of(opened.alive()?)?;
    let own =
        Grant { share: live.share.id, generation: live.share.generation, version: live.protection.version };
    let bound: [&[u8]; 4] = [
        proof.token.as_bytes(),
        own.share.as_bytes(),
        &own.generation.to_be_bytes(),
        &own.version.to_be_bytes(),
    ];
    // Whoever was let in goes on, though the link has been opened as often as it may be.
    let held = proof.grant.as_ref() == Some(&own) || live.protection.need().is_none();
    if !held {
        let password = proof.password.ok_or(Error::WrongPassword)?;
        let seen = password.proof(&ring.current, &bound);
        let place = (key, proof.network);
        if !memory.knows_proof(place, &seen, host.now()) {
            memory.forget_proof(place);
            let attempt = (Some(password), proof.network);
            unlock::unlock(host, memory, ring, (key, &opened), attempt).await?;
            memory.keep_proof(place, seen, host.now());
        }
    }
    let opened = opened.with_pass(Pass::Link(Some(own.clone())));
    opened.live()?;
    Ok((opened, own))
}

/// What is opened, if it is a map.
///
/// # Errors
/// [`Error::Dead`].
pub fn map_of(live: &Live) -> Result<&Live> {
    if live.target.is_map() { Ok(live) } else { Err(Error::Dead(Why::OtherTarget)) }
}

/// May the link give another tile today?
///
/// # Errors
/// [`Error::Throttled`] until tomorrow.
pub fn check_budget(memory: &Memory, key: &RecordKey, live: &Live, now: Millis) -> Result<()> {
    if memory.counts.tiles_today(key, now) < live.share.tile_budget() {
        return Ok(());
    }
    Err(Error::Throttled { retry_after: meter::until_tomorrow(now) })
}

/// A place of a map, checked against its profile before anything is read.
///
/// # Errors
/// [`Error::WrongFormat`], [`Error::NotFound`] outside of the archive's zooms.
pub fn check_place(profile: &Profile, at: Coordinates, format: Format) -> Result<()> {
    let archive = &profile.archive;
    if format != archive.format {
        return Err(Error::WrongFormat { has: archive.format.name() });
    }
    if !(archive.minzoom..=archive.maxzoom).contains(&at.z) {
        return Err(Error::NotFound("tile"));
    }
    Ok(())
}

/// The entity tag of a tile: an archive's bytes never change under its own tag, so nothing need be read for it.
pub fn entity_tag(profile: &Profile, at: Coordinates) -> String {
    let digest = name(profile, at);
    let (tag, _) = digest.split_at(12);
    format!("\"{}\"", hex::encode(tag))
}

fn name(profile: &Profile, at: Coordinates) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in [profile.key.as_bytes(), profile.archive.etag.as_bytes()] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.update([at.z]);
    digest.update(at.x.to_be_bytes());
    digest.update(at.y.to_be_bytes());
    digest.finalize().into()
}

/// A tile as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// `None` where the map is empty.
    pub bytes: Option<Bytes>,
    /// Was the archive spared?
    pub hit: bool,
}

struct Tiles {
    kept: LruCache<[u8; 32], Bytes>,
    bytes: usize,
}

/// Archives by key and tag.
type Archives<R> = LruCache<(String, String), Rc<Archive<R>>>;

/// What one isolate remembers of archives. Bounded; losing it costs time alone.
pub struct Maps<R: Ranges> {
    archives: RefCell<Archives<R>>,
    tiles: RefCell<Tiles>,
}

impl<R: Ranges> Default for Maps<R> {
    fn default() -> Self {
        Self {
            archives: RefCell::new(LruCache::new(MAX_ARCHIVES)),
            tiles: RefCell::new(Tiles { kept: LruCache::new(MAX_TILES), bytes: 0 }),
        }
    }
}

impl<R: Ranges> Maps<R> {
    /// A tile; `ranges` reads the profile's archive should nobody have it open.
    ///
    /// # Errors
    /// [`Error::Archive`], [`Error::Unavailable`].
    pub async fn tile(&self, profile: &Profile, at: Coordinates, ranges: impl FnOnce() -> R) -> Result<Tile> {
        let name = name(profile, at);
        if let Some(bytes) = self.tiles.borrow_mut().kept.get(&name) {
            return Ok(Tile { bytes: Some(bytes.clone()), hit: true });
        }
        let known = (profile.key.clone(), profile.archive.etag.clone());
        let open = self.archives.borrow_mut().get(&known).map(Rc::clone);
        let archive = if let Some(archive) = open {
            archive
        } else {
            let archive = Rc::new(Archive::open(ranges()).await?);
            self.archives.borrow_mut().put(known, Rc::clone(&archive));
            archive
        };
        let bytes = archive.tile(at).await?;
        if let Some(bytes) = &bytes {
            self.keep(name, bytes);
        }
        Ok(Tile { bytes, hit: false })
    }

    fn keep(&self, name: [u8; 32], tile: &Bytes) {
        if tile.len() > MAX_KEPT_TILE_BYTES {
            return;
        }
        let mut tiles = self.tiles.borrow_mut();
        tiles.bytes += tile.len();
        if let Some((_, replaced)) = tiles.kept.push(name, tile.clone()) {
            tiles.bytes -= replaced.len();
        }
        while tiles.bytes > MAX_TILE_CACHE_BYTES {
            let Some((_, oldest)) = tiles.kept.pop_lru() else { break };
            tiles.bytes -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fake::{Fake, key, run};
    use crate::model::item::tests::item;
    use crate::model::password::{HASHES, Scheme, hash};
    use crate::model::protection::Protection;
    use crate::replica::{Record, TargetView, tests::live_record};
    use std::time::Duration;

    const ROOT: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";

    fn ring() -> KeyRing {
        KeyRing::parse(ROOT, None).unwrap()
    }

    fn password(text: &str) -> Password {
        Password::new(text.to_owned()).unwrap()
    }

    fn record(change: impl FnOnce(&mut Live)) -> Record {
        let mut record = live_record(1);
        let live = record.live.as_mut().unwrap();
        live.target = TargetView::Item(item());
        let hashed = hash(&password("correct horse"), &ring().current, Scheme::Argon2id, [1; 16]);
        live.protection = Protection { password: hashed, version: 1, resets: 1, max_access_count: None };
        change(live);
        record
    }

    fn tried(host: &Fake, memory: &Memory, typed: Option<&str>) -> Result<Grant> {
        let typed = typed.map(password);
        let proof = Proof { token: "shr_1", grant: None, password: typed.as_ref(), network: "n" };
        run(admit(host, memory, &ring(), &key(), &proof)).map(|(_, grant)| grant)
    }

    #[test]
    fn a_right_password_is_compared_once_and_the_gate_is_asked_each_time() {
        let (host, memory) = (Fake::serving(record(|_| {})), Memory::new(1));
        let grant = tried(&host, &memory, Some("correct horse")).unwrap();
        assert_eq!(host.asked(), ["kv", "lease", "attempt", "enter"]);
        assert_eq!(tried(&host, &memory, Some("correct horse")), Ok(grant));
        assert_eq!(host.asked(), ["lease"]);
        assert_eq!(tried(&host, &memory, Some("Correct horse")), Err(Error::WrongPassword));
        assert_eq!(tried(&host, &memory, None), Err(Error::WrongPassword));
        host.asked();
        tried(&host, &memory, Some("correct horse")).unwrap();
        let asked = host.asked();
        assert!(asked.contains(&"attempt"), "after a wrong guess the right one counts, too: {asked:?}");
        host.later(Duration::from_mins(15));
        host.asked();
        tried(&host, &memory, Some("correct horse")).unwrap();
        assert_eq!(host.asked(), ["lease", "attempt", "enter"], "a proof ends with its grant");
    }

    #[test]
    fn whoever_has_no_guesses_left_learns_nothing_of_the_right_one() {
        let (host, memory) = (Fake::serving(record(|_| {})), Memory::new(1));
        tried(&host, &memory, Some("correct horse")).unwrap();
        for _ in 0..5 {
            assert_eq!(tried(&host, &memory, Some("wrong horse")), Err(Error::WrongPassword));
        }
        for typed in ["wrong horse", "correct horse"] {
            let refused = tried(&host, &memory, Some(typed));
            assert!(matches!(refused, Err(Error::Throttled { .. })), "{typed}: {refused:?}");
        }
    }

    #[test]
    fn a_new_password_ends_what_is_remembered_of_the_old_one() {
        let (host, memory) = (Fake::serving(record(|_| {})), Memory::new(1));
        tried(&host, &memory, Some("correct horse")).unwrap();
        let mut newer = record(|live| {
            live.protection.version = 2;
            live.protection.password =
                hash(&password("battery staple"), &ring().current, Scheme::Argon2id, [2; 16]);
        });
        newer.revision = 2;
        *host.gate.borrow_mut() = Some(newer);
        assert_eq!(tried(&host, &memory, Some("correct horse")), Err(Error::WrongPassword));
        host.later(Duration::from_secs(5));
        tried(&host, &memory, Some("battery staple")).unwrap();
    }

    #[test]
    fn what_is_no_map_is_dead_whatever_the_password() {
        let dashboard = live_record(1).live.unwrap().target;
        let (host, memory) = (Fake::serving(record(|live| live.target = dashboard)), Memory::new(1));
        let refused = tried(&host, &memory, Some("correct horse"));
        assert_eq!(refused, Err(Error::Dead(Why::OtherTarget)));
        assert_eq!(host.asked(), ["kv", "lease", "lease"], "no guess is counted at the gate");
    }

    #[test]
    fn what_is_dead_takes_as_many_guesses_as_what_is_alive_and_as_long() {
        let dashboard = live_record(1).live.unwrap().target;
        let revoked = || Record { live: None, ..record(|_| {}) };
        let unknown = Fake::serving(record(|_| {}));
        *unknown.gate.borrow_mut() = None;
        let hosts = [
            Fake::serving(record(|_| {})),
            Fake::serving(revoked()),
            Fake::serving(record(|live| live.target = dashboard.clone())),
            Fake::serving(record(|live| live.share.expires_at = Some(Millis(-1)))),
            unknown,
        ];
        let told = hosts.map(|host| {
            let memory = Memory::new(1);
            // KV is read while the gate is asked.
            let calls = || host.asked().iter().filter(|call| **call != "kv").count();
            let guess = |typed: Option<&str>| {
                let before = HASHES.get();
                let told = match tried(&host, &memory, typed) {
                    Err(Error::WrongPassword | Error::Dead(_)) => 404,
                    Err(Error::Throttled { retry_after }) => retry_after.as_millis(),
                    other => panic!("{other:?}"),
                };
                (told, calls(), HASHES.get() - before)
            };
            let mut told: Vec<_> = (0..3).map(|_| guess(None)).collect();
            // Turned away for want of a turn, a guess does not count.
            while memory.hash_slot(host.now()).is_some() {}
            told.push(guess(Some("wrong horse")));
            host.later(Duration::from_secs(5));
            host.asked();
            told.extend((0..7).map(|_| guess(Some("wrong horse"))));
            told
        });
        for dead in &told {
            assert_eq!(dead, &told[0]);
        }
        assert!(told[0][8].0 == 404 && told[0][9].0 > 10_000, "{told:?}");
        assert_eq!(
            told[0].iter().map(|(.., hashes)| hashes).sum::<u64>(),
            5,
            "one for each guess that is taken"
        );
    }

    #[test]
    fn whoever_was_let_in_goes_on_when_a_link_is_spent() {
        let host = Fake::serving(record(|live| live.protection.max_access_count = Some(1)));
        let memory = Memory::new(1);
        let grant = tried(&host, &memory, Some("correct horse")).unwrap();
        assert_eq!(tried(&host, &memory, Some("correct horse")), Ok(grant.clone()), "the same visitor");
        let elsewhere = Memory::new(2);
        let refused = tried(&host, &elsewhere, Some("correct horse"));
        assert_eq!(refused, Err(Error::Dead(Why::Spent)));
        let proof = Proof { token: "shr_1", grant: Some(grant.clone()), password: None, network: "m" };
        let (opened, held) = run(admit(&host, &elsewhere, &ring(), &key(), &proof)).unwrap();
        assert!(opened.live().is_ok() && held == grant);
        host.later(Duration::from_mins(20));
        assert_eq!(tried(&host, &memory, Some("correct horse")), Err(Error::Dead(Why::Spent)));
    }

    #[test]
    fn tiles_are_served_under_a_lease_and_nothing_else_is() {
        let (host, memory) = (Fake::serving(record(|_| {})), Memory::new(1));
        let open = || run(redeem::open_ticketed(&host, &memory, &key())).is_ok();
        assert!(open());
        host.asked();
        host.later(Duration::from_millis(900));
        assert!(open());
        assert!(host.asked().is_empty());
        assert!(run(redeem::open(&host, &memory, &key())).is_ok());
        assert_eq!(host.asked(), ["lease"]);
        host.later(Duration::from_secs(3));
        host.gate_down.set(true);
        assert!(!open(), "without a lease the gate is asked");
    }

    #[test]
    fn a_budget_ends_with_the_day() {
        let live = record(|live| live.share.tile_budget = Some(2)).live.unwrap();
        let memory = Memory::new(1);
        assert!(check_budget(&memory, &key(), &live, Millis(0)).is_ok());
        memory.counts.learn_tiles(&key(), 2, Millis(0));
        match check_budget(&memory, &key(), &live, Millis(3_600_000)) {
            Err(Error::Throttled { retry_after }) => assert_eq!(retry_after, Duration::from_hours(23)),
            other => panic!("{other:?}"),
        }
        assert!(check_budget(&memory, &key(), &live, Millis(86_400_000)).is_ok());
    }

    #[test]
    fn a_place_is_checked_before_anything_is_read() {
        let item = item();
        let profile = item.profile(None).unwrap();
        let at = |z| Coordinates::new(z, 0, 0).unwrap();
        assert_eq!(check_place(profile, at(4), Format::Mvt), Ok(()));
        assert_eq!(check_place(profile, at(5), Format::Mvt), Err(Error::NotFound("tile")));
        assert_eq!(check_place(profile, at(5), Format::Png), Err(Error::WrongFormat { has: "mvt" }));
        assert_ne!(entity_tag(profile, at(4)), entity_tag(profile, at(3)));
        assert_ne!(entity_tag(profile, at(4)), entity_tag(item.profile(Some("raster")).unwrap(), at(4)));
    }
}
