//! Mails of the portal, as the control plane writes them into a folder: their codes are shown in the terminal, so that one can sign
//! in without a mail server.

use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// A folder of `.eml` files, and which of them were shown.
pub(super) struct Mails {
    folder: PathBuf,
    shown: BTreeSet<PathBuf>,
}

impl Mails {
    /// Shows only what comes from now on.
    pub(super) fn new(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut mails = Self { folder, shown: BTreeSet::new() };
        mails.shown = mails.all()?;
        Ok(mails)
    }

    fn all(&self) -> Result<BTreeSet<PathBuf>> {
        let mut files = BTreeSet::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "eml") {
                files.insert(path);
            }
        }
        Ok(files)
    }

    /// Shows what has come since.
    #[expect(clippy::print_stdout, reason = "the codes are what the user waits for")]
    pub(super) fn show_new(&mut self) -> Result<()> {
        for path in self.all()? {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let Some(to) = text.lines().find_map(|line| line.strip_prefix("To: ")) else { continue };
            if self.shown.contains(&path) {
                continue;
            }
            match text.split_whitespace().find(|word| is_code(word)) {
                Some(code) => println!("  Mail to {to}: the code is {code}"),
                None => println!("  Mail to {to}: {}", path.display()),
            }
            self.shown.insert(path);
        }
        Ok(())
    }
}

/// `1234-5678`
fn is_code(word: &str) -> bool {
    let is_digits = |text: &str| text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    word.split_once('-').is_some_and(|(left, right)| is_digits(left) && is_digits(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known_by_their_shape() {
        assert!(is_code("1234-5678"));
        for other in ["12345678", "1234-567", "1234-5678-", "2026-0101-", "abcd-efgh", "12341234-"] {
            assert!(!is_code(other), "{other}");
        }
    }
}
