//! Tells whether anything that something is made from has changed.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::repository::root;

/// A digest over the names and contents of files and folders of the repository. A collision costs a build that is missed, and
/// nobody chooses these files to cause one: a short, quick digest does.
pub(crate) fn of(inputs: &[&str]) -> Result<String> {
    below(root(), inputs)
}

fn below(root: &Path, inputs: &[&str]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for input in inputs {
        for file in files_below(&root.join(input))? {
            let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            (file.strip_prefix(root)?, content).hash(&mut hasher);
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// All files of a folder, in a fixed order; the path itself when it is a file.
fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    let entries: io::Result<Vec<PathBuf>> =
        fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut entries = entries?;
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        files.extend(files_below(&entry)?);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_renamed_and_added_files_change_the_stamp() {
        let root = std::env::temp_dir().join(format!("postern-stamp-{}", std::process::id()));
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let stamp = || below(&root, &["source", "missing"]).unwrap();

        write("source/a/one.rs", "1");
        write("elsewhere/other.rs", "1");
        let first = stamp();
        assert_eq!(first, stamp());

        write("elsewhere/other.rs", "2");
        assert_eq!(first, stamp());

        write("source/a/one.rs", "2");
        let changed = stamp();
        assert_ne!(first, changed);

        fs::rename(root.join("source/a/one.rs"), root.join("source/a/two.rs")).unwrap();
        let renamed = stamp();
        assert_ne!(changed, renamed);

        write("source/b.rs", "");
        assert_ne!(renamed, stamp());
        fs::remove_dir_all(root).unwrap();
    }
}
