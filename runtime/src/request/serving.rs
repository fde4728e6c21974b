//! Answering the requests of peers.

use std::fmt::{self, Display};
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use tracing::debug;
use tristero_proto::wire::Payload;
use tristero_proto::{CallId, PeerId, SendError, SendFailure};

use super::RequestAction;
use crate::action::Received;
use crate::desk::{Asked, SendStep};
use crate::format::{Format, FormatError, Json, WrongType};
use crate::inbox::{Bounds, Inbox};
use crate::room::Room;

/// Requests that [`RequestAction::serve`] works on at once. More wait.
const SERVED_MAX: usize = 1_024;

/// What Trystero says of a request that got no answer from its handler.
const NO_ANSWER: &str = "Trystero: request handler returned undefined";
/// What Trystero says of a request that has no handler.
const NO_HANDLER: &str = "request handler unavailable";

/// A question of a peer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Request<Q> {
    /// Who asks.
    pub peer: PeerId,
    /// What.
    pub value: Q,
    /// What was sent along; JSON `null` is not the same as nothing.
    pub metadata: Option<Value>,
}

/// The requests of peers; made by [`RequestAction::requests`]. Also a [`Stream`].
///
/// It ends when the room was left. Once it is dropped requests are rejected, those too that it was
/// not asked for.
pub struct Requests<Q, A, F = Json> {
    action: RequestAction<Q, A, F>,
    /// There until this is dropped.
    inbox: Option<Inbox<Asked>>,
}

/// Answers one request. If it is dropped without that the request is rejected, in the words that
/// Trystero has for it.
pub struct Responder<A, F = Json> {
    call: Call,
    types: PhantomData<fn(A, F)>,
}

/// Why an answer did not go to whom it is for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RespondError {
    /// The action's format has no form for it. The request is rejected.
    #[error("the answer can't be sent: {0}")]
    Format(#[from] FormatError),
    /// It can't be sent, such as one that is too large. The request is rejected.
    #[error("the answer can't be sent: {0}")]
    Invalid(SendError),
    /// The peer left, or we did, before it was answered.
    #[error("nobody waits for the answer any more")]
    Over,
    /// It was not handed over.
    #[error("the answer was not sent: {0}")]
    NotSent(
        /// Why.
        SendFailure,
    ),
}

/// A request that is to be answered, and is rejected if it is not.
struct Call {
    room: Room,
    call: CallId,
    ended: Inbox<std::convert::Infallible>,
    is_answered: bool,
}

impl<Q, A, F: Format<Q> + Format<A>> RequestAction<Q, A, F> {
    /// The requests of peers from now on, and those that came in the last 500 ms, each with what
    /// answers it. One that is of another type is rejected, and is an error here.
    ///
    /// The first of several streams gets all requests, as long as it is there.
    pub fn requests(&self) -> Requests<Q, A, F> {
        let bounds = self.room.bounds();
        let inbox = self.room.call(|state, key, now| {
            let (node, desk) = state.room(key)?;
            let inbox = desk.calls.handle(&self.name, bounds);
            // It is registered as such, so this only says that there is a handler now.
            let options = desk.request_options(&self.name);
            node.register(key, &self.name, options, now).ok().map(|()| inbox)
        });
        Requests { action: self.clone(), inbox: Some(inbox.unwrap_or_else(Inbox::ended)) }
    }

    /// Answers requests by a function, from now on and until the room is left; an error rejects
    /// the request, with its text. Spawn the future that this gives, or poll it beside others.
    ///
    /// Many requests are worked on at once, without waiting for each other. What the function does
    /// for a caller that leaves is dropped where it waits, and so is everything if the future is
    /// dropped. A request of another type is rejected.
    ///
    /// The future is a handle of the room: one that is spawned keeps it until
    /// [`Room::leave`](crate::Room::leave). What the function needs of its surroundings it takes
    /// along for each call: `move |request| { let store = store.clone(); async move { … } }`. One that
    /// can't fail says of which type its errors would be: `Ok::<_, Infallible>(…)`.
    ///
    /// A panic in the function ends the future, and with it all handling: what was asked is rejected, and
    /// who asks later hears that nothing handles it.
    ///
    /// ```
    /// # async fn example(room: tristero::Room) -> Result<(), Box<dyn std::error::Error>> {
    /// use tristero::RequestAction;
    ///
    /// let divide: RequestAction<(i32, i32), i32> = room.request_action("divide")?;
    /// divide.serve(async |request| {
    ///     let (a, b) = request.value;
    ///     a.checked_div(b).ok_or("that has no answer")
    /// }).await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve<H, R, E>(&self, mut handler: H) -> impl Future<Output = ()> + use<Q, A, F, H, R, E>
    where
        H: FnMut(Request<Q>) -> R,
        R: Future<Output = Result<A, E>>,
        E: Display,
    {
        let mut requests = self.requests();
        async move {
            let mut served = FuturesUnordered::new();
            poll_fn(|cx| {
                loop {
                    while let Poll::Ready(Some(())) = Pin::new(&mut served).poll_next(cx) {}
                    if served.len() >= SERVED_MAX {
                        return Poll::Pending;
                    }
                    match ready!(requests.poll_recv(cx)) {
                        Some(Ok((request, responder))) => {
                            served.push(answer(handler(request), responder));
                        }
                        Some(Err(error)) => debug!(%error, "rejected a request"),
                        None => return Poll::Ready(()),
                    }
                }
            })
            .await;
        }
    }
}

