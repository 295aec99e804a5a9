//! Tiles of a map: where they lie, and in what form they are stored. API.md 2.h, 2.i; RELIABILITY.md G1.

use crate::{Error, Result};
use pmtiles::{TileCoord, TileType};
use serde::{Deserialize, Serialize};

/// Deepest zoom that can be asked for; archives may go to 31.
pub const MAX_ZOOM: u8 = 30;

/// Where a tile lies: `x` and `y` are less than two to the power of `z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coordinates {
    /// Zoom.
    pub z: u8,
    /// Column, from the west.
    pub x: u32,
    /// Row, from the north.
    pub y: u32,
}

impl Coordinates {
    /// Checks numbers.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming `/z`, `/x` or `/y`.
    pub fn new(z: u64, x: u64, y: u64) -> Result<Self> {
        let zoom = u8::try_from(z).ok().filter(|zoom| *zoom <= MAX_ZOOM);
        let z = zoom.ok_or_else(|| Error::invalid("/z", "must be 0 to 30"))?;
        let within = |pointer: &str, number: u64| {
            let place = u32::try_from(number).ok().filter(|place| u64::from(*place) < 1 << z);
            place.ok_or_else(|| Error::invalid(pointer, format!("must be 0 to {}", (1_u64 << z) - 1)))
        };
        Ok(Self { z, x: within("/x", x)?, y: within("/y", y)? })
    }

    /// Reads three texts: decimal digits alone, without leading zeros.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn parse(z: &str, x: &str, y: &str) -> Result<Self> {
        Self::new(number("/z", z)?, number("/x", x)?, number("/y", y)?)
    }

    /// As the archive's library wants them.
    pub(crate) fn in_archive(self) -> Result<TileCoord> {
        TileCoord::new(self.z, self.x, self.y).map_err(|error| Error::Internal(error.to_string()))
    }
}

fn number(pointer: &str, text: &str) -> Result<u64> {
    let plain = (1..=10).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    let number = if plain { text.parse().ok() } else { None };
    number.ok_or_else(|| Error::invalid(pointer, "must be a whole number, in digits alone"))
}

/// In what form a tile is stored, and so answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Format {
    /// PNG.
    Png,
    /// JPEG.
    Jpg,
    /// WebP.
    Webp,
    /// AVIF.
    Avif,
    /// Mapbox vector tile.
    Mvt,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Png, Self::Jpg, Self::Webp, Self::Avif, Self::Mvt];

    /// Reads a name, or the ending of a path: `jpeg` and `pbf` are other words for `jpg` and `mvt`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "jpeg" => Some(Self::Jpg),
            "pbf" => Some(Self::Mvt),
            name => Self::ALL.into_iter().find(|format| format.name() == name),
        }
    }

    /// Its name, and the ending of its tiles' paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpg => "jpg",
            Self::Webp => "webp",
            Self::Avif => "avif",
            Self::Mvt => "mvt",
        }
    }

    /// Value of `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Avif => "image/avif",
            Self::Mvt => "application/vnd.mapbox-vector-tile",
        }
    }

    /// Is it drawn by whoever shows it?
    pub const fn is_vector(self) -> bool {
        matches!(self, Self::Mvt)
    }

    /// Of an archive's header; `None` for what maps cannot show.
    pub(crate) const fn of_archive(kind: TileType) -> Option<Self> {
        match kind {
            TileType::Png => Some(Self::Png),
            TileType::Jpeg => Some(Self::Jpg),
            TileType::Webp => Some(Self::Webp),
            TileType::Avif => Some(Self::Avif),
            TileType::Mvt => Some(Self::Mvt),
            TileType::Mlt | TileType::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_edges_of_every_zoom_are_exact() {
        for z in 0..=24_u64 {
            let last = (1_u64 << z) - 1;
            for (x, y) in [(0, 0), (last, 0), (0, last), (last, last)] {
                let expected = Coordinates {
                    z: u8::try_from(z).unwrap(),
                    x: u32::try_from(x).unwrap(),
                    y: u32::try_from(y).unwrap(),
                };
                assert_eq!(Coordinates::new(z, x, y), Ok(expected));
                let texts = [z, x, y].map(|number| number.to_string());
                assert_eq!(Coordinates::parse(&texts[0], &texts[1], &texts[2]), Ok(expected));
                assert!(expected.in_archive().is_ok());
            }
            for (x, y) in [(last + 1, 0), (0, last + 1), (u64::MAX, 0), (0, 1 << 63)] {
                assert!(Coordinates::new(z, x, y).is_err(), "{z}/{x}/{y}");
            }
        }
        for z in [31, 32, 63, 64, 99, 256, u64::MAX] {
            assert!(Coordinates::new(z, 0, 0).is_err(), "{z}");
        }
    }

    #[test]
    fn only_digits_are_numbers() {
        for bad in ["", "-1", "+1", "1.0", "1e3", "01", "00", " 1", "1 ", "0x1", "\u{661}", "99999999999"] {
            for texts in [[bad, "0", "0"], ["4", bad, "0"], ["4", "0", bad]] {
                assert!(Coordinates::parse(texts[0], texts[1], texts[2]).is_err(), "{texts:?}");
            }
        }
    }

    #[test]
    fn formats_are_read_as_they_are_written() {
        for format in Format::ALL {
            assert_eq!(Format::parse(format.name()), Some(format));
        }
        assert_eq!((Format::parse("jpeg"), Format::parse("pbf")), (Some(Format::Jpg), Some(Format::Mvt)));
        for bad in ["", "PNG", "gif", "png ", "../png", "mlt"] {
            assert_eq!(Format::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_coordinates_that_are_out_of_range(z in ".{0,6}", x in "[0-9eE.+-]{0,12}", y in ".{0,6}") {
            if let Ok(read) = Coordinates::parse(&z, &x, &y) {
                prop_assert!(read.z <= MAX_ZOOM && u64::from(read.x) < 1 << read.z && u64::from(read.y) < 1 << read.z);
                prop_assert_eq!([read.z.to_string(), read.x.to_string(), read.y.to_string()], [z, x, y]);
            }
        }
    }
}
