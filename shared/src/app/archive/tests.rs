use super::*;
use crate::app::fake::run;
use flate2::Compression as Level;
use flate2::write::GzEncoder;
use integer_encoding::VarInt;
use pmtiles::{PmTilesWriter, TileType};
use std::io::{Cursor, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};

/// An archive in memory that counts its reads.
#[derive(Default)]
struct Bucket {
    bytes: Vec<u8>,
    reads: AtomicUsize,
    down: bool,
}

impl Bucket {
    fn with(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), ..Self::default() }
    }
}

impl Ranges for &Bucket {
    async fn range(&self, offset: u64, length: usize) -> std::result::Result<Bytes, NoBytes> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.down {
            return Err(NoBytes::Unreachable(Unreachable("store down".into())));
        }
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        let to = from.saturating_add(length).min(self.bytes.len());
        Ok(Bytes::copy_from_slice(&self.bytes[from..to]))
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// An archive of all tiles down to a zoom, each of which names itself.
fn archive(maxzoom: u8) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut writer = PmTilesWriter::new(TileType::Png)
        .max_zoom(maxzoom)
        .bounds(-180.0, -85.0, 180.0, 85.0)
        .metadata(r#"{"attribution":"Natural Earth"}"#)
        .create(&mut file)
        .unwrap();
    for z in 0..=maxzoom {
        for x in 0..1_u32 << z {
            for y in 0..1_u32 << z {
                let at = pmtiles::TileCoord::new(z, x, y).unwrap();
                writer.add_tile(at, format!("{z}/{x}/{y}").as_bytes()).unwrap();
            }
        }
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn at(z: u64, x: u64, y: u64) -> Coordinates {
    Coordinates::new(z, x, y).unwrap()
}

#[test]
fn every_tile_is_found_and_directories_are_read_once() {
    let bucket = Bucket::with(archive(7));
    let opened = run(Archive::open(&bucket)).unwrap();
    for z in [0, 3, 7] {
        for (x, y) in [(0, 0), ((1 << z) - 1, 0), ((1 << z) / 2, (1 << z) - 1)] {
            let tile = run(opened.tile(at(z, x, y))).unwrap().unwrap();
            assert_eq!(tile, format!("{z}/{x}/{y}"));
        }
    }
    assert_eq!(run(opened.tile(at(9, 0, 0))).unwrap(), None);
    let before = bucket.reads.load(Ordering::SeqCst);
    run(opened.tile(at(7, 3, 3))).unwrap();
    run(opened.tile(at(7, 3, 2))).unwrap();
    assert!(bucket.reads.load(Ordering::SeqCst) - before <= 4);
    let before = bucket.reads.load(Ordering::SeqCst);
    run(opened.tile(at(7, 3, 3))).unwrap();
    assert_eq!(bucket.reads.load(Ordering::SeqCst) - before, 1, "the tile alone");
}

#[test]
fn an_archive_is_described() {
    let bucket = Bucket::with(archive(2));
    let view = run(async { Archive::open(&bucket).await?.describe("e", 7).await }).unwrap();
    assert_eq!((view.format, view.gzip, view.minzoom, view.maxzoom), (Format::Png, false, 0, 2));
    assert_eq!(view.attribution.as_deref(), Some("Natural Earth"));
    assert_eq!((view.etag.as_str(), view.bytes), ("e", 7));
}

#[test]
fn a_store_that_is_down_is_no_broken_archive() {
    let bucket = Bucket { down: true, ..Bucket::with(archive(1)) };
    assert!(matches!(run(Archive::open(&bucket)).err(), Some(Error::Unavailable(_))));
}

/// Opens, describes and reads: what comes of it, whatever the bytes. Must neither panic nor take long.
fn outcome(bytes: Vec<u8>) -> Result<()> {
    let bucket = Bucket::with(bytes);
    run(async {
        let opened = Archive::open(&bucket).await?;
        opened.describe("e", 1).await?;
        for z in 0..=7 {
            opened.tile(at(z, 0, 0)).await?;
            opened.tile(at(z, (1 << z) - 1, 0)).await?;
        }
        Ok(())
    })
}

#[test]
fn a_cut_archive_is_refused() {
    let whole = archive(4);
    assert!(outcome(whole.clone()).is_ok());
    for length in (0..200).chain((200..whole.len() - 1).step_by(97)) {
        // Behind the directories there are only tiles, some of which are then missing.
        let cut = outcome(whole[..length].to_vec());
        assert!(matches!(cut, Err(Error::Archive(_)) | Ok(())), "{length}: {cut:?}");
    }
    assert!(outcome(whole[..126].to_vec()).is_err());
}

#[test]
fn an_altered_archive_never_panics() {
    let whole = archive(4);
    for at in 0..whole.len().min(2_000) {
        for value in [0, 1, 0x7f, 0xff] {
            let mut altered = whole.clone();
            altered[at] = value;
            let _ = outcome(altered);
        }
    }
}

#[test]
fn what_is_no_archive_is_refused() {
    for bytes in [&b""[..], b"PMTiles", b"PM\x02\x00", b"{}", &vec![0; 20_000], b"\x1f\x8b\x08\x00"] {
        assert!(matches!(outcome(bytes.to_vec()), Err(Error::Archive(_))));
    }
}

/// Sections of an archive that is made by hand, as they are stored.
#[derive(Clone, Default)]
struct Sections {
    root: Vec<u8>,
    metadata: Vec<u8>,
    leaves: Vec<u8>,
    tiles: Vec<u8>,
}

impl Sections {
    /// The root points at one leaf, which holds the tile 0/0/0 of eight bytes.
    fn sound() -> Self {
        let leaf = gzip(&directory(&[Entry { tile: 0, run: 1, length: 8, offset: 0 }]));
        let root = directory(&[Entry { tile: 0, run: 0, length: leaf.len() as u64, offset: 0 }]);
        Self { root: gzip(&root), metadata: gzip(b"{}"), leaves: leaf, tiles: b"the tile".to_vec() }
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut whole = archive(1);
        whole.truncate(HEADER_BYTES);
        whole[COMPRESSION_AT] = 2;
        let mut place = |at: usize, section: &[u8]| {
            let offset = whole.len() as u64;
            whole[at..at + 8].copy_from_slice(&offset.to_le_bytes());
            whole[at + 8..at + 16].copy_from_slice(&(section.len() as u64).to_le_bytes());
            whole.extend(section);
        };
        place(ROOT_AT, &self.root);
        place(METADATA_AT, &self.metadata);
        place(LEAVES_AT, &self.leaves);
        place(56, &self.tiles);
        whole
    }

    /// What comes of describing it, and of its first tile.
    fn outcomes(self) -> (Result<()>, Result<Option<Bytes>>) {
        let bucket = Bucket::with(self.into_bytes());
        let archive = match run(Archive::open(&bucket)) {
            Ok(archive) => archive,
            Err(error) => return (Err(error.clone()), Err(error)),
        };
        (run(archive.describe("e", 1)).map(drop), run(archive.tile(at(0, 0, 0))))
    }
}

/// An entry of a directory; a run of 0 is a leaf.
struct Entry {
    tile: u64,
    run: u64,
    length: u64,
    offset: u64,
}

fn directory(entries: &[Entry]) -> Vec<u8> {
    let mut last = 0;
    let deltas = entries.iter().map(|entry| entry.tile - std::mem::replace(&mut last, entry.tile));
    let numbers = std::iter::once(entries.len() as u64)
        .chain(deltas)
        .chain(entries.iter().map(|entry| entry.run))
        .chain(entries.iter().map(|entry| entry.length))
        .chain(entries.iter().map(|entry| entry.offset + 1));
    numbers.flat_map(VarInt::encode_var_vec).collect()
}

fn is_broken<T>(outcome: &Result<T>) -> bool {
    matches!(outcome, Err(Error::Archive(_)))
}

#[test]
fn a_tile_is_found_in_what_is_made_by_hand() {
    let (described, tile) = Sections::sound().outcomes();
    assert_eq!(described, Ok(()));
    assert_eq!(tile.unwrap().unwrap(), &b"the tile"[..]);
}

#[test]
fn bombs_are_stopped_wherever_they_lie() {
    let sound = Sections::sound();
    let bomb = gzip(&vec![0; 12 * 1024 * 1024]);
    assert!(bomb.len() < 16_000, "{} bytes", bomb.len());
    let begun = std::time::Instant::now();
    let (described, tile) = Sections { root: bomb.clone(), ..sound.clone() }.outcomes();
    assert!(
        is_broken(&described) && is_broken(&tile),
        "a root of zeros is an empty directory, if it is read"
    );
    let (described, tile) = Sections { metadata: bomb.clone(), ..sound.clone() }.outcomes();
    assert!(is_broken(&described) && tile.is_ok());
    let leaf = directory(&[Entry { tile: 0, run: 0, length: bomb.len() as u64, offset: 0 }]);
    let (described, tile) = Sections { root: gzip(&leaf), leaves: bomb, ..sound }.outcomes();
    assert!(described.is_ok() && is_broken(&tile));
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}

#[test]
fn what_inflates_too_far_is_refused() {
    assert!(inflate(&gzip(&vec![0; 60_000])).is_ok(), "what is little may be dense");
    assert!(inflate(&gzip(&vec![0; 200_000])).is_err());
    let noise: Vec<u8> =
        (0..9_000_000_u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    assert!(inflate(&gzip(&noise[..4_000_000])).is_ok());
    assert!(inflate(&gzip(&noise)).is_err(), "over 8 MiB");
}

#[test]
fn directories_that_lie_are_refused() {
    let sound = Sections::sound();
    let with_root = |root: &[u8]| Sections { root: gzip(root), ..sound.clone() }.outcomes();
    let counted = |entries: u64| {
        let mut directory = entries.encode_var_vec();
        directory.resize(200_000, 1);
        directory
    };
    // More entries than bytes, and more than are taken.
    for entries in [u64::MAX, 0xffff_ffff, MAX_ENTRIES + 1] {
        assert!(is_broken(&with_root(&counted(entries)).1), "{entries}");
    }
    let one = |run: u64, length: u64, offset: u64| directory(&[Entry { tile: 0, run, length, offset }]);
    // Beyond the archive, beyond all numbers, larger than is sent.
    for (length, offset) in [(8, 1 << 40), (8, u64::MAX - 1), (9, 0), (MAX_TILE_BYTES as u64 + 1, 0)] {
        assert!(is_broken(&with_root(&one(1, length, offset)).1), "{length} at {offset}");
    }
    // A leaf of another place, and one that is its own child.
    assert!(is_broken(&with_root(&one(0, 5_000, 0)).1));
    let mut child = gzip(&one(0, 30, 0));
    for _ in 0..4 {
        child = gzip(&one(0, child.len() as u64, 0));
    }
    let root = gzip(&one(0, child.len() as u64, 0));
    let (_, tile) = Sections { root, leaves: child, ..sound }.outcomes();
    assert!(is_broken(&tile));
}

#[test]
fn layers_are_described_once_and_nothing_else_is_held() {
    let read =
        |metadata: &str| Sections { metadata: gzip(metadata.as_bytes()), ..Sections::sound() }.outcomes().0;
    assert!(
        read(
            r#"{"vector_layers":[{"id":"a"},{"id":"b","fields":{"n":"Number"},"odd":[{}]}],"other":{"x":1}}"#
        )
        .is_ok()
    );
    assert!(read(r#"{"vector_layers":null}"#).is_ok());
    for wrong in [
        "",
        r#"{"vector_layers":[{"id":"a"},{"id":"a"}]}"#,
        r#"{"vector_layers":[{}]}"#,
        r#"{"attribution":1}"#,
    ] {
        assert!(is_broken(&read(wrong)), "{wrong}");
    }
    let many: Vec<String> = (0..9_000).map(|n| format!(r#"{{"id":"layer {n}"}}"#)).collect();
    assert!(is_broken(&read(&format!(r#"{{"vector_layers":[{}]}}"#, many.join(",")))));
}
