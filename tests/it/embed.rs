//! Embeds over HTTP: what a token grants, who may frame it, and that what is taken back is dead when the call returns.

use crate::share::{Share, rows};
use crate::tenant::Tenant;
use serde_json::{Value, json};
use shared::model::embed::token::{sign, verify};
use shared::model::embed::{Embed as Content, Granted};
use shared::model::key::KeyRing;
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};
use tests::{Client, Reply, Stack, signed, stack::eventually};

crate::tests![
    a_token_shows_what_it_grants,
    what_a_token_does_not_grant_is_refused,
    what_must_be_given_is_asked_for,
    a_token_lives_by_the_second,
    sites_frame_what_they_may,
    sites_read_what_they_may,
    a_token_dies_alone,
    tokens_of_a_dashboard_die_together,
    tokens_of_a_key_die_together,
    a_deleted_dashboard_ends_its_tokens,
    a_token_that_fits_no_more_closes,
    links_and_embeds_are_two_things,
    sites_show_a_link_that_nothing_protects,
    whoever_asks_wrongly_is_told_the_same_with_any_token,
];

/// A token, and a stranger who uses it.
struct Embed {
    token: String,
    jti: String,
    kid: String,
    edge: Client,
}

impl Embed {
    #[track_caller]
    fn mint(stack: &Stack, tenant: &Tenant, body: &Value) -> Self {
        Self::mint_for(stack, tenant, &tenant.dashboard, body)
    }

    #[track_caller]
    fn mint_for(stack: &Stack, tenant: &Tenant, dashboard: &str, body: &Value) -> Self {
        let minted = tenant.admin.post(&embed_path(dashboard), body).expect(200).json();
        assert_eq!(minted["effective"], "live", "{minted}");
        let text = |field: &str| minted[field].as_str().expect("a text").to_owned();
        assert_eq!(minted["embed_url"], format!("{}/embed/d/{}", stack.described("edge_url"), text("token")));
        Self { token: text("token"), jti: text("jti"), kid: text("kid"), edge: stack.edge() }
    }

    fn path(&self, verb: &str) -> String {
        format!("/api/embed/d/{}/{verb}", self.token)
    }

    fn info(&self) -> Reply {
        self.edge.get(&self.path("info"))
    }

    fn execute(&self, parameters: &Value) -> Reply {
        self.edge.post(&self.path("execute"), &json!({ "parameters": parameters }))
    }

    fn options(&self, query: &str) -> Reply {
        self.edge.get(&self.path(&format!("filters/weather/options{query}")))
    }

    fn page(&self) -> Reply {
        self.edge.get(&format!("/embed/d/{}", self.token))
    }

    /// The same calls with the token in a header.
    fn with_header(&self, method: &str, verb: &str, body: Option<&str>) -> Reply {
        let authorization = format!("Bearer {}", self.token);
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        self.edge.send(method, &format!("/api/embed/d/self/{verb}"), &headers, body.map(str::as_bytes))
    }

    #[track_caller]
    fn is_dead(&self) {
        self.info().expect_error(401, "TOKEN_INVALID");
        self.execute(&json!({})).expect_error(401, "TOKEN_INVALID");
        self.options("").expect_error(401, "TOKEN_INVALID");
        self.page().expect(404);
    }

    /// Keeps it in use, so that each isolate holds a lease on it.
    fn use_it(&self) {
        for _ in 0..3 {
            self.info().expect(200);
        }
        self.execute(&json!({})).expect(200);
    }
}

fn embed_path(dashboard: &str) -> String {
    format!("/api/v1/embed/dashboards/{dashboard}")
}

fn days(reply: Reply) -> Value {
    rows(&reply.expect(200).json(), "days")[0][0].clone()
}

