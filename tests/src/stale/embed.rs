//! Embed tokens that die alone, with their dashboard's generation, or with the key that signed them.

use super::{Link, Trial};
use crate::Client;
use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

/// What a token shows: its content never changes.
const RULE: u64 = 7;

/// An owner of embeds. Keys are the whole organization's, so there is one such owner only.
pub(super) struct Embeds {
    /// `/api/v1/embed/dashboards/{id}` of two dashboards.
    paths: [String; 2],
}

impl Embeds {
    pub(super) fn create(trial: &Trial) -> Result<Self> {
        let path = |slug: &str| {
            let id = trial.control.dashboard_named(slug)?;
            anyhow::Ok(format!("/api/v1/embed/dashboards/{id}"))
        };
        Ok(Self { paths: [path("embedded")?, path("beside")?] })
    }

    /// Makes a token of each dashboard, takes one back in one of three ways, each in its turn, and looks at both.
    pub(super) fn change(&self, trial: &Trial, admin: &Client, turn: usize, rng: &mut Rng) -> Result<()> {
        let [own, beside] = &self.paths;
        let (doomed, other) = (Token::mint(admin, own)?, Token::mint(admin, beside)?);
        for token in [&doomed, &other] {
            trial.look_before(&token.link, rng);
            trial.publish(&token.link);
        }
        doomed.link.changing.store(true, SeqCst);
        let (kind, begun, reply) = match turn % 3 {
            0 => ("embed token", Instant::now(), admin.delete(&format!("{own}/tokens/{}", doomed.jti))),
            1 => ("embed generation", Instant::now(), admin.post(&format!("{own}/rotate"), &json!({}))),
            _ => {
                let added = admin.post("/api/v1/embed/keys", &json!({}));
                ensure!(matches!(added.status, 201 | 202), "{} {}", added.status, added.text());
                // Every token so far is of the key that stops.
                other.link.changing.store(true, SeqCst);
                ("embed key", Instant::now(), admin.delete(&format!("/api/v1/embed/keys/{}", doomed.kid)))
            }
        };
        let all_die = kind == "embed key";
        if trial.note(kind, begun, &reply) {
            doomed.link.dead.store(true, SeqCst);
            other.link.dead.store(all_die, SeqCst);
        }
        for token in [&doomed, &other] {
            trial.look_everywhere(&token.link);
        }
        // None is visited for longer than it is known what it shows.
        for token in [&doomed, &other] {
            trial.withdraw(&token.link);
        }
        Ok(())
    }
}

struct Token {
    jti: String,
    kid: String,
    link: Arc<Link>,
}

impl Token {
    fn mint(admin: &Client, path: &str) -> Result<Self> {
        let reply = admin.post(path, &json!({ "fixed_params": { "rule": RULE } }));
        ensure!(matches!(reply.status, 200 | 202), "{} {}", reply.status, reply.text());
        let made: Value = reply.json();
        let text = |field: &str| made[field].as_str().map(str::to_owned).context("a field");
        let link = Link::of(format!("/api/embed/d/{}", text("token")?), "info", RULE);
        link.changing.store(reply.status == 202, SeqCst);
        Ok(Self { jti: text("jti")?, kid: text("kid")?, link })
    }
}
