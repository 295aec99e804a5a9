//! What visitors of maps ask in the operation dialect, and what they get.

use super::fields::{Fields, uuid};
use crate::face::Answer;
use crate::model::item::{ArchiveView, Item, Profile};
use crate::model::password::Typed;
use crate::model::ticket;
use crate::model::tile::{Coordinates, Format};
use crate::replica::{Live, TargetView};
use crate::{Error, Result};
use pmtiles::tilejson::{Bounds, Center, TileJSON};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Longest text that is read of a token.
const MAX_TOKEN_BYTES: usize = 256;

/// What a visitor comes with.
#[derive(Debug, Clone, PartialEq)]
pub struct Credentials {
    /// The link's token.
    pub token: String,
    /// `None` when it is absent or empty: that is a wrong one.
    pub password: Option<Typed>,
}

fn credentials(fields: &mut Fields<'_>) -> Option<Credentials> {
    let token = fields.required("token", "Input should be a valid string", |value| {
        value.as_str().filter(|token| token.len() <= MAX_TOKEN_BYTES)
    });
    let password = match fields.body.get("password") {
        None => Some(""),
        Some(_) => fields.required("password", "Input should be a valid string", Value::as_str),
    };
    let (token, password) = token.zip(password)?;
    let password = (!password.is_empty()).then(|| Typed(password.to_owned()));
    Some(Credentials { token: token.to_owned(), password })
}

/// Reads a `share.link.validate`.
///
/// # Errors
/// [`Error::Invalid`] naming each field that is wrong.
pub fn parse_validate(body: &Map<String, Value>) -> Result<Credentials> {
    let mut fields = Fields::of(body);
    let credentials = credentials(&mut fields);
    fields.done(credentials)
}

/// What of a map is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// A profile's name; the first when absent.
    pub profile: Option<String>,
    /// An extension: an item of a collection.
    pub item: Option<Uuid>,
}

impl Asked {
    fn read(fields: &mut Fields<'_>) -> Self {
        let profile = fields.optional("profile", "Input should be a valid string", Value::as_str);
        let item = fields.optional("item_id", "Input should be the id of an item", uuid);
        Self { profile: profile.map(str::to_owned), item }
    }

    /// The profile that is meant.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a collection without an item, and for what is not there.
    pub fn find<'t>(&self, target: &'t TargetView) -> Result<(&'t Item, &'t Profile)> {
        let item = target.item(self.item).ok_or(Error::NotFound("item"))?;
        Ok((item, item.profile(self.profile.as_deref())?))
    }
}

/// Reads a `share.tilejson`.
///
/// # Errors
/// [`Error::Invalid`] naming each field that is wrong.
pub fn parse_tilejson(body: &Map<String, Value>) -> Result<(Credentials, Asked)> {
    let mut fields = Fields::of(body);
    let (credentials, asked) = (credentials(&mut fields), Asked::read(&mut fields));
    fields.done(credentials.map(|credentials| (credentials, asked)))
}

/// A `share.tile.render`.
#[derive(Debug, Clone, PartialEq)]
pub struct TileAsked {
    /// What the visitor comes with.
    pub credentials: Credentials,
    /// Of what.
    pub asked: Asked,
    /// Where.
    pub at: Coordinates,
    /// `png` when it is absent.
    pub format: Format,
}

/// Reads a `share.tile.render`.
///
/// # Errors
/// [`Error::Invalid`] naming each field that is wrong.
pub fn parse_tile(body: &Map<String, Value>) -> Result<TileAsked> {
    let mut fields = Fields::of(body);
    let credentials = credentials(&mut fields);
    let asked = Asked::read(&mut fields);
    let [z, x, y] = ["z", "x", "y"]
        .map(|name| fields.required(name, "Input should be a whole number, not below 0", Value::as_u64));
    let at = match (z, x, y) {
        (Some(z), Some(x), Some(y)) => fields.check(Coordinates::new(z, x, y))?,
        _ => None,
    };
    let words = "Input should be 'png', 'jpg', 'jpeg', 'webp', 'avif', 'mvt' or 'pbf'";
    let format = match fields.body.get("format") {
        None => Some(Format::Png),
        Some(_) => fields.required("format", words, |value| Format::parse(value.as_str()?)),
    };
    let made = (|| Some(TileAsked { credentials: credentials?, asked, at: at?, format: format? }))();
    fields.done(made)
}

