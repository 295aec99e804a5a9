//! Demo data: an organization, a data source of real rows, a dashboard over it, a data product of other real rows, maps of real
//! geography, and a share of each.
//!
//! Everything goes the way that an administrator's program takes: the command line for the first key,
//! then the API.

pub(crate) mod atlas;
pub(crate) mod map;

use std::{path::Path, process::Command};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use self::{atlas::Atlas, map::Maps};
use crate::{dev, http, process, setup::NpmPackages};

/// The dashboard's definition, without the id of its data source.
const DEFINITION: &str = include_str!("../demo/weather.json");
const ORGANIZATION: &str = "harbour-weather";
const DATA_FILE: &str = "weather.db";
const MEMBER: &str = "pilot@example.com";

/// What was seeded.
pub(crate) struct Demo {
    pub(crate) api_key: String,
    pub(crate) company_slug: String,
    pub(crate) dashboard_id: String,
    pub(crate) share_id: String,
    pub(crate) share_token: String,
    pub(crate) data_product_id: String,
    pub(crate) data_product_token: String,
    pub(crate) share_context_id: String,
    /// Who may sign in at the portal.
    pub(crate) member: String,
    pub(crate) maps: Maps,
}

impl Demo {
    /// Reads the fields of `dev.json` that belong to the demo.
    pub(crate) fn from_json(description: &Value) -> Option<Self> {
        let text = |name: &str| Some(description.get(name)?.as_str()?.to_owned());
        Some(Self {
            api_key: text("api_key")?,
            company_slug: text("company_slug")?,
            dashboard_id: text("dashboard_id")?,
            share_id: text("share_id")?,
            share_token: text("share_token")?,
            data_product_id: text("data_product_id")?,
            data_product_token: text("data_product_token")?,
            share_context_id: text("share_context_id")?,
            member: text("member")?,
            maps: Maps::from_json(description)?,
        })
    }

    /// Where members sign in, at the edge's present address.
    pub(crate) fn portal_url(&self, edge_url: &str) -> String {
        format!("{edge_url}/portal/{}", self.company_slug)
    }

    /// The link, at the edge's present address.
    pub(crate) fn share_url(&self, edge_url: &str) -> String {
        format!("{edge_url}/share/{}", self.share_token)
    }

    /// The link to the map, at the edge's present address.
    pub(crate) fn item_url(&self, edge_url: &str) -> String {
        format!("{edge_url}/share/{}", self.maps.item_token)
    }

    /// The link to all maps, at the edge's present address.
    pub(crate) fn collection_url(&self, edge_url: &str) -> String {
        format!("{edge_url}/share/{}", self.maps.collection_token)
    }

    /// The link to the data product, at the edge's present address.
    pub(crate) fn product_url(&self, edge_url: &str) -> String {
        format!("{edge_url}/share/{}", self.data_product_token)
    }
}

/// Seeds an empty installation. `postern` gives the command line's program with its environment.
pub(crate) fn seed(
    control_url: &str,
    data: &Path,
    atlas: &Atlas,
    postern: impl Fn() -> Result<Command>,
) -> Result<Demo> {
    process::progress("Seeding demo data");
    write_data(&data.join(DATA_FILE))?;
    let key = create_key(postern()?)?;
    let api_key = text(&key, "/key")?;

    let post = |path: &str, body: &Value| http::post(&format!("{control_url}/api/v1{path}"), &api_key, body);
    let source = json!({ "name": "Weather observations", "kind": "sqlite", "file": DATA_FILE });
    let source = post("/data-sources", &source)?;
    let mut definition: Value = serde_json::from_str(DEFINITION).context("weather.json is no JSON")?;
    if let Some(fields) = definition.as_object_mut() {
        fields.insert("data_source_id".to_owned(), json!(text(&source, "/id")?));
    }
    let dashboard = post("/dashboards", &definition)?;
    let dashboard_id = text(&dashboard, "/id")?;
    let share = json!({ "name": "Public link", "share_type": "link" });
    let share = post(&format!("/dashboards/{dashboard_id}/shares"), &share)?;
    let (data_product_id, data_product_token) = seed_product(control_url, &api_key)?;
    let maps = map::seed(control_url, &api_key, atlas)?;
    let context = json!({ "name": "Harbour pilots", "description": "Whoever has to know the weather" });
    let context = post("/share-contexts", &context)?;
    let share_context_id = text(&context, "/id")?;
    let member = json!({ "member_type": "external_email", "email": MEMBER });
    post(&format!("/share-contexts/{share_context_id}/members"), &member)?;
    let bound = json!({ "name": "For pilots", "share_type": "link", "share_context_id": share_context_id });
    post(&format!("/dashboards/{dashboard_id}/shares"), &bound)?;
    Ok(Demo {
        share_context_id,
        member: MEMBER.to_owned(),
        company_slug: text(&key, "/organization/slug")?,
        share_id: text(&share, "/id")?,
        share_token: text(&share, "/token")?,
        api_key,
        dashboard_id,
        data_product_id,
        data_product_token,
        maps,
    })
}

/// A data product of a published table of 10,000 rows, and its link.
fn seed_product(control_url: &str, api_key: &str) -> Result<(String, String)> {
    let about = json!({
        "name": "Birds struck by aircraft",
        "description": "Reports to the FAA Wildlife Strike Database, as published with vega-datasets.",
    });
    let product = http::post(&format!("{control_url}/api/v1/data-products"), api_key, &about)?;
    let id = text(&product, "/id")?;
    let table = NpmPackages::folder().join("vega-datasets/data/birdstrikes.csv");
    http::put_file(&format!("{control_url}/api/v1/data-products/{id}/file"), api_key, "text/csv", &table)?;
    let share = http::post(&format!("{control_url}/v1/data-products/{id}/share"), api_key, &json!({}))?;
    Ok((id, text(&share, "/share/token")?))
}

/// Converts the published table into a SQLite file.
fn write_data(path: &Path) -> Result<()> {
    let table = NpmPackages::folder().join("vega-datasets/data/weather.csv");
    process::run_quietly(process::command(dev::program("examples/demo_data")?).arg(table).arg(path))
}

fn create_key(mut postern: Command) -> Result<Value> {
    postern
        .args(["keys", "create", "--json", "--name", "dev", "--organization", ORGANIZATION])
        .args(["--organization-name", "Harbour Weather"]);
    for scope in ["shares:read", "shares:write", "content:read", "content:write", "organization:write"] {
        postern.args(["--scope", scope]);
    }
    let output = process::output(&mut postern)?;
    serde_json::from_str(&output).context("`postern keys create --json` prints no JSON")
}

fn text(answer: &Value, pointer: &str) -> Result<String> {
    let value = answer.pointer(pointer).and_then(Value::as_str);
    value.map(str::to_owned).with_context(|| format!("no {pointer} in {answer}"))
}
