//! Events: what is published on Nostr, and how it is signed.
//!
//! spec: NIP-01, BIP-340

use std::fmt;

use k256::schnorr::SigningKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::crypto::{Topic, token_text};
use crate::rng::Rng;

/// Trystero's tag for a topic.
const TOPIC_TAG: &str = "x";

/// The node's key. It means nothing beyond this run.
pub(super) struct Key {
    secret: SigningKey,
    public: String,
}

/// A signed event, with its fields in Trystero's order.
#[derive(Debug, Serialize)]
pub(super) struct Event {
    kind: u32,
    tags: [[String; 2]; 1],
    created_at: u64,
    content: String,
    pubkey: String,
    pub(super) id: String,
    sig: String,
}

/// What matters of an event that a relay sends.
#[derive(Debug, Deserialize)]
pub(super) struct Delivered {
    content: String,
    tags: Vec<Vec<String>>,
}

impl Key {
    pub(super) fn generate(rng: &mut Rng) -> Self {
        loop {
            // All but a few of 2^256 numbers are keys.
            if let Ok(secret) = SigningKey::from_slice(&rng.bytes::<32>()) {
                let public = token_text(&secret.verifying_key().to_bytes());
                return Key { secret, public };
            }
        }
    }

    /// Signs a signal. An equal one in the same second has the same id, which relays drop.
    pub(super) fn sign(&self, topic: &Topic, body: &str, unix_secs: u64, rng: &mut Rng) -> Event {
        let (kind, created_at) = (kind_of(topic), unix_secs);
        let tags = [[TOPIC_TAG.to_owned(), topic.as_str().to_owned()]];
        let signed = serde_json::to_vec(&(0, &self.public, created_at, kind, &tags, body))
            .expect("texts and numbers are always JSON");
        let id = Sha256::digest(signed);
        let sig = self.secret.sign_raw(&id, &rng.bytes::<32>()).expect("the key is valid");
        Event {
            kind,
            tags,
            created_at,
            content: body.to_owned(),
            pubkey: self.public.clone(),
            id: token_text(&id),
            sig: token_text(&sig.to_bytes()),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.public).finish()
    }
}

impl Delivered {
    /// The topic it was published on, and the signal.
    pub(super) fn into_signal(self) -> Option<(Topic, String)> {
        let is_topic = |tag: &&Vec<String>| tag.first().is_some_and(|name| name == TOPIC_TAG);
        let topic = self.tags.iter().find(is_topic)?.get(1)?;
        Some((Topic::from_wire(topic), self.content))
    }
}

/// The kind of a topic's events: an ephemeral one, which relays need not keep.
pub(super) fn kind_of(topic: &Topic) -> u32 {
    let sum: u32 = topic.as_str().encode_utf16().map(u32::from).sum();
    20_000 + sum % 10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_those_of_javascript() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/wire/vectors.json")).unwrap();
        let expected = &vectors["nostr"]["event"]["message"][1];
        let mut secret = [0; 32];
        secret[31] = 3;
        let secret = SigningKey::from_slice(&secret).unwrap();
        let key = Key { public: token_text(&secret.verifying_key().to_bytes()), secret };
        let topic = Topic::from_wire(expected["tags"][0][1].as_str().unwrap());
        let content = expected["content"].as_str().unwrap();
        let mut rng = crate::rng::Seed::from_number(1).rng("aux");
        let event = key.sign(&topic, content, 1_700_000_000, &mut rng);
        let mut signed = serde_json::to_value(&event).unwrap();
        let keys: Vec<String> = signed.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["kind", "tags", "created_at", "content", "pubkey", "id", "sig"]);
        // The signature depends on randomness; with the vector's it is the vector's.
        let id = hex(expected["id"].as_str().unwrap());
        let sig = key.secret.sign_raw(&id, &[0; 32]).unwrap();
        signed["sig"] = token_text(&sig.to_bytes()).into();
        assert_eq!(signed, *expected);
    }

    fn hex(text: &str) -> Vec<u8> {
        let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(byte).collect()
    }
}
