//! Embeds: tokens, and taking them back, on both databases.

use super::edge::Mood;
use super::world::{Answered, ROOT, World};
use crate::auth::Scope;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use shared::call::{EXECUTE_PATH, OPTIONS_PATH};
use shared::model::embed::token::{EmbedToken, sign, verify};
use shared::model::embed::{Embed, Terms};
use shared::model::key::KeyRing;
use shared::model::token::RecordKey;
use shared::replica::Record;
use std::time::Duration;
use uuid::Uuid;

fn path(dashboard: &str) -> String {
    format!("/api/v1/embed/dashboards/{dashboard}")
}

async fn mint(world: &World, dashboard: &str, body: Value) -> Answered {
    world.post(&path(dashboard), body).await
}

fn ring() -> KeyRing {
    KeyRing::parse(ROOT, None).unwrap()
}

/// What a minted token says.
fn said(minted: &Value) -> Embed {
    verify(&ring(), minted["token"].as_str().unwrap()).unwrap()
}

fn record(world: &World, dashboard: &str, generation: u64) -> Record {
    let key = RecordKey::of_embed(Uuid::parse_str(dashboard).unwrap(), generation);
    world.edge.records()[key.as_str()].clone()
}

/// What the edge knows of a dashboard's embed.
fn terms(world: &World, dashboard: &str, generation: u64) -> Terms {
    record(world, dashboard, generation).live.unwrap().embed.unwrap()
}

async fn audited(world: &World, action: &str) -> usize {
    let audit = world.get("/api/v1/audit?limit=100").await.ok(200).body;
    audit["records"].as_array().unwrap().iter().filter(|row| row["action"] == action).count()
}

#[tokio::test]
async fn the_first_token_turns_embedding_on_and_the_next_write_nothing() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let before = world.get(&path(&dashboard)).await.ok(200).body;
        assert_eq!((&before["enabled"], &before["generation"]), (&json!(false), &json!(0)));
        assert_eq!(before["parameters"][2]["name"], "period_start");
        let body = json!({
            "allowed_params": ["period_start", "period_end"], "required_params": ["period_start", "period_end"],
            "fixed_params": {"location": "Seattle"}, "expires_in": 3600, "allowed_origins": ["https://shop.example.com"],
            "hide_header": true, "theme": "dark",
        });
        let minted = mint(&world, &dashboard, body).await.ok(200).body;
        let token = minted["token"].as_str().unwrap();
        assert_eq!(minted["embed_url"], format!("https://share.example/embed/d/{token}"));
        assert!(minted["html"].as_str().unwrap().contains(minted["embed_url"].as_str().unwrap()));
        assert_eq!((&minted["effective"], &minted["generation"]), (&json!("live"), &json!(1)));
        let embed = said(&minted);
        assert_eq!(embed.dashboard.to_string(), dashboard);
        assert_eq!((embed.generation, embed.key_generation), (1, 1));
        assert_eq!(embed.expires_at - embed.issued_at, 3_602, "it began two seconds before it was made");
        assert_eq!(minted["expires_at"], embed.ends().to_rfc3339());
        assert_eq!(embed.terms.fixed_params["location"], "Seattle");
        assert!(embed.terms.look.hide_header);
        assert_eq!(terms(&world, &dashboard, 1), Terms { keys: vec![1], ..Terms::default() });

        let pushes = world.edge.log().len();
        let second = mint(&world, &dashboard, json!({})).await.ok(200).body;
        assert_ne!(second["jti"], minted["jti"]);
        assert_eq!(world.edge.log().len(), pushes);
        assert_eq!(audited(&world, "embed.turn_on").await, 1);
        let after = world.get(&path(&dashboard)).await.ok(200).body;
        assert_eq!((&after["enabled"], &after["effective"]), (&json!(true), &json!("live")));
    }
}

