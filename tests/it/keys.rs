//! Root keys: none, weak, and one that replaces another while links of the old one live on.

use crate::share::{Share, rows};
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tests::{Client, Database, Reply, Stack, stack::free_port};

crate::own_tests![the_worker_serves_nothing_without_a_strong_key, a_new_root_key_leaves_old_links_alive];

/// A Worker of its own, as somebody who forgot a secret would start it.
struct Worker {
    child: Child,
    client: Client,
}

impl Worker {
    fn start(secrets: &str) -> Self {
        let variable = |name: &str| std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set"));
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("secrets.env");
        std::fs::File::create(&file).unwrap().write_all(secrets.as_bytes()).unwrap();
        let port = free_port().unwrap();
        let child = Command::new(variable("NODE_BIN"))
            .arg(variable("WRANGLER_JS"))
            .args(["dev", "--ip", "127.0.0.1", "--port", &port, "--inspector-port", &free_port().unwrap()])
            .arg("--env-file")
            .arg(&file)
            .arg("--persist-to")
            .arg(folder.path().join("edge"))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
            .envs([("CI", "1"), ("WRANGLER_SEND_METRICS", "false"), ("CLOUDFLARE_CF_FETCH_ENABLED", "false")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let worker = Self { child, client: Client::new(format!("http://127.0.0.1:{port}")) };
        let begun = Instant::now();
        // The file is read once, when it starts.
        while worker.client.try_get("/healthz").is_none() {
            assert!(begun.elapsed() < Duration::from_mins(3), "wrangler is not up after three minutes");
            std::thread::sleep(Duration::from_millis(50));
        }
        worker
    }

    fn refuses(&self, path: &str) -> Reply {
        let reply = self.client.get(path);
        assert_eq!(reply.status, 503, "{path}: {}", reply.text());
        reply
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        use nix::sys::signal::{Signal, kill};
        if let Ok(id) = i32::try_from(self.child.id()) {
            let _ = kill(nix::unistd::Pid::from_raw(id), Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

fn the_worker_serves_nothing_without_a_strong_key() {
    let weak = "0123456789abcdef".repeat(4);
    for secrets in [String::new(), format!("POSTERN_ROOT_KEY={weak}\n")] {
        let worker = Worker::start(&secrets);
        let token = format!("shr_{}", "0".repeat(40));
        for path in [
            "/healthz",
            "/nowhere",
            &format!("/share/{token}"),
            &format!("/api/v1/public/shares/{token}/resolve"),
        ] {
            let reply = worker.refuses(path);
            reply.expect_error(503, "SERVICE_UNAVAILABLE");
            assert!(
                !reply.text().contains(&weak) && !reply.text().contains("POSTERN_ROOT_KEY"),
                "{}",
                reply.text()
            );
        }
    }
}

/// Rotates the root key of both parts, first keeping the old one beside the new one, then without it.
fn a_new_root_key_leaves_old_links_alive() {
    let mut stack = Stack::start(Database::Sqlite).expect("an installation");
    let old = Share::create_with(&stack, json!({ "password": "open sesame" }));
    let plain = Share::create(&stack);
    let grant = old.unlock("open sesame").expect(200).json();
    let new_key = "7d1f0b93c25e8a46f5b81c9d03e76a2448bfd6a1905c3e7f62b8d4091aecf753";
    stack
        .restart_with(|secrets| {
            secrets.replace(
                "POSTERN_ROOT_KEY=",
                &format!("POSTERN_ROOT_KEY={new_key}\nPOSTERN_ROOT_KEY_PREVIOUS="),
            )
        })
        .expect("both parts with two keys");

    let (old, plain) = (old.on(&stack), plain.on(&stack));
    plain.resolve().expect(200);
    let executed = plain.execute(&json!({ "location": "Seattle" })).expect(200).json();
    assert_eq!(rows(&executed, "days"), json!([[1461]]));
    let token = grant["access_token"].as_str().unwrap();
    old.with_grant(token, "resolve").expect(200);
    old.unlock("open sesame").expect(200);
    old.unlock("another").expect_error(401, "PASSWORD_INVALID");
    let new = Share::create(&stack);
    new.execute(&json!({ "location": "Seattle" })).expect(200);
    let admin = stack.admin();
    let rotated = admin.post(&format!("{}/rotate", plain.managed()), &json!({})).expect(200).json();
    Share::of(&stack, &rotated).resolve().expect(200);
    plain.resolve().expect_error(401, "TOKEN_INVALID");

    stack
        .restart_with(|secrets| {
            let kept: Vec<&str> = secrets.lines().filter(|line| !line.contains("PREVIOUS")).collect();
            kept.join("\n") + "\n"
        })
        .expect("both parts with the new key");
    new.on(&stack).resolve().expect(200);
    Share::of(&stack, &rotated).resolve().expect(200);
    old.on(&stack).resolve().expect_error(401, "TOKEN_INVALID");
}
