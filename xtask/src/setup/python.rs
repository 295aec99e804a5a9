//! Python with `PyJWT`, by which the tests sign and verify embed tokens, as somebody's own server would, and with
//! `aiosmtpd`, the mail server that takes what is sent in tests.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use super::{
    apt,
    install::{in_cache, twice},
};
use crate::{process, repository::find_program};

const PYJWT: &str = "2.15.1";
const AIOSMTPD: &str = "1.4.6";
/// Exactly these files; `atpublic` and `attrs` are what `aiosmtpd` needs. Older Pythons need the last one.
const REQUIREMENTS: &str = "\
PyJWT==2.15.1 --hash=sha256:42d59d631f7768a1028a64c7ff581a9bf7519804daf91fc5b6c56e30eec5e193
aiosmtpd==1.4.6 --hash=sha256:72c99179ba5aa9ae0abbda6994668239b64a5ce054471955fe75f581d2592475
atpublic==5.1 --hash=sha256:135783dbd887fbddb6ef032d104da70c124f2b44b9e2d79df07b9da5334825e3
attrs==25.4.0 --hash=sha256:adcf7e2a1fb3b36ac48d97835bb6d8ade15b8dcce26aba8bf1d14847b57a3373
typing_extensions==4.16.0 ; python_version < '3.11' --hash=sha256:481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8
";

/// The Python of an environment in the cache, made by the system's.
pub(crate) fn python() -> Result<PathBuf> {
    if system().is_none() {
        apt::install(&["python3", "python3-venv"], "the tests of tokens that Python signs, and of mails")?;
    }
    let (system, version) = system().context("python3 can make no virtual environments")?;
    // Packages lie in a folder named by Python's version, so a newer one needs an environment of its own.
    let folder = in_cache(&format!("python-{version}-pyjwt-{PYJWT}-aiosmtpd-{AIOSMTPD}"), |folder| {
        process::progress(format!("Installing PyJWT {PYJWT} and aiosmtpd {AIOSMTPD} for Python {version}"));
        process::run_quietly(process::command(&system).args(["-m", "venv"]).arg(folder))?;
        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, REQUIREMENTS)?;
        twice(|| {
            process::run_quietly(
                process::command(folder.join("bin/python"))
                    .args(["-m", "pip", "install", "--disable-pip-version-check", "--only-binary=:all:"])
                    .args(["--require-hashes", "--no-deps", "-r"])
                    .arg(&requirements),
            )
        })
        .context("`pip install PyJWT aiosmtpd` must work on this machine")
    })?;
    // Only the scripts beside it know the folder in which it was made.
    Ok(folder.join("bin/python"))
}

/// A Python that can make environments, and its version without what is patched. Debian has that in a package of its own.
fn system() -> Option<(PathBuf, String)> {
    let says = "import ensurepip, venv, sys; print('%d.%d' % sys.version_info[:2])";
    [find_program("python3"), Some("/usr/bin/python3".into())].into_iter().flatten().find_map(|program| {
        let version = process::probe(process::command(&program).args(["-c", says]))?;
        Some((program, version))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_named_by_what_is_in_it() {
        for named in [format!("PyJWT=={PYJWT} "), format!("aiosmtpd=={AIOSMTPD} ")] {
            assert!(REQUIREMENTS.lines().any(|line| line.starts_with(&named)), "{named}");
        }
    }
}
