//! Map items: archives of tiles under the names of profiles, and collections of such. What is registered is checked here;
//! what an archive holds is read by [`crate::app::archive`].

use super::tile::Format;
use crate::{Error, Result};
use pmtiles::tilejson::VectorLayer;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Most profiles of one item.
pub const MAX_PROFILES: usize = 8;
/// Most items of one collection: their profiles stand in one record.
pub const MAX_ITEMS: usize = 50;
/// Most bytes of a collection as it stands in records: a gate's storage takes rows of 2 MB. No item alone has so many, with 8
/// profiles of 64 KiB of layers each.
const MAX_COLLECTION_BYTES: usize = 1024 * 1024;
/// Longest name of a profile, in bytes.
pub const MAX_PROFILE_NAME: usize = 32;
/// Longest key of an archive, in bytes.
const MAX_KEY: usize = 512;

/// An archive, as far as maps need to know it without reading it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArchiveView {
    /// Names the bytes that were looked at: other ones under the same key are not served.
    pub etag: String,
    /// Its length.
    pub bytes: u64,
    /// In what form its tiles are.
    pub format: Format,
    /// Are they stored with gzip?
    pub gzip: bool,
    /// First zoom that it has.
    pub minzoom: u8,
    /// Last zoom that it has.
    pub maxzoom: u8,
    /// West, south, east, north, in degrees.
    pub bounds: [f64; 4],
    /// Longitude, latitude, zoom.
    pub center: (f64, f64, u8),
    /// Whom the map is from, in the archive's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<String>,
    /// Layers of vector tiles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<VectorLayer>,
}

/// One way to see an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name, see [`check_profile_name`].
    pub name: String,
    /// Where its archive lies in the bucket. Viewers do not learn it.
    pub key: String,
    /// What the archive holds.
    pub archive: ArchiveView,
}

/// A map item. The first profile is the one that is shown when none is named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its id.
    pub id: Uuid,
    /// The project that it belongs to.
    pub project_id: Uuid,
    /// What people call it.
    pub name: String,
    /// Whom the map is from; that of the archive when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<String>,
    /// At least one.
    pub profiles: Vec<Profile>,
}

impl Item {
    /// A profile by name, or the first.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn profile(&self, name: Option<&str>) -> Result<&Profile> {
        let found = match name {
            None => self.profiles.first(),
            Some(name) => self.profiles.iter().find(|profile| profile.name == name),
        };
        found.ok_or(Error::NotFound("profile"))
    }
}

/// Map items that are shown together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collection {
    /// Its id.
    pub id: Uuid,
    /// The project that it belongs to.
    pub project_id: Uuid,
    /// What people call it.
    pub name: String,
    /// In the order in which they were added.
    pub items: Vec<Item>,
}

impl Collection {
    /// Does a record take it?
    ///
    /// # Errors
    /// [`Error::Conflict`].
    pub fn check_size(&self) -> Result<()> {
        let bytes = serde_json::to_vec(self).map_or(usize::MAX, |json| json.len());
        if bytes <= MAX_COLLECTION_BYTES {
            return Ok(());
        }
        Err(Error::Conflict(
            "the items of a collection describe their layers in at most 1 MiB together".to_owned(),
        ))
    }
}

/// A profile's name: 1 to 32 lower case letters, digits, `-` and `_`. It stands in tickets and in no path.
///
/// # Errors
/// [`Error::Invalid`] at `pointer`.
pub fn check_profile_name(pointer: &str, name: &str) -> Result<()> {
    let fits = (1..=MAX_PROFILE_NAME).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    let words = "must have 1 to 32 lower case letters, digits, - and _";
    if fits { Ok(()) } else { Err(Error::invalid(pointer, words)) }
}

/// The key of an archive lies below the organization's slug, so that nobody names another's: `acme/world.pmtiles`.
///
/// # Errors
/// [`Error::Invalid`] at `pointer`.
pub fn check_key(pointer: &str, organization: &str, key: &str) -> Result<()> {
    let own = key.split_once('/').is_some_and(|(first, _)| first == organization);
    let plain = key.len() <= MAX_KEY
        && key.split('/').all(|part| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        });
    if own && plain {
        return Ok(());
    }
    let words = format!(
        "must be {organization}/ and a path of letters, digits, hyphens, points and underscores, at most 512 in all"
    );
    Err(Error::invalid(pointer, words))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An item with a vector and a raster profile, as other modules' tests use it.
    pub(crate) fn item() -> Item {
        let archive = ArchiveView {
            etag: "e1".into(),
            bytes: 1_000,
            format: Format::Mvt,
            gzip: true,
            minzoom: 0,
            maxzoom: 4,
            bounds: [-180.0, -85.0, 180.0, 85.0],
            center: (0.0, 0.0, 0),
            attribution: Some("Natural Earth".into()),
            layers: Vec::new(),
        };
        let raster = ArchiveView { format: Format::Png, gzip: false, ..archive.clone() };
        Item {
            id: Uuid::from_u128(11),
            project_id: Uuid::from_u128(12),
            name: "World".into(),
            attribution: None,
            profiles: vec![
                Profile { name: "vector".into(), key: "acme/v.pmtiles".into(), archive },
                Profile { name: "raster".into(), key: "acme/r.pmtiles".into(), archive: raster },
            ],
        }
    }

    #[test]
    fn a_profile_is_found_by_name_or_is_the_first() {
        let item = item();
        assert_eq!(item.profile(None).unwrap().name, "vector");
        assert_eq!(item.profile(Some("raster")).unwrap().name, "raster");
        for unknown in ["", "Raster", "../raster", "raster\0"] {
            assert_eq!(item.profile(Some(unknown)).err(), Some(Error::NotFound("profile")), "{unknown}");
        }
    }

    #[test]
    fn keys_stay_below_their_organization() {
        for good in ["acme/a", "acme/2026/World_1-2.pmtiles"] {
            assert!(check_key("/key", "acme", good).is_ok(), "{good}");
        }
        let long = format!("acme/{}", "a".repeat(508));
        for bad in [
            "",
            "acme",
            "acme/",
            "/acme/a",
            "globex/a",
            "acmes/a",
            "acme/../globex/a",
            "acme/./a",
            "acme//a",
            "acme/a b",
            "acme/%2e%2e/a",
            "acme/a\\b",
            "acme/\u{e9}",
            "acme/a\n",
            "ACME/a",
            &long,
        ] {
            assert!(check_key("/key", "acme", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_profiles_are_plain() {
        for good in ["a", "true-color_2", &"a".repeat(32)] {
            assert!(check_profile_name("/name", good).is_ok(), "{good}");
        }
        for bad in ["", "A", "a/b", "..", "a.b", "a b", "\u{e9}", &"a".repeat(33)] {
            assert!(check_profile_name("/name", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_collection_fits_into_a_record() {
        let mut collection =
            Collection { id: Uuid::nil(), project_id: Uuid::nil(), name: "Maps".into(), items: Vec::new() };
        let mut large = item();
        let layer = |n: usize| {
            VectorLayer::new(format!("{n}{}", "x".repeat(1_000)), std::collections::BTreeMap::new())
        };
        for profile in &mut large.profiles {
            profile.archive.layers = (0..60).map(layer).collect();
        }
        while collection.check_size().is_ok() {
            collection.items.push(large.clone());
        }
        assert!((5..MAX_ITEMS).contains(&collection.items.len()), "{}", collection.items.len());
        collection.items.pop();
        assert!(collection.check_size().is_ok());
    }
}
