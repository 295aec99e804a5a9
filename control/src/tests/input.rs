//! Bad input: a clear error in the dialect's shape, and nothing changed.

use super::credentials::refused;
use super::world::World;
use crate::openapi::Document;
use http::Method;
use serde_json::json;

#[tokio::test]
async fn bad_bodies_are_refused_and_change_nothing() {
    let world = World::new().await;
    let dashboard = world.dashboard().await;
    let path = format!("/api/v1/dashboards/{dashboard}/shares");
    let bearer = format!("Bearer {}", world.key);
    let check = async |body: &str, content_type: &str, status: u16, code: &str| {
        let headers = [("authorization", bearer.as_str()), ("content-type", content_type)];
        world.raw(Method::POST, &path, Some(body.to_owned()), &headers).await.refused(status, code);
    };
    let good = r#"{"name":"x","share_type":"link"}"#;
    check(good, "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE").await;
    check("", "application/json", 400, "MALFORMED_JSON").await;
    check("{", "application/json", 400, "MALFORMED_JSON").await;
    check(r#"{"name":"x","name":"y","share_type":"link"}"#, "application/json", 400, "MALFORMED_JSON").await;
    check(&"[".repeat(1_000), "application/json", 400, "MALFORMED_JSON").await;
    check("[]", "application/json", 422, "VALIDATION_ERROR").await;
    check(r#"{"name":5,"share_type":"link"}"#, "application/json", 422, "VALIDATION_ERROR").await;
    check(r#"{"name":"","share_type":"link"}"#, "application/json", 422, "VALIDATION_ERROR").await;
    check(r#"{"name":"x","share_type":"embed"}"#, "application/json", 422, "VALIDATION_ERROR").await;
    check(
        r#"{"name":"x","share_type":"link","expires_at":"soon"}"#,
        "application/json",
        422,
        "VALIDATION_ERROR",
    )
    .await;
    check(&format!("{good}{}", " ".repeat(65_536)), "application/json", 413, "PAYLOAD_TOO_LARGE").await;
    assert_eq!(world.get(&path).await.body["total"], 0);
    let rotate = "/api/v1/dashboard-shares/0190a8c0-0000-7000-8000-000000000001/rotate";
    world.post(rotate, json!({"x": 1})).await.refused(422, "VALIDATION_ERROR");
    world.post(rotate, json!({})).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn bad_headers_and_queries_are_refused() {
    let world = World::new().await;
    let dashboard = world.dashboard().await;
    let path = format!("/api/v1/dashboards/{dashboard}/shares");
    let body = json!({"name": "x", "share_type": "link"});
    for key in ["", &"k".repeat(256), "tab\tbed"] {
        let answer = world.call(Method::POST, &path, Some(body.clone()), &[("idempotency-key", key)]).await;
        answer.refused(422, "VALIDATION_ERROR");
    }
    for query in ["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "cursor=x", "colour=red"] {
        world.get(&format!("{path}?{query}")).await.refused(422, "VALIDATION_ERROR");
    }
    for id in ["x", "%00", "0190a8c0000070008000000000000001", "{0190a8c0-0000-7000-8000-000000000001}"] {
        let id = id.replace('{', "%7B").replace('}', "%7D");
        world.get(&format!("/api/v1/dashboards/{id}")).await.refused(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn every_documented_path_refuses_other_methods_by_name() {
    let world = World::new().await;
    let (_, document) = crate::router::routes().split_for_parts();
    for path in document.paths.paths.keys().filter(|path| {
        !path.contains("/public/")
            && !path.contains("/api/embed/")
            && !path.contains("/share-portal/{company_slug}/dashboards")
            && *path != "/oembed"
    }) {
        let path = path.replace("{id}", "0190a8c0-0000-7000-8000-000000000001");
        let answer = world.raw(Method::TRACE, &path, None, &[]).await;
        let words = refused(&answer, &path, (405, "METHOD_NOT_ALLOWED"));
        let allow = answer.headers["allow"].to_str().unwrap();
        assert!(words.contains(allow), "{path}: {answer:?}");
    }
    for unknown in ["/", "/api/v1", "/api/v1/dashboards/", "/api/v2/dashboards", "/internal", "/%ff"] {
        world.get(unknown).await.refused(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn every_answer_has_an_id_and_the_security_headers() {
    let world = World::new().await;
    for path in [
        "/livez",
        "/readyz",
        "/version",
        "/wizard/",
        "/wizard/wizard.js",
        "/metrics",
        "/openapi.json",
        "/openapi/operation.json",
        "/docs/",
        "/nothing",
        "/api/v1/audit",
    ] {
        let answer = world.raw(Method::GET, path, None, &[("x-request-id", "req_mine")]).await;
        assert_eq!(answer.headers["x-request-id"], "req_mine", "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer", "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
    }
}

#[tokio::test]
async fn the_committed_documents_are_what_the_code_says() {
    for (file, document) in [("dashboard", Document::Dashboard), ("operation", Document::Operation)] {
        let path = format!("{}/openapi/{file}.json", env!("CARGO_MANIFEST_DIR"));
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(committed == document.text(), "{file}: run `cargo xtask openapi`");
    }
}
