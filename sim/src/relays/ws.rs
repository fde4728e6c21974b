//! The self-hosted relay: topics, and nothing kept.
//!
//! spec: docs/protocol.md, section 9

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};
use tristero_proto::Time;
use tristero_proto::signaling::{LinkFrame, RelayUrl, Strategy};
use tristero_proto::strategies::WsRelay;

use super::service::{ClientId, Service, ServiceOutput};

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

    fn publish(&mut self, topic: &str, payload: &Value) {
        let frame = json!({ "topic": topic, "payload": payload }).to_string();
        for client in self.subscribers.get(topic).into_iter().flatten() {
            let frame = LinkFrame::Text(frame.clone());
            self.outputs.push_back(ServiceOutput::Send(*client, frame));
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
            Some("publish") => self.publish(topic, &said["payload"]),
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

    fn poll_output(&mut self) -> Option<ServiceOutput> {
        self.outputs.pop_front()
    }
}
