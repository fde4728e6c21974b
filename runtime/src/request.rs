//! Asking a peer, and its answer.

mod many;
mod serving;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde_json::Value;
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{
    ActionKind, PeerId, RegisterError, RequestFailure, RequestId, RequestOptions, Response,
    SendError, SendFailure,
};

use crate::action::{ActionError, Received, ReceivingStream};
use crate::desk::Progress;
use crate::format::{Format, FormatError, Json, WrongType};
use crate::inbox::{Bounds, Inbox};
use crate::room::Room;
use crate::send::OnProgress;
pub use many::{RequestManyBuilder, RequestingMany, Responses};
pub use serving::{Request, Requests, RespondError, Responder};

/// A name under which the members of a room ask each other: a question is of type `Q`, its answer
/// of type `A`. Clones ask, and answer, under the same name.
///
/// Nothing is answered before [`serve`](Self::serve) or [`requests`](Self::requests): until then a
/// request is held for 500 ms and then rejected, with [`RequestError::NoHandler`].
pub struct RequestAction<Q, A, F = Json> {
    room: Room,
    name: ActionName,
    types: PhantomData<fn(Q, A, F)>,
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The answer did not come in the time that was given.
    #[error("the answer took too long")]
    TimedOut,
    /// The peer left, or was not in the room.
    #[error("the peer is not in the room, or left it")]
    Disconnected,
    /// The peer rejected the request.
    #[error("the request was rejected: {0}")]
    Rejected(
        /// Why, in the peer's words.
        String,
    ),
    /// The peer made the action and nothing that answers it. One that did not make the action
    /// holds the request, and says nothing.
    #[error("the peer does not handle such requests")]
    NoHandler,
    /// The answer is of another type.
    #[error("the answer is not of the type that is expected: {}", .0.why)]
    WrongType(
        /// What came.
        WrongType,
    ),
    /// The action's format has no form for the question.
    #[error("the question can't be sent: {0}")]
    Format(#[from] FormatError),
    /// It was not handed over.
    #[error("the question was not sent: {0}")]
    NotSent(
        /// Why.
        SendFailure,
    ),
    /// It can't be asked at all: it is too large, too much is being asked already, or the room
    /// was left before.
    #[error(transparent)]
    Invalid(#[from] tristero_proto::RequestError),
    /// The room was left before the answer came.
    #[error("the room was left before the answer came")]
    RoomLeft,
}

/// A request that is being put together; `.await` sends it and waits for its answer. Made by
/// [`RequestAction::request`].
#[must_use = "nothing is asked before this is awaited or made a future"]
pub struct RequestBuilder<Q, A, F = Json> {
    action: RequestAction<Q, A, F>,
    payload: Result<Payload, FormatError>,
    options: RequestOptions,
    on_progress: Option<OnProgress>,
}

/// A request that waits for its answer: the future of a [`RequestBuilder`].
///
/// It is sent whether this is polled or not. Dropping it aborts the request: what is not handed
/// over yet is not sent, and an answer is ignored.
#[must_use = "dropping this aborts the request"]
pub struct Requesting<A, F = Json> {
    phase: Phase,
    on_progress: Option<OnProgress>,
    types: PhantomData<fn() -> (A, F)>,
}

enum Phase {
    Refused(RequestError),
    Asked(Asked),
    Over,
}

/// A request of the node that is under way, and ends with this.
struct Asked {
    room: Room,
    peer: PeerId,
    request: RequestId,
    response: Inbox<Result<Response, RequestFailure>>,
    progress: Option<Inbox<Progress>>,
    is_over: bool,
}

impl<Q, A, F> RequestAction<Q, A, F> {
    pub(crate) fn new(room: Room, name: ActionName) -> Result<Self, ActionError> {
        room.call(|state, key, now| {
            let (node, desk) = state.room(key).ok_or(RegisterError::RoomGone)?;
            node.register(key, &name, desk.request_options(&name), now)
        })?;
        Ok(RequestAction { room, name, types: PhantomData })
    }

    /// How requests of more than one chunk (16 KiB) arrive, from now on.
    ///
    /// # Errors
    ///
    /// Fails if the room was left.
    pub fn receiving(&self) -> Result<ReceivingStream, ActionError> {
        self.room.receiving(&self.name, ActionKind::Request { handled: false })
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl<Q, A, F: Format<Q> + Format<A>> RequestAction<Q, A, F> {
    /// Asks a member of the room. There is no timeout unless one is set: the answer may take as
    /// long as the peer is there.
    pub fn request(&self, peer: &PeerId, question: impl Into<Q>) -> RequestBuilder<Q, A, F> {
        RequestBuilder {
            action: self.clone(),
            payload: F::into_payload(question.into()),
            options: RequestOptions::to(peer.clone()),
            on_progress: None,
        }
    }

    /// Asks several members of the room the same, at once. Each has an answer, or an error, of its
    /// own.
    pub fn request_many(
        &self,
        peers: impl IntoIterator<Item = PeerId>,
        question: impl Into<Q>,
    ) -> RequestManyBuilder<Q, A, F> {
        RequestManyBuilder::new(
            self.clone(),
            peers.into_iter().collect(),
            F::into_payload(question.into()),
        )
    }
}

impl<Q, A, F> Clone for RequestAction<Q, A, F> {
    fn clone(&self) -> Self {
        RequestAction { room: self.room.clone(), name: self.name.clone(), types: PhantomData }
    }
}

impl<Q, A, F> fmt::Debug for RequestAction<Q, A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RequestAction { room, name, types: _ } = self;
        f.debug_struct("RequestAction").field("room", room).field("name", name).finish()
    }
}

impl<Q, A, F> RequestBuilder<Q, A, F> {
    /// Gives the answer this long to come, from when the question was handed over.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Sends this JSON along: some 65,000 bytes at most.
    pub fn metadata(mut self, metadata: impl Into<Value>) -> Self {
        self.options.metadata = Some(metadata.into());
        self
    }

    /// Calls this with how much of the question was handed over, from 0 to 1, while the future is
    /// polled.
    pub fn on_progress(mut self, on_progress: impl FnMut(&PeerId, f64) + Send + 'static) -> Self {
        self.options.progress = true;
        self.on_progress = Some(Box::new(on_progress));
        self
    }
}

impl<Q, A, F: Format<A>> IntoFuture for RequestBuilder<Q, A, F> {
    type Output = Result<A, RequestError>;
    type IntoFuture = Requesting<A, F>;

    fn into_future(self) -> Requesting<A, F> {
        let RequestBuilder { action, payload, options, on_progress } = self;
        let asked = payload
            .map_err(RequestError::from)
            .and_then(|payload| Ok(Asked::ask(action.room, &action.name, payload, options)?));
        let phase = asked.map_or_else(Phase::Refused, Phase::Asked);
        Requesting { phase, on_progress, types: PhantomData }
    }
}

impl<A, F: Format<A>> Future for Requesting<A, F> {
    type Output = Result<A, RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Phase::Asked(asked) = &mut this.phase {
            let response = ready!(asked.poll_response(this.on_progress.as_mut(), cx));
            let peer = asked.peer.clone();
            this.phase = Phase::Over;
            return Poll::Ready(match response {
                Some(Ok(response)) => decode::<A, F>(peer, response),
                Some(Err(failure)) => Err(failure.into()),
                None => Err(RequestError::RoomLeft),
            });
        }
        match std::mem::replace(&mut this.phase, Phase::Over) {
            Phase::Refused(error) => Poll::Ready(Err(error)),
            Phase::Asked(_) | Phase::Over => panic!("polled after it was over"),
        }
    }
}

impl Asked {
    fn ask(
        room: Room,
        action: &ActionName,
        payload: Payload,
        options: RequestOptions,
    ) -> Result<Asked, tristero_proto::RequestError> {
        let peer = options.target.clone();
        let (request, response, progress) = room.call(|state, key, now| {
            let (node, desk) = state.room(key).ok_or(SendError::RoomGone)?;
            let wants_progress = options.progress;
            let request = node.request(key, action, payload, options, now)?;
            let response = desk.requests.add(request, Bounds::OWN);
            let progress =
                wants_progress.then(|| desk.progress.add(request.send_id(), Bounds::OWN));
            Ok::<_, tristero_proto::RequestError>((request, response, progress))
        })?;
        Ok(Asked { room, peer, request, response, progress, is_over: false })
    }

