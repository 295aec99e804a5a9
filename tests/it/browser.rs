//! The pages, in a real browser: `tests/browser/*.test.mjs` under Node's test runner.

use crate::product::Product;
use crate::share::Share;
use crate::tenant::Tenant;
use serde_json::json;
use std::path::Path;
use std::process::Command;
use tests::Stack;

crate::tests![
    the_share_page,
    the_page_before_a_protected_share,
    the_page_of_an_embed,
    the_wizard_for_embeds,
    the_portal,
    the_page_of_a_data_product,
    the_page_of_a_map
];

fn the_share_page(stack: &Stack) {
    let share = Share::create(stack);
    let doomed = Share::create(stack);
    let narrowed = Share::create_with(
        stack,
        json!({"share_filter_policies": [
            {"filter_slug": "location", "filter_kind": "select", "mode": "locked", "allowed_values": ["Seattle"]},
            {"filter_slug": "weather", "filter_kind": "multi_select", "mode": "selectable", "allowed_values": ["rain", "snow"]},
            {"filter_slug": "windy", "filter_kind": "number", "mode": "disabled"},
            {"filter_slug": "rainy", "filter_kind": "boolean", "mode": "locked", "allowed_values": [true], "hidden": true},
        ]}),
    );
    run(
        stack,
        "share.test.mjs",
        &[
            ("SHARE_TOKEN", &share.token),
            ("NARROWED_TOKEN", &narrowed.token),
            ("DOOMED_TOKEN", &doomed.token),
            ("DOOMED_ID", &doomed.id),
        ],
    );
}

fn the_page_before_a_protected_share(stack: &Stack) {
    let password = "correct horse, é battery";
    let locked = Share::create_with(stack, json!({ "password": password }));
    let changing = Share::create_with(stack, json!({ "password": password }));
    let counted = Share::create_with(stack, json!({ "max_access_count": 1 }));
    run(
        stack,
        "unlock.test.mjs",
        &[
            ("LOCKED_TOKEN", &locked.token),
            ("LOCKED_PASSWORD", password),
            ("CHANGING_TOKEN", &changing.token),
            ("CHANGING_ID", &changing.id),
            ("COUNTED_TOKEN", &counted.token),
        ],
    );
}

fn the_page_of_a_data_product(stack: &Stack) {
    let rows = 1_050_000;
    let large: String =
        std::iter::once("n\n".to_owned()).chain((0..rows).map(|at| format!("{at}\n"))).collect();
    let large = Product::create(stack, &large);
    let doomed = Product::create(stack, "city\nOslo\n");
    run(
        stack,
        "product.test.mjs",
        &[
            ("PRODUCT_TOKEN", stack.described("data_product_token")),
            ("LARGE_TOKEN", &large.token),
            ("LARGE_ROWS", &rows.to_string()),
            ("DOOMED_TOKEN", &doomed.token),
            ("DOOMED_ID", &doomed.id),
        ],
    );
}

fn the_page_of_a_map(stack: &Stack) {
    run(
        stack,
        "map.test.mjs",
        &[
            ("ITEM_ID", stack.described("item_id")),
            ("ITEM_TOKEN", stack.described("item_token")),
            ("COLLECTION_TOKEN", stack.described("collection_token")),
            ("MAP_PASSWORD", stack.described("map_password")),
        ],
    );
}

fn the_page_of_an_embed(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let key = tenant.embed_key();
    run(stack, "embed.test.mjs", &embedding(&tenant, &key));
}

fn the_wizard_for_embeds(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let key = tenant.embed_key();
    run(stack, "wizard.test.mjs", &embedding(&tenant, &key));
}

fn the_portal(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let told =
        [("API_KEY", &tenant.key), ("DASHBOARD_ID", &tenant.dashboard), ("COMPANY_SLUG", &tenant.slug)]
            .map(|(name, value)| (name, value.as_str()));
    run(stack, "portal.test.mjs", &told);
}

/// What tests of embeds are told: an organization of their own.
fn embedding<'a>(tenant: &'a Tenant, (kid, key): &'a (String, String)) -> [(&'static str, &'a str); 4] {
    [("API_KEY", &tenant.key), ("DASHBOARD_ID", &tenant.dashboard), ("EMBED_KID", kid), ("EMBED_KEY", key)]
}

/// Runs a file of browser tests, which know the installation and what they are told here.
fn run(stack: &Stack, file: &str, told: &[(&str, &str)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let program = |name: &str| {
        std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: run `cargo xtask test`"))
    };
    let output = Command::new(program("NODE_BIN"))
        .args(["--test", "--test-reporter=spec", "--test-timeout=1200000", file])
        .current_dir(folder)
        .env("CHROMIUM_BIN", program("CHROMIUM_BIN"))
        .env("EDGE_URL", stack.described("edge_url"))
        .env("CONTROL_URL", stack.described("control_url"))
        .env("MAIL_DIR", stack.mail().folder())
        .env("API_KEY", stack.described("api_key"))
        .envs(told.iter().copied())
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