fn a_token_shows_what_it_grants(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let body = json!({
        "allowed_params": ["weather", "period_start", "period_end"], "fixed_params": {"location": "Seattle"},
        "expires_in": 600, "hide_header": true, "theme": "dark", "allowed_origins": ["https://shop.example.com"],
    });
    let embed = Embed::mint(stack, &tenant, &body);
    let info = embed.info().expect(200).json();
    assert_eq!(info["share"]["share_type"], "embed");
    assert_eq!(info["dashboard"]["name"], "Weather in two cities");
    let slugs: Vec<_> = info["filters"].as_array().unwrap().iter().map(|filter| &filter["slug"]).collect();
    assert_eq!(slugs, ["weather", "period"]);
    assert_eq!(info["embed"]["allowed_origins"], json!(["https://shop.example.com"]));
    assert_eq!((&info["embed"]["hide_header"], &info["embed"]["theme"]), (&json!(true), &json!("dark")));
    assert!(!info["filters"].to_string().contains("Seattle"), "{info}");

    assert_eq!(days(embed.execute(&json!({}))), 1461);
    assert_eq!(days(embed.execute(&json!({"period_start": "2015-01-01", "period_end": "2015-12-31"}))), 365);
    let options = embed.options("?search=sn").expect(200).json();
    assert_eq!((&options["source"], &options["options"][0]["value"]), (&json!("dynamic"), &json!("snow")));

    assert_eq!(embed.with_header("GET", "info", None).expect(200).json(), info);
    assert_eq!(days(embed.with_header("POST", "execute", Some("{}"))), 1461);
    embed.with_header("GET", "filters/weather/options", None).expect(200);
    stack.edge().get("/api/embed/d/self/info").expect_error(401, "TOKEN_INVALID");

    // Two tokens that decide the same share their rows, and one that decides otherwise gets its own.
    let same = Embed::mint(stack, &tenant, &body);
    assert_eq!(same.execute(&json!({})).expect(200).json()["cache"]["hit"], true);
    let other = Embed::mint(stack, &tenant, &json!({"fixed_params": {"location": "Seattle", "windy": 5}}));
    assert_ne!(days(other.execute(&json!({}))), 1461);
    assert_eq!(days(Embed::mint(stack, &tenant, &json!({})).execute(&json!({}))), 2922);
}

fn what_a_token_does_not_grant_is_refused(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let body = json!({
        "allowed_params": ["weather"], "fixed_params": {"location": "Seattle"},
        "share_filter_policies": [{"filter_slug": "weather", "filter_kind": "multi_select", "mode": "selectable",
            "allowed_values": ["rain", "snow"]}],
    });
    let embed = Embed::mint(stack, &tenant, &body);
    for (parameters, slug) in [
        (json!({"location": "New York"}), "location"),
        (json!({"location": "Seattle"}), "location"),
        (json!({"windy": 1}), "windy"),
        (json!({"period_start": "2012-01-01"}), "period_start"),
        (json!({"nothing": 1}), "nothing"),
        (json!({"weather": ["sun"]}), "weather"),
        (json!({"weather": "rain"}), "weather"),
    ] {
        let refused = embed.execute(&parameters).expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
        assert_eq!(refused["filter_slug"], slug, "{refused}");
        assert!(!refused.to_string().contains("snow"), "{refused}");
    }
    assert_eq!(embed.options("").expect(200).json()["source"], "policy");
    for slug in ["location", "windy", "period", "nothing", "%00", ".."] {
        let path = embed.path(&format!("filters/{slug}/options"));
        let reply = stack.edge().get(&path);
        assert!(matches!(reply.status, 403 | 404), "{slug}: {}", reply.text());
    }
    let rain = days(embed.execute(&json!({"weather": ["rain"]})));
    let both = Embed::mint(stack, &tenant, &json!({"allowed_params": ["location", "weather"]}));
    assert_eq!(days(both.execute(&json!({"location": "Seattle", "weather": ["rain"]}))), rain);
}

fn what_must_be_given_is_asked_for(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let body = json!({
        "allowed_params": ["period_start", "period_end"], "required_params": ["period_start", "period_end"], "expires_in": 3600,
    });
    let embed = Embed::mint(stack, &tenant, &body);
    let info = embed.info().expect(200).json();
    assert_eq!(
        (&info["filters"][0]["slug"], &info["filters"][0]["required"]),
        (&json!("period"), &json!(true))
    );
    for parameters in [json!({}), json!({"period_start": "2015-01-01"}), json!({"period_end": null})] {
        embed.execute(&parameters).expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
    }
    assert_eq!(days(embed.execute(&json!({"period_start": "2015-01-01", "period_end": "2015-12-31"}))), 730);
    assert_eq!(days(embed.execute(&json!({"period": {"start": "2015-01-01", "end": "2015-12-31"}}))), 730);
}

