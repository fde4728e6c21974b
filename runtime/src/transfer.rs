//! Bytes of any length, from a reader to a reader: never all of them in memory.

mod incoming;

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use futures_io::AsyncRead;
use serde_json::Value;
use tristero_proto::wire::ActionName;
use tristero_proto::{ActionKind, ActionOptions, PeerId, RegisterError, SendOptions};

use crate::action::ActionError;
use crate::desk::{Arrival, SendStep};
use crate::inbox::Inbox;
use crate::room::Room;
use crate::send::{Begun, OnProgress, SendError, Sent};
pub use incoming::{Incoming, IncomingError};

/// Bytes that are read from a source at once: sixteen chunks, so that a connection has something
/// to do meanwhile.
const PIECE_BYTES_MAX: usize = 256 * 1024;

/// A name under which the members of a room send each other bytes of any length, such as files.
/// Also a [`Stream`] of those that arrive.
///
/// Browsers send and receive them as any other binary message.
#[derive(Debug)]
pub struct TransferAction {
    room: Room,
    name: ActionName,
    arrivals: Inbox<Arrival>,
}

/// Why bytes were not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The source could not be read. Whoever has not all of it gets none of it.
    #[error("the source can't be read: {0}")]
    Read(io::Error),
    /// They could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// A transfer that is being put together; `.await` sends it. Made by
/// [`TransferAction::send_from`].
#[must_use = "nothing is sent before this is awaited"]
pub struct TransferBuilder<R> {
    room: Room,
    action: ActionName,
    reader: R,
    length: Option<u64>,
    options: SendOptions,
    on_progress: Option<OnProgress>,
}

/// Bytes that are being sent: the future of a [`TransferBuilder`].
///
/// They are read and sent while this is polled, and what is sent later under this name waits for
/// them. A receiver gives up on a source that has nothing for 30 s. Dropping this aborts the
/// transfer: whoever has not all of it gets none of it.
#[must_use = "nothing is sent unless this is polled"]
pub struct Transferring<R> {
    reader: R,
    buffer: Box<[u8]>,
    is_targeted: bool,
    /// Whether the node takes more now.
    is_asked: bool,
    phase: Phase,
    on_progress: Option<OnProgress>,
}

enum Phase {
    Refused(SendError),
    Begun(Begun),
    Over,
}

impl TransferAction {
    pub(crate) fn new(room: Room, name: ActionName) -> Result<Self, ActionError> {
        let options = ActionOptions { kind: ActionKind::Transfer, progress: false };
        let arrivals = room.call(|state, key, now| {
            let (node, desk) = state.room(key).ok_or(RegisterError::RoomGone)?;
            // What waits for the name is handed on after this, under the same lock.
            node.register(key, &name, options, now)?;
            Ok::<_, RegisterError>(desk.transfers.read(&name))
        })?;
        Ok(TransferAction { room, name, arrivals })
    }

    /// Sends what a reader gives to everyone who is in the room now, or to some by
    /// [`TransferBuilder::to`]. It is read piece by piece, as fast as the slowest target takes it,
    /// so it may be larger than memory.
    ///
    /// Transfers to one peer follow each other, in the order in which they were begun.
    pub fn send_from<R>(&self, reader: R) -> TransferBuilder<R> {
        TransferBuilder {
            room: self.room.clone(),
            action: self.name.clone(),
            reader,
            length: None,
            options: SendOptions::default(),
            on_progress: None,
        }
    }

    /// The next transfer that arrives, from its beginning; `None` once the room was left. Nothing
    /// is lost if its future is dropped.
    ///
    /// Of several actions with one name, the first gets all, as long as it is there.
    pub async fn recv(&mut self) -> Option<Incoming> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl Stream for TransferAction {
    type Item = Incoming;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        let arrival = ready!(self.arrivals.poll_next(cx));
        Poll::Ready(arrival.map(|arrival| Incoming::new(self.room.clone(), arrival)))
    }
}

impl<R> TransferBuilder<R> {
    /// Sends to this peer alone, or to one more. For a list, which may be empty, there is
    /// [`to_all`](Self::to_all).
    pub fn to(mut self, peer: &PeerId) -> Self {
        self.options.targets.get_or_insert_default().push(peer.clone());
        self
    }

