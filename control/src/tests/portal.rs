//! Share contexts, their members, codes and sessions, on both databases.

mod code;
mod session;

use super::world::{Answered, ROOT, World};
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use shared::call::{ACCESS_PATH, CLIENT_HEADER, EXECUTE_PATH, vouch};
use shared::model::key::KeyRing;
use shared::model::portal::{self, Session};
use shared::model::token::RecordKey;
use shared::replica::{Record, TargetView};
use std::net::Ipv4Addr;
use std::time::Duration;
use uuid::Uuid;

const CONTEXTS: &str = "/api/v1/share-contexts";
const EMAIL: &str = "customer@company.com";

fn ring() -> KeyRing {
    KeyRing::parse(ROOT, None).unwrap()
}

async fn context(world: &World, name: &str) -> String {
    world.post(CONTEXTS, json!({"name": name, "description": "External customers"})).await.ok(201).id()
}

async fn add(world: &World, context: &str, email: &str) -> String {
    let body = json!({"member_type": "external_email", "email": email});
    world.post(&format!("{CONTEXTS}/{context}/members"), body).await.ok(201).id()
}

async fn bind(world: &World, dashboard: &str, context: &str) -> Value {
    let body = json!({"name": "Customer portal", "share_type": "link", "share_context_id": context});
    world.post(&format!("/api/v1/dashboards/{dashboard}/shares"), body).await.ok(201).body
}

/// A call of somebody without a key, through the edge, from a network of their own.
async fn from(world: &World, network: u32, path: &str, body: &Value) -> Answered {
    let path = format!("/api/v1/share-auth/{path}");
    let client = Ipv4Addr::from_bits(0x0a00_0000 + network).into();
    let vouched = vouch(&ring().current.origin, "POST", &path, client, world.app.service.clock.now());
    world.raw(Method::POST, &path, Some(body.to_string()), &[(CLIENT_HEADER, &vouched)]).await
}

async fn ask(world: &World, network: u32, email: &str) {
    let answer = from(world, network, "request", &json!({"company_slug": "acme", "email": email})).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (202, &json!({"status": "sent"})), "{answer:?}");
    done(world).await;
}

/// Waits until whoever asked was answered by mail, or not: the loop may be at it, too.
async fn done(world: &World) {
    while !world.mail_is_done().await {
        crate::mail::round(&world.app.service).await.unwrap();
        tokio::task::yield_now().await;
    }
}

async fn verify(world: &World, network: u32, email: &str, code: &str) -> Answered {
    let body = json!({"company_slug": "acme", "email": email, "code": code});
    from(world, network, "verify", &body).await
}

/// The mails so far, oldest first: to whom, and the text.
async fn mails(world: &World) -> Vec<(String, String)> {
    done(world).await;
    let folder = world.config.mail_dir.as_ref().unwrap();
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        .map(|path| (std::fs::metadata(&path).unwrap().modified().unwrap(), path))
        .collect();
    files.sort();
    let read = |path: &std::path::Path| {
        let text = std::fs::read_to_string(path).unwrap();
        let to = text.lines().find_map(|line| line.strip_prefix("To: ")).unwrap().to_owned();
        (to, text)
    };
    files.iter().map(|(_, path)| read(path)).collect()
}

fn code_in(mail: &str) -> String {
    let is_code = |word: &&str| {
        word.len() == 9
            && word
                .bytes()
                .enumerate()
                .all(|(at, byte)| if at == 4 { byte == b'-' } else { byte.is_ascii_digit() })
    };
    mail.split_whitespace().find(is_code).unwrap().to_owned()
}

async fn last_code(world: &World) -> String {
    code_in(&mails(world).await.last().unwrap().1)
}

/// Signs in, and gives the answer.
async fn sign_in(world: &World, network: u32, email: &str) -> Value {
    ask(world, network, email).await;
    let code = last_code(world).await;
    verify(world, network, email, &code).await.ok(200).body
}

fn said(world: &World, tokens: &Value) -> Session {
    let token = tokens["access_token"].as_str().unwrap();
    portal::verify(&ring(), token, world.app.service.clock.now(), Duration::ZERO).unwrap()
}

fn record(world: &World, context: &str, generation: u64) -> Record {
    let key = RecordKey::of_context(Uuid::parse_str(context).unwrap(), generation);
    world.edge.records()[key.as_str()].clone()
}

