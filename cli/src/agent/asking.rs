//! What an agent asks of peers: requests and pings.

use std::future::IntoFuture;
use std::time::{Duration, Instant};

use serde_json::Value;
use tristero_tokio::{Payload, PeerId, RequestError, SendFailure};

use super::command::{Asked, PingOrder, RequestOrder};
use super::events::Fields;
use super::payload::describe;
use super::reply::{Begun, Outcome, Refusal};
use super::requests::NO_HANDLER;
use super::room::AgentRoom;

/// Begins to ask one peer, or many.
pub(crate) async fn request(room: &mut AgentRoom, order: RequestOrder) -> Result<Begun, Refusal> {
    let RequestOrder { action, payload, asked, metadata, timeout, progress, hash, .. } = order;
    let payload = payload.read().await?;
    let requests = room.requests(&action)?.action();
    let teller = room.teller().clone();

    let mut asking = requests.request_many(asked.peers().to_vec(), payload);
    if progress {
        let on_progress = teller.on_progress("sendProgress", &action, metadata.clone());
        asking = asking.on_progress(on_progress);
    }
    if let Some(metadata) = metadata {
        asking = asking.metadata(metadata);
    }
    if let Some(timeout) = timeout {
        asking = asking.timeout(timeout);
    }
    let began = Instant::now();
    let asking = asking.into_future();
    Ok(Begun::Running(Box::pin(async move {
        let answers = asking.await;
        let (event, result) = match asked {
            Asked::One(_) => ("response", result(answers, began.elapsed(), hash).await?),
            Asked::Many(_) => ("responses", results(answers, hash).await?),
        };
        teller.tell(event, Fields::new().with("action", action).with_all(result.clone())).await;
        Ok(result)
    })))
}

/// Begins to ping a peer, so often, one ping after another.
pub(crate) fn ping(room: &AgentRoom, order: PingOrder) -> Begun {
    let (teller, room) = (room.teller().clone(), room.handle());
    Begun::Running(Box::pin(async move {
        let PingOrder { target, count, .. } = order;
        let (mut reported, mut measured) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let began = Instant::now();
            let rtt = room.ping(&target).await.map_err(Refusal::new)?;
            reported.push(milliseconds(rtt).into());
            measured.push(milliseconds(began.elapsed()).into());
        }
        let result = Fields::new()
            .with("peer", target.as_str())
            .with("reported", Value::Array(reported))
            .with("ms", Value::Array(measured));
        teller.tell("pong", result.clone()).await;
        Ok(result)
    }))
}

/// What the one who was asked has answered.
async fn result(answers: Vec<Answer>, took: Duration, hash: bool) -> Outcome {
    let (peer, answer) = answers.into_iter().next().expect("each who is asked has an answer");
    let payload = answer.map_err(|error| refuse(&error))?;
    Ok(Fields::new()
        .with("peer", peer.as_str())
        .with("ms", milliseconds(took))
        .with_all(describe(&payload, hash).await))
}

/// What became of each; what could not be asked at all is a failure of the whole.
async fn results(answers: Vec<Answer>, hash: bool) -> Outcome {
    let mut results = Vec::with_capacity(answers.len());
    for (peer, answer) in answers {
        let fields = Fields::new().with("peer", peer.as_str());
        let fields = match answer {
            Ok(payload) => {
                fields.with("status", "fulfilled").with_all(describe(&payload, hash).await)
            }
            Err(error) => match kind(&error) {
                Some(kind) if kind != ABORTED => {
                    fields.with("status", kind).with("error", words(&error))
                }
                _ => return Err(refuse(&error)),
            },
        };
        results.push(Value::from(fields));
    }
    Ok(Fields::new().with("results", Value::Array(results)))
}

type Answer = (PeerId, Result<Payload, RequestError>);

fn refuse(error: &RequestError) -> Refusal {
    let refusal = Refusal::new(words(error));
    match kind(error) {
        Some(kind) => refusal.of_kind(kind),
        None => refusal,
    }
}

/// What Trystero calls a failure; nothing if it was wrong to ask.
fn kind(error: &RequestError) -> Option<&'static str> {
    match error {
        RequestError::TimedOut => Some("timeout"),
        RequestError::Disconnected
        | RequestError::NotSent(SendFailure::NotInRoom | SendFailure::Left) => Some("disconnected"),
        RequestError::Rejected(_) | RequestError::NoHandler => Some("rejected"),
        // What we gave up ourselves.
        RequestError::NotSent(_) | RequestError::RoomLeft => Some(ABORTED),
        // What is asked by an agent is taken in any form.
        _ => None,
    }
}

/// The peer's own words, if it is the peer that refused.
fn words(error: &RequestError) -> String {
    match error {
        RequestError::Rejected(why) => why.clone(),
        RequestError::NoHandler => NO_HANDLER.to_owned(),
        error => error.to_string(),
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

const ABORTED: &str = "aborted";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn peer(id: &str) -> PeerId {
        PeerId::new(id).unwrap()
    }

    #[tokio::test]
    async fn many_answers_are_told_one_by_one() {
        let answers = vec![
            (peer("a"), Ok(Payload::from("yes"))),
            (peer("b"), Err(RequestError::Rejected("no".to_owned()))),
            (peer("c"), Err(RequestError::NoHandler)),
            (peer("d"), Err(RequestError::TimedOut)),
            (peer("e"), Err(RequestError::NotSent(SendFailure::Left))),
        ];
        let told = Value::from(results(answers, true).await.unwrap());
        let told = told["results"].as_array().unwrap();
        assert_eq!(
            told[..3],
            [
                json!({"peer": "a", "status": "fulfilled", "type": "text", "text": "yes"}),
                json!({"peer": "b", "status": "rejected", "error": "no"}),
                json!({"peer": "c", "status": "rejected", "error": "request handler unavailable"}),
            ]
        );
        assert_eq!(
            (&told[3]["status"], &told[4]["status"]),
            (&"timeout".into(), &"disconnected".into())
        );
    }

    #[tokio::test]
    async fn what_is_given_up_here_fails_for_all() {
        let answers = vec![(peer("a"), Ok("yes".into())), (peer("b"), Err(RequestError::RoomLeft))];
        let refusal = results(answers, true).await.unwrap_err();
        assert_eq!(
            refusal,
            Refusal::new("the room was left before the answer came").of_kind(ABORTED)
        );
    }
}
