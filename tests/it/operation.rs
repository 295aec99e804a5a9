//! The operation dialect: create, revoke and validate, row by row of its contract.

use crate::map::{Map, PASSWORD, at, in_days, invalid, problem};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tests::{Stack, stack::within};

crate::tests![
    a_link_opens_by_its_password_until_it_is_revoked,
    what_opens_nothing_is_the_same_bytes,
    every_mistake_of_a_create_is_named,
    both_paths_of_each_operation_are_one,
    the_shared_path_answers_in_the_right_dialect,
    a_key_is_not_needed_but_must_be_good,
    a_session_token_is_as_good_as_its_key_until_it_is_ended,
    a_network_without_a_key_is_kept_at_its_pace,
    whoever_has_guessed_too_often_is_told_nothing,
    what_is_dead_takes_guesses_as_what_is_alive_does,
    whoever_was_let_in_goes_on_when_a_link_is_spent,
    an_owner_finds_and_changes_a_link_among_all_shares,
    links_of_others_are_not_there,
    a_collection_lists_its_items_and_has_no_tiles_of_its_own,
    what_is_deleted_opens_nothing,
    bad_uploads_and_items_are_refused,
    the_published_client_runs_unmodified,
];

fn token(link: &Value) -> &str {
    link["token"].as_str().expect("a token")
}

fn a_link_opens_by_its_password_until_it_is_revoked(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({ "permission": "download" }));
    assert!(link["id"].as_str().unwrap().starts_with("lnk_"), "{link}");
    assert_eq!((&link["target_type"], &link["target_id"]), (&json!("item"), &json!(map.item)));
    assert_eq!((&link["organization_id"], &link["project_id"]), (&json!(map.tenant.id), &json!(map.project)));
    assert_eq!((&link["permission"], &link["access_count"]), (&json!("download"), &json!(0)));
    assert_eq!((&link["revoked_at"], &link["last_accessed_at"]), (&Value::Null, &Value::Null));
    let opened = map.visit("share.link.validate", token(&link), &json!({})).expect(200).json();
    assert_eq!((&opened["permission"], &opened["target_type"]), (&json!("download"), &json!("item")));
    assert_eq!((&opened["target"]["id"], &opened["target"]["name"]), (&json!(map.item), &json!("World")));
    assert!(!opened.to_string().contains(".pmtiles"), "viewers do not learn keys: {opened}");
    for _ in 0..2 {
        let revoked = map.owner().post("/v1/op/share.link.revoke", &json!({ "link_id": link["id"] }));
        assert_eq!(revoked.expect(200).json(), json!({ "ok": true, "id": link["id"], "effective": "live" }));
        problem(&map.visit("share.link.validate", token(&link), &json!({})), 404);
    }
}

fn what_opens_nothing_is_the_same_bytes(stack: &Stack) {
    let map = Map::create(stack);
    let (link, dead) = (map.link(&json!({})), map.link(&json!({})));
    map.owner().post("/v1/share/link/revoke", &json!({ "link_id": dead["id"] })).expect(200);
    let dashboard = crate::share::Share::create_with(stack, json!({ "password": PASSWORD }));
    let expires_at = shared::time::Millis(tests::signed::now().0 + 8_000);
    let expiring = map.link(&json!({ "expires_at": expires_at.to_rfc3339() }));
    map.visit("share.link.validate", token(&expiring), &json!({})).expect(200);
    std::thread::sleep(expires_at.since(tests::signed::now()));
    let forged = format!("shr_{}", "0".repeat(40));
    for operation in ["share.link.validate", "share.tilejson", "share.tile.render"] {
        let more =
            if operation == "share.tile.render" { json!({ "z": 0, "x": 0, "y": 0 }) } else { json!({}) };
        let expected = map.visit(operation, &forged, &more);
        problem(&expected, 404);
        let mut wrong = more.clone();
        wrong["password"] = json!("Correct horse");
        let mut none = more.clone();
        none["password"] = json!("");
        for (token, more) in [
            (token(&link), &wrong),
            (token(&link), &none),
            (token(&dead), &more),
            ("", &more),
            (dashboard.token.as_str(), &more),
            (token(&expiring), &more),
        ] {
            let reply = map.visit(operation, token, more);
            assert_eq!((reply.status, &reply.body), (404, &expected.body), "{operation} {token}");
        }
    }
}

