//! Meeting over a service of your own that speaks WebSocket, here in JSON lists: a codec says how.
//!
//! ```sh
//! cargo run -p tristero-tokio --example own_strategy -- --serve
//! cargo run -p tristero-tokio --example own_strategy   # in two other terminals
//! ```

pub(crate) mod service;

use clap::Parser;
use tokio::net::TcpListener;
use tristero_tokio::proto::crypto::Topic;
use tristero_tokio::signaling::{
    Decoded, LinkFrame, LinkTarget, Malformed, RelaySession, RelayUrl, SessionTerms, Strategy,
    TopicCodec, TopicSession,
};
use tristero_tokio::{Config, join};

/// The strategy: what `Config` is given.
#[derive(Debug, PartialEq)]
pub(crate) struct Lists;

impl Strategy for Lists {
    fn name(&self) -> &'static str {
        "lists"
    }
    fn session(&self, terms: SessionTerms) -> Box<dyn RelaySession> {
        Box::new(TopicSession::new(Codec(terms.url)))
    }
}

/// To dial, to wait and to subscribe anew is not its work.
#[derive(Debug)]
struct Codec(RelayUrl);
impl TopicCodec for Codec {
    fn target(&self) -> LinkTarget {
        LinkTarget::WebSocket { url: self.0.clone(), protocol: None }
    }
    fn subscribe(&mut self, topic: &Topic) -> LinkFrame {
        LinkFrame::Text(serde_json::json!(["sub", topic.as_str()]).to_string())
    }
    fn unsubscribe(&mut self, topic: &Topic) -> LinkFrame {
        LinkFrame::Text(serde_json::json!(["unsub", topic.as_str()]).to_string())
    }
    fn publish(&mut self, topic: &Topic, body: &str) -> LinkFrame {
        LinkFrame::Text(serde_json::json!(["pub", topic.as_str(), body]).to_string())
    }
    fn decode(&mut self, frame: LinkFrame) -> Result<Decoded, Malformed> {
        let LinkFrame::Text(text) = frame else { return Err(Malformed("it is no text")) };
        let list = serde_json::from_str(&text);
        let [topic, body]: [String; 2] = list.map_err(|_| Malformed("it is no such list"))?;
        Ok(Decoded::Message { topic: Topic::from_wire(&topic), body })
    }
}

/// Says what happens; Ctrl-C ends it
#[derive(Parser)]
struct Arguments {
    /// Runs the service instead
    #[arg(long)]
    serve: bool,
    #[arg(default_value = "127.0.0.1:8090")]
    address: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { serve, address } = Arguments::parse();
    if serve {
        return Ok(service::serve(TcpListener::bind(address).await?).await?);
    }
    let config = Config::new("tristero-lists").strategy_at(Lists, [format!("ws://{address}")]);
    let room = join(&config, "lobby")?;
    let mut events = room.events();
    while let Some(event) = events.recv().await {
        println!("{event:?}");
    }
    Ok(())
}
