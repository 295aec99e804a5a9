//! Cursors: where the page before ended, as an opaque text. A cursor opens nothing, since whoever has the link may see all rows;
//! it is keyed so that the data plane only ever sees positions that it gave itself, of this product, version and question.

use super::View;
use super::page::Page;
use crate::model::key::{Key, KeyRing};
use crate::{Error, Result};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Bytes of the MAC before the position.
const MAC_BYTES: usize = 16;

/// The last row of a page.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Its cell in the column that is sorted by, as it is stored; nothing without an order, and for an empty cell.
    pub value: Option<Value>,
    /// Its number in the source's order, from 1.
    pub row: i64,
}

impl Position {
    /// A position.
    pub const fn new(value: Option<Value>, row: i64) -> Self {
        Self { value, row }
    }
}

/// Writes a position.
pub(super) fn seal(ring: &KeyRing, position: &Position, view: &View, page: &Page) -> String {
    // A scalar and a number: nothing that JSON cannot hold.
    let position = serde_json::to_vec(position).unwrap_or_default();
    let mac = mac(&ring.current.cursor, view, page, &position);
    let (mac, _) = mac.split_at(MAC_BYTES);
    BASE64_URL_SAFE_NO_PAD.encode([mac, &position].concat())
}

/// Reads a position that [`seal`] wrote for the same question.
///
/// # Errors
/// [`Error::Invalid`] at `/cursor`.
pub(super) fn open(ring: &KeyRing, text: &str, view: &View, page: &Page) -> Result<Position> {
    let refused =
        || Error::invalid("/cursor", "is not of this data product, as it is now, and question: begin anew");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| refused())?;
    let (mac, position) = bytes.split_at_checked(MAC_BYTES).ok_or_else(refused)?;
    if !ring.iter().any(|keys| verify(&keys.cursor, view, page, position, mac)) {
        return Err(refused());
    }
    serde_json::from_slice(position).map_err(|_| refused())
}

fn mac(key: &Key, view: &View, page: &Page, position: &[u8]) -> [u8; 32] {
    with_parts(view, page, position, |parts| key.mac(parts))
}

fn verify(key: &Key, view: &View, page: &Page, position: &[u8], expected: &[u8]) -> bool {
    with_parts(view, page, position, |parts| key.verify(parts, expected))
}

/// All that a cursor is bound to.
fn with_parts<T>(view: &View, page: &Page, position: &[u8], use_them: impl FnOnce(&[&[u8]]) -> T) -> T {
    let order = page.sort.map_or_else(String::new, |sort| format!("{} {}", sort.column, sort.descending));
    let search = page.search.as_deref().unwrap_or_default();
    use_them(&[
        view.id.as_bytes(),
        &view.version.to_be_bytes(),
        order.as_bytes(),
        search.as_bytes(),
        position,
    ])
}
