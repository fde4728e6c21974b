//! A TURN server: it relays between those who hold an allocation there and anyone whom they let in.
//!
//! The crate below is the server; here is what it wants of its host, which has one address of each
//! family. It listens at that of IPv4 and relays from both. Like every TURN server it also tells, as
//! a STUN server does, where it sees who asks.
//!
//! What nobody may guess the crate draws from the operating system; its size is always the same.
//!
//! spec: RFC 8656

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use tristero_proto::Time;
use tristero_proto::engine::Path;
use turn_server_proto::api::{Transmit, TurnServerApi as _, TurnServerPollRet};
use turn_server_proto::server::TurnServer as Protocol;
use turn_server_proto::types::{AddressFamily, Instant, TransportType};

use super::stun::STUN_PORT;

/// A TURN server and its host.
#[derive(Debug)]
pub(super) struct TurnServer {
    protocol: Protocol,
    v4: IpAddr,
    v6: IpAddr,
    credentials: (String, String),
    /// The addresses that are allocated, and by whom.
    allocated: BTreeMap<SocketAddr, SocketAddr>,
    next_port: u16,
    /// What was answered to requests for allocations, the oldest first.
    answered: VecDeque<Answered>,
    /// How it asked each client for credentials; there are no more than sockets in the world.
    challenges: BTreeMap<SocketAddr, Vec<u8>>,
    due: Option<Time>,
    outbound: VecDeque<(Path, Bytes)>,
}

/// The answer to a request, for when the request is repeated.
#[derive(Debug)]
struct Answered {
    client: SocketAddr,
    request: Bytes,
    answer: Bytes,
}

impl TurnServer {
    pub(super) fn new(v4: IpAddr, v6: IpAddr, username: &str, password: &str) -> Self {
        let credentials = (username.to_owned(), password.to_owned());
        TurnServer {
            protocol: protocol(v4, &credentials),
            v4,
            v6,
            credentials,
            allocated: BTreeMap::new(),
            next_port: RELAYED_PORT_MIN,
            answered: VecDeque::new(),
            challenges: BTreeMap::new(),
            due: None,
            outbound: VecDeque::new(),
        }
    }

    /// Forgets all allocations, as when it starts anew. Their ports are not given again.
    pub(super) fn restart(&mut self) {
        self.protocol = protocol(self.v4, &self.credentials);
        self.allocated.clear();
        self.answered.clear();
        self.challenges.clear();
        self.outbound.clear();
        self.due = None;
    }

    /// How many clients have an allocation.
    pub(super) fn allocations(&self) -> usize {
        self.allocated.values().collect::<BTreeSet<_>>().len()
    }

