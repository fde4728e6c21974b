//! The service: it takes `["sub", topic]` and `["pub", topic, body]`, and sends `[topic, body]` to
//! whoever subscribed the topic.

use std::collections::HashSet;
use std::io;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{self, Sender};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

/// What may wait for a client that is slow, and how many topics it may have.
const WAITING_MAX: usize = 1024;
const TOPICS_MAX: usize = 1024;

type Published = [String; 2];

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    let (published, _) = broadcast::channel(WAITING_MAX);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve_one(stream, published.clone()));
    }
}

/// Serves one client, until something is not as it should be.
async fn serve_one(stream: TcpStream, published: Sender<Published>) -> Option<()> {
    let mut socket = accept_async(stream).await.ok()?;
    let mut news = published.subscribe();
    let mut topics: HashSet<String> = HashSet::new();
    loop {
        tokio::select! {
            message = socket.next() => {
                let said: Vec<String> = serde_json::from_str(message?.ok()?.to_text().ok()?).ok()?;
                match said.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                    ["sub", topic] if topics.len() < TOPICS_MAX => topics.insert(topic.to_owned()),
                    ["unsub", topic] => topics.remove(topic),
                    ["pub", topic, body] => published.send([topic, body].map(str::to_owned)).is_ok(),
                    _ => return None,
                };
            }
            new = news.recv() => {
                let new = new.ok()?;
                if topics.contains(&new[0]) {
                    let text = serde_json::to_string(&new).ok()?;
                    socket.send(Message::text(text)).await.ok()?;
                }
            }
        }
    }
}
