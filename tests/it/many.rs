//! Many shares at once, what a share would show before there is one, and what an organization demands.

use crate::share::{Share, rows};
use serde_json::{Value, json};
use tests::{Client, Stack};

crate::tests![
    a_bulk_change_is_in_force_when_it_returns,
    lists_take_filters,
    a_preview_shows_what_visitors_get,
    limits_hold_for_their_organization,
];

const BULK: &str = "/api/v1/dashboard-shares/bulk";

/// A name that nothing else has.
fn unique() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// Shares with a name that no other test uses.
fn shares(stack: &Stack, count: usize) -> (String, Vec<Share>) {
    let name = format!("Ärzte {}", unique());
    let path = format!("/api/v1/dashboards/{}/shares", stack.described("dashboard_id"));
    let body = json!({ "name": name, "share_type": "link" });
    let shares = (0..count).map(|_| Share::of(stack, &stack.admin().post(&path, &body).expect(201).json()));
    (name, shares.collect())
}

fn a_bulk_change_is_in_force_when_it_returns(stack: &Stack) {
    let (admin, bystander) = (stack.admin(), Share::create(stack));
    let (name, old) = shares(stack, 5);
    for share in &old {
        share.resolve().expect(200);
    }
    // Case and the spelling of the umlaut do not matter.
    let filter = json!({ "name_contains": name.to_lowercase().replace('ä', "a\u{308}") });
    let change = |action: &str, dry_run: bool| {
        admin
            .post(BULK, &json!({ "action": action, "filter": filter, "dry_run": dry_run }))
            .expect(200)
            .json()
    };
    let dry = change("revoke", true);
    assert_eq!((&dry["matched"], &dry["changed"]), (&json!(5), &json!(0)));
    old[0].resolve().expect(200);

    let rotated = change("rotate", false);
    assert_eq!((&rotated["changed"], &rotated["effective"]), (&json!(5), &json!("live")));
    let new: Vec<Share> =
        rotated["shares"].as_array().unwrap().iter().map(|one| Share::of(stack, one)).collect();
    for share in &old {
        share.resolve().expect_error(401, "TOKEN_INVALID");
    }
    for share in &new {
        share.resolve().expect(200);
    }
    let revoked = change("revoke", false);
    assert_eq!((&revoked["changed"], &revoked["effective"]), (&json!(5), &json!("live")));
    for share in &new {
        share.resolve().expect_error(401, "TOKEN_INVALID");
        share.page().expect(404);
    }
    assert_eq!(change("revoke", false)["changed"], 0, "again is no mistake");
    bystander.resolve().expect(200);
    for bad in [json!({}), json!({ "colour": "red" }), json!({ "status": "odd" }), json!({ "ids": [] })] {
        admin.post(BULK, &json!({ "action": "revoke", "filter": bad })).expect_error(422, "VALIDATION_ERROR");
    }
}

