//! One client's WebSocket, from its first frame to its end.
//!
//! Reading and writing run side by side in one task. The reader understands messages and
//! watches for silence; the writer empties the outbox and pings. Neither waits for the other,
//! so a client that does not read can still be heard, and cut. Whatever ends first ends the
//! connection, with a close frame that says why.

use std::{sync::Arc, time::Duration};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, sink},
    select,
    task::yield_now,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Bytes, Message,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tracing::{debug, trace};

use crate::{
    Limits,
    http::Opened,
    hub::{Subscriber, TooManyTopics},
    outbox::Outbox,
    shared::Shared,
    wire::{ClientMessage, Delivery},
};

/// Serves a client until one of both ends the connection.
pub(crate) async fn serve<S>(opened: Opened<S>, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // The slot is kept until the socket is closed.
    let Opened { stream, already_read, slot: _slot } = opened;
    let limits = &shared.limits;
    let mut socket = WebSocketStream::from_partially_read(
        stream,
        already_read,
        Role::Server,
        Some(socket_config(limits)),
    )
    .await;
    shared.meters.opened.count();
    debug!("opened");

    let end = talk(&mut socket, shared).await;
    debug!(why = %end, "closing");
    end.count(shared);
    // Who does not take the close frame in time loses the socket without it.
    let _ = timeout(limits.close_timeout, close(socket, &end)).await;
}

/// Why a connection ends.
#[derive(Debug, Error)]
enum End {
    #[error("the client left")]
    Left,
    #[error("the network failed: {0}")]
    Broken(tungstenite::Error),
    #[error("the client sent no sign of life")]
    Silent,
    #[error("the client did not read what was sent to it")]
    Slow,
    #[error("the client sent a message that is too long")]
    Oversized,
    #[error("the client sent text that is not UTF-8")]
    NotUtf8,
    #[error("the client broke the WebSocket protocol: {0}")]
    Protocol(tungstenite::Error),
    #[error("the relay ends")]
    Stopping,
}

async fn talk<S>(socket: &mut WebSocketStream<S>, shared: &Shared) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let outbox = Arc::new(Outbox::new(&shared.limits));
    let subscriber = shared.hub.enter(Arc::clone(&outbox));
    let (frames_out, frames_in) = socket.split();
    select! {
        end = read(frames_in, subscriber, shared) => end,
        end = write(frames_out, &outbox, shared.limits.ping_interval) => end,
        () = outbox.overflowed() => End::Slow,
        () = shared.stopping() => End::Stopping,
    }
}

/// Takes what the client sends. The subscriptions end with it.
async fn read(
    mut frames: impl Stream<Item = tungstenite::Result<Message>> + Unpin,
    mut subscriber: Subscriber,
    shared: &Shared,
) -> End {
    loop {
        let frame = match timeout(shared.limits.silence_max(), frames.next()).await {
            Err(_elapsed) => return End::Silent,
            Ok(None) => return End::Left,
            Ok(Some(Err(error))) => return error.into(),
            Ok(Some(Ok(frame))) => frame,
        };
        match frame {
            Message::Text(text) => {
                on_text(&text, &mut subscriber, shared);
                // The buffer may hold many more messages. Their receivers are written to
                // before the next one, or a burst could overflow outboxes that nobody had a
                // chance to empty.
                yield_now().await;
            }
            Message::Binary(_) => shared.meters.ignored_binary.count(),
            // Pings and closes are answered by the socket. Reading on after a close writes
            // the answer and then ends the stream.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
            Message::Frame(_) => unreachable!("only written, never read"),
        }
    }
}

fn on_text(text: &str, subscriber: &mut Subscriber, shared: &Shared) {
    let meters = &shared.meters;
    match ClientMessage::parse(text, shared.limits.topic_bytes_max) {
        Ok(ClientMessage::Subscribe { topic }) => match subscriber.subscribe(&topic) {
            Ok(()) => trace!(%topic, "subscribed"),
            Err(TooManyTopics) => meters.ignored_too_many_topics.count(),
        },
        Ok(ClientMessage::Unsubscribe { topic }) => subscriber.unsubscribe(&topic),
        Ok(ClientMessage::Publish { topic, payload }) => {
            meters.published.count();
            let frame = Delivery { topic: topic.as_ref().into(), payload }.emit();
            let receivers = subscriber.hub().publish(&topic, &frame);
            meters.delivered.add(receivers as u64);
        }
        Err(wrong) => {
            trace!(%wrong, "ignored a message");
            meters.ignored(wrong);
        }
    }
}

