//! Tiles: what is served, to whom, and what it costs.

use crate::map::{Map, PASSWORD, at, gunzip, invalid, named, picture, problem, upload};
use pmtiles::TileType;
use serde_json::{Value, json};
use shared::time::Millis;
use std::time::Duration;
use tests::signed::now;
use tests::stack::{within, within_a_day};
use tests::{Reply, Stack};

crate::tests![
    tiles_are_served_as_they_are_stored,
    pictures_of_every_format_are_passed_on,
    places_that_are_none_are_refused_before_anything_is_read,
    a_tilejson_says_where_tiles_are,
    an_unchanged_tile_is_not_sent_again,
    a_ticket_ends_with_its_link,
    a_ticket_ends_when_its_link_expires,
    altered_tickets_open_nothing,
    tiles_are_metered_and_limited,
    the_page_renews_its_ticket_by_its_cookie,
];

fn token(link: &Value) -> &str {
    link["token"].as_str().expect("a token")
}

fn get(map: &Map, path: &str, headers: &[(&str, &str)]) -> Reply {
    map.edge.send("GET", path, headers, None)
}

fn tiles_are_served_as_they_are_stored(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({}));
    let raster = map.visit("share.tile.render", token(&link), &json!({ "z": 2, "x": 1, "y": 3 })).expect(200);
    assert_eq!((raster.header("content-type"), &raster.body), ("image/png", &named(false, 2, 1, 3)));
    let tiles = map.tiles(token(&link), "vector");
    let path = at(&tiles, 3, 4, 5);
    // The client inflates nothing by itself.
    let packed = get(&map, &path, &[("accept-encoding", "br, gzip")]).expect(200);
    assert_eq!(packed.header("content-type"), "application/vnd.mapbox-vector-tile");
    assert_eq!((packed.header("content-encoding"), gunzip(&packed.body)), ("gzip", named(true, 3, 4, 5)));
    for other in ["identity", "br", "gzip;q=0"] {
        let plain = get(&map, &path, &[("accept-encoding", other)]).expect(200);
        assert_eq!((plain.header("content-encoding"), &plain.body), ("", &named(true, 3, 4, 5)), "{other}");
    }
    let empty = get(&map, &at(&tiles, 3, 7, 7), &[]);
    assert_eq!((empty.status, empty.body.len()), (204, 0));
    assert_eq!(get(&map, &path, &[]).header("access-control-allow-origin"), "*");
    let head = map.edge.send("HEAD", &path, &[], None);
    assert_eq!((head.status, head.body.len()), (200, 0));
}

fn pictures_of_every_format_are_passed_on(stack: &Stack) {
    let map = Map::create(stack);
    let formats = [
        ("png", "image/png", TileType::Png),
        ("jpg", "image/jpeg", TileType::Jpeg),
        ("webp", "image/webp", TileType::Webp),
        ("avif", "image/avif", TileType::Avif),
    ];
    let profiles: Vec<Value> = formats
        .iter()
        .map(|(name, _, kind)| {
            let uploaded = upload(&map.tenant.admin, &picture(*kind, name.as_bytes())).expect(201).json();
            json!({ "name": name, "key": uploaded["key"] })
        })
        .collect();
    let item = json!({ "project_id": map.project, "name": "Pictures", "profiles": profiles });
    let item = map.tenant.admin.post("/api/v1/items", &item).expect(201).json();
    let link = map.link(&json!({ "target_id": item["id"] }));
    for (name, media_type, _) in formats {
        let tiles = map.tiles(token(&link), name);
        assert!(tiles.ends_with(&format!("{{y}}.{name}")), "{tiles}");
        let tile = get(&map, &at(&tiles, 0, 0, 0), &[]).expect(200);
        assert_eq!((tile.header("content-type"), tile.text()), (media_type, name.to_owned()));
        let asked = json!({ "z": 0, "x": 0, "y": 0, "profile": name, "format": name });
        let rendered = map.visit("share.tile.render", token(&link), &asked).expect(200);
        assert_eq!((rendered.header("content-type"), rendered.text()), (media_type, name.to_owned()));
    }
    // Two names of one format.
    let jpeg = at(&map.tiles(token(&link), "jpg"), 0, 0, 0).replace(".jpg", ".jpeg");
    assert_eq!(get(&map, &jpeg, &[]).expect(200).text(), "jpg");
}