fn every_mistake_of_a_create_is_named(stack: &Stack) {
    let map = Map::create(stack);
    let create = |change: Value| {
        let mut body = json!({
            "target_type": "item", "target_id": map.item, "password": PASSWORD,
            "expires_at": in_days(1),
        });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        map.owner().post("/v1/op/share.link.create", &body)
    };
    for (change, place) in [
        (json!({ "target_type": "dashboard" }), "target_type"),
        (json!({ "target_id": 1 }), "target_id"),
        (json!({ "permission": "edit" }), "permission"),
        (json!({ "password": "short" }), "password"),
        (json!({ "password": "x".repeat(129) }), "password"),
        (json!({ "password": null }), "password"),
        (json!({ "expires_at": "2020-01-01T00:00:00Z" }), "expires_at"),
        (json!({ "expires_at": in_days(366) }), "expires_at"),
        (json!({ "expires_at": "soon" }), "expires_at"),
        (json!({ "expires_at": null }), "expires_at"),
    ] {
        invalid(&create(change), place);
    }
    for id in ["", "nonsense", "../../etc/passwd", "00000000-0000-0000-0000-000000000000", &map.collection] {
        problem(&create(json!({ "target_id": id })), 404);
    }
    let owner = map.owner();
    let post = |text: &str| owner.post_text("/v1/op/share.link.create", text);
    for text in ["", "[]", "{", "{\"a\":1,\"a\":2}", "null"] {
        assert_eq!(post(text).status, 422, "{text}");
    }
    let reply =
        owner.send("POST", "/v1/op/share.link.create", &[("content-type", "text/plain")], Some(b"{}"));
    problem(&reply, 415);
    problem(&owner.get("/v1/op/share.link.create"), 405);
    problem(&owner.post("/v1/op/share.link.list", &json!({})), 404);
    invalid(&owner.post("/v1/op/share.link.revoke", &json!({})), "link_id");
}

fn both_paths_of_each_operation_are_one(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({}));
    for (operation, path, more) in [
        ("share.link.validate", "/v1/share/link/validate", json!({})),
        ("share.tile.render", "/v1/share/tile/render", json!({ "z": 1, "x": 0, "y": 1 })),
        ("share.tilejson", "/v1/share/tilejson", json!({})),
    ] {
        let mut body = json!({ "token": token(&link), "password": PASSWORD });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (op, resource) =
            (map.edge.post(&format!("/v1/op/{operation}"), &body), map.edge.post(path, &body));
        assert_eq!(
            (op.status, resource.status),
            (200, 200),
            "{operation}: {} {}",
            op.text(),
            resource.text()
        );
        if operation != "share.tilejson" {
            assert_eq!(op.body, resource.body);
        }
    }
}

fn the_shared_path_answers_in_the_right_dialect(stack: &Stack) {
    let map = Map::create(stack);
    let operation = gpra(stack, &map, &["shares:read", "shares:write"]);
    let create = |key: &str, body: &Value| map.edge.with_key(key).post("/v1/share/link/create", body);
    let envelope = |reply: tests::Reply, http: u16, status: &str| {
        let body = reply.expect(http).json();
        assert_eq!((&body["status"], &body["result"]), (&json!(status), &Value::Null), "{body}");
        assert!(body["request_id"].is_string() && body["summary"].is_string(), "{body}");
    };
    for key in [&map.tenant.key, &operation] {
        envelope(create(key, &json!({ "links": [] })), 501, "NotImplemented");
        envelope(create(key, &json!({ "links": [], "permission": "view" })), 400, "ValidationError");
        invalid(&create(key, &json!({ "permission": "view" })), "target_type");
    }
    envelope(create(&map.tenant.key, &json!({})), 400, "ValidationError");
    invalid(&create(&operation, &json!({})), "target_type");
    invalid(&map.owner().post("/v1/op/share.link.create", &json!({ "links": [] })), "target_type");
}

/// A key as clients of the dialect expect it.
fn gpra(stack: &Stack, map: &Map, scopes: &[&str]) -> String {
    let slug = map.tenant.slug.as_str();
    let mut command = stack.postern();
    command.args(["keys", "create", "--json", "--name", "op", "--operation", "--organization", slug]);
    for scope in scopes {
        command.args(["--scope", scope]);
    }
    let output = command.output().expect("postern runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let key = made["key"].as_str().expect("a key").to_owned();
    assert!(key.starts_with("gpra_"), "{key}");
    key
}

fn a_key_is_not_needed_but_must_be_good(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({}));
    let body = json!({ "token": token(&link), "password": PASSWORD });
    let with = |key: &str| map.edge.with_key(key).post("/v1/op/share.link.validate", &body);
    with(&gpra(stack, &map, &["shares:read"])).expect(200);
    problem(&with(&gpra(stack, &map, &["shares:write"])), 403);
    let unknown = shared::model::api_key::write(shared::model::api_key::Prefix::Operation, [3; 20]);
    for bad in ["x", "gpra_", &unknown, &format!("{}0", map.tenant.key)] {
        problem(&with(bad), 401);
    }
    problem(&map.edge.post("/v1/op/share.link.create", &json!({})), 401);
    problem(&map.edge.with_key(&unknown).post("/v1/share/link/revoke", &json!({})), 401);
    let weak = gpra(stack, &map, &["shares:read"]);
    problem(&map.edge.with_key(&weak).post("/v1/op/share.link.create", &json!({})), 403);
    let header = [("content-type", "application/json"), ("x-api-key", map.tenant.key.as_str())];
    let text = body.to_string();
    map.edge.send("POST", "/v1/op/share.link.validate", &header, Some(text.as_bytes())).expect(200);
}

