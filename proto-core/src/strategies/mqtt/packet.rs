//! Packets: what we write, and what a broker's stream of bytes holds.
//!
//! A WebSocket carries MQTT as a stream (MQTT 3.1.1, section 6): a frame may hold a part of a
//! packet, or several packets.

use std::fmt;

use bytes::{Buf as _, Bytes};
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{PacketBuildResult, PacketBuilder, RawPacket};
use mqtt_protocol_core::mqtt::packet::v3_1_1::{
    Connack, Connect, Pingreq, Publish, Suback, Subscribe, Unsubscribe,
};
use mqtt_protocol_core::mqtt::packet::{Qos, SubEntry, SubOpts};
use mqtt_protocol_core::mqtt::result_code::{ConnectReturnCode, MqttError, SubackReturnCode};

use super::account::Account;
use crate::crypto::Topic;
use crate::signaling::Malformed;

/// The largest packet that is taken from a broker, in bytes: far more than a signal has. A broker
/// that announces a larger one is left, before any of it is stored.
pub(super) const PACKET_BYTES_MAX: u32 = 1024 * 1024;

/// What a broker said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// CONNACK with return code 0.
    Accepted,
    /// CONNACK with another one.
    Refused(ConnackRefusal),
    /// SUBACK of one topic.
    Suback { id: u16, is_granted: bool },
    /// PUBLISH.
    Publish { topic: Topic, body: String },
    /// PINGRESP.
    Pingresp,
    /// UNSUBACK, which nothing waits for.
    Unsuback,
}

/// Why a broker does not take us.
///
/// spec: MQTT 3.1.1, section 3.2.2.3
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConnackRefusal {
    #[error("the broker does not speak MQTT 3.1.1")]
    ProtocolVersion,
    #[error("the broker does not take our client id")]
    ClientId,
    #[error("the broker is not available")]
    Unavailable,
    #[error("the broker does not know this user name and password")]
    Credentials,
    #[error("the broker wants a user name and password, or others")]
    NotAuthorized,
}

/// A stream that can't be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BrokenStream {
    #[error("the broker sent a packet of more than 1 MiB")]
    TooLarge,
    #[error("the broker sent a packet without a valid length")]
    Length,
}

/// The packets of a stream.
pub(super) struct Packets(PacketBuilder);

impl Packets {
    /// The stream of a new link.
    pub(super) fn new() -> Self {
        Packets(PacketBuilder::with_maximum_packet_size(PACKET_BYTES_MAX))
    }

    /// Takes bytes up to the end of a packet; `None` if they do not complete one.
    pub(super) fn feed(
        &mut self,
        bytes: &mut Bytes,
    ) -> Result<Option<Result<Incoming, Malformed>>, BrokenStream> {
        let mut cursor = Cursor::new(&bytes[..]);
        let built = self.0.feed(&mut cursor);
        let taken = bytes.len() - cursor.remaining_slice().len();
        bytes.advance(taken);
        match built {
            PacketBuildResult::Complete(packet) => Ok(Some(parse(&packet))),
            PacketBuildResult::Incomplete => Ok(None),
            PacketBuildResult::Error(MqttError::PacketTooLarge) => Err(BrokenStream::TooLarge),
            PacketBuildResult::Error(_) => Err(BrokenStream::Length),
        }
    }
}

impl fmt::Debug for Packets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packets(…)")
    }
}

/// CONNECT with a clean session; `None` if the account does not fit a packet.
pub(super) fn connect(id: &str, keep_alive_secs: u16, account: Option<&Account>) -> Option<Bytes> {
    let build = || {
        let connect = Connect::builder().client_id(id)?.clean_session(true);
        let connect = connect.keep_alive(keep_alive_secs);
        let connect = match account {
            Some(Account { user, password: Some(password) }) => {
                connect.user_name(user)?.password(password)?
            }
            Some(Account { user, password: None }) => connect.user_name(user)?,
            None => connect,
        };
        connect.build()
    };
    build().ok().map(|connect| connect.to_continuous_buffer().into())
}

