//! One client's WebSocket, from its first frame to its end.
//!
//! One task reads, watches for silence and pings, and writes what the publishers could not write
//! themselves. Nothing in it waits for anything else in it, so a client that does not read can still
//! be heard, and cut. Whatever ends first ends the connection, with a close frame that says why.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, copy, sink},
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, trace};
use tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::{
    Limits,
    clock::Clock,
    end::End,
    http::Opened,
    hub::{Subscriber, TooManyTopics},
    outbox::Outbox,
    reader::Reader,
    shared::Shared,
    stream::Split,
    wire::{ClientMessage, Delivery},
};

/// Serves a client until one of both ends the connection.
pub(crate) async fn serve<S: Split>(opened: Opened<S>, shared: &Shared) {
    // The slot is kept until the socket is closed.
    let Opened { stream, already_read, slot: _slot } = opened;
    let (reading, writing) = stream.split();
    let outbox = Arc::new(Outbox::new(&shared.limits, writing));
    // Boxed, because a future keeps room for each place that it moves something to.
    let mut reader = Box::new(Reader::new(reading, already_read, &shared.limits));
    shared.meters.opened.count();
    debug!("opened");

    let end = talk(&mut reader, &outbox, shared).await;
    debug!(why = %end, "closing");
    end.count(shared);
    // Who does not take the close frame in time loses the socket without it.
    let _ = timeout(shared.limits.close_timeout, close(reader, &outbox, &end)).await;
}

/// Talks to the client until something ends that. The subscriptions end with it.
async fn talk<R>(reader: &mut Reader<R>, outbox: &Arc<Outbox>, shared: &Shared) -> End
where
    R: AsyncRead + Unpin,
{
    let mut subscriber = shared.hub.enter(Arc::clone(outbox));
    let sleep = pin!(sleep_until(Instant::now()));
    let mut clock = Clock::new(sleep, &shared.limits);
    let mut stopping = pin!(shared.stopping());
    // Once is enough with a waker that stays the same: the task is woken when it is due.
    let mut begun = false;
    poll_fn(|cx| {
        if let Poll::Ready(stuck) = outbox.poll(cx) {
            return Poll::Ready(stuck.into());
        }
        if !begun || shared.is_stopping() {
            begun = true;
            let cx = &mut Context::from_waker(outbox.waker());
            if stopping.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Stopping);
            }
        }
        if let Poll::Ready(end) = poll_read(reader, &mut subscriber, cx, shared) {
            return Poll::Ready(end);
        }
        let count = reader.take_count();
        if count > 0 {
            shared.meters.received_bytes.add(count);
            clock.hear();
        }
        clock.poll(cx, outbox)
    })
    .await
}

/// Takes what the client sends, and writes what it published to the receivers.
fn poll_read<R>(
    reader: &mut Reader<R>,
    subscriber: &mut Subscriber,
    cx: &mut Context<'_>,
    shared: &Shared,
) -> Poll<End>
where
    R: AsyncRead + Unpin,
{
    let mut burst = Burst::default();
    for _ in 0..READ_BATCH_MESSAGES {
        match reader.poll_next(cx, subscriber.outbox()) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(error.into()),
            Poll::Ready(Ok(message)) => on_message(message, subscriber, &mut burst, shared),
        }
    }
    // There may be many more, for which others need not wait.
    cx.waker().wake_by_ref();
    Poll::Pending
}

fn on_message(message: Message, subscriber: &mut Subscriber, burst: &mut Burst, shared: &Shared) {
    match message {
        Message::Text(text) => on_text(&text, subscriber, burst, shared),
        Message::Binary(_) => shared.meters.ignored_binary.count(),
        // Answered by the reader. Reading on after a close ends the stream.
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
        Message::Frame(_) => unreachable!("only written, never read"),
    }
}