    /// Sends to these peers, or to these too. To none of them is to nobody.
    pub fn to_all<'a>(mut self, peers: impl IntoIterator<Item = &'a PeerId>) -> Self {
        self.options.targets.get_or_insert_default().extend(peers.into_iter().cloned());
        self
    }

    /// Sends this JSON along: up to 65,433 bytes.
    pub fn metadata(mut self, metadata: impl Into<Value>) -> Self {
        self.options.metadata = Some(metadata.into());
        self
    }

    /// Sends what this reader gives instead.
    pub fn read_from<S>(self, reader: S) -> TransferBuilder<S> {
        let TransferBuilder { room, action, reader: _, length, options, on_progress } = self;
        TransferBuilder { room, action, reader, length, options, on_progress }
    }

    /// Says how many bytes the reader will give, for the progress that both sides see. Without it
    /// progress approaches 1, and is there with the last bytes.
    pub fn length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Calls this with how much was handed over for each target, from 0 to 1, while the future is
    /// polled.
    pub fn on_progress(mut self, on_progress: impl FnMut(&PeerId, f64) + Send + 'static) -> Self {
        self.options.progress = true;
        self.on_progress = Some(Box::new(on_progress));
        self
    }
}

impl<R: AsyncRead + Unpin> IntoFuture for TransferBuilder<R> {
    type Output = Result<Sent, TransferError>;
    type IntoFuture = Transferring<R>;

    fn into_future(self) -> Transferring<R> {
        let TransferBuilder { room, action, reader, length, options, on_progress } = self;
        let begun = Begun::begin(room, options.progress, |node, key, now| {
            node.send_stream(key, &action, &options, length, now)
        });
        Transferring {
            reader,
            buffer: vec![0; PIECE_BYTES_MAX].into(),
            is_targeted: options.targets.is_some(),
            is_asked: false,
            phase: begun.map_or_else(|error| Phase::Refused(error.into()), Phase::Begun),
            on_progress,
        }
    }
}

impl<R: AsyncRead + Unpin> Future for Transferring<R> {
    type Output = Result<Sent, TransferError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Transferring { reader, buffer, is_targeted, is_asked, phase, on_progress } = &mut *self;
        loop {
            let Phase::Begun(begun) = phase else { return Poll::Ready(Err(phase.refusal())) };
            // It may be over before the source has more to give.
            match begun.poll_step(on_progress.as_mut(), cx) {
                Poll::Ready(Some(SendStep::Ready)) => *is_asked = true,
                Poll::Ready(end) => {
                    *phase = Phase::Over;
                    return Poll::Ready(Ok(Sent::new(end, *is_targeted)?));
                }
                Poll::Pending if *is_asked => {
                    match ready!(poll_piece(reader, buffer, cx)) {
                        Ok(Some(piece)) => begun.feed(piece),
                        Ok(None) => begun.finish(),
                        Err(error) => {
                            *phase = Phase::Over;
                            return Poll::Ready(Err(TransferError::Read(error)));
                        }
                    }
                    *is_asked = false;
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Phase {
    /// Why it never began.
    fn refusal(&mut self) -> TransferError {
        match std::mem::replace(self, Phase::Over) {
            Phase::Refused(error) => error.into(),
            Phase::Begun(_) | Phase::Over => panic!("polled after it was over"),
        }
    }
}

impl<R> fmt::Debug for TransferBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TransferBuilder { room, action, length, options, .. } = self;
        let mut debug = f.debug_struct("TransferBuilder");
        debug.field("room", room).field("action", action).field("length", length);
        debug.field("options", options).finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for Transferring<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transferring")
            .field("is_targeted", &self.is_targeted)
            .finish_non_exhaustive()
    }
}

/// What the reader has, as much as there is room for; `None` at its end.
fn poll_piece<R: AsyncRead + Unpin>(
    reader: &mut R,
    buffer: &mut [u8],
    cx: &mut Context<'_>,
) -> Poll<io::Result<Option<Bytes>>> {
    let mut filled = 0;
    while filled < buffer.len() {
        match Pin::new(&mut *reader).poll_read(cx, &mut buffer[filled..]) {
            Poll::Ready(Ok(0)) => break,
            Poll::Ready(Ok(length)) => filled += length,
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending if filled == 0 => return Poll::Pending,
            Poll::Pending => break,
        }
    }
    Poll::Ready(Ok((filled > 0).then(|| Bytes::copy_from_slice(&buffer[..filled]))))
}