fn places_that_are_none_are_refused_before_anything_is_read(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({}));
    let tiles = map.tiles(token(&link), "raster");
    let base = tiles.split("/{z}").next().unwrap();
    for (place, wrong) in [
        ("31/0/0.png", "z"),
        ("-1/0/0.png", "z"),
        ("1e3/0/0.png", "z"),
        ("00/0/0.png", "z"),
        ("99999999999/0/0.png", "z"),
        ("2/4/0.png", "x"),
        ("2/-1/0.png", "x"),
        ("2/1.5/0.png", "x"),
        ("2/9223372036854775808/0.png", "x"),
        ("2/0/4.png", "y"),
        ("2/0/%2e%2e.png", "y"),
        ("2/0/1e1.png", "y"),
        ("2/0/0.gif", "format"),
        ("2/0/0", "format"),
        ("2/0/0.png.png", "format"),
    ] {
        invalid(&get(&map, &format!("{base}/{place}"), &[]), wrong);
    }
    let wrong = problem(&get(&map, &format!("{base}/2/0/0.webp"), &[]), 400);
    assert_eq!(wrong["detail"], "The tiles are png.");
    problem(&get(&map, &format!("{base}/4/0/0.png"), &[]), 404);
    let render = |more: Value| map.visit("share.tile.render", token(&link), &more);
    for (number, name) in
        [(json!(-1), "z"), (json!(1.5), "x"), (json!(1e3), "y"), (json!("1"), "z"), (json!(31), "z")]
    {
        let mut place = json!({ "z": 2, "x": 0, "y": 0 });
        place[name] = number;
        invalid(&render(place), name);
    }
    invalid(&map.edge.post_text("/v1/op/share.tile.render", r#"{"token":"t","z":1e3,"x":0,"y":0}"#), "z");
    problem(&render(json!({ "z": 4, "x": 0, "y": 0 })), 404);
    problem(&render(json!({ "z": 0, "x": 0, "y": 0, "format": "webp" })), 400);
    invalid(&render(json!({ "z": 0, "x": 0, "y": 0, "format": "gif" })), "format");
    for profile in ["", "Raster", "../raster", "raster/../vector"] {
        problem(&render(json!({ "z": 0, "x": 0, "y": 0, "profile": profile })), 404);
    }
    invalid(&render(json!({ "z": 0, "x": 0, "y": 0, "password": "x".repeat(129) })), "password");
    problem(&map.edge.post(&format!("{base}/0/0/0.png"), &json!({})), 405);
}

fn a_tilejson_says_where_tiles_are(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({}));
    let reply = map.visit("share.tilejson", token(&link), &json!({ "profile": "vector" })).expect(200);
    assert_eq!((reply.header("content-type"), reply.header("set-cookie")), ("application/json", ""));
    let tilejson = reply.json();
    assert_eq!((&tilejson["tilejson"], &tilejson["scheme"]), (&json!("3.0.0"), &json!("xyz")));
    assert_eq!((&tilejson["minzoom"], &tilejson["maxzoom"]), (&json!(0), &json!(3)));
    assert_eq!(
        (&tilejson["attribution"], &tilejson["vector_layers"][0]["id"]),
        (&json!("Natural Earth"), &json!("land"))
    );
    let url = tilejson["tiles"][0].as_str().unwrap();
    assert!(!url.contains(token(&link)) && !url.contains(PASSWORD), "{url}");
    assert!(url.ends_with("/{z}/{x}/{y}.mvt"), "{url}");
    let first = map.visit("share.tilejson", token(&link), &json!({})).expect(200).json();
    assert_eq!((&first["profile"], &first["vector_layers"]), (&json!("raster"), &Value::Null));
    problem(&map.visit("share.tilejson", token(&link), &json!({ "profile": "none" })), 404);
}

