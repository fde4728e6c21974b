//! Properties of the codecs: what was written is read again, and no input is too strange to be
//! refused in an orderly way.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use serde_json::{Value, json};
use tristero_proto::crypto::{RoomToken, SignalKey, Topic};
use tristero_proto::signaling::{
    LinkFrame, RelayUrl, SessionInput, SessionOutput, Strategy as AnyStrategy, Subscription,
};
use tristero_proto::strategies::{Firebase, Ipfs, Mqtt, Nostr, Supabase, Torrent, WsRelay};
use tristero_proto::testing::session_terms;
use tristero_proto::wire::{
    ActionName, CandidateInit, Chunk, Frame, OfferId, Payload, Signal, SignalBody, Tag,
    Transmission,
};
use tristero_proto::{PeerId, Seed, Time};

fn strategies() -> Vec<Box<dyn AnyStrategy>> {
    vec![
        Box::new(WsRelay),
        Box::new(Nostr),
        Box::new(Torrent),
        Box::new(Firebase::default()),
        Box::new(Mqtt),
        Box::new(Supabase::new("key")),
        Box::new(Ipfs),
    ]
}

fn any_signal() -> impl Strategy<Value = Signal> {
    let offer_id = "[0-9A-Za-z]{1,64}".prop_map(|id| OfferId::from_wire(&id).unwrap());
    let body = (0..4, offer_id, ".{1,50}").prop_map(|(kind, offer_id, sealed)| match kind {
        0 => SignalBody::Announce,
        1 => SignalBody::Offer { offer_id, sealed },
        2 => SignalBody::Answer { offer_id: Some(offer_id), sealed },
        _ => SignalBody::Candidate { offer_id: None, sealed },
    });
    ("[^\\p{Cc}]{1,20}", any::<bool>(), body).prop_map(|(from, is_passive, body)| Signal {
        from: PeerId::new(&from).unwrap(),
        is_passive,
        body,
    })
}

/// Bytes that are much like packets of MQTT, and some that are not.
fn any_mqtt_stream() -> impl Strategy<Value = Vec<u8>> {
    let packet =
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..100)).prop_map(|(kind, body)| {
            let length = u8::try_from(body.len()).unwrap();
            [&[kind, length][..], &body].concat()
        });
    let publish = (any::<u8>(), "[ab]{1,5}", any::<Vec<u8>>()).prop_map(|(flags, topic, body)| {
        let topic = [&[0, u8::try_from(topic.len()).unwrap()], topic.as_bytes()].concat();
        let length = u8::try_from(topic.len() + body.len().min(50)).unwrap();
        [&[0x30 | flags & 0xF, length][..], &topic, &body[..body.len().min(50)]].concat()
    });
    let part = prop_oneof![packet, publish, prop::collection::vec(any::<u8>(), 0..10)];
    prop::collection::vec(part, 0..10).prop_map(|parts| parts.concat())
}

/// What a session says that hears a stream in frames of these lengths, over and over.
fn said_of_mqtt(stream: &[u8], lengths: &[usize]) -> Vec<SessionOutput> {
    let mut session = Mqtt.session(session_terms(RelayUrl::web_socket("ws://localhost").unwrap()));
    session.handle_input(SessionInput::Opened, Time::ZERO);
    let mut hear = |bytes: &[u8]| {
        let frame = LinkFrame::Binary(Bytes::copy_from_slice(bytes));
        session.handle_input(SessionInput::Frame(frame), Time::ZERO);
    };
    hear(b"\x20\x02\x00\x00");
    let (mut rest, mut lengths) = (stream, lengths.iter().cycle());
    while !rest.is_empty() {
        let (frame, after) = rest.split_at(rest.len().min(*lengths.next().unwrap()));
        hear(frame);
        rest = after;
    }
    std::iter::from_fn(|| session.poll_output()).collect()
}

