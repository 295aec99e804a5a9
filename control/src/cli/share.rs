//! `postern share`: the same use cases as the API's, pushes included.

use super::Printer;
use crate::manage::{Actor, Done, key, share as manage};
use crate::service::Service;
use crate::store::Page;
use clap::{Args, Subcommand};
use serde_json::json;
use shared::face::dashboard::manage::{ShareIn, ShareOut};
use shared::model::policy::DefaultMode;
use shared::model::share::ShareType;
use shared::{Error, Result};
use uuid::Uuid;

/// Most shares that one page of the list reads.
const PAGE: u32 = 100;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Share a dashboard.
    Create {
        #[command(flatten)]
        whose: Whose,
        /// The dashboard's id.
        #[arg(long)]
        dashboard: Uuid,
        /// Name of the share; viewers see it.
        #[arg(long)]
        name: String,
        /// RFC 3339; never when absent.
        #[arg(long)]
        expires_at: Option<String>,
        /// What viewers may do with the filters: a JSON array, as `share_filter_policies` of the API.
        #[arg(long, value_name = "JSON", default_value = "[]")]
        policies: String,
        /// Viewers may not use filters without a policy.
        #[arg(long)]
        deny_by_default: bool,
    },
    /// List shares, newest first.
    List {
        #[command(flatten)]
        whose: Whose,
        /// Only those of one dashboard.
        #[arg(long)]
        dashboard: Option<Uuid>,
    },
    /// Give a share a new link; the old one is dead.
    Rotate {
        #[command(flatten)]
        whose: Whose,
        /// The share's id.
        id: Uuid,
    },
    /// Take a share back, for good.
    Revoke {
        #[command(flatten)]
        whose: Whose,
        /// The share's id.
        id: Uuid,
    },
}

#[derive(Debug, Args)]
pub(super) struct Whose {
    /// The organization's slug.
    #[arg(long, default_value = "default")]
    organization: String,
}

impl Whose {
    async fn actor(&self, service: &Service) -> Result<Actor> {
        Ok(Actor::cli(key::organization(service, &self.organization).await?))
    }
}

pub(super) async fn run(service: &Service, command: Command, printer: &Printer) -> Result<()> {
    match command {
        Command::Create { whose, dashboard, name, expires_at, policies, deny_by_default } => {
            let actor = whose.actor(service).await?;
            let input = ShareIn {
                name,
                share_type: ShareType::Link,
                expires_at,
                share_filter_policies: serde_json::from_str(&policies)
                    .map_err(|error| Error::invalid("/share_filter_policies", error.to_string()))?,
                default_mode: if deny_by_default { DefaultMode::Disabled } else { DefaultMode::Open },
            };
            let done = manage::create(service, &actor, dashboard, input, None).await?;
            print_one(printer, &done);
        }
        Command::List { whose, dashboard } => {
            let actor = whose.actor(service).await?;
            let shares = all(service, &actor, dashboard).await?;
            printer.print(&json!(shares), || shares.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        Command::Rotate { whose, id } => {
            let actor = whose.actor(service).await?;
            let done = manage::rotate(service, &actor, id, None).await?;
            print_one(printer, &done);
        }
        Command::Revoke { whose, id } => {
            let actor = whose.actor(service).await?;
            let Done { body, .. } = manage::revoke(service, &actor, id).await?;
            printer.print(&json!(body), || {
                let what = if body.revoked { "Revoked" } else { "It was revoked before" };
                format!("{what} ({}).", body.effective)
            });
        }
    }
    Ok(())
}

async fn all(service: &Service, actor: &Actor, dashboard: Option<Uuid>) -> Result<Vec<ShareOut>> {
    let mut shares: Vec<ShareOut> = Vec::new();
    loop {
        let page = Page { limit: PAGE, before: shares.last().map(|share| share.id) };
        let listed = manage::list(service, actor, dashboard, &page).await?;
        if listed.records.is_empty() {
            return Ok(shares);
        }
        shares.extend(listed.records);
    }
}

fn print_one(printer: &Printer, done: &Done<ShareOut>) {
    printer.print(&json!(done.body), || line(&done.body));
}

fn line(share: &ShareOut) -> String {
    let url = share.url.as_deref().unwrap_or("-");
    format!("{}  {}  {}  {}  {url}", share.id, share.status, share.effective, share.name)
}
