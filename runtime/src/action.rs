//! Sending and receiving under a name.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde_json::Value;
use tristero_proto::wire::{ActionName, InvalidActionName, Payload};
use tristero_proto::{PeerId, RegisterError, SendFailure, SendOptions, SendReport};

use crate::inbox::Inbox;
use crate::room::Room;
use crate::shared::Sending;

/// A name under which the members of a room send each other messages. Also a [`Stream`] of what is
/// received.
#[derive(Debug)]
pub struct Action {
    sender: Sender,
    inbox: Inbox<Received>,
}

/// Why a name can't be used for an action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActionError {
    /// The name is not valid.
    #[error(transparent)]
    Name(#[from] InvalidActionName),
    /// The room takes no more actions.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

/// A message of a peer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Received {
    /// Who sent it.
    pub peer: PeerId,
    /// What.
    pub payload: Payload,
    /// What was sent along; JSON `null` is not the same as nothing.
    pub metadata: Option<Value>,
}

/// A message that is arriving.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Receiving {
    /// Who sends it.
    pub peer: PeerId,
    /// How much is here, from 0 to 1, as the sender says.
    pub fraction: f64,
    /// What was sent along.
    pub metadata: Option<Value>,
}

/// How messages arrive; made by [`Action::receiving`]. Also a [`Stream`].
#[derive(Debug)]
pub struct ReceivingStream(Inbox<Receiving>);

/// The sending half of an action. Clones send under the same name.
#[derive(Clone, Debug)]
pub struct Sender {
    room: Room,
    name: ActionName,
}

/// Why something was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// It can't be sent at all.
    #[error(transparent)]
    Invalid(#[from] tristero_proto::SendError),
    /// Some of the peers that it was sent to by name did not get it.
    #[error("not sent to all: {}", describe(.0))]
    Undelivered(
        /// Who, and why.
        Vec<(PeerId, SendFailure)>,
    ),
    /// The room was left, or the node shut down, before all was handed over.
    #[error("the room was left before all was sent")]
    RoomLeft,
}

/// What became of something that was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// Peers that all of it was handed over for; 0 if nobody else was in the room.
    pub delivered: usize,
    /// Members of the room that left, or could not take it, before they had all of it.
    pub failed: Vec<(PeerId, SendFailure)>,
}

type OnProgress = Box<dyn FnMut(&PeerId, f64) + Send>;

/// A message that is being put together; `.await` sends it. Made by [`Sender::send`].
#[must_use = "nothing is sent before this is awaited"]
pub struct SendBuilder {
    sender: Sender,
    payload: Payload,
    options: SendOptions,
    on_progress: Option<OnProgress>,
}

impl Action {
    pub(crate) fn new(room: Room, name: ActionName, inbox: Inbox<Received>) -> Self {
        Action { sender: Sender { room, name }, inbox }
    }

    /// Sends to everyone who is in the room now, or to some by [`SendBuilder::to`]. See
    /// [`Sender::send`].
    pub fn send(&self, payload: impl Into<Payload>) -> SendBuilder {
        self.sender.send(payload)
    }

    /// The next message; `None` once the room was left.
    pub async fn recv(&mut self) -> Option<Received> {
        std::future::poll_fn(|cx| self.inbox.poll_next(cx)).await
    }

    /// The next message, if there is one now.
    pub fn try_recv(&mut self) -> Option<Received> {
        self.inbox.try_next()
    }

    /// How messages of more than one chunk (16 KiB) arrive, from now on.
    pub fn receiving(&self) -> Result<ReceivingStream, ActionError> {
        let Sender { room, name } = &self.sender;
        Ok(ReceivingStream(room.node().backend().receiving(room.key(), name)?))
    }

    /// A sending half of its own.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.sender.name.as_str()
    }

    /// Messages that were dropped, oldest first, because they were not received in time: 65,536
    /// messages or 256 MiB wait at most.
    pub fn dropped(&self) -> u64 {
        self.inbox.dropped()
    }
}

impl Stream for Action {
    type Item = Received;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        self.inbox.poll_next(cx)
    }
}

impl ReceivingStream {
    /// The next step; `None` once the room was left.
    pub async fn recv(&mut self) -> Option<Receiving> {
        std::future::poll_fn(|cx| self.0.poll_next(cx)).await
    }
}

impl Stream for ReceivingStream {
    type Item = Receiving;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Receiving>> {
        self.0.poll_next(cx)
    }
}

impl Sender {
    /// Sends to everyone who is in the room now, or to some by [`SendBuilder::to`].
    ///
    /// Who joins later does not get it, and with nobody there it succeeds at once; wait for
    /// [`RoomEvent::PeerJoined`](crate::RoomEvent::PeerJoined) to greet. It resolves when all was handed over to the connections; how fast that goes is how fast the
    /// slowest target takes it. What is sent by one action to one peer arrives in that order.
    pub fn send(&self, payload: impl Into<Payload>) -> SendBuilder {
        SendBuilder {
            sender: self.clone(),
            payload: payload.into(),
            options: SendOptions::default(),
            on_progress: None,
        }
    }
}

impl SendBuilder {
    /// Sends to this peer alone, or to one more.
    pub fn to(mut self, peer: &PeerId) -> Self {
        self.options.targets.get_or_insert_default().push(peer.clone());
        self
    }

    /// Sends this JSON along: up to 65,433 bytes.
    pub fn metadata(mut self, metadata: impl Into<Value>) -> Self {
        self.options.metadata = Some(metadata.into());
        self
    }

    /// Calls this with how much was handed over for each target, from 0 to 1.
    pub fn on_progress(mut self, on_progress: impl FnMut(&PeerId, f64) + Send + 'static) -> Self {
        self.options.progress = true;
        self.on_progress = Some(Box::new(on_progress));
        self
    }
}

impl IntoFuture for SendBuilder {
    type Output = Result<Sent, SendError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let SendBuilder { sender, payload, options, mut on_progress } = self;
        let Sender { room, name } = &sender;
        let is_targeted = options.targets.is_some();
        let begun = room.node().backend().send(room.key(), name, payload, &options);
        Box::pin(async move {
            // The room is not left while something of it is being sent.
            let _sender = sender;
            let Sending { mut done, progress } = begun?;
            let SendReport { delivered, failed } = std::future::poll_fn(|cx| {
                let done = Pin::new(&mut done).poll(cx);
                // Asked after the end, so that the last step is told before it.
                while let Poll::Ready(Some((peer, fraction))) = progress.poll_next(cx) {
                    if let Some(on_progress) = &mut on_progress {
                        on_progress(&peer, fraction);
                    }
                }
                done
            })
            .await
            .map_err(|_| SendError::RoomLeft)?;
            if is_targeted && !failed.is_empty() {
                return Err(SendError::Undelivered(failed));
            }
            Ok(Sent { delivered, failed })
        })
    }
}

fn describe(failed: &[(PeerId, SendFailure)]) -> String {
    let each = failed.iter().map(|(peer, failure)| format!("{peer}: {failure}"));
    each.collect::<Vec<_>>().join(", ")
}
