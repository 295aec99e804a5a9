//! `postern keys`

use super::Printer;
use crate::auth::Scope;
use crate::manage::key as manage;
use crate::service::Service;
use crate::store::api_key::ApiKey;
use clap::Subcommand;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::Result;
use shared::model::api_key::Prefix;
use shared::time::Millis;
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key, and its organization when it does not exist. The key is shown once.
    Create {
        /// Whose key it is: the organization's slug.
        #[arg(long)]
        organization: String,
        /// Name of the organization, when it is made.
        #[arg(long)]
        organization_name: Option<String>,
        /// Name of the key.
        #[arg(long)]
        name: String,
        /// What it may do: shares:read, shares:write, content:read, content:write, organization:write. Repeat
        /// it for several.
        #[arg(long = "scope", required = true)]
        scopes: Vec<Scope>,
        /// Begin it with `gpra_`, as clients of the share operations expect.
        #[arg(long)]
        operation: bool,
    },
    /// List an organization's keys, newest first.
    List {
        /// The organization's slug.
        #[arg(long)]
        organization: String,
    },
    /// Take a key back; it is refused from the next request on.
    Revoke {
        /// The organization's slug.
        #[arg(long)]
        organization: String,
        /// The key's id, as `list` shows it.
        id: Uuid,
    },
}

pub(super) async fn run(service: &Service, command: Command, printer: &Printer) -> Result<()> {
    match command {
        Command::Create { organization, organization_name, name, scopes, operation } => {
            let prefix = if operation { Prefix::Operation } else { Prefix::Postern };
            let kind = (prefix, scopes.as_slice());
            let made =
                manage::create(service, &organization, organization_name.as_deref(), &name, kind).await?;
            let key = made.secret.expose_secret();
            let mut out = render(&made.key);
            if let Value::Object(fields) = &mut out {
                fields.insert("key".to_owned(), key.into());
            }
            printer.print(&out, || format!("{}\nThis key is shown once: {key}", line(&made.key)));
        }
        Command::List { organization } => {
            let organization = manage::organization(service, &organization).await?;
            let keys = manage::list(service, &organization).await?;
            printer.print(&keys.iter().map(render).collect(), || {
                keys.iter().map(line).collect::<Vec<_>>().join("\n")
            });
        }
        Command::Revoke { organization, id } => {
            let organization = manage::organization(service, &organization).await?;
            let revoked = manage::revoke(service, &organization, id).await?;
            printer.print(&json!({ "id": id, "revoked": revoked }), || {
                if revoked { "Revoked." } else { "There is no such key in force." }.to_owned()
            });
        }
    }
    Ok(())
}

fn render(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "organization": key.organization,
        "name": key.name,
        "scopes": key.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>(),
        "created_at": key.created_at.to_rfc3339(),
        "last_used_at": key.last_used_at.map(Millis::to_rfc3339),
        "revoked_at": key.revoked_at.map(Millis::to_rfc3339),
    })
}

fn line(key: &ApiKey) -> String {
    let scopes = key.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ");
    let state = if key.revoked_at.is_some() { "  revoked" } else { "" };
    format!("{}  {}  {}  [{scopes}]{state}", key.id, key.organization.slug, key.name)
}
