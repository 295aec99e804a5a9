//! Every route that needs a key, with none, with a false one, with a weak one, and with another organization's.

use super::world::{Answered, ROOT, World, definition};
use crate::auth::Scope;
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::call::{CLIENT_HEADER, vouch};
use shared::model::key::KeyRing;
use std::collections::BTreeSet;
use utoipa::openapi::path::Operation;

/// What each route needs; some need a key alone. Taken from the documentation, so a new route is tried as soon as it is
/// documented.
fn guarded() -> Vec<(Method, String, Option<Scope>)> {
    let (_, document) = crate::router::routes().split_for_parts();
    let mut routes = Vec::new();
    for (path, item) in document.paths.paths {
        let operations: [(Method, Option<Operation>); 5] = [
            (Method::GET, item.get),
            (Method::POST, item.post),
            (Method::PUT, item.put),
            (Method::PATCH, item.patch),
            (Method::DELETE, item.delete),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            let security = serde_json::to_value(operation.security).unwrap();
            if let Some(scopes) = security[0]["api_key"].as_array() {
                let scope = scopes.first().map(|name| Scope::parse(name.as_str().unwrap()).unwrap());
                routes.push((method, path.clone(), scope));
            }
        }
    }
    routes
}

/// A body that would be taken.
async fn body(world: &World, (method, path): (&Method, &str), dashboard: &str) -> Option<Value> {
    let source = world.source().await;
    match (method.as_str(), path) {
        ("POST" | "PUT", "/api/v1/dashboards" | "/api/v1/dashboards/{id}") => Some(definition(&source)),
        ("POST", "/api/v1/data-sources") => {
            Some(json!({"name": "x", "kind": "sqlite", "file": "weather.db"}))
        }
        ("POST", "/api/v1/dashboards/{id}/shares") => Some(json!({"name": "x", "share_type": "link"})),
        ("POST" | "PUT", "/api/v1/share-contexts" | "/api/v1/share-contexts/{id}") => {
            Some(json!({"name": "x"}))
        }
        ("POST", path) if path.ends_with("/members") => {
            Some(json!({"member_type": "email_domain", "domain": "company.com"}))
        }
        ("POST", path) if path.ends_with("/members/bulk") => {
            Some(json!({"members": [{"member_type": "email_domain", "domain": "company.com"}]}))
        }
        ("POST", path) if path.ends_with("/bulk") => {
            Some(json!({"action": "revoke", "filter": {"dashboard_id": dashboard}}))
        }
        ("POST", path) if path.ends_with("/preview") => Some(json!({"dashboard_id": dashboard})),
        ("PUT", path) if path.ends_with("/password") => Some(json!({"password": "correct horse"})),
        ("PUT", path) if path.ends_with("/limits") => Some(json!({})),
        ("POST", "/api/v1/embed/dashboards/{id}" | "/api/v1/session-tokens") => Some(json!({})),
        ("POST", "/api/v1/collections") => Some(json!({"name": "x", "project_id": dashboard})),
        ("POST", "/api/v1/items") => Some(json!({
            "name": "x", "project_id": dashboard, "profiles": [{"name": "a", "key": "acme/a.pmtiles"}],
        })),
        ("PUT", path) if path.ends_with("/origins") => Some(json!({"allowed_origins": []})),
        ("PATCH", _) | ("POST", "/api/v1/data-products" | "/api/v1/projects") => Some(json!({"name": "x"})),
        _ => None,
    }
}

/// A path to a thing of the world's own organization.
async fn filled(world: &World, template: &str, id: &str) -> String {
    let keys = world.get("/api/v1/embed/keys").await.ok(200).body;
    let kid = keys["keys"][0]["kid"].as_str().unwrap();
    template.replace("{id}", id).replace("{kid}", kid).replace("{jti}", "t1").replace("{member_id}", id)
}

