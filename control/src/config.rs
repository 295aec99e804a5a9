//! What an operator can set: flags, or environment variables of the same meaning. These comments are the
//! manual; `postern serve --help` prints them.

use clap::{Args, ValueEnum};
use secrecy::SecretString;
use shared::model::password::Scheme;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// Settings of every command.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Where everything is kept: `sqlite://path/to/file.db` or `postgres://user:password@host/database`.
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "sqlite://postern.db",
        hide_env_values = true,
        global = true
    )]
    pub database_url: SecretString,

    /// The one secret of the installation: 32 random bytes as 64 hex digits (`openssl rand -hex 32`).
    /// The Worker holds the same. Prefer the environment: flags are seen by other users of the machine.
    #[arg(long, env = "POSTERN_ROOT_KEY", hide_env_values = true, global = true)]
    pub root_key: Option<SecretString>,

    /// The root key before it, while a rotation lasts: what was made with it still works.
    #[arg(long, env = "POSTERN_ROOT_KEY_PREVIOUS", hide_env_values = true, global = true)]
    pub root_key_previous: Option<SecretString>,

    /// Origin of the Worker, where changes are pushed to.
    #[arg(long, env = "POSTERN_EDGE_URL", default_value = "http://127.0.0.1:8787", global = true)]
    pub edge_url: String,

    /// Origin of share links, as strangers type it. The edge URL when absent.
    #[arg(long, env = "POSTERN_PUBLIC_URL", global = true)]
    pub public_url: Option<String>,

    /// Folder in which SQLite data sources lie; a data source names a file relative to it. No SQLite
    /// data sources when absent.
    #[arg(long, env = "POSTERN_SQLITE_DIR", global = true)]
    pub sqlite_dir: Option<PathBuf>,

    /// Folder in which the rows of data products lie; made when it is missing. Several control planes share one folder. No data
    /// products when absent.
    #[arg(long, env = "POSTERN_PRODUCT_DIR", global = true)]
    pub product_dir: Option<PathBuf>,

    /// How new passwords of shares are hashed; those that are set already stay as they are.
    #[arg(long, env = "POSTERN_PASSWORD_HASH", value_enum, default_value_t, global = true)]
    pub password_hash: PasswordHash,

    /// Mail server for the portal's codes: `smtps://user:password@host`, `smtp://user:password@host:587?tls=required`, or
    /// `smtp://host:25`. Without it, and without a mail folder, nobody can sign in at the portal.
    #[arg(long, env = "POSTERN_SMTP_URL", hide_env_values = true, global = true)]
    pub smtp_url: Option<SecretString>,

    /// Folder into which mails are written as `.eml` files instead, to try Postern out.
    #[arg(long, env = "POSTERN_MAIL_DIR", global = true)]
    pub mail_dir: Option<PathBuf>,

    /// Whom mails are from: `Acme <no-reply@example.com>`.
    #[arg(long, env = "POSTERN_MAIL_FROM", default_value = "Postern <postern@localhost>", global = true)]
    pub mail_from: String,

    /// Days for which it is kept who opened which share of a context.
    #[arg(long, env = "POSTERN_ACCESS_LOG_DAYS", default_value = "90", global = true)]
    pub access_log_days: NonZeroU32,

    /// What is logged, such as `info` or `control=debug,sqlx=warn`.
    #[arg(long, env = "POSTERN_LOG", default_value = "info", global = true)]
    pub log: String,
}

/// How passwords are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PasswordHash {
    /// Argon2id.
    #[default]
    Argon2id,
    /// For those who must.
    Bcrypt,
}

impl PasswordHash {
    /// As the domain knows it.
    pub(crate) const fn scheme(self) -> Scheme {
        match self {
            Self::Argon2id => Scheme::Argon2id,
            Self::Bcrypt => Scheme::Bcrypt,
        }
    }
}

/// Settings of `postern serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeConfig {
    /// Address to listen on.
    #[arg(long, env = "POSTERN_LISTEN", default_value = "127.0.0.1:8788")]
    pub listen: SocketAddr,

    /// Requests that one API key may make in a minute, in the long run.
    #[arg(long, env = "POSTERN_RATE_LIMIT_PER_MINUTE", default_value = "600")]
    pub rate_limit_per_minute: NonZeroU32,

    /// Requests that one API key may make at once, after a pause.
    #[arg(long, env = "POSTERN_RATE_LIMIT_BURST", default_value = "100")]
    pub rate_limit_burst: NonZeroU32,

    /// Connections that are open at once; further ones wait.
    #[arg(long, env = "POSTERN_MAX_CONNECTIONS", default_value = "1024")]
    pub max_connections: NonZeroU32,
}

/// Settings of `postern reconcile`: where Workers KV's REST API is.
#[derive(Debug, Clone, Args)]
pub struct KvConfig {
    /// Base of Cloudflare's API: `https://api.cloudflare.com/client/v4/accounts/<account>`, or
    /// `http://127.0.0.1:8787/cdn-cgi/explorer/api` for `wrangler dev`.
    #[arg(long, env = "POSTERN_KV_API_URL")]
    pub kv_api_url: Option<String>,

    /// Id of the KV namespace that the Worker knows as `SHARES`.
    #[arg(long, env = "POSTERN_KV_NAMESPACE")]
    pub kv_namespace: Option<String>,

    /// API token that may edit Workers KV Storage; not needed for an API on this machine. Prefer the environment: flags
    /// are seen by other users of the machine.
    #[arg(long, env = "POSTERN_KV_API_TOKEN", hide_env_values = true)]
    pub kv_api_token: Option<SecretString>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let config = Config {
            database_url: "postgres://u:hunter2@h/d".into(),
            root_key: Some("9f2c4a7be1d0".into()),
            root_key_previous: Some("41b68e5df2ca".into()),
            edge_url: "http://edge".into(),
            public_url: None,
            sqlite_dir: None,
            product_dir: None,
            password_hash: PasswordHash::default(),
            smtp_url: Some("smtp://u:swordfish@mail".into()),
            mail_dir: None,
            mail_from: "a@b.com".into(),
            access_log_days: NonZeroU32::MIN,
            log: "info".into(),
        };
        let shown = format!("{config:?}");
        for secret in ["hunter2", "9f2c4a7be1d0", "41b68e5df2ca", "swordfish"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
