//! What is logged: read by tests, and, at its loudest, without a secret.

use super::edge::Mood;
use super::world::{ROOT, World};
use http::Method;
use serde_json::json;
use shared::call::USAGE_PATH;
use shared::model::key::KeyRing;
use shared::model::token::locate;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// What this thread logs as long as it lives, at its loudest.
pub(super) struct Log {
    lines: Lines,
    _guard: DefaultGuard,
    _second: Dispatch,
}

impl Log {
    pub(super) fn start() -> Self {
        // With a single subscriber, a line that another test's thread comes to first would be off for this one too.
        let second = Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
        let lines = Lines::default();
        let subscriber =
            tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE).with_writer(lines.clone());
        let guard = tracing::subscriber::set_default(subscriber.finish());
        Self { lines, _guard: guard, _second: second }
    }

    /// What was logged since this was last asked.
    pub(super) fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.lines.0.lock().unwrap())).unwrap()
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_log_line_holds_a_secret() {
    let log = Log::start();
    let world = World::new().await;
    let share = world.share().await;
    let token = share["token"].as_str().unwrap();
    let url = "postgres://reader:hunter2@127.0.0.1:1/d";
    world.post("/api/v1/data-sources", json!({"name": "pg", "kind": "postgres", "url": url})).await.ok(201);
    world.get(&format!("/share/{token}")).await.refused(404, "NOT_FOUND");
    world.get(&format!("/api/v1/dashboards/{token}")).await.refused(404, "NOT_FOUND");
    world
        .raw(Method::GET, "/api/v1/audit", None, &[("x-api-key", "pk_typo")])
        .await
        .refused(401, "UNAUTHORIZED");
    let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
    let password = format!("{path}/password");
    let typed = Some(json!({"password": "correct horse"}));
    world.call(Method::PUT, &password, typed, &[("idempotency-key", "k")]).await.ok(200);
    let typed = Some(json!({ "password": "battery staple".repeat(10) }));
    world.call(Method::PUT, &password, typed, &[]).await.refused(422, "VALIDATION_ERROR");
    let ring = KeyRing::parse(ROOT, None).unwrap();
    let key = locate(&ring, token).unwrap();
    let records = world.edge.records();
    let live = records[key.as_str()].live.as_ref().unwrap();
    let hash = live.protection.password.as_ref().unwrap().hash.clone();
    let until = world.app.service.clock.now().0 + 60_000;
    let usage =
        json!({"accesses": 0, "opens": 0, "last_opened_at": null, "locked_until": until, "resets": 1});
    world.signed(USAGE_PATH, &json!({"key": key.as_str(), "usage": usage})).await.ok(204);
    world.edge.set(Mood::Fails);
    world.delete(&path).await.ok(202);
    let logged = log.take();
    assert!(logged.contains("/api/v1/dashboards/{id}/shares"), "the log is read");
    assert!(logged.contains("guessing is locked"), "so is the owner's alarm");
    for secret in
        [token, &world.key, "hunter2", "pk_typo", ROOT, "correct horse", "battery staple", &hash, "argon2"]
    {
        assert!(!logged.contains(secret), "{secret} is logged");
    }
}
