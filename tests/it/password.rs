//! Links with a password, and links that open only so often.

use crate::share::Share;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::{Client, Reply, Stack, stack::eventually};

crate::tests![
    a_password_opens_and_nothing_else_does,
    every_route_asks_for_the_grant,
    a_cookie_is_as_good_as_a_header,
    two_spellings_are_one_password,
    bad_passwords_are_named_and_change_nothing,
    a_new_password_ends_old_grants,
    a_rotation_keeps_the_password,
    guesses_run_out_even_for_the_right_one,
    many_networks_lock_the_link_and_its_owner_is_told,
    a_counted_link_opens_exactly_so_often,
    a_public_link_has_nothing_to_unlock,
    looking_does_not_count,
    what_is_spent_is_dead,
    a_link_begins_and_ends_on_time,
    the_owner_sees_what_was_opened,
];

const PASSWORD: &str = "open sesame";

fn protected(stack: &Stack) -> Share {
    Share::create_with(stack, json!({ "password": PASSWORD }))
}

fn counted(stack: &Stack, max: u64) -> Share {
    Share::create_with(stack, json!({ "max_access_count": max }))
}

#[track_caller]
fn grant(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let body = reply.json();
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(900)));
    body["access_token"].as_str().expect("a grant").to_owned()
}

fn a_password_opens_and_nothing_else_does(stack: &Stack) {
    let share = protected(stack);
    let refused = share.resolve().expect_error(401, "AUTH_REQUIRED");
    let told: BTreeSet<&str> = refused.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        told,
        BTreeSet::from(["error", "error_code", "request_id", "requires"]),
        "nothing of what it opens"
    );
    assert_eq!(refused["requires"], "password");
    let page = share.page().expect(200).text();
    assert!(page.contains("This link needs a password"), "{page}");
    for told in ["Weather", "Acme", "location"] {
        assert!(!page.contains(told), "{told}");
    }
    share.unlock("open sesam").expect_error(401, "PASSWORD_INVALID");
    share.unlock("OPEN SESAME").expect_error(401, "PASSWORD_INVALID");
    let grant = grant(&share.unlock(PASSWORD));
    assert_eq!(share.with_grant(&grant, "resolve").expect(200).json()["share"]["requires_auth"], true);
    share.with_grant(&grant, "execute").expect(200);
    share.with_grant(&grant, "filters/weather/options").expect(200);
}

/// Nothing but this share's own grant opens any route of it; a broken credential is worth as much as none.
fn every_route_asks_for_the_grant(stack: &Stack) {
    let (share, other) = (protected(stack), protected(stack));
    let own = grant(&share.unlock(PASSWORD));
    let foreign = grant(&other.unlock(PASSWORD));
    let (head, signature) = own.rsplit_once('.').unwrap();
    let unsigned = format!("{}.", own.rsplit_once('.').unwrap().0);
    let none = format!("eyJhbGciOiJub25lIn0.{}.", own.split('.').nth(1).unwrap());
    let altered = format!("{head}.{}", signature.chars().rev().collect::<String>());
    for verb in ["resolve", "execute", "filters/weather/options", "filters/location/options"] {
        for bad in ["", "x", &foreign, &unsigned, &none, &altered, &share.token, stack.described("api_key")] {
            share.with_grant(bad, verb).expect_error(401, "AUTH_REQUIRED");
        }
        share.with_grant(&own, verb).expect(200);
    }
}

