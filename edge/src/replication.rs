//! Takes the control plane's pushes and hands each change to its gate.

use crate::env::Counters;
use crate::host::Port;
use crate::runtime;
use futures_util::future::join_all;
use shared::call::Healed;
use shared::model::token::RecordKey;
use shared::replica::{Change, MAX_CHANGES, Outcome, Push, Pushed, Receipt};

/// Less than the control plane waits for the whole push: one gate that hangs must not take the others' receipts with it.
const PUSH_LIMIT_MS: u32 = 3_500;

/// Hands over every change, all at once, and tells what became of each, in order.
pub async fn take(port: &Port, push: Push) -> Pushed {
    let changes = push.changes.into_iter().take(MAX_CHANGES);
    let receipts = join_all(changes.map(|change| hand_over(port, change))).await;
    Pushed { at: runtime::now(), receipts }
}

async fn hand_over(port: &Port, change: Change) -> Receipt {
    let outcome = match RecordKey::parse(&change.key) {
        None => Outcome::Failed { reason: "not a record key".to_owned() },
        Some(key) => {
            Counters::add(&port.edge.counters.gate_calls);
            let path = format!("/push/{key}");
            let told = Healed { record: change.record, usage: change.usage };
            let told = serde_json::to_vec(&told).unwrap_or_default();
            match runtime::gate(&port.edge.gates, key.as_str(), &path, Some(&told), PUSH_LIMIT_MS).await {
                Ok(Some(outcome)) => serde_json::from_slice(&outcome)
                    .unwrap_or_else(|error| Outcome::Failed { reason: error.to_string() }),
                Ok(None) => Outcome::Failed { reason: "the gate gave no answer".to_owned() },
                Err(error) => Outcome::Failed { reason: format!("{error:?}") },
            }
        }
    };
    Receipt { key: change.key, outcome }
}
