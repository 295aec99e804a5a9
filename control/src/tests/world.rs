//! One control plane with a fresh database, a fake edge, a clock that is moved by hand, and a weather file.

use super::database::OwnDatabase;
use super::edge::Edge;
use crate::auth::Scope;
use crate::clock::Clock;
use crate::config::{Config, PasswordHash};
use crate::limit::Budget;
use crate::manage;
use crate::store::Store;
use crate::{App, build};
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Method, Request, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::call::{SIGNATURE_HEADER, sign};
use shared::model::api_key::Prefix;
use shared::model::key::KeyRing;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

pub(crate) const ROOT: &str = "9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41";
/// 2026-01-01, and a few milliseconds so that rendering them is tested.
const START: i64 = 1_767_225_600_007;

pub(super) struct World {
    pub(super) app: App,
    pub(super) edge: Edge,
    pub(super) config: Config,
    /// A key of organization `acme` that may do everything.
    pub(super) key: String,
    millis: Arc<AtomicI64>,
    stop: watch::Sender<bool>,
    _tasks: JoinSet<()>,
    // Dropped after all that is connected to it.
    _database: Option<OwnDatabase>,
    _folder: tempfile::TempDir,
}

/// An answer, read.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Answered {
    pub(super) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {self:?}")).to_owned()
    }

    /// Checks status and `error_code`, and that the request's id is told twice alike.
    #[track_caller]
    pub(super) fn refused(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), self.body["error_code"].as_str()),
            (status, Some(code)),
            "{self:?}"
        );
        assert_eq!(self.body["request_id"], self.headers["x-request-id"].to_str().unwrap());
    }

    #[track_caller]
    pub(super) fn ok(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }
}

impl World {
    /// On SQLite.
    pub(super) async fn new() -> Self {
        Self::with(None, 10_000).await
    }

    /// On SQLite, with a small budget.
    pub(super) async fn throttled(burst: u32) -> Self {
        Self::with(None, burst).await
    }

    /// On each database that there is.
    pub(super) async fn all() -> Vec<Self> {
        let mut worlds = vec![Self::new().await];
        if let Some(database) = OwnDatabase::new().await {
            worlds.push(Self::with(Some(database), 10_000).await);
        }
        worlds
    }

    async fn with(database: Option<OwnDatabase>, burst: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        weather(&folder.path().join("weather.db"));
        let millis = Arc::new(AtomicI64::new(START));
        let clock = Clock::Manual(Arc::clone(&millis));
        let ring = KeyRing::parse(ROOT, None).unwrap();
        let edge = Edge::start(ring.current.push, clock.clone()).await;
        let file = format!("sqlite://{}", folder.path().join("control/postern.db").display());
        std::fs::create_dir(folder.path().join("control")).unwrap();
        let mail_dir = folder.path().join("mail");
        std::fs::create_dir(&mail_dir).unwrap();
        let config = Config {
            database_url: database.as_ref().map_or(file, OwnDatabase::url).into(),
            root_key: Some(ROOT.into()),
            root_key_previous: None,
            edge_url: edge.url.clone(),
            public_url: Some("https://share.example".to_owned()),
            sqlite_dir: Some(folder.path().to_owned()),
            product_dir: Some(folder.path().join("products")),
            password_hash: PasswordHash::default(),
            smtp_url: None,
            mail_dir: Some(mail_dir),
            mail_from: "Postern <postern@localhost>".to_owned(),
            access_log_days: NonZeroU32::new(90).unwrap(),
            log: "info".to_owned(),
        };
        let store = Store::connect(config.database_url.expose_secret()).await.unwrap();
        store.migrate().await.unwrap();
        let budget =
            Budget { per_minute: NonZeroU32::new(60).unwrap(), burst: NonZeroU32::new(burst).unwrap() };
        let app = build(&config, budget, store, clock).unwrap();
        let (stop, stopped) = watch::channel(false);
        let tasks = app.tasks(&stopped);
        let key = key(&app, "acme", &Scope::ALL).await;
        Self { app, edge, config, key, millis, stop, _tasks: tasks, _database: database, _folder: folder }
    }

    /// The same control plane after the second step of a rotation: what was the root key only verifies.
    pub(super) fn change_root_key(&mut self) {
        let next = "41b68e5df2ca1307b6948d5ea3f0c178625d3be9f410aac73658d0e17b4a2c9f";
        self.config.root_key_previous = self.config.root_key.replace(next.into());
        let budget =
            Budget { per_minute: NonZeroU32::new(60).unwrap(), burst: NonZeroU32::new(10_000).unwrap() };
        let (store, clock) = (self.app.service.store.clone(), self.app.service.clock.clone());
        self.app = build(&self.config, budget, store, clock).unwrap();
    }

    /// A new key.
    pub(super) async fn key(&self, organization: &str, scopes: &[Scope]) -> String {
        key(&self.app, organization, scopes).await
    }

