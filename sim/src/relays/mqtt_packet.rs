//! Packets of MQTT, as a broker reads and writes them.
//!
//! spec: MQTT 3.1.1, sections 2 and 3

use std::fmt;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{PacketBuildResult, PacketBuilder, RawPacket};
use mqtt_protocol_core::mqtt::packet::Qos;
use mqtt_protocol_core::mqtt::packet::v3_1_1::{
    Connack, Connect, Pingresp, Publish, Suback, Subscribe, Unsuback, Unsubscribe,
};
use mqtt_protocol_core::mqtt::result_code::{ConnectReturnCode, MqttError, SubackReturnCode};

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Connect { id: String, keep_alive: Duration },
    Subscribe { id: u16, filters: Vec<String> },
    Unsubscribe { id: u16, filters: Vec<String> },
    Publish { topic: String, body: String },
    Pingreq,
    Disconnect,
}

/// The packets of a client's stream.
pub(super) struct Packets(PacketBuilder);

impl Packets {
    pub(super) fn new() -> Self {
        Packets(PacketBuilder::with_maximum_packet_size(PACKET_BYTES_MAX))
    }

    /// Takes bytes up to the end of a packet; `None` if they do not complete one. An error says
    /// which rule was broken.
    pub(super) fn feed(&mut self, bytes: &mut Bytes) -> Result<Option<Incoming>, &'static str> {
        let mut cursor = Cursor::new(&bytes[..]);
        let built = self.0.feed(&mut cursor);
        let taken = bytes.len() - cursor.remaining_slice().len();
        bytes.advance(taken);
        match built {
            PacketBuildResult::Complete(packet) => parse(&packet).map(Some),
            PacketBuildResult::Incomplete => Ok(None),
            PacketBuildResult::Error(_) => Err("a packet has no valid length"),
        }
    }
}

impl fmt::Debug for Packets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packets(…)")
    }
}

fn parse(packet: &RawPacket) -> Result<Incoming, &'static str> {
    match (packet.packet_type(), packet.flags()) {
        (1, 0) => parse_connect(packet),
        (3, flags) => parse_publish(flags, packet),
        (8, 2) => {
            let subscribe = packet.parse_exact(Subscribe::parse);
            let subscribe = subscribe.map_err(|_| "a SUBSCRIBE is malformed")?;
            if subscribe.packet_id() == 0 || subscribe.entries().is_empty() {
                return Err("a SUBSCRIBE has an id and names topics (sections 2.3.1 and 3.8.3)");
            }
            let filters = subscribe.entries().iter().map(|entry| entry.topic_filter().to_owned());
            Ok(Incoming::Subscribe { id: subscribe.packet_id(), filters: filters.collect() })
        }
        (10, 2) => {
            let unsubscribe = packet.parse_exact(Unsubscribe::parse);
            let unsubscribe = unsubscribe.map_err(|_| "an UNSUBSCRIBE is malformed")?;
            if unsubscribe.packet_id() == 0 {
                return Err("an UNSUBSCRIBE has an id (section 2.3.1)");
            }
            let filters = unsubscribe.entries().iter().map(|entry| entry.as_str().to_owned());
            Ok(Incoming::Unsubscribe { id: unsubscribe.packet_id(), filters: filters.collect() })
        }
        (12, 0) if packet.remaining_length() == 0 => Ok(Incoming::Pingreq),
        (14, 0) if packet.remaining_length() == 0 => Ok(Incoming::Disconnect),
        _ => Err("a packet has a type or flags that no client sends"),
    }
}

/// An account is not asked for, and a session that is to be kept is not there.
fn parse_connect(packet: &RawPacket) -> Result<Incoming, &'static str> {
    let connect = packet.parse_exact(Connect::parse).map_err(|_| "a CONNECT is malformed")?;
    if !connect.clean_session() {
        return Err("only clean sessions are taken");
    }
    let id = connect.client_id().to_owned();
    if id.is_empty() || id.len() > CLIENT_ID_MAX {
        return Err("a client id has from 1 to 23 bytes");
    }
    Ok(Incoming::Connect { id, keep_alive: Duration::from_secs(connect.keep_alive().into()) })
}

fn parse_publish(flags: u8, packet: &RawPacket) -> Result<Incoming, &'static str> {
    let publish = Publish::parse(flags, packet.data_as_slice().into());
    let (publish, _) = publish.map_err(|_| "a PUBLISH is malformed")?;
    if publish.qos() != Qos::AtMostOnce {
        return Err("only quality of service 0 is taken");
    }
    let body = std::str::from_utf8(publish.payload().as_slice());
    let body = body.map_err(|_| "a signal is text")?.to_owned();
    Ok(Incoming::Publish { topic: publish.topic_name().to_owned(), body })
}

/// CONNACK that accepts.
pub(super) fn connack() -> Bytes {
    let connack = Connack::builder().session_present(false);
    built(connack.return_code(ConnectReturnCode::Accepted).build()).to_continuous_buffer().into()
}

/// SUBACK with a code for each topic.
pub(super) fn suback(id: u16, granted: &[bool]) -> Bytes {
    let code = |granted: &bool| match granted {
        true => SubackReturnCode::SuccessMaximumQos0,
        false => SubackReturnCode::Failure,
    };
    let codes = granted.iter().map(code).collect();
    built(Suback::builder().packet_id(id).return_codes(codes).build()).to_continuous_buffer().into()
}

/// UNSUBACK.
pub(super) fn unsuback(id: u16) -> Bytes {
    built(Unsuback::builder().packet_id(id).build()).to_continuous_buffer().into()
}

/// PUBLISH at quality of service 0; `None` if no packet can hold it.
pub(super) fn publish(topic: &str, body: &str) -> Option<Bytes> {
    let publish = Publish::builder().topic_name(topic).ok()?;
    let publish = publish.qos(Qos::AtMostOnce).retain(false).payload(body).build().ok()?;
    Some(publish.to_continuous_buffer().into())
}

/// PINGRESP.
pub(super) fn pingresp() -> Bytes {
    built(Pingresp::builder().build()).to_continuous_buffer().into()
}

fn built<T>(packet: Result<T, MqttError>) -> T {
    packet.expect("an answer to a packet that was read has nothing that could be wrong")
}

/// Longer ids need not be taken (section 3.1.3.1).
const CLIENT_ID_MAX: usize = 23;

/// The largest packet of a client, in bytes.
const PACKET_BYTES_MAX: u32 = 256 * 1024;