    /// What came of it; `None` if the room was left.
    fn poll_response(
        &mut self,
        on_progress: Option<&mut OnProgress>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Response, RequestFailure>>> {
        let response = self.response.poll_next(cx);
        if let (Some(progress), Some(on_progress)) = (&self.progress, on_progress) {
            // Asked after the response, so that all progress is told before it.
            while let Poll::Ready(Some((peer, fraction))) = progress.poll_next(cx) {
                on_progress(&peer, fraction);
            }
        }
        self.is_over |= response.is_ready();
        response
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.room.call(|state, key, now| {
            let Some((node, desk)) = state.room(key) else { return };
            node.abort_request(key, self.request, now);
            desk.requests.forget(&self.request);
            desk.progress.forget(&self.request.send_id());
        });
    }
}

impl From<RequestFailure> for RequestError {
    fn from(failure: RequestFailure) -> Self {
        match failure {
            RequestFailure::TimedOut => RequestError::TimedOut,
            RequestFailure::Disconnected => RequestError::Disconnected,
            RequestFailure::Rejected(why) => RequestError::Rejected(why),
            RequestFailure::NoHandler => RequestError::NoHandler,
            RequestFailure::NotSent(failure) => RequestError::NotSent(failure),
            other => RequestError::Rejected(other.to_string()),
        }
    }
}

impl<Q, A, F> fmt::Debug for RequestBuilder<Q, A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RequestBuilder { action, options, .. } = self;
        let mut debug = f.debug_struct("RequestBuilder");
        debug.field("action", action).field("options", options).finish_non_exhaustive()
    }
}

impl<A, F> fmt::Debug for Requesting<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requesting").finish_non_exhaustive()
    }
}

fn decode<A, F: Format<A>>(peer: PeerId, response: Response) -> Result<A, RequestError> {
    F::from_payload(response.payload).map_err(|(value, why)| {
        let received = Received { peer, value, metadata: None };
        RequestError::WrongType(WrongType { received: Box::new(received), why })
    })
}
