//! Uploads of archives: how many at once, and how large their descriptions may be.

use super::super::world::Answered;
use super::{Map, archive};
use axum::body::{Body, Bytes};
use futures_util::future::{Either, join_all, select};
use futures_util::stream;
use http::Method;
use serde_json::{Value, json};
use shared::call::Probed;
use std::convert::Infallible;
use std::pin::pin;
use std::task::Poll;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const ARCHIVES: &str = "/api/v1/archives";

/// A body that never comes; tells when somebody waits for it.
fn hanging(begun: UnboundedSender<()>) -> Body {
    let mut begun = Some(begun);
    Body::from_stream(stream::poll_fn(move |_| -> Poll<Option<Result<Bytes, Infallible>>> {
        if let Some(begun) = begun.take() {
            begun.send(()).unwrap();
        }
        Poll::Pending
    }))
}

async fn upload(map: &Map, body: impl Into<Body>) -> Answered {
    map.world.send(Method::POST, ARCHIVES, "application/vnd.pmtiles", body).await
}

#[tokio::test]
async fn eight_uploads_are_taken_at_once() {
    for map in Map::all().await {
        let (begun, mut waits) = unbounded_channel();
        let mut uploads = Box::pin(join_all((0..8).map(|_| upload(&map, hanging(begun.clone())))));
        for _ in 0..8 {
            match select(&mut uploads, pin!(waits.recv())).await {
                Either::Left((answers, _)) => panic!("{answers:?}"),
                Either::Right((begun, _)) => assert!(begun.is_some()),
            }
        }
        let ninth = match select(&mut uploads, pin!(upload(&map, "nonsense"))).await {
            Either::Left((answers, _)) => panic!("{answers:?}"),
            Either::Right((answer, _)) => answer,
        };
        ninth.refused(429, "RATE_LIMITED");
        assert_eq!(ninth.headers["retry-after"], "30");
        // Whoever breaks off makes room.
        drop(uploads);
        upload(&map, "nonsense").await.refused(422, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn an_upload_takes_no_idempotency_key() {
    for map in Map::all().await {
        let call =
            map.world.call(Method::POST, ARCHIVES, Some(json!("x")), &[("idempotency-key", "k")]).await;
        call.refused(422, "VALIDATION_ERROR");
        assert!(call.body.to_string().contains("takes no Idempotency-Key"), "{call:?}");
    }
}

#[tokio::test]
async fn the_items_of_a_collection_describe_themselves_within_a_mebibyte() {
    for map in Map::all().await {
        let Probed::Good(mut view) = archive() else { panic!("a good one") };
        let layer = |n: usize| json!({"id": format!("{n}{}", "x".repeat(1_000)), "fields": {}});
        let layers: Vec<Value> = (0..300).map(layer).collect();
        view.layers = serde_json::from_value(layers.into()).unwrap();
        map.world.edge.store("acme/a", Probed::Good(view));
        let collection = map.collection().await;
        for _ in 0..3 {
            map.item(Some(&collection)).await;
        }
        let before = map.world.get(&format!("/api/v1/collections/{collection}")).await.ok(200).body;
        let fourth = map.world.post("/api/v1/items", map.item_in(Some(&collection))).await;
        fourth.refused(409, "CONFLICT");
        assert_eq!(map.world.get(&format!("/api/v1/collections/{collection}")).await.ok(200).body, before);
        assert_eq!(map.total("/api/v1/items").await, 3);
        map.item(None).await;
    }
}
