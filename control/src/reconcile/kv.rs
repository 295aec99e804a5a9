//! Workers KV through Cloudflare's REST API: four calls, at a pace, tried again.

use super::Failure;
use super::compare::Listed;
use super::pace::{Pace, asked};
use crate::clock::Clock;
use crate::config::KvConfig;
use crate::replication::pause;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::replica::Metadata;
use shared::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Most keys of one page of a list.
pub(crate) const PAGE: usize = 1_000;
/// Most pairs or keys of one bulk call.
pub(crate) const BULK: usize = 10_000;
/// Most bytes of one bulk write; the API takes 100 MB.
pub(crate) const BULK_BYTES: usize = 20 * 1024 * 1024;
/// Most keys of one bulk read.
pub(crate) const BULK_GET: usize = 100;
/// Longest that one call may take; a bulk write carries 20 MiB.
const CALL_TIMEOUT: Duration = Duration::from_mins(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer: a bulk read of 100 records of 256 KiB.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// How often one call is tried. Even the shortest of their pauses together outlast the five minutes for which Cloudflare blocks whoever
/// called too often.
const TRIES: i64 = 27;

/// One namespace.
pub(crate) struct Kv {
    http: reqwest::Client,
    /// `{base}/storage/kv/namespaces/{id}`
    url: Url,
    namespace: String,
    token: Option<SecretString>,
    clock: Clock,
    pace: Pace,
    calls: u64,
}

/// A page of a list.
pub(crate) struct Page {
    pub(crate) keys: Vec<Listed>,
    /// Where the next one begins.
    pub(crate) cursor: Option<String>,
}

/// What KV holds under a key.
pub(crate) struct Content {
    pub(crate) text: String,
    pub(crate) metadata: Option<Metadata>,
}

/// One pair of a bulk write.
pub(crate) struct Pair {
    pub(crate) key: String,
    /// As the API takes it.
    pub(crate) json: String,
}

/// What became of one try.
enum Tried {
    /// Trying again may help.
    Failed(String),
    /// It cannot.
    Refused(Failure),
}

#[derive(Deserialize)]
struct Answer<T> {
    success: bool,
    result: Option<T>,
    #[serde(default)]
    result_info: Info,
}

#[derive(Default, Deserialize)]
struct Info {
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
    #[serde(default)]
    metadata: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Done {
    successful_key_count: Option<usize>,
    #[serde(default)]
    unsuccessful_keys: Vec<String>,
}

#[derive(Deserialize)]
struct Values {
    values: HashMap<String, Option<Got>>,
}

/// `wrangler dev` leaves the metadata out.
#[derive(Deserialize)]
#[serde(untagged)]
enum Got {
    Plain(String),
    Full {
        value: String,
        #[serde(default)]
        metadata: Option<Value>,
    },
    Other(#[expect(dead_code, reason = "whatever it is, it is no record")] Value),
}

impl Pair {
    pub(crate) fn new(key: &str, metadata: &Metadata, record: &[u8]) -> Self {
        let value = String::from_utf8_lossy(record);
        let json = json!({ "key": key, "value": value, "metadata": metadata }).to_string();
        Self { key: key.to_owned(), json }
    }
}

impl Kv {
    /// # Errors
    /// [`Failure::Setting`] for a setting that is missing or wrong.
    pub(crate) fn new(config: &KvConfig, clock: Clock) -> Result<Self, Failure> {
        let (url, namespace) = address(config)?;
        let http = reqwest::Client::builder()
            .timeout(CALL_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| Error::Internal(format!("HTTP client: {error}")))?;
        let token = config.kv_api_token.clone();
        Ok(Self { http, url, namespace, token, clock, pace: Pace::new(), calls: 0 })
    }

    /// The namespace's id.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Calls so far, tries included.
    pub(crate) const fn calls(&self) -> u64 {
        self.calls
    }

    /// Keys that begin with `prefix`, sorted by their bytes.
    pub(crate) async fn list(&mut self, prefix: &str, cursor: Option<&str>) -> Result<Page, Failure> {
        let mut url = self.path("keys");
        url.query_pairs_mut().append_pair("limit", &PAGE.to_string());
        if !prefix.is_empty() {
            url.query_pairs_mut().append_pair("prefix", prefix);
        }
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("cursor", cursor);
        }
        let answer: Answer<Vec<Name>> = self.call(Method::GET, url, None).await?;
        let keys = answer.result.unwrap_or_default();
        let keys =
            keys.into_iter().map(|Name { name, metadata }| Listed { key: name, metadata: ours(metadata) });
        Ok(Page {
            keys: keys.collect(),
            cursor: answer.result_info.cursor.filter(|cursor| !cursor.is_empty()),
        })
    }

    /// Writes pairs, and gives the keys of those that were not.
    pub(crate) async fn write<'a>(
        &mut self,
        pairs: impl ExactSizeIterator<Item = &'a Pair> + Clone,
    ) -> Result<HashSet<String>, Failure> {
        let mut body =
            String::with_capacity(pairs.clone().map(|pair| pair.json.len() + 1).sum::<usize>() + 1);
        for pair in pairs.clone() {
            body.push(if body.is_empty() { '[' } else { ',' });
            body.push_str(&pair.json);
        }
        body.push(']');
        let answer: Answer<Done> = self.call(Method::PUT, self.path("bulk"), Some(body.into())).await?;
        Ok(answer.result.unwrap_or_default().undone(pairs.map(|pair| pair.key.as_str())))
    }

    /// Deletes keys, and gives those that were not.
    pub(crate) async fn delete(&mut self, keys: &[String]) -> Result<HashSet<String>, Failure> {
        let url = self.path("bulk/delete");
        let answer: Answer<Done> = self.call(Method::POST, url, Some(json!(keys).to_string().into())).await?;
        Ok(answer.result.unwrap_or_default().undone(keys.iter().map(String::as_str)))
    }

    /// Reads values; keys that are gone are left out, and what is no text is empty.
    pub(crate) async fn get(&mut self, keys: &[String]) -> Result<HashMap<String, Content>, Failure> {
        let url = self.path("bulk/get");
        let body = json!({ "keys": keys, "type": "text", "withMetadata": true }).to_string();
        let answer: Answer<Values> = self.call(Method::POST, url, Some(body.into())).await?;
        let values = answer.result.map(|result| result.values).unwrap_or_default();
        let values = values.into_iter().filter_map(|(key, got)| {
            let (text, metadata) = match got? {
                Got::Plain(text) => (text, None),
                Got::Full { value, metadata } => (value, ours(metadata)),
                Got::Other(_) => (String::new(), None),
            };
            Some((key, Content { text, metadata }))
        });
        Ok(values.collect())
    }

    fn path(&self, below: &str) -> Url {
        let mut url = self.url.clone();
        let path = format!("{}/{below}", url.path());
        url.set_path(&path);
        url
    }

    async fn call<T: DeserializeOwned>(
        &mut self,
        method: Method,
        url: Url,
        body: Option<Bytes>,
    ) -> Result<Answer<T>, Failure> {
        let mut last = String::new();
        for attempt in 1..=TRIES {
            let wait = self.pace.turn(self.clock.now());
            self.clock.sleep(wait).await;
            self.calls += 1;
            match self.once(&method, &url, body.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(Tried::Refused(failure)) => return Err(failure),
                Err(Tried::Failed(reason)) => {
                    tracing::warn!(attempt, reason, path = url.path(), "a call of Cloudflare's API failed");
                    last = reason;
                }
            }
            if attempt < TRIES {
                self.clock.sleep(pause(attempt)?).await;
            }
        }
        Err(Failure::OutOfReach { tries: TRIES, last })
    }

    async fn once<T: DeserializeOwned>(
        &mut self,
        method: &Method,
        url: &Url,
        body: Option<Bytes>,
    ) -> Result<Answer<T>, Tried> {
        let lost = |error: reqwest::Error| Tried::Failed(error.without_url().to_string());
        let mut request = self.http.request(method.clone(), url.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let mut response = request.send().await.map_err(lost)?;
        if let Some(pause) = asked(response.headers()) {
            self.pace.pause(self.clock.now(), pause);
        }
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(Tried::Failed(format!("an answer of over {MAX_ANSWER_BYTES} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        if status == StatusCode::OK {
            return match serde_json::from_slice::<Answer<T>>(&bytes) {
                Ok(answer) if answer.success => Ok(answer),
                Ok(_) => Err(Tried::Failed(message(&bytes))),
                Err(error) => Err(Tried::Failed(format!("an answer that cannot be read: {error}"))),
            };
        }
        let reason = format!("status {}: {}", status.as_u16(), message(&bytes));
        let may_pass = status.is_server_error()
            || status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::REQUEST_TIMEOUT;
        Err(if may_pass { Tried::Failed(reason) } else { Tried::Refused(Failure::Refused(reason)) })
    }
}

impl Done {
    /// Keys of a bulk call that were not done: 200 does not mean all.
    fn undone<'a>(self, sent: impl ExactSizeIterator<Item = &'a str>) -> HashSet<String> {
        let undone: HashSet<String> = self.unsuccessful_keys.into_iter().collect();
        match self.successful_key_count {
            // It does not name them all.
            Some(done) if done + undone.len() < sent.len() => sent.map(str::to_owned).collect(),
            _ => undone,
        }
    }
}

/// Metadata, if it is what a gate or this program writes.
fn ours(metadata: Option<Value>) -> Option<Metadata> {
    serde_json::from_value(metadata?).ok()
}

/// What Cloudflare says about a failure, cut short.
fn message(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = body.pointer("/errors/0/message").and_then(Value::as_str).unwrap_or("no reason given");
    said.chars().take(200).collect()
}

/// Where the namespace is.
fn address(config: &KvConfig) -> Result<(Url, String), Failure> {
    let setting = |text: &str| Failure::Setting(text.to_owned());
    let base = config.kv_api_url.as_deref().ok_or_else(|| {
        setting(
            "POSTERN_KV_API_URL is not set: https://api.cloudflare.com/client/v4/accounts/<account>, or \
             http://127.0.0.1:8787/cdn-cgi/explorer/api under wrangler dev",
        )
    })?;
    let namespace = config
        .kv_namespace
        .clone()
        .ok_or_else(|| setting("POSTERN_KV_NAMESPACE is not set: the id of the Worker's namespace SHARES"))?;
    if namespace.is_empty()
        || !namespace.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    {
        return Err(setting("POSTERN_KV_NAMESPACE is no id: letters, digits, - and _"));
    }
    let url = format!("{}/storage/kv/namespaces/{namespace}", base.trim_end_matches('/'));
    let url = Url::parse(&url).map_err(|error| setting(&format!("POSTERN_KV_API_URL is no URL: {error}")))?;
    let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if !(url.scheme() == "https" || (url.scheme() == "http" && is_local))
        || url.query().is_some()
        || !url.username().is_empty()
    {
        return Err(setting(
            "POSTERN_KV_API_URL must be https, or http on this machine, without user or query",
        ));
    }
    if config.kv_api_token.is_none() && !is_local {
        return Err(setting(
            "POSTERN_KV_API_TOKEN is not set: an API token that may edit Workers KV Storage of the account",
        ));
    }
    Ok((url, namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, namespace: &str, token: Option<&str>) -> KvConfig {
        KvConfig {
            kv_api_url: (!url.is_empty()).then(|| url.to_owned()),
            kv_namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
            kv_api_token: token.map(Into::into),
        }
    }

    #[test]
    fn addresses_are_checked() {
        let cloudflare = "https://api.cloudflare.com/client/v4/accounts/a1";
        let (url, _) = address(&config(&format!("{cloudflare}/"), "n1", Some("t"))).unwrap();
        assert_eq!(url.as_str(), format!("{cloudflare}/storage/kv/namespaces/n1"));
        let local = "http://127.0.0.1:8787/cdn-cgi/explorer/api";
        assert!(address(&config(local, "shares-local", None)).is_ok());
        for (url, namespace, token, named) in [
            ("", "n1", Some("t"), "POSTERN_KV_API_URL"),
            ("api.cloudflare.com", "n1", Some("t"), "POSTERN_KV_API_URL"),
            ("http://api.cloudflare.com", "n1", Some("t"), "POSTERN_KV_API_URL"),
            ("https://u@api.cloudflare.com", "n1", Some("t"), "POSTERN_KV_API_URL"),
            ("https://api.cloudflare.com/?a", "n1", Some("t"), "POSTERN_KV_API_URL"),
            (cloudflare, "", Some("t"), "POSTERN_KV_NAMESPACE"),
            (cloudflare, "../n1", Some("t"), "POSTERN_KV_NAMESPACE"),
            (cloudflare, "n1", None, "POSTERN_KV_API_TOKEN"),
        ] {
            let Err(Failure::Setting(text)) = address(&config(url, namespace, token)) else {
                panic!("{url} {namespace} was taken");
            };
            assert!(text.starts_with(named), "{text}");
        }
    }

    #[test]
    fn a_bulk_answer_that_names_too_few_counts_for_none() {
        let undone = |done, named: &[&str]| {
            let unsuccessful_keys = named.iter().map(|key| (*key).to_owned()).collect();
            Done { successful_key_count: done, unsuccessful_keys }.undone(["a", "b", "c"].into_iter())
        };
        assert_eq!(undone(Some(3), &[]).len(), 0);
        assert_eq!(undone(None, &[]).len(), 0);
        assert_eq!(undone(Some(2), &["b"]), HashSet::from(["b".to_owned()]));
        assert_eq!(undone(Some(1), &["b"]).len(), 3);
    }

    #[test]
    fn answers_of_cloudflare_and_of_wrangler_are_read() {
        let values: Values = serde_json::from_str(
            r#"{"values":{"a":"text","b":{"value":"text","metadata":{"revision":1,"digest":"d"}},"c":null,"d":7}}"#,
        )
        .unwrap();
        assert!(matches!(&values.values["a"], Some(Got::Plain(text)) if text == "text"));
        assert!(matches!(&values.values["b"], Some(Got::Full { metadata: Some(_), .. })));
        assert!(values.values["c"].is_none());
        assert!(matches!(&values.values["d"], Some(Got::Other(_))));
        assert_eq!(
            message(br#"{"success":false,"errors":[{"code":10013,"message":"namespace not found"}]}"#),
            "namespace not found"
        );
        assert_eq!(message(b"<html>"), "no reason given");
    }
}
