//! Embed tokens and libraries of others: what jose, `PyJWT` and a few lines of Rust sign opens, both verify what we sign, and what
//! jose signs otherwise opens nothing.

use crate::share::rows;
use crate::tenant::Tenant;
use oracle::embed::{judge, key::Secret};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tests::{Stack, signed};

crate::tests![
    what_others_sign_opens,
    what_we_sign_others_verify,
    what_others_sign_in_other_ways_opens_nothing,
];

/// A dashboard that is embedded, and its organization's key as its API gives it.
struct Embedded {
    tenant: Tenant,
    minted: Value,
    key: String,
}

impl Embedded {
    fn create(stack: &Stack) -> Self {
        let tenant = Tenant::create(stack);
        let path = format!("/api/v1/embed/dashboards/{}", tenant.dashboard);
        let minted = tenant
            .admin
            .post(&path, &json!({ "fixed_params": { "location": "Seattle" } }))
            .expect(200)
            .json();
        assert_eq!(minted["effective"], "live", "{minted}");
        let kid = minted["kid"].as_str().expect("a name");
        let key = tenant.admin.get(&format!("/api/v1/embed/keys/{kid}")).expect(200).json();
        assert_eq!(key["kid"], kid);
        let key = key["key"].as_str().expect("a key").to_owned();
        Self { tenant, minted, key }
    }

    fn text(&self, field: &str) -> &str {
        self.minted[field].as_str().expect("a text")
    }

    fn kid(&self) -> &str {
        self.text("kid")
    }

    /// Runs a program as the examples' README tells.
    fn run(&self, (program, script): (OsString, Option<PathBuf>)) -> String {
        let output = Command::new(program)
            .args(script)
            .env("POSTERN_EMBED_KEY", &self.key)
            .env("POSTERN_EMBED_KID", self.kid())
            .env("POSTERN_DASHBOARD", &self.tenant.dashboard)
            .env("POSTERN_GENERATION", self.minted["generation"].to_string())
            .output()
            .expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository")
}

/// A script under Node or Python.
fn script(program: &str, path: &str) -> (OsString, Option<PathBuf>) {
    let program =
        std::env::var_os(program).unwrap_or_else(|| panic!("{program} is not set: run `cargo xtask test`"));
    (program, Some(root().join(path)))
}

/// `sign.rs`, which is built with the tests.
fn compiled() -> (OsString, Option<PathBuf>) {
    let own = std::env::current_exe().expect("a path");
    let folder = own.ancestors().nth(2).expect("a folder of builds");
    (folder.join("examples/sign").into(), None)
}

fn what_others_sign_opens(stack: &Stack) {
    let embedded = Embedded::create(stack);
    let edge = stack.edge();
    let (organization, _) = embedded.kid().split_once('.').expect("a kid");
    let secret = Secret::Organization {
        organization: organization.to_owned(),
        generation: 1,
        key: embedded.key.clone(),
    };
    for signer in [
        script("NODE_BIN", "examples/embed/sign.mjs"),
        script("PYTHON_BIN", "examples/embed/sign.py"),
        compiled(),
    ] {
        let name = format!("{signer:?}");
        let token = embedded.run(signer);
        assert!(judge(std::slice::from_ref(&secret), signed::now().0, &token).is_some(), "{name}: {token}");
        let info = edge.get(&format!("/api/embed/d/{token}/info")).expect(200).json();
        assert_eq!(info["dashboard"]["id"], embedded.tenant.dashboard, "{name}");
        assert_eq!(info["embed"]["allowed_origins"], json!(["http://localhost:8790"]), "{name}");
        let executed = edge.post(&format!("/api/embed/d/{token}/execute"), &json!({})).expect(200).json();
        assert_eq!(rows(&executed, "days"), json!([[2922]]), "{name}");
    }
}

fn what_we_sign_others_verify(stack: &Stack) {
    let embedded = Embedded::create(stack);
    let (header, claims) = (json!({"alg": "HS256", "typ": "JWT", "kid": embedded.kid()}), &embedded.minted);
    for (program, path) in
        [("NODE_BIN", "tests/signers/verify.mjs"), ("PYTHON_BIN", "tests/signers/verify.py")]
    {
        let verify = |token: &str, key: &str| -> Output {
            let (program, script) = script(program, path);
            Command::new(program)
                .args(script)
                .envs([("TOKEN", token), ("KEY", key)])
                .output()
                .expect("it starts")
        };
        let (token, key) = (embedded.text("token"), embedded.key.as_str());
        let verified = verify(token, key);
        let said: Value = serde_json::from_slice(&verified.stdout)
            .unwrap_or_else(|_| panic!("{path}: {}", String::from_utf8_lossy(&verified.stderr)));
        assert_eq!(said["header"], header, "{path}");
        assert_eq!(said["claims"]["sub"], embedded.tenant.dashboard, "{path}");
        assert_eq!(said["claims"]["org"], embedded.tenant.id, "{path}");
        assert_eq!(said["claims"]["jti"], claims["jti"], "{path}");
        assert_eq!(said["claims"]["gen"], claims["generation"], "{path}");
        assert_eq!(said["claims"]["fixed_params"], json!({"location": "Seattle"}), "{path}");
        assert!(!verify(token, &key.to_lowercase()).status.success(), "{path}");
        let other = token.replace('.', "..");
        assert!(!verify(&other, key).status.success(), "{path}");
    }
}

fn what_others_sign_in_other_ways_opens_nothing(stack: &Stack) {
    let embedded = Embedded::create(stack);
    let edge = stack.edge();
    let forged = embedded.run(script("NODE_BIN", "tests/signers/forge.mjs"));
    let forged: Vec<_> = forged.lines().filter_map(|line| line.split_once(' ')).collect();
    assert!(forged.len() > 25, "{forged:?}");
    for (name, token) in forged {
        let reply = edge.get(&format!("/api/embed/d/{token}/info"));
        assert_eq!(reply.status, 401, "{name}: {token}");
        reply.expect_error(401, "TOKEN_INVALID");
    }
}
