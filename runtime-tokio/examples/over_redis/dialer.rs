//! The link: what the codec wrote becomes a command, and what is published a frame.

use std::io::Error;

use futures_util::{StreamExt as _, sink};
use serde_json::{from_str, json};
use tristero_tokio::signaling::{LinkFrame, RelayUrl};
use tristero_tokio::{Dialer, Dialling, Link};

/// Opens two connections: Redis takes no other commands on one that subscribes.
pub(crate) struct RedisDialer;

impl Dialer for RedisDialer {
    fn dial(&self, url: &RelayUrl) -> Dialling {
        let client = redis::Client::open(url.as_str());
        Box::pin(async move {
            let client = client.map_err(Error::other)?;
            let publisher =
                client.get_multiplexed_async_connection().await.map_err(Error::other)?;
            let pubsub = client.get_async_pubsub().await.map_err(Error::other)?;
            let (subscriber, messages) = pubsub.split();
            let sink = sink::unfold((publisher, subscriber), async |mut redis, frame| {
                let LinkFrame::Text(text) = frame else { return Ok(redis) };
                let [command, topic, body]: [String; 3] = from_str(&text)?;
                match &*command {
                    "SUBSCRIBE" => redis.1.subscribe(topic).await,
                    "UNSUBSCRIBE" => redis.1.unsubscribe(topic).await,
                    _ => redis::cmd("PUBLISH").arg(topic).arg(body).exec_async(&mut redis.0).await,
                }
                .map_err(Error::other)?;
                Ok(redis)
            });
            let frames = messages.map(|message| {
                let body: String = message.get_payload().unwrap_or_default(); // not of ours
                Ok(LinkFrame::Text(json!([message.get_channel_name(), body]).to_string()))
            });
            Ok(Link { frames: Box::pin(frames), sink: Box::pin(sink) })
        })
    }
}