/// Checks an error in the dialect of its path, and gives its words.
#[track_caller]
pub(super) fn refused(answer: &Answered, template: &str, (status, code): (u16, &str)) -> String {
    if template.starts_with("/v1/") {
        let error = &answer.body["error"];
        assert_eq!(
            (answer.status.as_u16(), &error["code"]),
            (status, &json!(code.to_lowercase())),
            "{answer:?}"
        );
        return error["message"].as_str().unwrap().to_owned();
    }
    answer.refused(status, code);
    answer.body["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_route_asks_for_a_key_and_its_scope() {
    let world = World::new().await;
    let dashboard = world.dashboard().await;
    let routes = guarded();
    assert_eq!(routes.len(), 77, "{routes:?}");
    for (method, template, scope) in routes {
        let path = filled(&world, &template, &dashboard).await;
        let body = body(&world, (&method, &template), &dashboard).await.map(|body| body.to_string());
        let call =
            async |headers: &[(&str, &str)]| world.raw(method.clone(), &path, body.clone(), headers).await;
        let answer = call(&[]).await;
        refused(&answer, &template, (401, "UNAUTHORIZED"));
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        let unknown = crate::auth::new_key(shared::model::api_key::Prefix::Postern).unwrap();
        let unknown = secrecy::ExposeSecret::expose_secret(&unknown).to_owned();
        for bad in [
            "Bearer",
            "Bearer pk_",
            "Basic abc",
            &format!("Bearer {unknown}"),
            &format!("Bearer {}x", world.key),
        ] {
            refused(&call(&[("authorization", bad)]).await, &template, (401, "UNAUTHORIZED"));
        }
        let Some(scope) = scope else { continue };
        let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        let weak = world.key("acme", &others).await;
        let answer = call(&[("x-api-key", &weak)]).await;
        let words = refused(&answer, &template, (403, "FORBIDDEN"));
        assert!(words.contains(scope.name()));
    }
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let world = World::new().await;
    let share = world.share().await;
    let (id, dashboard) = (share["id"].as_str().unwrap(), share["dashboard_id"].as_str().unwrap());
    let shown = world.get(&format!("/api/v1/dashboards/{dashboard}")).await.ok(200).body;
    let source = shown["data_source_id"].as_str().unwrap();
    let product = world.post("/api/v1/data-products", json!({"name": "x"})).await.ok(201).id();
    let stranger = world.key("globex", &Scope::ALL).await;
    let own_key = world.get("/api/v1/embed/keys").await.ok(200).body["keys"][0]["kid"].clone();
    let mut statuses = BTreeSet::new();
    for (method, template, _) in guarded() {
        let own = match template.as_str() {
            path if path.contains("dashboard-shares") => id,
            path if path.contains("data-sources") => source,
            path if path.contains("data-products") => &product,
            _ => dashboard,
        };
        let path = filled(&world, &template, own).await;
        let body = body(&world, (&method, &template), dashboard).await.map(|body| body.to_string());
        let answer = world.raw(method.clone(), &path, body, &[("x-api-key", &stranger)]).await;
        statuses.insert(answer.status.as_u16());
        match (method.as_str(), template.contains('{')) {
            (_, true) => drop(refused(&answer, &template, (404, "NOT_FOUND"))),
            (_, false) if template.ends_with("/limits") || template.ends_with("/origins") => {
                assert_eq!(answer.status, 200);
            }
            ("GET", false) if template.ends_with("/keys") => {
                assert_ne!(answer.body["keys"][0]["kid"], own_key);
            }
            (_, false) if template.ends_with("/bulk") => assert_eq!(answer.body["matched"], 0),
            (_, false) if template.ends_with("/preview") => answer.refused(404, "NOT_FOUND"),
            // What they came with is no session token.
            ("DELETE", false) => answer.refused(404, "NOT_FOUND"),
            ("GET", false) if template.contains("audit") => assert_eq!(answer.body["total"], 2),
            ("GET", false) if template.ends_with("/usage") => {
                assert_eq!(answer.body, json!({"days": [], "spent": []}));
            }
            ("GET", false) => assert_eq!(answer.body["total"], 0, "{template}"),
            // A project that is another's, a key below another's slug, and nothing at all.
            ("POST", false)
                if ["/collections", "/items", "/archives"].iter().any(|end| template.ends_with(end)) =>
            {
                answer.refused(422, "VALIDATION_ERROR");
            }
            // A definition on a source that is another's.
            ("POST", false) if template.contains("dashboards") => answer.refused(422, "VALIDATION_ERROR"),
            _ => assert_eq!(answer.status, 201),
        }
    }
    assert_eq!(statuses, BTreeSet::from([200, 201, 404, 422]));
    assert_eq!(world.get(&format!("/api/v1/dashboard-shares/{id}")).await.ok(200).body, share);
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once() {
    let world = World::new().await;
    let organization = crate::manage::key::organization(&world.app.service, "acme").await.unwrap();
    let keys = crate::manage::key::list(&world.app.service, &organization).await.unwrap();
    world.get("/api/v1/dashboards").await.ok(200);
    assert!(crate::manage::key::revoke(&world.app.service, &organization, keys[0].id).await.unwrap());
    world.get("/api/v1/dashboards").await.refused(401, "UNAUTHORIZED");
    assert!(!crate::manage::key::revoke(&world.app.service, &organization, keys[0].id).await.unwrap());
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_back() {
    let world = World::throttled(3).await;
    for _ in 0..3 {
        world.raw(Method::GET, "/api/v1/dashboards", None, &[]).await.refused(401, "UNAUTHORIZED");
    }
    let answer = world.raw(Method::GET, "/api/v1/dashboards", None, &[]).await;
    answer.refused(429, "RATE_LIMITED");
    let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    world.raw(Method::GET, "/livez", None, &[]).await.ok(200);
    // Through the edge each visitor has a budget of their own, and nobody gets one by saying so.
    let keys = KeyRing::parse(ROOT, None).unwrap().current;
    let client = "192.0.2.7".parse().unwrap();
    let value = vouch(&keys.origin, "GET", "/api/v1/dashboards", client, world.app.service.clock.now());
    let from = async |value: &str| {
        world.raw(Method::GET, "/api/v1/dashboards", None, &[(CLIENT_HEADER, value)]).await
    };
    from(&value).await.refused(401, "UNAUTHORIZED");
    from("192.0.2.8").await.refused(429, "RATE_LIMITED");
    from(&value.replace("192.0.2.7", "192.0.2.9")).await.refused(429, "RATE_LIMITED");
}

#[tokio::test]
async fn no_store_holds_a_token_a_key_or_a_password() {
    let world = World::new().await;
    let share = world.share().await;
    let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
    let list = format!("/api/v1/dashboards/{}/shares", share["dashboard_id"].as_str().unwrap());
    let protected = json!({"name": "x", "share_type": "link", "password": "correct horse"});
    // An idempotent request is remembered, but not what it says: not even its plain digest, which could be guessed.
    let digest = |method: &str, path: &str, body: &str| {
        let mut digest = Sha256::new();
        for part in [method, path, body] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        hex::encode(digest.finalize())
    };
    let digest = digest("POST", &list, &protected.to_string());
    world.call(Method::POST, &list, Some(protected), &[("idempotency-key", "k")]).await.ok(201);
    world.delete(&path).await.ok(200);
    let session = world.post("/api/v1/session-tokens", json!({})).await.ok(201).body;
    let url = secrecy::ExposeSecret::expose_secret(&world.config.database_url).to_owned();
    let file = url.strip_prefix("sqlite://").unwrap();
    let mut bytes = std::fs::read(file).unwrap();
    bytes.extend(std::fs::read(format!("{file}-wal")).unwrap());
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("Public link"));
    for secret in [
        share["token"].as_str().unwrap(),
        &share["token"].as_str().unwrap()[4..36],
        &world.key,
        session["token"].as_str().unwrap(),
        super::world::ROOT,
        "correct horse",
        &digest,
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
}
