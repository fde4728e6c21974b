//! Payloads as agents write them, in commands and in events.

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tristero_tokio::Payload;

use super::events::Fields;
use super::reply::Refusal;

/// The largest sized binary: what one message carries at most. A typing error must not take all
/// memory.
const SIZE_MAX: usize = 512 * 1024 * 1024;
/// Smaller binaries are hashed where they are; it takes less time than to hand them over.
const HASHED_ELSEWHERE: usize = 64 * 1024;
/// The seed of a sized binary that names none.
const SEED: u32 = 1;

/// The payload of a command: exactly one of these.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PayloadSpec {
    #[serde(deserialize_with = "present")]
    json: Option<Value>,
    text: Option<String>,
    binary: Option<BinarySpec>,
    file: Option<PathBuf>,
}

/// Bytes: so many, or these.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a binary payload is a size, {size, seed} or {base64}"
)]
pub(crate) enum BinarySpec {
    Size(usize),
    Base64 { base64: String },
    Seeded { size: usize, seed: Option<u32> },
}

/// Tells `null` from nothing at all.
pub(crate) fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

impl PayloadSpec {
    /// The fields of a command that are those of its payload.
    pub(crate) const FIELDS: [&str; 4] = ["json", "text", "binary", "file"];

    /// Makes the payload, or reads it from its file.
    pub(crate) async fn read(self) -> Result<Payload, Refusal> {
        match self {
            PayloadSpec { json: Some(json), text: None, binary: None, file: None } => {
                Ok(travelling(json))
            }
            PayloadSpec { json: None, text: Some(text), binary: None, file: None } => {
                Ok(Payload::Text(text))
            }
            PayloadSpec { json: None, text: None, binary: Some(binary), file: None } => {
                Ok(Payload::Binary(binary.bytes()?))
            }
            PayloadSpec { json: None, text: None, binary: None, file: Some(file) } => {
                let bytes = tokio::fs::read(&file).await.map_err(|error| {
                    Refusal::new(format!("{} can't be read: {error}", file.display()))
                })?;
                Ok(Payload::Binary(bytes.into()))
            }
            _ => Err(Refusal::new("a payload is exactly one of json, text, binary, file")),
        }
    }
}

impl BinarySpec {
    fn bytes(&self) -> Result<Bytes, Refusal> {
        let (size, seed) = match self {
            BinarySpec::Base64 { base64 } => {
                let bytes = BASE64_STANDARD.decode(base64);
                return bytes.map(Bytes::from).map_err(|error| {
                    Refusal::new(format!("a binary payload is not base64: {error}"))
                });
            }
            BinarySpec::Size(size) => (*size, SEED),
            BinarySpec::Seeded { size, seed } => (*size, seed.unwrap_or(SEED)),
        };
        if size > SIZE_MAX {
            return Err(Refusal::new(format!("a payload has at most {SIZE_MAX} bytes")));
        }
        Ok(sized_binary(size, seed))
    }
}

/// A JSON value as it comes: a string of JSON travels as a text.
pub(crate) fn travelling(json: Value) -> Payload {
    match json {
        Value::String(text) => Payload::Text(text),
        json => Payload::Json(json),
    }
}

