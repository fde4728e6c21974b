//! WebRTC behind one trait.
//!
//! An engine makes connections out of session descriptions and datagrams, and moves messages over
//! them. It knows nothing of rooms, relays or peers. [`tristero-str0m`] is the native one; tests
//! and simulators may bring a cheap one. Every engine passes the suite in
//! `tristero_proto::testing::conformance`.
//!
//! # Contract
//!
//! - After any call that takes `&mut self`, call [`poll_output`](Engine::poll_output) until it
//!   returns `None`, then ask [`poll_timeout`](Engine::poll_timeout) anew.
//! - A connection is made by [`offer`](Engine::offer) or [`answer`](Engine::answer) under an id
//!   that its owner never uses again, and ends with exactly one [`EngineEvent::Closed`], whoever
//!   ended it. Nothing is said of a connection after that, and calls that name it do nothing.
//! - A connection that begins says [`EngineEvent::Description`] exactly once. With trickle off it
//!   comes when all candidates are known, and none follow; with trickle on it comes at once, and
//!   candidates that are found later come as [`EngineEvent::Candidate`].
//! - An open connection says it once for each [`propose`](Engine::propose) that can be made, unless
//!   it is rolled back before.
//! - A track of the other side begins with [`EngineEvent::TrackBegan`], which is said before the
//!   description that has it is answered, and ends with [`EngineEvent::TrackEnded`], before its
//!   connection does. Only between the two are there frames and packets of it.
//! - [`EngineEvent::Open`] comes at most once, before any [`EngineEvent::Message`].
//! - What an engine wants of the network beside datagrams it asks for by [`EngineOutput::Network`],
//!   and takes no answer for a failure: servers that can't be reached never keep two peers apart
//!   that reach each other without.
//! - Messages arrive whole, in order and at most once. They are all lost or none: a connection
//!   that can't deliver one closes.
//! - Whatever a remote sends, an engine neither panics nor grows without bound.
//!
//! [`tristero-str0m`]: https://docs.rs/tristero-str0m

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;

use crate::ice::{IceConfig, IceCredentials, IceUrl};
use crate::ids::{ConnId, TrackId};
use crate::media::{
    Codec, MediaConfig, MediaFrame, MediaKind, Msid, RtpPacket, SentTrack, TrackStats,
};
use crate::time::{Deadline, Time};
use crate::wire::CandidateInit;

/// Where a datagram travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// The address of our socket.
    pub local: SocketAddr,
    /// The address of the other side.
    pub remote: SocketAddr,
}

/// The mark of explicit congestion notification (RFC 3168).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ecn {
    /// ECT(0).
    Ect0,
    /// ECT(1).
    Ect1,
    /// Congestion experienced.
    Ce,
}

/// A datagram as it came from a socket.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Where it travelled.
    pub path: Path,
    /// Its mark, if the socket tells.
    pub ecn: Option<Ecn>,
    /// Its payload.
    pub bytes: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// The datagrams that this is, if it is several of `segment_size` bytes one after another, of
    /// which the last may be shorter.
    pub fn split(self, segment_size: Option<usize>) -> impl Iterator<Item = Datagram<'a>> {
        let size = segment_size.unwrap_or(self.bytes.len()).max(1);
        self.bytes.chunks(size).map(move |bytes| Datagram { bytes, ..self })
    }
}

/// Datagrams to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub path: Path,
    /// One datagram, or several of [`segment_size`](Self::segment_size) bytes one after another,
    /// of which the last may be shorter.
    pub bytes: Bytes,
    /// The size of each datagram if there are several.
    pub segment_size: Option<usize>,
    /// The mark to send with.
    pub ecn: Option<Ecn>,
}

