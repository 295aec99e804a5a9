//! Both surfaces over HTTP, as their clients see them.

#![expect(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use kv_sim::{Clock, Core, Faults, Kv, Server, Settings, Stored};
use serde_json::{Value, json};
use shared::time::Millis;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::http::Request;
use ureq::{Agent, Body};

/// 2026-11-21, so that expirations look as they do.
const START: Millis = Millis(1_795_219_200_000);
const MINUTE: Duration = Duration::from_mins(1);

type Response = ureq::http::Response<Body>;

fn start(faults: Faults) -> (Arc<Kv>, Server) {
    let kv = Arc::new(Kv::new(Core::new(2, faults, 7), Clock::manual(START)));
    let server = Server::start(Arc::clone(&kv), Settings::default()).unwrap();
    (kv, server)
}

fn send(method: &str, url: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Response {
    let config = Agent::config_builder().http_status_as_error(false).proxy(None);
    let agent: Agent = config.allow_non_standard_methods(true).build().into();
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = body.into();
    if body.is_empty() && method != "PUT" {
        agent.run(request.body(()).unwrap()).unwrap()
    } else {
        agent.run(request.body(body).unwrap()).unwrap()
    }
}

fn location(server: &Server, location: usize, key: &str) -> String {
    format!("http://{}/{key}", server.location_address(location).unwrap())
}

fn read(server: &Server, at: usize, key: &str) -> (u16, String) {
    let mut response = send("GET", &location(server, at, key), &[], "");
    let body = response.body_mut().read_to_vec().unwrap();
    (response.status().as_u16(), String::from_utf8_lossy(&body).into_owned())
}

/// A REST call: status, body, and what the headers say of the limit.
fn rest(server: &Server, method: &str, path: &str, body: &str) -> (u16, Value, String) {
    let url = format!("{}/storage/kv/namespaces/shares/{path}", server.rest_base());
    let mut response = send(method, &url, &[("Authorization", "Bearer kv-sim")], body);
    let limits = ["ratelimit", "ratelimit-policy", "retry-after"]
        .map(|name| response.headers().get(name).map_or("-", |value| value.to_str().unwrap()).to_owned());
    let text = response.body_mut().read_to_string().unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (response.status().as_u16(), body, limits.join(" "))
}

fn code(body: &Value) -> Option<u64> {
    body.pointer("/errors/0/code")?.as_u64()
}

#[test]
fn a_location_speaks_as_the_binding_does() {
    let (kv, server) = start(Faults::none());
    let key = "a%2Fb%20%C3%BC";
    let metadata = r#"{"digest":"ü"}"#;
    let put = location(&server, 0, &format!("{key}?urlencoded=true&expiration_ttl=300"));
    assert_eq!(send("PUT", &put, &[("CF-KV-Metadata", metadata)], [0, 255]).status(), 204);
    assert_eq!(send("PUT", &put, &[], "again").status(), 429);
    assert_eq!(kv.keys(), ["a/b ü"]);
    let stored = kv.authoritative("a/b ü").unwrap();
    assert_eq!(stored.metadata, Some(json!({ "digest": "ü" })));
    assert_eq!(stored.expiration, Some(START.plus(5 * MINUTE)));

    let get = location(&server, 0, &format!("{key}?urlencoded=true&cache_ttl=30"));
    let mut response = send("GET", &get, &[], "");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cf-kv-metadata"].as_bytes(), metadata.as_bytes());
    assert_eq!(response.body_mut().read_to_vec().unwrap(), [0, 255]);

    kv.clock().advance(Duration::from_secs(10));
    assert_eq!(send("DELETE", &location(&server, 0, key), &[], "").status(), 204);
    assert_eq!(read(&server, 0, key).0, 200);
    kv.clock().advance(Duration::from_secs(20));
    assert_eq!(read(&server, 0, key).0, 404);
    assert_eq!(kv.counters().cached_reads, 1);

    for (path, refused) in
        [("", 400), ("%FF", 400), ("k?cache_ttl=29", 400), ("k?cache_ttl=x", 400), ("..%2F..", 404)]
    {
        assert_eq!(read(&server, 1, path).0, refused, "{path}");
    }
    let past = location(&server, 0, "k?expiration=1795219289");
    assert_eq!(send("PUT", &past, &[], "v").status(), 400);
    assert_eq!(send("PUT", &location(&server, 0, "k"), &[("CF-KV-Metadata", "{")], "v").status(), 400);
    assert_eq!(send("PUT", &location(&server, 0, "k"), &[], vec![0; 25 * 1024 * 1024 + 1]).status(), 413);
    assert_eq!(send("POST", &location(&server, 0, "k"), &[], "v").status(), 405);

    kv.blackout(MINUTE);
    assert_eq!(read(&server, 0, "k").0, 503);
    assert_eq!(send("PUT", &location(&server, 0, "k"), &[], "v").status(), 503);
}

#[test]
fn a_time_out_takes_its_time_and_is_applied() {
    let (kv, server) = start(Faults { write_timed_out: 1.0, ..Faults::none() });
    let before = Instant::now();
    assert_eq!(send("PUT", &location(&server, 0, "k"), &[], "v").status(), 504);
    assert!(before.elapsed() >= Duration::from_millis(100));
    assert_eq!(read(&server, 0, "k"), (200, "v".to_owned()));
    assert_eq!(rest(&server, "PUT", "values/other", "v").0, 504);
    assert_eq!(kv.keys(), ["k", "other"]);
}

#[test]
fn the_rest_api_speaks_as_cloudflares() {
    let (kv, server) = start(Faults::none());
    let (status, body, limits) = rest(&server, "PUT", "values/a%2Fb?expiration=1795219260", "one");
    assert_eq!((status, &body["success"], &body["errors"]), (200, &json!(true), &json!([])));
    assert_eq!(limits, r#""default";r=1199;t=300 "default";q=1200;w=300 -"#);
    assert_eq!(rest(&server, "GET", "values/a%2Fb", "").1, "one");
    assert_eq!(rest(&server, "PUT", "values/a%2Fb", "two").0, 429);
    let (status, body, _) = rest(&server, "GET", "values/absent", "");
    assert_eq!((status, &body["success"], code(&body)), (404, &json!(false), Some(10_009)));

    let pairs = json!([
        { "key": "c", "value": "three", "metadata": { "n": 3 } },
        { "key": "d", "value": "AP8=", "base64": true, "expiration_ttl": 60 },
        { "key": "a/b", "value": "too soon" },
    ]);
    let (status, body, _) = rest(&server, "PUT", "bulk", &pairs.to_string());
    let result = json!({ "successful_key_count": 2, "unsuccessful_keys": ["a/b"] });
    assert_eq!((status, &body["result"]), (200, &result));
    assert_eq!(kv.authoritative("d").unwrap().value, [0, 255][..]);

    let asked = json!({ "keys": ["a/b", "c", "absent"], "type": "text", "withMetadata": true });
    let (status, body, _) = rest(&server, "POST", "bulk/get", &asked.to_string());
    let values = json!({
        "a/b": { "value": "one", "metadata": null, "expiration": 1_795_219_260 },
        "c": { "value": "three", "metadata": { "n": 3 } },
        "absent": null,
    });
    assert_eq!((status, &body["result"]["values"]), (200, &values));
    let plain = rest(&server, "POST", "bulk/get", r#"{"keys":["c"]}"#).1;
    assert_eq!(plain["result"]["values"], json!({ "c": "three" }));

    let (status, body, _) = rest(&server, "GET", "keys?prefix=c&limit=10", "");
    assert_eq!((status, &body["result"]), (200, &json!([{ "name": "c", "metadata": { "n": 3 } }])));
    assert_eq!(body["result_info"], json!({ "count": 1, "cursor": "" }));

    kv.clock().advance(Duration::from_secs(1));
    let (status, body, _) = rest(&server, "POST", "bulk/delete", r#"["c","d"]"#);
    assert_eq!((status, &body["result"]["successful_key_count"]), (200, &json!(2)));
    assert_eq!(rest(&server, "DELETE", "values/a%2Fb", "").0, 200);
    assert_eq!(kv.keys(), Vec::<String>::new());

    for (method, path, body) in [
        ("PUT", "bulk", "{}"),
        ("GET", "keys?limit=9", ""),
        ("POST", "bulk/get", r#"{"keys":[],"type":"json"}"#),
    ] {
        let (status, body, _) = rest(&server, method, path, body);
        assert_eq!((status, &body["success"]), (400, &json!(false)), "{path}");
    }
    assert_eq!(code(&rest(&server, "GET", "elsewhere", "").1), Some(7_003));
}

#[test]
fn a_list_is_followed_by_its_cursor() {
    let (kv, server) = start(Faults::none());
    for key in 10..35 {
        kv.put_direct(&key.to_string(), Stored::new("v"));
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    for count in [10, 10, 5] {
        let (_, body, _) = rest(&server, "GET", &format!("keys?limit=10&cursor={cursor}"), "");
        assert_eq!(body["result_info"]["count"], count);
        names.extend(body["result"].as_array().unwrap().iter().map(|key| key["name"].to_string()));
        cursor = body["result_info"]["cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!(cursor, "");
    assert_eq!(names, (10..35).map(|key| format!("\"{key}\"")).collect::<Vec<_>>());
}

#[test]
fn the_rest_api_asks_for_its_token_and_counts_calls() {
    let (kv, server) = start(Faults::none());
    let url = format!("{}/storage/kv/namespaces/shares/keys", server.rest_base());
    for (headers, expected) in [(&[][..], 401), (&[("Authorization", "Bearer other")][..], 403)] {
        let mut response = send("GET", &url, headers, "");
        assert_eq!(response.status(), expected);
        let body: Value = serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap();
        assert_eq!(code(&body), Some(10_000));
    }
    assert_eq!(kv.counters().rest_calls, 0);

    kv.with(|core, now| {
        for _ in 0..1_199 {
            core.rest_call(now);
        }
    });
    kv.clock().advance(MINUTE);
    assert_eq!(rest(&server, "GET", "keys", "").2, r#""default";r=0;t=240 "default";q=1200;w=300 -"#);
    let (status, body, limits) = rest(&server, "GET", "keys", "");
    assert_eq!((status, code(&body)), (429, Some(971)));
    assert_eq!(limits, r#""default";r=0;t=300 "default";q=1200;w=300 300"#);
    kv.clock().advance(Duration::from_millis(299_999));
    assert_eq!(rest(&server, "GET", "keys", "").2, r#""default";r=0;t=1 "default";q=1200;w=300 1"#);
    kv.clock().advance(Duration::from_millis(1));
    assert_eq!(rest(&server, "GET", "keys", "").0, 200);

    kv.blackout(MINUTE);
    let (status, _, limits) = rest(&server, "PUT", "values/k", "v");
    assert_eq!((status, limits.ends_with(" 60")), (429, true), "{limits}");
    assert_eq!(kv.counters().most_rest_calls, 1_201);
}

#[test]
fn nothing_is_left_of_a_dropped_server() {
    let (_, server) = start(Faults::none());
    let address = server.location_address(1).unwrap();
    let open = TcpStream::connect(&address).unwrap();
    drop(server);
    assert!(TcpStream::connect(&address).is_err());
    open.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert!(!matches!(std::io::Read::read(&mut &open, &mut [0]), Ok(1..)));
}