#[tokio::test]
async fn an_embed_is_a_share_of_its_own_type() {
    for world in World::all().await {
        let link = world.share().await;
        let dashboard = link["dashboard_id"].as_str().unwrap().to_owned();
        mint(&world, &dashboard, json!({})).await.ok(200);
        let list = |query: &str| format!("/api/v1/dashboard-shares?{query}");
        let all = world.get(&list("")).await.ok(200).body;
        assert_eq!(all["total"], 2);
        let embeds = world.get(&list("share_type=embed")).await.ok(200).body;
        assert_eq!(embeds["total"], 1);
        let embed = &embeds["records"][0];
        assert_eq!(
            (&embed["share_type"], &embed["token"], &embed["url"]),
            (&json!("embed"), &json!(null), &json!(null))
        );
        assert_eq!(world.get(&list("share_type=link")).await.ok(200).body["records"][0]["id"], link["id"]);
        world.get(&list("share_type=page")).await.refused(422, "VALIDATION_ERROR");
        let share = format!("/api/v1/dashboard-shares/{}", embed["id"].as_str().unwrap());
        world.call(Method::PATCH, &share, Some(json!({"name": "n"})), &[]).await.refused(409, "CONFLICT");
        let password = format!("{share}/password");
        world
            .call(Method::PUT, &password, Some(json!({"password": "p"})), &[])
            .await
            .refused(409, "CONFLICT");
        let made = json!({"name": "n", "share_type": "embed"});
        world
            .post(&format!("/api/v1/dashboards/{dashboard}/shares"), made)
            .await
            .refused(422, "VALIDATION_ERROR");
        // Taken back as any share.
        world.delete(&share).await.ok(200);
        assert!(record(&world, &dashboard, 1).is_dead());
        assert_eq!(world.get(&path(&dashboard)).await.ok(200).body["enabled"], false);
    }
}

#[tokio::test]
async fn what_contradicts_itself_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let dashboard = world.dashboard().await;
    for (body, pointer) in [
        (json!({"expires_in": 59}), "/expires_in"),
        (json!({"expires_in": 86_401}), "/expires_in"),
        (json!({"allowed_params": ["country"]}), "/allowed_params/0"),
        (json!({"required_params": ["location"]}), "/required_params/0"),
        (json!({"fixed_params": {"country": 1}}), "/fixed_params/country"),
        (json!({"fixed_params": {"location": ["a", "b"]}}), "/fixed_params/location"),
        (json!({"allowed_params": ["period_end"]}), "/allowed_params"),
        (json!({"allowed_origins": ["https://example.com/path"]}), "/allowed_origins/0"),
        (json!({"allowed_origins": ["https://*"]}), "/allowed_origins/0"),
        (json!({"colour": 1}), "/colour"),
    ] {
        let answer = mint(&world, &dashboard, body).await;
        answer.refused(422, "VALIDATION_ERROR");
        assert_eq!(answer.body["errors"][0]["instancePath"], pointer);
    }
    let long = json!({"fixed_params": {"weather": vec!["x".repeat(100); 80]}});
    mint(&world, &dashboard, long).await.refused(422, "VALIDATION_ERROR");
    mint(&world, &Uuid::nil().to_string(), json!({})).await.refused(404, "NOT_FOUND");
    assert_eq!(world.get(&path(&dashboard)).await.ok(200).body["enabled"], false);
}

#[tokio::test]
async fn parallel_first_tokens_make_one_embed() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let minted = join_all((0..8).map(|_| mint(&world, &dashboard, json!({})))).await;
        assert!(
            minted.iter().all(|answer| answer.status == 200 && answer.body["generation"] == 1),
            "{minted:?}"
        );
        assert_eq!(world.get("/api/v1/dashboard-shares?share_type=embed").await.ok(200).body["total"], 1);
    }
}