/// SUBSCRIBE of one topic, at quality of service 0.
pub(super) fn subscribe(id: u16, topic: &Topic) -> Bytes {
    let build = || {
        let entry = SubEntry::new(topic.as_str(), SubOpts::new().set_qos(Qos::AtMostOnce))?;
        Subscribe::builder().packet_id(id).entries(vec![entry]).build()
    };
    built(build()).to_continuous_buffer().into()
}

/// UNSUBSCRIBE of one topic.
pub(super) fn unsubscribe(id: u16, topic: &Topic) -> Bytes {
    let build = || Unsubscribe::builder().packet_id(id).entries([topic.as_str()])?.build();
    built(build()).to_continuous_buffer().into()
}

/// PUBLISH at quality of service 0, not retained.
pub(super) fn publish(topic: &Topic, body: &str) -> Bytes {
    let build = || {
        let publish = Publish::builder().topic_name(topic.as_str())?;
        publish.qos(Qos::AtMostOnce).retain(false).payload(body).build()
    };
    built(build()).to_continuous_buffer().into()
}

/// PINGREQ.
pub(super) fn pingreq() -> Bytes {
    built(Pingreq::builder().build()).to_continuous_buffer().into()
}

/// A packet of ours. Its topic is a hash and its body is bounded, so it is always valid.
fn built<T>(packet: Result<T, MqttError>) -> T {
    packet.expect("a topic of ours is short, and a signal far below 256 MB")
}

fn parse(packet: &RawPacket) -> Result<Incoming, Malformed> {
    // What the first byte of each packet is, but for PUBLISH: section 2.2.
    match (packet.packet_type(), packet.flags()) {
        (2, 0) => parse_connack(packet),
        (3, flags) => parse_publish(flags, packet),
        (9, 0) => parse_suback(packet),
        (11, 0) => Ok(Incoming::Unsuback),
        (13, 0) if packet.remaining_length() == 0 => Ok(Incoming::Pingresp),
        _ => Err(Malformed("a broker sends CONNACK, SUBACK, UNSUBACK, PUBLISH and PINGRESP")),
    }
}

fn parse_connack(packet: &RawPacket) -> Result<Incoming, Malformed> {
    let connack = packet.parse_exact(Connack::parse);
    let connack = connack.map_err(|_| Malformed("a CONNACK has a return code from 0 to 5"))?;
    Ok(match connack.return_code() {
        ConnectReturnCode::Accepted => Incoming::Accepted,
        ConnectReturnCode::UnacceptableProtocolVersion => {
            Incoming::Refused(ConnackRefusal::ProtocolVersion)
        }
        ConnectReturnCode::IdentifierRejected => Incoming::Refused(ConnackRefusal::ClientId),
        ConnectReturnCode::ServerUnavailable => Incoming::Refused(ConnackRefusal::Unavailable),
        ConnectReturnCode::BadUserNameOrPassword => Incoming::Refused(ConnackRefusal::Credentials),
        ConnectReturnCode::NotAuthorized => Incoming::Refused(ConnackRefusal::NotAuthorized),
    })
}

/// A broker may not send at a higher quality of service than was asked for (section 3.8.4), so
/// nothing of ours acknowledges: a publish that wants it is dropped.
fn parse_publish(flags: u8, packet: &RawPacket) -> Result<Incoming, Malformed> {
    let publish = Publish::parse(flags, packet.data_as_slice().into());
    let (publish, _) = publish.map_err(|_| Malformed("a PUBLISH has a topic and a payload"))?;
    if publish.qos() != Qos::AtMostOnce {
        return Err(Malformed("a broker publishes at the quality of service that was asked for"));
    }
    let body = std::str::from_utf8(publish.payload().as_slice());
    let body = body.map_err(|_| Malformed("a signal is text"))?;
    Ok(Incoming::Publish { topic: Topic::from_wire(publish.topic_name()), body: body.to_owned() })
}

fn parse_suback(packet: &RawPacket) -> Result<Incoming, Malformed> {
    let suback = packet.parse_exact(Suback::parse);
    let suback = suback.map_err(|_| Malformed("a SUBACK has return codes"))?;
    match suback.return_codes()[..] {
        [code] => {
            let is_granted = code != SubackReturnCode::Failure;
            Ok(Incoming::Suback { id: suback.packet_id(), is_granted })
        }
        _ => Err(Malformed("a SUBACK has a return code for each topic")),
    }
}
