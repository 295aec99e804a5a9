//! Python with `PyJWT`, by which the tests sign and verify embed tokens, as somebody's own server would, with `aiosmtpd`, the mail
//! server that takes what is sent in tests, and with `geopera`, the published client of the share operations.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use super::{
    apt,
    install::{in_cache, twice},
};
use crate::{process, repository::find_program};

const PYJWT: &str = "2.15.1";
const AIOSMTPD: &str = "1.4.6";
const GEOPERA: &str = "2.1.0";
/// Exactly these files: the three, and what they need. The client of maps needs Python 3.11.
const REQUIREMENTS: &str = "\
PyJWT==2.15.1 --hash=sha256:42d59d631f7768a1028a64c7ff581a9bf7519804daf91fc5b6c56e30eec5e193
geopera==2.1.0 --hash=sha256:ecd4755aa0aaa5707addfe7cda2c3d3ff53466fd48def4c70fbcf61ba43b09b2
anyio==4.16.0 --hash=sha256:c66ae634e0b8228396b801741beb3294326d4b6102f7bba4041c0dfb58c29026
attrs==26.1.0 --hash=sha256:c647aa4a12dfbad9333ca4e71fe62ddc36f4e63b2d260a37a8b83d2f043ac309
certifi==2026.10.18 --hash=sha256:73191c47aaa79da394e8fee2dbc2ec827432cab56311122c9e47abf79e390f62
h11==0.16.0 --hash=sha256:63cf8bbe7522de3bf65932fda1d9c2772064ffb3dae62d55932da54b31cb6c86
httpcore==1.0.9 --hash=sha256:2d400746a40668fc9dec9810239072b40b4484b640a8c38fd654a024c7a1bf55
httpx==0.28.1 --hash=sha256:d909fcccc110f8c7faf814ca82a9a4d816bc5a6dbfea25d6591d6985b8ba59ad
idna==3.20 --hash=sha256:ab7ae7122974553370f0bdb919e1a960b2cd1bc1ef0276416d896db81c14582c
typing_extensions==4.16.0 ; python_version < '3.13' --hash=sha256:481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8
aiosmtpd==1.4.6 --hash=sha256:72c99179ba5aa9ae0abbda6994668239b64a5ce054471955fe75f581d2592475
atpublic==5.1 --hash=sha256:135783dbd887fbddb6ef032d104da70c124f2b44b9e2d79df07b9da5334825e3
";

/// The Python of an environment in the cache, made by the system's.
pub(crate) fn python() -> Result<PathBuf> {
    if system().is_none() {
        apt::install(&["python3", "python3-venv"], "the tests of tokens that Python signs, and of mails")?;
    }
    let (system, version) = system().context("python3 can make no virtual environments")?;
    // Packages lie in a folder named by Python's version, so a newer one needs an environment of its own.
    let name = format!("python-{version}-pyjwt-{PYJWT}-aiosmtpd-{AIOSMTPD}-geopera-{GEOPERA}");
    let folder = in_cache(&name, |folder| {
        process::progress(format!("Installing PyJWT, aiosmtpd and geopera for Python {version}"));
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
        .context("`pip install PyJWT aiosmtpd geopera` must work on this machine")
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
        for named in
            [format!("PyJWT=={PYJWT} "), format!("aiosmtpd=={AIOSMTPD} "), format!("geopera=={GEOPERA} ")]
        {
            assert!(REQUIREMENTS.lines().any(|line| line.starts_with(&named)), "{named}");
        }
    }
}
