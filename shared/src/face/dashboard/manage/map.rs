//! Maps: projects, collections, items and archives, and what their tiles cost.

use crate::error::Flaw;
use crate::model::item::{
    ArchiveView, Collection, Item, MAX_PROFILES, Profile, check_key, check_profile_name,
};
use crate::model::meter::{Meter, date};
use crate::model::share::check_name;
use crate::model::tile::Format;
use crate::time::Millis;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest attribution, in characters.
const MAX_ATTRIBUTION_CHARS: usize = 500;

/// Body of `POST /api/v1/projects`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectIn {
    /// 1 to 200 characters.
    pub name: String,
}

/// A project: what items and collections belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectOut {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// RFC 3339.
    pub created_at: String,
}

/// Body of `POST /api/v1/collections`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CollectionIn {
    /// The project that it belongs to.
    pub project_id: Uuid,
    /// 1 to 200 characters; viewers see it.
    pub name: String,
}

/// Map items that are shown together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CollectionOut {
    /// Its id.
    pub id: Uuid,
    /// The project that it belongs to.
    pub project_id: Uuid,
    /// Its name.
    pub name: String,
    /// In the order in which they were added.
    pub item_ids: Vec<Uuid>,
    /// RFC 3339.
    pub created_at: String,
}

impl CollectionOut {
    /// Renders a collection.
    pub fn new(collection: Collection, created_at: Millis) -> Self {
        Self {
            id: collection.id,
            project_id: collection.project_id,
            name: collection.name,
            item_ids: collection.items.iter().map(|item| item.id).collect(),
            created_at: created_at.to_rfc3339(),
        }
    }
}

/// One way to see an item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProfileIn {
    /// 1 to 32 lower case letters, digits, `-` and `_`.
    pub name: String,
    /// Where its PMTiles archive lies in the bucket: as an upload answered, or below the organization's slug.
    pub key: String,
}

/// Body of `POST /api/v1/items`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ItemIn {
    /// The project that it belongs to.
    pub project_id: Uuid,
    /// The collection that it is added to, of the same project.
    #[serde(default)]
    pub collection_id: Option<Uuid>,
    /// 1 to 200 characters; viewers see it.
    pub name: String,
    /// Whom the map is from, at most 500 characters; the archive's own words when absent.
    #[serde(default)]
    pub attribution: Option<String>,
    /// 1 to 8, by different names. The first is shown when none is named.
    pub profiles: Vec<ProfileIn>,
}

impl ItemIn {
    /// Everything but what the archives hold. `organization` is the caller's slug.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming each place.
    pub fn check(&self, organization: &str) -> Result<()> {
        check_name(&self.name)?;
        let long = |text: &String| text.chars().count() > MAX_ATTRIBUTION_CHARS;
        if self.attribution.as_ref().is_some_and(long) {
            return Err(Error::invalid("/attribution", "must have at most 500 characters"));
        }
        if !(1..=MAX_PROFILES).contains(&self.profiles.len()) {
            return Err(Error::invalid("/profiles", "must be 1 to 8"));
        }
        for (number, profile) in self.profiles.iter().enumerate() {
            check_profile_name(&format!("/profiles/{number}/name"), &profile.name)?;
            check_key(&format!("/profiles/{number}/key"), organization, &profile.key)?;
            if self.profiles.iter().take(number).any(|other| other.name == profile.name) {
                let flaw = Flaw::new(format!("/profiles/{number}/name"), "is the name of another profile");
                return Err(Error::Invalid(vec![flaw]));
            }
        }
        Ok(())
    }
}

/// A profile, and what its archive holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProfileOut {
    /// Its name.
    pub name: String,
    /// Where its archive lies.
    pub key: String,
    /// The archive.
    pub archive: ArchiveOut,
}

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ArchiveOut {
    /// Where it lies in the bucket.
    pub key: String,
    /// What the bucket calls its bytes.
    pub etag: String,
    /// Its length.
    pub bytes: u64,
    /// In what form its tiles are.
    pub format: Format,
    /// First zoom.
    pub minzoom: u8,
    /// Last zoom.
    pub maxzoom: u8,
    /// West, south, east, north.
    pub bounds: [f64; 4],
    /// Whom the map is from.
    pub attribution: Option<String>,
    /// Names of the layers of vector tiles.
    pub layers: Vec<String>,
}

