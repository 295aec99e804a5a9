//! Clocks of edge and control plane that differ: by how much is told, and beyond a signature's life nothing is called live.

use super::logs::Log;
use super::world::World;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use std::time::Duration;

const ALARM: &str = "the edge's clock differs from ours";

/// What is counted and logged by this thread alone: all of a world runs in its test's.
struct Observed {
    log: Log,
    handle: PrometheusHandle,
    _local: metrics::LocalRecorderGuard<'static>,
}

impl Observed {
    fn start() -> Self {
        // As long as the process, which is what the guard must not outlive.
        let recorder = Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
        let handle = recorder.handle();
        Self { log: Log::start(), handle, _local: metrics::set_default_local_recorder(recorder) }
    }

    fn skew(&self) -> f64 {
        let metrics = self.handle.render();
        let value = metrics.lines().find_map(|line| line.strip_prefix("postern_edge_clock_skew_seconds "));
        value.unwrap_or_else(|| panic!("no gauge in {metrics}")).parse().unwrap()
    }

    /// Whether the edge was said to be ahead, in the alarms since this was last asked.
    fn alarms(&self) -> Vec<bool> {
        let log = self.log.take();
        log.lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|line| line["fields"]["message"] == ALARM)
            .inspect(|line| assert_eq!(line["level"], "ERROR", "{line}"))
            .map(|line| line["fields"]["ahead"].as_bool().unwrap())
            .collect()
    }
}

#[tokio::test]
async fn clocks_that_differ_by_more_than_two_seconds_are_an_alarm() {
    let observed = Observed::start();
    let world = World::new().await;
    let dashboard = world.dashboard().await;
    for (ahead, told, alarms) in [
        (0, 0.0, [].as_slice()),
        (1_900, 1.9, &[]),
        (-1_900, 1.9, &[]),
        (2_000, 2.0, &[]),
        (2_001, 2.001, &[true]),
        (-2_001, 2.001, &[false]),
        // As far apart as signatures allow: an alarm, and nothing waits.
        (60_000, 60.0, &[true]),
        (-60_000, 60.0, &[false]),
        (0, 0.0, &[]),
    ] {
        world.edge.set_ahead(ahead);
        observed.log.take();
        assert_eq!(world.share_of(&dashboard).await["effective"], "live", "{ahead}");
        assert!((observed.skew() - told).abs() < 1e-6, "{ahead}: {}", observed.skew());
        assert_eq!(observed.alarms(), alarms, "{ahead}");
    }
}

#[tokio::test]
async fn beyond_a_signatures_life_changes_wait_until_the_clocks_agree() {
    for world in World::all().await {
        for (millis, is_ahead) in [(60_001_i32, true), (-60_001, false)] {
            let observed = Observed::start();
            let dashboard =
                world.dashboard_named(&format!("off-by-{}", millis.to_string().replace('-', "m"))).await;
            let share = world.share_of(&dashboard).await;
            let path = format!("/api/v1/dashboard-shares/{}", share["id"].as_str().unwrap());
            world.edge.set_ahead(millis.into());
            let (known, pushed) = (world.edge.records(), world.edge.log());

            let rotated = world.post(&format!("{path}/rotate"), json!({})).await.ok(202).body;
            assert_eq!(rotated["effective"], "pending");
            let made = world
                .post(
                    &format!("/api/v1/dashboards/{dashboard}/shares"),
                    json!({"name": "n", "share_type": "link"}),
                )
                .await
                .ok(202);
            // The loop looks once a second.
            for _ in 0..12 {
                world.pass(Duration::from_secs(10));
                tokio::time::sleep(Duration::from_millis(100)).await;
                assert_eq!(world.get(&path).await.body["effective"], "pending", "{millis}");
            }
            assert_eq!(
                (world.edge.records(), world.edge.log()),
                (known, pushed),
                "{millis}: the edge took something"
            );
            let ready = world.get("/readyz?verbose").await.ok(503).body;
            assert_eq!(ready["outbox_parked"], 0, "no change is to blame: {ready}");
            // Its date, in whole seconds, is all that a refusal tells.
            let off = f64::from(millis.abs()) / 1_000.0;
            assert!((off - 1.0..=off).contains(&observed.skew()), "{millis}: {}", observed.skew());
            let alarms = observed.alarms();
            assert!(
                !alarms.is_empty() && alarms.iter().all(|ahead| *ahead == is_ahead),
                "{millis}: {alarms:?}"
            );

            world.edge.set_ahead(0);
            world.until_delivered(&path).await;
            world.until_delivered(&format!("/api/v1/dashboard-shares/{}", made.id())).await;
            assert_eq!(world.edge.live().len(), 2, "the rotated one, and the new one");
            assert!(observed.skew() < 0.001, "{}", observed.skew());
            for id in [share["id"].as_str().unwrap(), &made.id()] {
                assert_eq!(
                    world.delete(&format!("/api/v1/dashboard-shares/{id}")).await.ok(200).body["effective"],
                    "live"
                );
            }
            assert!(world.edge.live().is_empty());
        }
    }
}
