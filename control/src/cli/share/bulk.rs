//! `postern share bulk`

use super::{Filter, Printer, Whose};
use crate::manage::bulk as manage;
use crate::service::Service;
use clap::{Args, Subcommand};
use serde_json::json;
use shared::Result;
use shared::face::dashboard::manage::{BulkAction, BulkIn, BulkOut, BulkShareOut, ShareFilter};
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take them back, for good.
    Revoke(Which),
    /// Give each a new link; the old ones are dead.
    Rotate(Which),
}

/// Which shares; at least one filter, or `--all`.
#[derive(Debug, Args)]
pub(crate) struct Which {
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    filter: Filter,
    /// Only this share; repeat it for several.
    #[arg(long = "id")]
    ids: Vec<Uuid>,
    /// Every share of the organization.
    #[arg(long)]
    all: bool,
    /// Only tell which shares would be changed.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(service: &Service, command: Command, printer: &Printer) -> Result<()> {
    let (action, which) = match command {
        Command::Revoke(which) => (BulkAction::Revoke, which),
        Command::Rotate(which) => (BulkAction::Rotate, which),
    };
    let Which { whose, filter, ids, all, dry_run } = which;
    let filter = ShareFilter { ids: (!ids.is_empty()).then_some(ids), ..filter.read()? };
    let actor = whose.actor(service).await?;
    let done = manage::run(service, &actor, &BulkIn { action, filter, all, dry_run }).await?;
    printer.print(&json!(done.body), || text(&done.body));
    Ok(())
}

fn text(out: &BulkOut) -> String {
    let line = |share: &BulkShareOut| {
        format!("{}  {}  {}", share.id, share.status.name(), share.url.as_deref().unwrap_or("-"))
    };
    let mut lines: Vec<String> = out.shares.iter().map(line).collect();
    lines.push(format!("{} matched, {} changed ({}).", out.matched, out.changed, out.effective));
    lines.join("\n")
}
