//! What the visitors of a share would see, before there is one.

use super::world::{Answered, World};
use serde_json::{Value, json};

const PREVIEW: &str = "/api/v1/dashboard-shares/preview";

async fn preview(world: &World, dashboard: &str, fields: Value) -> Answered {
    let mut body = json!({ "dashboard_id": dashboard });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    world.post(PREVIEW, body).await
}

fn locked(hidden: bool) -> Value {
    json!([{"filter_slug": "location", "filter_kind": "select", "mode": "locked",
        "allowed_values": ["Seattle"], "hidden": hidden}])
}

#[tokio::test]
async fn it_shows_filters_values_and_how_many_rows() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let open = preview(&world, &dashboard, json!({})).await.ok(200).body;
        assert_eq!(open["filters"].as_array().unwrap().len(), 4);
        assert_eq!(
            open["parameters"],
            json!({"location": null, "weather": null, "period": null, "wet": null})
        );
        assert_eq!(
            open["widgets"],
            json!([
                {"id": "days", "title": "Days", "row_count": 1, "truncated": false},
                {"id": "rows", "title": "Rows", "row_count": 4, "truncated": false},
            ])
        );
        let narrow = json!({"share_filter_policies": locked(false), "default_mode": "disabled"});
        let shown = preview(&world, &dashboard, narrow).await.ok(200).body;
        assert_eq!(shown["filters"].as_array().unwrap().len(), 1);
        assert_eq!(shown["filters"][0]["value"], "Seattle");
        assert_eq!(shown["parameters"], json!({"location": "Seattle"}));

        assert_eq!(open["not_narrowed"], json!([]));
        assert_eq!(shown["not_narrowed"], json!([{"at": "/widgets/1/sql", "filter_slug": "location"}]));

        // Visitors do not learn of it; its owner does.
        let hidden = json!({"share_filter_policies": locked(true), "parameters": {"weather": ["sun"]}});
        let shown = preview(&world, &dashboard, hidden).await.ok(200).body;
        assert!(!shown["filters"].to_string().contains("location"));
        assert_eq!(
            shown["parameters"],
            json!({"location": "Seattle", "weather": ["sun"], "period": null, "wet": null})
        );
        assert_eq!(world.get("/api/v1/dashboard-shares").await.body["total"], 0);
        let audit = world.get("/api/v1/audit").await.ok(200).body;
        assert_eq!(audit["records"][0]["action"], "dashboard.create", "nothing is noted");
    }
}

#[tokio::test]
async fn what_a_visitor_may_not_ask_is_refused() {
    let world = World::new().await;
    let dashboard = world.dashboard().await;
    let ask = async |parameters: Value| {
        let fields = json!({"share_filter_policies": locked(true), "parameters": parameters});
        preview(&world, &dashboard, fields).await
    };
    for parameters in [json!({"location": "Seattle"}), json!({"nothing": 1}), json!({"wet": "yes"})] {
        ask(parameters).await.refused(400, "SHARE_FILTER_POLICY_VIOLATION");
    }
    let unfit =
        json!({"share_filter_policies": [{"filter_slug": "gone", "filter_kind": "text", "mode": "open"}]});
    let answer = preview(&world, &dashboard, unfit).await;
    answer.refused(422, "VALIDATION_ERROR");
    assert_eq!(answer.body["errors"][0]["instancePath"], "/share_filter_policies/0");
    preview(&world, &dashboard, json!({"parameters": []})).await.refused(422, "VALIDATION_ERROR");
    let unknown = "0190a8c0-0000-7000-8000-000000000001";
    preview(&world, unknown, json!({})).await.refused(404, "NOT_FOUND");
    world.delete(&format!("/api/v1/dashboards/{dashboard}")).await.ok(204);
    preview(&world, &dashboard, json!({})).await.refused(404, "NOT_FOUND");
}
