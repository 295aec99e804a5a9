//! Session tokens: what a key exchanges itself for, on both databases.

use super::world::{Answered, World};
use crate::auth::Scope;
use crate::manage;
use http::Method;
use serde_json::{Value, json};
use shared::call::KEY_PATH;
use shared::model::api_key;
use std::time::Duration;
use uuid::Uuid;

const PATH: &str = "/api/v1/session-tokens";

/// A session token of the world's own key, as the API gave it.
async fn token(world: &World, body: Value) -> String {
    let made = world.post(PATH, body).await.ok(201).body;
    made["token"].as_str().unwrap().to_owned()
}

async fn with(world: &World, token: &str, (method, path): (Method, &str), body: Option<Value>) -> Answered {
    let bearer = format!("Bearer {token}");
    world.raw(method, path, body.map(|body| body.to_string()), &[("authorization", &bearer)]).await
}

async fn projects(world: &World, token: &str) -> Answered {
    with(world, token, (Method::GET, "/api/v1/projects"), None).await
}

async fn end(world: &World, token: &str) -> Answered {
    with(world, token, (Method::DELETE, "/api/v1/session-tokens/current"), None).await
}

/// What the edge asks about a key, by its hash.
async fn asked(world: &World, token: &str) -> Answered {
    world.signed(KEY_PATH, &json!({"hash": api_key::hash(token), "client": "192.0.2.7"})).await
}

/// Revokes all keys of the world's organization.
async fn revoke_keys(world: &World) {
    let service = &world.app.service;
    let organization = manage::key::organization(service, "acme").await.unwrap();
    for key in manage::key::list(service, &organization).await.unwrap() {
        manage::key::revoke(service, &organization, key.id).await.unwrap();
    }
}

#[tokio::test]
async fn a_session_token_does_what_its_key_does() {
    for world in World::all().await {
        let made = world.post(PATH, json!({})).await.ok(201).body;
        assert_eq!(made["expires_at"], "2026-01-01T01:00:00.007Z");
        assert_eq!(made["scopes"], json!(Scope::ALL.map(Scope::name)));
        let token = made["token"].as_str().unwrap();
        assert!(token.starts_with("pss_") && token.len() == 52, "{token}");
        let post = async |path: &str, body| with(&world, token, (Method::POST, path), Some(body)).await;
        let project = post("/api/v1/projects", json!({"name": "Atlas"})).await.ok(201).id();
        let collection = json!({"name": "Maps", "project_id": project});
        let collection = post("/api/v1/collections", collection).await.ok(201).id();
        let link = json!({
            "target_type": "collection", "target_id": collection, "password": "correct horse",
            "expires_at": "2027-01-01T00:00:00Z",
        });
        let link = post("/v1/op/share.link.create", link).await.ok(200).body;
        assert!(link["created_by"].as_str().unwrap().starts_with("session:"), "{link}");
        let header = [("x-api-key", token)];
        world.raw(Method::GET, "/api/v1/projects", None, &header).await.ok(200);
        // Where two dialects share a path, it is of the one that speaks of session tokens.
        let empty = post("/v1/share/link/create", json!({})).await.ok(422).body;
        assert_eq!(empty["detail"][0]["loc"], json!(["body", "target_type"]));
        let audit = world.get("/api/v1/audit").await.ok(200).body;
        let rows = audit["records"].as_array().unwrap();
        let row = rows.iter().find(|row| row["action"] == "session_token.create").unwrap();
        assert!(row["actor"].as_str().unwrap().starts_with("key:"), "{row}");
        assert_eq!(row["detail"], json!({"scopes": made["scopes"], "expires_at": made["expires_at"]}));
        let by = format!("session:{}", row["subject"].as_str().unwrap());
        assert!(rows.iter().any(|row| row["action"] == "project.create" && row["actor"] == json!(by)));
        assert!(!audit.to_string().contains(token));
    }
}