    /// Takes a datagram that came to its host.
    pub(super) fn receive(&mut self, path: Path, bytes: &Bytes, now: Time) {
        let Path { local, remote } = path;
        let is_allocate = local == listens_at(self.v4) && bytes.starts_with(&ALLOCATE_REQUEST);
        let mut known = self.answered.iter().filter(|_| is_allocate);
        if let Some(known) = known.find(|it| it.client == remote && it.request == bytes) {
            return self.outbound.push_back((path, known.answer.clone()));
        }
        let before = self.outbound.len();
        let transmit = Transmit::new(bytes, TransportType::Udp, remote, local);
        if let Some(built) = self.protocol.recv(transmit, instant(now)) {
            let Transmit { data, from, to, .. } = built.build();
            let data = self.correct_challenge(to, data);
            self.outbound.push_back((Path { local: from, remote: to }, data.into()));
        }
        self.pump(now);
        if is_allocate && let Some((_, answer)) = self.outbound.get(before) {
            let (request, answer) = (bytes.clone(), answer.clone());
            self.answered.push_back(Answered { client: remote, request, answer });
            if self.answered.len() > ANSWERED_MAX {
                self.answered.pop_front();
            }
        }
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        if self.due.is_some_and(|due| due <= now) {
            self.pump(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.due
    }

    /// The next datagram that it sends.
    pub(super) fn poll_outbound(&mut self) -> Option<(Path, Bytes)> {
        self.outbound.pop_front()
    }

    /// Lets the crate below do what it can do now.
    fn pump(&mut self, now: Time) {
        let wanted_at = loop {
            match self.protocol.poll(instant(now)) {
                TurnServerPollRet::WaitUntil(at) => break at,
                TurnServerPollRet::AllocateSocket {
                    transport,
                    listen_addr,
                    client_addr,
                    allocation_transport,
                    family,
                } => {
                    let address = self.allocate(family, client_addr);
                    self.protocol.allocated_socket(
                        transport,
                        listen_addr,
                        client_addr,
                        allocation_transport,
                        family,
                        Ok(address),
                        instant(now),
                    );
                }
                TurnServerPollRet::SocketClose { listen_addr, .. } => {
                    self.allocated.remove(&listen_addr);
                }
                TurnServerPollRet::TcpConnect { .. } | TurnServerPollRet::TcpClose { .. } => {
                    unreachable!("nobody speaks TCP to it")
                }
            }
        };
        while let Some(Transmit { data, from, to, .. }) = self.protocol.poll_transmit(instant(now))
        {
            self.outbound.push_back((Path { local: from, remote: to }, data.into()));
        }
        // What ends at a time is there until that time is over.
        let at = time(wanted_at).max(now + Duration::from_millis(1));
        self.due = (!self.allocated.is_empty()).then_some(at);
    }

    /// The same message, but that one which asks for credentials says the same to a client that is
    /// known as to any other. The crate signs it instead and leaves out what algorithms there are,
    /// against RFC 8489, section 9.2.4: the client may have forgotten all that it knew.
    fn correct_challenge(&mut self, client: SocketAddr, mut message: Vec<u8>) -> Vec<u8> {
        let Some((header, attributes)) = message.split_at_checked(HEADER_BYTES) else {
            return message;
        };
        if header[0] != ERROR_CLASS || !attributes.starts_with(&UNAUTHORIZED) {
            return message;
        }
        let end = attributes.len().saturating_sub(INTEGRITY_BYTES);
        if !attributes[end..].starts_with(&INTEGRITY) {
            self.challenges.insert(client, attributes.to_vec());
        } else if let Some(known) = self.challenges.get(&client) {
            message.truncate(HEADER_BYTES);
            message.extend_from_slice(known);
            let length = u16::try_from(known.len()).expect("it was a message");
            message[2..4].copy_from_slice(&length.to_be_bytes());
        }
        message
    }

    fn allocate(&mut self, family: AddressFamily, client: SocketAddr) -> SocketAddr {
        let address = match family {
            AddressFamily::IPV4 => self.v4,
            AddressFamily::IPV6 => self.v6,
        };
        let address = SocketAddr::new(address, self.next_port);
        self.next_port = self.next_port.checked_add(1).unwrap_or(RELAYED_PORT_MIN);
        self.allocated.insert(address, client);
        address
    }
}

fn protocol(v4: IpAddr, (username, password): &(String, String)) -> Protocol {
    let mut protocol = Protocol::new(TransportType::Udp, listens_at(v4), REALM.to_owned());
    protocol.add_user(username.clone(), password.clone());
    protocol
}

/// Where it listens: RFC 8656, section 7.1.
fn listens_at(v4: IpAddr) -> SocketAddr {
    SocketAddr::new(v4, STUN_PORT)
}

fn instant(time: Time) -> Instant {
    let nanos = i64::try_from(time.since_epoch().as_nanos());
    Instant::from_nanos(nanos.expect("no world lasts for centuries"))
}

fn time(instant: Instant) -> Time {
    let since = instant.checked_duration_since(Instant::from_nanos(0));
    Time::from_epoch(since.unwrap_or_default())
}

const REALM: &str = "simulated";

/// What a request for an allocation begins with: RFC 8656, section 18.
const ALLOCATE_REQUEST: [u8; 2] = [0x00, 0x03];

const HEADER_BYTES: usize = 20;
/// The first byte of an error response of any method here.
const ERROR_CLASS: u8 = 0x01;
/// ERROR-CODE with 401 and the reason that the crate gives.
const UNAUTHORIZED: [u8; 8] = [0x00, 0x09, 0x00, 0x10, 0x00, 0x00, 4, 1];
/// MESSAGE-INTEGRITY, which takes so many bytes.
const INTEGRITY: [u8; 4] = [0x00, 0x08, 0x00, 0x14];
const INTEGRITY_BYTES: usize = 24;

/// So many answers are kept. A request is repeated within seconds, and a crowd is smaller.
const ANSWERED_MAX: usize = 256;

/// The first port that is allocated; others follow (RFC 8656, section 7.2).
const RELAYED_PORT_MIN: u16 = 49_152;