    pub(super) fn pass(&self, time: Duration) {
        self.millis.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Lets time pass until the edge knows all of a share. The pauses between pushes are by the world's clock,
    /// which moves in steps that are shorter than a signature's life.
    pub(super) async fn until_delivered(&self, share: &str) {
        while self.get(share).await.body["effective"] != "live" {
            self.pass(Duration::from_secs(10));
            let changed = self.edge.changed();
            let _moved_on = tokio::time::timeout(Duration::from_millis(100), changed).await;
        }
    }

    pub(super) async fn get(&self, path: &str) -> Answered {
        self.call(Method::GET, path, None, &[]).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answered {
        self.call(Method::DELETE, path, None, &[]).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answered {
        self.call(Method::POST, path, Some(body), &[]).await
    }

    /// A call with the world's own key.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answered {
        let bearer = format!("Bearer {}", self.key);
        let headers = [&[("authorization", bearer.as_str())], headers].concat();
        self.raw(method, path, body.map(|body| body.to_string()), &headers).await
    }

    /// A call with these headers alone; a body is JSON unless the headers say otherwise.
    pub(super) async fn raw(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> Answered {
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.unwrap_or_default())).unwrap();
        let response = self.app.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answered { status: parts.status, headers: parts.headers, body }
    }

    /// A call with the world's own key and a body of any kind.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<Body>,
    ) -> Answered {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", content_type);
        let response = self.app.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answered { status: parts.status, headers: parts.headers, body }
    }

    /// A call as the edge makes it, with an answer that is not read yet.
    pub(super) async fn signed_stream(&self, path: &str, body: &Value) -> axum::response::Response {
        let body = body.to_string();
        let keys = KeyRing::parse(ROOT, None).unwrap().current;
        let signature = sign(&keys.origin, "POST", path, body.as_bytes(), self.app.service.clock.now());
        let request = Request::builder().method(Method::POST).uri(path).header(SIGNATURE_HEADER, signature);
        self.app.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
    }

    /// A call as the edge makes it.
    pub(super) async fn signed(&self, path: &str, body: &Value) -> Answered {
        let body = body.to_string();
        let keys = KeyRing::parse(ROOT, None).unwrap().current;
        let signature = sign(&keys.origin, "POST", path, body.as_bytes(), self.app.service.clock.now());
        self.raw(Method::POST, path, Some(body), &[(SIGNATURE_HEADER, &signature)]).await
    }

    /// Does nothing wait to be mailed?
    pub(super) async fn mail_is_done(&self) -> bool {
        let mut session = self.app.service.store.read().await.unwrap();
        crate::store::mail::backlog(&mut session).await.unwrap() == 0
            && crate::store::portal::waiting(&mut session).await.unwrap() == 0
    }

    /// A data source on the weather file.
    pub(super) async fn source(&self) -> String {
        let body = json!({"name": "Weather", "kind": "sqlite", "file": "weather.db"});
        self.post("/api/v1/data-sources", body).await.ok(201).id()
    }

    /// A dashboard over the weather file.
    pub(super) async fn dashboard(&self) -> String {
        let definition = definition(&self.source().await);
        self.post("/api/v1/dashboards", definition).await.ok(201).id()
    }

    /// As [`World::dashboard`], under a slug.
    pub(super) async fn dashboard_named(&self, slug: &str) -> String {
        let mut definition = definition(&self.source().await);
        definition["slug"] = slug.into();
        self.post("/api/v1/dashboards", definition).await.ok(201).id()
    }

    /// A share of a new dashboard, as the API gave it.
    pub(super) async fn share(&self) -> Value {
        let dashboard = self.dashboard().await;
        self.share_of(&dashboard).await
    }

    pub(super) async fn share_of(&self, dashboard: &str) -> Value {
        let path = format!("/api/v1/dashboards/{dashboard}/shares");
        self.post(&path, json!({"name": "Public link", "share_type": "link"})).await.ok(201).body
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// A definition with one filter of each kind that matters.
pub(super) fn definition(source: &str) -> Value {
    json!({
        "slug": "weather", "title": "Weather", "data_source_id": source,
        "filters": [
            {"slug": "location", "label": "Location", "kind": "select",
             "options": {"static": [{"label": "Seattle", "value": "Seattle"}, {"label": "New York", "value": "New York"}]}},
            {"slug": "weather", "label": "Weather", "kind": "multi_select", "options": {"sql":
                "SELECT DISTINCT weather AS value, upper(weather) AS label FROM weather
                 WHERE (:search IS NULL OR weather LIKE '%' || :search || '%') [[ AND location = :location ]] ORDER BY 1"}},
            {"slug": "period", "label": "Period", "kind": "date_range"},
            {"slug": "wet", "label": "Wet", "kind": "boolean"},
        ],
        "widgets": [
            {"id": "days", "title": "Days", "kind": "number", "sql":
                "SELECT COUNT(*) AS days FROM weather WHERE 1 = 1
                 [[ AND location = :location ]] [[ AND weather IN (:weather) ]]
                 [[ AND date >= :period_start ]] [[ AND date <= :period_end ]] [[ AND (rain > 0) = :wet ]]"},
            {"id": "rows", "title": "Rows", "kind": "table", "sql": "SELECT * FROM weather ORDER BY date, location"},
        ],
    })
}

async fn key(app: &App, organization: &str, scopes: &[Scope]) -> String {
    let made = manage::key::create(&app.service, organization, None, "test", (Prefix::Postern, scopes))
        .await
        .unwrap();
    made.secret.expose_secret().to_owned()
}

fn weather(path: &std::path::Path) {
    let file = rusqlite::Connection::open(path).unwrap();
    file.execute_batch(
        "CREATE TABLE weather (location TEXT, date DATE, rain REAL, weather TEXT);
         INSERT INTO weather VALUES
            ('Seattle', '2024-01-01', 0, 'sun'), ('Seattle', '2024-01-02', 1.5, 'rain'),
            ('New York', '2024-01-01', 0, 'sun'), ('New York', '2024-01-02', 3, 'snow');",
    )
    .unwrap();
}
