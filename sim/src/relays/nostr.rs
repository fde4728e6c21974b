//! A Nostr relay that takes ephemeral events alone: it checks them, and keeps none.
//!
//! spec: NIP-01; docs/protocol.md, section 9, "Nostr"

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tristero_proto::Time;
use tristero_proto::signaling::{LinkFrame, RelayUrl, Strategy};
use tristero_proto::strategies::Nostr;

use super::nostr_event::{Event, Filter};
use super::service::{ClientId, Excess, Message, Service, ServiceOutput, is_announce};
use crate::world::unix_at;

/// A relay of the nostr strategy.
#[derive(Debug, Default)]
pub struct NostrService {
    verdicts: Verdicts,
    subscriptions: BTreeMap<(ClientId, String), Vec<Filter>>,
    /// Events that were taken lately, the oldest first.
    order: VecDeque<String>,
    taken: BTreeSet<String>,
    outputs: VecDeque<ServiceOutput>,
}

/// When a relay says that it took an ephemeral event. There are relays of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdicts {
    /// Before anybody gets it.
    #[default]
    First,
    /// After everyone got it.
    Last,
    /// Never.
    Silent,
}

impl NostrService {
    /// A relay that nobody is connected to.
    pub fn new(verdicts: Verdicts) -> Self {
        NostrService { verdicts, ..NostrService::default() }
    }

    fn on_request(&mut self, client: ClientId, said: &[Value]) {
        let id = said.get(1).and_then(Value::as_str).unwrap_or_default();
        if id.is_empty() || id.chars().count() > SUBSCRIPTION_ID_MAX {
            return self.notice(client, "invalid: a subscription has an id of 1 to 64 characters");
        }
        let key = (client, id.to_owned());
        let filters: Option<Vec<Filter>> = said[2..].iter().map(Filter::parse).collect();
        let of_client = self.subscriptions.keys().filter(|(of, _)| *of == client).count();
        let is_new = !self.subscriptions.contains_key(&key);
        let refusal = match &filters {
            None => Some("invalid: a filter is not one"),
            Some(filters) if filters.is_empty() || filters.len() > FILTERS_MAX => {
                Some("invalid: a subscription has from 1 to 10 filters")
            }
            Some(filters) if filters.iter().any(|filter| filter.topics.len() > TOPICS_MAX) => {
                Some("invalid: a filter has too many topics")
            }
            Some(_) if is_new && of_client >= SUBSCRIPTIONS_MAX => {
                Some("blocked: there are too many subscriptions")
            }
            Some(_) => None,
        };
        if let Some(why) = refusal {
            self.subscriptions.remove(&key);
            return self.say(client, &json!(["CLOSED", id, why]));
        }
        self.subscriptions.insert(key, filters.unwrap_or_default());
        self.say(client, &json!(["EOSE", id]));
    }

    fn on_event(&mut self, client: ClientId, value: &Value, now: Time) {
        let id = value["id"].as_str().unwrap_or_default().to_owned();
        let event = match Event::check(value, unix_at(now)) {
            Ok(event) => event,
            Err(why) => return self.say(client, &json!(["OK", id, false, why])),
        };
        if let Some(topic) = event.topic.as_ref().filter(|_| is_announce(&event.content)) {
            self.outputs.push_back(ServiceOutput::Announced(client, topic.clone()));
        }
        if !self.taken.insert(id.clone()) {
            let why = "duplicate: it is here already";
            return self.say(client, &json!(["OK", id, false, why]));
        }
        self.order.push_back(id.clone());
        if self.order.len() > TAKEN_MAX {
            let oldest = self.order.pop_front();
            oldest.iter().for_each(|oldest| _ = self.taken.remove(oldest));
        }
        if self.verdicts == Verdicts::First {
            self.say(client, &json!(["OK", id, true, ""]));
        }
        self.pass_on(&event, value);
        if self.verdicts == Verdicts::Last {
            self.say(client, &json!(["OK", id, true, ""]));
        }
    }

    fn pass_on(&mut self, event: &Event, value: &Value) {
        for ((to, id), filters) in &self.subscriptions {
            if filters.iter().any(|filter| filter.matches(event)) {
                let frame = LinkFrame::Text(json!(["EVENT", id, value]).to_string());
                let topic = event.topic.clone().unwrap_or_default();
                let message = Message { topic, body: event.content.clone(), frames: vec![frame] };
                self.outputs.push_back(ServiceOutput::Deliver(*to, message));
            }
        }
    }

    fn notice(&mut self, client: ClientId, text: &str) {
        self.say(client, &json!(["NOTICE", text]));
    }

    fn say(&mut self, client: ClientId, value: &Value) {
        self.outputs.push_back(ServiceOutput::Send(client, LinkFrame::Text(value.to_string())));
    }
}

impl Service for NostrService {
    fn strategy(&self) -> Arc<dyn Strategy> {
        Arc::new(Nostr)
    }

    fn url(&self, host: &str) -> RelayUrl {
        RelayUrl::web_socket(&format!("ws://{host}/nostr")).expect("a host makes a URL")
    }

    fn on_open(&mut self, _: ClientId, _: Time) {}

    fn on_frame(&mut self, client: ClientId, frame: LinkFrame, now: Time) {
        let LinkFrame::Text(text) = frame else {
            return self.notice(client, "invalid: messages are text");
        };
        if text.len() > MESSAGE_BYTES_MAX {
            return self.notice(client, "invalid: the message is too large");
        }
        let Ok(Value::Array(said)) = serde_json::from_str::<Value>(&text) else {
            return self.notice(client, "invalid: messages are lists");
        };
        match (said.first().and_then(Value::as_str), &said[..]) {
            (Some("EVENT"), [_, event]) => self.on_event(client, event, now),
            (Some("REQ"), [_, _, ..]) => self.on_request(client, &said),
            (Some("CLOSE"), [_, Value::String(id)]) => {
                self.subscriptions.remove(&(client, id.clone()));
            }
            _ => self.notice(client, "invalid: unknown message"),
        }
    }