/// Does the edge let the holder of these tokens into a context?
fn is_in(world: &World, tokens: &Value, context: &str) -> bool {
    let session = said(world, tokens);
    let membership = session.membership(Uuid::parse_str(context).unwrap()).unwrap();
    portal::admit(&record(world, context, membership.generation), &session, membership).is_ok()
}

async fn rows(world: &World, share: &Value, token: Option<&str>) -> Answered {
    let body = json!({"share_id": share["id"], "revision": share["revision"], "parameters": {},
        "portal_token": token});
    world.signed(EXECUTE_PATH, &body).await
}

#[tokio::test]
async fn the_guides_story_from_a_context_to_rows() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let context = context(&world, "External customers").await;
        add(&world, &context, EMAIL).await;
        let share = bind(&world, &dashboard, &context).await;
        assert_eq!(share["share_context_id"], context.as_str());
        let tokens = sign_in(&world, 1, EMAIL).await;
        assert_eq!(tokens["token_type"], "share_access");
        assert_eq!((&tokens["expires_in"], &tokens["refresh_expires_in"]), (&json!(600), &json!(604_800)));
        assert_eq!(tokens["contexts"], json!([{"id": context, "name": "External customers"}]));
        assert!(is_in(&world, &tokens, &context));

        let live = record(&world, &context, 1).live.unwrap();
        let TargetView::Context(view) = live.target else { panic!("{live:?}") };
        assert_eq!(view.dashboards.len(), 1);
        assert_eq!(
            (view.dashboards[0].slug.as_str(), view.dashboards[0].title.as_str()),
            ("weather", "Weather")
        );
        let bound = world.edge.records()[view.dashboards[0].record.as_str()].clone();
        assert_eq!(bound.schema, 4);
        assert_eq!(bound.live.unwrap().context.unwrap().to_string(), context);

        let token = tokens["access_token"].as_str().unwrap();
        let executed = rows(&world, &share, Some(token)).await.ok(200).body;
        assert_eq!(executed["panels"][0]["rows"], json!([[4]]));
        assert_eq!(rows(&world, &share, None).await.status, 410);
        assert_eq!(rows(&world, &share, Some("x")).await.status, 410);
        let public = world.share_of(&dashboard).await;
        assert_eq!(rows(&world, &public, Some(token)).await.status, 410);
        let shown = world.get(&format!("{CONTEXTS}/{context}")).await.ok(200).body;
        assert_eq!((&shown["member_count"], &shown["share_count"]), (&json!(1), &json!(1)));
        assert_eq!(shown["effective"], "live");
    }
}

#[tokio::test]
async fn a_deleted_context_takes_its_shares_along() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let context = context(&world, "Customers").await;
        add(&world, &context, EMAIL).await;
        let share = bind(&world, &dashboard, &context).await;
        let tokens = sign_in(&world, 1, EMAIL).await;
        let path = format!("{CONTEXTS}/{context}");
        let deleted = world.delete(&path).await.ok(200).body;
        assert_eq!(deleted, json!({"deleted": true, "id": context, "effective": "live"}));
        assert!(!is_in(&world, &tokens, &context));
        assert!(record(&world, &context, 1).is_dead());
        let share = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
        assert_eq!(world.get(&share).await.ok(200).body["status"], "revoked");
        from(&world, 1, "refresh", &json!({"refresh_token": tokens["refresh_token"]}))
            .await
            .refused(401, "TOKEN_INVALID");
        assert_eq!(world.delete(&path).await.ok(200).body["deleted"], false);
        for gone in [path.clone(), format!("{path}/members")] {
            world.get(&gone).await.refused(404, "NOT_FOUND");
        }
        let body = json!({"name": "x", "share_type": "link", "share_context_id": context});
        let refused = world.post(&format!("/api/v1/dashboards/{dashboard}/shares"), body).await;
        refused.refused(422, "VALIDATION_ERROR");
        assert_eq!(refused.body["errors"][0]["instancePath"], "/share_context_id");
    }
}

