//! What owners do: look up, let the domain decide, save with outbox and audit rows in one transaction,
//! push, answer.

pub(crate) mod bulk;
pub(crate) mod context;
pub(crate) mod dashboard;
pub(crate) mod data_product;
pub(crate) mod data_source;
pub(crate) mod embed;
pub(crate) mod key;
pub(crate) mod limits;
pub(crate) mod link;
pub(crate) mod map;
pub(crate) mod password;
pub(crate) mod portal;
pub(crate) mod preview;
pub(crate) mod session_token;
pub(crate) mod share;
pub(crate) mod usage;

use crate::store::api_key::ApiKey;
use crate::store::{Session, audit, idempotency};
use serde_json::Value;
use shared::Result;
use shared::replica::Organization;
use shared::time::Millis;
use uuid::Uuid;

/// On whose behalf a change is made, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    /// Whose things.
    pub(crate) organization: Organization,
    /// For the audit trail.
    pub(crate) name: String,
}

impl Actor {
    /// A holder of an API key, or of a session token.
    pub(crate) fn key(key: &ApiKey) -> Self {
        let kind = if key.session.is_some() { "session" } else { "key" };
        Self { organization: key.organization.clone(), name: format!("{kind}:{}", key.id) }
    }

    /// Somebody at the machine itself.
    pub(crate) fn cli(organization: Organization) -> Self {
        Self { organization, name: "cli".to_owned() }
    }

    /// A gate, by what it reports.
    fn edge(organization: Organization) -> Self {
        Self { organization, name: "edge".to_owned() }
    }

    /// Adds the audit row of a change to its transaction.
    async fn audit(
        &self,
        session: &mut Session,
        (action, subject): (&str, Uuid),
        detail: Value,
        now: Millis,
    ) -> Result<()> {
        let entry = audit::Entry {
            id: Uuid::now_v7(),
            actor: self.name.clone(),
            action: action.to_owned(),
            subject: subject.to_string(),
            at: now,
            detail,
        };
        audit::insert(session, self.organization.id, &entry).await
    }
}

/// An `Idempotency-Key` and the request that it came with.
#[derive(Debug, Clone)]
pub(crate) struct Once {
    /// The caller's key.
    pub(crate) key: String,
    /// Keyed digests of method, path and body, as hex: one for each root key, the current one's first. A plain digest
    /// would tell whoever reads the database when they have guessed a password in the body.
    pub(crate) digests: Vec<String>,
}

impl Once {
    /// What the key made, without claiming it: before work that a repeated request must not depend on.
    async fn earlier(
        once: Option<&Self>,
        session: &mut Session,
        actor: &Actor,
        now: Millis,
    ) -> Result<Option<Uuid>> {
        let Some(once) = once else { return Ok(None) };
        idempotency::find(session, actor.organization.id, once.request(), now).await
    }

    /// Claims the key for `resource`; see [`idempotency::claim`].
    async fn claim(
        once: Option<&Self>,
        session: &mut Session,
        actor: &Actor,
        resource: Uuid,
        now: Millis,
    ) -> Result<Option<Uuid>> {
        let Some(once) = once else { return Ok(None) };
        idempotency::claim(session, actor.organization.id, once.request(), resource, now).await
    }

    fn request(&self) -> (&str, &[String]) {
        (&self.key, &self.digests)
    }
}

/// What a change came to.
#[derive(Debug)]
pub(crate) struct Done<T> {
    /// What it made or changed.
    pub(crate) body: T,
    /// Has the edge yet to learn of it?
    pub(crate) pending: bool,
    /// Was it done before, under the same `Idempotency-Key`?
    pub(crate) replayed: bool,
}

impl<T> Done<T> {
    /// The same of what `make` makes of it.
    pub(crate) fn map<O>(self, make: impl FnOnce(T) -> O) -> Done<O> {
        Done { body: make(self.body), pending: self.pending, replayed: self.replayed }
    }
}
