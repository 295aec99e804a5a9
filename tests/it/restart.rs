//! What outlives a restart, and what is changed while nothing runs: counts of tiles, objects that somebody else put into the
//! bucket, the switch that demands keys.

use crate::map::{Map, PASSWORD, archive, at, named, problem};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::stack::{within, within_a_day};
use tests::{Database, Stack};

crate::own_tests![counts_stay_and_settings_change];

fn counts_stay_and_settings_change() {
    within_a_day(Duration::from_mins(5));
    let mut stack = Stack::start(Database::Sqlite).expect("an installation");
    let mut map = Map::create(&stack);
    let counted = map.link(&json!({ "tile_budget": 2 }));
    let tiles = map.tiles(token(&counted), "raster");
    for x in [0, 1] {
        map.edge.get(&at(&tiles, 1, x, 0)).expect(200);
    }
    // Gates report every 10 s.
    within(Duration::from_secs(40), "the usage", || {
        (usage(&stack, &map)["days"][0]["tiles"] == 2).then_some(())
    });

    let key = format!("{}/own.pmtiles", map.tenant.slug);
    let folder = stack.state("edge");
    let put = |secrets| {
        put_object(&folder, &key, &archive(false));
        secrets
    };
    stack.restart_with(put).expect("both parts again");
    map.edge = stack.edge();

    problem(&map.edge.get(&at(&map.tiles(token(&counted), "raster"), 1, 0, 0)), 429);
    let told = usage(&stack, &map);
    assert_eq!(told["days"][0]["tiles"], 2, "nothing is counted twice");
    assert_eq!(told["spent"], json!([counted["id"]]));

    let own = json!({
        "project_id": map.project, "name": "Own", "profiles": [{ "name": "own", "key": key }],
    });
    let admin = stack.control().with_key(&map.tenant.key);
    let item = admin.post("/api/v1/items", &own).expect(201).json();
    let link = map.link(&json!({ "target_id": item["id"] }));
    let tile = map.edge.get(&at(&map.tiles(token(&link), "own"), 2, 1, 1)).expect(200);
    assert_eq!(tile.body, named(false, 2, 1, 1));

    stack
        .restart_with(|secrets| format!("{secrets}\nREDEEM_REQUIRES_BEARER=true\n"))
        .expect("both parts again");
    map.edge = stack.edge();
    keys_are_demanded_of_all_but_the_page(&map, &link);
}

fn keys_are_demanded_of_all_but_the_page(map: &Map, link: &Value) {
    let body = json!({ "token": token(link), "password": PASSWORD, "z": 0, "x": 0, "y": 0 });
    for operation in ["share.link.validate", "share.tilejson", "share.tile.render"] {
        let path = format!("/v1/op/{operation}");
        problem(&map.edge.post(&path, &body), 401);
        map.owner().post(&path, &body).expect(200);
    }
    let unlock = format!("/api/v1/public/shares/{}/unlock", token(link));
    let unlocked = map.edge.post(&unlock, &json!({ "password": PASSWORD })).expect(200);
    let grant = unlocked.header("set-cookie").split(';').next().unwrap_or_default();
    let body = json!({ "token": token(link) }).to_string();
    let headers = [("content-type", "application/json"), ("cookie", grant)];
    let described =
        map.edge.send("POST", "/v1/share/tilejson", &headers, Some(body.as_bytes())).expect(200).json();
    let tiles =
        described["tiles"][0].as_str().expect("an address").strip_prefix(map.edge.origin()).expect("ours");
    map.edge.get(&at(tiles, 0, 0, 0)).expect(200);
    // Neither does another link's grant spare anybody the key, under whatever name.
    let other = map.link(&json!({}));
    let unlock = format!("/api/v1/public/shares/{}/unlock", token(&other));
    let unlocked = map.edge.post(&unlock, &json!({ "password": PASSWORD })).expect(200);
    let (_, foreign) = unlocked.header("set-cookie").split_once('=').expect("a cookie");
    let (name, _) = grant.split_once('=').expect("a cookie");
    for cookie in ["a=b".to_owned(), format!("{name}={}", foreign.split(';').next().unwrap_or_default())] {
        let headers = [("content-type", "application/json"), ("cookie", cookie.as_str())];
        problem(&map.edge.send("POST", "/v1/share/tilejson", &headers, Some(body.as_bytes())), 401);
    }
}

fn token(link: &Value) -> &str {
    link["token"].as_str().expect("a token")
}

fn usage(stack: &Stack, map: &Map) -> Value {
    stack.control().with_key(&map.tenant.key).get("/api/v1/usage").expect(200).json()
}

/// Puts an object into the bucket as its owner would, by Cloudflare's own tool.
fn put_object(bucket: &Path, key: &str, bytes: &[u8]) {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("a file");
    let output = Command::new(variable("NODE_BIN"))
        .arg(variable("WRANGLER_JS"))
        .args(["r2", "object", "put", &format!("postern-tiles/{key}"), "--local", "--file"])
        .arg(file.path())
        .arg("--persist-to")
        .arg(bucket)
        .current_dir("..")
        .env("CI", "1")
        .env("WRANGLER_SEND_METRICS", "false")
        .output()
        .expect("wrangler runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
