//! Postern's control plane: owners' API, storage, replication to the edge, and the data plane that runs
//! dashboards' queries.
//!
//! [`build`] makes one from its settings; `main` and the tests share it. Requests go from [`router`] to a
//! handler (parse, call, render), to a use case in `manage` (look up, decide, save, push), to `store`, where
//! all SQL is. What a share is and who may open it is decided in the crate `shared`, not here.

mod archive;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
mod data;
mod handler;
mod limit;
mod mail;
mod manage;
mod observe;
pub mod openapi;
mod password;
mod product;
mod random;
mod reconcile;
mod replication;
mod router;
mod server;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
mod wizard;

use axum::Router;
use clock::Clock;
use config::Config;
use limit::Limit;
use replication::Replication;
use secrecy::ExposeSecret;
use service::Service;
use shared::Error;
use shared::model::key::{KeyRing, WeakKey};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use limit::{Budget, Peer};

/// Why a control plane could not be made.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is missing or wrong; the operator must change it.
    #[error("{0}")]
    Setting(String),
    /// The database or the network said no.
    #[error(transparent)]
    Failed(#[from] Error),
    /// Workers KV and the database are not equal, or could not be compared.
    #[error("{0}")]
    Unreconciled(String),
}

impl From<WeakKey> for StartError {
    fn from(weak: WeakKey) -> Self {
        Self::Setting(format!("POSTERN_ROOT_KEY {weak}"))
    }
}

/// One control plane, ready to serve.
pub struct App {
    /// What the requests have at hand.
    pub service: Arc<Service>,
    /// All routes.
    pub router: Router,
    access_log_days: u32,
}

/// Makes a control plane on a database that is up to date.
///
/// # Errors
/// [`StartError::Setting`] for a missing or weak root key and other bad settings.
pub fn build(config: &Config, budget: Budget, store: Store, clock: Clock) -> Result<App, StartError> {
    // One provider for every TLS connection of the process: the crates that use it have none of their own.
    // It is there already when a process makes a second control plane.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let ring = ring(config)?;
    let edge_url = origin("POSTERN_EDGE_URL", &config.edge_url)?;
    let public_url = match &config.public_url {
        Some(url) => origin("POSTERN_PUBLIC_URL", url)?,
        None => edge_url.clone(),
    };
    let replication = Replication::new(store.clone(), clock.clone(), ring.current.push.clone(), &edge_url)?;
    let archives = archive::Archives::new(clock.clone(), ring.current.push.clone(), &edge_url)?;
    let limit = Limit::new(budget);
    let passwords = password::Hasher::new(ring.current.clone(), config.password_hash.scheme());
    let data = data::DataPlane::new(ring.clone(), config.sqlite_dir.clone());
    let transport = mail::transport(
        config.smtp_url.as_ref().map(ExposeSecret::expose_secret),
        config.mail_dir.as_deref(),
        &config.mail_from,
    );
    let mail = mail::Post::new(transport.map_err(StartError::Setting)?);
    let products = product::Products::new(config.product_dir.clone());
    observe::start_metrics();
    let service = Arc::new(Service {
        store,
        ring,
        clock,
        public_url,
        replication,
        archives,
        data,
        products,
        limit,
        passwords,
        mail,
    });
    Ok(App {
        router: router::router(Arc::clone(&service)),
        service,
        access_log_days: config.access_log_days.get(),
    })
}

impl App {
    /// Serves on `listener`, and does what must be done besides, until `stop` says so.
    pub async fn run(self, listener: TcpListener, max_connections: usize, stop: watch::Receiver<bool>) {
        let mut tasks = self.tasks(&stop);
        server::serve(listener, self.router, max_connections, stop).await;
        // The last push of the loop ends by itself; nothing else has state to lose.
        while tasks.join_next().await.is_some() {}
        self.service.store.close().await;
    }

    /// Starts what must be done besides serving: pushing the outbox, and sweeping.
    pub fn tasks(&self, stop: &watch::Receiver<bool>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(self.service.replication.clone().run(stop.clone()));
        tasks.spawn(mail::run(Arc::clone(&self.service), stop.clone()));
        tasks.spawn(sweep(Arc::clone(&self.service), self.access_log_days, stop.clone()));
        tasks
    }
}

/// Forgets what is too old, once a minute.
async fn sweep(service: Arc<Service>, access_log_days: u32, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(Duration::from_mins(1)) => {}
        }
        service.limit.sweep();
        observe::sweep_metrics();
        if let Err(error) = forget_idempotency_keys(&service).await {
            tracing::warn!(%error, "old idempotency keys were not forgotten");
        }
        if let Err(error) = manage::session_token::sweep(&service).await {
            tracing::warn!(%error, "session tokens that are over were not removed");
        }
        if let Err(error) = manage::data_product::sweep(&service).await {
            tracing::warn!(%error, "what crashes left of data products was not removed");
        }
        if let Err(error) = manage::map::sweep(&service).await {
            tracing::warn!(%error, "what tiles cost long ago was not forgotten");
        }
        if let Err(error) = manage::portal::sweep(&service, access_log_days).await {
            tracing::warn!(%error, "old sessions and accesses were not forgotten");
        }
    }
}

async fn forget_idempotency_keys(service: &Service) -> shared::Result<()> {
    let mut session = service.store.write().await?;
    store::idempotency::sweep(&mut session, service.clock.now()).await?;
    session.commit().await
}

fn ring(config: &Config) -> Result<KeyRing, StartError> {
    let Some(root_key) = &config.root_key else {
        return Err(StartError::Setting(
            "POSTERN_ROOT_KEY is not set: make one with `openssl rand -hex 32`, and give the Worker the same"
                .to_owned(),
        ));
    };
    let previous = config.root_key_previous.as_ref().map(ExposeSecret::expose_secret);
    Ok(KeyRing::parse(root_key.expose_secret(), previous)?)
}

/// An origin, without its trailing slash.
fn origin(name: &str, url: &str) -> Result<String, StartError> {
    let origin = url.trim_end_matches('/');
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")).unwrap_or_default();
    if host.is_empty() || host.contains(['/', '?', '#', '@']) {
        return Err(StartError::Setting(format!(
            "{name} must be an origin, such as https://share.example.com"
        )));
    }
    Ok(origin.to_owned())
}