#[tokio::test]
async fn it_ends_when_its_time_is_over() {
    for world in World::all().await {
        let short = token(&world, json!({"expires_in": 60})).await;
        let usual = token(&world, json!({"expires_in": null, "scopes": null})).await;
        world.pass(Duration::from_millis(59_999));
        projects(&world, &short).await.ok(200);
        assert_eq!(asked(&world, &short).await.status, 200);
        world.pass(Duration::from_millis(1));
        projects(&world, &short).await.refused(401, "UNAUTHORIZED");
        assert_eq!(asked(&world, &short).await.status, 401);
        projects(&world, &usual).await.ok(200);
        world.pass(Duration::from_mins(59));
        projects(&world, &usual).await.refused(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn it_dies_with_its_key() {
    for world in World::all().await {
        let token = token(&world, json!({})).await;
        projects(&world, &token).await.ok(200);
        revoke_keys(&world).await;
        projects(&world, &token).await.refused(401, "UNAUTHORIZED");
        assert_eq!(asked(&world, &token).await.status, 401);
        end(&world, &token).await.refused(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn it_may_do_less_and_never_more_than_its_key() {
    for world in World::all().await {
        let narrow = token(&world, json!({"scopes": ["content:read", "content:read"]})).await;
        projects(&world, &narrow).await.ok(200);
        let words = with(&world, &narrow, (Method::GET, "/api/v1/usage"), None).await;
        words.refused(403, "FORBIDDEN");
        assert_eq!(asked(&world, &narrow).await.ok(200).body, json!({"scopes": ["content:read"]}));
        let weak = world.key("acme", &[Scope::SharesRead, Scope::ContentRead]).await;
        let create = async |body| with(&world, &weak, (Method::POST, PATH), Some(body)).await;
        let all = create(json!({})).await.ok(201).body;
        assert_eq!(all["scopes"], json!(["shares:read", "content:read"]));
        for (scopes, place) in [
            (json!(["shares:read", "shares:write"]), "/scopes/1"),
            (json!(["shares:*"]), "/scopes/0"),
            (json!([""]), "/scopes/0"),
            (json!([]), "/scopes"),
            (json!("shares:read"), "/scopes"),
        ] {
            let answer = create(json!({"scopes": scopes})).await;
            answer.refused(422, "VALIDATION_ERROR");
            assert_eq!(answer.body["errors"][0]["instancePath"], place, "{scopes}");
        }
    }
}

#[tokio::test]
async fn its_life_has_bounds_and_its_body_no_other_fields() {
    let world = World::new().await;
    for good in [60, 3_600, 43_200] {
        world.post(PATH, json!({"expires_in": good})).await.ok(201);
    }
    for bad in [json!(0), json!(59), json!(43_201), json!(u64::MAX), json!(-60), json!(60.5), json!("60")] {
        let answer = world.post(PATH, json!({"expires_in": bad})).await;
        answer.refused(422, "VALIDATION_ERROR");
        assert_eq!(answer.body["errors"][0]["instancePath"], "/expires_in", "{bad}");
    }
    world.post(PATH, json!({"name": "x"})).await.refused(422, "VALIDATION_ERROR");
    let once = [("idempotency-key", "k")];
    let answer = world.call(Method::POST, PATH, Some(json!({})), &once).await;
    answer.refused(422, "VALIDATION_ERROR");
}

#[tokio::test]
async fn it_makes_no_other() {
    let world = World::new().await;
    let token = token(&world, json!({})).await;
    let nested = with(&world, &token, (Method::POST, PATH), Some(json!({}))).await;
    nested.refused(401, "UNAUTHORIZED");
    assert_eq!(nested.headers["www-authenticate"], "Bearer");
    projects(&world, &token).await.ok(200);
}

#[tokio::test]
async fn who_holds_it_can_end_it() {
    for world in World::all().await {
        let (one, other) = (token(&world, json!({})).await, token(&world, json!({})).await);
        end(&world, &world.key).await.refused(404, "NOT_FOUND");
        end(&world, &one).await.ok(204);
        projects(&world, &one).await.refused(401, "UNAUTHORIZED");
        end(&world, &one).await.refused(401, "UNAUTHORIZED");
        assert_eq!(asked(&world, &one).await.status, 401);
        projects(&world, &other).await.ok(200);
        world.get("/api/v1/projects").await.ok(200);
    }
}

#[tokio::test]
async fn an_operator_ends_it_by_its_id_and_sees_only_keys() {
    for world in World::all().await {
        let token = token(&world, json!({})).await;
        let audit = world.get("/api/v1/audit").await.ok(200).body;
        assert_eq!(audit["records"][0]["action"], "session_token.create");
        let id: Uuid = audit["records"][0]["subject"].as_str().unwrap().parse().unwrap();
        let service = &world.app.service;
        let organization = manage::key::organization(service, "acme").await.unwrap();
        assert_eq!(manage::key::list(service, &organization).await.unwrap().len(), 1);
        assert!(manage::key::revoke(service, &organization, id).await.unwrap());
        projects(&world, &token).await.refused(401, "UNAUTHORIZED");
        world.get("/api/v1/projects").await.ok(200);
    }
}

#[tokio::test]
async fn a_key_has_at_most_a_thousand_and_those_that_are_over_are_forgotten() {
    for world in World::all().await {
        let first = token(&world, json!({"expires_in": 60})).await;
        for _ in 1..api_key::MAX_SESSIONS {
            world.post(PATH, json!({"expires_in": 120})).await.ok(201);
        }
        world.post(PATH, json!({})).await.refused(409, "CONFLICT");
        let other = world.key("acme", &[Scope::SharesRead]).await;
        with(&world, &other, (Method::POST, PATH), Some(json!({}))).await.ok(201);
        world.pass(Duration::from_mins(1));
        world.post(PATH, json!({"expires_in": 120})).await.ok(201);
        world.post(PATH, json!({})).await.refused(409, "CONFLICT");
        projects(&world, &first).await.refused(401, "UNAUTHORIZED");
        world.pass(Duration::from_mins(2));
        manage::session_token::sweep(&world.app.service).await.unwrap();
        let mut session = world.app.service.store.write().await.unwrap();
        let sql = "SELECT COUNT(*) FROM api_key";
        let (left,) = crate::store::query!(&mut session, fetch_one, (i64,), sql).unwrap();
        assert_eq!(left, 3, "two keys, and the other one's session");
    }
}

#[tokio::test]
async fn a_key_gets_no_more_requests_by_exchanging_itself() {
    let world = World::throttled(6).await;
    let token = token(&world, json!({})).await;
    // The first use of each is charged to the network; what follows empties one budget.
    let mut answered = 0;
    while projects(&world, &token).await.status == 200 {
        answered += 1;
    }
    assert!(answered > 1);
    world.get("/api/v1/projects").await.refused(429, "RATE_LIMITED");
}
