//! Databases that an earlier build has filled, on both databases.

use super::database::OwnDatabase;
use crate::store::share::filter::{Wanted, list};
use crate::store::{MIGRATIONS, Page, Store, execute};
use shared::face::dashboard::manage::ShareFilter;
use shared::time::Millis;
use sqlx::migrate::Migrator;
use uuid::Uuid;

/// The first migrations, up to this version.
fn up_to(version: i64) -> Migrator {
    let migrations: Vec<_> =
        MIGRATIONS.iter().filter(|migration| migration.version <= version).cloned().collect();
    Migrator { migrations: migrations.into(), ..Migrator::DEFAULT }
}

#[tokio::test]
async fn shares_of_before_are_counted_and_found_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut urls = vec![format!("sqlite://{}", folder.path().join("postern.db").display())];
    let own = OwnDatabase::new().await;
    urls.extend(own.as_ref().map(OwnDatabase::url));
    let organization = Uuid::from_u128(1);
    for url in urls {
        let store = Store::connect(&url).await.unwrap();
        store.run(&up_to(3)).await.unwrap();
        let mut session = store.write().await.unwrap();
        let id = organization.to_string();
        let founded = "INSERT INTO organization (id, slug, name, created_at) VALUES ($1, 'a', 'A', 0)";
        execute!(&mut session, founded, &id).unwrap();
        let drawn = "INSERT INTO dashboard
                (id, organization_id, slug, version, definition, created_at, updated_at)
            VALUES ($1, $1, 'd', 1, '{}', 0, 0)";
        execute!(&mut session, drawn, &id).unwrap();
        for (number, name) in (1..).zip(["\u{c4}RZTE", "A\u{308}rzte im Hafen", "Ada"]) {
            let share = Uuid::from_u128(number).to_string();
            let made =
                "INSERT INTO share (id, organization_id, dashboard_id, share_type, name, state, generation,
                    revision, nonce, key_epoch, rules, created_at, issued_at)
                VALUES ($1, $2, $2, 'link', $3, 'live', 1, 1, $4, 'e', '{}', 0, 0)";
            execute!(&mut session, made, &share, &id, name, "0".repeat(32)).unwrap();
            let token = "INSERT INTO share_token (record_key, share_id, generation, issued_at)
                VALUES ($1, $1, 1, 0)";
            execute!(&mut session, token, &share).unwrap();
        }
        session.commit().await.unwrap();
        for _ in 0..2 {
            store.migrate().await.unwrap();
            let mut session = store.read().await.unwrap();
            for (part, expected) in [(None, 3), (Some("\u{e4}rzte"), 2), (Some("ADA"), 1), (Some("x"), 0)] {
                let filter = ShareFilter { name_contains: part.map(str::to_owned), ..ShareFilter::default() };
                let wanted = Wanted {
                    organization,
                    kind: None,
                    target: None,
                    filter: &filter,
                    live_only: false,
                    now: Millis(0),
                };
                let found = list(&mut session, &wanted, &Page { limit: 10, before: None }).await.unwrap();
                assert_eq!(found.total, expected, "{part:?}");
            }
        }
        store.close().await;
    }
}
