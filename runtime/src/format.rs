//! How typed values travel.

use std::any::Any;
use std::fmt::Display;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tristero_proto::wire::Payload;

use crate::action::Received;

/// Makes payloads of values, and values of payloads.
///
/// [`Json`] is for rooms that browsers share; [`Postcard`] is smaller and faster, between Rust
/// programs; [`Raw`] leaves the payload as it is. A format of one's own is a type that implements
/// this:
///
/// ```
/// use tristero::{Format, FormatError, Payload};
///
/// /// Numbers as eight bytes.
/// enum BigEndian {}
///
/// impl Format<u64> for BigEndian {
///     fn encode(value: &u64) -> Result<Payload, FormatError> {
///         Ok(value.to_be_bytes().to_vec().into())
///     }
///
///     fn decode(payload: &Payload) -> Result<u64, FormatError> {
///         let Payload::Binary(bytes) = payload else {
///             return Err(FormatError::new("it is not binary"));
///         };
///         Ok(u64::from_be_bytes(bytes[..].try_into().map_err(FormatError::new)?))
///     }
/// }
/// ```
pub trait Format<T> {
    /// The payload for a value.
    ///
    /// # Errors
    ///
    /// Fails if this format has no form for it.
    fn encode(value: &T) -> Result<Payload, FormatError>;

    /// The value of a payload, which may be anything: peers are not trusted.
    ///
    /// # Errors
    ///
    /// Fails if it is of another type.
    fn decode(payload: &Payload) -> Result<T, FormatError>;

    /// Like [`encode`](Self::encode), of a value that nobody needs any more. A format that can move
    /// it spares a copy.
    ///
    /// # Errors
    ///
    /// Fails if this format has no form for it.
    fn into_payload(value: T) -> Result<Payload, FormatError> {
        Self::encode(&value)
    }

    /// Like [`decode`](Self::decode), of a payload that nobody needs any more. A format that can
    /// move it spares a copy.
    ///
    /// # Errors
    ///
    /// Fails, and gives the payload back, if it is of another type.
    fn from_payload(payload: Payload) -> Result<T, (Payload, FormatError)> {
        Self::decode(&payload).map_err(|why| (payload, why))
    }
}

/// Values that serde knows, as JSON: what a browser sees as plain objects. A string travels as
/// text, and comes back as one.
#[derive(Clone, Copy, Debug)]
pub enum Json {}

/// Values that serde knows, as bytes of the [postcard format](https://postcard.jamesmunns.com).
/// Both sides must have the same type, field by field: the bytes don't describe themselves.
#[derive(Clone, Copy, Debug)]
pub enum Postcard {}

/// [`Payload`]s as they are, whatever they are; or [`Bytes`], and nothing else.
#[derive(Clone, Copy, Debug)]
pub enum Raw {}

/// Why a value has no payload, or a payload is not the value that is expected, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FormatError(String);

/// Something came that is not of the type that is expected. Peers are not trusted, so this is
/// nothing to give up for; what comes after it is received all the same.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{} sent something of another type: {why}", .received.peer)]
#[non_exhaustive]
pub struct WrongType {
    /// What, and who sent it.
    pub received: Box<Received<Payload>>,
    /// What is wrong with it.
    pub why: FormatError,
}

