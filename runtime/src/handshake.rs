//! The application's own handshake: who may enter a room.

use std::fmt::{self, Display};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use tristero_proto::wire::Payload;
use tristero_proto::{HandshakeId, PeerId};

use crate::desk::Met;
use crate::inbox::Inbox;
use crate::room::Room;

/// What a peer is refused with if nobody decides.
const DROPPED: &str = "handshake was dropped";

/// Peers that wait to be let into a room; made by [`Room::handshakes`]. Also a [`Stream`].
///
/// It ends when the room was left. Who waits and is not taken times out.
#[derive(Debug)]
pub struct Handshakes {
    room: Room,
    inbox: Inbox<Met>,
}

/// A peer that is connected and waits to be let into the room: both sides may talk, and each has
/// to [accept](Self::accept) the other.
///
/// Until then the peer is not in the room: nothing else is sent to it, or taken from it. Clones
/// are of the same handshake; when the last one is gone and nobody has decided, the peer is
/// refused with "handshake was dropped".
#[derive(Clone)]
pub struct Handshake {
    /// Who it is with.
    pub peer: PeerId,
    /// Whether it is ours to begin: of two peers one is told so.
    pub is_initiator: bool,
    inner: Arc<Inner>,
}

struct Inner {
    room: Room,
    handshake: HandshakeId,
    said: Inbox<HandshakeMessage>,
    is_decided: AtomicBool,
}

/// What the other side of a handshake said.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HandshakeMessage {
    /// What. [`Payload::decode`] makes a value of a type of it.
    pub payload: Payload,
    /// What was sent along; JSON `null` is not the same as nothing.
    pub metadata: Option<Value>,
}

pub use tristero_proto::HandshakeError;

impl Handshakes {
    pub(crate) fn new(room: Room, inbox: Inbox<Met>) -> Self {
        Handshakes { room, inbox }
    }

    /// The next peer that waits; `None` once the room was left. Nothing is lost if its future is
    /// dropped.
    pub async fn recv(&mut self) -> Option<Handshake> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Handshake>> {
        let Some(met) = ready!(self.inbox.poll_next(cx)) else { return Poll::Ready(None) };
        let Met { peer, handshake, is_initiator, said } = met;
        let (room, is_decided) = (self.room.clone(), AtomicBool::new(false));
        let inner = Arc::new(Inner { room, handshake, said, is_decided });
        Poll::Ready(Some(Handshake { peer, is_initiator, inner }))
    }
}

impl Stream for Handshakes {
    type Item = Handshake;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Handshake>> {
        self.poll_recv(cx)
    }
}

impl Handshake {
    /// Says something to the other side.
    ///
    /// # Errors
    ///
    /// Fails if the handshake is over, or the payload is larger than 512 KiB.
    pub fn send(&self, payload: impl Into<Payload>) -> Result<(), HandshakeError> {
        self.say(payload.into(), None)
    }

    /// Says something, and sends this JSON along.
    ///
    /// # Errors
    ///
    /// As those of [`send`](Self::send).
    pub fn send_with(
        &self,
        payload: impl Into<Payload>,
        metadata: impl Into<Value>,
    ) -> Result<(), HandshakeError> {
        self.say(payload.into(), Some(&metadata.into()))
    }

    /// What the other side says next; `None` once it is gone, took too long, or the handshake was
    /// decided here. Only one may wait for it at a time. Nothing is lost if the future is dropped.
    pub async fn recv(&self) -> Option<HandshakeMessage> {
        self.inner.said.next().await
    }

    /// Lets the peer in: it joins as soon as it accepted us too.
    ///
    /// # Errors
    ///
    /// Fails if the handshake is over.
    pub fn accept(&self) -> Result<(), HandshakeError> {
        self.inner.is_decided.store(true, Ordering::Relaxed);
        let Inner { room, handshake, .. } = &*self.inner;
        room.call(|state, key, now| {
            state.end_handshake(key, *handshake);
            state.node.handshake_accept(key, *handshake, now)
        })
    }

    /// Refuses the peer. It is not told why, only [`RoomEvent`](crate::RoomEvent::JoinFailed) here
    /// says so; it may come back, and will be met again.
    ///
    /// # Errors
    ///
    /// Fails if the handshake is over.
    pub fn refuse(&self, reason: impl Display) -> Result<(), HandshakeError> {
        self.inner.refuse(reason.to_string())
    }

    fn say(&self, payload: Payload, metadata: Option<&Value>) -> Result<(), HandshakeError> {
        let Inner { room, handshake, .. } = &*self.inner;
        room.call(|state, key, now| {
            state.node.handshake_send(key, *handshake, payload, metadata, now)
        })
    }
}

impl Inner {
    fn refuse(&self, reason: String) -> Result<(), HandshakeError> {
        self.is_decided.store(true, Ordering::Relaxed);
        self.room.call(|state, key, now| {
            state.end_handshake(key, self.handshake);
            state.node.handshake_refuse(key, self.handshake, reason, now)
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !self.is_decided.load(Ordering::Relaxed) {
            // If it is over then nobody needs to know.
            let _ = self.refuse(DROPPED.to_owned());
        }
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Handshake { peer, is_initiator, inner } = self;
        let mut debug = f.debug_struct("Handshake");
        debug.field("peer", peer).field("is_initiator", is_initiator);
        debug.field("handshake", &inner.handshake).finish_non_exhaustive()
    }
}

/// Decides on each peer by a function; see [`Room::serve_handshakes`].
pub(crate) async fn serve<H, R, E>(mut handshakes: Handshakes, mut decide: H)
where
    H: FnMut(Handshake) -> R,
    R: Future<Output = Result<(), E>>,
    E: Display,
{
    let mut deciding = FuturesUnordered::new();
    poll_fn(|cx| {
        loop {
            while let Poll::Ready(Some(())) = Pin::new(&mut deciding).poll_next(cx) {}
            let Some(handshake) = ready!(handshakes.poll_recv(cx)) else {
                return Poll::Ready(());
            };
            deciding.push(decided(decide(handshake.clone()), handshake));
        }
    })
    .await;
}

async fn decided<E: Display>(decision: impl Future<Output = Result<(), E>>, handshake: Handshake) {
    // If the peer is gone by now then nobody needs to know.
    let _ = match decision.await {
        Ok(()) => handshake.accept(),
        Err(reason) => handshake.refuse(reason),
    };
}
