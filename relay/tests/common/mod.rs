//! A relay in the test's own runtime, and clients on real sockets.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "it is a test, though clippy can't tell")]

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, protocol::frame::coding::CloseCode},
};
use tristero_relay::{Config, Counters, Handle, Limits, Relay, Stats};

/// A running relay on a free port of the loopback interface.
pub(crate) struct TestRelay {
    pub(crate) addr: SocketAddr,
    pub(crate) handle: Handle,
}

impl TestRelay {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Limits)) -> Self {
        let mut config = loopback();
        change(&mut config.limits);
        let relay = Relay::bind(config).await.unwrap();
        Self { addr: relay.local_addr(), handle: relay.spawn() }
    }

    pub(crate) fn counters(&self) -> Counters {
        self.handle.stats().counters
    }

    pub(crate) async fn client(&self) -> Client {
        let socket = within(TcpStream::connect(self.addr)).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Client::over(socket).await
    }

    /// A client that gets what is published on the topics once this returns.
    pub(crate) async fn subscriber(&self, topics: &[&str]) -> Client {
        let mut client = self.client().await;
        for topic in topics {
            client.subscribe(topic).await;
        }
        client.settle().await;
        client
    }

    /// Waits for what the relay does by itself.
    pub(crate) async fn until(&self, condition: impl Fn(Stats) -> bool) {
        within(async {
            while !condition(self.handle.stats()) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Sends an HTTP request and returns all of the answer.
    pub(crate) async fn http(&self, request: &str) -> String {
        let mut socket = within(TcpStream::connect(self.addr)).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(socket.read_to_string(&mut answer)).await.unwrap();
        answer
    }
}

pub(crate) struct Client<S = TcpStream> {
    pub(crate) socket: WebSocketStream<S>,
    early: VecDeque<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn over(stream: S) -> Self {
        let (socket, _) = within(client_async("ws://relay.test/any/path", stream)).await.unwrap();
        Self { socket, early: VecDeque::new() }
    }

    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        within(self.socket.send(Message::text(text.into()))).await.unwrap();
    }

    pub(crate) async fn subscribe(&mut self, topic: &str) {
        self.send(format!(r#"{{"type":"subscribe","topic":"{topic}"}}"#)).await;
    }

    pub(crate) async fn unsubscribe(&mut self, topic: &str) {
        self.send(format!(r#"{{"type":"unsubscribe","topic":"{topic}"}}"#)).await;
    }

    /// Publishes a payload that is JSON already.
    pub(crate) async fn publish(&mut self, topic: &str, payload: &str) {
        self.send(publication(topic, payload)).await;
    }

    /// The next delivery.
    pub(crate) async fn next(&mut self) -> String {
        match self.early.pop_front() {
            Some(text) => text,
            None => self.receive().await,
        }
    }

    /// Waits until the relay has understood all that was sent: it answers pings in their turn.
    pub(crate) async fn settle(&mut self) {
        within(self.socket.send(Message::Ping("settle".into()))).await.unwrap();
        loop {
            match within(self.socket.next()).await.unwrap().unwrap() {
                Message::Pong(_) => return,
                Message::Text(text) => self.early.push_back(text.to_string()),
                Message::Ping(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// Reads until the relay closes, and returns the code it gave.
    pub(crate) async fn closed(&mut self) -> CloseCode {
        let mut code = None;
        while let Some(frame) = within(self.socket.next()).await {
            if let Message::Close(Some(frame)) = frame.unwrap() {
                code = Some(frame.code);
            }
        }
        code.expect("the relay says why it closes")
    }

    /// Closes, and waits until the relay has forgotten the client.
    pub(crate) async fn leave(mut self) {
        within(self.socket.close(None)).await.unwrap();
        while within(self.socket.next()).await.is_some() {}
    }

    async fn receive(&mut self) -> String {
        loop {
            match within(self.socket.next()).await.unwrap().unwrap() {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }
}

pub(crate) fn loopback() -> Config {
    Config::new("127.0.0.1:0".parse().unwrap())
}

pub(crate) fn publication(topic: &str, payload: &str) -> String {
    format!(r#"{{"type":"publish","topic":"{topic}","payload":{payload}}}"#)
}

pub(crate) fn delivery(topic: &str, payload: &str) -> String {
    format!(r#"{{"topic":"{topic}","payload":{payload}}}"#)
}

/// Fails a test that would hang. Not for tests that pause the clock.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it takes too long")
}