/// Sends what waits in the outbox, and pings.
async fn write(
    mut frames: impl Sink<Message, Error = tungstenite::Error> + Unpin,
    outbox: &Outbox,
    ping_interval: Duration,
) -> End {
    let ping_interval = ping_interval.clamp(PING_INTERVAL_MIN, PING_INTERVAL_MAX);
    let mut pings = interval_at(Instant::now() + ping_interval, ping_interval);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let written = select! {
            // A ping that is due goes first, or steady traffic would keep it off forever.
            biased;
            _ = pings.tick() => frames.send(Message::Ping(Bytes::new())).await,
            frame = outbox.next() => write_batch(&mut frames, frame, outbox).await,
        };
        if let Err(error) = written {
            return error.into();
        }
    }
}

/// Writes a frame and those behind it, and flushes once.
async fn write_batch(
    frames: &mut (impl Sink<Message, Error = tungstenite::Error> + Unpin),
    first: tungstenite::Utf8Bytes,
    outbox: &Outbox,
) -> tungstenite::Result<()> {
    frames.feed(Message::Text(first)).await?;
    for _ in 1..WRITE_BATCH_FRAMES {
        let Some(frame) = outbox.pop() else { break };
        frames.feed(Message::Text(frame)).await?;
    }
    frames.flush().await
}

/// Sends the close frame and hangs up, but reads until the client did too: closing a socket
/// with unread data would reset it, and the client might never see the frame.
async fn close<S>(mut socket: WebSocketStream<S>, end: &End)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let closed = match end.close_frame() {
        Some(frame) => socket.close(Some(frame)).await,
        // Writes the answer to the client's own close frame, if that is still to be done.
        None => SinkExt::close(&mut socket).await,
    };
    if closed.is_err() {
        return;
    }
    // Read beneath the WebSocket, which reads no more after an error. Any error now means
    // that the client is gone.
    let mut stream = socket.into_inner();
    if stream.shutdown().await.is_ok() {
        let _ = copy(&mut stream, &mut sink()).await;
    }
}

impl End {
    fn close_frame(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Left | Self::Broken(_) => return None,
            Self::Silent => (CloseCode::Policy, "no answer to pings"),
            Self::Slow => (CloseCode::Policy, "too slow to read"),
            Self::Oversized => (CloseCode::Size, "message too long"),
            Self::NotUtf8 => (CloseCode::Invalid, "text is not UTF-8"),
            Self::Protocol(_) => (CloseCode::Protocol, "not the WebSocket protocol"),
            Self::Stopping => (CloseCode::Away, "the relay shuts down"),
        };
        Some(CloseFrame { code, reason: reason.into() })
    }

    fn count(&self, shared: &Shared) {
        let meters = &shared.meters;
        match self {
            Self::Left | Self::Broken(_) | Self::Stopping => {}
            Self::Silent => meters.cut_silent.count(),
            Self::Slow => meters.cut_slow.count(),
            Self::Oversized => meters.cut_oversized.count(),
            Self::NotUtf8 | Self::Protocol(_) => meters.cut_protocol.count(),
        }
    }
}

impl From<tungstenite::Error> for End {
    fn from(error: tungstenite::Error) -> Self {
        use tungstenite::{Error, error::ProtocolError};

        match error {
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Left,
            // The writer found that the client has sent its close frame.
            Error::Protocol(ProtocolError::SendAfterClosing) => Self::Left,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Broken(error),
            Error::Protocol(_) => Self::Protocol(error),
            Error::Capacity(_) => Self::Oversized,
            Error::Utf8(_) => Self::NotUtf8,
            _ => Self::Broken(error),
        }
    }
}

fn socket_config(limits: &Limits) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        // A message may wait to be written, and answers to pings, of which one is enough.
        .max_write_buffer_size(BUFFER_BYTES + 2 * limits.message_bytes_max)
        .max_message_size(Some(limits.message_bytes_max))
        .max_frame_size(Some(limits.message_bytes_max))
}

/// Each connection holds a read buffer of this size, so thousands of idle ones ask for a small
/// one; the usual message fits.
const BUFFER_BYTES: usize = 4 * 1024;

/// The timer can't tick at intervals of zero.
const PING_INTERVAL_MIN: Duration = Duration::from_millis(1);

/// Someone who wants no pings may ask for an interval that no clock can count.
const PING_INTERVAL_MAX: Duration = Duration::from_secs(86_400);

/// Frames written before the writer looks up again: many small ones share a packet, and pings
/// are late by little.
const WRITE_BATCH_FRAMES: usize = 64;

#[cfg(test)]
mod tests {
    use tokio::io::duplex;
    use tokio_tungstenite::WebSocketStream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_only_answers_pings_stays() {
        let shared = Shared::new(Limits::default());
        let (stream, far_end) = duplex(1_024);
        let slot = shared.take_slot().unwrap();
        let serving = serve(Opened { stream, already_read: Vec::new(), slot }, &shared);
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
