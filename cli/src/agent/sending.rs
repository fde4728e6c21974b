//! What an agent sends.

use std::future::IntoFuture;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tristero_tokio::{Payload, PeerId, SendBuilder, SendError, SendFailure, Sent};

use super::command::{SendManyOrder, SendOrder, Targets};
use super::events::{Fields, unix_ms};
use super::messages::RawSender;
use super::payload::{describe, payload_bytes};
use super::reply::{Begun, Outcome, Refusal};
use super::room::AgentRoom;

/// The number of the first message of `sendMany`: all have as many digits.
const MANY_FIRST: u64 = 1_000_000;
/// What is not padding in a message of `sendMany`, by convention.
const MANY_OVERHEAD: usize = 24;
/// The largest message of `sendMany`. For more there is `send`.
const MANY_SIZE_MAX: usize = 1024 * 1024;
/// Messages of `sendMany` that are on their way at once, where none waits for the one before: a
/// quarter of what the node queues for one peer.
const MANY_IN_FLIGHT: usize = 1024;

/// Begins to send one payload.
pub(crate) async fn send(room: &mut AgentRoom, order: SendOrder) -> Result<Begun, Refusal> {
    let SendOrder { action, payload, target, metadata, progress, hash, .. } = order;
    let payload = payload.read().await?;
    let sender = room.messages(&action)?.sender();
    let teller = room.teller().clone();

    let mut send = address(sender.send(payload.clone()), target.as_ref());
    if let Some(metadata) = &metadata {
        send = send.metadata(metadata.clone());
    }
    if progress {
        send = send.on_progress(teller.on_progress("sendProgress", &action, metadata));
    }
    let t0 = unix_ms();
    let handed_over = send.into_future();
    Ok(Begun::Running(Box::pin(async move {
        let sent = handed_over.await.map_err(Refusal::new)?;
        let result = Fields::new().with("t0", t0).with("t1", unix_ms());
        let result = match &payload {
            Payload::Binary(_) => result.with_all(describe(&payload, hash).await),
            Payload::Text(_) | Payload::Json(_) => result,
        };
        let result = result.with_option("failed", describe_failed(&sent.failed));
        let told = Fields::new().with("action", action).with_all(result.clone());
        teller.tell("sent", told).await;
        Ok(result)
    })))
}

/// Begins to send many small messages.
pub(crate) fn send_many(room: &mut AgentRoom, order: SendManyOrder) -> Result<Begun, Refusal> {
    if order.size > MANY_SIZE_MAX {
        return Err(Refusal::new(format!("a message has a size of {MANY_SIZE_MAX} at most")));
    }
    let sender = room.messages(&order.action)?.sender();
    let teller = room.teller().clone();
    Ok(Begun::Running(Box::pin(async move {
        let result = send_all(&sender, &order).await?;
        let told = Fields::new().with("action", order.action).with_all(result.clone());
        teller.tell("sentMany", told).await;
        Ok(result)
    })))
}

async fn send_all(sender: &RawSender, order: &SendManyOrder) -> Outcome {
    let pad = "x".repeat(order.size.saturating_sub(MANY_OVERHEAD));
    let message = |i: u32| Payload::Json(json!({"n": MANY_FIRST + u64::from(i), "pad": pad}));
    let mut failed = Failed::default();
    let mut in_flight: JoinSet<Result<Sent, SendError>> = JoinSet::new();

    let t0 = unix_ms();
    for i in 0..order.count {
        let send = address(sender.send(message(i)), order.target.as_ref());
        if order.in_turn {
            failed.note(send.await)?;
            continue;
        }
        in_flight.spawn(send.into_future());
        if in_flight.len() >= MANY_IN_FLIGHT
            && let Some(sent) = in_flight.join_next().await
        {
            failed.note(sent.map_err(Refusal::new)?)?;
        }
    }
    while let Some(sent) = in_flight.join_next().await {
        failed.note(sent.map_err(Refusal::new)?)?;
    }
    Ok(Fields::new()
        .with("t0", t0)
        .with("t1", unix_ms())
        .with("count", order.count)
        .with("messageBytes", payload_bytes(&message(0)))
        .with_option("failed", describe_failed(&failed.0)))
}

/// Who did not get all of many messages; of each peer the first failure.
#[derive(Default)]
struct Failed(Vec<(PeerId, SendFailure)>);

impl Failed {
    fn note(&mut self, sent: Result<Sent, SendError>) -> Result<(), Refusal> {
        for (peer, failure) in sent.map_err(Refusal::new)?.failed {
            if self.0.iter().all(|(known, _)| *known != peer) {
                self.0.push((peer, failure));
            }
        }
        Ok(())
    }
}

fn address(send: SendBuilder, target: Option<&Targets>) -> SendBuilder {
    target.map_or(&[][..], Targets::peers).iter().fold(send, SendBuilder::to)
}

/// Members of the room that did not get what was sent to all, if there are any.
fn describe_failed(failed: &[(PeerId, SendFailure)]) -> Option<Vec<Value>> {
    let describe = |(peer, failure): &(PeerId, SendFailure)| json!({"peer": peer.as_str(), "error": failure.to_string()});
    (!failed.is_empty()).then(|| failed.iter().map(describe).collect())
}
