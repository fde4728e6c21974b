//! Receiving under a name, and the two halves of an action.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use serde_json::Value;
use tristero_proto::wire::{ActionName, InvalidActionName, Payload};
use tristero_proto::{ActionKind, PeerId, RegisterError};

use crate::format::{Format, Json, Raw, WrongType};
use crate::inbox::Inbox;
use crate::room::Room;
use crate::send::SendBuilder;

/// A name under which the members of a room send each other values of one type. Also a
/// [`Stream`] of what is received.
///
/// `T` is any type that the format `F` knows; [`Json`] knows what serde does.
pub struct Action<T, F = Json> {
    sender: Sender<T, F>,
    inbox: Inbox<Received<Payload>>,
}

/// An action whose messages are [`Payload`]s as they come: text, JSON or bytes.
pub type RawAction = Action<Payload, Raw>;

/// Why a name can't be used for an action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActionError {
    /// The name is not valid.
    #[error(transparent)]
    Name(#[from] InvalidActionName),
    /// The room takes no such action.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

/// A message of a peer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Received<T> {
    /// Who sent it.
    pub peer: PeerId,
    /// What.
    pub value: T,
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
    /// What was sent along: the same value in each step.
    pub metadata: Option<Arc<Value>>,
}

/// How messages, or requests, arrive; made by [`Action::receiving`]. Also a [`Stream`].
#[derive(Debug)]
pub struct ReceivingStream(Inbox<Receiving>);

/// The sending half of an action. Clones send under the same name.
pub struct Sender<T, F = Json> {
    room: Room,
    name: ActionName,
    types: PhantomData<fn(T, F)>,
}

impl<T, F: Format<T>> Action<T, F> {
    /// Sends to everyone who is in the room now, or to some by [`SendBuilder::to`]. See
    /// [`Sender::send`].
    pub fn send(&self, value: impl Into<T>) -> SendBuilder {
        self.sender.send(value)
    }

    /// The next message, or what came in its place; `None` once the room was left.
    ///
    /// Nothing is lost if its future is dropped.
    pub async fn recv(&mut self) -> Option<Result<Received<T>, WrongType>> {
        self.inbox.next().await.map(decode::<T, F>)
    }

    /// The next message, or what came in its place, if there is one now.
    pub fn try_recv(&mut self) -> Option<Result<Received<T>, WrongType>> {
        self.inbox.try_next().map(decode::<T, F>)
    }
}

impl<T, F> Action<T, F> {
    pub(crate) fn new(room: Room, name: ActionName, inbox: Inbox<Received<Payload>>) -> Self {
        Action { sender: Sender { room, name, types: PhantomData }, inbox }
    }

    /// How messages of more than one chunk (16 KiB) arrive, from now on.
    ///
    /// # Errors
    ///
    /// Fails if the room was left.
    pub fn receiving(&self) -> Result<ReceivingStream, ActionError> {
        let Sender { room, name, .. } = &self.sender;
        room.receiving(name, ActionKind::Message)
    }

    /// A sending half of its own.
    pub fn sender(&self) -> Sender<T, F> {
        self.sender.clone()
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.sender.name.as_str()
    }

    /// Messages that were dropped, oldest first, because they were not received in time: see
    /// [`Unread`](crate::Unread).
    pub fn dropped(&self) -> u64 {
        self.inbox.dropped()
    }
}

impl<T, F: Format<T>> Stream for Action<T, F> {
    type Item = Result<Received<T>, WrongType>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(ready!(self.inbox.poll_next(cx)).map(decode::<T, F>))
    }
}

impl<T, F> fmt::Debug for Action<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Action").field("sender", &self.sender).finish_non_exhaustive()
    }
}

impl ReceivingStream {
    pub(crate) fn new(inbox: Inbox<Receiving>) -> Self {
        ReceivingStream(inbox)
    }

    /// The next step; `None` once the room was left. Nothing is lost if its future is dropped.
    pub async fn recv(&mut self) -> Option<Receiving> {
        self.0.next().await
    }
}

impl Stream for ReceivingStream {
    type Item = Receiving;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Receiving>> {
        self.0.poll_next(cx)
    }
}

impl<T, F: Format<T>> Sender<T, F> {
    /// Sends to everyone who is in the room now, or to some by [`SendBuilder::to`].
    ///
    /// A number has to be of the action's type: `7u32` for an `Action<u32>`.
    ///
    /// Who joins later does not get it, and with nobody there it succeeds at once; wait for
    /// [`RoomEvent::PeerJoined`](crate::RoomEvent::PeerJoined) to greet. It resolves when all was
    /// handed over to the connections; how fast that goes is how fast the slowest target takes
    /// it. What is sent by one action to one peer arrives in that order.
    pub fn send(&self, value: impl Into<T>) -> SendBuilder {
        SendBuilder::new(self.room.clone(), self.name.clone(), F::into_payload(value.into()))
    }
}

impl<T, F> Clone for Sender<T, F> {
    fn clone(&self) -> Self {
        Sender { room: self.room.clone(), name: self.name.clone(), types: PhantomData }
    }
}

impl<T, F> fmt::Debug for Sender<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sender { room, name, types: _ } = self;
        f.debug_struct("Sender").field("room", room).field("name", name).finish()
    }
}

fn decode<T, F: Format<T>>(received: Received<Payload>) -> Result<Received<T>, WrongType> {
    let Received { peer, value, metadata } = received;
    match F::from_payload(value) {
        Ok(value) => Ok(Received { peer, value, metadata }),
        Err((value, why)) => {
            Err(WrongType { received: Box::new(Received { peer, value, metadata }), why })
        }
    }
}
