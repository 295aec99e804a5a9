//! The operation dialect (seed 002): shapes of its five operations, checked as its published clients expect. API.md 2.1 to 2.15.
//! Fields that nobody knows are passed over, as the vendor's own server does.

pub mod error;

use super::{Answer, is_json};
use crate::error::Flaw;
use crate::model::item::{ArchiveView, Item, Profile};
use crate::model::limits::Limits;
use crate::model::meter::MAX_BUDGET;
use crate::model::password::Typed;
use crate::model::share::{Permission, Share, TargetKind, check_expiry};
use crate::model::ticket;
use crate::model::tile::{Coordinates, Format};
use crate::model::usage::Usage;
use crate::replica::{Live, TargetView};
use crate::time::Millis;
use crate::{Error, Result, json};
use pmtiles::tilejson::{Bounds, Center, TileJSON};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How the ids of links begin. Another dialect's are none here.
const LINK_PREFIX: &str = "lnk_";
/// Shortest password of a new link, in characters.
const MIN_PASSWORD_CHARS: usize = 8;
/// Longest text that is read of a token.
const MAX_TOKEN_BYTES: usize = 256;
/// What the contract's validator says of a field that is not there.
pub(super) const MISSING: &str = "Field required";

/// Reads a request's body.
///
/// # Errors
/// [`Error::UnsupportedMediaType`], [`Error::Malformed`], [`Error::Invalid`].
pub fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Map<String, Value>> {
    if !is_json(content_type) {
        return Err(Error::UnsupportedMediaType);
    }
    json::parse_object(body)
}

/// Fields of a body, and what is wrong with them.
struct Fields<'a> {
    body: &'a Map<String, Value>,
    flaws: Vec<Flaw>,
}

impl<'a> Fields<'a> {
    const fn of(body: &'a Map<String, Value>) -> Self {
        Self { body, flaws: Vec::new() }
    }

    fn flaw(&mut self, name: &str, message: impl Into<String>) {
        self.flaws.push(Flaw::new(format!("/{name}"), message));
    }

    /// A field that must be there; `read` gives `None` for what it is not.
    fn required<T>(
        &mut self,
        name: &str,
        words: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let Some(value) = self.body.get(name) else {
            self.flaw(name, MISSING);
            return None;
        };
        let read = read(value);
        if read.is_none() {
            self.flaw(name, words);
        }
        read
    }

    /// A field that need not be there, nor say anything.
    fn optional<T>(
        &mut self,
        name: &str,
        words: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        match self.body.get(name) {
            None | Some(Value::Null) => None,
            Some(_) => self.required(name, words, read),
        }
    }

