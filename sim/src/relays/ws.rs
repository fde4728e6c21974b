//! The self-hosted relay: topics, and nothing kept.
//!
//! spec: docs/protocol.md, section 9

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};
use tristero_proto::Time;
use tristero_proto::signaling::{LinkFrame, RelayUrl, Strategy};
use tristero_proto::strategies::WsRelay;

use super::service::{ClientId, Message, Service, ServiceOutput, is_announce};

/// A relay of the ws strategy.
#[derive(Debug, Default)]
pub struct WsService {
    subscribers: BTreeMap<String, BTreeSet<ClientId>>,
    outputs: VecDeque<ServiceOutput>,
}

impl WsService {
    /// A relay that nobody is connected to.
    pub fn new() -> Self {
        WsService::default()
    }

    fn publish(&mut self, from: ClientId, topic: &str, payload: &Value) {
        let body = payload.as_str().map_or_else(|| payload.to_string(), str::to_owned);
        if is_announce(&body) {
            self.outputs.push_back(ServiceOutput::Announced(from, topic.to_owned()));
        }
        let frame = json!({ "topic": topic, "payload": payload }).to_string();
        let frames = vec![LinkFrame::Text(frame)];
        let message = Message { topic: topic.to_owned(), body, frames };
        for client in self.subscribers.get(topic).into_iter().flatten() {
            self.outputs.push_back(ServiceOutput::Deliver(*client, message.clone()));
        }
    }
}

impl Service for WsService {
    fn strategy(&self) -> Arc<dyn Strategy> {
        Arc::new(WsRelay)
    }

    fn url(&self, host: &str) -> RelayUrl {
        RelayUrl::web_socket(&format!("ws://{host}/")).expect("a host makes a URL")
    }

    fn on_open(&mut self, _: ClientId, _: Time) {}

    fn on_frame(&mut self, client: ClientId, frame: LinkFrame, _: Time) {
        let LinkFrame::Text(text) = frame else { return };
        let Ok(said) = serde_json::from_str::<Value>(&text) else { return };
        let Some(topic) = said["topic"].as_str() else { return };
        match said["type"].as_str() {
            Some("subscribe") => {
                self.subscribers.entry(topic.to_owned()).or_default().insert(client);
            }
            Some("unsubscribe") => {
                if let Some(subscribers) = self.subscribers.get_mut(topic) {
                    subscribers.remove(&client);
                }
            }
            Some("publish") => self.publish(client, topic, &said["payload"]),
            Some(_) | None => {}
        }
    }

    fn on_close(&mut self, client: ClientId) {
        for subscribers in self.subscribers.values_mut() {
            subscribers.remove(&client);
        }
        self.subscribers.retain(|_, subscribers| !subscribers.is_empty());
    }

    fn forget(&mut self) {
        *self = WsService::default();
    }

    fn invent(&mut self, topic: &str, body: &str) -> Message {
        let frame = json!({ "topic": topic, "payload": body }).to_string();
        let frames = vec![LinkFrame::Text(frame)];
        Message { topic: topic.to_owned(), body: body.to_owned(), frames }
    }

    fn poll_output(&mut self) -> Option<ServiceOutput> {
        self.outputs.pop_front()
    }
}