fn a_session_token_is_as_good_as_its_key_until_it_is_ended(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({}));
    let exchange = |scopes: &[&str]| {
        let key = map.edge.with_key(&gpra(stack, &map, &["shares:read", "shares:write"]));
        let made =
            key.post("/api/v1/session-tokens", &json!({ "scopes": scopes, "expires_in": 60 })).expect(201);
        map.edge.with_key(made.json()["token"].as_str().expect("a token"))
    };
    let body = json!({ "token": token(&link), "password": PASSWORD });
    let both = exchange(&["shares:read", "shares:write"]);
    both.post("/v1/op/share.link.validate", &body).expect(200);
    both.post("/v1/op/share.link.revoke", &json!({ "link_id": link["id"] })).expect(200);
    problem(&exchange(&["shares:write"]).post("/v1/op/share.link.validate", &body), 403);
    problem(&exchange(&["shares:read"]).post("/v1/op/share.link.create", &json!({})), 403);
    both.delete("/api/v1/session-tokens/current").expect(204);
    problem(&both.post("/v1/op/share.link.create", &json!({})), 401);
}

fn a_network_without_a_key_is_kept_at_its_pace(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({}));
    let body = json!({ "token": token(&link), "password": PASSWORD });
    let key = map.owner();
    key.post("/v1/op/share.link.validate", &body).expect(200);
    let (begun, mut served) = (Instant::now(), 0);
    let refused = loop {
        let reply = map.edge.post("/v1/op/share.link.validate", &body);
        if reply.status != 200 {
            break reply;
        }
        served += 1;
        assert!(served <= 61 + begun.elapsed().as_secs(), "{served} in {:?}", begun.elapsed());
    };
    problem(&refused, 429);
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    // A good key goes on, and another network too.
    key.post("/v1/op/share.link.validate", &body).expect(200);
    stack.edge().from("192.0.2.77").post("/v1/op/share.link.validate", &body).expect(200);
    let unknown = shared::model::api_key::write(shared::model::api_key::Prefix::Operation, [9; 20]);
    let unknown = map.edge.with_key(&unknown);
    let answers = (0..5).map(|_| unknown.post("/v1/op/share.link.validate", &body).status);
    assert!(answers.into_iter().any(|status| status == 429), "keys that nobody knows spare nobody the limit");
}

fn whoever_has_guessed_too_often_is_told_nothing(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({}));
    let guess = |password: &str| {
        map.edge.post("/v1/op/share.link.validate", &json!({ "token": token(&link), "password": password }))
    };
    guess(PASSWORD).expect(200);
    let answers: Vec<u16> = (0..8).map(|n| guess(&format!("wrong horse {n}")).status).collect();
    assert!(answers.contains(&404) && answers.ends_with(&[429]), "{answers:?}");
    problem(&guess(PASSWORD), 429);
}

fn what_is_dead_takes_guesses_as_what_is_alive_does(stack: &Stack) {
    let map = Map::create(stack);
    let (living, dead) = (map.link(&json!({})), map.link(&json!({})));
    map.owner().post("/v1/share/link/revoke", &json!({ "link_id": dead["id"] })).expect(200);
    let dashboard = crate::share::Share::create(stack);
    let forged = format!("shr_{}", "1".repeat(40));
    // An isolate hashes two passwords a second: who finds too many others waiting has not guessed yet.
    let guess = |token: &str| {
        let body = json!({ "token": token, "password": "wrong horse" });
        within(Duration::from_secs(20), "a turn", || {
            let reply = map.edge.post("/v1/op/share.link.validate", &body);
            (reply.header("retry-after") != "2").then_some((reply.status, reply.body))
        })
    };
    let guesses = |token: &str| (0..7).map(|_| guess(token)).collect::<Vec<_>>();
    let expected = guesses(token(&living));
    let statuses: Vec<u16> = expected.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [404, 404, 404, 404, 404, 429, 429]);
    for token in [token(&dead), &forged, &dashboard.token] {
        assert!(guesses(token) == expected, "{token}");
    }
    // The dashboard's own gate has counted nothing.
    dashboard.resolve().expect(200);
}

