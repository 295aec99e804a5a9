//! Management through the edge's host: forwarded whole, and what it changes is live when it answers.

use crate::share::Share;
use serde_json::{Value, json};
use tests::{Client, Stack};

crate::tests![
    the_edge_forwards_management,
    a_repeated_create_makes_one_share,
    strangers_manage_nothing,
    policies_that_do_not_fit_are_named_and_change_nothing,
    lists_have_pages
];

fn at_edge(stack: &Stack) -> Client {
    stack.edge().with_key(stack.described("api_key"))
}

fn the_edge_forwards_management(stack: &Stack) {
    let (edge, control) = (at_edge(stack), stack.admin());
    let path = format!("/api/v1/dashboards/{}", stack.described("dashboard_id"));
    assert_eq!(edge.get(&path).expect(200).json(), control.get(&path).expect(200).json());
    let created = edge
        .post(&format!("{path}/shares"), &json!({"name": "By the edge", "share_type": "link"}))
        .expect(201)
        .json();
    let share = Share::of(stack, &created);
    assert_eq!(created["url"], format!("{}/share/{}", stack.described("edge_url"), share.token));
    share.resolve().expect(200);
    edge.post(&format!("{path}/shares"), &json!({"name": "", "share_type": "link"}))
        .expect_error(422, "VALIDATION_ERROR");
    edge.delete(&share.managed()).expect(200);
    share.resolve().expect_error(401, "TOKEN_INVALID");
    edge.get("/api/v1/nothing").expect_error(404, "NOT_FOUND");
}

fn a_repeated_create_makes_one_share(stack: &Stack) {
    let edge = at_edge(stack);
    let path = format!("/api/v1/dashboards/{}/shares", stack.described("dashboard_id"));
    let key = format!("e2e-{}", tests::signed::now().0);
    let headers = [("idempotency-key", key.as_str()), ("content-type", "application/json")];
    let send = |name: &str| {
        edge.send(
            "POST",
            &path,
            &headers,
            Some(json!({"name": name, "share_type": "link"}).to_string().as_bytes()),
        )
    };
    let first = send("Once").expect(201);
    let again = send("Once").expect(201);
    assert_eq!(first.json()["id"], again.json()["id"]);
    assert_eq!(first.json()["token"], again.json()["token"]);
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
    send("Other").expect_error(422, "IDEMPOTENCY_KEY_REUSED");
    Share::of(stack, &again.json()).resolve().expect(200);
}

fn strangers_manage_nothing(stack: &Stack) {
    let share = Share::create(stack);
    for client in
        [stack.edge(), stack.control(), stack.edge().with_key("pk_0000"), stack.edge().with_key(&share.token)]
    {
        client.get(&share.managed()).expect_error(401, "UNAUTHORIZED");
        client.delete(&share.managed()).expect_error(401, "UNAUTHORIZED");
        client.post(&format!("{}/rotate", share.managed()), &json!({})).expect_error(401, "UNAUTHORIZED");
    }
    share.resolve().expect(200);
}

fn lists_have_pages(stack: &Stack) {
    let admin = stack.admin();
    let made: Vec<_> = (0..3).map(|_| Share::create(stack).id).collect();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = admin.get(&format!("/api/v1/dashboard-shares?limit=2{cursor}")).expect(200).json();
        let records = page["records"].as_array().unwrap();
        assert_eq!(page["quantity"], records.len());
        assert!(records.len() <= 2 && page["total"].as_u64().unwrap() >= 3);
        seen.extend(records.iter().map(|share| share["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    for id in made {
        assert_eq!(seen.iter().filter(|other| **other == id).count(), 1, "{id}");
    }
}

fn policies_that_do_not_fit_are_named_and_change_nothing(stack: &Stack) {
    let (admin, share) = (stack.admin(), Share::create(stack));
    let policy = |slug: &str, kind: &str, values: Value| json!({ "filter_slug": slug, "filter_kind": kind, "mode": "selectable", "allowed_values": values });
    let cities = |count: usize| (0..count).map(|at| json!(format!("City {at}"))).collect::<Vec<_>>();
    let one = || policy("location", "select", json!(["Seattle"]));
    let before = admin.get(&share.managed()).expect(200).json();
    for (policies, place) in [
        (json!([policy("nowhere", "select", json!(["Seattle"]))]), "/share_filter_policies/0"),
        (json!([policy("location", "text", json!(["Seattle"]))]), "/share_filter_policies/0"),
        (json!([one(), policy("windy", "number", json!(["strong"]))]), "/share_filter_policies/1"),
        (json!([one(), one()]), "/share_filter_policies/1"),
        (json!([policy("location", "select", json!([]))]), "/share_filter_policies/0"),
        (json!([policy("location", "select", json!(cities(1_001)))]), "/share_filter_policies/0"),
    ] {
        let refused = admin.patch(&share.managed(), &json!({ "share_filter_policies": policies }));
        assert_eq!(refused.expect_error(422, "VALIDATION_ERROR")["errors"][0]["instancePath"], place);
    }
    assert_eq!(admin.get(&share.managed()).expect(200).json(), before);
    let most = json!([policy("location", "select", json!(cities(1_000)))]);
    admin.patch(&share.managed(), &json!({ "share_filter_policies": most })).expect(200);
    let offered = share.options("location", "").expect(200).json();
    assert_eq!(offered["options"].as_array().map(Vec::len), Some(1_000));
    share.execute(&json!({ "location": "City 999" })).expect(200);
    share.execute(&json!({ "location": "Seattle" })).expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
}
