//! What a peer says of the audio and video that it sends: `@_stream` and `@_track` in JavaScript.
//!
//! spec: docs/protocol.md, section 7

use serde_json::{Map, Value};

use crate::limits;

/// Something about the audio and video of whoever says it.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaSaid {
    /// A stream is sent from now on.
    Stream {
        /// What the sender calls it in this room.
        key: String,
        /// What session descriptions call it.
        stream: String,
        /// What goes along with it.
        metadata: Option<Value>,
    },
    /// A track is added to a stream.
    Track {
        /// What the sender calls it in this room.
        key: String,
        /// What session descriptions call the stream.
        stream: String,
        /// What they call the track, if it is the first one in its place.
        track: String,
        /// What goes along with it.
        metadata: Option<Value>,
    },
    /// Something else is sent as a track from now on.
    Replacement {
        /// What the sender calls what it sends from now on.
        key: String,
        /// What session descriptions, or the replacement before, call the track.
        track: String,
        /// What goes along with it.
        metadata: Option<Value>,
    },
}

impl MediaSaid {
    /// The action that carries streams.
    pub const STREAM: &str = "@_stream";
    /// The action that carries tracks and replacements.
    pub const TRACK: &str = "@_track";

    /// Reads what came on one of the two actions; `None` if it makes no sense.
    pub fn parse(action: &str, value: &Value) -> Option<Self> {
        let text = |name| match value.get(name) {
            None => Some(None),
            Some(Value::String(text)) if text.len() <= limits::MEDIA_NAME_BYTES_MAX => {
                Some(Some(text.clone()))
            }
            Some(_) => None,
        };
        let (key, stream, track) = (text("k")??, text("s")?, text("t")?);
        let metadata = value.get("m").cloned();
        match (action, stream, track) {
            (Self::STREAM, Some(stream), _) => Some(MediaSaid::Stream { key, stream, metadata }),
            (Self::TRACK, Some(stream), Some(track)) => {
                Some(MediaSaid::Track { key, stream, track, metadata })
            }
            (Self::TRACK, None, Some(track)) => {
                Some(MediaSaid::Replacement { key, track, metadata })
            }
            _ => None,
        }
    }

    /// The action that carries it.
    pub fn action(&self) -> &'static str {
        match self {
            MediaSaid::Stream { .. } => Self::STREAM,
            MediaSaid::Track { .. } | MediaSaid::Replacement { .. } => Self::TRACK,
        }
    }

    /// Writes it as JavaScript does.
    pub fn emit(&self) -> Value {
        let (key, stream, track, metadata) = match self {
            MediaSaid::Stream { key, stream, metadata } => (key, Some(stream), None, metadata),
            MediaSaid::Track { key, stream, track, metadata } => {
                (key, Some(stream), Some(track), metadata)
            }
            MediaSaid::Replacement { key, track, metadata } => (key, None, Some(track), metadata),
        };
        let mut object = Map::new();
        object.insert("k".into(), key.clone().into());
        for (name, text) in [("s", stream), ("t", track)] {
            if let Some(text) = text {
                object.insert(name.into(), text.clone().into());
            }
        }
        if let Some(metadata) = metadata {
            object.insert("m".into(), metadata.clone());
        }
        Value::Object(object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_emitted_parses_to_the_same() {
        for metadata in [None, Some(Value::Null), Some(json!({"name": "camera"}))] {
            let (key, stream, track) = ("k".to_owned(), "s".to_owned(), "t".to_owned());
            for said in [
                MediaSaid::Stream {
                    key: key.clone(),
                    stream: stream.clone(),
                    metadata: metadata.clone(),
                },
                MediaSaid::Track {
                    key: key.clone(),
                    stream,
                    track: track.clone(),
                    metadata: metadata.clone(),
                },
                MediaSaid::Replacement { key, track, metadata: metadata.clone() },
            ] {
                assert_eq!(MediaSaid::parse(said.action(), &said.emit()), Some(said));
            }
        }
    }

    #[test]
    fn what_javascript_says_is_read() {
        // What Chromium says by Trystero 0.25.4, for addStream, addTrack and replaceTrack.
        let (key, stream) = ("Sd0mK5TyZTuTN5aMDXhE", "2f2ff2bc-8fd0-4d62-8d5b-8c2f7a1f5bcb");
        let track = "7dcf1b9e-5c9a-4e84-8a55-0a86c67d2f4f";
        let said = MediaSaid::parse("@_stream", &json!({"k": key, "s": stream, "m": "hi"}));
        assert_eq!(
            said,
            Some(MediaSaid::Stream {
                key: key.into(),
                stream: stream.into(),
                metadata: Some("hi".into())
            })
        );
        let said = MediaSaid::parse("@_track", &json!({"k": key, "s": stream, "t": track}));
        assert!(matches!(said, Some(MediaSaid::Track { metadata: None, .. })), "{said:?}");
        let said = MediaSaid::parse("@_track", &json!({"k": key, "t": track, "m": null}));
        let null = Some(Value::Null);
        assert!(matches!(said, Some(MediaSaid::Replacement { metadata, .. }) if metadata == null));
    }

    #[test]
    fn anything_else_is_nothing() {
        let long = "x".repeat(limits::MEDIA_NAME_BYTES_MAX + 1);
        for (action, value) in [
            ("@_stream", json!(null)),
            ("@_stream", json!("text")),
            ("@_stream", json!({"s": "stream"})),
            ("@_stream", json!({"k": 7, "s": "stream"})),
            ("@_stream", json!({"k": "key"})),
            ("@_stream", json!({"k": "key", "s": long})),
            ("@_track", json!({"k": "key", "s": "stream"})),
            ("@_track", json!({"k": "key", "s": null, "t": "track"})),
            ("@_other", json!({"k": "key", "s": "stream", "t": "track"})),
        ] {
            assert_eq!(MediaSaid::parse(action, &value), None, "{action} {value}");
        }
    }
}
