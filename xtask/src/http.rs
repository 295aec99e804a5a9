//! The few HTTP calls that the commands make, all of them to this machine.

use std::{fs::File, net::TcpListener, path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use ureq::typestate::WithBody;

/// Everything asked here is local and small; a service that takes longer is broken.
const LIMIT: Duration = Duration::from_secs(30);

fn agent() -> ureq::Agent {
    // A proxy in the environment must not see, or swallow, calls to this machine.
    ureq::Agent::config_builder()
        .timeout_global(Some(LIMIT))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into()
}

/// Whether a GET is answered with 200.
pub(crate) fn is_ok(url: &str) -> bool {
    agent().get(url).call().is_ok_and(|response| response.status().as_u16() == 200)
}

/// Posts a JSON document with an API key.
///
/// # Errors
/// When the answer isn't a success; the message carries the answer's text.
pub(crate) fn post(url: &str, key: &str, body: &Value) -> Result<Value> {
    let mut response = agent()
        .post(url)
        .header("Authorization", format!("Bearer {key}"))
        .header("Content-Type", "application/json")
        .send(body.to_string())
        .with_context(|| format!("cannot reach {url}"))?;
    let text = response.body_mut().read_to_string()?;
    if !response.status().is_success() {
        bail!("POST {url} was answered {}: {text}", response.status());
    }
    serde_json::from_str(&text).with_context(|| format!("POST {url} was answered no JSON: {text}"))
}

/// Puts a file with an API key.
///
/// # Errors
/// As [`post`].
pub(crate) fn put_file(url: &str, key: &str, content_type: &str, file: &Path) -> Result<()> {
    send_file(agent().put(url), key, content_type, file).map(drop)
}

/// Posts a file with an API key.
///
/// # Errors
/// As [`post`].
pub(crate) fn post_file(url: &str, key: &str, content_type: &str, file: &Path) -> Result<Value> {
    let text = send_file(agent().post(url), key, content_type, file)?;
    serde_json::from_str(&text).with_context(|| format!("POST {url} was answered no JSON: {text}"))
}

fn send_file(
    request: ureq::RequestBuilder<WithBody>,
    key: &str,
    content_type: &str,
    file: &Path,
) -> Result<String> {
    let content = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut response = request
        .header("Authorization", format!("Bearer {key}"))
        .header("Content-Type", content_type)
        .send(content)
        .with_context(|| format!("cannot send {}", file.display()))?;
    let text = response.body_mut().read_to_string()?;
    if !response.status().is_success() {
        bail!("{} was answered {}: {text}", file.display(), response.status());
    }
    Ok(text)
}

/// A port that nobody listens on at the moment, and that the system gives nobody who asks for any.
pub(crate) fn free_port() -> Result<u16> {
    const PORTS: std::ops::Range<u16> = 10_240..32_768;
    let skipped = getrandom::u32()? as usize % PORTS.len();
    let mut ports = PORTS.cycle().skip(skipped).take(PORTS.len());
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).context("all ports are taken")
}

/// # Errors
/// When somebody listens on the port.
pub(crate) fn require_free(port: u16, option: &str) -> Result<()> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Ok(()),
        Err(error) => bail!(
            "port {port} can't be used ({error}): stop what listens there, or choose another with {option}"
        ),
    }
}
