//! A table of six columns as a CSV file, the same at each run, and such that a download gives it back byte for byte.

use anyhow::Result;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// Notes are cut out of this many letters.
const LETTERS: usize = 1 << 20;

/// Writes as many rows as fit into so many bytes, and tells how many these are.
///
/// # Errors
/// When the file is there, or cannot be written.
pub fn write(path: &Path, bytes: usize) -> Result<usize> {
    let mut random = fastrand::Rng::with_seed(1);
    let letters: String =
        (0..LETTERS).map(|_| if random.u8(0..6) == 0 { ' ' } else { random.lowercase() }).collect();
    let mut out = BufWriter::new(File::create_new(path)?);
    let head = "id,day,region,count,price,note\r\n";
    out.write_all(head.as_bytes())?;
    let (mut written, mut rows) = (head.len(), 0);
    loop {
        let region = random.choice(["north", "east", "south", "west"]).unwrap_or_default();
        let (year, month, day) = (random.u16(2_000..2_026), random.u8(1..=12), random.u8(1..=28));
        // Without a zero at its end, which no number would keep.
        let price = format!("{}.{}", random.u32(0..10_000), random.u32(0..10) * 10 + random.u32(1..10));
        let count = random.u32(..);
        let (at, length) = (random.usize(0..LETTERS / 2), random.usize(400..800));
        let note = letters.get(at..at + length).unwrap_or_default().trim();
        let row = format!("{rows},{year}-{month:02}-{day:02},{region},{count},{price},{note}\r\n");
        if written + row.len() > bytes {
            out.flush()?;
            return Ok(rows);
        }
        out.write_all(row.as_bytes())?;
        written += row.len();
        rows += 1;
    }
}
