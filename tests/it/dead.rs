//! What is dead looks like what never was: byte for byte on the page, but for the request id in the API.

use crate::share::Share;
use crate::tenant::Tenant;
use serde_json::json;
use shared::model::token::Token;
use tests::{Reply, Stack, stack::eventually};
use uuid::Uuid;

crate::tests![dead_links_look_alike, the_portal_of_any_company_looks_alike, a_fresh_link_opens_at_once,];

/// Links that are dead for every reason that there is.
fn dead_tokens(stack: &Stack) -> Vec<(&'static str, String)> {
    let admin = stack.admin();
    let revoked = Share::create(stack);
    admin.delete(&revoked.managed()).expect(200);
    let rotated = Share::create(stack);
    admin.post(&format!("{}/rotate", rotated.managed()), &json!({})).expect(200);
    let expires_at = shared::time::Millis(tests::signed::now().0 + 3_000).to_rfc3339();
    let expired = Share::create_with(stack, json!({ "expires_at": expires_at }));
    eventually("the share expires", || (expired.resolve().status == 401).then_some(()));
    // Well signed, but nobody's.
    let unknown = Token::derive(&stack.keys(), Uuid::from_u128(0x5eed), 1, &[7; 16]);
    vec![
        ("revoked", revoked.token),
        ("rotated", rotated.token),
        ("expired", expired.token),
        ("unknown", unknown.expose().to_owned()),
        ("forged", format!("shr_{}", "0".repeat(40))),
        ("malformed", "hello".to_owned()),
    ]
}

fn dead_links_look_alike(stack: &Stack) {
    let edge = stack.edge();
    let mut pages = Vec::new();
    let mut answers = Vec::new();
    for (why, token) in dead_tokens(stack) {
        let base = format!("/api/v1/public/shares/{token}");
        pages.push((why, bare(&edge.get(&format!("/share/{token}")))));
        let resolve = edge.get(&format!("{base}/resolve"));
        resolve.expect_error(401, "TOKEN_INVALID");
        let execute =
            edge.post(&format!("{base}/execute"), &json!({ "parameters": { "location": "Seattle" } }));
        let options = edge.get(&format!("{base}/filters/weather/options"));
        let bad_search = format!("{base}/filters/weather/options?search={}", "a".repeat(129));
        edge.get(&bad_search).expect_error(422, "VALIDATION_ERROR");
        edge.post_text(&format!("{base}/execute"), "{").expect_error(400, "MALFORMED_JSON");
        for reply in [resolve, execute, options] {
            answers.push((why, bare(&reply)));
        }
        let head = edge.send("HEAD", &format!("/share/{token}"), &[], None);
        assert_eq!((head.status, head.body.len()), (404, 0), "{why}");
    }
    for (why, page) in &pages {
        assert_eq!(page, &pages[0].1, "page of a {why} link");
        assert_eq!(page.status, 404);
    }
    for (why, answer) in &answers {
        assert_eq!(answer, &answers[0].1, "answer for a {why} link");
    }
    let nowhere = bare(&edge.get("/no/such/page"));
    assert_eq!(nowhere, pages[0].1, "a path that is no page");
}

fn the_portal_of_any_company_looks_alike(stack: &Stack) {
    let edge = stack.edge();
    let page = |slug: &str| bare(&edge.get(&format!("/portal/{slug}")).expect(200));
    let known = page(&Tenant::create(stack).slug);
    for slug in ["no-such-company", "", "%00", &"a".repeat(2000)] {
        assert_eq!(page(slug), known, "{slug}");
    }
    let head = edge.send("HEAD", "/portal/demo", &[], None);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(edge.get("/portal/demo/x").status, 404);
}

/// The answer without what differs between any two answers: date and request id.
pub fn bare(reply: &Reply) -> Reply {
    let mut reply = reply.clone();
    let id = reply.header("x-request-id").to_owned();
    for name in ["date", "x-request-id"] {
        reply.headers.remove(name);
    }
    if !id.is_empty() {
        reply.body = reply.text().replace(&id, "ID").into_bytes();
    }
    reply.headers.remove("content-length");
    reply
}

fn a_fresh_link_opens_at_once(stack: &Stack) {
    for _ in 0..10 {
        Share::create(stack).resolve().expect(200);
    }
}