#[tokio::test]
async fn a_context_follows_its_shares_and_their_dashboards() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let context = context(&world, "Customers").await;
        let titles = || {
            let live = record(&world, &context, 1).live.unwrap();
            let TargetView::Context(view) = live.target else { panic!() };
            view.dashboards.into_iter().map(|bound| (bound.title, bound.record)).collect::<Vec<_>>()
        };
        assert_eq!(titles(), []);
        let share = bind(&world, &dashboard, &context).await;
        let (_, before) = titles().remove(0);
        let share = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
        // Rotated: members go on by the new record, and the old one is dead.
        world.post(&format!("{share}/rotate"), json!({})).await.ok(200);
        let (_, after) = titles().remove(0);
        assert_ne!(before, after);
        assert!(world.edge.records()[before.as_str()].is_dead());
        assert!(!world.edge.records()[after.as_str()].is_dead());
        // Renamed.
        let path = format!("/api/v1/dashboards/{dashboard}");
        let mut definition = world.get(&path).await.ok(200).body;
        for own in ["id", "version", "created_at", "updated_at"] {
            definition.as_object_mut().unwrap().remove(own);
        }
        definition["title"] = "Climate".into();
        world.call(Method::PUT, &path, Some(definition), &[]).await.ok(200);
        assert_eq!(titles()[0].0, "Climate");
        // A dashboard is once in a context, and in as many as one likes.
        let again = json!({"name": "x", "share_type": "link", "share_context_id": context});
        let shares = format!("{path}/shares");
        world.post(&shares, again.clone()).await.refused(409, "CONFLICT");
        let other = super::portal::context(&world, "Others").await;
        bind(&world, &dashboard, &other).await;
        world.delete(&share).await.ok(200);
        assert_eq!(titles(), []);
        world.post(&shares, again).await.ok(201);
        world.delete(&path).await.ok(204);
        assert_eq!(titles(), []);
    }
}

#[tokio::test]
async fn a_share_of_a_context_has_nothing_that_is_for_links() {
    let world = World::new().await;
    let dashboard = world.dashboard().await;
    let context = context(&world, "Customers").await;
    let shares = format!("/api/v1/dashboards/{dashboard}/shares");
    for (field, value) in [
        ("password", json!("correct horse")),
        ("max_access_count", json!(1)),
        ("allowed_origins", json!(["*"])),
    ] {
        let mut body = json!({"name": "x", "share_type": "link", "share_context_id": context});
        body[field] = value;
        let refused = world.post(&shares, body).await;
        refused.refused(422, "VALIDATION_ERROR");
        assert_eq!(refused.body["errors"][0]["instancePath"], format!("/{field}"));
    }
    let share = bind(&world, &dashboard, &context).await;
    let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
    let password = Some(json!({"password": "correct horse"}));
    world
        .call(Method::PUT, &format!("{path}/password"), password, &[])
        .await
        .refused(422, "VALIDATION_ERROR");
    let count = Some(json!({"max_access_count": 1}));
    world.call(Method::PATCH, &path, count, &[]).await.refused(422, "VALIDATION_ERROR");
    // What an organization demands of links that anybody may have, members do by signing in.
    let limits = Some(json!({"password_required": true}));
    world.call(Method::PUT, "/api/v1/organization/limits", limits, &[]).await.ok(200);
    let other = super::portal::context(&world, "Others").await;
    bind(&world, &dashboard, &other).await;
}

