//! The two ends of a link that its user holds.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Sink, stream};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::PollSender;
use tristero::Link;
use tristero_proto::signaling::LinkFrame;

use crate::driver::{Driver, Request};
use crate::message::MESSAGE_BYTES_MAX;
use crate::protocol::RequestProtocol;
use crate::swarm::Connection;

/// Requests that wait to be made. The sink is not ready while there are more.
const OUTBOUND_MAX: usize = 64;
/// Frames that wait to be read. What is pushed waits in its stream while there are more, and the
/// node with it.
const INBOUND_MAX: usize = 16;

/// Makes a link of a connection. Must be called within tokio.
pub(crate) fn open(connection: Connection) -> Link {
    let (requests, outbox) = mpsc::channel(OUTBOUND_MAX);
    let (inbox, frames) = mpsc::channel(INBOUND_MAX);
    let (guard, ended) = oneshot::channel();
    tokio::spawn(async move {
        Driver::new(connection, inbox).run(outbox).await;
        drop::<oneshot::Sender<()>>(guard);
    });
    let frames = stream::unfold(frames, async |mut frames: mpsc::Receiver<_>| {
        let frame = frames.recv().await?;
        Some((frame, frames))
    });
    let sink = Outbox { requests: PollSender::new(requests), ended };
    Link { frames: Box::pin(frames), sink: Box::pin(sink) }
}

/// Takes frames for the driver. Closing it waits until the driver has made what it took, which
/// takes the driver's own limit at most.
struct Outbox {
    requests: PollSender<Request>,
    /// Ends, without a value, with the driver.
    ended: oneshot::Receiver<()>,
}

impl Sink<LinkFrame> for Outbox {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.requests.poll_reserve(cx).map_err(|_| ended())
    }

    fn start_send(mut self: Pin<&mut Self>, frame: LinkFrame) -> io::Result<()> {
        let request = read_request(frame)?;
        self.requests.send_item(request).map_err(|_| ended())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The driver takes what is there by itself.
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.requests.close();
        Pin::new(&mut self.ended).poll(cx).map(|_| Ok(()))
    }
}

fn read_request(frame: LinkFrame) -> io::Result<Request> {
    let invalid = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
    let LinkFrame::Binary(frame) = frame else {
        return Err(invalid("a text is no request to a Waku node"));
    };
    let protocol = frame.first().copied().and_then(RequestProtocol::from_byte);
    let protocol = protocol.ok_or_else(|| invalid("the frame names no protocol of requests"))?;
    if frame.len() - 1 > MESSAGE_BYTES_MAX {
        return Err(invalid("the message is too long"));
    }
    Ok(Request { protocol, message: frame.slice(1..) })
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the link has ended")
}

/// A frame with a message of the protocol that `byte` stands for.
pub(crate) fn frame(byte: u8, message: &[u8]) -> LinkFrame {
    LinkFrame::Binary(Bytes::from([&[byte], message].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_of_requests_go_out() {
        assert!(read_request(LinkFrame::Text("\u{1}".to_owned())).is_err());
        assert!(read_request(LinkFrame::Binary(Bytes::new())).is_err());
        assert!(read_request(frame(0, b"x")).is_err());
        assert!(read_request(frame(3, b"x")).is_err());
        assert!(read_request(frame(1, &vec![0; MESSAGE_BYTES_MAX + 1])).is_err());
        for byte in [1, 2, 4] {
            let request = read_request(frame(byte, b"x")).unwrap();
            assert_eq!((request.protocol.byte(), &request.message[..]), (byte, &b"x"[..]));
        }
    }
}