#[tokio::test]
async fn one_token_dies_alone() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let minted = mint(&world, &dashboard, json!({})).await.ok(200).body;
        let token = format!("{}/tokens/{}", path(&dashboard), minted["jti"].as_str().unwrap());
        assert_eq!(world.delete(&token).await.ok(200).body["revoked"], true);
        assert_eq!(terms(&world, &dashboard, 1).revoked, [minted["jti"].as_str().unwrap()]);
        assert_eq!(world.delete(&token).await.ok(200).body["revoked"], false);
        assert_eq!(world.get(&path(&dashboard)).await.ok(200).body["revoked_tokens"], 1);
        assert_eq!(audited(&world, "embed.token_revoke").await, 1);
        world.delete(&format!("{}/tokens/a%20b", path(&dashboard))).await.refused(404, "NOT_FOUND");
        world
            .delete(&format!("{}/tokens/{}", path(&dashboard), "x".repeat(65)))
            .await
            .refused(404, "NOT_FOUND");
        // A day later it has ended by itself.
        world.pass(Duration::from_hours(24) + Duration::from_mins(1));
        world.delete(&format!("{}/tokens/other", path(&dashboard))).await.ok(200);
        assert_eq!(terms(&world, &dashboard, 1).revoked, ["other"]);
    }
}

#[tokio::test]
async fn all_tokens_of_a_dashboard_die_together() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let rotate = format!("{}/rotate", path(&dashboard));
        world.post(&rotate, json!({})).await.refused(404, "NOT_FOUND");
        assert_eq!(world.delete(&path(&dashboard)).await.ok(200).body["revoked"], false);
        mint(&world, &dashboard, json!({})).await.ok(200);
        world.delete(&format!("{}/tokens/gone", path(&dashboard))).await.ok(200);
        let rotated = world.post(&rotate, json!({})).await.ok(200).body;
        let second = rotated["generation"].as_u64().unwrap();
        assert!(second > 1_000_000, "{rotated}");
        assert_eq!(rotated["revoked_tokens"], 0);
        assert!(record(&world, &dashboard, 1).is_dead());
        assert_eq!(terms(&world, &dashboard, second), Terms { keys: vec![1], ..Terms::default() });
        assert_eq!(said(&mint(&world, &dashboard, json!({})).await.ok(200).body).generation, second);

        let off = world.delete(&path(&dashboard)).await.ok(200).body;
        assert_eq!((&off["revoked"], &off["effective"]), (&json!(true), &json!("live")));
        assert!(record(&world, &dashboard, second).is_dead());
        assert_eq!(world.delete(&path(&dashboard)).await.ok(200).body["revoked"], false);
        world.delete(&format!("{}/tokens/x", path(&dashboard))).await.refused(404, "NOT_FOUND");
        // A later token begins a generation that was never there.
        let third = said(&mint(&world, &dashboard, json!({})).await.ok(200).body).generation;
        assert!(third > second);
        assert!(record(&world, &dashboard, 1).is_dead() && record(&world, &dashboard, second).is_dead());
        world.delete(&format!("/api/v1/dashboards/{dashboard}")).await.ok(204);
        assert!(record(&world, &dashboard, third).is_dead());
        world.get(&path(&dashboard)).await.refused(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn two_keys_are_in_force_and_each_dies_alone() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let first = mint(&world, &dashboard, json!({})).await.ok(200).body;
        let keys = world.get("/api/v1/embed/keys").await.ok(200).body;
        assert_eq!(keys["keys"][0]["kid"], first["kid"]);
        assert_eq!(keys["keys"][0]["key"], json!(null), "a list shows no key");
        let one = format!("/api/v1/embed/keys/{}", first["kid"].as_str().unwrap());
        let shown = world.get(&one).await.ok(200);
        assert_eq!(shown.headers["cache-control"], "no-store");
        assert_eq!(shown.body["key"], ring().current.embed_key(said(&first).organization, 1).expose());
        assert_eq!(audited(&world, "embed.key_read").await, 1);
        world.delete(&one).await.refused(409, "CONFLICT");

        let second = world.post("/api/v1/embed/keys", json!({})).await.ok(201).body;
        let number = second["generation"].as_u64().unwrap();
        assert!(number > 1_000_000 && second["effective"] == "live", "{second}");
        assert_eq!(terms(&world, &dashboard, 1).keys, [1, number]);
        assert_eq!(said(&mint(&world, &dashboard, json!({})).await.ok(200).body).key_generation, number);
        world.post("/api/v1/embed/keys", json!({})).await.refused(409, "CONFLICT");

        let stopped = world.delete(&one).await.ok(200).body;
        assert_eq!((&stopped["revoked"], &stopped["effective"]), (&json!(true), &json!("live")));
        assert_eq!(terms(&world, &dashboard, 1).keys, [number]);
        assert_eq!(world.delete(&one).await.ok(200).body["revoked"], false);
        world.get(&one).await.refused(404, "NOT_FOUND");
        assert_eq!(world.get("/api/v1/embed/keys").await.ok(200).body["keys"].as_array().unwrap().len(), 1);
        assert_eq!(world.post("/api/v1/embed/keys", json!({})).await.ok(201).body["generation"], number + 1);

        // Another organization's, whatever its name.
        let stranger = world.key("globex", &Scope::ALL).await;
        let theirs = [("x-api-key", stranger.as_str())];
        world.raw(Method::GET, &one, None, &theirs).await.refused(404, "NOT_FOUND");
        world.raw(Method::DELETE, &one, None, &theirs).await.refused(404, "NOT_FOUND");
        world.raw(Method::GET, &path(&dashboard), None, &theirs).await.refused(404, "NOT_FOUND");
        let body = Some("{}".to_owned());
        world.raw(Method::POST, &path(&dashboard), body, &theirs).await.refused(404, "NOT_FOUND");
        for kid in ["x", "1", "..", "00000000000000000000000000000000.1"] {
            world.get(&format!("/api/v1/embed/keys/{kid}")).await.refused(404, "NOT_FOUND");
        }
        let reader = world.key("acme", &[Scope::SharesRead, Scope::SharesWrite]).await;
        let live = format!("/api/v1/embed/keys/{}", second["kid"].as_str().unwrap());
        world.raw(Method::GET, &live, None, &[("x-api-key", &reader)]).await.refused(403, "FORBIDDEN");
    }
}