fn whoever_was_let_in_goes_on_when_a_link_is_spent(stack: &Stack) {
    let map = Map::create(stack);
    map.tenant.admin.put("/api/v1/organization/limits", &json!({ "max_access_count": 1 })).expect(200);
    let link = map.link(&json!({ "permission": "download" }));
    let unlock = format!("/api/v1/public/shares/{}/unlock", token(&link));
    let unlocked = map.edge.post(&unlock, &json!({ "password": PASSWORD })).expect(200);
    let grant = unlocked.header("set-cookie").split(';').next().unwrap_or_default();
    // The one who was let in has the page, its tickets and all that these open; nobody else has.
    let page =
        map.edge.send("GET", &format!("/share/{}", token(&link)), &[("cookie", grant)], None).expect(200);
    assert!(page.text().contains("World"));
    let body = json!({ "token": token(&link) }).to_string();
    let headers = [("content-type", "application/json"), ("cookie", grant)];
    let described =
        map.edge.send("POST", "/v1/share/tilejson", &headers, Some(body.as_bytes())).expect(200).json();
    for url in [&described["tiles"][0], &described["archive"]["url"]] {
        let path = url.as_str().unwrap().strip_prefix(map.edge.origin()).expect("at the edge");
        map.edge.get(&at(path, 0, 0, 0)).expect(200);
    }
    for operation in ["share.link.validate", "share.tilejson"] {
        problem(&map.visit(operation, token(&link), &json!({})), 404);
    }
}

fn an_owner_finds_and_changes_a_link_among_all_shares(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({}));
    let owner = map.owner();
    let listed = owner.get(&format!("/api/v1/shares?target_id={}", map.item)).expect(200).json();
    let found = &listed["records"][0];
    assert_eq!(
        (&listed["total"], &found["link_id"], &found["token"]),
        (&json!(1), &link["id"], &link["token"])
    );
    assert_eq!(found["id"], json!(uuid_of(&link)));
    let path = format!("/api/v1/shares/{}", uuid_of(&link));
    let opens = |token: &Value, password: &str| {
        let body = json!({ "token": token, "password": password });
        map.edge.post("/v1/op/share.link.validate", &body).status
    };
    let tiles = map.tiles(token(&link), "raster");
    owner.put(&format!("{path}/password"), &json!({ "password": "battery staple" })).expect(200);
    assert_eq!((opens(&link["token"], PASSWORD), opens(&link["token"], "battery staple")), (404, 200));
    problem(&map.edge.get(&at(&tiles, 0, 0, 0)), 404);
    let rotated = owner.post_text(&format!("{path}/rotate"), "").expect(200).json();
    assert_eq!((&rotated["generation"], &rotated["effective"]), (&json!(2), &json!("live")));
    assert_eq!(
        (opens(&link["token"], "battery staple"), opens(&rotated["token"], "battery staple")),
        (404, 200)
    );
    // Right passwords are told by gates, every 10 s.
    let counted = |wanted: u64| {
        let found = owner.get(&path).expect(200).json();
        (found["access_count"] == wanted && found["last_opened_at"].is_string()).then_some(())
    };
    within(Duration::from_secs(40), "the count", || counted(1));
    owner.delete(&path).expect(200);
    assert_eq!(opens(&rotated["token"], "battery staple"), 404);
    assert_eq!(owner.get(&path).expect(200).json()["status"], "revoked");
    Map::create(stack).owner().get(&path).expect_error(404, "NOT_FOUND");
}

fn links_of_others_are_not_there(stack: &Stack) {
    let (map, other) = (Map::create(stack), Map::create(stack));
    let link = map.link(&json!({}));
    let revoke = |id: &Value| other.owner().post("/v1/op/share.link.revoke", &json!({ "link_id": id }));
    problem(&revoke(&link["id"]), 404);
    problem(&revoke(&json!("lnk_00000000000000000000000000000000")), 404);
    let dashboard = crate::share::Share::create(stack);
    problem(&revoke(&json!(format!("lnk_{}", dashboard.id.replace('-', "")))), 404);
    let path = format!("/api/v1/dashboard-shares/{}", uuid_of(&link));
    map.tenant.admin.delete(&path).expect_error(404, "NOT_FOUND");
    map.visit("share.link.validate", token(&link), &json!({})).expect(200);
    let body = json!({
        "target_type": "item", "target_id": map.item, "password": PASSWORD, "expires_at": in_days(1),
    });
    problem(&other.owner().post("/v1/op/share.link.create", &body), 404);
}

