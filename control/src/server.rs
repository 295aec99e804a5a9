//! The accept loop: `axum::serve` has no time-outs (RELIABILITY.md H2), so connections are served by hyper
//! itself, a bounded number of them, and end in peace when the program is told to stop.

mod patience;

use crate::limit::Peer;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use patience::{Busy, Patience, Patient};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt;

/// How slow clients may be (RELIABILITY.md H2); bodies have their own time where they are read.
const PATIENCE: Patience = Patience { header: Duration::from_secs(10), idle: Duration::from_mins(1) };
/// Longest that requests may go on after the program was told to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest headers, in bytes.
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// How long to wait when the machine has no file left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` says so, then waits for the requests that are under way.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    max_connections: usize,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(max_connections));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = accept(&listener, &places) => accepted,
        };
        if let Some((stream, peer, place)) = accepted {
            let connection = connection(stream, (peer, PATIENCE), router.clone(), &graceful);
            tokio::spawn(async move {
                connection.await;
                drop(place);
            });
        }
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(SHUTDOWN_TIMEOUT) => tracing::warn!("requests were cut off by the shutdown"),
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection was not accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

fn connection(
    stream: TcpStream,
    (peer, patience): (SocketAddr, Patience),
    router: Router,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + 'static {
    let peer = Peer::of(peer.ip());
    let busy = Busy::default();
    let stream = Patient::new(stream, patience, busy.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let guard = busy.begin();
        let answered = router.clone().oneshot(request);
        async move {
            let response = answered.await?;
            // To the end of the body: a download may take longer than the stream's patience between requests.
            let held = |body: Body| {
                Body::new(body.map_frame(move |frame| {
                    let _busy = &guard;
                    frame
                }))
            };
            Ok::<_, std::convert::Infallible>(response.map(held))
        }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    async move {
        // Clients come and go: how a connection ended is not worth a line.
        let _ended = connection.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    const QUICK: Patience = Patience { header: Duration::from_millis(100), idle: Duration::from_secs(3) };

    /// A client of one connection whose route takes as long as both patiences together.
    async fn client(graceful: &GracefulShutdown) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let slow = async || {
            tokio::time::sleep(QUICK.header + QUICK.idle).await;
            "done"
        };
        let router = Router::new().route("/", get(slow));
        tokio::spawn(connection(stream, (peer, QUICK), router, graceful));
        client
    }

    /// Waits until the server hangs up; gives what it said before, and how long it took.
    async fn until_end(client: &mut TcpStream) -> (String, Duration) {
        let (started, mut said) = (Instant::now(), String::new());
        let end = client.read_to_string(&mut said);
        tokio::time::timeout(Duration::from_secs(30), end).await.unwrap().unwrap();
        (said, started.elapsed())
    }

    #[tokio::test]
    async fn headers_that_do_not_end_are_not_awaited() {
        let graceful = GracefulShutdown::new();
        let mut client = client(&graceful).await;
        client.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        let (_, took) = until_end(&mut client).await;
        assert!(took < QUICK.idle, "{took:?}");
    }

    #[tokio::test]
    async fn an_answer_may_take_longer_than_a_question() {
        let graceful = GracefulShutdown::new();
        let mut client = client(&graceful).await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let (said, took) = until_end(&mut client).await;
        assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("done"), "{said}");
        assert!(took >= QUICK.header + 2 * QUICK.idle, "{took:?}");
    }
}