    /// Adds the flaws of a check.
    fn check<T>(&mut self, checked: Result<T>) -> Result<Option<T>> {
        match checked {
            Ok(value) => Ok(Some(value)),
            Err(Error::Invalid(flaws)) => {
                self.flaws.extend(flaws);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn done<T>(self, made: Option<T>) -> Result<T> {
        match made {
            Some(made) if self.flaws.is_empty() => Ok(made),
            _ => Err(Error::Invalid(self.flaws)),
        }
    }
}

fn uuid(value: &Value) -> Option<Uuid> {
    let text = value.as_str().filter(|text| text.len() == 36)?;
    Uuid::parse_str(text).ok()
}

/// `share.link.create`, checked but for its password and its target.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLink {
    /// An item or a collection.
    pub kind: TargetKind,
    /// Its id. What has not the shape of one names nothing.
    pub target: Option<Uuid>,
    /// What visitors may do.
    pub permission: Permission,
    /// As it was typed.
    pub password: Typed,
    /// In the future.
    pub expires_at: Millis,
    /// An extension: tiles that the link gives a day.
    pub tile_budget: Option<u64>,
}

impl NewLink {
    /// Reads one; `limits` are the organization's.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming each field that is wrong.
    pub fn read(body: &Map<String, Value>, limits: &Limits, now: Millis) -> Result<Self> {
        let mut fields = Fields::of(body);
        let kind = fields.required("target_type", "Input should be 'item' or 'collection'", |value| {
            match value.as_str()? {
                "item" => Some(TargetKind::Item),
                "collection" => Some(TargetKind::Collection),
                _ => None,
            }
        });
        let target = fields.required("target_id", "Input should be a valid string", |value| {
            value.as_str().map(|_| uuid(value))
        });
        let permission = fields
            .optional("permission", "Input should be 'view' or 'download'", |value| {
                Permission::parse(value.as_str()?)
            })
            .unwrap_or_default();
        let password = fields.required("password", "String should have at least 8 characters", |value| {
            value.as_str().filter(|text| text.chars().count() >= MIN_PASSWORD_CHARS)
        });
        let instant = "Input should be a date-time of RFC 3339, with its offset";
        let expires_at =
            fields.required("expires_at", instant, |value| Millis::parse_rfc3339(value.as_str()?));
        if expires_at.is_some() {
            let checked = check_expiry(expires_at, now).and_then(|()| limits.check_expiry(expires_at, now));
            fields.check(checked)?;
        }
        let tile_budget = fields.optional("tile_budget", "Input should be 1 to 1000000000", |value| {
            value.as_u64().filter(|budget| (1..=MAX_BUDGET).contains(budget))
        });
        let made = (|| {
            let password = Typed(password?.to_owned());
            Some(Self {
                kind: kind?,
                target: target?,
                permission,
                password,
                expires_at: expires_at?,
                tile_budget,
            })
        })();
        fields.done(made)
    }
}

/// Answer of `share.link.create`.
#[derive(Debug, Serialize)]
pub struct LinkOut {
    /// Its id.
    pub id: String,
    /// The link's token; in this answer alone.
    pub token: Option<String>,
    /// `item` or `collection`.
    pub target_type: &'static str,
    /// Its id.
    pub target_id: Uuid,
    /// What visitors may do.
    pub permission: &'static str,
    /// Who shares.
    pub organization_id: Uuid,
    /// The project of what is shared.
    pub project_id: Uuid,
    /// RFC 3339.
    pub expires_at: Option<String>,
    /// RFC 3339, or null.
    pub revoked_at: Option<String>,
    /// Right passwords.
    pub access_count: u64,
    /// RFC 3339, or null.
    pub last_accessed_at: Option<String>,
    /// Who made it.
    pub created_by: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// An extension: the page.
    pub url: Option<String>,
    /// An extension: `live` when the edge serves the link.
    pub effective: &'static str,
}

impl LinkOut {
    /// Renders a link with its token and page.
    pub fn new(
        share: &Share,
        project_id: Uuid,
        link: Option<(String, String)>,
        (pending, usage): (bool, &Usage),
        created_by: String,
    ) -> Self {
        let (token, url) = link.unzip();
        Self {
            id: link_id(share.id),
            token,
            target_type: type_name(share.target.kind),
            target_id: share.target.id,
            permission: share.permission.name(),
            organization_id: share.organization_id,
            project_id,
            expires_at: share.expires_at.map(Millis::to_rfc3339),
            revoked_at: share.revoked_at.map(Millis::to_rfc3339),
            access_count: usage.accesses,
            last_accessed_at: usage.last_opened_at.map(Millis::to_rfc3339),
            created_by: Some(created_by),
            created_at: share.created_at.to_rfc3339(),
            url,
            effective: if pending { "pending" } else { "live" },
        }
    }
}

const fn type_name(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Collection => "collection",
        _ => "item",
    }
}

/// A link's id as this dialect writes it.
pub fn link_id(share: Uuid) -> String {
    format!("{LINK_PREFIX}{}", share.simple())
}

/// The link that a `share.link.revoke` names.
///
/// # Errors
/// [`Error::Invalid`] without a text, [`Error::NotFound`] for what has not the shape of an id of ours.
pub fn parse_revoke(body: &Map<String, Value>) -> Result<Uuid> {
    let mut fields = Fields::of(body);
    let id = fields.required("link_id", "Input should be a valid string", Value::as_str);
    let text = fields.done(id)?;
    let digits = text.strip_prefix(LINK_PREFIX).filter(|digits| {
        digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    });
    digits.and_then(|digits| Uuid::try_parse(digits).ok()).ok_or(Error::NotFound("link"))
}

/// Answer of `share.link.revoke`.
#[derive(Debug, Serialize)]
pub struct RevokedOut {
    /// Always.
    pub ok: bool,
    /// The link.
    pub id: String,
    /// An extension: `live` when no request that begins now is served, `pending` while the edge is out of reach.
    pub effective: &'static str,
}

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

fn profile(profile: &Profile) -> Value {
    let ArchiveView { format, minzoom, maxzoom, bounds, .. } = &profile.archive;
    json!({ "name": profile.name, "format": format, "minzoom": minzoom, "maxzoom": maxzoom, "bounds": bounds })
}

fn item(item: &Item) -> Value {
    json!({
        "id": item.id,
        "project_id": item.project_id,
        "name": item.name,
        "profiles": item.profiles.iter().map(profile).collect::<Vec<_>>(),
    })
}

/// Answer of `share.link.validate`: what the link opens, as far as viewers may know it.
pub fn validated(live: &Live) -> Answer {
    let (target_type, target) = match &live.target {
        TargetView::Collection(collection) => (
            "collection",
            json!({
                "id": collection.id,
                "project_id": collection.project_id,
                "name": collection.name,
                "items": collection.items.iter().map(item).collect::<Vec<_>>(),
            }),
        ),
        TargetView::Item(one) => ("item", item(one)),
        // Whoever calls has checked that it is a map.
        TargetView::Dashboard(_) | TargetView::DataProduct(_) | TargetView::Context(_) => ("", Value::Null),
    };
    let permission = live.share.permission.name();
    Answer::json(200, &json!({ "permission": permission, "target_type": target_type, "target": target }))
}

/// Answer of `share.tilejson`: TileJSON 3.0.0. `ticket` stands in the tiles' addresses, below `origin`.
pub fn tilejson(item: &Item, profile: &Profile, origin: &str, ticket: &str) -> Answer {
    let archive = &profile.archive;
    let ending = archive.format.name();
    let [west, south, east, north] = archive.bounds;
    let (longitude, latitude, zoom) = archive.center;
    let other = BTreeMap::from([
        ("format".to_owned(), json!(if archive.format.is_vector() { "pbf" } else { ending })),
        ("profile".to_owned(), json!(profile.name)),
        ("ticket_expires_in".to_owned(), json!(ticket::LIFE.as_secs())),
    ]);
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
    use super::*;
    use crate::model::item::tests::item as item_of_tests;

    fn body(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(fields) => fields,
            other => panic!("{other}"),
        }
    }

