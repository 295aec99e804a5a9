//! Signed pushes to the Worker, and what it says to them.

use crate::clock::Clock;
use http::header::{CONTENT_TYPE, DATE};
use http::{HeaderMap, StatusCode};
use jiff::fmt::rfc2822::DateTimeParser;
use shared::call::{SIGNATURE_HEADER, sign};
use shared::model::key::Key;
use shared::replica::{Change, Outcome, PUSH_PATH, Push, Pushed, Receipt};
use shared::time::Millis;
use shared::{Error, Result};
use std::time::Duration;

/// Longest that one push may take. Shorter than [`crate::store::outbox::CLAIM`].
const PUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// Clocks that differ by more are worth an alarm: signatures live 60 s, and the edge decides when shares expire.
const SKEW_ALARM: Duration = Duration::from_secs(2);

/// The way to the Worker.
pub(super) struct Transport {
    clock: Clock,
    key: Key,
    url: String,
    http: reqwest::Client,
}

/// Why there are no receipts.
enum NotSent {
    /// Nobody took the push, whatever is in it.
    Unreachable(String),
    /// The edge does not take this push.
    Refused(String),
}

impl Transport {
    /// To the Worker at the origin `edge_url`, signed with `key`.
    ///
    /// # Errors
    /// [`Error::Internal`] when no HTTP client can be made.
    pub(super) fn new(clock: Clock, key: Key, edge_url: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(PUSH_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| Error::Internal(format!("HTTP client: {error}")))?;
        let url = format!("{}{PUSH_PATH}", edge_url.trim_end_matches('/'));
        Ok(Self { clock, key, url, http })
    }

    /// Sends changes together. Should the edge refuse them so, it gets one by one: whichever it stumbles over must not hold
    /// up the others.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the edge is out of reach.
    pub(super) async fn deliver(&self, changes: Vec<Change>) -> Result<Vec<Receipt>> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let push = Push { changes };
        let refused = match self.send(&push).await {
            Ok(receipts) => return Ok(receipts),
            Err(NotSent::Unreachable(reason)) => return Err(Error::Unavailable(format!("push: {reason}"))),
            Err(NotSent::Refused(reason)) => reason,
        };
        let failed = |change: &Change, reason| Receipt {
            key: change.key.clone(),
            outcome: Outcome::Failed { reason },
        };
        if let [change] = push.changes.as_slice() {
            return Ok(vec![failed(change, refused)]);
        }
        let mut receipts = Vec::with_capacity(push.changes.len());
        for change in push.changes {
            let alone = Push { changes: vec![change] };
            match (self.send(&alone).await, alone.changes.as_slice()) {
                (Ok(receipt), _) => receipts.extend(receipt),
                (Err(NotSent::Refused(reason)), [change]) => receipts.push(failed(change, reason)),
                (Err(NotSent::Unreachable(reason)), _) if receipts.is_empty() => {
                    return Err(Error::Unavailable(format!("push: {reason}")));
                }
                // What was taken until then is; the rest is tried again.
                (Err(NotSent::Unreachable(_)), _) => return Ok(receipts),
                (Err(NotSent::Refused(_)), _) => {}
            }
        }
        Ok(receipts)
    }

    async fn send(&self, push: &Push) -> Result<Vec<Receipt>, NotSent> {
        let unreachable = |error: reqwest::Error| NotSent::Unreachable(error.without_url().to_string());
        let body = serde_json::to_vec(push).map_err(|error| NotSent::Refused(error.to_string()))?;
        let begun = self.clock.now();
        let signature = sign(&self.key, "POST", PUSH_PATH, &body, begun);
        let request = self.http.post(&self.url).header(CONTENT_TYPE, "application/json");
        let request = request.header(SIGNATURE_HEADER, signature).body(body);
        let answer = request.send().await.map_err(unreachable)?;
        match answer.status() {
            StatusCode::OK => {}
            // What the Worker says of a body that it cannot take, or that it stumbles over. Any other status is not about
            // this push: another key or clock, too much at once, or no Worker behind the address.
            status @ (StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::INTERNAL_SERVER_ERROR) => {
                return Err(NotSent::Refused(format!("status {}", status.as_u16())));
            }
            status => {
                // A signature of the wrong time is refused without a word, and nothing of that answer is signed. For an
                // alarm its date will do.
                if status == StatusCode::NOT_FOUND
                    && let Some(edge) = dated(answer.headers())
                {
                    observe_skew(edge, (begun, self.clock.now()));
                }
                return Err(NotSent::Unreachable(format!("status {}", status.as_u16())));
            }
        }
        let pushed: Pushed = answer.json().await.map_err(unreachable)?;
        observe_skew((pushed.at, pushed.at), (begun, self.clock.now()));
        Ok(pushed.receipts)
    }
}

/// The second within which an answer says that it was made.
fn dated(headers: &HeaderMap) -> Option<(Millis, Millis)> {
    let date = headers.get(DATE)?.to_str().ok()?;
    let second = Millis(DateTimeParser::new().parse_timestamp(date).ok()?.as_millisecond());
    Some((second, second.plus(Duration::from_millis(999))))
}

/// How far the edge's clock is from ours at least, as it showed something between two instants in the middle of a call.
fn observe_skew((earliest, latest): (Millis, Millis), (begun, ended): (Millis, Millis)) {
    let ahead = earliest.since(ended);
    let skew = ahead.max(begun.since(latest));
    metrics::gauge!("postern_edge_clock_skew_seconds").set(skew.as_secs_f64());
    if skew > SKEW_ALARM {
        tracing::error!(
            skew_ms = skew.as_millis(),
            ahead = !ahead.is_zero(),
            "the edge's clock differs from ours"
        );
    }
}
