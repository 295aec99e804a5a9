//! Which shares: the flags of a list and of a bulk change.

use clap::Args;
use shared::Result;
use shared::face::dashboard::manage::ShareFilter;

/// Those that all of what is given is true of.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// active, scheduled, expired, spent, revoked or closed.
    #[arg(long)]
    status: Option<String>,
    /// none, password or counted (a `--max-access-count` and no password).
    #[arg(long)]
    protection: Option<String>,
    /// link or embed; a bulk change is of links when absent.
    #[arg(long)]
    share_type: Option<String>,
    /// A part of the name, in any case.
    #[arg(long, value_name = "PART")]
    name_contains: Option<String>,
    /// Only those of one dashboard, by its id.
    #[arg(long, value_name = "ID")]
    dashboard: Option<String>,
    /// RFC 3339: made before this instant.
    #[arg(long, value_name = "INSTANT")]
    created_before: Option<String>,
    /// RFC 3339: made at this instant or later.
    #[arg(long, value_name = "INSTANT")]
    created_after: Option<String>,
}

impl Filter {
    /// Reads them as the query of a list is read.
    pub(super) fn read(self) -> Result<ShareFilter> {
        let flags = [
            ("status", self.status),
            ("protection", self.protection),
            ("share_type", self.share_type),
            ("name_contains", self.name_contains),
            ("dashboard_id", self.dashboard),
            ("created_before", self.created_before),
            ("created_after", self.created_after),
        ];
        ShareFilter::from_query(flags.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))))
    }
}
