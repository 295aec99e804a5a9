//! A map of a test's own: an organization, archives that it uploads, an item and a collection, and links to them.

use crate::tenant::Tenant;
use flate2::Compression as Level;
use flate2::write::GzEncoder;
use pmtiles::{Compression, PmTilesWriter, TileCoord, TileType};
use serde_json::{Value, json};
use shared::time::Millis;
use std::io::{Cursor, Write as _};
use tests::signed::now;
use tests::{Client, Reply, Stack};

/// The password of every link here.
pub const PASSWORD: &str = "correct horse";

/// An instant as bodies have it.
pub fn in_days(days: i64) -> String {
    Millis(now().0 + days * 24 * 3_600 * 1_000).to_rfc3339()
}

/// See the module.
pub struct Map {
    pub tenant: Tenant,
    pub project: String,
    pub collection: String,
    pub item: String,
    pub edge: Client,
}

/// Tiles of zooms 0 to 3, but for the last of each zoom; each names itself.
pub fn archive(vector: bool) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let (kind, metadata) = if vector {
        (
            TileType::Mvt,
            json!({ "vector_layers": [{ "id": "land", "fields": {} }], "attribution": "Natural Earth" }),
        )
    } else {
        (TileType::Png, json!({}))
    };
    let compression = if vector { Compression::Gzip } else { Compression::None };
    let mut writer = PmTilesWriter::new(kind)
        .tile_compression(compression)
        .max_zoom(3)
        .metadata(metadata.to_string())
        .create(&mut file)
        .expect("a writer");
    for z in 0..=3_u8 {
        for (x, y) in (0..1_u32 << z).flat_map(|x| (0..1_u32 << z).map(move |y| (x, y))) {
            if z > 0 && (x, y) == ((1 << z) - 1, (1 << z) - 1) {
                continue;
            }
            let at = TileCoord::new(z, x, y).expect("a place");
            writer.add_tile(at, &named(vector, z, x, y)).expect("a tile");
        }
    }
    writer.finalize().expect("an archive");
    file.into_inner()
}

/// One tile of pictures, at the top.
pub fn picture(kind: TileType, tile: &[u8]) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let writer = PmTilesWriter::new(kind).tile_compression(Compression::None).max_zoom(0);
    let mut writer = writer.metadata("{}").create(&mut file).expect("a writer");
    writer.add_tile(TileCoord::new(0, 0, 0).expect("a place"), tile).expect("a tile");
    writer.finalize().expect("an archive");
    file.into_inner()
}

/// What stands in a tile.
pub fn named(vector: bool, z: u8, x: u32, y: u32) -> Vec<u8> {
    format!("{} {z}/{x}/{y}", if vector { "vector" } else { "raster" }).into_bytes()
}

pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    shared::app::archive::inflate(bytes).expect("gzip")
}

/// As others compress.
pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder.write_all(plain).expect("memory");
    encoder.finish().expect("memory")
}

impl Map {
    /// Makes one.
    #[track_caller]
    pub fn create(stack: &Stack) -> Self {
        let tenant = Tenant::create(stack);
        let id = |path: &str, body: &Value| {
            let made = tenant.admin.post(path, body).expect(201).json();
            made["id"].as_str().expect("an id").to_owned()
        };
        let project = id("/api/v1/projects", &json!({ "name": "Atlas" }));
        let collection = id("/api/v1/collections", &json!({ "project_id": project, "name": "Maps" }));
        let [vector, raster] = [true, false].map(|vector| {
            let uploaded = upload(&tenant.admin, &archive(vector)).expect(201).json();
            uploaded["key"].as_str().expect("a key").to_owned()
        });
        let item = id(
            "/api/v1/items",
            &json!({
                "project_id": project, "collection_id": collection, "name": "World",
                "profiles": [{ "name": "raster", "key": raster }, { "name": "vector", "key": vector }],
            }),
        );
        // Each test has a network of its own, and with it what a network may ask.
        let digits = u128::from_str_radix(&item.replace('-', ""), 16).expect("an id");
        let [.., a, b, c] = digits.to_be_bytes();
        let edge = stack.edge().from(&format!("10.{a}.{b}.{c}"));
        Self { tenant, project, collection, item, edge }
    }

    /// Makes a link at the edge, with more fields or other ones.
    #[track_caller]
    pub fn link(&self, more: &Value) -> Value {
        let mut body = json!({
            "target_type": "item", "target_id": self.item, "password": PASSWORD,
            "expires_at": in_days(1),
        });
        for (name, value) in more.as_object().expect("fields") {
            body[name] = value.clone();
        }
        let link = self.owner().post("/v1/share/link/create", &body).expect(200).json();
        assert_eq!(link["effective"], "live", "{link}");
        link
    }

    /// Its owner at the edge.
    pub fn owner(&self) -> Client {
        self.edge.with_key(&self.tenant.key)
    }

    /// Calls an operation as a visitor with the right password.
    pub fn visit(&self, operation: &str, token: &str, more: &Value) -> Reply {
        let mut body = json!({ "token": token, "password": PASSWORD });
        for (name, value) in more.as_object().expect("fields") {
            body[name] = value.clone();
        }
        self.edge.post(&format!("/v1/op/{operation}"), &body)
    }

    /// The path of tiles, with `{z}` and so on to be filled in.
    #[track_caller]
    pub fn tiles(&self, token: &str, profile: &str) -> String {
        let tilejson = self.visit("share.tilejson", token, &json!({ "profile": profile })).expect(200).json();
        let url = tilejson["tiles"][0].as_str().expect("an address").to_owned();
        url.strip_prefix(self.edge.origin()).expect("absolute, at the edge").to_owned()
    }
}

/// A tile's path.
pub fn at(tiles: &str, z: u8, x: u32, y: u32) -> String {
    tiles.replace("{z}", &z.to_string()).replace("{x}", &x.to_string()).replace("{y}", &y.to_string())
}

/// Uploads an archive.
pub fn upload(admin: &Client, archive: &[u8]) -> Reply {
    admin.send("POST", "/api/v1/archives", &[("content-type", "application/vnd.pmtiles")], Some(archive))
}

/// Checks a problem of RFC 9457.
#[track_caller]
pub fn problem(reply: &Reply, status: u16) -> Value {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let body = reply.json();
    assert_eq!((&body["type"], &body["status"]), (&json!("about:blank"), &json!(status)), "{body}");
    for field in ["title", "detail"] {
        assert!(body[field].as_str().is_some_and(|words| !words.is_empty()), "{body}");
    }
    body
}

/// Checks a 422 that names one place.
#[track_caller]
pub fn invalid(reply: &Reply, place: &str) {
    assert_eq!(reply.status, 422, "{}", reply.text());
    let body = reply.json();
    assert_eq!(body["detail"][0]["loc"], json!(["body", place]), "{body}");
    for field in ["msg", "type"] {
        assert!(body["detail"][0][field].is_string(), "{body}");
    }
}