/// `{y}.{ext}` of a tile's path.
///
/// # Errors
/// [`Error::Invalid`] at `/format`.
pub fn parse_file(file: &str) -> Result<(&str, Format)> {
    let (y, ending) = file.split_once('.').unwrap_or((file, ""));
    let format = Format::parse(ending)
        .ok_or_else(|| Error::invalid("/format", "must be png, jpg, webp, avif or mvt"))?;
    Ok((y, format))
}

/// Where an archive can be had by a ticket, and how long it is: an extension, of links that permit it.
fn archive(profile: &Profile, origin: &str, ticket: &str) -> Value {
    json!({ "url": format!("{origin}/v1/share/archives/{ticket}"), "bytes": profile.archive.bytes })
}

fn profile(profile: &Profile, origin: &str, ticket: Option<String>) -> Value {
    let ArchiveView { format, minzoom, maxzoom, bounds, .. } = &profile.archive;
    let mut about = json!({
        "name": profile.name, "format": format, "minzoom": minzoom, "maxzoom": maxzoom, "bounds": bounds,
    });
    if let (Value::Object(fields), Some(ticket)) = (&mut about, ticket) {
        fields.insert("archive".to_owned(), archive(profile, origin, &ticket));
    }
    about
}

fn item(item: &Item, origin: &str, ticket: &impl Fn(&Item, &Profile) -> Option<String>) -> Value {
    let profiles = item.profiles.iter().map(|one| profile(one, origin, ticket(item, one)));
    json!({
        "id": item.id,
        "project_id": item.project_id,
        "name": item.name,
        "profiles": profiles.collect::<Vec<_>>(),
    })
}

/// Answer of `share.link.validate`: what the link opens, as far as viewers may know it. `ticket` gives those for archives, of a link
/// that permits to take them.
pub fn validated(live: &Live, origin: &str, ticket: impl Fn(&Item, &Profile) -> Option<String>) -> Answer {
    let (target_type, target) = match &live.target {
        TargetView::Collection(collection) => (
            "collection",
            json!({
                "id": collection.id,
                "project_id": collection.project_id,
                "name": collection.name,
                "items": collection.items.iter().map(|one| item(one, origin, &ticket)).collect::<Vec<_>>(),
            }),
        ),
        TargetView::Item(one) => ("item", item(one, origin, &ticket)),
        // Whoever calls has checked that it is a map.
        TargetView::Dashboard(_) | TargetView::DataProduct(_) | TargetView::Context(_) => ("", Value::Null),
    };
    let permission = live.share.permission.name();
    Answer::json(200, &json!({ "permission": permission, "target_type": target_type, "target": target }))
}

/// Tickets of one profile.
#[derive(Debug)]
pub struct Tickets {
    /// Stands in the addresses of tiles.
    pub tiles: String,
    /// Stands in the address of the archive, if the link permits to take it.
    pub archive: Option<String>,
}

