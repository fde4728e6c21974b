//! One transfer that arrives.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_io::{AsyncBufRead, AsyncRead};
use serde_json::Value;
use tristero_proto::{PeerId, TransferFailure};

use crate::desk::{Arrival, Piece};
use crate::inbox::Inbox;
use crate::room::Room;

/// A transfer that arrives, to be read as it comes: by [`piece`](Self::piece), or as an
/// [`AsyncRead`]. Its end is told only if it is complete.
///
/// What waits to be read is bounded, by [`Unread::transfer_bytes`](crate::Unread::transfer_bytes): read
/// on, or it ends with an error. Nothing holds the sender back, to whom it is delivered once it is
/// handed over; whoever wants to ask somebody first has the file offered, and asks for it. Dropping it
/// stops keeping its bytes; the sender does not notice.
pub struct Incoming {
    /// Who sends it.
    pub peer: PeerId,
    /// What was sent along; JSON `null` is not the same as nothing.
    pub metadata: Option<Value>,
    /// It is not left while something of it is being read.
    _room: Room,
    pieces: Inbox<Piece>,
    unread: Bytes,
    fraction: f64,
    end: Option<Result<(), IncomingError>>,
}

/// Why a transfer is not complete, and never will be. As an [`io::Error`] it has a kind of its
/// own for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IncomingError {
    /// It stopped to arrive.
    #[error(transparent)]
    Failed(TransferFailure),
    /// Too much of it waited to be read: see [`Unread`](crate::Unread).
    #[error("it was not read as fast as it came: see `Unread::transfer_bytes`")]
    TooSlow,
    /// The room was left.
    #[error("the room was left before all of it came")]
    RoomLeft,
}

impl Incoming {
    pub(crate) fn new(room: Room, arrival: Arrival) -> Self {
        let Arrival { peer, metadata, pieces } = arrival;
        let (unread, fraction, end) = (Bytes::new(), 0.0, None);
        Incoming { peer, metadata, _room: room, pieces, unread, fraction, end }
    }

    /// The next bytes, as they came, without copying them; `None` once it is complete. Nothing is
    /// lost if the future is dropped.
    ///
    /// # Errors
    ///
    /// Fails, each time from then, if it can't be complete any more.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, IncomingError> {
        poll_fn(|cx| {
            ready!(self.poll_unread(cx))?;
            let piece = std::mem::take(&mut self.unread);
            Poll::Ready(Ok((!piece.is_empty()).then_some(piece)))
        })
        .await
    }

    /// How much of it was read so far, from 0 to 1, as the sender says. It stays below 1 until the
    /// end.
    pub fn progress(&self) -> f64 {
        self.fraction
    }

    /// Waits until something is unread. If it is ready and nothing is, it is complete.
    fn poll_unread(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), IncomingError>> {
        while self.unread.is_empty() {
            if let Some(end) = self.end {
                return Poll::Ready(end);
            }
            match ready!(self.pieces.poll_next(cx)) {
                Some(Piece::More(waiting, fraction)) => {
                    self.unread = waiting.take();
                    self.fraction = fraction;
                }
                Some(Piece::End(end)) => self.end = Some(end),
                None => self.end = Some(Err(IncomingError::RoomLeft)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_unread(cx))?;
        let length = buffer.len().min(self.unread.len());
        self.unread.copy_to_slice(&mut buffer[..length]);
        Poll::Ready(Ok(length))
    }
}

impl AsyncBufRead for Incoming {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_unread(cx))?;
        Poll::Ready(Ok(&this.unread))
    }

    fn consume(mut self: Pin<&mut Self>, length: usize) {
        self.unread.advance(length);
    }
}

impl From<IncomingError> for io::Error {
    fn from(error: IncomingError) -> io::Error {
        let kind = match error {
            IncomingError::Failed(TransferFailure::Left) => io::ErrorKind::ConnectionReset,
            IncomingError::Failed(TransferFailure::Idle) => io::ErrorKind::TimedOut,
            IncomingError::Failed(_) => io::ErrorKind::InvalidData,
            IncomingError::TooSlow => io::ErrorKind::OutOfMemory,
            IncomingError::RoomLeft => io::ErrorKind::NotConnected,
        };
        io::Error::new(kind, error)
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Incoming { peer, metadata, fraction, end, .. } = self;
        let mut debug = f.debug_struct("Incoming");
        debug.field("peer", peer).field("metadata", metadata);
        debug.field("progress", fraction).field("end", end).finish_non_exhaustive()
    }
}
