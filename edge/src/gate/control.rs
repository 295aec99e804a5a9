//! What a gate asks and tells the control plane.

use super::now;
use crate::env;
use crate::runtime::{ControlAnswer, ControlCall};
use serde::Serialize;
use shared::call::{self, Healed, RecordCall, UsageReport};
use shared::model::key::KeyRing;
use shared::model::meter::Days;
use shared::model::usage::Usage;
use worker::{Env, Error, Result};

/// A visitor waits while an empty gate asks: no longer than this.
const LIMIT_MS: u32 = 5_000;

/// The control plane, as gates know it.
pub(super) struct Control {
    ring: KeyRing,
    origin: String,
}

impl Control {
    /// Reads the environment.
    pub(super) fn of(env: &Env) -> Result<Self> {
        let secret =
            |name: &str| env.var(name).map(|value| value.to_string()).ok().filter(|text| !text.is_empty());
        let root = secret(env::ROOT_KEY).ok_or_else(|| Error::from("no root key"))?;
        let ring = KeyRing::parse(&root, secret(env::PREVIOUS_ROOT_KEY).as_deref())
            .map_err(|weak| Error::RustError(weak.to_string()))?;
        let origin = secret(env::CONTROL_URL).ok_or_else(|| Error::from("no control URL"))?;
        Ok(Self { ring, origin: origin.trim_end_matches('/').to_owned() })
    }

    /// Asks for a token's record and its counts; `None` when the control plane does not know it either.
    pub(super) async fn heal(&self, key: &str) -> Result<Option<Healed>> {
        let answer = self.post(call::RECORD_PATH, &RecordCall { key: key.to_owned() }).await?;
        match answer.status() {
            200 => Ok(Some(serde_json::from_slice(&answer.bytes())?)),
            404 => Ok(None),
            status => Err(refused(status)),
        }
    }

    /// Tells what was counted. A control plane that does not know the token does not want to hear it again.
    pub(super) async fn report(&self, key: &str, usage: Usage, tiles: Days) -> Result<()> {
        let report = UsageReport { key: key.to_owned(), usage, tiles };
        match self.post(call::USAGE_PATH, &report).await?.status() {
            200..=299 | 404 => Ok(()),
            status => Err(refused(status)),
        }
    }

    async fn post(&self, path: &str, body: &impl Serialize) -> Result<ControlAnswer> {
        let body = serde_json::to_vec(body)?;
        let signature = call::sign(&self.ring.current.origin, "POST", path, &body, now());
        let url = format!("{}{path}", self.origin);
        Ok(ControlCall { limit_ms: LIMIT_MS, url: &url, signature: &signature, body: &body }.send().await?)
    }
}

fn refused(status: u16) -> Error {
    Error::RustError(format!("control plane answered {status}"))
}
