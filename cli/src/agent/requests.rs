//! An action of requests: what is asked under a name, and what answers what peers ask.

use serde_json::{Number, Value};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tristero_tokio::{Payload, Raw, ReceivingStream, Request, RequestAction, Responder, Room};

use super::account::Account;
use super::command::{Manner, Respond};
use super::reply::Refusal;
use super::room::Teller;

/// What asks under one name.
pub(crate) type RawRequests = RequestAction<Payload, Payload, Raw>;

/// See the [module](self). It may be asked on without being registered.
pub(crate) struct Answering {
    action: RawRequests,
    account: Account,
    /// How requests are answered, if they are.
    respond: watch::Sender<Option<Respond>>,
    is_begun: bool,
    tells_progress: bool,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Fulfilled(Payload),
    Rejected(String),
    /// It stays open as long as somebody waits for it.
    Never,
}

impl Answering {
    pub(crate) fn open(room: &Room, name: &str, teller: Teller) -> Result<Self, Refusal> {
        Ok(Answering {
            action: room.request_action(name).map_err(Refusal::new)?,
            account: Account::new(name, teller),
            respond: watch::Sender::new(None),
            is_begun: false,
            tells_progress: false,
        })
    }

    pub(crate) fn action(&self) -> RawRequests {
        self.action.clone()
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    /// Tells of what is asked, in this manner, and answers it in this way from now on. Where there
    /// is none, requests are rejected after a moment.
    pub(crate) fn register(
        &mut self,
        manner: Manner,
        respond: Option<Respond>,
        tasks: &TaskTracker,
    ) -> Result<(), Refusal> {
        if manner.progress && !self.tells_progress {
            let arriving = self.action.receiving().map_err(Refusal::new)?;
            tasks.spawn(tell_progress(arriving, self.account.clone()));
            self.tells_progress = true;
        }
        self.account.begin(manner);
        self.respond.send_replace(respond);
        if !self.is_begun {
            self.is_begun = true;
            let (action, account) = (self.action.clone(), self.account.clone());
            tasks.spawn(answer_all(action, account, self.respond.subscribe(), tasks.clone()));
        }
        Ok(())
    }
}

/// Tells how requests arrive, until the room is left.
async fn tell_progress(mut arriving: ReceivingStream, account: Account) {
    while let Some(step) = arriving.recv().await {
        account.enter_progress(&step.peer, step.fraction, step.metadata.as_deref()).await;
    }
}

/// Answers what is asked, in the way that is set at the time, until the room is left.
async fn answer_all(
    action: RawRequests,
    account: Account,
    mut respond: watch::Receiver<Option<Respond>>,
    tasks: TaskTracker,
) {
    while respond.wait_for(Option::is_some).await.is_ok() {
        // Where nothing reads them the library rejects them.
        let mut requests = action.requests();
        loop {
            let asked = tokio::select! {
                asked = requests.recv() => asked,
                _ = respond.wait_for(Option::is_none) => break,
            };
            let Some(asked) = asked else { return };
            let Ok((request, responder)) = asked else { continue }; // no payload is not raw
            let Some(respond) = respond.borrow().clone() else {
                drop(responder.reject(NO_HANDLER).await);
                break;
            };
            let Request { peer, value, metadata, .. } = request;
            account.enter("request", &peer, &value, metadata).await;
            tasks.spawn(respond.answer(value).give(responder));
        }
    }
}

impl Answer {
    async fn give(self, responder: Responder<Payload, Raw>) {
        // It is not for us to care whether the caller is still there.
        match self {
            Answer::Fulfilled(payload) => drop(responder.respond(payload).await),
            Answer::Rejected(why) => drop(responder.reject(why).await),
            Answer::Never => responder.abandoned().await,
        }
    }
}

impl Respond {
    fn answer(self, asked: Payload) -> Answer {
        let answered = match self {
            Respond::Echo => Some(asked),
            Respond::Upper => text(&asked).map(|text| text.to_uppercase().into()),
            Respond::Reverse => {
                text(&asked).map(|text| text.chars().rev().collect::<String>().into())
            }
            Respond::Sum => sum(&asked).map(Payload::Json),
            Respond::Length => length(&asked).map(|length| Payload::Json(length.into())),
            Respond::Null => Some(Payload::Json(Value::Null)),
            Respond::Throw => return Answer::Rejected(REFUSED.to_owned()),
            Respond::Never => return Answer::Never,
            Respond::Constant(constant) => Some(constant),
        };
        answered.map_or_else(|| Answer::Rejected(UNFIT.to_owned()), Answer::Fulfilled)
    }
}

fn text(asked: &Payload) -> Option<&str> {
    match asked {
        Payload::Text(text) => Some(text),
        Payload::Json(_) | Payload::Binary(_) => None,
    }
}

/// Of a list of numbers; whole if all of them are.
fn sum(asked: &Payload) -> Option<Value> {
    let Payload::Json(Value::Array(items)) = asked else { return None };
    let whole = items.iter().map(Value::as_i64).try_fold(0_i64, |sum, item| sum.checked_add(item?));
    if let Some(whole) = whole {
        return Some(whole.into());
    }
    let sum = items.iter().map(Value::as_f64).sum::<Option<f64>>()?;
    Some(Number::from_f64(sum).map_or(Value::Null, Value::Number))
}

fn length(asked: &Payload) -> Option<usize> {
    match asked {
        Payload::Text(text) => Some(text.chars().count()),
        Payload::Json(Value::Array(items)) => Some(items.len()),
        Payload::Json(_) => None,
        Payload::Binary(bytes) => Some(bytes.len()),
    }
}

/// What Trystero says of a request that nothing answers.
pub(super) const NO_HANDLER: &str = "request handler unavailable";
/// What `throw` rejects with, by convention.
const REFUSED: &str = "responder refused";
/// What a responder rejects that it can do nothing with.
const UNFIT: &str = "the responder is for other payloads";

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn fulfilled(payload: impl Into<Payload>) -> Answer {
        Answer::Fulfilled(payload.into())
    }

