//! What STUN and TURN servers do for this machine, without a room: for programs that have to say
//! why peers don't connect.
//!
//! It is the engine of a node that does the asking, so that what is found here is what a room would
//! find. There is one connection for each server, and nobody at its other end.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tristero::{IceConfig, IceServer, IceUrl, Io as _, IoEvent, ReadClock, ServerFailure};
use tristero_proto::engine::{ConnOptions, Engine as _, EngineEvent, EngineInput, EngineOutput};
use tristero_proto::wire::CandidateInit;
use tristero_proto::{ConnId, Seed};
use tristero_str0m::Str0mEngine;

use crate::Options;
use crate::io::NativeIo;
use crate::reactor::Reactor;

/// How many events are taken before other tasks get their turn.
const EVENTS_PER_TURN: usize = 256;

/// Asks STUN and TURN servers, as a connection in a room would. Allocations on TURN servers end
/// with their lifetime there, or with the stream that they were made over.
///
/// ```no_run
/// # async fn example<R: tristero_native::Reactor>() -> Result<(), Box<dyn std::error::Error>> {
/// use tristero::IceServer;
/// use tristero_native::{IceFinding, IceProbe, Options};
///
/// let turn = IceServer::new("turn:turn.example.org".parse()?).with_credentials("me", "secret");
/// let mut probe = IceProbe::<R>::new(&[turn], &Options::default())?;
/// match probe.recv().await {
///     IceFinding::Relayed { relayed, .. } => println!("it relays, from {relayed}"),
///     IceFinding::Failed { failure, .. } => println!("it does not: {failure}"),
///     other => println!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct IceProbe<R: Reactor> {
    io: NativeIo<R>,
    clock: Clock,
    engine: Str0mEngine,
    /// Whose a connection is, by its number.
    servers: Vec<IceUrl>,
    addresses: Vec<SocketAddr>,
    findings: VecDeque<IceFinding>,
}

/// What is known of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IceFinding {
    /// It sees a socket of this machine at an address; possibly that of the socket.
    Reflexive {
        /// The server.
        url: IceUrl,
        /// Where it sees the socket.
        mapped: SocketAddr,
    },
    /// It relays what arrives at an address.
    Relayed {
        /// The server.
        url: IceUrl,
        /// The address, which is one of the server.
        relayed: SocketAddr,
    },
    /// It is of no help.
    Failed {
        /// The server.
        url: IceUrl,
        /// Why.
        failure: ServerFailure,
    },
}

impl<R: Reactor> IceProbe<R> {
    /// Begins to ask servers. Of the options it is the addresses and the network that count.
    ///
    /// # Errors
    ///
    /// Fails if no UDP socket can be bound, or the operating system has no random numbers.
    pub fn new(servers: &[IceServer], options: &Options) -> std::io::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let epoch = Instant::now();
        let io = NativeIo::bind(epoch, options.loopback, options.network())?;
        let mut probe = IceProbe {
            clock: Clock(io.clock()),
            engine: Str0mEngine::new(&Seed::new(seed).fork("engine"), epoch),
            servers: servers.iter().map(|server| server.url.clone()).collect(),
            addresses: io.addresses().collect(),
            findings: VecDeque::new(),
            io,
        };
        probe.begin(servers);
        Ok(probe)
    }

    /// The addresses of this machine that servers are asked from.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The next finding. It never ends: a server may be of no help any more later, and a silent one
    /// fails after some nine seconds. Nothing is lost if its future is dropped. It is to be polled
    /// where the runtime is.
    pub async fn recv(&mut self) -> IceFinding {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn begin(&mut self, servers: &[IceServer]) {
        let now = (self.clock.0)();
        // A server that is asked before there is an address would be told to be out of reach.
        for address in &self.addresses {
            self.engine.handle_input(EngineInput::AddressAdded(*address), now);
        }
        for (number, server) in (0..).zip(servers) {
            let ice = Arc::new(IceConfig::none().with_servers([server.clone()]));
            let options = ConnOptions::new(true, ice);
            self.engine.offer(ConnId::from_number(number), options, now);
        }
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<IceFinding> {
        for _ in 0..EVENTS_PER_TURN {
            self.perform();
            if let Some(finding) = self.findings.pop_front() {
                return Poll::Ready(finding);
            }
            let IceProbe { io, clock, engine, .. } = self;
            let deadline = engine.poll_timeout().map(|deadline| deadline.at);
            let event = ready!(io.poll_event(deadline, cx));
            let now = (clock.0)();
            match event {
                IoEvent::Datagrams { datagrams, segment_size } => {
                    for datagram in datagrams.split(segment_size) {
                        engine.handle_input(EngineInput::Datagram(datagram), now);
                    }
                }
                IoEvent::AddressAdded(address) => {
                    engine.handle_input(EngineInput::AddressAdded(address), now);
                }
                IoEvent::AddressRemoved(address) => {
                    engine.handle_input(EngineInput::AddressRemoved(address), now);
                }
                IoEvent::Network(event) => {
                    engine.handle_input(EngineInput::Network(&event), now);
                }
                IoEvent::Deadline => engine.handle_timeout(now),
                // There are no relays here.
                IoEvent::LinkOpened(_) | IoEvent::LinkFrame(..) | IoEvent::LinkClosed(..) => {}
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn perform(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                EngineOutput::Transmit(transmit) => self.io.transmit(&transmit),
                EngineOutput::Network(request) => self.io.request(request),
                EngineOutput::Event(EngineEvent::Candidate { conn, candidate }) => {
                    self.on_candidate(conn, &candidate);
                }
                EngineOutput::Event(EngineEvent::ServerFailed { url, failure }) => {
                    self.findings.push_back(IceFinding::Failed { url, failure });
                }
                EngineOutput::Event(_) => {}
            }
        }
    }

    fn on_candidate(&mut self, conn: ConnId, candidate: &CandidateInit) {
        let server =
            (0..).zip(&self.servers).find(|(number, _)| ConnId::from_number(*number) == conn);
        let (Some((_, url)), Some((kind, address))) = (server, read(&candidate.candidate)) else {
            return;
        };
        let url = url.clone();
        match kind {
            "srflx" => self.findings.push_back(IceFinding::Reflexive { url, mapped: address }),
            "relay" => self.findings.push_back(IceFinding::Relayed { url, relayed: address }),
            _ => {}
        }
    }
}

/// The kind and the address of a candidate of ours.
///
/// spec: RFC 8839, section 5.1
fn read(candidate: &str) -> Option<(&str, SocketAddr)> {
    let parts: Vec<&str> = candidate.split_whitespace().collect();
    let [_, _, _, _, ip, port, "typ", kind, ..] = parts[..] else { return None };
    Some((kind, SocketAddr::new(ip.parse::<IpAddr>().ok()?, port.parse().ok()?)))
}

/// The clock of a node.
struct Clock(ReadClock);

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", (self.0)())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_tells_its_kind_and_address() {
        let relayed = "candidate:1 1 udp 41885439 192.0.2.1 50000 typ relay raddr 0.0.0.0 rport 0";
        assert_eq!(read(relayed), Some(("relay", "192.0.2.1:50000".parse().unwrap())));
        assert_eq!(read("candidate:1 1 udp 1 abc.local 5 typ host"), None);
        assert_eq!(read(""), None);
    }
}
