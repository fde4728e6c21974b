//! What is sent to one client: what waits, and the writing of it.
//!
//! Publishers fill it without waiting and then write it out themselves, as far as the socket takes
//! it at once: a delivery wakes no task. What the socket does not take is written by the
//! connection's own task, when there is room again. Only one of them writes at a time; whoever finds
//! another at it goes away, because the writer looks for more before it leaves.
//!
//! When a client does not keep up, the outbox overflows once and for all: its frames are freed at
//! once, later ones vanish, and the connection is told to end.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker, ready},
};

use atomic_waker::AtomicWaker;
use bytes::Bytes;

use crate::{
    Limits,
    queue::{Pushed, Queue},
    writer::{Stream, Writer},
};

/// A bounded queue from many publishers to one socket.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    writer: Mutex<Writer>,
    task: Arc<Task>,
    /// Wakes `task`.
    waker: Waker,
    /// Whether the task has to look: something waits for it alone, or the connection has to end.
    needs_task: AtomicBool,
}

/// Why a connection can't go on.
#[derive(Debug)]
pub(crate) enum Stuck {
    /// The client did not read what was sent to it.
    Overflowed,
    /// The socket failed.
    Broken(io::Error),
}

/// How far what waited was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Wholly,
    /// The socket takes no more now, or failed.
    InPart,
    /// Another writes, and looks for more before it leaves.
    ByAnother,
}

/// The task of the connection, whichever polls it.
#[derive(Debug, Default)]
struct Task(AtomicWaker);

impl Outbox {
    /// An outbox of a client that reads the other end of `stream`.
    pub(crate) fn new(limits: &Limits, stream: Stream) -> Self {
        let task = Arc::new(Task::default());
        Self {
            queue: Mutex::new(Queue::new(limits)),
            writer: Mutex::new(Writer::new(stream)),
            waker: Arc::clone(&task).into(),
            task,
            needs_task: AtomicBool::new(false),
        }
    }

    /// Queues a frame, header and all. Who is told that it is the first calls
    /// [`flush`](Self::flush).
    pub(crate) fn push(&self, frame: Bytes) -> Pushed {
        let pushed = self.queue().push(frame);
        if pushed == Pushed::Dropped {
            self.call_task();
        }
        pushed
    }

    /// Queues an answer that the WebSocket protocol asks for, in place of one that still waits.
    pub(crate) fn answer(&self, frame: Bytes) {
        self.queue().answer(frame);
        self.flush();
    }

    /// Queues a ping, unless one still waits.
    pub(crate) fn ping(&self) {
        self.queue().ping();
        self.flush();
    }

    /// Writes what waits, as far as the socket takes it at once. The connection's task sees to the
    /// rest.
    pub(crate) fn flush(&self) {
        if self.write() == Written::InPart {
            // The socket may have room again before the task knows that it is to look.
            self.call_task();
        }
    }

    /// Writes what publishers could not, and says if the connection has to end. To be called by its
    /// task whenever that is woken.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Stuck> {
        self.task.0.register(cx.waker());
        if !self.needs_task.swap(false, Ordering::SeqCst) {
            return Poll::Pending;
        }
        if self.write() == Written::InPart {
            self.needs_task.store(true, Ordering::SeqCst);
        }
        if self.queue().has_overflowed() {
            return Poll::Ready(Stuck::Overflowed);
        }
        // Whoever has the lock wakes the task if the socket fails.
        let error = self.writer.try_lock().ok().and_then(|mut writer| writer.take_error());
        error.map_or(Poll::Pending, |error| Poll::Ready(Stuck::Broken(error)))
    }

    /// A waker of the connection's task.
    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Takes no more frames, frees those that wait, and writes `last` and the end of the stream.
    pub(crate) fn poll_close(
        &self,
        cx: &Context<'_>,
        last: &mut Option<Bytes>,
    ) -> Poll<io::Result<()>> {
        self.task.0.register(cx.waker());
        let mut writer = self.writer.lock().expect("nothing panics while it holds this lock");
        if self.queue().close() {
            writer.drop_unbegun();
        }
        if let Some(last) = last.take() {
            self.queue().answer(last);
        }
        let cx = &mut Context::from_waker(&self.waker);
        loop {
            ready!(writer.poll_write(cx, &self.queue))?;
            if self.queue().is_empty() {
                return writer.poll_shutdown(cx);
            }
        }
    }

    fn write(&self) -> Written {
        loop {
            let mut writer = match self.writer.try_lock() {
                Ok(writer) => writer,
                Err(TryLockError::WouldBlock) => return Written::ByAnother,
                Err(TryLockError::Poisoned(_)) => panic!("nothing panics while it holds this lock"),
            };
            let written = writer.poll_write(&mut Context::from_waker(&self.waker), &self.queue);
            drop(writer);
            if !matches!(written, Poll::Ready(Ok(()))) {
                return Written::InPart;
            }
            if self.queue().is_empty() {
                return Written::Wholly;
            }
        }
    }

    fn call_task(&self) {
        self.needs_task.store(true, Ordering::SeqCst);
        self.waker.wake_by_ref();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics while it holds this lock")
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::{
        io::{AsyncReadExt, DuplexStream, duplex},
        join, select,
    };

    use super::*;

    /// An outbox of a client that takes three bytes at a time.
    fn outbox(limits: &Limits) -> (Outbox, DuplexStream) {
        let (client, stream) = duplex(3);
        (Outbox::new(limits, Box::new(stream)), client)
    }

    #[tokio::test]
    async fn what_a_stream_does_not_take_at_once_follows_in_order() {
        let (outbox, mut client) = outbox(&Limits::default());
        outbox.push("some".into());
        outbox.flush();
        outbox.push("more".into());
        outbox.push("frames".into());
        outbox.flush();
        let mut text = [0; 14];
        select! {
            stuck = poll_fn(|cx| outbox.poll(cx)) => panic!("{stuck:?}"),
            read = client.read_exact(&mut text) => drop(read.unwrap()),
        }
        assert_eq!(&text, b"somemoreframes");
    }

    #[tokio::test]
    async fn a_close_ends_the_frame_that_was_begun_and_drops_those_behind() {
        let (outbox, mut client) = outbox(&Limits::default());
        outbox.push("begun".into());
        outbox.push("taken".into());
        outbox.flush();
        outbox.push("waiting".into());
        let (mut last, mut text) = (Some("close".into()), String::new());
        let (closed, read) =
            join!(poll_fn(|cx| outbox.poll_close(cx, &mut last)), client.read_to_string(&mut text));
        closed.unwrap();
        read.unwrap();
        assert_eq!(text, "begunclose");
    }

    #[tokio::test]
    async fn an_overflow_is_told_even_to_one_who_asks_later() {
        let (outbox, _client) = outbox(&Limits { outbox_frames_max: 1, ..Limits::default() });
        outbox.push("a".into());
        outbox.push("b".into());
        let stuck = poll_fn(|cx| outbox.poll(cx)).await;
        assert!(matches!(stuck, Stuck::Overflowed), "{stuck:?}");
    }

    #[tokio::test]
    async fn a_client_that_is_gone_is_told_to_the_task() {
        let (outbox, client) = outbox(&Limits::default());
        drop(client);
        outbox.push("a".into());
        outbox.flush();
        let stuck = poll_fn(|cx| outbox.poll(cx)).await;
        assert!(matches!(stuck, Stuck::Broken(_)), "{stuck:?}");
    }
}
