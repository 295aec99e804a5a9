//! A plain HTTP client: no answer is an error, no redirect is followed, no proxy is asked.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use ureq::Agent;
use ureq::http::Request;

/// Longer than the slowest documented answer: a 10 s query, and the calls around it.
const LIMIT: Duration = Duration::from_secs(30);

/// An answer, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The answer, if it has this status.
    ///
    /// # Panics
    /// When it has another.
    #[track_caller]
    #[expect(
        clippy::must_use_candidate,
        clippy::return_self_not_must_use,
        reason = "often called for the check alone"
    )]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Checks status and `error_code`, and that words and a request id stand beside it.
    ///
    /// # Panics
    /// When it is another answer.
    #[track_caller]
    pub fn expect_error(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        let body = self.json();
        assert_eq!(body["error_code"], code, "{body}");
        assert!(body["error"].as_str().is_some_and(|words| !words.is_empty()), "{body}");
        assert_eq!(body["request_id"], self.header("x-request-id"), "{body}");
        body
    }
}

/// A client of one host.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    origin: String,
    key: Option<String>,
    network: Option<String>,
}

impl Client {
    /// A client without a credential.
    pub fn new(origin: impl Into<String>) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(LIMIT))
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .proxy(None);
        Self { agent: config.build().into(), origin: origin.into(), key: None, network: None }
    }

    /// The same client with an API key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// The same client from another network, as the platform tells it.
    #[must_use]
    pub fn from(&self, address: &str) -> Self {
        Self { network: Some(address.to_owned()), ..self.clone() }
    }

    /// Its API key, if it has one.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The network that the platform would tell of, if it was chosen.
    pub fn network(&self) -> Option<&str> {
        self.network.as_deref()
    }

    /// `scheme://host:port`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Sends a request.
    ///
    /// # Panics
    /// When no answer comes.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Reply {
        self.try_send(method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Sends a request to somebody who may be gone.
    ///
    /// # Errors
    /// When no answer comes, or none that is whole.
    ///
    /// # Panics
    /// When it is no request.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Reply, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.origin));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if let Some(network) = &self.network {
            request = request.header("cf-connecting-ip", network);
        }
        let mut answer = match body {
            Some(body) => self.agent.run(request.body(body).expect("a request"))?,
            None => self.agent.run(request.body(()).expect("a request"))?,
        };
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let body = answer.body_mut().with_config().limit(64 << 20).read_to_vec()?;
        Ok(Reply { status: answer.status().as_u16(), headers, body })
    }

    /// `GET` from somebody who may be gone.
    pub fn try_get(&self, path: &str) -> Option<Reply> {
        self.try_send("GET", path, &[], None).ok()
    }

    /// `GET`.
    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], None)
    }

    /// `POST` of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_text(path, &body.to_string())
    }

    /// `POST` of a text that claims to be JSON.
    pub fn post_text(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], Some(body.as_bytes()))
    }

    /// `PATCH` of JSON.
    pub fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send("PATCH", path, &[("content-type", "application/json")], Some(body.to_string().as_bytes()))
    }

    /// `PUT` of JSON.
    pub fn put(&self, path: &str, body: &Value) -> Reply {
        self.send("PUT", path, &[("content-type", "application/json")], Some(body.to_string().as_bytes()))
    }

    /// `DELETE`.
    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &[], None)
    }

    /// Writes bytes to the host as they are and reads whatever comes until it hangs up.
    ///
    /// # Panics
    /// When it cannot be reached.
    pub fn raw(&self, request: &[u8]) -> String {
        let address = self.origin.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a time-out");
        // A host may answer and hang up before it has read everything.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}