/// What an engine is told.
#[derive(Clone, Copy, Debug)]
pub enum EngineInput<'a> {
    /// A datagram arrived.
    Datagram(Datagram<'a>),
    /// A socket is bound to this address, and peers may reach us there.
    AddressAdded(SocketAddr),
    /// That socket is gone.
    AddressRemoved(SocketAddr),
    /// What came of a [`NetworkRequest`].
    Network(&'a NetworkEvent),
    /// A TURN server takes these credentials from now on. What it has given stays; if it refused, it
    /// is asked again at once.
    IceCredentials(&'a IceUrl, &'a IceCredentials),
    /// All connections are closed and no others follow: what servers gave is given back.
    ShutDown,
}

/// A byte stream to a server, by a number that the engine chose and never uses again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What an engine wants of the network beside datagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkRequest {
    /// The addresses of a host; [`NetworkEvent::Resolved`] follows.
    Resolve {
        /// The name.
        name: String,
    },
    /// The addresses that multicast DNS has for a name which ends in `.local` (RFC 6762); no other
    /// server may be asked. [`NetworkEvent::LocalResolved`] follows, within a few seconds.
    ResolveLocal {
        /// The name.
        name: String,
    },
    /// From now on multicast DNS is to give this address to whoever asks for the name. Nothing is
    /// said of it.
    PublishLocal {
        /// The name, which ends in `.local` and was never published before.
        name: String,
        /// The address, which is one of ours.
        address: IpAddr,
    },
    /// A name that was published is to be known no longer.
    WithdrawLocal {
        /// The name.
        name: String,
    },
    /// A byte stream. [`NetworkEvent::StreamOpened`] or [`NetworkEvent::StreamClosed`] follows.
    OpenStream {
        /// The stream.
        stream: StreamId,
        /// Where it leads.
        target: StreamTarget,
    },
    /// Bytes for an open stream, after those before them.
    SendStream {
        /// The stream.
        stream: StreamId,
        /// The bytes.
        bytes: Bytes,
    },
    /// The end of a stream, once what was sent over it is on its way. Nothing more is said of it.
    CloseStream {
        /// The stream.
        stream: StreamId,
    },
}

/// Where a byte stream leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamTarget {
    /// The name or the address of the host.
    pub host: String,
    /// The port of TCP.
    pub port: u16,
    /// Whether TLS protects it, with a certificate for that host.
    pub is_secure: bool,
}

/// What came of a [`NetworkRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkEvent {
    /// The addresses of a host; none if it has none, or if nobody knows.
    Resolved {
        /// The name.
        name: String,
        /// The addresses, the best first.
        addresses: Vec<IpAddr>,
    },
    /// The addresses that multicast DNS has for a name; none if nobody answers for it, or if there
    /// is no multicast here.
    LocalResolved {
        /// The name.
        name: String,
        /// The addresses, as they were told.
        addresses: Vec<IpAddr>,
    },
    /// A stream stands.
    StreamOpened {
        /// The stream.
        stream: StreamId,
    },
    /// Bytes came over a stream.
    StreamBytes {
        /// The stream.
        stream: StreamId,
        /// The bytes.
        bytes: Bytes,
    },
    /// A stream could not be opened, or is gone.
    StreamClosed {
        /// The stream.
        stream: StreamId,
        /// Why, in words.
        why: String,
    },
}

/// Which of a connection's channels carries a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Lane {
    /// The one channel that Trystero has, labelled `data`: ordered and reliable.
    Control,
}

/// How a connection is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnOptions {
    /// Whether candidates may follow the description.
    pub trickle: bool,
    /// The servers that help.
    pub ice: Arc<IceConfig>,
    /// How audio and video are carried, if any is.
    pub media: Arc<MediaConfig>,
}

impl ConnOptions {
    /// Without servers.
    pub fn direct(trickle: bool) -> Self {
        ConnOptions::new(trickle, Arc::new(IceConfig::none()))
    }

    /// With servers, and with the default for media.
    pub fn new(trickle: bool, ice: Arc<IceConfig>) -> Self {
        ConnOptions { trickle, ice, media: Arc::default() }
    }
}

/// What an open connection is to agree on anew with the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// ICE restarts: both sides get new credentials, and another path is looked for between the
    /// addresses that they have now (RFC 8445, section 2.4). What is sent meanwhile arrives later,
    /// and tracks stay as they are.
    Restart,
    /// From now on we send these tracks and no others.
    Tracks(Vec<SentTrack>),
}

/// A track that the other side sends, by a number of its connection that is never used twice there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncomingTrack(pub u64);

/// Which half of an exchange a description is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DescriptionKind {
    /// It opens the exchange.
    Offer,
    /// It ends the exchange.
    Answer,
}

/// What an engine says.
#[derive(Debug)]
pub enum EngineOutput {
    /// Send these datagrams.
    Transmit(Transmit),
    /// Something happened.
    Event(EngineEvent),
    /// Do this, and say what came of it.
    Network(NetworkRequest),
}

