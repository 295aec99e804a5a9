//! `postern share`: the same use cases as the API's, pushes included.

mod bulk;
mod filter;
mod password;
mod preview;

use super::Printer;
use crate::manage::{Actor, Done, key, share as manage};
use crate::service::Service;
use crate::store::Page;
use clap::{Args, Subcommand};
use filter::Filter;
use serde::de::DeserializeOwned;
use serde_json::json;
use shared::face::dashboard::manage::{ShareFilter, ShareIn, ShareOut};
use shared::model::policy::{DefaultMode, Policy};
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
    /// List shares, newest first.
    List {
        #[command(flatten)]
        whose: Whose,
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
            print_one(printer, &done);
        }
        Command::Preview { whose, preview } => {
            preview::run(service, &whose.actor(service).await?, preview, printer).await?;
        }
        Command::List { whose, filter } => {
            let actor = whose.actor(service).await?;
            let shares = all(service, &actor, &filter.read()?).await?;
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

/// Reads the JSON of a flag; `pointer` is what the API calls it.
fn from_json<T: DeserializeOwned>(pointer: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::invalid(pointer, error.to_string()))
}

async fn all(service: &Service, actor: &Actor, filter: &ShareFilter) -> Result<Vec<ShareOut>> {
    let mut shares: Vec<ShareOut> = Vec::new();
    loop {
        let page = Page { limit: PAGE, before: shares.last().map(|share| share.id) };
        let listed = manage::list(service, actor, filter, &page).await?;
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
    format!("{}  {}  {}  {}  {url}", share.id, share.status.name(), share.effective, share.name)
}
