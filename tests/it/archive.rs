//! Archives of maps that visitors take away: by permission, whole or by range.

use crate::map::{Map, archive, at, problem};
use serde_json::{Value, json};
use std::time::Duration;
use tests::{Reply, Stack, stack::within};

crate::tests![
    an_archive_is_taken_whole_and_by_range,
    an_archive_is_taken_by_permission_alone,
    a_taken_archive_counts_for_its_sharer,
];

fn get(map: &Map, path: &str, headers: &[(&str, &str)]) -> Reply {
    map.edge.send("GET", path, headers, None)
}

fn token(link: &Value) -> &str {
    link["token"].as_str().expect("a token")
}

/// The path by which a link's visitor takes the archive of a profile.
#[track_caller]
fn path(map: &Map, link: &Value, profile: &str) -> String {
    let described =
        map.visit("share.tilejson", token(link), &json!({ "profile": profile })).expect(200).json();
    let url = described["archive"]["url"].as_str().expect("an address");
    url.strip_prefix(map.edge.origin()).expect("at the edge").to_owned()
}

fn an_archive_is_taken_whole_and_by_range(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({ "permission": "download" }));
    let bytes = archive(true);
    let path = path(&map, &link, "vector");
    let whole = get(&map, &path, &[]).expect(200);
    assert!(whole.body == bytes, "other bytes than were uploaded");
    for (name, value) in [
        ("content-type", "application/vnd.pmtiles"),
        ("content-disposition", "attachment; filename=\"world-vector.pmtiles\""),
        ("accept-ranges", "bytes"),
        ("cache-control", "private, no-cache"),
        ("x-content-type-options", "nosniff"),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(whole.header(name), value, "{name}");
    }
    let last = bytes.len() - 1;
    for (range, first, end) in [
        ("bytes=0-126", 0, 126),
        ("bytes=127-", 127, last),
        ("bytes=-10", last - 9, last),
        (&format!("bytes=5-{}", u64::MAX / 4), 5, last),
    ] {
        let part = get(&map, &path, &[("range", range)]).expect(206);
        assert!(part.body == bytes[first..=end], "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {first}-{end}/{}", bytes.len()), "{range}");
    }
    for nowhere in ["bytes=99999999-", "bytes=9-1"] {
        let beyond = get(&map, &path, &[("range", nowhere)]).expect(416);
        assert_eq!(beyond.header("content-range"), format!("bytes */{}", bytes.len()));
    }
    // What is no single range is none.
    for range in ["bytes=0-1,5-6", "tiles=0-1", "nonsense"] {
        assert!(get(&map, &path, &[("range", range)]).expect(200).body == bytes, "{range}");
    }
    let tag = whole.header("etag").to_owned();
    let again = get(&map, &path, &[("if-none-match", &tag)]).expect(304);
    assert_eq!((again.body.len(), again.header("etag")), (0, tag.as_str()));
    get(&map, &path, &[("range", "bytes=0-9"), ("if-range", &tag)]).expect(206);
    get(&map, &path, &[("range", "bytes=0-9"), ("if-range", "\"other\"")]).expect(200);
    let head = map.edge.send("HEAD", &path, &[], None).expect(200);
    assert_eq!((head.body.len(), head.header("content-length")), (0, bytes.len().to_string().as_str()));
    problem(&map.edge.post(&path, &json!({})), 405);
    assert_eq!(map.edge.send("OPTIONS", &path, &[], None).status, 204);
}

fn an_archive_is_taken_by_permission_alone(stack: &Stack) {
    let map = Map::create(stack);
    let (viewed, taken) = (map.link(&json!({})), map.link(&json!({ "permission": "download" })));
    let described = |link: &Value| map.visit("share.tilejson", token(link), &json!({})).expect(200).json();
    assert_eq!(described(&viewed)["archive"], Value::Null);
    let opened = |link: &Value| map.visit("share.link.validate", token(link), &json!({})).expect(200).json();
    let profiles = |opened: &Value| opened["target"]["profiles"].as_array().expect("profiles").clone();
    assert!(profiles(&opened(&viewed)).iter().all(|profile| profile["archive"] == Value::Null));
    for profile in profiles(&opened(&taken)) {
        let url = profile["archive"]["url"].as_str().expect("an address");
        let found = get(&map, url.strip_prefix(map.edge.origin()).unwrap(), &[]).expect(200);
        assert_eq!(profile["archive"]["bytes"], json!(found.body.len()));
    }
    // A ticket for tiles takes no archive, nor one for an archive tiles.
    let archive = path(&map, &taken, "raster");
    let tiles = map.tiles(token(&taken), "raster");
    let ticket = |path: &str| path.split('/').nth(4).expect("a ticket").to_owned();
    problem(&get(&map, &format!("/v1/share/archives/{}", ticket(&tiles)), &[]), 404);
    problem(&get(&map, &at(&tiles.replace(&ticket(&tiles), &ticket(&archive)), 0, 0, 0), &[]), 404);
    for foreign in ["x", "%2e%2e", &"A".repeat(400)] {
        problem(&get(&map, &format!("/v1/share/archives/{foreign}"), &[]), 404);
    }
    map.owner().post("/v1/op/share.link.revoke", &json!({ "link_id": taken["id"] })).expect(200);
    problem(&get(&map, &archive, &[]), 404);
}

fn a_taken_archive_counts_for_its_sharer(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({ "permission": "download", "tile_budget": 2 }));
    let path = path(&map, &link, "raster");
    let part = get(&map, &path, &[("range", "bytes=0-99")]).expect(206).body.len();
    let whole = get(&map, &path, &[]).expect(200).body.len();
    problem(&get(&map, &path, &[]), 429);
    // Gates report every 10 s.
    within(Duration::from_secs(40), "the bytes in the usage", || {
        let usage = map.tenant.admin.get("/api/v1/usage").expect(200).json();
        (usage["days"][0]["bytes"] == json!(part + whole)).then_some(())
    });
}