fn any_payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        ".{0,40}".prop_map(Payload::Text),
        any::<Option<i64>>().prop_map(|n| Payload::Json(n.map_or(Value::Null, Value::from))),
        (0usize..60_000).prop_map(|length| Payload::Binary(vec![7; length].into())),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let key = || prop_oneof![Just("_".to_owned()), Just("own".to_owned()), "[a-c/]{0,3}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// What a database may say: a message of any layer and kind, with any content.
fn any_database_frame() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["c", "d", "h", "r", "s", "e", "m", "ac", "sd", "x"]);
    let path = "(/?(__trystero__|root|own|_|a)){0,7}/?";
    let body = || {
        (path, any_json(), name())
            .prop_map(|(path, data, status)| json!({ "p": path, "d": data, "s": status }))
    };
    let content = prop_oneof![
        (name(), body()).prop_map(|(action, body)| json!({ "a": action, "b": body })),
        (0..4, body()).prop_map(|(number, body)| json!({ "r": number, "b": body })),
        (name(), any_json()).prop_map(|(kind, data)| json!({ "t": kind, "d": data })),
        any_json(),
    ];
    prop_oneof![
        4 => (name(), content).prop_map(|(layer, d)| json!({ "t": layer, "d": d }).to_string()),
        1 => any_json().prop_map(|json| json.to_string()),
        1 => "[0-9]{1,7}",
    ]
}

