//! Events of Nostr and filters for them, as a relay reads them.
//!
//! spec: NIP-01, BIP-340

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use k256::schnorr::{Signature, VerifyingKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::nostr::AHEAD_MAX;

/// What matters of an event that is as it should be.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) kind: u64,
    pub(super) created_at: u64,
    pub(super) content: String,
    /// The value of its first `x` tag.
    pub(super) topic: Option<String>,
}

/// Which events somebody wants. What is left out is not asked for.
#[derive(Debug)]
pub(super) struct Filter {
    kinds: Option<BTreeSet<u64>>,
    since: u64,
    pub(super) topics: BTreeSet<String>,
    has_topics: bool,
}

impl Event {
    /// Takes an event that is valid, ephemeral and not of the future; else says why not, in the
    /// words of NIP-01.
    pub(super) fn check(value: &Value, unix: Duration) -> Result<Self, &'static str> {
        let text = |key: &str| value[key].as_str().ok_or("invalid: a field is not a text");
        let number = |key: &str| value[key].as_u64().ok_or("invalid: a field is not a number");
        let (id, public_key, sig) = (text("id")?, text("pubkey")?, text("sig")?);
        let (kind, created_at, content) =
            (number("kind")?, number("created_at")?, text("content")?);
        let tags = value["tags"].as_array().ok_or("invalid: tags are a list")?;
        let signed = json!([0, public_key, created_at, kind, tags, content]).to_string();
        let digest: [u8; 32] = Sha256::digest(signed).into();
        if id != hex(&digest) {
            return Err("invalid: the id is not the hash");
        }
        if !is_signed(&digest, public_key, sig) {
            return Err("invalid: the signature is wrong");
        }
        if !(20_000..30_000).contains(&kind) {
            return Err("blocked: only ephemeral events are taken");
        }
        if created_at > (unix + AHEAD_MAX).as_secs() {
            return Err("invalid: the event is of the future");
        }
        let topic = tags.iter().find(|tag| tag[0] == "x").and_then(|tag| tag[1].as_str());
        let topic = topic.map(str::to_owned);
        Ok(Event { kind, created_at, content: content.to_owned(), topic })
    }
}

impl Filter {
    /// Reads a filter; `None` if it is not one.
    pub(super) fn parse(value: &Value) -> Option<Self> {
        let filter = value.as_object()?;
        let kinds = match filter.get("kinds") {
            Some(kinds) => {
                Some(kinds.as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?)
            }
            None => None,
        };
        let since = filter.get("since").map_or(Some(0), Value::as_u64)?;
        let topics = filter
            .get("#x")
            .map_or(Some(&[][..]), |topics| topics.as_array().map(Vec::as_slice))?;
        let topics = topics.iter().map(|topic| topic.as_str().map(str::to_owned));
        let has_topics = filter.contains_key("#x");
        Some(Filter { kinds, since, topics: topics.collect::<Option<_>>()?, has_topics })
    }

    pub(super) fn matches(&self, event: &Event) -> bool {
        let is_topic = event.topic.as_ref().is_some_and(|topic| self.topics.contains(topic));
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind))
            && event.created_at >= self.since
            && (is_topic || !self.has_topics)
    }
}

fn is_signed(digest: &[u8], public_key: &str, sig: &str) -> bool {
    let parts = || {
        let key = VerifyingKey::from_slice(&bytes(public_key)?).ok()?;
        Some((key, Signature::try_from(&bytes(sig)?[..]).ok()?))
    };
    parts().is_some_and(|(key, sig)| key.verify_raw(digest, &sig).is_ok())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured() -> Value {
        let vectors = include_str!("../../../proto-core/tests/wire/vectors.json");
        let vectors: Value = serde_json::from_str(vectors).expect("a file of ours");
        vectors["nostr"]["event"]["message"][1].clone()
    }

    fn check(event: &Value) -> Result<Event, &'static str> {
        Event::check(event, Duration::from_secs(1_700_000_000))
    }

    #[test]
    fn an_event_of_javascript_is_valid_and_a_changed_one_is_not() {
        check(&captured()).expect("it was signed by JavaScript");
        let mut other = captured();
        other["content"] = "other".into();
        assert_eq!(check(&other).err(), Some("invalid: the id is not the hash"));
        let mut other = captured();
        let sig = other["sig"].as_str().map(|sig| sig.replace('a', "b"));
        other["sig"] = sig.into();
        assert_eq!(check(&other).err(), Some("invalid: the signature is wrong"));
        let early = Event::check(&captured(), Duration::ZERO);
        assert_eq!(early.err(), Some("invalid: the event is of the future"));
    }

    #[test]
    fn a_filter_asks_for_kinds_topics_and_a_time() {
        let event = check(&captured()).expect("it was signed by JavaScript");
        let topic = event.topic.clone();
        let filter = json!({ "kinds": [event.kind], "since": event.created_at, "#x": [topic] });
        let matches = |filter: &Value| Filter::parse(filter).map(|filter| filter.matches(&event));
        assert_eq!(matches(&filter), Some(true));
        for (key, value) in [
            ("kinds", json!([event.kind + 1])),
            ("since", json!(event.created_at + 1)),
            ("#x", json!(["other"])),
            ("#x", json!([])),
        ] {
            let mut other = filter.clone();
            other[key] = value;
            assert_eq!(matches(&other), Some(false), "{key}");
        }
        assert!(Filter::parse(&json!({ "kinds": "all" })).is_none());
    }
}
