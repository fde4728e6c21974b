//! The two ends of a stream that a connection needs.

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadHalf, split},
    net::{TcpStream, tcp::OwnedReadHalf},
};
use tokio_rustls::server::TlsStream;

use crate::writer::Stream;

/// A stream that is read by its connection, and written by whoever publishes to it.
pub(crate) trait Split: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    type Reading: AsyncRead + Unpin + Send;

    fn split(self) -> (Self::Reading, Stream);
}

impl Split for TcpStream {
    type Reading = OwnedReadHalf;

    fn split(self) -> (Self::Reading, Stream) {
        // Without a lock: the kernel reads and writes a socket side by side.
        let (reading, writing) = self.into_split();
        (reading, Box::new(writing))
    }
}

impl Split for Box<TlsStream<TcpStream>> {
    type Reading = ReadHalf<Self>;

    fn split(self) -> (Self::Reading, Stream) {
        let (reading, writing) = split(self);
        (reading, Box::new(writing))
    }
}

#[cfg(test)]
impl Split for tokio::io::DuplexStream {
    type Reading = ReadHalf<Self>;

    fn split(self) -> (Self::Reading, Stream) {
        let (reading, writing) = split(self);
        (reading, Box::new(writing))
    }
}
