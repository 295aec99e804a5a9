//! A share of a test's own, and what a stranger does with it.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use tests::{Client, Reply, Stack};

/// Tokens that were issued, by the installation's address, for [`leaks`].
static ISSUED: Mutex<Option<HashMap<String, Vec<String>>>> = Mutex::new(None);

/// A fresh share of the demo dashboard.
pub struct Share {
    pub id: String,
    pub token: String,
    edge: Client,
}

impl Share {
    /// Makes one, live when this returns.
    #[track_caller]
    pub fn create(stack: &Stack) -> Self {
        Self::create_with(stack, json!({}))
    }

    /// Makes one with more fields.
    #[track_caller]
    pub fn create_with(stack: &Stack, mut fields: Value) -> Self {
        fields["name"] = json!("Public link");
        fields["share_type"] = json!("link");
        let path = format!("/api/v1/dashboards/{}/shares", stack.described("dashboard_id"));
        Self::of(stack, &stack.admin().post(&path, &fields).expect(201).json())
    }

    /// The share that an answer tells of.
    #[track_caller]
    pub fn of(stack: &Stack, answer: &Value) -> Self {
        let text = |field: &str| {
            answer[field].as_str().unwrap_or_else(|| panic!("no {field} in {answer}")).to_owned()
        };
        assert_eq!(answer["effective"], "live", "{answer}");
        let token = text("token");
        let mut issued = ISSUED.lock().unwrap();
        issued
            .get_or_insert_default()
            .entry(stack.described("edge_url").to_owned())
            .or_default()
            .push(token.clone());
        Self { id: text("id"), token, edge: stack.edge() }
    }

    /// Path of a public call.
    pub fn path(&self, verb: &str) -> String {
        format!("/api/v1/public/shares/{}/{verb}", self.token)
    }

    pub fn resolve(&self) -> Reply {
        self.edge.get(&self.path("resolve"))
    }

    pub fn execute(&self, parameters: &Value) -> Reply {
        self.edge.post(&self.path("execute"), &json!({ "parameters": parameters }))
    }

    pub fn options(&self, filter: &str, query: &str) -> Reply {
        self.edge.get(&format!("{}{query}", self.path(&format!("filters/{filter}/options"))))
    }

    pub fn page(&self) -> Reply {
        self.edge.get(&format!("/share/{}", self.token))
    }

    /// Management path of it.
    pub fn managed(&self) -> String {
        format!("/api/v1/dashboard-shares/{}", self.id)
    }
}

/// Rows of one widget in the answer to an execute.
#[track_caller]
pub fn rows(executed: &Value, panel: &str) -> Value {
    let panels = executed["panels"].as_array().unwrap_or_else(|| panic!("no panels in {executed}"));
    let found =
        panels.iter().find(|found| found["id"] == panel).unwrap_or_else(|| panic!("no panel {panel}"));
    assert_eq!(found.get("error").unwrap_or(&Value::Null), &Value::Null, "{found}");
    found["rows"].clone()
}

/// Secrets that stand in what the control plane or the Worker logged: a token of any share, the API key, the root key.
pub fn leaks(stack: &Stack) -> Vec<String> {
    let issued = ISSUED.lock().unwrap().clone().unwrap_or_default();
    let mut secrets = issued.get(stack.described("edge_url")).cloned().unwrap_or_default();
    secrets.push(stack.described("api_key").to_owned());
    secrets.push(stack.described("share_token").to_owned());
    let control = stack.log("logs/control.log");
    // wrangler itself prints each request's path; lines of the Worker's own are JSON.
    let edge = stack.log("logs/edge.log");
    let edge = edge.lines().filter(|line| line.starts_with('{'));
    control
        .lines()
        .chain(edge)
        .filter(|line| secrets.iter().any(|secret| line.contains(secret)) || line.contains("shr_"))
        .map(|line| format!("a secret was logged: {line}"))
        .collect()
}
