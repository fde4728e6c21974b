//! What a transmission carries: a text, a JSON value or bytes.
//!
//! spec: docs/protocol.md, section 4

use std::ops::Deref;

use bytes::Bytes;
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer as _};
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
    /// Any serializable value, as JSON.
    ///
    /// # Errors
    ///
    /// Fails where JSON has no form for the value, such as a map whose keys are not strings.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Payload> {
        serde_json::to_value(value).map(Payload::Json)
    }

    /// The value that [`json`](Self::json) took, or that a JavaScript peer sent.
    ///
    /// # Errors
    ///
    /// Fails if it is of another type, or is binary.
    pub fn decode<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        match self {
            Payload::Text(text) => T::deserialize(text.as_str().into_deserializer()),
            Payload::Json(value) => T::deserialize(value),
            Payload::Binary(_) => Err(serde_json::Error::custom("the payload is binary")),
        }
    }

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
        let (bits, body) = self.into_body();
        (bits, body.into_shared())
    }

    /// Like [`emit`](Self::emit), without making bytes shared that have one owner.
    pub(super) fn into_body(self) -> (u8, Emitted) {
        match self {
            Payload::Text(text) | Payload::Json(Value::String(text)) => {
                (0, Emitted::Owned(text.into_bytes()))
            }
            Payload::Json(value) => {
                let json = serde_json::to_vec(&value).expect("a value's keys are strings");
                (Tag::JSON, Emitted::Owned(json))
            }
            Payload::Binary(bytes) => (Tag::BINARY | Tag::JSON, Emitted::Shared(bytes)),
        }
    }
}

/// The bytes of a payload. To share those of one owner takes an allocation.
#[derive(Clone, Debug)]
pub(super) enum Emitted {
    Owned(Vec<u8>),
    Shared(Bytes),
}

impl Emitted {
    pub(super) fn into_shared(self) -> Bytes {
        match self {
            Emitted::Owned(bytes) => bytes.into(),
            Emitted::Shared(bytes) => bytes,
        }
    }

    /// Makes clones cheap.
    pub(super) fn share(&mut self) {
        if let Emitted::Owned(bytes) = self {
            *self = Emitted::Shared(std::mem::take(bytes).into());
        }
    }
}

impl Deref for Emitted {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Emitted::Owned(bytes) => bytes,
            Emitted::Shared(bytes) => bytes,
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

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Move {
        Pass,
        Play { x: u8 },
    }

    #[test]
    fn typed_values_come_back_also_those_that_travel_as_text() {
        for value in [Move::Pass, Move::Play { x: 3 }] {
            let (bits, bytes) = Payload::json(&value).unwrap().emit();
            let arrived = Payload::parse(Tag(bits | Tag::LAST), bytes).unwrap();
            assert_eq!(arrived.decode::<Move>().unwrap(), value);
        }
        assert_eq!(Payload::from("hi").decode::<String>().unwrap(), "hi");
    }

    #[test]
    fn a_number_arrives_as_it_was_sent() {
        // As JavaScript writes them: with as many digits as tell them from their neighbours.
        for text in ["31.245270191439438", "121.48791951161945", "0.30000000000000004", "5e-324"] {
            let number: f64 = text.parse().unwrap();
            let arrived = Payload::parse(Tag(Tag::JSON), Bytes::from(text)).unwrap();
            assert_eq!(arrived.decode::<f64>().unwrap().to_bits(), number.to_bits(), "{text}");
        }
    }

    #[test]
    fn other_types_are_an_error() {
        assert!(Payload::from("resign").decode::<Move>().is_err());
        assert!(Payload::from(vec![1]).decode::<Move>().is_err());
        assert!(Payload::json(&7).unwrap().decode::<Move>().is_err());
    }
}