/// A token of the tenant's, made without a call as its back end would.
fn self_signed(stack: &Stack, tenant: &Tenant, change: impl FnOnce(&mut Content)) -> Embed {
    let now = signed::now().0 / 1_000;
    let mut content = Content {
        organization: tenant.id.parse().unwrap(),
        key_generation: 1,
        dashboard: tenant.dashboard.parse().unwrap(),
        generation: 1,
        id: "own".into(),
        issued_at: now,
        expires_at: now + 600,
        not_before: None,
        terms: Granted::default(),
    };
    change(&mut content);
    let token = sign(&stack.keys(), &content).expect("a token").expose().to_owned();
    Embed { token, jti: content.id, kid: String::new(), edge: stack.edge() }
}

fn a_token_lives_by_the_second(stack: &Stack) {
    let tenant = Tenant::create(stack);
    self_signed(stack, &tenant, |_| {}).is_dead();
    Embed::mint(stack, &tenant, &json!({})).info().expect(200);
    self_signed(stack, &tenant, |_| {}).info().expect(200);
    let short = self_signed(stack, &tenant, |content| content.expires_at = content.issued_at + 4);
    short.info().expect(200);
    short.execute(&json!({})).expect(200);
    eventually("the token ends", || (short.info().status == 401).then_some(()));
    short.is_dead();
    let early = self_signed(stack, &tenant, |content| content.not_before = Some(content.issued_at + 5));
    early.is_dead();
    eventually("the token begins", || (early.info().status == 200).then_some(()));
    self_signed(stack, &tenant, |content| content.issued_at += 60).is_dead();
    self_signed(stack, &tenant, |content| content.generation = 2).is_dead();
    self_signed(stack, &tenant, |content| content.key_generation = 2).is_dead();
    self_signed(stack, &tenant, |content| content.organization = uuid::Uuid::nil()).is_dead();
}

fn ancestors(reply: &Reply) -> String {
    let policy = reply.header("content-security-policy");
    let at = policy.find("frame-ancestors ").unwrap_or_else(|| panic!("no frame-ancestors in {policy}"));
    policy[at + "frame-ancestors ".len()..].to_owned()
}

fn sites_frame_what_they_may(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let nobody = Embed::mint(stack, &tenant, &json!({}));
    assert_eq!(ancestors(&nobody.page().expect(200)), "'none'");
    let origins = ["https://shop.example.com", "http://localhost:3000"];
    let some = Embed::mint(stack, &tenant, &json!({ "allowed_origins": origins }));
    let page = some.page().expect(200);
    assert_eq!(ancestors(&page), origins.join(" "));
    assert!(!page.text().contains(&some.token) && !page.text().contains("Weather"), "the page holds no data");
    let all = json!({ "allowed_origins": ["https://*.acme.example", "https://shop.example.com"] });
    tenant.admin.put("/api/v1/embed/origins", &all).expect(200);
    assert_eq!(ancestors(&nobody.page().expect(200)), "https://*.acme.example https://shop.example.com");
    assert_eq!(ancestors(&some.page().expect(200)), format!("{} https://*.acme.example", origins.join(" ")));
    assert_eq!(some.info().expect(200).json()["embed"]["allowed_origins"].as_array().unwrap().len(), 3);
    tenant.admin.put("/api/v1/embed/origins", &json!({ "allowed_origins": [] })).expect(200);
    assert_eq!(ancestors(&nobody.page().expect(200)), "'none'");

    let edge = stack.edge();
    let again = edge.get("/embed/d/self").expect(200);
    assert_eq!((ancestors(&again).as_str(), again.body), ("*", page.body.clone()));
    for dead in ["/embed/d/x", "/embed/d/a.b.c", "/embed/d/", "/embed/d", "/embed"] {
        assert_eq!(ancestors(&edge.get(dead).expect(404)), "'none'", "{dead}");
    }
    assert_eq!(ancestors(&some.info()), "'none'");
    edge.send("POST", &format!("/embed/d/{}", some.token), &[], Some(b"")).expect(405);
    let head = edge.send("HEAD", &format!("/embed/d/{}", some.token), &[], None).expect(200);
    assert_eq!(head.body.len(), 0);
    for name in ["x-content-type-options", "referrer-policy", "x-robots-tag", "cache-control"] {
        assert_ne!(page.header(name), "", "{name}");
    }
}