#[tokio::test]
async fn owners_read_who_opened_what_and_are_told_of_the_first_time() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let context = context(&world, "Customers").await;
        let member = add(&world, &context, EMAIL).await;
        let body = json!({"name": "Customer portal", "share_type": "link", "share_context_id": context,
            "notify_email": "Owner@acme.com"});
        let share = world.post(&format!("/api/v1/dashboards/{dashboard}/shares"), body).await.ok(201).body;
        assert_eq!(share["notify_email"], "owner@acme.com");
        let tokens = sign_in(&world, 1, EMAIL).await;
        let (id, session) = (Uuid::now_v7(), said(&world, &tokens).id);
        let now = world.app.service.clock.now().0;
        let entry = json!({"id": id, "share": share["id"], "context": context, "member": member,
            "session": session, "action": "open", "at": now});
        let mut foreign = entry.clone();
        foreign["id"] = json!(Uuid::now_v7());
        foreign["session"] = json!(Uuid::now_v7());
        // Told twice, it is kept once; of a session that is not there it is not kept.
        for _ in 0..2 {
            let report = json!({"entries": [entry, foreign]});
            assert_eq!(world.signed(ACCESS_PATH, &report).await.status, 204);
        }
        let path = format!("/api/v1/dashboard-shares/{}/accesses", share["id"].as_str().unwrap());
        let listed = world.get(&path).await.ok(200).body;
        assert_eq!(listed["total"], 1);
        assert_eq!(
            listed["records"],
            json!([{"id": id, "at": "2026-01-01T00:00:00.007Z", "email": EMAIL, "member_id": member,
                "share_context_id": context, "action": "open"}])
        );
        let unsigned = json!({"entries": []}).to_string();
        let refused = world.raw(Method::POST, ACCESS_PATH, Some(unsigned), &[]).await;
        refused.refused(401, "UNAUTHORIZED");

        let live = record(&world, &context, 1).live.unwrap();
        let TargetView::Context(view) = live.target else { panic!() };
        let key = view.dashboards[0].record.as_str().to_owned();
        let usage = |opens: u64| {
            json!({"key": key, "usage": {"accesses": 0, "opens": opens, "last_opened_at": now,
            "locked_until": null, "resets": 0}})
        };
        for opens in [1, 1, 2] {
            assert_eq!(world.signed(shared::call::USAGE_PATH, &usage(opens)).await.status, 204);
        }
        let mails = mails(&world).await;
        assert_eq!(mails.iter().filter(|(to, _)| to == "owner@acme.com").count(), 1, "{mails:?}");
        world.pass(Duration::from_hours(24 * 90));
        crate::manage::portal::sweep(&world.app.service, 90).await.unwrap();
        assert_eq!(world.get(&path).await.ok(200).body["total"], 1, "kept for ninety days");
        world.pass(Duration::from_millis(1));
        crate::manage::portal::sweep(&world.app.service, 90).await.unwrap();
        assert_eq!(world.get(&path).await.ok(200).body["total"], 0);
    }
}

#[tokio::test]
async fn neither_codes_nor_refresh_tokens_are_stored() {
    let world = World::new().await;
    let context = context(&world, "Customers").await;
    add(&world, &context, EMAIL).await;
    let tokens = sign_in(&world, 1, EMAIL).await;
    let code = last_code(&world).await;
    let url = secrecy::ExposeSecret::expose_secret(&world.config.database_url).to_owned();
    let file = url.strip_prefix("sqlite://").unwrap();
    let mut bytes = std::fs::read(file).unwrap();
    bytes.extend(std::fs::read(format!("{file}-wal")).unwrap());
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains(EMAIL));
    let refresh = tokens["refresh_token"].as_str().unwrap();
    for secret in [code.as_str(), &code.replace('-', ""), refresh, &refresh[4..]] {
        assert!(!text.contains(secret));
    }
}

/// On PostgreSQL these take rows in one order, or one of them would be told to try again.
#[tokio::test]
async fn contexts_shares_and_members_change_at_once_without_waiting_for_one_another() {
    for world in World::all().await {
        let (one, other) = (world.dashboard_named("one").await, world.dashboard_named("other").await);
        for _ in 0..5 {
            let context = context(&world, "Customers").await;
            let member = add(&world, &context, EMAIL).await;
            let shares = [bind(&world, &one, &context).await, bind(&world, &other, &context).await];
            let [first, second] = shares
                .each_ref()
                .map(|share| format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap()));
            let path = format!("{CONTEXTS}/{context}");
            let rotated = (format!("{first}/rotate"), format!("{second}/rotate"));
            let bulk = json!({"action": "rotate", "filter": {"ids": [shares[0]["id"], shares[1]["id"]]}});
            let changed = tokio::join!(
                world.post(&rotated.0, json!({})),
                world.post(&rotated.1, json!({})),
                world.post("/api/v1/dashboard-shares/bulk", bulk),
                world.delete(&second),
            );
            let removed = format!("{path}/members/{member}");
            let ended = tokio::join!(world.delete(&removed), world.delete(&first), world.delete(&path));
            for answer in [changed.0, changed.1, changed.2, changed.3, ended.0, ended.1, ended.2] {
                // What came after a revocation finds it revoked, or the context gone; on a busy machine the edge is told a little later.
                assert!(matches!(answer.status.as_u16(), 200 | 202 | 404 | 409), "{answer:?}");
            }
        }
    }
}