fn a_cookie_is_as_good_as_a_header(stack: &Stack) {
    let share = protected(stack);
    let reply = share.unlock(PASSWORD).expect(200);
    let cookie = reply.header("set-cookie").to_owned();
    for part in ["__Host-postern-", "Path=/", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=900"] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    let edge = stack.edge();
    let page = |cookie: &str| {
        edge.send("GET", &format!("/share/{}", share.token), &[("cookie", cookie)], None).text()
    };
    assert!(page(pair).contains("Weather in two cities"));
    assert!(page(&format!("a=b; {pair}; c=d")).contains("Weather in two cities"));
    assert!(page("a=b").contains("needs a password"));
    edge.send("GET", &share.path("resolve"), &[("cookie", pair)], None).expect(200);
    let both = [("cookie", pair), ("authorization", "Bearer x")];
    edge.send("GET", &share.path("resolve"), &both, None).expect_error(401, "AUTH_REQUIRED");
}

fn two_spellings_are_one_password(stack: &Stack) {
    let composed = "Ångström é ñ 각";
    let decomposed = "A\u{30a}ngstro\u{308}m e\u{301} n\u{303} \u{1100}\u{1161}\u{11a8}";
    for (set, typed) in [(composed, decomposed), (decomposed, composed)] {
        let share = Share::create_with(stack, json!({ "password": set }));
        share.unlock(typed).expect(200);
        share.unlock(&typed.to_lowercase()).expect_error(401, "PASSWORD_INVALID");
    }
}

fn bad_passwords_are_named_and_change_nothing(stack: &Stack) {
    let share = protected(stack);
    let (edge, admin) = (stack.edge(), stack.admin());
    let create = format!("/api/v1/dashboards/{}/shares", stack.described("dashboard_id"));
    // A name of its own: other tests make shares at the same time.
    let name = format!("Refused {:016x}", fastrand::u64(..));
    for bad in [String::new(), "a\u{0}b".to_owned(), "x".repeat(129), "é".repeat(65)] {
        let flaw = share.unlock(&bad).expect_error(422, "VALIDATION_ERROR");
        assert_eq!(flaw["errors"][0]["instancePath"], "/password", "{flaw}");
        admin
            .put(&format!("{}/password", share.managed()), &json!({ "password": bad }))
            .expect_error(422, "VALIDATION_ERROR");
        let body = json!({ "name": name, "share_type": "link", "password": bad });
        admin.post(&create, &body).expect_error(422, "VALIDATION_ERROR");
    }
    for bad in [json!(null), json!(5), json!(["a"]), json!({ "a": 1 })] {
        admin
            .put(&format!("{}/password", share.managed()), &json!({ "password": bad }))
            .expect_error(422, "VALIDATION_ERROR");
    }
    edge.post(&share.path("unlock"), &json!({ "password": 5 })).expect_error(422, "VALIDATION_ERROR");
    edge.post(&share.path("unlock"), &json!({})).expect_error(422, "VALIDATION_ERROR");
    edge.post_text(&share.path("unlock"), r#"{"password":"\ud800"}"#).expect_error(400, "MALFORMED_JSON");
    edge.post_text(&share.path("unlock"), r#"{"password":"a","password":"open sesame"}"#)
        .expect_error(400, "MALFORMED_JSON");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    edge.send("POST", &share.path("unlock"), &form, Some(b"password=open+sesame"))
        .expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
    edge.get(&share.path("unlock")).expect_error(405, "METHOD_NOT_ALLOWED");
    let made = admin.get(&format!("{create}?name_contains={}", name.replace(' ', "%20"))).expect(200).json();
    assert_eq!(made["total"], 0, "no share was made");
    // None of these was a guess.
    share.unlock(PASSWORD).expect(200);
}

fn a_new_password_ends_old_grants(stack: &Stack) {
    let (share, admin) = (protected(stack), stack.admin());
    let password = format!("{}/password", share.managed());
    let first = grant(&share.unlock(PASSWORD));
    let changed = admin.put(&password, &json!({ "password": "second" })).expect(200).json();
    assert_eq!((&changed["has_password"], &changed["effective"]), (&json!(true), &json!("live")));
    share.with_grant(&first, "resolve").expect_error(401, "AUTH_REQUIRED");
    share.unlock(PASSWORD).expect_error(401, "PASSWORD_INVALID");
    let second = grant(&share.unlock("second"));
    share.with_grant(&second, "resolve").expect(200);
    assert_eq!(admin.delete(&password).expect(200).json()["has_password"], false);
    share.resolve().expect(200);
    // A public link that gets one closes at once, for those who look at it too.
    admin.put(&password, &json!({ "password": "third" })).expect(200);
    share.resolve().expect_error(401, "AUTH_REQUIRED");
    share.with_grant(&second, "resolve").expect_error(401, "AUTH_REQUIRED");
    share.unlock("third").expect(200);
}

fn a_rotation_keeps_the_password(stack: &Stack) {
    let (share, admin) = (protected(stack), stack.admin());
    let old = grant(&share.unlock(PASSWORD));
    let rotated = admin.post(&format!("{}/rotate", share.managed()), &json!({})).expect(200).json();
    assert_eq!(rotated["has_password"], true);
    share.unlock(PASSWORD).expect_error(401, "TOKEN_INVALID");
    share.with_grant(&old, "resolve").expect_error(401, "TOKEN_INVALID");
    let fresh = Share::of(stack, &rotated);
    fresh.resolve().expect_error(401, "AUTH_REQUIRED");
    fresh.with_grant(&old, "resolve").expect_error(401, "AUTH_REQUIRED");
    fresh.unlock(PASSWORD).expect(200);
}

fn guesses_run_out_even_for_the_right_one(stack: &Stack) {
    let (share, admin) = (protected(stack), stack.admin());
    let inside = grant(&share.unlock(PASSWORD));
    for _ in 0..5 {
        share.unlock("guess").expect_error(401, "PASSWORD_INVALID");
    }
    let refused = share.unlock(PASSWORD);
    refused.expect_error(429, "RATE_LIMITED");
    let seconds: u64 = refused.header("retry-after").parse().expect("whole seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    share.with_grant(&inside, "execute").expect(200);
    let reset = admin.delete(&format!("{}/password/attempts", share.managed())).expect(200).json();
    assert_eq!(reset["effective"], "live");
    share.unlock(PASSWORD).expect(200);
    share.with_grant(&inside, "execute").expect(200);
}

/// The whole audit trail: other tests write to it as well.
fn audit(admin: &Client) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/api/v1/audit?limit=100{cursor}")).expect(200).json();
        rows.extend(page["records"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return rows,
        }
    }
}

/// Twenty guesses from as many networks, and nobody else may guess; but whoever is in stays in.
fn many_networks_lock_the_link_and_its_owner_is_told(stack: &Stack) {
    let (share, admin) = (protected(stack), stack.admin());
    let inside = grant(&share.unlock(PASSWORD));
    for network in 0..20 {
        share.unlock_from(&format!("198.51.{network}.7"), "guess").expect_error(401, "PASSWORD_INVALID");
    }
    let refused = share.unlock_from("203.0.113.9", PASSWORD);
    refused.expect_error(429, "RATE_LIMITED");
    let seconds: u64 = refused.header("retry-after").parse().expect("whole seconds");
    assert!((600..=900).contains(&seconds), "{seconds}");
    share.with_grant(&inside, "execute").expect(200);

    let told = eventually("the owner is told", || {
        let told = admin.get(&share.managed()).expect(200).json();
        told["password_locked_until"].is_string().then_some(told)
    });
    assert_eq!(told["status"], "active", "the link itself is not locked");
    let about =
        |row: &&Value| row["action"] == "share.password_locked" && row["subject"] == share.id.as_str();
    assert_eq!(audit(&admin).iter().filter(about).count(), 1);

    let reset = admin.delete(&format!("{}/password/attempts", share.managed())).expect(200).json();
    assert_eq!(reset["password_locked_until"], Value::Null);
    share.unlock_from("203.0.113.9", PASSWORD).expect(200);
    share.with_grant(&inside, "execute").expect(200);
}

/// Sixty-four at once, and exactly as many get in as may.
fn a_counted_link_opens_exactly_so_often(stack: &Stack) {
    let share = counted(stack, 5);
    assert_eq!(share.resolve().expect_error(401, "AUTH_REQUIRED")["requires"], "opening");
    let granted: Vec<String> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..64).map(|_| scope.spawn(|| share.open())).collect();
        let replies = tries.into_iter().map(|reply| reply.join().unwrap());
        replies.filter(|reply| reply.status == 200).map(|reply| grant(&reply)).collect()
    });
    assert_eq!(granted.len(), 5);
    for grant in granted {
        share.with_grant(&grant, "execute").expect(200);
    }
}

