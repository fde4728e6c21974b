//! What applications send: numbered, and checkable from the number alone.

use bytes::Bytes;
use serde_json::{Value, json};
use tristero_proto::wire::Payload;

/// Something that was sent, by a number that no other has in its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) number: u64,
    pub(crate) form: Form,
    pub(crate) size: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
    Binary,
}

impl Parcel {
    pub(crate) fn payload(self) -> Payload {
        match self.form {
            Form::Text => Payload::Text(format!("{}:{}", self.number, self.letters())),
            Form::Json => Payload::Json(json!({ "n": self.number, "pad": self.letters() })),
            Form::Binary => Payload::Binary(self.bytes()),
        }
    }

    /// The number, then bytes that follow from it.
    pub(crate) fn bytes(self) -> Bytes {
        let mut bytes = self.number.to_be_bytes().to_vec();
        let mut state = self.number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        while bytes.len() < self.size {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend(state.to_be_bytes());
        }
        bytes.truncate(self.size.max(NUMBER_BYTES));
        bytes.into()
    }

    fn letters(self) -> String {
        let shift = self.number % 26;
        let letter =
            |place: u64| char::from(b'a' + u8::try_from((place + shift) % 26).unwrap_or(0));
        (0..self.size as u64).map(letter).collect()
    }
}

/// The number of the parcel with this payload.
pub(crate) fn number_of(payload: &Payload) -> Option<u64> {
    match payload {
        Payload::Text(text) => text.split_once(':')?.0.parse().ok(),
        Payload::Json(value) => value.get("n").and_then(Value::as_u64),
        Payload::Binary(bytes) => number_in(bytes),
    }
}

/// The number of the parcel that begins with these bytes.
pub(crate) fn number_in(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|number| u64::from_be_bytes(*number))
}

const NUMBER_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_is_known_by_its_payload() {
        for form in [Form::Text, Form::Json, Form::Binary] {
            for size in [0, 9, 1_000] {
                let parcel = Parcel { number: 1_234, form, size };
                assert_eq!(number_of(&parcel.payload()), Some(1_234), "{parcel:?}");
                let other = Parcel { number: 1_235, ..parcel };
                assert_ne!(parcel.payload(), other.payload());
            }
        }
    }
}
