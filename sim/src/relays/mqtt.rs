//! An MQTT broker: 3.1.1 over WebSocket, clean sessions, quality of service 0.
//!
//! A WebSocket carries MQTT as a stream of bytes, so what the broker writes is cut into frames
//! anywhere, as some brokers do. Whoever breaks a rule of the standard loses the link, and so does
//! whoever is silent for one and a half of the keep-alive that it promised.
//!
//! spec: MQTT 3.1.1

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tristero_proto::Time;
use tristero_proto::signaling::{LinkFrame, RelayUrl, Strategy};
use tristero_proto::strategies::Mqtt;

use super::mqtt_packet::{self, Incoming, Packets};
use super::service::{ClientId, Message, Service, ServiceOutput, is_announce};

/// A relay of the mqtt strategy.
#[derive(Debug, Default)]
pub struct MqttService {
    clients: BTreeMap<ClientId, Client>,
    /// Frames that were written, to cut the next packet elsewhere.
    cuts: usize,
    outputs: VecDeque<ServiceOutput>,
}

#[derive(Debug)]
struct Client {
    packets: Packets,
    phase: Phase,
    /// When its link ends if it says nothing.
    silent_until: Option<Time>,
}

#[derive(Debug)]
enum Phase {
    /// CONNECT has not come.
    Waiting,
    Connected {
        id: String,
        keep_alive: Duration,
        topics: BTreeSet<String>,
    },
}

impl MqttService {
    /// A broker that nobody is connected to.
    pub fn new() -> Self {
        MqttService::default()
    }

    fn on_packet(&mut self, from: ClientId, incoming: Incoming, now: Time) {
        let Some(client) = self.clients.get_mut(&from) else { return };
        match (&mut client.phase, incoming) {
            (Phase::Waiting, Incoming::Connect { id, keep_alive }) => {
                self.on_connect(from, id, keep_alive, now);
            }
            (Phase::Waiting, _) => self.end(from, "a client sends CONNECT first"),
            (Phase::Connected { .. }, Incoming::Connect { .. }) => {
                self.end(from, "a client sends CONNECT once");
            }
            (Phase::Connected { topics, .. }, Incoming::Subscribe { id, filters }) => {
                let is_taken = |filter: &String| !filter.contains(['+', '#']);
                let granted: Vec<bool> = filters.iter().map(is_taken).collect();
                topics.extend(filters.into_iter().filter(is_taken));
                self.write(from, &mqtt_packet::suback(id, &granted));
            }
            (Phase::Connected { topics, .. }, Incoming::Unsubscribe { id, filters }) => {
                filters.iter().for_each(|filter| _ = topics.remove(filter));
                self.write(from, &mqtt_packet::unsuback(id));
            }
            (Phase::Connected { .. }, Incoming::Publish { topic, body }) => {
                self.publish(from, &topic, &body);
            }
            (Phase::Connected { .. }, Incoming::Pingreq) => {
                self.write(from, &mqtt_packet::pingresp());
            }
            (Phase::Connected { .. }, Incoming::Disconnect) => self.end(from, "disconnected"),
        }
    }

    fn on_connect(&mut self, from: ClientId, id: String, keep_alive: Duration, now: Time) {
        // A client that comes again ends its older link (section 3.1.4).
        let is_same = |client: &Client| matches!(&client.phase, Phase::Connected { id: other, .. } if *other == id);
        let older = self.clients.iter().find(|(_, client)| is_same(client));
        if let Some(older) = older.map(|(older, _)| *older) {
            self.end(older, "the client has come by another link");
        }
        if let Some(client) = self.clients.get_mut(&from) {
            client.phase = Phase::Connected { id, keep_alive, topics: BTreeSet::new() };
            client.on_sign_of_life(now);
        }
        self.write(from, &mqtt_packet::connack());
    }

    fn publish(&mut self, from: ClientId, topic: &str, body: &str) {
        if is_announce(body) {
            self.outputs.push_back(ServiceOutput::Announced(from, topic.to_owned()));
        }
        let is_subscriber = |client: &Client| match &client.phase {
            Phase::Waiting => false,
            Phase::Connected { topics, .. } => topics.contains(topic),
        };
        let subscribers = self.clients.iter().filter(|(_, client)| is_subscriber(client));
        for to in subscribers.map(|(to, _)| *to).collect::<Vec<_>>() {
            let message = self.invent(topic, body);
            self.outputs.push_back(ServiceOutput::Deliver(to, message));
        }
    }

    fn write(&mut self, to: ClientId, packet: &Bytes) {
        let frames = self.cut(packet).into_iter();
        self.outputs.extend(frames.map(|frame| ServiceOutput::Send(to, frame)));
    }

    /// A packet as one frame, or as two.
    fn cut(&mut self, packet: &Bytes) -> Vec<LinkFrame> {
        self.cuts = self.cuts.wrapping_add(1);
        let at = match self.cuts % 4 {
            0 => 1,
            1 => packet.len() / 2,
            2 => packet.len() - 1,
            _ => packet.len(),
        };
        let parts = [packet.slice(..at), packet.slice(at..)];
        parts.into_iter().filter(|part| !part.is_empty()).map(LinkFrame::Binary).collect()
    }

    fn end(&mut self, client: ClientId, why: &'static str) {
        self.clients.remove(&client);
        self.outputs.push_back(ServiceOutput::Close(client, why));
    }
}

impl Client {
    fn on_sign_of_life(&mut self, now: Time) {
        if let Phase::Connected { keep_alive, .. } = &self.phase {
            self.silent_until = (!keep_alive.is_zero()).then(|| now + *keep_alive * 3 / 2);
        }
    }
}