impl<Q, A, F: Format<Q> + Format<A>> Requests<Q, A, F> {
    /// The next request, and what answers it; `None` once the room was left. Nothing is lost if
    /// its future is dropped.
    pub async fn recv(&mut self) -> Option<Result<(Request<Q>, Responder<A, F>), WrongType>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<<Self as Stream>::Item>> {
        let inbox = self.inbox.as_ref().expect("it is there until this is dropped");
        let Some(asked) = ready!(inbox.poll_next(cx)) else { return Poll::Ready(None) };
        let Asked { peer, call, payload, metadata, ended } = asked;
        let call = Call { room: self.action.room.clone(), call, ended, is_answered: false };
        Poll::Ready(Some(match F::from_payload(payload) {
            Ok(value) => {
                let responder = Responder { call, types: PhantomData };
                Ok((Request { peer, value, metadata }, responder))
            }
            Err((value, why)) => {
                call.reject(format!("the request is of another type: {why}"));
                let received = Box::new(Received { peer, value, metadata });
                Err(WrongType { received, why })
            }
        }))
    }
}

impl<Q, A, F: Format<Q> + Format<A>> Stream for Requests<Q, A, F> {
    type Item = Result<(Request<Q>, Responder<A, F>), WrongType>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_recv(cx)
    }
}

impl<Q, A, F> Drop for Requests<Q, A, F> {
    fn drop(&mut self) {
        let Some(inbox) = self.inbox.take() else { return };
        inbox.hush();
        let RequestAction { room, name, .. } = &self.action;
        room.call(|state, key, now| {
            let Some((node, desk)) = state.room(key) else { return };
            for Asked { call, .. } in inbox.drain() {
                desk.calls.forget(call);
                // It may be over, and then nobody needs to know.
                let _ = node.respond(key, call, Err(NO_HANDLER.to_owned()), now);
            }
            // It is registered as such, so this only says whether there is a handler still.
            let _ = node.register(key, name, desk.request_options(name), now);
        });
    }
}

impl<A, F: Format<A>> Responder<A, F> {
    /// Answers, and resolves when the answer was handed over. Dropping the future once it was
    /// polled only stops waiting.
    pub async fn respond(self, answer: impl Into<A>) -> Result<(), RespondError> {
        match F::into_payload(answer.into()) {
            Ok(payload) => self.call.respond(Ok(payload)).await,
            Err(why) => {
                let error = RespondError::Format(why);
                self.call.reject(error.to_string());
                Err(error)
            }
        }
    }
}

impl<A, F> Responder<A, F> {
    /// Rejects the request, with a text for the caller, and resolves when that was handed over.
    /// Dropping the future once it was polled only stops waiting.
    pub async fn reject(self, why: impl Display) -> Result<(), RespondError> {
        self.call.respond(Err(why.to_string())).await
    }

    /// Resolves when nobody waits for the answer any more, because the caller left, or we did.
    /// Dropping the future only stops waiting.
    pub async fn abandoned(&self) {
        let Call { ended, .. } = &self.call;
        while ended.next().await.is_some() {}
    }
}

impl Call {
    async fn respond(mut self, answer: Result<Payload, String>) -> Result<(), RespondError> {
        let sent = self.begin(answer);
        if let Err(error @ RespondError::Invalid(_)) = &sent {
            self.begin(Err(error.to_string())).ok();
        }
        let steps = sent?;
        match steps.next().await {
            Some(SendStep::Sent(mut report)) => match report.failed.pop() {
                Some((_, failure)) => Err(RespondError::NotSent(failure)),
                None => Ok(()),
            },
            Some(SendStep::Ready) | None => Err(RespondError::Over),
        }
    }

    /// Rejects, and does not wait.
    fn reject(mut self, why: String) {
        // If it is over then nobody needs to know.
        let _ = self.begin(Err(why));
    }

    fn begin(&mut self, answer: Result<Payload, String>) -> Result<Inbox<SendStep>, RespondError> {
        let call = self.call;
        let begun = self.room.call(|state, key, now| {
            let (node, desk) = state.room(key).ok_or(RespondError::Over)?;
            let send = node.respond(key, call, answer, now).map_err(|error| match error {
                tristero_proto::RespondError::Send(error) => RespondError::Invalid(error),
                _ => RespondError::Over,
            })?;
            desk.calls.forget(call);
            Ok(desk.sends.add(send, Bounds::OWN))
        });
        self.is_answered |= !matches!(begun, Err(RespondError::Invalid(_)));
        begun
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.is_answered {
            // If it is over then nobody needs to know.
            let _ = self.begin(Err(NO_ANSWER.to_owned()));
        }
    }
}

impl<Q, A, F> fmt::Debug for Requests<Q, A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("action", &self.action).finish_non_exhaustive()
    }
}

impl<A, F> fmt::Debug for Responder<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("call", &self.call.call).finish_non_exhaustive()
    }
}

/// Answers by what a handler gives, unless the caller leaves first.
async fn answer<A, F, E>(handled: impl Future<Output = Result<A, E>>, responder: Responder<A, F>)
where
    F: Format<A>,
    E: Display,
{
    let result = {
        let (handled, abandoned) = (pin!(handled), pin!(responder.abandoned()));
        match select(handled, abandoned).await {
            Either::Left((result, _)) => result,
            Either::Right(((), _)) => return,
        }
    };
    let responded = match result {
        Ok(value) => responder.respond(value).await,
        Err(error) => responder.reject(error).await,
    };
    if let Err(error) = responded {
        debug!(%error, "an answer was not sent");
    }
}
