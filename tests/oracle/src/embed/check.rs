//! Compares what the product says of a token with what the rules say.

use super::key::Secret;
use super::{Said, judge, mutate};
use crate::check::Count;
use serde_json::{Value, json};
use shared::model::embed::Embed;
use shared::model::embed::token::verify;
use shared::model::key::KeyRing;
use shared::model::origin::Origin;
use shared::model::policy::Policy;
use shared::time::Millis;

/// An installation's root keys, for both sides.
#[derive(Debug)]
pub struct Judges {
    ring: KeyRing,
    secrets: Vec<Secret>,
}

impl Judges {
    /// Of the root key in force, and of the one before it.
    ///
    /// # Panics
    /// When one of them is no root key.
    pub fn new(root: &[u8; 32], previous: Option<&[u8; 32]>) -> Self {
        let ring = KeyRing::parse(&hex::encode(root), previous.map(hex::encode).as_deref());
        Self {
            ring: ring.expect("strong root keys"),
            secrets: [Some(root), previous].into_iter().flatten().map(|root| Secret::Root(*root)).collect(),
        }
    }

    /// Is the token accepted at `now`, in milliseconds since 1970?
    ///
    /// # Errors
    /// What differs.
    pub fn compare(&self, now: i64, token: &str) -> Result<bool, String> {
        let product = verify(&self.ring, token)
            .filter(|embed| embed.in_time(Millis(now)).is_ok())
            .map(|embed| said(&embed));
        let rules = judge(&self.secrets, now, token);
        if product == rules {
            return Ok(rules.is_some());
        }
        let what = if rules.is_none() { "a bypass" } else { "a difference" };
        Err(format!(
            "{what}: the product reads {product:?}, by the rules it is {rules:?}\ntoken {token}\nat {now}"
        ))
    }
}

/// Compares on token number `at` that a seed makes of good ones.
///
/// # Errors
/// What differs.
pub fn mutation(
    (seed, at): (u64, u64),
    judges: &Judges,
    samples: &mutate::Samples,
    count: &mut Count,
) -> Result<(), String> {
    let token = samples.token(seed, at);
    match judges.compare(mutate::NOW_MILLIS, &token) {
        Ok(true) => count.accepted += 1,
        Ok(false) => count.refused += 1,
        Err(error) => return Err(format!("{error}\nagain by: cargo xtask fuzz --seed {seed}")),
    }
    Ok(())
}

/// What the product reads, in the words of the rules.
fn said(embed: &Embed) -> Said {
    let granted = &embed.terms;
    Said {
        kid: (embed.organization.simple().to_string(), embed.key_generation),
        claims: json!({
            "sub": embed.dashboard.to_string(),
            "jti": embed.id,
            "iat": embed.issued_at.unsigned_abs(),
            "exp": embed.expires_at.unsigned_abs(),
            "nbf": embed.not_before.map(i64::unsigned_abs),
            "gen": embed.generation,
            "allowed_params": granted.allowed_params,
            "required_params": granted.required_params,
            "fixed_params": granted.fixed_params,
            "policies": granted.policies.iter().map(policy).collect::<Value>(),
            "origins": granted.origins.iter().map(Origin::as_str).collect::<Value>(),
            "ui": granted.look,
        }),
    }
}

fn policy(policy: &Policy) -> Value {
    json!({
        "filter_slug": policy.filter_slug,
        "filter_kind": policy.filter_kind,
        "mode": policy.mode,
        "allowed_values": policy.allowed_values,
        "default": policy.default,
        "hidden": policy.hidden,
    })
}