impl FormatError {
    /// An error with this text.
    pub fn new(why: impl Display) -> Self {
        FormatError(why.to_string())
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Format<T> for Json {
    fn encode(value: &T) -> Result<Payload, FormatError> {
        Payload::json(value).map_err(FormatError::new)
    }

    fn decode(payload: &Payload) -> Result<T, FormatError> {
        payload.decode().map_err(FormatError::new)
    }

    fn into_payload(value: T) -> Result<Payload, FormatError> {
        // serde would copy a string, which is a payload already.
        match as_same(value) {
            Ok(text) => Ok(Payload::Text(text)),
            Err(value) => Self::encode(&value),
        }
    }

    fn from_payload(payload: Payload) -> Result<T, (Payload, FormatError)> {
        let text = match payload {
            Payload::Text(text) => text,
            other => return Self::decode(&other).map_err(|why| (other, why)),
        };
        as_same(text).or_else(|text| {
            let payload = Payload::Text(text);
            Self::decode(&payload).map_err(|why| (payload, why))
        })
    }
}

/// The value itself, if both types are one.
fn as_same<A: 'static, B: 'static>(value: A) -> Result<B, A> {
    let mut value = Some(value);
    let same = (&mut value as &mut dyn Any).downcast_mut::<Option<B>>();
    match same.and_then(Option::take) {
        Some(same) => Ok(same),
        None => Err(value.expect("it was not taken")),
    }
}

impl<T: Serialize + DeserializeOwned> Format<T> for Postcard {
    fn encode(value: &T) -> Result<Payload, FormatError> {
        postcard::to_allocvec(value).map(Payload::from).map_err(FormatError::new)
    }

    fn decode(payload: &Payload) -> Result<T, FormatError> {
        match postcard::take_from_bytes(binary(payload)?) {
            Ok((value, [])) => Ok(value),
            Ok((_, rest)) => Err(FormatError::new(format!("{} bytes too many", rest.len()))),
            Err(error) => Err(FormatError::new(error)),
        }
    }
}

impl Format<Payload> for Raw {
    fn encode(value: &Payload) -> Result<Payload, FormatError> {
        Ok(value.clone())
    }

    fn decode(payload: &Payload) -> Result<Payload, FormatError> {
        Ok(payload.clone())
    }

    fn into_payload(value: Payload) -> Result<Payload, FormatError> {
        Ok(value)
    }

    fn from_payload(payload: Payload) -> Result<Payload, (Payload, FormatError)> {
        Ok(payload)
    }
}

impl Format<Bytes> for Raw {
    fn encode(value: &Bytes) -> Result<Payload, FormatError> {
        Ok(value.clone().into())
    }

    fn decode(payload: &Payload) -> Result<Bytes, FormatError> {
        binary(payload).cloned()
    }
}

fn binary(payload: &Payload) -> Result<&Bytes, FormatError> {
    match payload {
        Payload::Binary(bytes) => Ok(bytes),
        Payload::Text(_) => Err(FormatError::new("it is text and not binary")),
        Payload::Json(_) => Err(FormatError::new("it is JSON and not binary")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Move {
        from: String,
        to: Option<(u8, u8)>,
    }

    fn comes_back<T: PartialEq + Debug, F: Format<T>>(value: &T) {
        let payload = F::encode(value).unwrap();
        assert_eq!(&F::decode(&payload).unwrap(), value);
        let moved = F::into_payload(F::decode(&payload).unwrap()).unwrap();
        assert_eq!(moved.emit(), payload.clone().emit());
        assert_eq!(&F::from_payload(payload).unwrap(), value);
    }

    fn decode<T, F: Format<T>>(payload: impl Into<Payload>) -> Result<T, FormatError> {
        F::decode(&payload.into())
    }

    #[test]
    fn values_come_back_in_every_format() {
        let played = Move { from: "g1".to_owned(), to: Some((5, 2)) };
        comes_back::<_, Json>(&played);
        comes_back::<_, Postcard>(&played);
        comes_back::<_, Json>(&"grüß dich".to_owned());
        comes_back::<_, Postcard>(&"grüß dich".to_owned());
        comes_back::<_, Json>(&());
        comes_back::<_, Postcard>(&());
        comes_back::<_, Raw>(&Bytes::from_static(b"\0\xff"));
        comes_back::<_, Raw>(&Payload::from(json!([1, null])));
    }

    #[test]
    fn json_is_what_a_browser_sends() {
        let played = decode::<Move, Json>(json!({ "from": "g1", "to": [5, 2] })).unwrap();
        assert_eq!(played, Move { from: "g1".to_owned(), to: Some((5, 2)) });
        assert_eq!(decode::<String, Json>("a text").unwrap(), "a text");
        assert_eq!(decode::<Value, Json>("a text").unwrap(), json!("a text"));
    }

    #[test]
    fn other_types_are_errors() {
        assert!(decode::<Move, Json>("g1").is_err(), "text is no struct");
        assert!(decode::<Move, Json>(json!({ "to": 7 })).is_err());
        assert!(decode::<Move, Json>(vec![0]).is_err(), "bytes are no JSON");
        assert!(decode::<String, Json>(json!(7)).is_err());
        assert!(decode::<Move, Postcard>(json!({ "from": "g1", "to": null })).is_err());
        assert!(decode::<Bytes, Raw>("text").is_err());
    }

    #[test]
    fn postcard_takes_neither_too_few_bytes_nor_too_many() {
        let Ok(Payload::Binary(bytes)) = Postcard::encode(&(1u8, 2u8)) else { panic!("bytes") };
        assert_eq!(decode::<(u8, u8), Postcard>(bytes.clone()), Ok((1, 2)));
        assert!(decode::<(u8, u8, u8), Postcard>(bytes.clone()).is_err());
        let error = decode::<u8, Postcard>(bytes).unwrap_err();
        assert_eq!(error.to_string(), "1 bytes too many");
    }

    #[test]
    fn what_a_format_can_not_say_is_an_error() {
        let by_tuple = BTreeMap::from([((1, 2), 3)]);
        assert!(<Json as Format<BTreeMap<(i32, i32), i32>>>::encode(&by_tuple).is_err());
    }
}
