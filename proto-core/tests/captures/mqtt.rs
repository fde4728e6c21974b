use bytes::Bytes;
use tristero_proto::Time;
use tristero_proto::crypto::Topic;
use tristero_proto::signaling::{
    LinkFrame, Publication, RelaySession, RelayUrl, SessionInput, SessionOutput, Strategy as _,
    Subscription,
};
use tristero_proto::strategies::Mqtt;
use tristero_proto::testing::session_terms;
use tristero_proto::wire::Signal;

use crate::capture::{Capture, Kinds};

const CAPTURES: [&str; 7] = [
    "aedes-open",
    "aedes-passive",
    "aedes-password-secret",
    "aedes-wrong-password",
    "crate-rumqttd-0.20-open",
    "mosquitto-tcp-bridged-open",
    "rabbitmq-3.10-web-mqtt-open",
];

fn opened() -> Box<dyn RelaySession> {
    let mut session = Mqtt.session(session_terms(RelayUrl::web_socket("ws://localhost").unwrap()));
    session.handle_input(SessionInput::Opened, Time::ZERO);
    session
}

#[test]
fn all_that_four_mqtt_brokers_send_is_read() {
    let mut of_all = Kinds::default();
    for name in CAPTURES {
        let capture = Capture::read(&format!("mqtt/{name}.jsonl"));
        let mut of_one = Kinds::default();
        for kinds in [&mut of_one, &mut of_all] {
            for peer in ["A", "B"] {
                let mut session = opened();
                for frame in capture.frames(peer, "s2c") {
                    kinds.hear(&capture, &mut *session, frame);
                }
            }
        }
        of_one.assert_at_least(1, &["announce", "offer"]);
    }
    of_all.assert_at_least(3, &["announce", "offer", "answer", "candidate"]);
    of_all.assert_at_least(1, &["nudge"]);
}

#[test]
fn what_is_sent_to_a_broker_is_the_same_packet_by_packet() {
    for name in CAPTURES {
        let capture = Capture::read(&format!("mqtt/{name}.jsonl"));
        for peer in ["A", "B"] {
            let theirs = packets(capture.frames(peer, "c2s"));
            let ours = sent_in_place_of(&theirs);
            assert_eq!(ours.len(), theirs.len(), "{name} {peer}");
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert_eq!(masked(ours), masked(theirs), "{name} {peer}");
            }
        }
    }
}

/// Has a session do what led to these packets.
fn sent_in_place_of(theirs: &[Bytes]) -> Vec<Bytes> {
    let mut session = opened();
    let connack = LinkFrame::Binary(Bytes::from_static(b"\x20\x02\x00\x00"));
    session.handle_input(SessionInput::Frame(connack), Time::ZERO);
    for packet in theirs {
        let (kind, body) = (packet[0] >> 4, body(packet));
        match kind {
            1 => {}
            3 => {
                let (topic, signal) = split_text(body);
                let topic = &Topic::from_wire(topic);
                let signal = &Signal::parse(std::str::from_utf8(signal).unwrap()).unwrap();
                let publication = Publication { topic, root: topic, to: None, signal };
                session.handle_input(SessionInput::Publish(publication), Time::ZERO);
            }
            8 | 10 => {
                let topic = &Topic::from_wire(split_text(&body[2..]).0);
                let subscription = Subscription { topic, root: topic };
                let input = match kind {
                    8 => SessionInput::Subscribe(subscription),
                    _ => SessionInput::Unsubscribe(subscription),
                };
                session.handle_input(input, Time::ZERO);
            }
            other => panic!("a packet of kind {other}"),
        }
    }
    let mut sent = Vec::new();
    while let Some(output) = session.poll_output() {
        match output {
            SessionOutput::Send(LinkFrame::Binary(packet)) => sent.push(packet),
            other => panic!("{other:?}"),
        }
    }
    sent
}

/// The packets of a stream, told apart by hand: the lengths here are below 2 MiB.
fn packets(frames: Vec<LinkFrame>) -> Vec<Bytes> {
    let bytes = frames.into_iter().map(|frame| match frame {
        LinkFrame::Binary(bytes) => bytes,
        LinkFrame::Text(text) => panic!("a text: {text}"),
    });
    let mut stream = Bytes::from(bytes.collect::<Vec<_>>().concat());
    let mut packets = Vec::new();
    while !stream.is_empty() {
        let length = length(&stream);
        packets.push(stream.split_to(length));
    }
    packets
}

/// The length of the first packet of a stream, with its header.
fn length(stream: &[u8]) -> usize {
    let mut remaining = 0;
    for (index, byte) in stream[1..].iter().enumerate() {
        remaining |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return 2 + index + remaining;
        }
    }
    panic!("a length without an end");
}

fn body(packet: &Bytes) -> &[u8] {
    let header = packet[1..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 2;
    &packet[header..]
}

/// A text with its length before it, and the rest.
fn split_text(bytes: &[u8]) -> (&str, &[u8]) {
    let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    (std::str::from_utf8(&bytes[2..2 + length]).unwrap(), &bytes[2 + length..])
}

/// First byte and body of a packet, without the packet id and the client id.
fn masked(packet: &Bytes) -> (u8, Vec<u8>) {
    let body = body(packet);
    let body = match packet[0] >> 4 {
        1 => {
            let (id, rest) = split_text(&body[10..]);
            assert!((1..=23).contains(&id.len()), "every broker takes this: {id}");
            [&body[..10], rest].concat()
        }
        8 | 10 => body[2..].to_vec(),
        _ => body.to_vec(),
    };
    (packet[0], body)
}