#[tokio::test]
async fn origins_are_the_organizations() {
    for world in World::all().await {
        let (one, other) = (world.dashboard().await, world.dashboard_named("other").await);
        mint(&world, &one, json!({})).await.ok(200);
        mint(&world, &other, json!({})).await.ok(200);
        let put = async |origins: Value| {
            world
                .call(Method::PUT, "/api/v1/embed/origins", Some(json!({"allowed_origins": origins})), &[])
                .await
        };
        let set = put(json!(["https://*.example.com", "http://localhost:80"])).await.ok(200).body;
        assert_eq!(set["allowed_origins"], json!(["https://*.example.com", "http://localhost"]));
        assert_eq!(set["effective"], "live");
        for dashboard in [&one, &other] {
            let origins: Vec<_> = terms(&world, dashboard, 1).origins.into_iter().map(String::from).collect();
            assert_eq!(origins, ["https://*.example.com", "http://localhost"]);
        }
        let flawed = put(json!(["https://a.com", "https://a.com/x"])).await;
        flawed.refused(422, "VALIDATION_ERROR");
        assert_eq!(flawed.body["errors"][0]["instancePath"], "/allowed_origins/1");
        assert_eq!(
            world.get("/api/v1/embed/origins").await.ok(200).body["allowed_origins"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
        put(json!([])).await.ok(200);
        assert!(terms(&world, &one, 1).origins.is_empty());
    }
}

#[tokio::test]
async fn what_the_edge_has_yet_to_learn_is_pending() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        world.edge.set(Mood::Fails);
        let minted = mint(&world, &dashboard, json!({})).await.ok(202).body;
        assert_eq!(minted["effective"], "pending");
        world.edge.set(Mood::Takes);
        assert_eq!(mint(&world, &dashboard, json!({})).await.ok(200).body["effective"], "live");
        let number =
            world.post("/api/v1/embed/keys", json!({})).await.ok(201).body["generation"].as_u64().unwrap();
        world.edge.set(Mood::Fails);
        let key = format!("/api/v1/embed/keys/{}", minted["kid"].as_str().unwrap());
        assert_eq!(world.delete(&key).await.ok(202).body["effective"], "pending");
        // Whoever asks again is not told otherwise before it is so.
        assert_eq!(world.delete(&key).await.ok(202).body["effective"], "pending");
        world.edge.set(Mood::Takes);
        let again = world.delete(&key).await.ok(200).body;
        assert_eq!((&again["revoked"], &again["effective"]), (&json!(false), &json!("live")));
        assert_eq!(terms(&world, &dashboard, 1).keys, [number]);
    }
}

