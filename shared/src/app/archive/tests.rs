use super::*;
use crate::app::fake::run;
use flate2::Compression as Level;
use flate2::write::GzEncoder;
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

/// The root directory's place and length, and other bytes there.
fn with_root(root: &[u8]) -> Vec<u8> {
    let mut whole = archive(1);
    whole.truncate(HEADER_BYTES);
    whole[ROOT_AT + 8..ROOT_AT + 16].copy_from_slice(&(root.len() as u64).to_le_bytes());
    whole.extend(root);
    whole
}

#[test]
fn a_bomb_is_stopped_early() {
    let bomb = gzip(&vec![0; 12 * 1024 * 1024]);
    assert!(bomb.len() < 16_000, "{} bytes", bomb.len());
    for hostile in [with_root(&bomb), with_root(&gzip(&bomb))] {
        let begun = std::time::Instant::now();
        assert!(matches!(outcome(hostile), Err(Error::Archive(_))));
        assert!(begun.elapsed().as_millis() < 500, "{:?}", begun.elapsed());
    }
    assert!(inflate(&gzip(&vec![0; 60_000])).is_ok(), "what is little may be dense");
    assert!(inflate(&gzip(&vec![0; 200_000])).is_err());
    let noise: Vec<u8> =
        (0..9_000_000_u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    assert!(inflate(&gzip(&noise[..4_000_000])).is_ok());
    assert!(inflate(&gzip(&noise)).is_err(), "over 8 MiB");
}

#[test]
fn directories_that_lie_are_refused() {
    // More entries than bytes, offsets beyond the archive, a leaf that is its own child.
    let count = [0xff, 0xff, 0xff, 0xff, 0x0f];
    assert!(outcome(with_root(&gzip(&count))).is_err());
    let far = [1, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    assert!(outcome(with_root(&gzip(&far))).is_err());
    let own_child = gzip(&[1, 0, 0, 30, 1]);
    assert!(outcome(with_root(&own_child)).is_err());
}