/// What happened to a connection, or to a server.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineEvent {
    /// Our description is ready to be sent to the peer: that of a new connection, or the offer of
    /// what we [propose](Engine::propose).
    Description {
        /// The connection.
        conn: ConnId,
        /// Which half of the exchange it is.
        kind: DescriptionKind,
        /// The SDP.
        sdp: String,
    },
    /// A candidate of ours was found after the description.
    Candidate {
        /// The connection.
        conn: ConnId,
        /// The candidate, with the media section it belongs to.
        candidate: CandidateInit,
    },
    /// The path that an open connection used is gone, with an address of ours, and we have others.
    /// [`Proposal::Restart`] finds another path, if the other side can be told of it.
    Stranded {
        /// The connection.
        conn: ConnId,
    },
    /// The channel is open; messages can be sent.
    Open {
        /// The connection.
        conn: ConnId,
    },
    /// A message arrived.
    Message {
        /// The connection.
        conn: ConnId,
        /// The channel.
        lane: Lane,
        /// The message.
        bytes: Bytes,
    },
    /// A channel that took no message has room again.
    Drained {
        /// The connection.
        conn: ConnId,
        /// The channel.
        lane: Lane,
    },
    /// The other side sends a track from now on.
    TrackBegan {
        /// The connection.
        conn: ConnId,
        /// The track.
        track: IncomingTrack,
        /// What it is for.
        kind: MediaKind,
        /// What the other side calls it, if it says.
        msid: Option<Msid>,
    },
    /// The other side sends a track no longer.
    TrackEnded {
        /// The connection.
        conn: ConnId,
        /// The track.
        track: IncomingTrack,
    },
    /// A frame arrived, on a connection that receives frames.
    Frame {
        /// The connection.
        conn: ConnId,
        /// The track.
        track: IncomingTrack,
        /// The frame.
        frame: MediaFrame,
    },
    /// A packet arrived, on a connection that receives packets.
    Packet {
        /// The connection.
        conn: ConnId,
        /// The track.
        track: IncomingTrack,
        /// The packet.
        packet: RtpPacket,
    },
    /// The other side answered what we proposed of a track, or changed what it takes of it.
    TrackAgreed {
        /// The connection.
        conn: ConnId,
        /// The track.
        track: TrackId,
        /// How its frames have to be encoded from now on, the codec that is meant first; none if it
        /// is not taken.
        codecs: Vec<Codec>,
    },
    /// The other side can't go on decoding a track of ours without a key frame.
    KeyFrameWanted {
        /// The connection.
        conn: ConnId,
        /// The track.
        track: TrackId,
    },
    /// The connection ended.
    Closed {
        /// The connection.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// A server is of no help. It is asked again for a later connection.
    ServerFailed {
        /// The server.
        url: IceUrl,
        /// Why.
        failure: ServerFailure,
    },
}

/// Why a STUN or TURN server is of no help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerFailure {
    /// Its name has no address.
    #[error("its name can't be resolved")]
    Unresolved,
    /// It does not answer datagrams.
    #[error("it does not answer")]
    Silent,
    /// No stream to it can be opened, or none of our addresses leads there.
    #[error("it can't be reached: {0}")]
    Unreachable(
        /// Why.
        String,
    ),
    /// A TURN server refuses to relay.
    #[error("it refuses: {code} {reason}")]
    Refused {
        /// The STUN error code, such as 401 where the credentials are wrong (RFC 8656, section 18).
        code: u16,
        /// What the server says.
        reason: String,
    },
    /// It answers what no such server would.
    #[error("what it answers makes no sense")]
    Nonsense,
}

impl ServerFailure {
    /// Whether other credentials may help: 401 Unauthorized, 403 Forbidden and 441 Wrong
    /// Credentials (RFC 8656, section 18).
    pub fn is_about_credentials(&self) -> bool {
        matches!(self, ServerFailure::Refused { code: 401 | 403 | 441, .. })
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// We closed it.
    #[error("closed by us")]
    Local,
    /// The other side closed the connection or its channel.
    #[error("closed by the other side")]
    Remote,
    /// Nothing arrived for so long that the other side must be gone.
    #[error("nothing arrived any more")]
    Silent,
    /// The other side broke a protocol below ours, or our engine failed.
    #[error("the connection failed")]
    Failed,
}

/// Why a description was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    /// It is not SDP, or lacks what a data channel needs.
    #[error("the session description is not valid: {0}")]
    Invalid(String),
    /// There is no such connection, or it is not waiting for an answer.
    #[error("there is no connection that waits for this description")]
    Unexpected,
}