fn lists_take_filters(stack: &Stack) {
    let admin = stack.admin();
    let (name, three) = shares(stack, 3);
    admin.delete(&three[0].managed()).expect(200);
    admin.put(&format!("{}/password", three[1].managed()), &json!({ "password": "open sesame" })).expect(200);
    admin.patch(&three[2].managed(), &json!({ "max_access_count": 3 })).expect(200);
    let name = name.replace(' ', "%20").replace('Ä', "%C3%84");
    let found = |filter: &str| -> Vec<String> {
        let listed =
            admin.get(&format!("/api/v1/dashboard-shares?name_contains={name}&{filter}")).expect(200).json();
        let ids: Vec<String> = listed["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(listed["total"], ids.len());
        ids
    };
    assert_eq!(found("limit=100").len(), 3);
    assert_eq!(found("status=revoked"), [three[0].id.clone()]);
    assert_eq!(found("status=active").len(), 2);
    assert_eq!(found("protection=password"), [three[1].id.clone()]);
    assert_eq!(found("protection=counted"), [three[2].id.clone()]);
    for bad in ["status=odd", "protection=some", "colour=red", "created_before=soon", "limit=0"] {
        admin.get(&format!("/api/v1/dashboard-shares?{bad}")).expect_error(422, "VALIDATION_ERROR");
    }
}

fn a_preview_shows_what_visitors_get(stack: &Stack) {
    let policies = json!([
        { "filter_slug": "location", "filter_kind": "select", "mode": "locked", "allowed_values": ["Seattle"], "hidden": true },
        { "filter_slug": "windy", "filter_kind": "number", "mode": "disabled" },
    ]);
    let body = json!({ "dashboard_id": stack.described("dashboard_id"), "share_filter_policies": policies });
    let preview = stack.admin().post("/api/v1/dashboard-shares/preview", &body).expect(200).json();
    let share = Share::create_with(stack, json!({ "share_filter_policies": policies }));
    assert_eq!(preview["filters"], share.resolve().expect(200).json()["filters"]);
    assert_eq!(preview["parameters"]["location"], "Seattle", "its owner sees what is hidden");
    let executed = share.execute(&json!({})).expect(200).json();
    for widget in preview["widgets"].as_array().unwrap() {
        let shown = rows(&executed, widget["id"].as_str().unwrap());
        assert_eq!(widget["row_count"], shown.as_array().unwrap().len(), "{widget}");
    }
    assert_eq!(preview["not_narrowed"], json!([]));
    let asked = json!({ "dashboard_id": stack.described("dashboard_id"), "share_filter_policies": policies,
        "parameters": { "location": "New York" } });
    let refused = stack.admin().post("/api/v1/dashboard-shares/preview", &asked);
    refused.expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
}

/// A key of a new organization, and a dashboard of it.
fn organization(stack: &Stack) -> (Client, String) {
    let mut command = stack.postern();
    command.args([
        "keys",
        "create",
        "--json",
        "--name",
        "caps",
        "--organization",
        &format!("caps-{}", unique()),
    ]);
    command.args([
        "--scope",
        "shares:read",
        "--scope",
        "shares:write",
        "--scope",
        "content:write",
        "--scope",
        "organization:write",
    ]);
    let output = command.output().expect("postern runs");
    let key: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let admin = stack.control().with_key(key["key"].as_str().expect("a key"));
    rusqlite::Connection::open(stack.state("data/empty.db"))
        .and_then(|file| file.execute_batch("VACUUM"))
        .unwrap();
    let source = json!({ "kind": "sqlite", "name": "Nothing", "file": "empty.db" });
    let source = admin.post("/api/v1/data-sources", &source).expect(201).json();
    let widget = json!({ "id": "one", "title": "One", "kind": "number", "sql": "SELECT 1 AS one" });
    let dashboard =
        json!({ "slug": "one", "title": "One", "data_source_id": source["id"], "widgets": [widget] });
    let dashboard = admin.post("/api/v1/dashboards", &dashboard).expect(201).json();
    (admin, format!("/api/v1/dashboards/{}/shares", dashboard["id"].as_str().unwrap()))
}

fn limits_hold_for_their_organization(stack: &Stack) {
    let (admin, shares) = organization(stack);
    let limits = json!({ "default_life_seconds": 3_600, "max_life_seconds": 86_400, "default_max_access_count": null,
        "max_access_count": 10, "password_required": true });
    admin.put("/api/v1/organization/limits", &limits).expect(200);
    assert_eq!(admin.get("/api/v1/organization/limits").expect(200).json(), limits);
    let body = |mut fields: Value| {
        fields["name"] = json!("n");
        fields["share_type"] = json!("link");
        fields
    };
    admin.post(&shares, &body(json!({}))).expect_error(409, "CONFLICT");
    for beyond in [json!({ "expires_at": "2100-01-01T00:00:00Z" }), json!({ "max_access_count": 11 })] {
        let mut fields = body(beyond);
        fields["password"] = json!("open sesame");
        admin.post(&shares, &fields).expect_error(422, "VALIDATION_ERROR");
    }
    let made = admin.post(&shares, &body(json!({ "password": "open sesame" }))).expect(201).json();
    assert_eq!((&made["max_access_count"], made["expires_at"].is_string()), (&json!(10), true));
    let share = Share::of(stack, &made);
    admin.delete(&format!("{}/password", share.managed())).expect_error(409, "CONFLICT");
    for more in [json!({ "expires_at": null }), json!({ "max_access_count": null })] {
        admin.patch(&share.managed(), &more).expect_error(422, "VALIDATION_ERROR");
    }
    admin.patch(&share.managed(), &json!({ "max_access_count": 1 })).expect(200);
    share.unlock("open sesame").expect(200);
    share.unlock("open sesame").expect_error(401, "TOKEN_INVALID");
    // Another organization's are its own.
    Share::create(stack).resolve().expect(200);
}