/// Answer of `share.tilejson`: TileJSON 3.0.0, with addresses below `origin`.
pub fn tilejson(item: &Item, profile: &Profile, origin: &str, tickets: &Tickets) -> Answer {
    let Tickets { tiles: ticket, archive: whole } = tickets;
    let whole = whole.as_ref().map(|ticket| ("archive".to_owned(), archive(profile, origin, ticket)));
    let archive = &profile.archive;
    let ending = archive.format.name();
    let [west, south, east, north] = archive.bounds;
    let (longitude, latitude, zoom) = archive.center;
    let mut other = BTreeMap::from([
        ("format".to_owned(), json!(if archive.format.is_vector() { "pbf" } else { ending })),
        ("profile".to_owned(), json!(profile.name)),
        ("ticket_expires_in".to_owned(), json!(ticket::LIFE.as_secs())),
    ]);
    other.extend(whole);
    let tilejson = TileJSON {
        tilejson: "3.0.0".to_owned(),
        tiles: vec![format!("{origin}/v1/share/tiles/{ticket}/{{z}}/{{x}}/{{y}}.{ending}")],
        vector_layers: archive.format.is_vector().then(|| archive.layers.clone()),
        attribution: item.attribution.clone().or_else(|| archive.attribution.clone()),
        bounds: Some(Bounds::new(west, south, east, north)),
        center: Some(Center::new(longitude, latitude, zoom)),
        data: None,
        description: None,
        fillzoom: None,
        grids: None,
        legend: None,
        maxzoom: Some(archive.maxzoom),
        minzoom: Some(archive.minzoom),
        name: Some(item.name.clone()),
        scheme: Some("xyz".to_owned()),
        template: None,
        version: None,
        other,
    };
    Answer::json(200, &tilejson)
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::{body, places};
    use super::*;
    use crate::model::item::tests::item as item_of_tests;

    #[test]
    fn tiles_are_asked_by_whole_numbers() {
        let tile = |change: Value| {
            let mut fields = body(json!({ "token": "t", "password": "p", "z": 3, "x": 1, "y": 2 }));
            fields.extend(body(change));
            parse_tile(&fields)
        };
        let read = tile(json!({})).unwrap();
        assert_eq!((read.at, read.format), (Coordinates { z: 3, x: 1, y: 2 }, Format::Png));
        assert_eq!(tile(json!({ "format": "pbf", "profile": null })).unwrap().format, Format::Mvt);
        for number in [json!(-1), json!(1.0), json!(0.5), json!(1e3), json!("1"), json!(null), json!(true)] {
            for name in ["z", "x", "y"] {
                assert_eq!(places(tile(json!({ name: number }))), [format!("/{name}")], "{number}");
            }
        }
        for (change, place) in [
            (json!({ "z": 31 }), "/z"),
            (json!({ "x": 8 }), "/x"),
            (json!({ "y": 8 }), "/y"),
            (json!({ "x": u64::MAX }), "/x"),
            (json!({ "format": "gif" }), "/format"),
            (json!({ "format": null }), "/format"),
            (json!({ "profile": 1 }), "/profile"),
            (json!({ "token": 1 }), "/token"),
            (json!({ "password": null }), "/password"),
            (json!({ "token": "t".repeat(257) }), "/token"),
            (json!({ "item_id": "x" }), "/item_id"),
        ] {
            assert_eq!(places(tile(change)), [place]);
        }
        assert_eq!(places(parse_tile(&Map::new())), ["/token", "/z", "/x", "/y"]);
    }

    #[test]
    fn no_password_is_a_wrong_one_and_no_mistake() {
        for fields in [json!({ "token": "t" }), json!({ "token": "t", "password": "" })] {
            assert_eq!(parse_validate(&body(fields)).unwrap().password, None);
        }
    }

    #[test]
    fn a_tilejson_is_what_maps_expect() {
        let item = item_of_tests();
        let tickets =
            |archive: Option<&str>| Tickets { tiles: "T".to_owned(), archive: archive.map(str::to_owned) };
        let read = |name: &str| -> Value {
            let profile = item.profile(Some(name)).unwrap();
            let answer = tilejson(&item, profile, "https://s.example", &tickets(None));
            serde_json::from_slice(&answer.body).unwrap()
        };
        let vector = read("vector");
        assert_eq!(vector["tilejson"], "3.0.0");
        assert_eq!(vector["tiles"], json!(["https://s.example/v1/share/tiles/T/{z}/{x}/{y}.mvt"]));
        assert_eq!((&vector["minzoom"], &vector["maxzoom"]), (&json!(0), &json!(4)));
        assert_eq!(vector["bounds"], json!([-180.0, -85.0, 180.0, 85.0]));
        assert_eq!((&vector["scheme"], &vector["attribution"]), (&json!("xyz"), &json!("Natural Earth")));
        assert!(vector["vector_layers"].is_array() && vector["center"].is_array(), "{vector}");
        assert!(read("raster").get("vector_layers").is_none());
        assert!(vector.get("archive").is_none());
        let whole = tilejson(&item, &item.profiles[0], "https://s.example", &tickets(Some("A"))).body;
        let whole = String::from_utf8(whole).unwrap();
        assert!(whole.contains(r#""url":"https://s.example/v1/share/archives/A""#), "{whole}");
        assert!(!whole.contains("acme/"), "no key of the bucket: {whole}");
    }
}