    #[test]
    fn each_way_to_respond_has_its_answer() {
        let list = json!([1, 2, 3.5]);
        for (respond, asked, expected) in [
            (Respond::Echo, Payload::from(list.clone()), fulfilled(list.clone())),
            (Respond::Upper, "größer".into(), fulfilled("GRÖSSER")),
            (Respond::Reverse, "añ🎉".into(), fulfilled("🎉ña")),
            (Respond::Sum, list.clone().into(), fulfilled(json!(6.5))),
            (Respond::Sum, json!([2, 3]).into(), fulfilled(json!(5))),
            (Respond::Sum, json!([]).into(), fulfilled(json!(0))),
            (Respond::Length, "añ🎉".into(), fulfilled(json!(3))),
            (Respond::Length, list.into(), fulfilled(json!(3))),
            (Respond::Length, Bytes::from_static(&[0; 9]).into(), fulfilled(json!(9))),
            (Respond::Null, "?".into(), fulfilled(json!(null))),
            (Respond::Throw, "?".into(), Answer::Rejected(REFUSED.to_owned())),
            (Respond::Never, "?".into(), Answer::Never),
            (Respond::Constant(Payload::from("!")), "?".into(), fulfilled("!")),
        ] {
            assert_eq!(respond.clone().answer(asked), expected, "{respond:?}");
        }
    }

    #[test]
    fn a_payload_that_a_responder_is_not_for_is_rejected() {
        for (respond, asked) in [
            (Respond::Upper, json!({}).into()),
            (Respond::Reverse, Bytes::new().into()),
            (Respond::Sum, Payload::from("1")),
            (Respond::Sum, json!([1, "2"]).into()),
            (Respond::Length, json!({"length": 1}).into()),
        ] {
            let answer = respond.clone().answer(asked);
            assert_eq!(answer, Answer::Rejected(UNFIT.to_owned()), "{respond:?}");
        }
    }
}