/// What became of a message that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a message that was not taken has to be offered again"]
pub enum SendOutcome {
    /// The engine has it.
    Taken,
    /// There is no room; offer it again after [`EngineEvent::Drained`].
    Full,
    /// The connection is not open, or the message is empty or larger than the other side takes.
    Refused,
}

/// What became of a frame or a packet that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaOutcome {
    /// The engine has it.
    Taken,
    /// So much is waiting that it would come too late. It is dropped, and frames of video that need
    /// it are of no use.
    Full,
    /// It was not agreed on: there is no such track on the connection, or it may not be encoded
    /// like that, or the frame makes no sense. It is dropped.
    Unwanted,
}

impl MediaOutcome {
    /// Whether it is on its way.
    pub fn is_taken(self) -> bool {
        self == MediaOutcome::Taken
    }
}

/// What is known of the media of a connection.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MediaInfo {
    /// Whether the other side can send or take media at all: whether it agreed on keys for it.
    pub is_possible: bool,
    /// The tracks that we send.
    pub sent: Vec<(TrackId, TrackStats)>,
    /// The tracks that the other side sends.
    pub received: Vec<(IncomingTrack, TrackStats)>,
    /// What the path bears, in bits per second, if that is estimated.
    pub bitrate: Option<u64>,
}

