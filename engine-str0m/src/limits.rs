//! Every bound of the engine, with its reason and what happens there.

use std::time::Duration;

/// The largest datagram that is sent, in bytes. With the headers of IPv6, UDP and a TURN channel
/// it fits the 1,280 bytes that every path of the Internet carries.
pub(crate) const DATAGRAM_BYTES: usize = 1_150;

/// The largest datagram that is looked at, in bytes; a larger one is a stranger's. str0m decrypts
/// into a buffer of this size, and no honest peer sends more than an Ethernet frame holds.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 2_000;

/// The largest message that is taken from a peer, in bytes, as said in our descriptions: what
/// Chromium takes too. One that is larger ends the connection.
pub(crate) const MESSAGE_BYTES_MAX: u32 = 256 * 1024;

/// Bytes that str0m may hold for sending: the most that is allowed below, and the largest message.
pub(crate) const BUFFERED_BYTES_MAX: usize = IN_FLIGHT_MAX + MESSAGE_BYTES_MAX as usize;

/// The weight of messages, in bytes, that a connection takes before earlier ones are acknowledged, on
/// any path; more is `Full`, but for a message that is alone. It fills a path of 2 ms at 128 MB/s, and
/// the least that operating systems give a socket's buffer holds it.
pub(crate) const IN_FLIGHT_MIN: usize = 256 * 1024;

/// The same on the longest path. A receiver has a window of 1 MiB, so what is beyond waits here, and
/// a path never idles until more is written.
pub(crate) const IN_FLIGHT_MAX: usize = 1_536 * 1024;

/// What a message weighs at least, in bytes: to walk past one costs as much as to send some hundred.
pub(crate) const MESSAGE_WEIGHT_MIN: usize = 512;

/// How much is acknowledged is measured for a round trip, and for this long at least: on a short path
/// most of what passes in a round trip is chance.
pub(crate) const ROUND_MIN: Duration = Duration::from_millis(5);

/// Datagrams that a connection takes before it is emptied. The DTLS below takes 30 and no more.
pub(crate) const BACKLOG_MAX: usize = 24;

/// Where this weight is in flight, datagrams wait for others before what they say is heeded: the SCTP
/// below walks through all of it each time. They wait for a nanosecond for each byte, in which a path
/// of 1 GB/s would take all of it.
pub(crate) const IN_FLIGHT_PAUSED: usize = 64 * 1024;

/// A peer that says nothing of its limit takes messages of this size (RFC 8841 section 6.1).
pub(crate) const REMOTE_MESSAGE_BYTES_DEFAULT: usize = 64 * 1024;

/// Local addresses. Later ones are ignored: each is paired with every remote candidate, and str0m
/// checks no more than 100 pairs.
pub(crate) const LOCAL_ADDRESSES_MAX: usize = 16;

/// Paths remembered of one connection over which its peer was heard, and as many that were only
/// tried. A request over one more is dropped: str0m makes a candidate of every new source, and a
/// peer can forge as many as it likes. Of those that were only tried the oldest is forgotten; str0m
/// checks no more than 100 at once.
pub(crate) const PATHS_PER_CONN_MAX: usize = 128;

/// Connections that share one path. One more replaces the oldest; two nodes hold two at most, and
/// for a moment.
pub(crate) const CONNS_PER_PATH_MAX: usize = 8;

/// Addresses at which a peer may say that it sees us. A response that names one more is dropped:
/// str0m makes a candidate of each.
pub(crate) const MAPPED_ADDRESSES_MAX: usize = 64;

/// Data channels beside the one that counts that a peer may open before it is cut. No honest peer
/// opens any.
pub(crate) const SURPLUS_CHANNELS_MAX: usize = 16;

/// How often a connection is served at once before others get their turn, if str0m asks to be
/// woken immediately. It settles in two rounds.
pub(crate) const ROUNDS_MAX: usize = 8;

/// A live path is checked this often, as Chromium does. A peer that is there is heard three times
/// before it counts as silent.
pub(crate) const CHECK_INTERVAL: Duration = Duration::from_millis(2_500);

/// Checks of connections that have a path wait for the next multiple of this, so that those of all are
/// made in one go: between two of one path are 2.5 s to 3 s. It goes into [`CHECK_INTERVAL`].
pub(crate) const CHECK_GRID: Duration = Duration::from_millis(500);

/// A path that did not answer this many checks is given up. With the interval above, and intervals
/// of 250 ms and its doubles at first, that takes 23.75 s: as long as Trystero waits for an answered
/// offer to connect.
pub(crate) const CHECKS_MAX: usize = 12;

/// A connection on which nothing was heard for this long is gone. Trystero gives a peer up after
/// 5 s of `disconnected`, which a browser says after some 5 s of silence.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(9);

/// A connection that gets nothing across for this long is given up. It is more than a path takes to
/// heal that is worth waiting for, and with the interval below less than the 30 s after which a
/// receiver drops a message of which the rest does not come: nothing may be lost while a connection
/// stands.
pub(crate) const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);

/// How often to look whether something got across, while something is not acknowledged.
pub(crate) const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// What str0m leaves between two ICE checks of one connection.
pub(crate) const STUN_PACE: Duration = Duration::from_millis(50);