fn uuid_of(link: &Value) -> String {
    let digits = link["id"].as_str().unwrap().trim_start_matches("lnk_");
    uuid::Uuid::try_parse(digits).unwrap().to_string()
}

fn a_collection_lists_its_items_and_has_no_tiles_of_its_own(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({ "target_type": "collection", "target_id": map.collection }));
    let opened = map.visit("share.link.validate", token(&link), &json!({})).expect(200).json();
    assert_eq!(
        (&opened["target_type"], &opened["target"]["items"][0]["id"]),
        (&json!("collection"), &json!(map.item))
    );
    problem(&map.visit("share.tilejson", token(&link), &json!({})), 404);
    problem(&map.visit("share.tile.render", token(&link), &json!({ "z": 0, "x": 0, "y": 0 })), 404);
    let one = map.visit("share.tilejson", token(&link), &json!({ "item_id": map.item })).expect(200).json();
    assert_eq!(one["name"], "World");
    map.tenant.admin.delete(&format!("/api/v1/items/{}", map.item)).expect(204);
    let opened = map.visit("share.link.validate", token(&link), &json!({})).expect(200).json();
    assert_eq!(opened["target"]["items"], json!([]));
    problem(&map.visit("share.tilejson", token(&link), &json!({ "item_id": map.item })), 404);
}

fn what_is_deleted_opens_nothing(stack: &Stack) {
    let map = Map::create(stack);
    let (item, collection) = (
        map.link(&json!({})),
        map.link(&json!({ "target_type": "collection", "target_id": map.collection })),
    );
    map.tenant.admin.delete(&format!("/api/v1/collections/{}", map.collection)).expect(204);
    problem(&map.visit("share.link.validate", token(&collection), &json!({})), 404);
    map.visit("share.link.validate", token(&item), &json!({})).expect(200);
    map.tenant.admin.delete(&format!("/api/v1/items/{}", map.item)).expect(204);
    problem(&map.visit("share.link.validate", token(&item), &json!({})), 404);
}

fn bad_uploads_and_items_are_refused(stack: &Stack) {
    let map = Map::create(stack);
    let admin = &map.tenant.admin;
    let whole = crate::map::archive(true);
    let mut zooms = whole.clone();
    zooms[100] = 200;
    for bad in [&b""[..], b"{}", b"PMTiles\x02", &whole[..100], &whole[..200], &zooms] {
        crate::map::upload(admin, bad).expect_error(422, "VALIDATION_ERROR");
    }
    let bomb = crate::map::gzip(&vec![0; 12 << 20]);
    let mut hostile = whole[..127].to_vec();
    hostile[16..24].copy_from_slice(&(bomb.len() as u64).to_le_bytes());
    hostile.extend(&bomb);
    crate::map::upload(admin, &hostile).expect_error(422, "VALIDATION_ERROR");
    let item = |profile: Value| {
        admin.post("/api/v1/items", &json!({ "project_id": map.project, "name": "x", "profiles": [profile] }))
    };
    for key in [
        "nothing.pmtiles",
        "../x",
        "other/x.pmtiles",
        &format!("{}/../x", map.tenant.slug),
        &format!("{}/none.pmtiles", map.tenant.slug),
    ] {
        item(json!({ "name": "a", "key": key })).expect_error(422, "VALIDATION_ERROR");
    }
    for name in ["", "../a", "a/b", "A"] {
        let key = format!("{}/none.pmtiles", map.tenant.slug);
        item(json!({ "name": name, "key": key })).expect_error(422, "VALIDATION_ERROR");
    }
    // Several parts: bytes behind the tiles do no harm.
    let mut large = whole;
    large.resize(17 << 20, 7);
    let uploaded = crate::map::upload(admin, &large).expect(201).json();
    assert_eq!(uploaded["bytes"], json!(17 << 20));
    item(json!({ "name": "a", "key": uploaded["key"] })).expect(201);
}

fn the_published_client_runs_unmodified(stack: &Stack) {
    let map = Map::create(stack);
    let python = std::env::var_os("PYTHON_BIN").expect("PYTHON_BIN is set: run `cargo xtask test`");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/geopera_client.py");
    let output = Command::new(python)
        .arg(script)
        .env("BASE_URL", map.edge.origin())
        .env("API_KEY", gpra(stack, &map, &["shares:read", "shares:write"]))
        .env("ITEM_ID", &map.item)
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "create validate tilejson tile revoke");
}