fn an_unchanged_tile_is_not_sent_again(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({}));
    let (raster, vector) = (map.tiles(token(&link), "raster"), map.tiles(token(&link), "vector"));
    let path = at(&raster, 1, 0, 0);
    let tag = get(&map, &path, &[]).expect(200).header("etag").to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let again = get(&map, &path, &[("if-none-match", &known)]);
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, tag.as_str()), "{known}");
        assert_eq!(again.header("cache-control"), "private, no-cache");
    }
    for other in ["\"x\"", ""] {
        get(&map, &path, &[("if-none-match", other)]).expect(200);
    }
    assert_ne!(get(&map, &at(&raster, 1, 1, 0), &[]).header("etag"), tag);
    assert_ne!(get(&map, &at(&vector, 1, 0, 0), &[]).header("etag"), tag);
    assert_eq!(get(&map, &path, &[]).header("server-timing"), "cache;desc=hit");
}

fn a_ticket_ends_with_its_link(stack: &Stack) {
    let map = Map::create(stack);
    let (link, other) = (map.link(&json!({})), map.link(&json!({})));
    let tiles = map.tiles(token(&link), "raster");
    let others = map.tiles(token(&other), "raster");
    get(&map, &at(&tiles, 0, 0, 0), &[]).expect(200);
    map.owner().post("/v1/op/share.link.revoke", &json!({ "link_id": link["id"] })).expect(200);
    // No request that begins after the answer is served.
    for _ in 0..3 {
        problem(&get(&map, &at(&tiles, 0, 0, 0), &[]), 404);
    }
    get(&map, &at(&others, 0, 0, 0), &[]).expect(200);
}

fn a_ticket_ends_when_its_link_expires(stack: &Stack) {
    let map = Map::create(stack);
    let expires_at = now().0 + 15_000;
    let link = map.link(&json!({
        "permission": "download", "expires_at": Millis(expires_at).to_rfc3339(),
    }));
    let described = map.visit("share.tilejson", token(&link), &json!({})).expect(200).json();
    let paths = [&described["tiles"][0], &described["archive"]["url"]]
        .map(|url| at(url.as_str().unwrap().strip_prefix(map.edge.origin()).expect("at the edge"), 0, 0, 0));
    for path in &paths {
        get(&map, path, &[]).expect(200);
    }
    within(Duration::from_secs(20), "the end", || (get(&map, &paths[0], &[]).status == 404).then_some(()));
    assert!(now().0 >= expires_at, "ended before its time");
    for path in &paths {
        problem(&get(&map, path, &[]), 404);
    }
    problem(&map.visit("share.tilejson", token(&link), &json!({})), 404);
}

fn altered_tickets_open_nothing(stack: &Stack) {
    let map = Map::create(stack);
    let tiles = map.tiles(token(&map.link(&json!({}))), "raster");
    let ticket = tiles.split('/').nth(4).unwrap().to_owned();
    let expected = problem(&get(&map, &at(&tiles.replace(&ticket, "x"), 0, 0, 0), &[]), 404);
    for position in [0, 5, 40, ticket.len() / 2, ticket.len() - 2] {
        let mut altered = ticket.clone().into_bytes();
        altered[position] = if altered[position] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        let reply = get(&map, &at(&tiles.replace(&ticket, &altered), 0, 0, 0), &[]);
        assert_eq!(problem(&reply, 404), expected);
    }
    for foreign in ["", "null", "..%2f..", &"A".repeat(400), stack.described("share_token")] {
        let reply = get(&map, &at(&tiles.replace(&ticket, foreign), 0, 0, 0), &[]);
        assert_eq!(reply.status, 404, "{foreign}");
    }
}

