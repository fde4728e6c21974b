//! What a transmission carries: a text, a JSON value or bytes.
//!
//! spec: docs/protocol.md, section 4

use bytes::Bytes;
use serde_json::Value;

use super::Tag;

/// A value as rooms exchange it.
///
/// A JSON string travels as text, so it arrives as [`Payload::Text`]: take either where a string
/// is expected.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// A string.
    Text(String),
    /// Any other JSON value.
    Json(Value),
    /// Bytes; an `ArrayBuffer` in a browser.
    Binary(Bytes),
}

/// Why the bytes of a transmission are not what they claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// A text that is not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// A value that is not JSON.
    #[error("the value is not JSON")]
    NotJson,
}

impl Payload {
    /// Reads what was reassembled under the tag of the last chunk.
    pub fn parse(tag: Tag, bytes: Bytes) -> Result<Payload, PayloadError> {
        if tag.has(Tag::BINARY) {
            return Ok(Payload::Binary(bytes));
        }
        if tag.has(Tag::JSON) {
            let value = serde_json::from_slice(&bytes).map_err(|_| PayloadError::NotJson)?;
            return Ok(Payload::Json(value));
        }
        match String::from_utf8(bytes.into()) {
            Ok(text) => Ok(Payload::Text(text)),
            Err(_) => Err(PayloadError::NotUtf8),
        }
    }

    /// The bits that say what the payload is, and its bytes.
    pub fn emit(self) -> (u8, Bytes) {
        match self {
            Payload::Text(text) | Payload::Json(Value::String(text)) => (0, text.into()),
            Payload::Json(value) => (Tag::JSON, value.to_string().into()),
            Payload::Binary(bytes) => (Tag::BINARY | Tag::JSON, bytes),
        }
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Payload::Text(text.to_owned())
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Payload::Text(text)
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Payload::Json(value)
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Payload::Binary(bytes)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Payload::Binary(bytes.into())
    }
}
