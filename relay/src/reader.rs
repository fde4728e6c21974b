//! What a client sends, read into messages.
//!
//! The WebSocket protocol is tungstenite's, which is given only what was read and whose answers go
//! to the outbox: it never sees the socket, and no state of it waits for one. A connection that says
//! nothing holds a small buffer; large reads go through the stack.

use std::{
    io::{self, Read, Write},
    mem::{self, MaybeUninit},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};
use tungstenite::{
    self, Message,
    protocol::{Role, WebSocketConfig, WebSocketContext},
};

use crate::{Limits, outbox::Outbox};

/// The reading end of a connection.
pub(crate) struct Reader<R> {
    stream: R,
    protocol: WebSocketContext,
    /// Read from the stream, and too much for the protocol's buffer.
    leftover: Bytes,
    /// Bytes read from the stream, not yet asked for.
    count: u64,
}

/// What tungstenite reads from and answers to.
struct Wire<'a, 'b, R> {
    stream: &'a mut R,
    leftover: &'a mut Bytes,
    count: &'a mut u64,
    answer: Vec<u8>,
    cx: &'a mut Context<'b>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads a stream that has become a WebSocket, of which something was read already.
    pub(crate) fn new(stream: R, already_read: Bytes, limits: &Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(limits.message_bytes_max))
            .max_frame_size(Some(limits.message_bytes_max));
        let protocol = WebSocketContext::new(Role::Server, Some(config));
        Self { stream, protocol, leftover: already_read, count: 0 }
    }

    /// The next message, pings and closes among them, whose answers go to the outbox.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        outbox: &Outbox,
    ) -> Poll<tungstenite::Result<Message>> {
        let Self { stream, protocol, leftover, count } = self;
        let mut wire = Wire { stream, leftover, count, answer: Vec::new(), cx };
        let read = protocol.read(&mut wire);
        if !wire.answer.is_empty() {
            outbox.answer(wire.answer.into());
        }
        match read {
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                Poll::Pending
            }
            read => Poll::Ready(read),
        }
    }

    /// Bytes that came from the stream since this was asked last.
    pub(crate) fn take_count(&mut self) -> u64 {
        mem::take(&mut self.count)
    }

    /// The stream, for who wants nothing more of what it holds.
    pub(crate) fn into_stream(self) -> R {
        self.stream
    }
}

impl<R: AsyncRead + Unpin> Read for Wire<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.leftover.is_empty() {
            let mut space = [MaybeUninit::uninit(); READ_BYTES];
            let mut read = ReadBuf::uninit(&mut space);
            match Pin::new(&mut *self.stream).poll_read(self.cx, &mut read) {
                Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
                Poll::Ready(read) => read?,
            }
            let read = read.filled();
            *self.count += read.len() as u64;
            let (now, later) = read.split_at(read.len().min(buffer.len()));
            buffer[..now.len()].copy_from_slice(now);
            if !later.is_empty() {
                *self.leftover = Bytes::copy_from_slice(later);
            }
            return Ok(now.len());
        }
        let count = self.leftover.len().min(buffer.len());
        self.leftover.copy_to_slice(&mut buffer[..count]);
        if self.leftover.is_empty() {
            // An empty slice would keep the memory.
            *self.leftover = Bytes::new();
        }
        Ok(count)
    }
}

impl<R> Write for Wire<'_, '_, R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.answer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Each connection holds a buffer of this size, so thousands of idle ones ask for a small one; an
/// announce fits.
const BUFFER_BYTES: usize = 512;

/// What is read from a socket at once. An offer fits.
const READ_BYTES: usize = 16 * 1024;