impl Service for MqttService {
    fn strategy(&self) -> Arc<dyn Strategy> {
        Arc::new(Mqtt)
    }

    fn url(&self, host: &str) -> RelayUrl {
        RelayUrl::web_socket(&format!("ws://{host}/mqtt")).expect("a host makes a URL")
    }

    fn sub_protocol(&self) -> Option<&'static str> {
        Some("mqtt")
    }

    fn on_open(&mut self, client: ClientId, now: Time) {
        let silent_until = Some(now + CONNECT_WITHIN);
        let opened = Client { packets: Packets::new(), phase: Phase::Waiting, silent_until };
        self.clients.insert(client, opened);
    }

    fn on_frame(&mut self, from: ClientId, frame: LinkFrame, now: Time) {
        let LinkFrame::Binary(mut bytes) = frame else {
            return self.end(from, "MQTT is bytes");
        };
        // What a packet leads to may end the link.
        while let Some(client) = self.clients.get_mut(&from) {
            match client.packets.feed(&mut bytes) {
                Ok(Some(incoming)) => {
                    client.on_sign_of_life(now);
                    self.on_packet(from, incoming, now);
                }
                Ok(None) => return,
                Err(why) => return self.end(from, why),
            }
        }
    }

    fn on_close(&mut self, client: ClientId) {
        self.clients.remove(&client);
    }

    fn forget(&mut self) {
        self.clients.clear();
        self.outputs.clear();
    }

    fn invent(&mut self, topic: &str, body: &str) -> Message {
        let frames = match mqtt_packet::publish(topic, body) {
            Some(packet) => self.cut(&packet),
            None => Vec::new(),
        };
        Message { topic: topic.to_owned(), body: body.to_owned(), frames }
    }

    fn poll_output(&mut self) -> Option<ServiceOutput> {
        self.outputs.pop_front()
    }

    fn handle_timeout(&mut self, now: Time) {
        let is_silent = |client: &Client| client.silent_until.is_some_and(|until| until <= now);
        let silent = self.clients.iter().filter(|(_, client)| is_silent(client));
        for client in silent.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.end(client, "the client was silent for too long");
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.clients.values().filter_map(|client| client.silent_until).min()
    }
}

/// A link without CONNECT ends after this long (section 3.1.4 asks for a reasonable time).
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &[u8] = b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x3C\x00\x01a";
    const SUBSCRIBE: &[u8] = b"\x82\x06\x00\x01\x00\x01t\x00";
    const PUBLISH: &[u8] = b"\x30\x04\x00\x01tx";
    const PINGREQ: &[u8] = b"\xC0\x00";
    const CLIENT: ClientId = ClientId(1);

    /// The bytes that are written, and why the link ended if it did.
    fn say(broker: &mut MqttService, bytes: &'static [u8]) -> (Vec<u8>, Option<&'static str>) {
        broker.on_frame(CLIENT, LinkFrame::Binary(Bytes::from_static(bytes)), Time::ZERO);
        let (mut written, mut end) = (Vec::new(), None);
        while let Some(output) = broker.poll_output() {
            let frames = match output {
                ServiceOutput::Send(_, frame) => vec![frame],
                ServiceOutput::Deliver(_, message) => message.frames,
                ServiceOutput::Announced(..) => Vec::new(),
                ServiceOutput::Close(_, why) => {
                    end = Some(why);
                    Vec::new()
                }
            };
            for frame in frames {
                let LinkFrame::Binary(bytes) = frame else { panic!("MQTT is bytes") };
                written.extend(bytes);
            }
        }
        (written, end)
    }

    fn broker() -> MqttService {
        let mut broker = MqttService::new();
        broker.on_open(CLIENT, Time::ZERO);
        broker
    }

    #[test]
    fn what_a_client_asks_for_is_granted_and_what_it_publishes_comes_back() {
        let mut broker = broker();
        assert_eq!(say(&mut broker, CONNECT), (b"\x20\x02\x00\x00".to_vec(), None));
        assert_eq!(say(&mut broker, &SUBSCRIBE[..3]), (vec![], None), "it is not complete");
        assert_eq!(say(&mut broker, &SUBSCRIBE[3..]), (b"\x90\x03\x00\x01\x00".to_vec(), None));
        assert_eq!(say(&mut broker, PUBLISH), (PUBLISH.to_vec(), None));
        assert_eq!(say(&mut broker, PINGREQ), (b"\xD0\x00".to_vec(), None));
    }

    #[test]
    fn who_breaks_a_rule_loses_the_link() {
        let at_first: [&[u8]; 4] = [PUBLISH, PINGREQ, b"\x20\x02\x00\x00", b"\x10\xFF\xFF\xFF\xFF"];
        for bytes in at_first {
            assert!(say(&mut broker(), bytes).1.is_some(), "{bytes:?}");
        }
        let connected: [&[u8]; 3] = [CONNECT, b"\x32\x06\x00\x01t\x00\x01x", b"\x80\x02\x00\x01"];
        for bytes in connected {
            let mut broker = broker();
            assert_eq!(say(&mut broker, CONNECT).1, None);
            assert!(say(&mut broker, bytes).1.is_some(), "{bytes:?}");
        }
    }

    #[test]
    fn who_is_silent_for_one_and_a_half_keep_alives_loses_the_link() {
        let mut broker = broker();
        assert_eq!(broker.poll_timeout(), Some(Time::ZERO + CONNECT_WITHIN));
        say(&mut broker, CONNECT);
        let end = Time::ZERO + Duration::from_secs(90);
        assert_eq!(broker.poll_timeout(), Some(end));
        broker.handle_timeout(end);
        assert!(matches!(broker.poll_output(), Some(ServiceOutput::Close(CLIENT, _))));
    }
}
