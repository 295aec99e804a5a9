//! What went wrong in other products of this kind, tried here. Each test is named after the report.

use crate::share::{Share, rows};
use serde_json::json;
use tests::Stack;

crate::tests![
    superset_24745_a_broken_credential_gives_no_more_than_none,
    superset_26201_a_grant_of_one_share_reads_nothing_of_another,
    nextcloud_2355_a_refused_password_leaves_no_open_link,
    grafana_cve_2026_21722_every_route_to_rows_knows_the_policy,
    metabase_6022_a_locked_value_narrows_the_options_of_others,
    redash_4721_a_fixed_parameter_is_not_ignored_by_the_link,
];

fn seattle(stack: &Stack) -> Share {
    Share::create_with(
        stack,
        json!({ "share_filter_policies": [
            { "filter_slug": "location", "filter_kind": "select", "mode": "locked", "allowed_values": ["Seattle"] },
        ]}),
    )
}

fn superset_24745_a_broken_credential_gives_no_more_than_none(stack: &Stack) {
    let share = Share::create_with(stack, json!({ "password": "open sesame" }));
    let grant = share.unlock("open sesame").expect(200).json()["access_token"].as_str().unwrap().to_owned();
    stack.admin().put(&format!("{}/password", share.managed()), &json!({ "password": "other" })).expect(200);
    for credential in [grant.as_str(), "", "null", "undefined", "eyJhbGciOiJub25lIn0.e30."] {
        for verb in ["resolve", "execute", "filters/weather/options"] {
            share.with_grant(credential, verb).expect_error(401, "AUTH_REQUIRED");
        }
    }
    // On a link that needs none, a broken one takes nothing away and adds nothing.
    let narrowed = seattle(stack);
    let executed = narrowed.with_grant("broken", "execute").expect(200).json();
    assert_eq!(rows(&executed, "days"), json!([[1461]]));
}

fn superset_26201_a_grant_of_one_share_reads_nothing_of_another(stack: &Stack) {
    let share = |password: &str| Share::create_with(stack, json!({ "password": password }));
    let (own, other) = (share("one"), share("two"));
    let grant = own.unlock("one").expect(200).json()["access_token"].as_str().unwrap().to_owned();
    for verb in ["resolve", "execute", "filters/weather/options"] {
        own.with_grant(&grant, verb).expect(200);
        other.with_grant(&grant, verb).expect_error(401, "AUTH_REQUIRED");
    }
}

fn nextcloud_2355_a_refused_password_leaves_no_open_link(stack: &Stack) {
    let admin = stack.admin();
    let path = format!("/api/v1/dashboards/{}/shares", stack.described("dashboard_id"));
    let name = format!("refused-{:016x}", fastrand::u64(..));
    let body = json!({ "name": name, "share_type": "link", "password": "x".repeat(129) });
    admin.post(&path, &body).expect_error(422, "VALIDATION_ERROR");
    assert_eq!(admin.get(&format!("{path}?name_contains={name}")).expect(200).json()["total"], 0);
    let share = Share::create_with(stack, json!({ "password": "open sesame" }));
    let password = format!("{}/password", share.managed());
    admin.put(&password, &json!({ "password": "" })).expect_error(422, "VALIDATION_ERROR");
    share.resolve().expect_error(401, "AUTH_REQUIRED");
    share.unlock("open sesame").expect(200);
}

fn grafana_cve_2026_21722_every_route_to_rows_knows_the_policy(stack: &Stack) {
    let share = Share::create_with(
        stack,
        json!({ "share_filter_policies": [
            { "filter_slug": "location", "filter_kind": "select", "mode": "locked", "allowed_values": ["Seattle"] },
            { "filter_slug": "period", "filter_kind": "date_range", "mode": "locked",
              "allowed_values": [{ "start": "2013-01-01", "end": "2013-01-31" }] },
        ]}),
    );
    let narrowed = share.execute(&json!({})).expect(200).json();
    assert_eq!(rows(&narrowed, "days"), json!([[31]]));
    for wider in [
        json!({ "period_start": "2012-01-01", "period_end": "2015-12-31" }),
        json!({ "period": { "start": "2012-01-01", "end": null } }),
        json!({ "period_start": null }),
        json!({ "location": "New York" }),
        json!({ "location": null }),
    ] {
        share.execute(&wider).expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
    }
    let locations = share.options("location", "").expect(200).json();
    assert_eq!(locations["options"].as_array().map(Vec::len), Some(1));
}

fn metabase_6022_a_locked_value_narrows_the_options_of_others(stack: &Stack) {
    let values = |share: &Share| {
        let found = share.options("weather", "").expect(200).json();
        let options = found["options"].as_array().unwrap().clone();
        options.iter().map(|option| option["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let everything = values(&Share::create(stack));
    let january = Share::create_with(
        stack,
        json!({ "share_filter_policies": [
            { "filter_slug": "period", "filter_kind": "date_range", "mode": "locked",
              "allowed_values": [{ "start": "2013-07-01", "end": "2013-07-10" }] },
        ]}),
    );
    let narrowed = values(&january);
    assert!(!narrowed.is_empty() && narrowed.len() < everything.len(), "{narrowed:?} of {everything:?}");
}

fn redash_4721_a_fixed_parameter_is_not_ignored_by_the_link(stack: &Stack) {
    let share = seattle(stack);
    for asked in [json!({}), json!({ "location": "Seattle" })] {
        let executed = share.execute(&asked).expect(200).json();
        assert_eq!(rows(&executed, "days"), json!([[1461]]));
    }
}
