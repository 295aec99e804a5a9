//! An organization of a test's own, where what is changed for the whole organization disturbs no other test.

use serde_json::{Value, json};
use tests::{Client, Stack};

/// An organization with the demo dashboard.
pub struct Tenant {
    pub admin: Client,
    pub id: String,
    pub slug: String,
    pub key: String,
    pub dashboard: String,
    definition: Value,
}

impl Tenant {
    /// Makes one, with a key that may do everything.
    #[track_caller]
    pub fn create(stack: &Stack) -> Self {
        let mut random = [0; 6];
        getrandom::fill(&mut random).expect("random bytes");
        let slug = format!("tenant-{}", hex::encode(random));
        let mut command = stack.postern();
        command.args(["keys", "create", "--json", "--name", "test", "--organization", &slug]);
        command.args(["--organization-name", "A Tenant"]);
        for scope in ["shares:read", "shares:write", "content:read", "content:write", "organization:write"] {
            command.args(["--scope", scope]);
        }
        let output = command.output().expect("postern runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let made: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let text = |pointer: &str| made.pointer(pointer).and_then(Value::as_str).expect("a text").to_owned();
        let key = text("/key");
        let admin = stack.control().with_key(&key);
        let source = json!({ "name": "Weather", "kind": "sqlite", "file": "weather.db" });
        let source = admin.post("/api/v1/data-sources", &source).expect(201).json();
        let mut definition: Value = serde_json::from_str(include_str!("../../xtask/demo/weather.json"))
            .expect("the demo's definition");
        definition["data_source_id"] = source["id"].clone();
        let dashboard = admin.post("/api/v1/dashboards", &definition).expect(201).json();
        let dashboard = dashboard["id"].as_str().expect("an id").to_owned();
        Self { admin, id: text("/organization/id"), slug, key, dashboard, definition }
    }

    /// Name and text of its first key for embed tokens.
    #[track_caller]
    pub fn embed_key(&self) -> (String, String) {
        let keys = self.admin.get("/api/v1/embed/keys").expect(200).json();
        let kid = keys["keys"][0]["kid"].as_str().expect("a key").to_owned();
        let shown = self.admin.get(&format!("/api/v1/embed/keys/{kid}")).expect(200).json();
        (kid, shown["key"].as_str().expect("the key").to_owned())
    }

    /// Another dashboard, as the first.
    #[track_caller]
    pub fn another_dashboard(&self, slug: &str) -> String {
        let mut definition = self.definition.clone();
        definition["slug"] = json!(slug);
        let made = self.admin.post("/api/v1/dashboards", &definition).expect(201).json();
        made["id"].as_str().expect("an id").to_owned()
    }

    /// Changes the definition of its dashboard.
    #[track_caller]
    pub fn redefine(&self, change: impl FnOnce(&mut Value)) {
        let mut definition = self.definition.clone();
        change(&mut definition);
        self.admin.put(&format!("/api/v1/dashboards/{}", self.dashboard), &definition).expect(200);
    }
}