fn sites_read_what_they_may(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let origins = ["https://shop.example.com", "https://*.partner.example", "http://localhost:3000"];
    let embed = Embed::mint(stack, &tenant, &json!({ "allowed_origins": origins }));
    let check = |origin: &str, admitted: bool| {
        for (method, verb, body) in [("GET", "info", None), ("POST", "execute", Some(&b"{}"[..]))] {
            let headers = [("origin", origin), ("content-type", "application/json")];
            let reply = stack.edge().send(method, &embed.path(verb), &headers, body).expect(200);
            let expected = if admitted { origin } else { "" };
            assert_eq!(reply.header("access-control-allow-origin"), expected, "{origin} {verb}");
            assert_eq!(reply.header("access-control-allow-credentials"), "");
            assert!(reply.header("vary").to_lowercase().contains("origin"));
        }
    };
    for good in [
        "https://shop.example.com",
        "https://a.partner.example",
        "https://a.b.partner.example",
        "http://localhost:3000",
    ] {
        check(good, true);
    }
    for bad in [
        "null",
        "https://evil.example",
        "http://shop.example.com",
        "https://shop.example.com:8443",
        "https://shop.example.com.evil.example",
        "https://evil-shop.example.com",
        "https://SHOP.example.com",
        "https://partner.example",
        "https://evilpartner.example",
        "https://.partner.example",
        "https://evil.example/.partner.example",
        "http://a.partner.example",
        "http://localhost",
        "http://localhost:30001",
        "http://127.0.0.1:3000",
        "*",
        "file://",
    ] {
        check(bad, false);
    }
    let preflight = [("origin", "https://shop.example.com"), ("access-control-request-method", "POST")];
    let reply = stack.edge().send("OPTIONS", &embed.path("execute"), &preflight, None).expect(204);
    assert!(reply.header("access-control-allow-headers").contains("authorization"));
    assert!(reply.header("access-control-allow-methods").contains("POST"));
}

/// Calls, and tells how long it took: the drain is in it.
fn promptly(what: &str, call: impl FnOnce() -> Reply) -> Reply {
    let begun = Instant::now();
    let reply = call();
    assert!(begun.elapsed() < Duration::from_secs(8), "{what} took {:?}", begun.elapsed());
    reply
}

fn a_token_dies_alone(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let (doomed, other) = (Embed::mint(stack, &tenant, &json!({})), Embed::mint(stack, &tenant, &json!({})));
    doomed.use_it();
    other.use_it();
    let path = format!("{}/tokens/{}", embed_path(&tenant.dashboard), doomed.jti);
    let gone = promptly("a revocation", || tenant.admin.delete(&path)).expect(200).json();
    assert_eq!((&gone["revoked"], &gone["effective"]), (&json!(true), &json!("live")));
    doomed.is_dead();
    other.use_it();
    assert_eq!(tenant.admin.delete(&path).expect(200).json()["revoked"], false);
    // One that its back end signed, too.
    let own = self_signed(stack, &tenant, |_| {});
    own.use_it();
    tenant.admin.delete(&format!("{}/tokens/own", embed_path(&tenant.dashboard))).expect(200);
    own.is_dead();
    other.use_it();
}

fn tokens_of_a_dashboard_die_together(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let elsewhere = tenant.another_dashboard("elsewhere");
    let (one, two) = (Embed::mint(stack, &tenant, &json!({})), self_signed(stack, &tenant, |_| {}));
    let other = Embed::mint_for(stack, &tenant, &elsewhere, &json!({}));
    for embed in [&one, &two, &other] {
        embed.use_it();
    }
    let rotate = format!("{}/rotate", embed_path(&tenant.dashboard));
    let rotated = promptly("a rotation", || tenant.admin.post(&rotate, &json!({}))).expect(200).json();
    let generation = rotated["generation"].as_u64().expect("a number");
    assert_eq!(rotated["effective"], "live");
    one.is_dead();
    two.is_dead();
    other.use_it();
    let next = Embed::mint(stack, &tenant, &json!({}));
    next.use_it();
    self_signed(stack, &tenant, |content| content.generation = generation).use_it();
    promptly("an end", || tenant.admin.delete(&embed_path(&tenant.dashboard))).expect(200);
    next.is_dead();
    self_signed(stack, &tenant, |content| content.generation = generation).is_dead();
    self_signed(stack, &tenant, |content| content.generation = generation + 1).is_dead();
    other.use_it();
    let later = Embed::mint(stack, &tenant, &json!({}));
    later.use_it();
    for dead in [&one, &two, &next] {
        dead.is_dead();
    }
}

