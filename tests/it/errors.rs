//! Bad input: a clear error in the dialect's shape, nothing changed, never a 500.

use crate::share::{Share, rows};
use serde_json::{Value, json};
use tests::{Client, Stack};

crate::tests![
    bodies_of_execute_are_judged,
    parameters_are_judged,
    paths_and_methods_are_judged,
    search_is_bounded,
    oversized_bodies_are_cut_off,
    every_answer_carries_its_headers,
    any_site_may_read_a_public_link,
];

fn bodies_of_execute_are_judged(stack: &Stack) {
    let share = Share::create(stack);
    let dead = format!("/api/v1/public/shares/shr_{}/execute", "0".repeat(40));
    let cases: [(&str, u16, &str); 14] = [
        ("{", 400, "MALFORMED_JSON"),
        ("not json", 400, "MALFORMED_JSON"),
        ("{}{}", 400, "MALFORMED_JSON"),
        ("\u{feff}{}", 400, "MALFORMED_JSON"),
        (r#"{"parameters":{},"parameters":{}}"#, 400, "MALFORMED_JSON"),
        (r#"{"parameters":{"windy":1,"windy":2}}"#, 400, "MALFORMED_JSON"),
        (r#"{"parameters":{"windy":1,"wind\u0079":2}}"#, 400, "MALFORMED_JSON"),
        (r#"{"parameters":{"windy":1e999}}"#, 400, "MALFORMED_JSON"),
        ("[]", 422, "VALIDATION_ERROR"),
        ("null", 422, "VALIDATION_ERROR"),
        (r#"{"parameters":[]}"#, 422, "VALIDATION_ERROR"),
        (r#"{"parameters":null}"#, 422, "VALIDATION_ERROR"),
        (r#"{"params":{}}"#, 422, "VALIDATION_ERROR"),
        (r#"{"parameters":{},"limit":5}"#, 422, "VALIDATION_ERROR"),
    ];
    let edge = stack.edge();
    for (body, status, code) in cases {
        edge.post_text(&share.path("execute"), body).expect_error(status, code);
        edge.post_text(&dead, body).expect_error(status, code);
    }
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    edge.post_text(&share.path("execute"), &deep).expect_error(400, "MALFORMED_JSON");
    let invalid_utf8 = edge.send(
        "POST",
        &share.path("execute"),
        &[("content-type", "application/json")],
        Some(b"{\"a\":\"\xff\"}"),
    );
    invalid_utf8.expect_error(400, "MALFORMED_JSON");
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
    ] {
        let reply = edge.send("POST", &share.path("execute"), &[("content-type", content_type)], Some(b"{}"));
        reply.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    edge.send("POST", &share.path("execute"), &[], Some(b"")).expect(200);
}

fn parameters_are_judged(stack: &Stack) {
    let share = Share::create(stack);
    let cases: [(&str, Value); 24] = [
        ("unknown", json!(1)),
        ("Location", json!("Seattle")),
        ("location ", json!("Seattle")),
        ("location", json!(["Seattle", "New York"])),
        ("location", json!({"$ne": "x"})),
        ("location", json!([["Seattle"]])),
        ("location", json!("a\u{0}b")),
        ("location", json!("x".repeat(1_001))),
        ("weather", json!("rain")),
        ("weather", json!([null])),
        ("weather", json!({"0": "rain"})),
        ("weather", json!(vec!["rain"; 201])),
        ("period_start", json!("2013-02-30")),
        ("period_start", json!("yesterday")),
        ("period_start", json!("2013-1-1")),
        ("period_start", json!(20_130_101)),
        ("period", json!("2013-01-01")),
        ("period", json!({"start": "2014-01-01", "end": "2013-01-01"})),
        ("period", json!({"from": "2014-01-01"})),
        ("windy", json!("5")),
        ("windy", json!([5])),
        ("windy", json!(1e300)),
        ("rainy", json!("true")),
        ("rainy", json!(1)),
    ];
    for (name, value) in cases {
        let error = share.execute(&json!({ name: value })).expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
        let slug = error["filter_slug"].as_str().unwrap();
        assert!(name.starts_with(slug), "{name} is blamed on {slug}");
        assert!(!error.to_string().contains("Seattle"), "an error says nothing about values: {error}");
    }
    let many: serde_json::Map<_, _> = (0..101).map(|at| (format!("p{at}"), json!(1))).collect();
    share.execute(&Value::Object(many)).expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
    let twice = json!({"period": {"start": "2013-01-01"}, "period_end": "2013-02-01"});
    share.execute(&twice).expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
    assert_eq!(rows(&share.execute(&json!({})).expect(200).json(), "days"), json!([[2922]]));
}

fn paths_and_methods_are_judged(stack: &Stack) {
    let share = Share::create(stack);
    let edge = stack.edge();
    for (method, verb, allow) in [
        ("POST", "resolve", "GET"),
        ("DELETE", "resolve", "GET"),
        ("GET", "execute", "POST"),
        ("PUT", "execute", "POST"),
        ("POST", "filters/weather/options", "GET"),
    ] {
        let reply = edge.send(method, &share.path(verb), &[], None);
        reply.expect_error(405, "METHOD_NOT_ALLOWED");
        assert!(reply.header("allow").contains(allow), "{method} {verb}: {}", reply.header("allow"));
    }
    for path in [
        "",
        "/resolve/",
        "/resolve/x",
        "/Resolve",
        "/filters",
        "/filters/weather",
        "/filters/weather/options/x",
        "//resolve",
    ] {
        edge.get(&format!("/api/v1/public/shares/{}{path}", share.token)).expect_error(404, "NOT_FOUND");
    }
    for path in ["/api/v2/x", "/v1/nothing"] {
        edge.get(path).expect_error(404, "NOT_FOUND");
    }
    edge.send("POST", &format!("/share/{}", share.token), &[], Some(b""))
        .expect_error(405, "METHOD_NOT_ALLOWED");
    edge.send("POST", "/portal/demo", &[], Some(b"")).expect_error(405, "METHOD_NOT_ALLOWED");
    let trick = format!("/api/v1/public/shares/{}/resolve", share.token.to_uppercase());
    edge.get(&trick).expect_error(401, "TOKEN_INVALID");
    edge.get("/api/v1/public/shares/%2e%2e%2fresolve/resolve").expect_error(401, "TOKEN_INVALID");
}

fn search_is_bounded(stack: &Stack) {
    let share = Share::create(stack);
    share.options("weather", &format!("?search={}", "a".repeat(128))).expect(200);
    share.options("weather", &format!("?search={}", "a".repeat(129))).expect_error(422, "VALIDATION_ERROR");
    share.options("weather", "?search=%00").expect_error(422, "VALIDATION_ERROR");
}

fn oversized_bodies_are_cut_off(stack: &Stack) {
    let share = Share::create(stack);
    let edge = stack.edge();
    let padded = |length: usize| format!("{{}}{}", " ".repeat(length - 2));
    edge.post_text(&share.path("execute"), &padded(64 * 1024)).expect(200);
    edge.post_text(&share.path("execute"), &padded(64 * 1024 + 1)).expect_error(413, "PAYLOAD_TOO_LARGE");
    // Without a length, so that only counting helps.
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    let request = format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{}0\r\n\r\n",
        share.path("execute"),
        edge.origin().trim_start_matches("http://"),
        chunk.repeat(8)
    );
    let answer = edge.raw(request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

fn every_answer_carries_its_headers(stack: &Stack) {
    let share = Share::create(stack);
    let edge = stack.edge();
    let dead = format!("shr_{}", "0".repeat(40));
    let answers = [
        edge.get(&share.path("resolve")),
        share.execute(&json!({})),
        share.execute(&json!({"nope": 1})),
        share.options("weather", ""),
        share.options("nope", ""),
        edge.get(&format!("/share/{}", share.token)),
        edge.get(&format!("/share/{dead}")),
        edge.get(&format!("/api/v1/public/shares/{dead}/resolve")),
        edge.get("/portal/demo"),
        edge.get("/nowhere"),
        edge.get("/api/nowhere"),
        edge.get("/healthz"),
        edge.get("/internal/changes"),
        edge.send("OPTIONS", &share.path("execute"), &[], None),
        edge.post("/internal/changes", &json!({})),
    ];
    for reply in answers {
        let about = format!("{} {:?}", reply.status, reply.headers);
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{about}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{about}");
        assert!(reply.header("x-robots-tag").contains("noindex"), "{about}");
        assert!(reply.header("content-security-policy").contains("frame-ancestors 'none'"), "{about}");
        assert!(reply.header("content-security-policy").contains("default-src 'none'"), "{about}");
        assert_eq!(reply.header("cache-control"), "no-store", "{about}");
        assert_eq!(reply.header("set-cookie"), "", "{about}");
    }
}

fn any_site_may_read_a_public_link(stack: &Stack) {
    let share = Share::create(stack);
    let from = [("origin", "https://elsewhere.example"), ("access-control-request-method", "POST")];
    let preflight = stack.edge().send("OPTIONS", &share.path("execute"), &from, None).expect(204);
    assert_eq!(preflight.header("access-control-allow-origin"), "*");
    assert!(preflight.header("access-control-allow-methods").contains("POST"));
    assert!(preflight.header("access-control-allow-headers").contains("content-type"));
    assert_eq!(preflight.header("access-control-allow-credentials"), "");
    let origin: Client = stack.edge();
    assert_eq!(
        origin.send("GET", &share.path("resolve"), &from[..1], None).header("access-control-allow-origin"),
        "*"
    );
}