/// A WebRTC implementation: many connections over one set of sockets.
///
/// See the [module](self) for the contract.
pub trait Engine {
    /// Takes a datagram or a change of addresses.
    fn handle_input(&mut self, input: EngineInput<'_>, now: Time);

    /// Does what is due.
    fn handle_timeout(&mut self, now: Time);

    /// The next thing to do or to know, until `None`.
    fn poll_output(&mut self) -> Option<EngineOutput>;

    /// When to call [`handle_timeout`](Self::handle_timeout).
    fn poll_timeout(&self) -> Option<Deadline>;

    /// Begins a connection; its description comes as an event.
    ///
    /// # Panics
    ///
    /// May panic if `conn` was used before.
    fn offer(&mut self, conn: ConnId, options: ConnOptions, now: Time);

    /// Begins a connection out of the peer's offer; our answer comes as an event. After an error
    /// the id names nothing and no event follows.
    ///
    /// # Panics
    ///
    /// May panic if `conn` was used before.
    fn answer(
        &mut self,
        conn: ConnId,
        offer: &str,
        options: ConnOptions,
        now: Time,
    ) -> Result<(), DescriptionError>;

    /// Offers something to the other side of an open connection. The offer comes as an event; the
    /// answer to it goes to [`accept_answer`](Self::accept_answer). One that was made before and is
    /// not answered is given up for it. An engine that can't do it does nothing.
    fn propose(&mut self, conn: ConnId, proposal: &Proposal, now: Time) {
        let _ = (conn, proposal, now);
    }

    /// Gives up what we proposed and nobody answers. The connection is as it was.
    fn roll_back(&mut self, conn: ConnId, now: Time) {
        let _ = (conn, now);
    }

    /// Takes an offer of the other side for an open connection, and gives our answer: ICE restarts
    /// if its credentials are new, and tracks of the other side begin and end. What we proposed and
    /// is not answered is given up for it. After an error the connection is as it was.
    fn renegotiate(
        &mut self,
        conn: ConnId,
        offer: &str,
        now: Time,
    ) -> Result<String, DescriptionError> {
        let _ = (conn, offer, now);
        Err(DescriptionError::Unexpected)
    }

    /// Takes the answer to our offer. After an error a new connection is as it was, so close it; one
    /// that is open goes on.
    fn accept_answer(
        &mut self,
        conn: ConnId,
        answer: &str,
        now: Time,
    ) -> Result<(), DescriptionError>;

    /// Takes a candidate of the other side, in a browser's form, at any time after the connection
    /// began. One that is not understood or can't be used is dropped.
    fn add_remote_candidate(&mut self, conn: ConnId, candidate: &CandidateInit, now: Time);

    /// Sends a message of at least one byte.
    fn send(&mut self, conn: ConnId, lane: Lane, message: &[u8], now: Time) -> SendOutcome;

    /// Sends a frame of a track that was agreed on. Only
    /// [`codec`](MediaFrame::codec), [`time`](MediaFrame::time), [`is_key`](MediaFrame::is_key) and
    /// the bytes count.
    fn send_frame(
        &mut self,
        conn: ConnId,
        track: TrackId,
        frame: &MediaFrame,
        now: Time,
    ) -> MediaOutcome {
        let _ = (conn, track, frame, now);
        MediaOutcome::Unwanted
    }

    /// Sends an RTP packet of a track that was agreed on. Its sequence number and its timestamp are
    /// taken as differences to those before.
    fn send_packet(
        &mut self,
        conn: ConnId,
        track: TrackId,
        packet: &RtpPacket,
        now: Time,
    ) -> MediaOutcome {
        let _ = (conn, track, packet, now);
        MediaOutcome::Unwanted
    }

    /// Asks the other side for a key frame, at once and as often as this is called.
    fn request_key_frame(&mut self, conn: ConnId, track: IncomingTrack, now: Time) {
        let _ = (conn, track, now);
    }

    /// What is known of the audio and video of an open connection.
    fn media_info(&self, conn: ConnId) -> MediaInfo {
        let _ = conn;
        MediaInfo::default()
    }

    /// Ends a connection so that the other side notices; [`EngineEvent::Closed`] follows.
    fn close(&mut self, conn: ConnId, now: Time);

    /// What is known of an open connection.
    fn connection_info(&self, conn: ConnId) -> Option<ConnectionInfo>;

    /// Why a connection that was not closed yet is not open, as far as can be told from here.
    fn obstacle(&self, conn: ConnId) -> Option<Obstacle> {
        let _ = conn;
        None
    }
}

/// Why two peers that know each other's descriptions are not connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// The other side told no address.
    #[error("it told no address at which it can be reached")]
    NoCandidates,
    /// No datagram came back from anywhere.
    #[error(
        "no server answers over UDP: this network blocks it, and a TURN server over TCP or TLS would help, or the servers are down"
    )]
    UdpBlocked,
    /// Our TURN server refuses to relay.
    #[error("the TURN server refuses: error {code}")]
    TurnRefused {
        /// The STUN error code (RFC 8656, section 18).
        code: u16,
    },
    /// None of our TURN servers can be reached.
    #[error("no TURN server can be reached")]
    TurnUnreachable,
    /// No path leads there directly, and neither side has a TURN server.
    #[error("the network between the two may need a TURN server")]
    NoRoute,
    /// Nothing came back, not over a TURN server either.
    #[error("it does not answer, not over a TURN server either")]
    NoAnswer,
    /// There is a path, and the encryption was not agreed on over it.
    #[error("the DTLS handshake did not end in time")]
    Dtls,
    /// There is a path, and the channel over it did not open.
    #[error("the data channel did not open in time")]
    Channel,
}

impl Obstacle {
    /// A short name that stays the same, for logs and programs.
    pub fn code(self) -> &'static str {
        match self {
            Obstacle::NoCandidates => "no-candidates",
            Obstacle::UdpBlocked => "udp-blocked",
            Obstacle::TurnRefused { .. } => "turn-refused",
            Obstacle::TurnUnreachable => "turn-unreachable",
            Obstacle::NoRoute => "no-route-without-turn",
            Obstacle::NoAnswer => "no-answer",
            Obstacle::Dtls => "dtls",
            Obstacle::Channel => "channel",
        }
    }
}

/// Facts of a connection.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The pair of addresses in use.
    pub path: Option<Path>,
    /// The kinds of the two candidates, `host`, `srflx`, `prflx` or `relay`; empty if unknown.
    pub candidate_kinds: (&'static str, &'static str),
    /// The version of DTLS in use, such as `DTLS 1.2`.
    pub dtls_version: Option<&'static str>,
    /// The round trip time as ICE measured it last.
    pub rtt: Option<std::time::Duration>,
    /// Bytes that arrived in datagrams.
    pub bytes_received: u64,
    /// Bytes that were sent in datagrams.
    pub bytes_sent: u64,
    /// Whether its first offer was ours.
    pub is_offerer: bool,
    /// How often ICE was restarted.
    pub restarts: u32,
    /// Whether the WebRTC of the other side can restart ICE, as far as is known.
    pub restarts_ice: bool,
}
