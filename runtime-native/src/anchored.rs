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
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use event_listener::Event;
use futures_util::io::{AsyncRead, AsyncWrite};

/// More addresses than a machine loses and does not get back.
const GONE_MAX: usize = 64;

/// The addresses that the machine had and has no more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gone(Arc<Addresses>);

#[derive(Debug, Default)]
struct Addresses {
    gone: Mutex<Vec<IpAddr>>,
    changed: Event,
}

impl Gone {
    /// Notes which addresses came and went.
    pub(crate) fn note(&self, added: &[IpAddr], removed: &[IpAddr]) {
        self.change(|gone| {
            gone.retain(|address| !added.contains(address));
            // Loopback is always there, whether it is used or not.
            gone.extend(removed.iter().filter(|address| !address.is_loopback()));
            let surplus = gone.len().saturating_sub(GONE_MAX);
            gone.drain(..surplus);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Vec<IpAddr>)) {
        change(&mut self.0.gone.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.changed.notify(usize::MAX);
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.gone.lock().unwrap_or_else(PoisonError::into_inner).contains(&address)
    }

    /// Waits until an address is gone.
    async fn wait_for(self, address: IpAddr) {
        loop {
            let changed = self.0.changed.listen();
            if self.contains(address) {
                return;
            }
            changed.await;
        }
    }
}

/// A connection that fails once the address that it was made from is gone.
pub(crate) struct Anchored<S> {
    stream: S,
    /// Ready once the address is gone.
    adrift: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_adrift: bool,
}

impl<S> Anchored<S> {
    pub(crate) fn new(stream: S, local: IpAddr, gone: &Gone) -> Self {
        Anchored { stream, adrift: Box::pin(gone.clone().wait_for(local)), is_adrift: false }
    }
}

impl<S: fmt::Debug> fmt::Debug for Anchored<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Anchored").field(&self.stream).finish()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Anchored<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Anchored<S> {
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

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures_util::io::{AsyncReadExt as _, Cursor};
    use futures_util::task::noop_waker_ref;

    use super::*;

    const LAN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    /// A stream from which nothing comes.
    struct Silent;

    impl AsyncRead for Silent {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
    }

    fn read(stream: &mut (impl AsyncRead + Unpin)) -> Poll<io::Result<usize>> {
        Pin::new(stream).poll_read(&mut Context::from_waker(noop_waker_ref()), &mut [0; 5])
    }

    #[test]
    fn a_connection_fails_when_its_address_goes_and_not_before() {
        let gone = Gone::default();
        let mut stream = Anchored::new(Silent, LAN, &gone);
        assert!(read(&mut stream).is_pending());
        gone.note(&[], &[OTHER]);
        assert!(read(&mut stream).is_pending());
        gone.note(&[], &[LAN]);
        let Poll::Ready(Err(error)) = read(&mut stream) else { panic!("it waits") };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }

    #[test]
    fn what_arrived_before_its_address_went_is_read() {
        let gone = Gone::default();
        let mut stream = Anchored::new(Cursor::new(b"hello"), LAN, &gone);
        gone.note(&[], &[LAN]);
        let mut heard = [0; 5];
        let read = stream.read_exact(&mut heard);
        futures_util::FutureExt::now_or_never(read).unwrap().unwrap();
        assert_eq!(&heard, b"hello");
    }

    #[test]
    fn an_address_that_is_back_is_not_gone_and_loopback_never_is() {
        let gone = Gone::default();
        gone.note(&[], &[LAN, OTHER, Ipv4Addr::LOCALHOST.into()]);
        gone.note(&[LAN], &[]);
        assert_eq!(*gone.0.gone.lock().unwrap(), [OTHER]);
        let many: Vec<IpAddr> = (0..=255).map(|host| [198, 51, 100, host].into()).collect();
        gone.note(&[], &many);
        assert_eq!(gone.0.gone.lock().unwrap().len(), GONE_MAX);
    }
}
