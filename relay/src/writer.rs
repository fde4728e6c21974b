//! Frames on their way into a client's socket.

use std::{
    array,
    collections::VecDeque,
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::Mutex,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use crate::queue::{BATCH_FRAMES, IDLE_CAPACITY, Queue};

/// The writing end of a connection, with TLS or without.
pub(crate) type Stream = Box<dyn AsyncWrite + Send + Unpin>;

/// Writes frames, many at once and each to its end.
pub(crate) struct Writer {
    stream: Stream,
    /// Frames that are no longer in the queue. Of the first, some may be written.
    batch: VecDeque<Bytes>,
    progress: Progress,
    error: Option<io::Error>,
}

/// Where the stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing was begun that has to be ended.
    Flushed,
    /// All that was written are whole frames.
    BetweenFrames,
    /// The first frame of the batch was begun.
    MidFrame,
}

impl Writer {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, batch: VecDeque::new(), progress: Progress::Flushed, error: None }
    }

    /// Writes what was begun, or else what is next in the queue; pending where the stream takes no
    /// more now.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        queue: &Mutex<Queue>,
    ) -> Poll<io::Result<()>> {
        let written = ready!(self.poll_batch(cx, queue));
        Poll::Ready(written.map_err(|error| {
            let kind = error.kind();
            self.error = Some(error);
            kind.into()
        }))
    }

    /// Why the last write failed, once.
    pub(crate) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Frees the frames that were not begun.
    pub(crate) fn drop_unbegun(&mut self) {
        self.batch.truncate(usize::from(self.progress == Progress::MidFrame));
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_batch(&mut self, cx: &mut Context<'_>, queue: &Mutex<Queue>) -> Poll<io::Result<()>> {
        if self.batch.is_empty() {
            queue.lock().expect("nothing panics while it holds this lock").take(&mut self.batch);
        }
        while !self.batch.is_empty() {
            let count = ready!(self.poll_some(cx))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(count);
        }
        self.batch.shrink_to(IDLE_CAPACITY);
        if self.progress != Progress::Flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.progress = Progress::Flushed;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_some(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        if let [frame] = self.batch.make_contiguous() {
            return stream.poll_write(cx, frame);
        }
        let mut frames = self.batch.iter();
        let slices: [IoSlice<'_>; SLICES] =
            array::from_fn(|_| IoSlice::new(frames.next().map_or(&[], |frame| frame)));
        stream.poll_write_vectored(cx, &slices[..self.batch.len().min(SLICES)])
    }

    fn advance(&mut self, mut count: usize) {
        self.progress = Progress::BetweenFrames;
        while let Some(first) = self.batch.front_mut() {
            if count < first.len() {
                first.advance(count);
                if count > 0 {
                    self.progress = Progress::MidFrame;
                }
                return;
            }
            count -= first.len();
            self.batch.pop_front();
        }
    }
}

/// A batch, an answer and a ping.
const SLICES: usize = BATCH_FRAMES + 2;

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("frames", &self.batch.len())
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}
