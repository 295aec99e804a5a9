//! `postern share`: the same use cases as the API's, pushes included.

mod bulk;
mod filter;
mod password;
mod preview;

use super::Printer;
use crate::manage::{Actor, Done, key, share as manage};
use crate::service::Service;
use crate::store::Page;
use crate::store::share::Stored;
use clap::{Args, Subcommand};
use filter::Filter;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::face::dashboard::manage::{ShareFilter, ShareIn, TargetShareOut};
use shared::model::policy::{DefaultMode, Policy};
use shared::model::share::{ShareType, TargetKind};
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
        #[command(flatten)]
        create: CreateArgs,
    },
    /// See what the viewers of a share would, before there is one.
    Preview {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        preview: preview::PreviewArgs,
    },
    /// List shares of dashboards, data products and maps, newest first.
    List {
        #[command(flatten)]
        whose: Whose,
        /// Only of these: `dashboard`, `data_product`, `item` or `collection`.
        #[arg(long, value_parser = kind)]
        target_type: Option<TargetKind>,
        #[command(flatten)]
        filter: Filter,
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
    /// The password of a share.
    #[command(subcommand)]
    Password(password::Command),
    /// Change many shares at once: all that the filters match and that are not revoked, at most 1,000.
    #[command(subcommand)]
    Bulk(bulk::Command),
}

/// What a new share is.
#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// The dashboard's id.
    #[arg(long)]
    dashboard: Uuid,
    /// Name of the share; viewers see it.
    #[arg(long)]
    name: String,
    /// RFC 3339; at once when absent.
    #[arg(long)]
    not_before: Option<String>,
    /// RFC 3339; the organization's default, or never, when absent.
    #[arg(long)]
    expires_at: Option<String>,
    /// How often it may be opened; the organization's default, or any number, when absent.
    #[arg(long)]
    max_access_count: Option<u64>,
    /// Read a password from standard input, one line: viewers must give it.
    #[arg(long)]
    password_stdin: bool,
    /// A share context: only its members may open it, at the portal.
    #[arg(long, value_name = "ID")]
    context: Option<Uuid>,
    /// An address that is told when the share is opened for the first time.
    #[arg(long, value_name = "ADDRESS")]
    notify_email: Option<String>,
    /// A site that may frame the page while nothing protects it, such as `https://blog.example.com`; `*` for any. Repeatable.
    #[arg(long = "allowed-origin", value_name = "ORIGIN")]
    allowed_origins: Vec<String>,
    #[command(flatten)]
    rules: RuleArgs,
}

/// What viewers may do.
#[derive(Debug, Args)]
pub(super) struct RuleArgs {
    /// What viewers may do with the filters: a JSON array, as `share_filter_policies` of the API.
    #[arg(long, value_name = "JSON", default_value = "[]")]
    policies: String,
    /// Viewers may not use filters without a policy.
    #[arg(long)]
    deny_by_default: bool,
}

impl RuleArgs {
    fn read(&self) -> Result<(Vec<Policy>, DefaultMode)> {
        let default_mode = if self.deny_by_default { DefaultMode::Disabled } else { DefaultMode::Open };
        Ok((from_json("/share_filter_policies", &self.policies)?, default_mode))
    }
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
        Command::Create { whose, create } => {
            let actor = whose.actor(service).await?;
            let dashboard = create.dashboard;
            let done = manage::create(service, &actor, dashboard, create.read()?, None).await?;
            print_one(service, printer, &done.body);
        }
        Command::Preview { whose, preview } => {
            preview::run(service, &whose.actor(service).await?, preview, printer).await?;
        }
        Command::List { whose, target_type, filter } => {
            let actor = whose.actor(service).await?;
            let shares = all(service, &actor, target_type, &filter.read()?).await?;
            let json: Vec<Value> = shares.iter().map(|share| rendered(service, share)).collect();
            let lines = || shares.iter().map(|share| line(&service.target_share_out(share)));
            printer.print(&json!(json), || lines().collect::<Vec<_>>().join("\n"));
        }
        Command::Rotate { whose, id } => {
            let actor = whose.actor(service).await?;
            let done = manage::rotate(service, &actor, TargetKind::SHARED, id, None).await?;
            print_one(service, printer, &done.body);
        }
        Command::Revoke { whose, id } => {
            let actor = whose.actor(service).await?;
            let Done { body, .. } = manage::revoke(service, &actor, TargetKind::SHARED, id).await?;
            printer.print(&json!(body), || {
                let what = if body.revoked { "Revoked" } else { "It was revoked before" };
                format!("{what} ({}).", body.effective)
            });
        }
        Command::Password(command) => password::run(service, command, printer).await?,
        Command::Bulk(command) => bulk::run(service, command, printer).await?,
    }
    Ok(())
}

impl CreateArgs {
    fn read(self) -> Result<ShareIn> {
        let (share_filter_policies, default_mode) = self.rules.read()?;
        Ok(ShareIn {
            name: self.name,
            share_type: ShareType::Link,
            share_context_id: self.context,
            notify_email: self.notify_email,
            not_before: self.not_before,
            expires_at: self.expires_at,
            max_access_count: self.max_access_count,
            password: if self.password_stdin { Some(password::from_stdin()?) } else { None },
            allowed_origins: self.allowed_origins,
            share_filter_policies,
            default_mode,
        })
    }
}

fn kind(name: &str) -> std::result::Result<TargetKind, String> {
    let kind = TargetKind::parse(name).filter(|kind| TargetKind::SHARED.contains(kind));
    kind.ok_or_else(|| "must be dashboard, data_product, item or collection".to_owned())
}

/// Reads the JSON of a flag; `pointer` is what the API calls it.
fn from_json<T: DeserializeOwned>(pointer: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::invalid(pointer, error.to_string()))
}

async fn all(
    service: &Service,
    actor: &Actor,
    kind: Option<TargetKind>,
    filter: &ShareFilter,
) -> Result<Vec<Stored>> {
    let mut shares: Vec<Stored> = Vec::new();
    loop {
        let page = Page { limit: PAGE, before: shares.last().map(|stored| stored.share.id) };
        let listed = manage::list(service, actor, (kind, filter.dashboard_id), filter, &page).await?;
        if listed.records.is_empty() {
            return Ok(shares);
        }
        shares.extend(listed.records);
    }
}

fn print_one(service: &Service, printer: &Printer, share: &Stored) {
    printer.print(&rendered(service, share), || line(&service.target_share_out(share)));
}

/// As the list of all shares has it, and what the dashboard dialect adds to its own.
fn rendered(service: &Service, stored: &Stored) -> Value {
    let mut share = json!(service.target_share_out(stored));
    if let (TargetKind::Dashboard, Some(fields), Value::Object(own)) =
        (stored.share.target.kind, share.as_object_mut(), json!(service.share_out(stored)))
    {
        fields.extend(own);
    }
    share
}

fn line(share: &TargetShareOut) -> String {
    let TargetShareOut { id, target_type, status, effective, name, .. } = share;
    let url = share.url.as_deref().unwrap_or("-");
    format!("{id}  {target_type}  {}  {effective}  {name}  {url}", status.name())
}