/// Nothing to unlock, nothing to count: nobody can use up a limit that is yet to be set.
fn a_public_link_has_nothing_to_unlock(stack: &Stack) {
    let share = Share::create(stack);
    for _ in 0..3 {
        share.open().expect_error(409, "CONFLICT");
        share.unlock("guess").expect_error(409, "CONFLICT");
    }
    stack.admin().patch(&share.managed(), &json!({ "max_access_count": 1 })).expect(200);
    share.open().expect(200);
}

fn looking_does_not_count(stack: &Stack) {
    let (share, edge) = (counted(stack, 1), stack.edge());
    for _ in 0..5 {
        for method in ["GET", "HEAD"] {
            edge.send(method, &format!("/share/{}", share.token), &[], None).expect(200);
            assert_eq!(edge.send(method, &share.path("resolve"), &[], None).status, 401);
            assert_eq!(edge.send(method, &share.path("unlock"), &[], None).status, 405);
        }
    }
    share.open().expect(200);
    share.open().expect_error(401, "TOKEN_INVALID");
}

fn what_is_spent_is_dead(stack: &Stack) {
    let share = counted(stack, 1);
    let inside = grant(&share.open());
    share.resolve().expect_error(401, "TOKEN_INVALID");
    share.page().expect(404);
    share.with_grant(&inside, "resolve").expect(200);
    stack.admin().patch(&share.managed(), &json!({ "max_access_count": 2 })).expect(200);
    assert_eq!(share.resolve().expect_error(401, "AUTH_REQUIRED")["requires"], "opening");
    share.open().expect(200);
    share.open().expect_error(401, "TOKEN_INVALID");
}

