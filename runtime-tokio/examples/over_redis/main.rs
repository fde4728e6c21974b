//! Meeting over a medium that is no WebSocket: Redis, whose publish and subscribe a `Dialer` makes a
//! link of. With a Redis server on this machine, run two of them:
//!
//! ```sh
//! cargo run -p tristero-tokio --example over_redis
//! ```

pub(crate) mod dialer;

use serde_json::json;
use tristero_tokio::proto::crypto::Topic;
use tristero_tokio::signaling::{
    Decoded, InvalidRelayUrl, LinkFrame, LinkTarget, Malformed, RelaySession, RelayUrl,
    SessionTerms, Strategy, TopicCodec, TopicSession,
};
use tristero_tokio::{Config, Dialers, Options, node};

/// The strategy: what `Config` is given.
#[derive(Debug, PartialEq)]
pub(crate) struct Redis;

impl Strategy for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }
    fn session(&self, terms: SessionTerms) -> Box<dyn RelaySession> {
        Box::new(TopicSession::new(Codec(terms.url)))
    }
    fn relay_url(&self, text: &str) -> Result<RelayUrl, InvalidRelayUrl> {
        Ok(RelayUrl::custom(text))
    }
}

/// A frame is a command with its arguments, or a channel with a message, as a JSON list.
#[derive(Debug)]
struct Codec(RelayUrl);

impl TopicCodec for Codec {
    fn target(&self) -> LinkTarget {
        LinkTarget::Custom { url: self.0.clone() }
    }
    fn subscribe(&mut self, topic: &Topic) -> LinkFrame {
        LinkFrame::Text(json!(["SUBSCRIBE", topic.as_str(), ""]).to_string())
    }
    fn unsubscribe(&mut self, topic: &Topic) -> LinkFrame {
        LinkFrame::Text(json!(["UNSUBSCRIBE", topic.as_str(), ""]).to_string())
    }
    fn publish(&mut self, topic: &Topic, body: &str) -> LinkFrame {
        LinkFrame::Text(json!(["PUBLISH", topic.as_str(), body]).to_string())
    }
    fn decode(&mut self, frame: LinkFrame) -> Result<Decoded, Malformed> {
        let LinkFrame::Text(text) = frame else { return Err(Malformed("it is no text")) };
        let [topic, body]: [String; 2] = serde_json::from_str(&text)
            .map_err(|_| Malformed("it is no channel with a message"))?;
        Ok(Decoded::Message { topic: Topic::from_wire(&topic), body })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let dialers = Dialers::default().with("redis", dialer::RedisDialer);
    let node = node(Options { dialers, ..Options::default() })?;
    let url = std::env::args().nth(1).unwrap_or("redis://127.0.0.1:6379".to_owned());
    let room =
        node.join(&Config::new("tristero-example-redis").strategy_at(Redis, [url]), "lobby")?;
    let mut events = room.events();
    while let Some(event) = events.recv().await {
        println!("{event:?}");
    }
    Ok(())
}
