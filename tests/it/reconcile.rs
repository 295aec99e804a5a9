//! `postern reconcile`, over the KV REST API that `wrangler dev` itself has.

use crate::share::Share;
use serde_json::{Value, json};
use shared::model::key::KeyRing;
use shared::model::token::locate;
use std::process::Output;
use tests::{Client, Stack, stack::eventually};

crate::tests![what_differs_in_kv_is_repaired];

/// The id in the Worker's configuration.
const NAMESPACE: &str = "local-shares";

fn what_differs_in_kv_is_repaired(stack: &Stack) {
    let kv = Kv { client: stack.edge() };
    let (deleted, altered) = (Share::create(stack), Share::create(stack));
    let key = |share: &Share| {
        let ring = KeyRing { current: stack.keys(), previous: None };
        locate(&ring, &share.token).expect("a token of ours").as_str().to_owned()
    };
    let written = |share: &Share| eventually("the gate writes KV", || kv.value(&key(share)));
    let before = [written(&deleted), written(&altered)];
    kv.delete(&key(&deleted));
    kv.write(&key(&altered), r#"{"schema":2,"revision":1,"live":null}"#);
    kv.write("somebody-elses", "x");

    let dry = reconcile(stack, &["--dry-run"]);
    assert_eq!(dry.status.code(), Some(1), "{}", said(&dry));
    assert_eq!(kv.value(&key(&deleted)), None, "a dry run changes nothing");

    let done = reconcile(stack, &["--json"]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let told: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", said(&done)));
    assert!(told.is_object(), "{told}");
    assert_eq!([kv.value(&key(&deleted)), kv.value(&key(&altered))], before.map(Some));
    assert_eq!(kv.value("somebody-elses"), None);
    for share in [&deleted, &altered] {
        share.resolve().expect(200);
    }
}

fn reconcile(stack: &Stack, arguments: &[&str]) -> Output {
    stack
        .postern()
        .args(["reconcile", "--restart"])
        .args(arguments)
        .env("POSTERN_KV_API_URL", format!("{}/cdn-cgi/explorer/api", stack.described("edge_url")))
        .env("POSTERN_KV_NAMESPACE", NAMESPACE)
        .output()
        .expect("postern runs")
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat()
}

fn path(key: &str) -> String {
    format!("/cdn-cgi/explorer/api/storage/kv/namespaces/{NAMESPACE}/values/{key}")
}

/// The local KV, by its REST API.
struct Kv {
    client: Client,
}

impl Kv {
    fn value(&self, key: &str) -> Option<Value> {
        let reply = self.client.get(&path(key));
        (reply.status == 200).then(|| serde_json::from_slice(&reply.body).unwrap_or(json!(reply.text())))
    }

    fn write(&self, key: &str, value: &str) {
        self.client.send("PUT", &path(key), &[], Some(value.as_bytes())).expect(200);
    }

    fn delete(&self, key: &str) {
        self.client.delete(&path(key)).expect(200);
    }
}