fn a_link_begins_and_ends_on_time(stack: &Stack) {
    let now = tests::signed::now();
    let at = |after: i64| shared::time::Millis(now.0 + after).to_rfc3339();
    let share = Share::create_with(stack, json!({ "not_before": at(6_000), "expires_at": at(9_000) }));
    share.resolve().expect_error(401, "TOKEN_INVALID");
    share.page().expect(404);
    share.open().expect_error(401, "TOKEN_INVALID");
    assert_eq!(stack.admin().get(&share.managed()).expect(200).json()["status"], "scheduled");
    let opened = eventually("it begins", || (share.resolve().status == 200).then(tests::signed::now));
    assert!(opened.0 >= now.0 + 6_000, "opened {} ms early", now.0 + 6_000 - opened.0);
    let ended = eventually("it ends", || (share.resolve().status == 401).then(tests::signed::now));
    assert!(ended.0 >= now.0 + 9_000, "ended {} ms early", now.0 + 9_000 - ended.0);
    let create = format!("/api/v1/dashboards/{}/shares", stack.described("dashboard_id"));
    let body =
        json!({ "name": "n", "share_type": "link", "not_before": at(60_000), "expires_at": at(60_000) });
    stack.admin().post(&create, &body).expect_error(422, "VALIDATION_ERROR");
}

fn the_owner_sees_what_was_opened(stack: &Stack) {
    let (counted, public) = (counted(stack, 3), Share::create(stack));
    counted.open().expect(200);
    counted.open().expect(200);
    public.resolve().expect(200);
    let admin = stack.admin();
    let told = |share: &Share, field: &str| -> Value {
        admin.get(&share.managed()).expect(200).json()[field].clone()
    };
    assert_eq!(told(&counted, "max_access_count"), 3);
    // The first is told at once, the second with the next report, 10 s later.
    eventually("accesses are told", || (told(&counted, "access_count").as_u64() >= Some(1)).then_some(()));
    assert_ne!(told(&counted, "last_opened_at"), Value::Null);
    eventually("openings are told", || (told(&public, "open_count") == 1).then_some(()));
    assert_ne!(told(&public, "last_opened_at"), Value::Null);
}
