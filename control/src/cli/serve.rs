//! `postern serve`

use super::{Printer, connect};
use crate::clock::Clock;
use crate::config::{Config, ServeConfig};
use crate::limit::Budget;
use crate::{StartError, build, manage};
use secrecy::ExposeSecret;
use serde_json::json;
use shared::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Serves until SIGTERM or SIGINT.
pub(super) async fn run(config: &Config, serve: &ServeConfig, printer: &Printer) -> Result<(), StartError> {
    let store = connect(config).await?;
    let budget = Budget { per_minute: serve.rate_limit_per_minute, burst: serve.rate_limit_burst };
    let app = build(config, budget, store, Clock::System)?;
    // The only copy of the key: to the one who starts the program, not to the log.
    if let Some(made) = manage::key::first(&app.service).await? {
        let key = made.secret.expose_secret();
        let organization = &made.key.organization.slug;
        printer.print(&json!({ "organization": organization, "admin_key": key }), || {
            format!("Made organization {organization} with this admin key, shown once: {key}")
        });
    }
    let listener = TcpListener::bind(serve.listen)
        .await
        .map_err(|error| StartError::Setting(format!("POSTERN_LISTEN {}: {error}", serve.listen)))?;
    tracing::info!(address = %serve.listen, version = env!("CARGO_PKG_VERSION"), "serving");
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        if let Err(error) = asked_to_stop().await {
            tracing::error!(%error, "signals cannot be heard");
        }
        tracing::info!("stopping");
        stop.send_replace(true);
    });
    let max_connections = usize::try_from(serve.max_connections.get()).unwrap_or(usize::MAX);
    app.run(listener, max_connections, stopped).await;
    Ok(())
}

async fn asked_to_stop() -> Result<(), Error> {
    let fault = |error: std::io::Error| Error::Internal(error.to_string());
    let mut terminate = signal(SignalKind::terminate()).map_err(fault)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fault)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