/// The least that RFC 8445, section 14.2, allows between two ICE checks.
pub(crate) const STUN_PACE_MIN: Duration = Duration::from_millis(5);

/// How long checks go on at that distance once a connection is open. A connection may open over a
/// relay two round trips after its path was found, before a direct path had its chance.
pub(crate) const HURRY_ON: Duration = Duration::from_millis(500);

/// Names in candidates of one connection's peer that are asked for. Later ones are dropped. A browser
/// has one for each address of its machine.
pub(crate) const REMOTE_NAMES_MAX: usize = 16;

/// Names that an engine asks for at once. What is told meanwhile of others is dropped: each costs
/// everybody on the network some datagrams, and such names are known within 3 s or not at all.
pub(crate) const NAMES_ASKED_MAX: usize = 64;

/// STUN and TURN servers that an engine speaks to at once. Later ones are not asked.
pub(crate) const SERVERS_MAX: usize = 32;

/// A server that helped no connection for this long is forgotten, and its allocation given back.
pub(crate) const SERVER_IDLE_MAX: Duration = Duration::from_secs(60);

/// A server that was of no help is not asked again for this long.
pub(crate) const SERVER_RETRY_PAUSE: Duration = Duration::from_secs(10);

/// An allocation over which something was sent, and nothing came for this long, is replaced when a
/// connection begins: a server that was started anew knows nothing of it, and does not say so. A
/// peer that is there answers several times within it.
pub(crate) const ALLOCATION_SILENT_MAX: Duration = Duration::from_secs(8);

/// How long a description that no candidate may follow waits for servers. Trystero waits 15 s; who
/// needs the servers has heard of them long before, and nobody else is to wait for those that are
/// not there.
pub(crate) const GATHERING_MAX: Duration = Duration::from_secs(3);

/// The first repetition of a request to a server comes after this long, and each later one after
/// twice as long as the one before. RFC 8489, section 6.2.1, has 500 ms as the default for who knows
/// nothing of the path.
pub(crate) const REQUEST_RTO: Duration = Duration::from_millis(250);
pub(crate) const REQUEST_RTO_MAX: Duration = Duration::from_secs(2);
/// A request is sent so often, and given up this long after the last time: 8.75 s in all.
pub(crate) const REQUEST_TRIES: u32 = 6;
pub(crate) const REQUEST_LAST: Duration = Duration::from_secs(3);

/// A NAT is kept from forgetting a socket that peers may call at by a request this often. The least
/// that RFC 4787 asks of a NAT is two minutes, and many keep to 30 s.
pub(crate) const MAPPING_KEPT_ALIVE_EVERY: Duration = Duration::from_secs(25);

/// Peers that one allocation lets through. RFC 8656 has no limit, but each is kept alive by a request
/// every four minutes. What goes to more is lost.
pub(crate) const PERMISSIONS_MAX: usize = 512;

/// Datagrams that wait for a TURN server to let a peer through. Of more, the oldest is lost, as on
/// any path.
pub(crate) const AWAITING_PERMISSION_MAX: usize = 64;

/// Sections of a description. Nobody who is honest has more, and a description that does is not
/// answered.
pub(crate) const SECTIONS_READ_MAX: usize = 512;

/// Formats of a section that are read, and header extensions. Later ones are left out.
pub(crate) const FORMATS_READ_MAX: usize = 64;

/// Sources of a section that are read. Each track has two, for itself and for what is repeated.
pub(crate) const SSRCS_READ_MAX: usize = 16;

/// Sources of a connection that pass though no description named them. Packets of others are
/// dropped.
pub(crate) const UNNAMED_SSRCS_MAX: usize = 16;

/// Packets that one connection may keep until they make frames. str0m keeps 4,096 of each track, so
/// with many tracks that would be much.
pub(crate) const KEPT_PACKETS_MAX: usize = 16_384;

/// Where that many are kept, those of a track pass as long as it has no more than this, which is a
/// large frame. The others are dropped.
pub(crate) const KEPT_PACKETS_OF_TRACK: usize = 512;

/// Tracks that one connection receives. More are answered as if they were not wanted.
pub(crate) const TRACKS_RECEIVED_MAX: usize = 32;

/// Tracks that one connection sends. More are not offered.
pub(crate) const TRACKS_SENT_MAX: usize = 32;

/// Media that one connection may hold before it is in packets, in bytes, beyond a frame that is
/// alone. More is `Full`: what is not on its way at once comes too late.
pub(crate) const MEDIA_WAITING_BYTES_MAX: usize = 512 * 1024;

/// How long media waits for its turn, where it is sent no faster than the path bears. What comes
/// later than this is of no use to anybody who talks.
pub(crate) const MEDIA_WAITING_MAX: Duration = Duration::from_secs(1);

/// What an estimated path is probed for, in kbit/s, while something is sent: enough for a few
/// cameras.
pub(crate) const BITRATE_WISHED_KBPS: u64 = 10_000;

/// The same in frames. str0m takes 512 of each track.
pub(crate) const MEDIA_WAITING_FRAMES_MAX: usize = 256;

/// Frames that can't be put together or taken apart, for each time that a connection is served.
/// str0m reports each as an error; with more it is taken to be stuck.
pub(crate) const MEDIA_ERRORS_MAX: usize = 64;
