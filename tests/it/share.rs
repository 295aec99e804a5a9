//! A share of a test's own, and what a stranger does with it.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;
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

    /// The same share after its installation was started again, on other ports.
    pub fn on(&self, stack: &Stack) -> Self {
        Self { id: self.id.clone(), token: self.token.clone(), edge: stack.edge() }
    }

    /// Tries a password, again while too many others' are being compared: all tests share one isolate.
    pub fn unlock(&self, password: &str) -> Reply {
        self.unlock_from("127.0.0.1", password)
    }

    /// The same from another address: only the platform in production sees to it that this header is its own.
    pub fn unlock_from(&self, address: &str, password: &str) -> Reply {
        let headers = [("content-type", "application/json"), ("cf-connecting-ip", address)];
        let body = json!({ "password": password }).to_string();
        for _ in 0..40 {
            let reply = self.edge.send("POST", &self.path("unlock"), &headers, Some(body.as_bytes()));
            if reply.status != 429 || reply.header("retry-after") != "2" {
                return reply;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        panic!("no turn for a password within 20 s");
    }

    /// Opens a counted link on purpose.
    pub fn open(&self) -> Reply {
        self.edge.post(&self.path("unlock"), &json!({}))
    }

    /// A public call with a grant: `resolve` or options by GET, else a POST of no parameters.
    pub fn with_grant(&self, grant: &str, verb: &str) -> Reply {
        let authorization = format!("Bearer {grant}");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let (method, body) = if verb == "execute" { ("POST", Some(&b"{}"[..])) } else { ("GET", None) };
        self.edge.send(method, &self.path(verb), &headers, body)
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

/// Secrets that stand in what the control plane or the Worker logged: a token of any share, a password or grant, the API key,
/// the root key.
pub fn leaks(stack: &Stack) -> Vec<String> {
    let issued = ISSUED.lock().unwrap().clone().unwrap_or_default();
    let mut secrets = issued.get(stack.described("edge_url")).cloned().unwrap_or_default();
    secrets.push(stack.described("api_key").to_owned());
    secrets.push(stack.described("share_token").to_owned());
    // How every token, grant and stored hash begins, and the password that most tests use.
    secrets.extend(["shr_", "eyJ", "$argon2", "open sesame"].map(str::to_owned));
    let control = stack.log("logs/control.log");
    // wrangler itself prints each request's path; lines of the Worker's own are JSON.
    let edge = stack.log("logs/edge.log");
    let edge = edge.lines().filter(|line| line.starts_with('{'));
    control
        .lines()
        .chain(edge)
        .filter(|line| secrets.iter().any(|secret| line.contains(secret)))
        .map(|line| format!("a secret was logged: {line}"))
        .collect()
}
