//! A backup that is older than what the edge knows.

use super::Trial;
use anyhow::{Result, ensure};
use std::fs;

impl Trial {
    /// Restores a copy of the database from before a revoke, a rotation and a creation, and reconciles, as the documentation
    /// says. What died stays dead; what only the edge knows dies.
    pub(super) fn restore_a_backup(&mut self) -> Result<()> {
        for _ in 0..3 {
            self.create()?;
        }
        let (revoked, rotated, amended) =
            (self.shares.len() - 3, self.shares.len() - 2, self.shares.len() - 1);
        self.control.crash();
        let file = self.control.folder().join("postern.db");
        let copies: Vec<_> = ["", "-wal"]
            .iter()
            .map(|end| file.with_file_name(format!("postern.db{end}")))
            .filter(|path| path.exists())
            .map(|path| Ok((path.clone(), fs::read(path)?)))
            .collect::<Result<_>>()?;
        self.control.revive()?;

        self.revoke(revoked)?;
        let old = self.shares[rotated].token.clone();
        self.rotate(rotated)?;
        self.amend(amended)?;
        self.create()?;
        // Reconciling sees what gates have written to KV, and no more.
        self.agree()?;

        self.control.crash();
        for end in ["", "-wal", "-shm"] {
            // One that is not there is what is wanted.
            let _ = fs::remove_file(file.with_file_name(format!("postern.db{end}")));
        }
        for (path, bytes) in copies {
            fs::write(path, bytes)?;
        }
        self.control.revive()?;
        self.look()?;

        // What the database has never heard of, and what died behind its back, is dead.
        let made = self.shares.pop();
        self.dead.extend(made.and_then(|share| share.token));
        self.dead.extend(self.shares[rotated].token.take());
        ensure!(old.is_some_and(|old| self.dead.contains(&old)), "the rotated link was not dead");
        self.shares[rotated].generation = 1;
        self.reconcile()?;
        self.look()
    }

    /// `postern reconcile`, over the REST API of the edge's KV.
    fn reconcile(&self) -> Result<()> {
        let output = self
            .control
            .postern()
            .args(["reconcile", "--restart"])
            .env("POSTERN_KV_API_URL", self.edges.kv_api())
            .env("POSTERN_KV_API_TOKEN", "kv-sim")
            .env("POSTERN_KV_NAMESPACE", "shares")
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}