fn on_text(text: &str, subscriber: &mut Subscriber, burst: &mut Burst, shared: &Shared) {
    let meters = &shared.meters;
    match ClientMessage::parse(text, shared.limits.topic_bytes_max) {
        Ok(ClientMessage::Subscribe { topic }) => match subscriber.subscribe(&topic) {
            Ok(()) => trace!(%topic, "subscribed"),
            Err(TooManyTopics) => meters.ignored_too_many_topics.count(),
        },
        Ok(ClientMessage::Unsubscribe { topic }) => subscriber.unsubscribe(&topic),
        Ok(ClientMessage::Publish { topic, payload }) => {
            let text = Delivery { topic: topic.as_ref().into(), payload }.emit();
            let frame = encode(Frame::message(text, OpCode::Data(Data::Text), true));
            let fanned = subscriber.hub().publish(&topic, &frame, &mut burst.receivers);
            meters.published.count();
            meters.delivered.add(fanned.queued);
            meters.delivered_bytes.add(fanned.queued * frame.len() as u64);
            if fanned.dropped > 0 {
                meters.dropped.add(fanned.dropped);
            }
            burst.on_published(frame.len(), &shared.limits);
        }
        Err(wrong) => {
            trace!(%wrong, "ignored a message");
            meters.ignored(wrong);
        }
    }
}

/// What was published and is not yet written: a receiver of several messages gets them at once.
#[derive(Default)]
struct Burst {
    receivers: Vec<Arc<Outbox>>,
    messages: usize,
    bytes: usize,
}

impl Burst {
    /// Writes to the receivers before their outboxes could overflow for no fault of theirs.
    fn on_published(&mut self, bytes: usize, limits: &Limits) {
        self.messages += 1;
        self.bytes += bytes;
        let share = |limit: usize| limit / BURST_SHARE;
        if self.messages >= share(limits.outbox_frames_max)
            || self.bytes >= share(limits.outbox_bytes_max)
        {
            self.flush();
        }
    }

    fn flush(&mut self) {
        (self.messages, self.bytes) = (0, 0);
        self.receivers.drain(..).for_each(|outbox| outbox.flush());
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        self.flush();
    }
}

fn encode(frame: Frame) -> Bytes {
    let mut bytes = Vec::with_capacity(frame.len());
    frame.format(&mut bytes).expect("a vector takes everything");
    bytes.into()
}

/// Sends the close frame and hangs up, but reads until the client did too: closing a socket
/// with unread data would reset it, and the client might never see the frame.
async fn close<R>(reader: Box<Reader<R>>, outbox: &Outbox, end: &End)
where
    R: AsyncRead + Unpin,
{
    // The answer to the client's own close frame is in the outbox.
    let mut last = end.close_frame().map(|frame| encode(Frame::close(Some(frame))));
    if poll_fn(|cx| outbox.poll_close(cx, &mut last)).await.is_ok() {
        // Any error means that the client is gone.
        let _ = copy(&mut reader.into_stream(), &mut sink()).await;
    }
}

/// Messages of one client that are understood in one go: what they bring to a receiver is written at
/// once, and the other clients wait for less than a millisecond.
const READ_BATCH_MESSAGES: usize = 16;

/// Of what an outbox may hold, what one burst may bring.
const BURST_SHARE: usize = 4;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::StreamExt;
    use tokio::{io::duplex, select};
    use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_only_answers_pings_stays() {
        let shared = Shared::new(Limits::default());
        let (stream, far_end) = duplex(1_024);
        let slot = shared.take_slot().unwrap();
        let serving = serve(Opened { stream, already_read: Bytes::new(), slot }, &shared);
        let hour_of_pings = async {
            let mut client = WebSocketStream::from_raw_socket(far_end, Role::Client, None).await;
            let started = Instant::now();
            while started.elapsed() < Duration::from_secs(3_600) {
                let frame = client.next().await.unwrap().unwrap();
                assert_eq!(frame, Message::Ping(Bytes::new()));
            }
        };
        select! {
            () = serving => panic!("the relay cut the client"),
            () = hour_of_pings => {}
        }
    }
}