proptest! {
    #[test]
    fn any_change_of_a_database_is_taken(
        frames in prop::collection::vec(any_database_frame(), 0..20),
    ) {
        let url = RelayUrl::web_socket("ws://localhost").unwrap();
        let mut session = Firebase::default().session(session_terms(url));
        session.handle_input(SessionInput::Opened, Time::ZERO);
        let (root, own) = (&Topic::from_wire("root"), &Topic::from_wire("own"));
        for topic in [root, own] {
            let subscription = Subscription { topic, root };
            session.handle_input(SessionInput::Subscribe(subscription), Time::ZERO);
        }
        let hello = r#"{"t":"c","d":{"t":"h","d":{}}}"#.to_owned();
        for text in [hello].into_iter().chain(frames) {
            session.handle_input(SessionInput::Frame(LinkFrame::Text(text)), Time::ZERO);
            while let Some(output) = session.poll_output() {
                if let SessionOutput::Message { topic, .. } = output {
                    prop_assert!([root, own].contains(&&topic));
                }
            }
        }
    }

    #[test]
    fn any_message_of_a_waku_node_is_taken(protocol in 0u8..6, field in 0u8..16, bytes: Vec<u8>) {
        let mut session = Ipfs.session(session_terms(RelayUrl::custom("/dns4/a")));
        session.handle_input(SessionInput::Opened, Time::ZERO);
        // A field with a length, a field with a number, and anything.
        let length = u8::try_from(bytes.len() % 128).unwrap();
        for first in [vec![field << 3 | 2, length], vec![field << 3], vec![]] {
            let frame = [vec![protocol], first, bytes.clone()].concat();
            let frame = LinkFrame::Binary(frame.into());
            session.handle_input(SessionInput::Frame(frame), Time::ZERO);
            while session.poll_output().is_some() {}
        }
    }

    #[test]
    fn signals_round_trip(signal in any_signal()) {
        prop_assert_eq!(Signal::parse(&signal.emit()), Ok(signal));
    }

    #[test]
    fn any_text_is_a_signal_or_an_error(text in ".{0,200}") {
        let _ = Signal::parse(&text);
        let _ = CandidateInit::parse(&text);
        let _ = SignalKey::derive("", "a", "b").open(&text);
    }

    #[test]
    fn any_message_of_a_relay_is_taken(text in ".{0,200}", bytes: Vec<u8>) {
        for strategy in strategies() {
            let url = RelayUrl::web_socket("ws://localhost").unwrap();
            let mut session = strategy.session(session_terms(url));
            session.handle_input(SessionInput::Opened, Time::ZERO);
            for frame in [LinkFrame::Text(text.clone()), LinkFrame::Binary(bytes.clone().into())] {
                session.handle_input(SessionInput::Frame(frame), Time::ZERO);
                while session.poll_output().is_some() {}
            }
        }
    }

    #[test]
    fn any_stream_of_a_broker_is_taken_and_means_the_same_in_any_frames(
        stream in any_mqtt_stream(),
        lengths in prop::collection::vec(1usize..40, 1..10),
    ) {
        prop_assert_eq!(said_of_mqtt(&stream, &lengths), said_of_mqtt(&stream, &[usize::MAX]));
    }

    #[test]
    fn any_message_of_supabase_is_taken(
        head in prop::collection::vec(any::<u8>(), 4),
        names in prop_oneof![Just("realtime:room:t:messages"), Just("phoenix"), Just("é")],
        event in "phx_reply|phx_close|phx_error|broadcast|system|join|sdp|[a-z]{0,9}",
        payload in ".{0,30}|\\{\"(event|status|payload)\":(\"ok\"|\"error\"|\"sdp\"|1|null)\\}",
        reference in "[0-9]{0,25}",
    ) {
        let url = RelayUrl::web_socket("ws://localhost").unwrap();
        let mut session = Supabase::new("key").session(session_terms(url));
        session.handle_input(SessionInput::Opened, Time::ZERO);
        let topic = &Topic::from_wire("t");
        let subscription = Subscription { topic, root: topic };
        session.handle_input(SessionInput::Subscribe(subscription), Time::ZERO);
        let payload_json = serde_json::from_str(&payload).unwrap_or(Value::from(payload.clone()));
        let text = serde_json::json!([reference, reference, names, event, payload_json]);
        let binary = [&[4][..], &head, names.as_bytes(), event.as_bytes(), payload.as_bytes()];
        for frame in [LinkFrame::Text(text.to_string()), LinkFrame::Binary(binary.concat().into())] {
            session.handle_input(SessionInput::Frame(frame), Time::ZERO);
            while session.poll_output().is_some() {}
        }
    }

    #[test]
    fn any_bytes_are_a_frame_or_an_error(bytes: Vec<u8>) {
        let bytes = Bytes::from(bytes);
        let _ = Chunk::parse(&bytes);
        if let Ok(Frame::Room { token, chunk }) = Frame::parse(&bytes) {
            let mut again = BytesMut::new();
            Frame::emit_room_header(&token, &mut again);
            again.extend_from_slice(&chunk);
            prop_assert_eq!(again.freeze(), bytes);
        }
    }

    #[test]
    fn chunks_round_trip(name in "[^@\0]{1,8}", nonce: u16, tag: u8, progress: u8, payload: Vec<u8>) {
        let action = ActionName::new(&name).unwrap();
        let chunk = Chunk { action, nonce, tag: Tag(tag), progress, payload: payload.into() };
        let mut bytes = BytesMut::new();
        chunk.emit(&mut bytes);
        prop_assert_eq!(Chunk::parse(&bytes.freeze()), Ok(chunk));
    }

    #[test]
    fn presence_round_trips(token in prop::collection::vec(any::<u8>(), 1..=256), is_present: bool) {
        let token = RoomToken::from_wire(&token);
        let mut bytes = BytesMut::new();
        Frame::emit_presence(&token, is_present, &mut bytes);
        prop_assert_eq!(Frame::parse(&bytes.freeze()), Ok(Frame::Presence { token, is_present }));
    }

    #[test]
    fn the_chunks_of_a_transmission_are_its_payload(payload in any_payload(), has_metadata: bool) {
        let metadata = has_metadata.then(|| Value::from("metadata"));
        let action = ActionName::new("a").unwrap();
        let mut transmission = Transmission::new(action, 3, payload.clone(), metadata.as_ref());
        let (mut whole, mut first, mut progress) = (BytesMut::new(), true, 0);
        loop {
            let mut bytes = BytesMut::new();
            transmission.emit_next(&mut bytes);
            let chunk = Chunk::parse(&bytes.freeze()).unwrap();
            prop_assert!(chunk.payload.len() <= Chunk::PAYLOAD_BYTES);
            prop_assert!(chunk.progress >= progress);
            prop_assert_eq!(chunk.tag.has(Tag::META), first && has_metadata);
            progress = chunk.progress;
            first = false;
            if !chunk.tag.has(Tag::META) {
                whole.extend_from_slice(&chunk.payload);
            }
            let is_last = transmission.advance();
            prop_assert_eq!(chunk.tag.has(Tag::LAST), is_last);
            if is_last {
                prop_assert_eq!(progress, 255);
                prop_assert_eq!(Payload::parse(chunk.tag, whole.freeze()), Ok(payload));
                break;
            }
        }
    }

    #[test]
    fn envelopes_open_to_what_was_sealed(text in ".{0,300}", password in ".{0,10}", seed: u64) {
        let key = SignalKey::derive(&password, "app", "room");
        let sealed = key.seal(&text, &mut Seed::from_number(seed).rng("iv"));
        prop_assert_eq!(key.open(&sealed), Ok(text));
    }
}