fn tokens_of_a_key_die_together(stack: &Stack) {
    let (tenant, neighbour) = (Tenant::create(stack), Tenant::create(stack));
    let elsewhere = tenant.another_dashboard("elsewhere");
    let old = Embed::mint(stack, &tenant, &json!({}));
    let old_elsewhere = Embed::mint_for(stack, &tenant, &elsewhere, &json!({}));
    let beside = Embed::mint(stack, &neighbour, &json!({}));
    for embed in [&old, &old_elsewhere, &beside] {
        embed.use_it();
    }
    // The new key is taken before the old one stops; nobody notices.
    let watched = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let until = Instant::now() + Duration::from_secs(3);
            let mut statuses = BTreeSet::new();
            while Instant::now() < until {
                statuses.insert(old.info().status);
            }
            statuses
        });
        promptly("a new key", || tenant.admin.post("/api/v1/embed/keys", &json!({}))).expect(201);
        watch.join().expect("no panic")
    });
    assert_eq!(watched, BTreeSet::from([200]));
    let new = Embed::mint(stack, &tenant, &json!({}));
    assert_ne!(new.kid, old.kid);
    let shown = tenant.admin.get(&format!("/api/v1/embed/keys/{}", new.kid)).expect(200).json();
    let ring = KeyRing { current: stack.keys(), previous: None };
    let content = verify(&ring, &new.token).expect("a token");
    let number = content.key_generation;
    assert_eq!(shown["key"], stack.keys().embed_key(content.organization, number).expose());
    for embed in
        [&old, &old_elsewhere, &new, &self_signed(stack, &tenant, |content| content.key_generation = number)]
    {
        embed.use_it();
    }
    let stopped =
        promptly("an end of a key", || tenant.admin.delete(&format!("/api/v1/embed/keys/{}", old.kid)));
    assert_eq!(stopped.expect(200).json()["effective"], "live");
    old.is_dead();
    old_elsewhere.is_dead();
    new.use_it();
    beside.use_it();
    self_signed(stack, &tenant, |content| content.id = "late".into()).is_dead();
}

fn a_deleted_dashboard_ends_its_tokens(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let embed = Embed::mint(stack, &tenant, &json!({}));
    embed.use_it();
    tenant.admin.delete(&format!("/api/v1/dashboards/{}", tenant.dashboard)).expect(204);
    embed.is_dead();
    tenant.admin.post(&embed_path(&tenant.dashboard), &json!({})).expect_error(404, "NOT_FOUND");
}

fn a_token_that_fits_no_more_closes(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let embed = Embed::mint(
        stack,
        &tenant,
        &json!({"allowed_params": ["windy"], "fixed_params": {"location": "Seattle"}}),
    );
    let free = Embed::mint(stack, &tenant, &json!({"allowed_params": ["windy"]}));
    embed.use_it();
    // Seattle was to be all that is seen; now nobody knows what that filter is.
    tenant.redefine(|definition| {
        definition["filters"][0]["slug"] = json!("city");
        let text = definition.to_string().replace(":location", ":city");
        *definition = serde_json::from_str(&text).unwrap();
    });
    let refused = embed.execute(&json!({})).expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
    assert_eq!(refused["filter_slug"], "");
    embed.info().expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
    embed.options("").expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
    free.info().expect(200);
}

fn links_and_embeds_are_two_things(stack: &Stack) {
    let (tenant, share) = (Tenant::create(stack), Share::create(stack));
    let embed = Embed::mint(stack, &tenant, &json!({}));
    let edge = stack.edge();
    edge.get(&format!("/api/embed/d/{}/info", share.token)).expect_error(401, "TOKEN_INVALID");
    edge.get(&format!("/api/v1/public/shares/{}/resolve", embed.token)).expect_error(401, "TOKEN_INVALID");
    edge.get(&format!("/share/{}", embed.token)).expect(404);
    edge.get(&format!("/embed/d/{}", share.token)).expect(404);
    edge.post(&embed.path("unlock"), &json!({})).expect_error(404, "NOT_FOUND");
    edge.get(&embed.path("resolve")).expect_error(404, "NOT_FOUND");
    let listed = tenant.admin.get("/api/v1/dashboard-shares?share_type=embed").expect(200).json();
    assert_eq!((&listed["total"], &listed["records"][0]["token"]), (&json!(1), &Value::Null));
    eventually("openings are counted", || {
        embed.info().expect(200);
        let listed = tenant.admin.get("/api/v1/dashboard-shares").expect(200).json();
        (listed["records"][0]["open_count"] != 0).then_some(())
    });
}

