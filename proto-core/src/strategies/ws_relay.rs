//! The self-hosted WebSocket relay: JSON text frames, no acknowledgements.
//!
//! spec: docs/protocol.md, section 9

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::crypto::Topic;
use crate::signaling::{
    Decoded, LinkFrame, LinkTarget, Malformed, RelaySession, RelayUrl, SessionTerms, Strategy,
    TopicCodec, TopicSession,
};

/// The strategy `ws`: relays as `tristero relay` and Trystero's own server are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WsRelay;

impl Strategy for WsRelay {
    fn name(&self) -> &'static str {
        "ws"
    }

    fn session(&self, terms: SessionTerms) -> Box<dyn RelaySession> {
        Box::new(TopicSession::new(WsRelayCodec { url: terms.url }))
    }
}

#[derive(Debug)]
struct WsRelayCodec {
    url: RelayUrl,
}

/// What a client sends.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Request<'a> {
    Subscribe { topic: &'a str },
    Unsubscribe { topic: &'a str },
    Publish { topic: &'a str, payload: &'a str },
}

/// What a relay sends.
#[derive(Deserialize)]
struct Delivery {
    topic: String,
    payload: Value,
}

impl Request<'_> {
    fn emit(&self) -> LinkFrame {
        LinkFrame::Text(serde_json::to_string(self).expect("strings are always JSON"))
    }
}

impl TopicCodec for WsRelayCodec {
    fn target(&self) -> LinkTarget {
        LinkTarget::WebSocket { url: self.url.clone(), protocol: None }
    }

    fn subscribe(&mut self, topic: &Topic) -> LinkFrame {
        Request::Subscribe { topic: topic.as_str() }.emit()
    }

    fn unsubscribe(&mut self, topic: &Topic) -> LinkFrame {
        Request::Unsubscribe { topic: topic.as_str() }.emit()
    }

    fn publish(&mut self, topic: &Topic, body: &str) -> LinkFrame {
        Request::Publish { topic: topic.as_str(), payload: body }.emit()
    }

    fn decode(&mut self, frame: LinkFrame) -> Result<Decoded, Malformed> {
        let LinkFrame::Text(text) = frame else {
            return Err(Malformed("a relay sends text"));
        };
        let delivery: Delivery = serde_json::from_str(&text)
            .map_err(|_| Malformed("a relay sends objects with topic and payload"))?;
        let body = match delivery.payload {
            Value::String(body) => body,
            object @ Value::Object(_) => object.to_string(),
            _ => return Err(Malformed("a payload is a string or an object")),
        };
        Ok(Decoded::Message { topic: Topic::from_wire(&delivery.topic), body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec() -> WsRelayCodec {
        WsRelayCodec { url: RelayUrl::web_socket("ws://127.0.0.1:1").unwrap() }
    }

    #[test]
    fn payloads_are_strings_or_objects() {
        let decode = |text: &str| codec().decode(LinkFrame::Text(text.to_owned()));
        let message = |body: &str| {
            Ok(Decoded::Message { topic: Topic::from_wire("t"), body: body.to_owned() })
        };
        assert_eq!(decode(r#"{"topic":"t","payload":"{\"a\":1}"}"#), message(r#"{"a":1}"#));
        assert_eq!(decode(r#"{"topic":"t","payload":{"a":1}}"#), message(r#"{"a":1}"#));
        for text in ["", "{}", "[]", r#"{"topic":1,"payload":""}"#, r#"{"topic":"t","payload":1}"#]
        {
            assert!(decode(text).is_err(), "{text}");
        }
        assert!(codec().decode(LinkFrame::Binary(bytes::Bytes::new())).is_err());
    }

    #[test]
    fn requests_are_written_as_trystero_writes_them() {
        let topic = Topic::from_wire("t");
        let text = |frame| match frame {
            LinkFrame::Text(text) => text,
            LinkFrame::Binary(_) => unreachable!("this strategy writes text"),
        };
        assert_eq!(text(codec().subscribe(&topic)), r#"{"type":"subscribe","topic":"t"}"#);
        assert_eq!(text(codec().unsubscribe(&topic)), r#"{"type":"unsubscribe","topic":"t"}"#);
        assert_eq!(
            text(codec().publish(&topic, r#"{"peerId":"a"}"#)),
            r#"{"type":"publish","topic":"t","payload":"{\"peerId\":\"a\"}"}"#
        );
    }
}