    fn on_close(&mut self, client: ClientId) {
        self.subscriptions.retain(|(of, _), _| *of != client);
    }

    fn forget(&mut self) {
        *self = NostrService::new(self.verdicts);
    }

    /// Only events are counted; who publishes too much may go on listening.
    fn on_excess(&mut self, frame: &LinkFrame) -> Excess {
        let LinkFrame::Text(text) = frame else { return Excess::Take };
        let Ok(said) = serde_json::from_str::<Value>(text) else { return Excess::Take };
        let (Some("EVENT"), Some(id)) = (said[0].as_str(), said[1]["id"].as_str()) else {
            return Excess::Take;
        };
        let refusal = json!(["OK", id, false, "rate-limited: slow down"]);
        Excess::Refuse(LinkFrame::Text(refusal.to_string()))
    }

    fn invent(&mut self, topic: &str, body: &str) -> Message {
        let zeros = "0".repeat(64);
        let event = json!({
            "id": zeros, "pubkey": zeros, "created_at": 0, "kind": 20_000, "tags": [["x", topic]],
            "content": body, "sig": zeros.repeat(2),
        });
        let frames = vec![LinkFrame::Text(json!(["EVENT", "s", event]).to_string())];
        Message { topic: topic.to_owned(), body: body.to_owned(), frames }
    }

    fn poll_output(&mut self) -> Option<ServiceOutput> {
        self.outputs.pop_front()
    }
}

/// The longest id of a subscription (NIP-01).
const SUBSCRIPTION_ID_MAX: usize = 64;

/// Filters of one subscription, topics of one filter and subscriptions of one client: what public
/// relays take at least.
const FILTERS_MAX: usize = 10;
const TOPICS_MAX: usize = 250;
const SUBSCRIPTIONS_MAX: usize = 20;

/// The largest message, in bytes, of nostr-rs-relay.
const MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// Ids of events that are known again. The oldest is forgotten.
const TAKEN_MAX: usize = 4_096;

/// An event from further ahead is refused, as nostr-rs-relay does.
pub(super) const AHEAD_MAX: Duration = Duration::from_secs(1_800);

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: ClientId = ClientId(1);

    fn say(relay: &mut NostrService, said: &Value) -> Vec<Value> {
        relay.on_frame(CLIENT, LinkFrame::Text(said.to_string()), Time::ZERO);
        let outputs = std::iter::from_fn(|| relay.poll_output());
        let sent = outputs.flat_map(|output| match output {
            ServiceOutput::Send(_, frame) => vec![frame],
            ServiceOutput::Deliver(_, message) => message.frames,
            _ => Vec::new(),
        });
        sent.map(|frame| match frame {
            LinkFrame::Text(text) => serde_json::from_str(&text).unwrap_or_default(),
            LinkFrame::Binary(_) => panic!("Nostr is text"),
        })
        .collect()
    }

    fn event() -> Value {
        let vectors = include_str!("../../../proto-core/tests/wire/vectors.json");
        let vectors: Value = serde_json::from_str(vectors).expect("a file of ours");
        vectors["nostr"]["event"]["message"].clone()
    }

    #[test]
    fn an_event_comes_once_to_who_asked_for_it() {
        for verdicts in [Verdicts::First, Verdicts::Last, Verdicts::Silent] {
            let mut relay = NostrService::new(verdicts);
            let topic = &event()[1]["tags"][0][1];
            let told = say(&mut relay, &json!(["REQ", "s", { "#x": [topic] }]));
            assert_eq!(told, [json!(["EOSE", "s"])]);
            let kinds: Vec<Value> =
                say(&mut relay, &event()).iter().map(|said| said[0].clone()).collect();
            let expected: &[&str] = match verdicts {
                Verdicts::First => &["OK", "EVENT"],
                Verdicts::Last => &["EVENT", "OK"],
                Verdicts::Silent => &["EVENT"],
            };
            assert_eq!(kinds, expected);
            let again = say(&mut relay, &event());
            assert!(again[0][3].as_str().is_some_and(|why| why.starts_with("duplicate:")));
            say(&mut relay, &json!(["CLOSE", "s"]));
            assert!(relay.subscriptions.is_empty());
        }
    }

    #[test]
    fn too_much_is_refused() {
        let mut relay = NostrService::new(Verdicts::First);
        let topics: Vec<String> = (0..=TOPICS_MAX).map(|topic| topic.to_string()).collect();
        for filters in [vec![json!({ "#x": topics })], vec![json!({}); FILTERS_MAX + 1]] {
            let mut said = vec![json!("REQ"), json!("s")];
            said.extend(filters);
            assert_eq!(say(&mut relay, &said.into())[0][0], "CLOSED");
        }
        let long = "s".repeat(SUBSCRIPTION_ID_MAX + 1);
        assert_eq!(say(&mut relay, &json!(["REQ", long, {}]))[0][0], "NOTICE");
        for number in 0..=SUBSCRIPTIONS_MAX {
            let told = say(&mut relay, &json!(["REQ", number.to_string(), {}]));
            let expected = if number < SUBSCRIPTIONS_MAX { "EOSE" } else { "CLOSED" };
            assert_eq!(told[0][0], expected, "{number}");
        }
        let Excess::Refuse(answer) = relay.on_excess(&LinkFrame::Text(event().to_string())) else {
            panic!("an event can be refused")
        };
        assert!(matches!(answer, LinkFrame::Text(text) if text.contains("false,\"rate-limited:")));
    }
}
