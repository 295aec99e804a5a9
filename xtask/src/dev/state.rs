//! The folder that `cargo xtask dev` keeps between runs.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::{
    demo::{Demo, map},
    lock,
    repository::{remove_folder, root},
    secrets,
};

/// Its presence says that the folder is ours to remove.
const MARKER: &str = ".postern-dev";

const SECRETS: &str = "secrets.env";

/// The folder, locked against a second run.
pub(crate) struct State {
    folder: PathBuf,
    root_key: String,
    previous_root_key: Option<String>,
    _lock: File,
}

/// What runs, and where.
pub(crate) struct Services {
    pub(crate) control_url: String,
    pub(crate) control_pid: u32,
    pub(crate) edge_url: String,
    pub(crate) edge_pid: u32,
}

impl State {
    /// Opens the folder, or makes it; `fresh` removes first what an earlier run left in it.
    ///
    /// # Errors
    /// When the folder has other content than ours, or another run uses it.
    pub(crate) fn open(folder: Option<&Path>, fresh: bool) -> Result<Self> {
        let folder = match folder {
            Some(folder) => env::current_dir()?.join(folder),
            None => root().join(".postern"),
        };
        require_ours(&folder)?;
        let mut lock = take_lock(&folder)?;
        if fresh {
            remove_folder(&folder)?;
            lock = take_lock(&folder)?;
        }
        for part in ["data", "edge", "logs"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let root_key = secrets::root_key(&folder.join(SECRETS))?;
        let previous_root_key = secrets::previous_root_key(&folder.join(SECRETS))?;
        Ok(Self { folder, root_key, previous_root_key, _lock: lock })
    }

    /// The control plane's SQLite database.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("postern.db")
    }

    /// The folder of the SQLite files that are data sources.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The folder of the rows of data products.
    pub(crate) fn products(&self) -> PathBuf {
        self.folder.join("products")
    }

    /// What wrangler keeps: KV, Durable Objects.
    pub(crate) fn edge(&self) -> PathBuf {
        self.folder.join("edge")
    }

    /// Mails of the portal, while no mail server is set.
    pub(crate) fn mail(&self) -> PathBuf {
        self.folder.join("mail")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// The file of secrets, in the form of wrangler's `--env-file`.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.folder.join(SECRETS)
    }

    /// 32 bytes in hex.
    pub(crate) fn root_key(&self) -> &str {
        &self.root_key
    }

    /// See [`secrets::previous_root_key`].
    pub(crate) fn previous_root_key(&self) -> Option<&str> {
        self.previous_root_key.as_deref()
    }

    /// `dev.json`, for programs that want to use what runs.
    pub(crate) fn description(&self) -> PathBuf {
        self.folder.join("dev.json")
    }

    /// What an earlier run has seeded.
    pub(crate) fn demo(&self) -> Result<Option<Demo>> {
        let path = self.description();
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path)?;
        let demo = serde_json::from_str(&text).ok().as_ref().and_then(Demo::from_json);
        demo.map(Some).with_context(|| format!("{} is damaged: start with --fresh", path.display()))
    }

    /// Writes `dev.json`, in one step: a reader never sees half of it.
    pub(crate) fn write(&self, services: &Services, demo: &Demo) -> Result<()> {
        let description = json!({
            "edge_url": services.edge_url,
            "edge_pid": services.edge_pid,
            "control_url": services.control_url,
            "control_pid": services.control_pid,
            "api_key": demo.api_key,
            "company_slug": demo.company_slug,
            "dashboard_id": demo.dashboard_id,
            "share_id": demo.share_id,
            "share_token": demo.share_token,
            "share_url": demo.share_url(&services.edge_url),
            "data_product_id": demo.data_product_id,
            "data_product_token": demo.data_product_token,
            "data_product_url": demo.product_url(&services.edge_url),
            "item_id": demo.maps.item_id,
            "item_token": demo.maps.item_token,
            "item_url": demo.item_url(&services.edge_url),
            "collection_id": demo.maps.collection_id,
            "collection_token": demo.maps.collection_token,
            "collection_url": demo.collection_url(&services.edge_url),
            "map_password": map::PASSWORD,
            "share_context_id": demo.share_context_id,
            "member": demo.member,
            "portal_url": demo.portal_url(&services.edge_url),
        });
        let unfinished = self.folder.join("dev.json.unfinished");
        secrets::write(&unfinished, &format!("{description:#}\n"))?;
        fs::rename(unfinished, self.description())?;
        Ok(())
    }
}

/// Nothing else than a folder of ours, an empty one or none may be written to, let alone removed.
fn require_ours(folder: &Path) -> Result<()> {
    if folder.join(MARKER).is_file() || !folder.exists() || fs::read_dir(folder)?.next().is_none() {
        return Ok(());
    }
    bail!("{} holds something else: choose another --state-dir", folder.display())
}

fn take_lock(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // The marker comes first, so that a folder with nothing but a lock is known as ours too.
    fs::write(folder.join(MARKER), "")?;
    lock::try_take(&folder.join("lock"))?
        .with_context(|| format!("another `cargo xtask dev` uses {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary(name: &str) -> PathBuf {
        let folder = env::temp_dir().join(format!("postern-state-{name}-{}", std::process::id()));
        remove_folder(&folder).unwrap();
        folder
    }

    #[test]
    fn second_start_keeps_key_and_files_and_fresh_forgets_them() {
        let folder = temporary("kept");
        let first = State::open(Some(&folder), false).unwrap();
        fs::write(first.database(), "rows").unwrap();
        let key = first.root_key().to_owned();
        assert_eq!(key.len(), 64);
        drop(first);

        let second = State::open(Some(&folder), false).unwrap();
        assert_eq!(second.root_key(), key);
        assert!(second.database().exists());
        drop(second);

        let fresh = State::open(Some(&folder), true).unwrap();
        assert_ne!(fresh.root_key(), key);
        assert!(!fresh.database().exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn folder_of_somebody_else_is_left_alone() {
        let folder = temporary("foreign");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("thesis.txt"), "text").unwrap();
        assert!(State::open(Some(&folder), true).is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn folder_in_use_is_refused() {
        let folder = temporary("used");
        let first = State::open(Some(&folder), false).unwrap();
        assert!(State::open(Some(&folder), true).is_err());
        assert!(first.secrets().exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
