//! The pages, in a real browser: `tests/browser/*.test.mjs` under Node's test runner.

use crate::share::Share;
use std::path::Path;
use std::process::Command;
use tests::Stack;

crate::tests![the_share_page];

fn the_share_page(stack: &Stack) {
    let share = Share::create(stack);
    let doomed = Share::create(stack);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let program = |name: &str| {
        std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: run `cargo xtask test`"))
    };
    let output = Command::new(program("NODE_BIN"))
        .args(["--test", "--test-reporter=spec", "share.test.mjs"])
        .current_dir(folder)
        .env("CHROMIUM_BIN", program("CHROMIUM_BIN"))
        .env("EDGE_URL", stack.described("edge_url"))
        .env("CONTROL_URL", stack.described("control_url"))
        .env("API_KEY", stack.described("api_key"))
        .env("SHARE_TOKEN", &share.token)
        .env("DOOMED_TOKEN", &doomed.token)
        .env("DOOMED_ID", &doomed.id)
        .env(
            "SCREENSHOTS",
            std::env::var_os("SCREENSHOTS").unwrap_or_else(|| stack.state("screenshots").into()),
        )
        .output()
        .expect("node starts");
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
