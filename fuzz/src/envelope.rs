//! The envelope in which descriptions and candidates pass relays.

use arbitrary::Unstructured;
use tristero_proto::crypto::{OpenError, SignalKey};

/// Opens bytes as an envelope, then seals them as a text: only what was sealed comes out again,
/// with its own key, and never anything else however the envelope was changed.
///
/// The first bytes say with which initialization vector they are sealed, and what is changed.
pub fn run(bytes: &[u8]) {
    let key = SignalKey::derive("password", "app", "room");
    let other = SignalKey::derive("other", "app", "room");
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = key.open(text);
    }
    let mut bytes = Unstructured::new(bytes);
    let drawn: Result<([u8; 16], u16, u8), _> = bytes.arbitrary();
    let Ok((iv, place, letter)) = drawn else { return };
    let text = String::from_utf8_lossy(bytes.take_rest()).into_owned();
    let envelope = key.seal_with_iv(&text, iv);
    if envelope.len() > tristero_proto::limits::SIGNAL_BYTES_MAX {
        assert_eq!(key.open(&envelope), Err(OpenError::Malformed), "it is too long");
        return;
    }
    assert_eq!(key.open(&envelope), Ok(text.clone()), "it opens with its own key");
    assert_eq!(other.open(&envelope), Err(OpenError::WrongKey), "it opens with no other");
    let mut changed = envelope.into_bytes();
    let place = usize::from(place) % changed.len();
    changed[place] = letter;
    if let Ok(changed) = String::from_utf8(changed)
        && let Ok(opened) = key.open(&changed)
    {
        assert_eq!(opened, text, "an envelope that was changed says something else");
    }
}