    /// Places of what is wrong.
    fn places<T: std::fmt::Debug>(outcome: Result<T>) -> Vec<String> {
        match outcome {
            Err(Error::Invalid(flaws)) => flaws.into_iter().map(|flaw| flaw.pointer).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn link(change: &[(&str, Value)]) -> Result<NewLink> {
        let mut fields = body(json!({
            "target_type": "item", "target_id": "00000000-0000-0000-0000-00000000000b",
            "password": "correct horse", "expires_at": "1970-01-01T00:00:10Z",
        }));
        for (name, value) in change {
            fields.insert((*name).to_owned(), value.clone());
        }
        fields.retain(|_, value| *value != json!("absent"));
        NewLink::read(&fields, &Limits::default(), Millis(5_000))
    }

    #[test]
    fn a_link_is_read_and_each_mistake_is_named() {
        let read = link(&[]).unwrap();
        assert_eq!(
            (read.kind, read.permission, read.tile_budget),
            (TargetKind::Item, Permission::View, None)
        );
        assert_eq!(link(&[("target_id", json!("nonsense"))]).unwrap().target, None);
        assert_eq!(link(&[("surplus", json!(1))]).unwrap(), read);
        let wrong: [(&str, Value); 12] = [
            ("target_type", json!("dashboard")),
            ("target_type", json!("absent")),
            ("target_id", json!(7)),
            ("permission", json!("edit")),
            ("password", json!("seven77")),
            ("password", json!(12_345_678)),
            ("password", json!("absent")),
            ("expires_at", json!("tomorrow")),
            ("expires_at", json!("1970-01-01T00:00:05Z")),
            ("expires_at", json!("absent")),
            ("tile_budget", json!(0)),
            ("tile_budget", json!(1.5)),
        ];
        for (name, value) in wrong {
            assert_eq!(places(link(&[(name, value.clone())])), [format!("/{name}")], "{value}");
        }
        let empty = places(NewLink::read(&Map::new(), &Limits::default(), Millis(0)));
        assert_eq!(empty, ["/target_type", "/target_id", "/password", "/expires_at"]);
        let capped = Limits { max_life_seconds: Some(1), ..Limits::default() };
        let far = body(json!({
            "target_type": "item", "target_id": "x", "password": "correct horse", "expires_at": "2999-01-01T00:00:00Z"
        }));
        assert_eq!(places(NewLink::read(&far, &capped, Millis(0))), ["/expires_at"]);
    }

    #[test]
    fn only_ids_of_this_dialect_name_a_link() {
        let id = Uuid::from_u128(7);
        let read = |id: &str| parse_revoke(&body(json!({ "link_id": id })));
        assert_eq!(read(&link_id(id)), Ok(id));
        let (psl, upper) = (link_id(id).replace("lnk_", "psl_"), link_id(id).to_uppercase());
        for foreign in ["", "lnk_", &id.to_string(), &psl, &upper, &format!("lnk_{id}"), "lnk_../../x"] {
            assert_eq!(read(foreign), Err(Error::NotFound("link")), "{foreign}");
        }
        assert_eq!(places(parse_revoke(&body(json!({ "link_id": 7 })))), ["/link_id"]);
    }

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
        let read = |name: &str| -> Value {
            let answer = tilejson(&item, item.profile(Some(name)).unwrap(), "https://s.example", "T");
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
        assert!(
            !String::from_utf8(tilejson(&item, &item.profiles[0], "", "").body).unwrap().contains("acme/")
        );
    }
}