impl ArchiveOut {
    /// Renders an archive.
    pub fn new(key: &str, archive: &ArchiveView) -> Self {
        Self {
            key: key.to_owned(),
            etag: archive.etag.clone(),
            bytes: archive.bytes,
            format: archive.format,
            minzoom: archive.minzoom,
            maxzoom: archive.maxzoom,
            bounds: archive.bounds,
            attribution: archive.attribution.clone(),
            layers: archive.layers.iter().map(|layer| layer.id.clone()).collect(),
        }
    }
}

/// A map item.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ItemOut {
    /// Its id.
    pub id: Uuid,
    /// The project that it belongs to.
    pub project_id: Uuid,
    /// The collection that it is in.
    pub collection_id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// Whom the map is from, in the owner's words.
    pub attribution: Option<String>,
    /// The first is shown when none is named.
    pub profiles: Vec<ProfileOut>,
    /// RFC 3339.
    pub created_at: String,
}

impl ItemOut {
    /// Renders an item.
    pub fn new(item: Item, collection_id: Option<Uuid>, created_at: Millis) -> Self {
        let profile = |Profile { name, key, archive }| {
            let archive = ArchiveOut::new(&key, &archive);
            ProfileOut { name, key, archive }
        };
        Self {
            id: item.id,
            project_id: item.project_id,
            collection_id,
            name: item.name,
            attribution: item.attribution,
            profiles: item.profiles.into_iter().map(profile).collect(),
            created_at: created_at.to_rfc3339(),
        }
    }
}

/// What the tiles of an organization's links cost on one UTC day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageDayOut {
    /// The day, as `2026-01-31`.
    #[cfg_attr(feature = "openapi", schema(format = "date"))]
    pub day: String,
    /// Tiles answered, those included that were empty or had not changed.
    pub tiles: u64,
    /// Of them, those for which no archive was read.
    pub cache_hits: u64,
    /// Bytes of tiles sent.
    pub bytes: u64,
}

impl UsageDayOut {
    /// Renders a day, counted from 1970.
    pub fn new(day: i64, meter: Meter) -> Self {
        Self { day: date(day), tiles: meter.tiles, cache_hits: meter.hits, bytes: meter.bytes }
    }
}

/// Answer of `GET /api/v1/usage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageOut {
    /// The last 31 days on which tiles were answered, newest first. Gates report every 10 s while tiles are asked for.
    pub days: Vec<UsageDayOut>,
    /// Links that have given as many tiles today as their budget, at most 1,000: ids as `share.link.create` answered them.
    pub spent: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_checked_by_place() {
        let item = |change: &dyn Fn(&mut ItemIn)| {
            let profile = |name: &str| ProfileIn { name: name.into(), key: "acme/a".into() };
            let mut item = ItemIn {
                project_id: Uuid::nil(),
                collection_id: None,
                name: "World".into(),
                attribution: None,
                profiles: vec![profile("a"), profile("b")],
            };
            change(&mut item);
            match item.check("acme") {
                Ok(()) => String::new(),
                Err(Error::Invalid(flaws)) => flaws[0].pointer.clone(),
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(item(&|_| {}), "");
        assert_eq!(item(&|item| item.name.clear()), "/name");
        assert_eq!(item(&|item| item.attribution = Some("a".repeat(501))), "/attribution");
        assert_eq!(item(&|item| item.profiles.clear()), "/profiles");
        assert_eq!(item(&|item| item.profiles[1].name = "a".into()), "/profiles/1/name");
        assert_eq!(item(&|item| item.profiles[1].name = "../a".into()), "/profiles/1/name");
        assert_eq!(item(&|item| item.profiles[0].key = "globex/a".into()), "/profiles/0/key");
    }
}