#[tokio::test]
async fn what_an_earlier_end_left_behind_is_not_called_live() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        mint(&world, &dashboard, json!({})).await.ok(200);
        world.edge.set(Mood::Fails);
        world.delete(&path(&dashboard)).await.ok(202);
        mint(&world, &dashboard, json!({})).await.ok(202);
        let again = world.delete(&path(&dashboard)).await.ok(202).body;
        assert_eq!((&again["revoked"], &again["effective"]), (&json!(true), &json!("pending")));
        // The first change of a push alone: the older embed's.
        world.edge.set(Mood::TakesFirst);
        assert_eq!(world.delete(&path(&dashboard)).await.ok(202).body["effective"], "pending");
        world.edge.set(Mood::Takes);
        assert_eq!(world.delete(&path(&dashboard)).await.ok(200).body["effective"], "live");
        assert!(world.edge.live().is_empty());
    }
}

#[tokio::test]
async fn a_generation_that_a_restored_database_has_forgotten_is_passed_over() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        mint(&world, &dashboard, json!({})).await.ok(200);
        // The edge knows of its end, which was after the backup.
        world.edge.bury(9);
        let rotated = world.post(&format!("{}/rotate", path(&dashboard)), json!({})).await.ok(200).body;
        let minted = mint(&world, &dashboard, json!({})).await.ok(200).body;
        assert_eq!(minted["generation"], rotated["generation"]);
        assert!(record(&world, &dashboard, said(&minted).generation).live.is_some());
    }
}

#[tokio::test]
async fn an_embed_that_died_at_the_edge_is_made_anew() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        mint(&world, &dashboard, json!({})).await.ok(200);
        world.edge.bury(9);
        // The next push finds out that it is dead.
        world
            .call(Method::PUT, "/api/v1/embed/origins", Some(json!({"allowed_origins": []})), &[])
            .await
            .ok(200);
        assert_eq!(world.get(&path(&dashboard)).await.ok(200).body["enabled"], false);
        let minted = mint(&world, &dashboard, json!({})).await.ok(200).body;
        assert!(said(&minted).generation > 1);
        assert!(record(&world, &dashboard, said(&minted).generation).live.is_some());
    }
}

#[tokio::test]
async fn limits_and_bulk_changes_know_embeds() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let limits = Some(json!({"password_required": true}));
        world.call(Method::PUT, "/api/v1/organization/limits", limits, &[]).await.ok(200);
        mint(&world, &dashboard, json!({})).await.refused(409, "CONFLICT");
        world.call(Method::PUT, "/api/v1/organization/limits", Some(json!({})), &[]).await.ok(200);
        mint(&world, &dashboard, json!({})).await.ok(200);
        let bulk = async |filter: Value| {
            let body = json!({"action": "rotate", "filter": filter});
            world.post("/api/v1/dashboard-shares/bulk", body).await.ok(200).body["changed"].clone()
        };
        assert_eq!(bulk(json!({"protection": "none"})).await, 0);
        assert_eq!(bulk(json!({"share_type": "embed"})).await, 1);
        assert!(record(&world, &dashboard, 1).is_dead());
        let once = [("idempotency-key", "k")];
        for path in
            [path(&dashboard), format!("{}/rotate", path(&dashboard)), "/api/v1/embed/keys".to_owned()]
        {
            world.call(Method::POST, &path, Some(json!({})), &once).await.refused(422, "VALIDATION_ERROR");
        }
    }
}