fn tiles_are_metered_and_limited(stack: &Stack) {
    within_a_day(Duration::from_mins(2));
    let map = Map::create(stack);
    let link = map.link(&json!({ "tile_budget": 4 }));
    let tiles = map.tiles(token(&link), "raster");
    let sent: usize = [(0, 0), (0, 1), (0, 0)]
        .into_iter()
        .map(|(x, y)| get(&map, &at(&tiles, 1, x, y), &[]).expect(200).body.len())
        .sum();
    assert_eq!(get(&map, &at(&tiles, 1, 1, 1), &[]).status, 204);
    let over = get(&map, &at(&tiles, 1, 0, 0), &[]);
    problem(&over, 429);
    let wait: u64 = over.header("retry-after").parse().expect("seconds");
    assert!((1..=86_400).contains(&wait), "{wait}");
    problem(&map.visit("share.tile.render", token(&link), &json!({ "z": 1, "x": 0, "y": 0 })), 429);
    // Another link has a budget of its own.
    let other = map.tiles(token(&map.link(&json!({}))), "raster");
    let more = get(&map, &at(&other, 1, 0, 0), &[]).expect(200).body.len();
    let expected = json!({ "tiles": 5, "cache_hits": 2, "bytes": sent + more });
    // Gates report every 10 s.
    let day = within(Duration::from_secs(40), "usage", || {
        let usage = map.tenant.admin.get("/api/v1/usage").expect(200).json();
        (usage["days"][0]["tiles"] == 5 && usage["spent"] == json!([link["id"]]))
            .then(|| usage["days"][0].clone())
    });
    let audit = map.tenant.admin.get("/api/v1/audit?limit=100").expect(200).json();
    let notices = audit["records"].as_array().unwrap().iter();
    assert_eq!(notices.filter(|row| row["action"] == "share.tile_budget_spent").count(), 1, "{audit}");
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&day[field], value, "{day}");
    }
}

fn the_page_renews_its_ticket_by_its_cookie(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({}));
    let path = format!("/share/{}", token(&link));
    let locked = map.edge.get(&path).expect(200).text();
    assert!(locked.contains("needs a password") && !locked.contains("World"), "{locked}");
    let unlock = format!("/api/v1/public/shares/{}/unlock", token(&link));
    let cookie = |reply: &Reply| reply.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    let grant = cookie(&map.edge.post(&unlock, &json!({ "password": PASSWORD })).expect(200));
    let page = get(&map, &path, &[("cookie", &grant)]).expect(200);
    assert!(page.text().contains("World"), "{}", page.text());
    assert!(page.header("content-security-policy").contains("worker-src 'self'"));
    let renew = |cookie: &str| {
        let body = json!({ "token": token(&link) }).to_string();
        let headers = [("content-type", "application/json"), ("cookie", cookie)];
        map.edge.send("POST", "/v1/share/tilejson", &headers, Some(body.as_bytes()))
    };
    let first = renew(&grant).expect(200);
    let set = first.header("set-cookie").to_owned();
    for part in ["Path=/v1/share/tilejson", "HttpOnly", "Secure", "SameSite=Strict", "Max-Age=86400"] {
        assert!(set.contains(part), "{part} in {set}");
    }
    // When the grant has ended this alone is left, and gives no longer life.
    let renewal = cookie(&first);
    assert_eq!(renew(&renewal).expect(200).header("set-cookie"), "");
    problem(&renew("a=b"), 404);
    // It renews tickets and opens nothing else.
    assert!(!get(&map, &path, &[("cookie", &renewal)]).text().contains("World"));
    map.owner().post("/v1/op/share.link.revoke", &json!({ "link_id": link["id"] })).expect(200);
    problem(&renew(&renewal), 404);
    assert_eq!(get(&map, &path, &[("cookie", &grant)]).status, 404);
}
