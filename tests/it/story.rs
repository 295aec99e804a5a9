//! The whole life of a link: made, opened, used, rotated, changed, revoked.

use crate::share::{Share, rows};
use serde_json::json;
use tests::Stack;

crate::tests![
    a_link_lives_and_dies,
    a_changed_dashboard_reaches_its_links,
    an_expiry_is_kept_to_the_millisecond,
    the_command_line_does_the_same
];

fn a_link_lives_and_dies(stack: &Stack) {
    let admin = stack.admin();
    let first = Share::create(stack);
    first.resolve().expect(200);
    first.execute(&json!({ "location": "Seattle" })).expect(200);
    assert!(first.page().expect(200).text().contains("Weather in two cities"));

    let answer = admin.post(&format!("{}/rotate", first.managed()), &json!({})).expect(200).json();
    let second = Share::of(stack, &answer);
    assert_eq!(second.id, first.id);
    assert_ne!(second.token, first.token);
    first.resolve().expect_error(401, "TOKEN_INVALID");
    first.execute(&json!({})).expect_error(401, "TOKEN_INVALID");
    first.options("weather", "").expect_error(401, "TOKEN_INVALID");
    first.page().expect(404);
    let executed = second.execute(&json!({ "location": "Seattle" })).expect(200).json();
    assert_eq!(rows(&executed, "days"), json!([[1461]]));

    let renamed = admin.patch(&first.managed(), &json!({ "name": "For the board" })).expect(200).json();
    assert_eq!(renamed["token"], second.token.as_str());
    assert_eq!(second.resolve().expect(200).json()["share"]["name"], "For the board");

    let revoked = admin.delete(&first.managed()).expect(200).json();
    assert_eq!(revoked, json!({ "revoked": true, "id": first.id, "effective": "live" }));
    second.resolve().expect_error(401, "TOKEN_INVALID");
    second.execute(&json!({ "location": "Seattle" })).expect_error(401, "TOKEN_INVALID");
    second.page().expect(404);
    assert_eq!(admin.delete(&first.managed()).expect(200).json()["revoked"], false);
    admin.post(&format!("{}/rotate", first.managed()), &json!({})).expect_error(409, "CONFLICT");
    admin.patch(&first.managed(), &json!({ "name": "x" })).expect_error(409, "CONFLICT");
    let kept = admin.get(&first.managed()).expect(200).json();
    assert_eq!(
        (&kept["status"], &kept["token"], &kept["url"]),
        (&json!("revoked"), &json!(null), &json!(null))
    );
}

fn a_changed_dashboard_reaches_its_links(stack: &Stack) {
    let admin = stack.admin();
    let mut definition =
        admin.get(&format!("/api/v1/dashboards/{}", stack.described("dashboard_id"))).expect(200).json();
    let fields = definition.as_object_mut().unwrap();
    for own in ["id", "version", "created_at", "updated_at"] {
        fields.remove(own);
    }
    fields.insert("slug".into(), json!("changing"));
    let dashboard = admin.post("/api/v1/dashboards", &definition).expect(201).json();
    let path = format!("/api/v1/dashboards/{}", dashboard["id"].as_str().unwrap());
    let share = json!({ "name": "Link", "share_type": "link" });
    let share = Share::of(stack, &admin.post(&format!("{path}/shares"), &share).expect(201).json());
    let before = share.execute(&json!({})).expect(200).json();
    assert_eq!(rows(&before, "days"), json!([[2922]]));

    definition["title"] = json!("Renamed");
    definition["widgets"][0]["sql"] = json!("SELECT 7 AS days");
    let after = admin.put(&path, &definition).expect(200).json();
    assert_eq!(after["version"], 2);
    assert_eq!(share.resolve().expect(200).json()["dashboard"]["name"], "Renamed");
    let executed = share.execute(&json!({})).expect(200).json();
    assert_eq!((rows(&executed, "days"), &executed["cache"]["hit"]), (json!([[7]]), &json!(false)));

    admin.delete(&path).expect(204);
    share.resolve().expect_error(401, "TOKEN_INVALID");
    admin.get(&path).expect_error(404, "NOT_FOUND");
}

fn an_expiry_is_kept_to_the_millisecond(stack: &Stack) {
    let at = tests::signed::now().0 + 5_000;
    let expires_at = shared::time::Millis(at).to_rfc3339();
    let share = Share::create_with(stack, json!({ "expires_at": expires_at }));
    assert_eq!(share.resolve().expect(200).json()["share"]["expires_at"], expires_at.as_str());
    loop {
        let asked_at = tests::signed::now().0;
        let reply = share.resolve();
        let answered_at = tests::signed::now().0;
        if reply.status == 401 {
            assert!(answered_at >= at, "dead {} ms too early", at - answered_at);
            break;
        }
        assert!(asked_at < at, "alive {} ms too long", asked_at - at);
    }
    share.page().expect(404);
    assert_eq!(stack.admin().get(&share.managed()).expect(200).json()["status"], "expired");
}

fn the_command_line_does_the_same(stack: &Stack) {
    let postern = |arguments: &[&str]| {
        let mut command = stack.postern();
        command.args(arguments).args(["--organization", stack.described("company_slug"), "--json"]);
        let output = command.output().expect("postern runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON")
    };
    let created = postern(&[
        "share",
        "create",
        "--dashboard",
        stack.described("dashboard_id"),
        "--name",
        "From the shell",
    ]);
    let first = Share::of(stack, &created);
    first.resolve().expect(200);
    let second = Share::of(stack, &postern(&["share", "rotate", &first.id]));
    first.resolve().expect_error(401, "TOKEN_INVALID");
    second.resolve().expect(200);
    let listed = postern(&["share", "list", "--dashboard", stack.described("dashboard_id")]).to_string();
    assert!(listed.contains(&first.id), "{listed}");
    assert_eq!(postern(&["share", "revoke", &first.id])["revoked"], true);
    second.resolve().expect_error(401, "TOKEN_INVALID");
}