#[tokio::test]
async fn the_data_plane_takes_tokens_at_no_ones_word() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let body = json!({"allowed_params": ["weather"], "fixed_params": {"location": "Seattle"}});
        let minted = mint(&world, &dashboard, body).await.ok(200).body;
        let token = EmbedToken::from(minted["token"].as_str().unwrap().to_owned());
        let share = world.get(&path(&dashboard)).await.ok(200).body["share_id"].clone();
        let revision = || record(&world, &dashboard, 1).revision;
        let call = |token: Option<&EmbedToken>, parameters: Value| {
            let mut call = json!({"share_id": share, "revision": revision(), "parameters": parameters});
            if let Some(token) = token {
                call["embed_token"] = json!(token.expose());
            }
            call
        };
        let days = |answer: Answered| answer.ok(200).body["panels"][0]["rows"][0][0].clone();
        let execute = async |token: Option<&EmbedToken>, parameters: Value| {
            world.signed(EXECUTE_PATH, &call(token, parameters)).await
        };
        assert_eq!(days(execute(Some(&token), json!({})).await), 2);
        assert_eq!(days(execute(Some(&token), json!({"weather": ["rain"]})).await), 1);
        let refused = execute(Some(&token), json!({"location": "New York"})).await;
        refused.refused(400, "SHARE_FILTER_POLICY_VIOLATION");
        let options = json!({"share_id": share, "revision": revision(), "parameters": {}, "filter_slug": "weather",
            "embed_token": token.expose()});
        let found = world.signed(OPTIONS_PATH, &options).await.ok(200).body;
        let values: Vec<_> =
            found["options"].as_array().unwrap().iter().map(|one| one["value"].clone()).collect();
        assert_eq!(values, ["rain", "sun"], "no snow in Seattle");

        // Neither without a token, nor with one that is altered, another's, or over.
        assert_eq!(execute(None, json!({})).await.status, 410);
        let altered = EmbedToken::from(format!("{}A", token.expose()));
        assert_eq!(execute(Some(&altered), json!({})).await.status, 410);
        let elsewhere = Embed { dashboard: Uuid::nil(), ..said(&minted) };
        let elsewhere = sign(&ring().current, &elsewhere).unwrap();
        assert_eq!(execute(Some(&elsewhere), json!({})).await.status, 410);
        let foreign = Embed { organization: Uuid::nil(), ..said(&minted) };
        let foreign = sign(&ring().current, &foreign).unwrap();
        assert_eq!(execute(Some(&foreign), json!({})).await.status, 410);
        let link = world.share_of(&dashboard).await;
        let of_link =
            json!({"share_id": link["id"], "revision": 1, "parameters": {}, "embed_token": token.expose()});
        assert_eq!(world.signed(EXECUTE_PATH, &of_link).await.status, 410);
        world
            .delete(&format!("{}/tokens/{}", path(&dashboard), minted["jti"].as_str().unwrap()))
            .await
            .ok(200);
        assert_eq!(execute(Some(&token), json!({})).await.status, 410);
        let other = mint(&world, &dashboard, json!({})).await.ok(200).body;
        let other = EmbedToken::from(other["token"].as_str().unwrap().to_owned());
        assert_eq!(days(execute(Some(&other), json!({})).await), 4);
        // The edge's clock decides; this one only bounds how far it may be behind.
        world.pass(Duration::from_hours(1));
        assert_eq!(execute(Some(&other), json!({})).await.status, 200);
        world.pass(Duration::from_mins(1));
        assert_eq!(execute(Some(&other), json!({})).await.status, 410);
    }
}
