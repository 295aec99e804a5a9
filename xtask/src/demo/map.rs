//! The demo's maps: two items in a collection of a project, and a link to one of them and to all.

use jiff::{SignedDuration, Timestamp};
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::{atlas::Atlas, text};
use crate::http;

/// Opens both links.
pub(crate) const PASSWORD: &str = "open harbour";
/// Every link to a map ends, within a year.
const LIFE: SignedDuration = SignedDuration::from_hours(364 * 24);

/// What was seeded.
pub(crate) struct Maps {
    pub(crate) item_id: String,
    pub(crate) item_token: String,
    pub(crate) collection_id: String,
    pub(crate) collection_token: String,
}

impl Maps {
    /// Reads the fields of `dev.json` that belong to maps.
    pub(crate) fn from_json(description: &Value) -> Option<Self> {
        let text = |name: &str| Some(description.get(name)?.as_str()?.to_owned());
        Some(Self {
            item_id: text("item_id")?,
            item_token: text("item_token")?,
            collection_id: text("collection_id")?,
            collection_token: text("collection_token")?,
        })
    }
}

/// Seeds them.
pub(super) fn seed(control_url: &str, api_key: &str, atlas: &Atlas) -> Result<Maps> {
    let post = |path: &str, body: &Value| http::post(&format!("{control_url}{path}"), api_key, body);
    let id = |path: &str, body: &Value| text(&post(path, body)?, "/id");
    let upload = |archive: &Path| {
        let url = format!("{control_url}/api/v1/archives");
        text(&http::post_file(&url, api_key, "application/vnd.pmtiles", archive)?, "/key")
    };
    let project_id = id("/api/v1/projects", &json!({ "name": "Charts" }))?;
    let collection = json!({ "project_id": project_id, "name": "Pilot's charts" });
    let collection_id = id("/api/v1/collections", &collection)?;
    let item = |name: &str, profiles: Value| {
        let body = json!({
            "project_id": project_id, "collection_id": collection_id, "name": name, "profiles": profiles,
        });
        id("/api/v1/items", &body)
    };
    let countries = json!([
        { "name": "shapes", "key": upload(&atlas.countries())? },
        { "name": "drawn", "key": upload(&atlas.countries_drawn())? },
    ]);
    let item_id = item("Countries", countries)?;
    item("Airports", json!([{ "name": "places", "key": upload(&atlas.airports())? }]))?;
    let expires_at = Timestamp::now().saturating_add(LIFE)?.to_string();
    let link = |kind: &str, target: &str| {
        let body = json!({
            "target_type": kind, "target_id": target, "permission": "download",
            "password": PASSWORD, "expires_at": expires_at,
        });
        text(&post("/v1/share/link/create", &body)?, "/token")
    };
    Ok(Maps {
        item_token: link("item", &item_id)?,
        collection_token: link("collection", &collection_id)?,
        item_id,
        collection_id,
    })
}
