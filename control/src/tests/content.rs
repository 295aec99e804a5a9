//! Data sources and dashboards, on both databases.

use super::world::{World, definition};
use http::Method;
use serde_json::json;

#[tokio::test]
async fn a_dashboard_is_made_replaced_and_deleted() {
    for world in World::all().await {
        let source = world.source().await;
        let made = world.post("/api/v1/dashboards", definition(&source)).await.ok(201);
        let path = format!("/api/v1/dashboards/{}", made.id());
        assert_eq!(made.headers["etag"], "\"1\"");
        assert_eq!(world.get(&path).await.ok(200).body, made.body);
        world.post("/api/v1/dashboards", definition(&source)).await.refused(409, "CONFLICT");

        let share = world.share_of(&made.id()).await;
        let mut changed = definition(&source);
        changed["title"] = json!("Rain");
        let put = async |version: &str| {
            world.call(Method::PUT, &path, Some(changed.clone()), &[("if-match", version)]).await
        };
        put("\"7\"").await.refused(409, "CONFLICT");
        put("7").await.refused(422, "VALIDATION_ERROR");
        let replaced = put("\"1\"").await.ok(200);
        assert_eq!(
            (replaced.body["version"].clone(), replaced.body["title"].clone()),
            (json!(2), json!("Rain"))
        );
        let live = world.edge.live();
        assert_eq!((live.len(), live[0].revision), (1, 2));
        let shared::replica::TargetView::Dashboard(view) = &live[0].live.as_ref().unwrap().target else {
            panic!("no dashboard")
        };
        assert_eq!((view.title.as_str(), view.version), ("Rain", 2));

        world.delete(&format!("/api/v1/data-sources/{source}")).await.refused(409, "CONFLICT");
        world.delete(&path).await.ok(204);
        assert!(world.edge.live().is_empty());
        world.get(&path).await.refused(404, "NOT_FOUND");
        world.delete(&path).await.refused(404, "NOT_FOUND");
        let share = world
            .get(&format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap()))
            .await
            .ok(200)
            .body;
        assert_eq!(share["status"], "revoked");
        // The slug and the source are free again.
        let again = world.post("/api/v1/dashboards", definition(&source)).await.ok(201);
        world.delete(&format!("/api/v1/dashboards/{}", again.id())).await.ok(204);
        world.delete(&format!("/api/v1/data-sources/{source}")).await.ok(204);
        world.get(&format!("/api/v1/data-sources/{source}")).await.refused(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn a_url_is_never_shown_and_never_stored_in_clear() {
    for world in World::all().await {
        let url = "postgres://reader:hunter2@127.0.0.1:1/d";
        let made = world
            .post("/api/v1/data-sources", json!({"name": "pg", "kind": "postgres", "url": url}))
            .await
            .ok(201);
        for shown in [&made.body, &world.get("/api/v1/data-sources").await.ok(200).body] {
            assert!(
                !shown.to_string().contains("hunter2") && !shown.to_string().contains("reader"),
                "{shown}"
            );
        }
        let mut session = world.app.service.store.read().await.unwrap();
        let organization =
            crate::store::organization::by_slug(&mut session, "acme").await.unwrap().unwrap().id;
        let stored = crate::store::data_source::find(&mut session, organization, made.id().parse().unwrap())
            .await
            .unwrap();
        assert!(!stored.location.contains("hunter2") && !stored.location.contains(&hex::encode("hunter2")));
    }
}

#[tokio::test]
async fn flaws_of_a_definition_are_named_by_their_place() {
    let world = World::new().await;
    let source = world.source().await;
    let check = async |change: &dyn Fn(&mut serde_json::Value), pointer: &str, message: &str| {
        let mut definition = definition(&source);
        change(&mut definition);
        let answer = world.post("/api/v1/dashboards", definition).await;
        answer.refused(422, "VALIDATION_ERROR");
        let flaw = &answer.body["errors"][0];
        assert_eq!(flaw["instancePath"], pointer, "{flaw}");
        assert!(flaw["message"].as_str().unwrap().contains(message), "{flaw}");
    };
    check(&|d| d["slug"] = json!("No!"), "/slug", "lower case").await;
    check(&|d| d["widgets"][1]["id"] = json!("days"), "/widgets/1/id", "taken").await;
    check(&|d| d["filters"][1]["slug"] = json!("location"), "/filters/1/slug", "taken").await;
    check(
        &|d| d["widgets"][0]["sql"] = json!("SELECT :foo"),
        "/widgets/0/sql",
        "uses :foo, which is no filter",
    )
    .await;
    check(&|d| d["widgets"][0]["sql"] = json!("SELECT 1; SELECT 2"), "/widgets/0/sql", "one statement").await;
    check(&|d| d["widgets"][0]["sql"] = json!("DROP TABLE weather"), "/widgets/0/sql", "must be one SELECT")
        .await;
    check(
        &|d| d["widgets"][0]["sql"] = json!("SELECT colour FROM weather"),
        "/widgets/0/sql",
        "no such column",
    )
    .await;
    check(&|d| d["widgets"][1]["x"] = json!("colour"), "/widgets/1/x", "no column").await;
    check(&|d| d["widgets"][1]["y"] = json!(["rain", "colour"]), "/widgets/1/y/1", "no column").await;
    check(&|d| d["filters"][1]["options"]["sql"] = json!("SELECT :bar"), "/filters/1/options/sql", ":bar")
        .await;
    check(
        &|d| d["data_source_id"] = json!("0190a8c0-0000-7000-8000-000000000001"),
        "/data_source_id",
        "no data source",
    )
    .await;
    check(&|d| d["colour"] = json!(1), "/colour", "unknown field").await;
    assert_eq!(world.get("/api/v1/dashboards").await.body["total"], 0);
}

#[tokio::test]
async fn a_data_source_must_be_there() {
    let world = World::new().await;
    for file in ["", "missing.db", "../weather.db", "/etc/passwd", "control/../weather.db"] {
        let answer =
            world.post("/api/v1/data-sources", json!({"name": "x", "kind": "sqlite", "file": file})).await;
        answer.refused(422, "VALIDATION_ERROR");
        assert_eq!(answer.body["errors"][0]["instancePath"], "/file", "{file}");
    }
    for url in ["mysql://h/d", "postgres://", "file:///x", ""] {
        let answer =
            world.post("/api/v1/data-sources", json!({"name": "x", "kind": "postgres", "url": url})).await;
        assert_eq!(answer.body["errors"][0]["instancePath"], "/url", "{url}");
    }
}
