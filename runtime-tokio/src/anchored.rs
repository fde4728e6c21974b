//! TCP connections that notice that the machine has moved.
//!
//! Where an interface goes, the operating system keeps the connections that were made from its
//! address for many minutes, in the hope that it comes back. A relay would seem open for as long,
//! and nobody could be told of a new address over it.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// More addresses than a machine loses and does not get back.
const GONE_MAX: usize = 64;

/// The addresses that the machine had and has no more.
#[derive(Debug, Default)]
pub(crate) struct Gone(watch::Sender<Vec<IpAddr>>);

impl Gone {
    /// Notes which addresses came and went.
    pub(crate) fn note(&self, added: &[IpAddr], removed: &[IpAddr]) {
        self.0.send_modify(|gone| {
            gone.retain(|address| !added.contains(address));
            // Loopback is always there, whether it is used or not.
            gone.extend(removed.iter().filter(|address| !address.is_loopback()));
            let surplus = gone.len().saturating_sub(GONE_MAX);
            gone.drain(..surplus);
        });
    }
}

/// A connection that fails once the address that it was made from is gone.
pub(crate) struct Anchored {
    stream: TcpStream,
    /// Ready once the address is gone.
    adrift: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_adrift: bool,
}

impl Anchored {
    pub(crate) fn new(stream: TcpStream, gone: &Gone) -> io::Result<Self> {
        let local = stream.local_addr()?.ip();
        let mut gone = gone.0.subscribe();
        let adrift = Box::pin(async move {
            if gone.wait_for(|gone| gone.contains(&local)).await.is_err() {
                // Nobody looks any more.
                std::future::pending::<()>().await;
            }
        });
        Ok(Anchored { stream, adrift, is_adrift: false })
    }
}

impl fmt::Debug for Anchored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Anchored").field(&self.stream).finish()
    }
}

impl AsyncRead for Anchored {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            return Poll::Ready(read);
        }
        self.is_adrift = self.is_adrift || self.adrift.as_mut().poll(cx).is_ready();
        if !self.is_adrift {
            return Poll::Pending;
        }
        let why = "the address that it was made from is gone";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, why)))
    }
}

impl AsyncWrite for Anchored {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn connection(gone: &Gone) -> (Anchored, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (other, _) = listener.accept().await.unwrap();
        (Anchored::new(stream, gone).unwrap(), other)
    }

    #[tokio::test]
    async fn a_connection_fails_when_its_address_goes_and_not_before() {
        let gone = Gone::default();
        let (mut stream, mut other) = connection(&gone).await;
        gone.note(&[], &[[192, 0, 2, 1].into()]);
        other.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).await.unwrap();
        gone.0.send_modify(|gone| gone.push(Ipv4Addr::LOCALHOST.into()));
        let error = stream.read(&mut heard).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }

    #[test]
    fn an_address_that_is_back_is_not_gone_and_loopback_never_is() {
        let gone = Gone::default();
        let [lan, other]: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        gone.note(&[], &[lan, other, Ipv4Addr::LOCALHOST.into()]);
        gone.note(&[lan], &[]);
        assert_eq!(*gone.0.borrow(), [other]);
        let many: Vec<IpAddr> = (0..=255).map(|host| [198, 51, 100, host].into()).collect();
        gone.note(&[], &many);
        assert_eq!(gone.0.borrow().len(), GONE_MAX);
    }

    #[tokio::test]
    async fn without_anybody_who_looks_a_connection_lives() {
        let gone = Gone::default();
        let (mut stream, mut other) = connection(&gone).await;
        drop(gone);
        let (read, wrote) = tokio::join!(
            async {
                let mut heard = [0; 5];
                stream.read_exact(&mut heard).await
            },
            async {
                tokio::task::yield_now().await;
                other.write_all(b"hello").await
            }
        );
        read.unwrap();
        wrote.unwrap();
    }
}