fn sites_show_a_link_that_nothing_protects(stack: &Stack) {
    let edge = stack.edge();
    let origin = stack.described("edge_url").to_owned();
    let ask = |token: &str, more: &str| edge.get(&format!("/oembed?url={origin}/share/{token}{more}"));
    let plain = Share::create(stack);
    let page = plain.page().expect(200);
    assert_eq!(ancestors(&page), "'none'");
    let href = page
        .text()
        .split("application/json+oembed\" href=\"")
        .nth(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned());
    let href = href.expect("a discovery link").replace("&#38;", "&");
    let found = edge.get(href.strip_prefix(&origin).expect("our own")).expect(200);
    assert_eq!(found.header("access-control-allow-origin"), "*");
    assert_eq!((&found.json()["type"], &found.json()["provider_url"]), (&json!("link"), &json!(origin)));

    let framed = Share::create_with(stack, json!({ "allowed_origins": ["https://blog.example.com"] }));
    assert_eq!(ancestors(&framed.page().expect(200)), "https://blog.example.com");
    let rich = ask(&framed.token, "&maxwidth=500").expect(200).json();
    assert_eq!(
        (&rich["type"], &rich["width"], &rich["version"]),
        (&json!("rich"), &json!(500), &json!("1.0"))
    );
    assert!(rich["html"].as_str().unwrap().contains(&format!("{origin}/share/{}", framed.token)));
    let any = json!({ "allowed_origins": ["*"] });
    stack.admin().patch(&framed.managed(), &any).expect(200);
    assert_eq!(ancestors(&framed.page().expect(200)), "*");
    stack
        .admin()
        .patch(&framed.managed(), &json!({ "allowed_origins": ["*", "x"] }))
        .expect_error(422, "VALIDATION_ERROR");

    // What is protected is framed by nobody and told of to nobody.
    stack
        .admin()
        .put(&format!("{}/password", framed.managed()), &json!({ "password": "open sesame" }))
        .expect(200);
    assert_eq!(ancestors(&framed.page().expect(200)), "'none'");
    ask(&framed.token, "").expect_error(401, "AUTH_REQUIRED");
    let locked = framed.page();
    assert!(!locked.text().contains("oembed"), "{}", locked.text());

    stack.admin().delete(&plain.managed()).expect(200);
    ask(&plain.token, "").expect_error(404, "NOT_FOUND");
    ask("shr_0", "").expect_error(404, "NOT_FOUND");
    edge.get("/oembed?url=https://evil.example/share/x").expect_error(404, "NOT_FOUND");
    edge.get("/oembed").expect_error(422, "VALIDATION_ERROR");
    ask("shr_0", "&maxwidth=x").expect_error(422, "VALIDATION_ERROR");
    ask("shr_0", "&format=xml").expect(501);
}

fn whoever_asks_wrongly_is_told_the_same_with_any_token(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let live = Embed::mint(stack, &tenant, &json!({}));
    let edge = stack.edge();
    for token in [live.token.as_str(), "a.b.c"] {
        let base = format!("/api/embed/d/{token}");
        edge.post_text(&format!("{base}/execute"), "{").expect_error(400, "MALFORMED_JSON");
        edge.post_text(&format!("{base}/execute"), "[]").expect_error(422, "VALIDATION_ERROR");
        let form = [("content-type", "text/plain")];
        edge.send("POST", &format!("{base}/execute"), &form, Some(b"{}"))
            .expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
        let long = format!("{base}/filters/weather/options?search={}", "a".repeat(129));
        edge.get(&long).expect_error(422, "VALIDATION_ERROR");
        edge.delete(&format!("{base}/info")).expect_error(405, "METHOD_NOT_ALLOWED");
        edge.get(&format!("{base}/nothing")).expect_error(404, "NOT_FOUND");
    }
}