/// So many bytes, the same in every implementation: the xorshift32 stream of the seed, as
/// little-endian words.
pub(crate) fn sized_binary(size: usize, seed: u32) -> Bytes {
    let mut bytes = Vec::with_capacity(size.next_multiple_of(size_of::<u32>()));
    let mut word = seed;
    while bytes.len() < size {
        word ^= word << 13;
        word ^= word >> 17;
        word ^= word << 5;
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

/// The fields of an event that tell of a payload. A binary is told by its size and, if `hash`, by
/// its SHA-256.
pub(crate) async fn describe(payload: &Payload, hash: bool) -> Fields {
    match payload {
        Payload::Text(text) => Fields::new().with("type", "text").with("text", text.as_str()),
        Payload::Json(json) => Fields::new().with("type", "json").with("json", json.clone()),
        Payload::Binary(bytes) => {
            let fields = Fields::new().with("type", "binary").with("size", bytes.len());
            if hash { fields.with("sha256", sha256(bytes).await) } else { fields }
        }
    }
}

/// The length of a payload as it travels.
pub(crate) fn payload_bytes(payload: &Payload) -> usize {
    match payload {
        Payload::Text(text) => text.len(),
        Payload::Json(json) => json.to_string().len(),
        Payload::Binary(bytes) => bytes.len(),
    }
}

async fn sha256(bytes: &Bytes) -> String {
    if bytes.len() < HASHED_ELSEWHERE {
        return sha256_now(bytes);
    }
    let bytes = bytes.clone();
    let hashed = tokio::task::spawn_blocking(move || sha256_now(&bytes)).await;
    hashed.expect("hashing neither panics nor is cancelled")
}

fn sha256_now(bytes: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    // `Bytes` is shown in hexadecimal.
    format!("{:x}", Bytes::copy_from_slice(&digest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(json: Value) -> PayloadSpec {
        serde_json::from_value(json).unwrap()
    }

    async fn read(json: Value) -> Payload {
        spec(json).read().await.unwrap()
    }

    #[test]
    fn sized_binaries_are_those_of_the_other_implementations() {
        // Computed by the formula of docs/agent.md in JavaScript.
        let seed_1 = [0x21, 0x20, 0x04, 0x00, 0x01, 0x06, 0x08, 0x04, 0xc5, 0xa8, 0xcc];
        assert_eq!(sized_binary(11, 1)[..], seed_1);
        assert_eq!(sized_binary(4, u32::MAX)[..], [0x1f, 0xe0, 0x03, 0x00]);
        let sha256 = "5a9563c02a0eba101ebe039e4d7524fbd0e6be4b86010d77a815152ff62bfa8e";
        assert_eq!(sha256_now(&sized_binary(1_000_003, 7)), sha256);
        assert!(sized_binary(0, 1).is_empty());
    }

    #[tokio::test]
    async fn a_payload_is_read_from_any_of_its_forms() {
        assert_eq!(read(json!({"text": ""})).await, Payload::from(""));
        assert_eq!(read(json!({"json": "plain"})).await, Payload::from("plain"));
        assert_eq!(read(json!({"json": null})).await, Payload::Json(Value::Null));
        assert_eq!(read(json!({"binary": 5})).await, Payload::Binary(sized_binary(5, 1)));
        let seeded = json!({"binary": {"size": 5, "seed": 9}});
        assert_eq!(read(seeded).await, Payload::Binary(sized_binary(5, 9)));
        let base64 = json!({"binary": {"base64": "AQID"}});
        assert_eq!(read(base64).await, Payload::from(vec![1, 2, 3]));
    }

    #[tokio::test]
    async fn a_payload_is_one_thing() {
        for wrong in [
            json!({}),
            json!({"text": "a", "json": null}),
            json!({"file": "/no/such/file"}),
            json!({"binary": {"base64": "?"}}),
            json!({"binary": SIZE_MAX + 1}),
        ] {
            assert!(spec(wrong.clone()).read().await.is_err(), "{wrong}");
        }
        for wrong in [
            json!({"text": 1}),
            json!({"binary": -1}),
            json!({"binary": "AQID"}),
            json!({"binary": {"size": 5, "sede": 9}}),
        ] {
            assert!(serde_json::from_value::<PayloadSpec>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_binary_is_told_by_size_and_hash() {
        let empty = Payload::Binary(Bytes::new());
        let told = Value::from(describe(&empty, true).await);
        // NIST's vector of the empty message.
        let sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(told, json!({"type": "binary", "size": 0, "sha256": sha256}));
        let told = Value::from(describe(&empty, false).await);
        assert_eq!(told, json!({"type": "binary", "size": 0}));
    }

    #[test]
    fn payloads_are_measured_in_utf_8() {
        assert_eq!(payload_bytes(&"grüß".into()), 6);
        assert_eq!(payload_bytes(&json!({"a": [1, null]}).into()), 14);
    }
}
