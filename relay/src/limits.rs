//! Every bound of the relay, with the reason for its size.
//!
//! Together they bound the memory that clients can make the relay hold: for each connection
//! `outbox_bytes_max`, three messages of `message_bytes_max` and some 100 KiB; for each topic
//! `topic_bytes_max` and some 300 bytes. That is what an attacker with all the connections can
//! reach, so a small machine wants a smaller `connections_max`; in ordinary use a connection
//! costs less than 4 KiB, without TLS and what the kernel takes.

use std::time::Duration;

/// The bounds of a relay; [`Limits::default`] serves some ten thousand peers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// WebSockets open at once; one more is refused with HTTP status 503.
    ///
    /// The process needs this many file descriptors, plus
    /// [`handshakes_max`](Self::handshakes_max) and a few.
    pub connections_max: usize,

    /// Sockets at once that have not yet become a WebSocket; further ones wait in the
    /// listener's backlog.
    pub handshakes_max: usize,

    /// Topics with at least one subscriber, over all connections; a subscription that would
    /// make one more is ignored and counted.
    pub topics_max: usize,

    /// Topics one connection may be subscribed to at once; a further subscription is ignored
    /// and counted.
    pub connection_topics_max: usize,

    /// Length of a topic in bytes of UTF-8; a message with a longer one is ignored and counted.
    pub topic_bytes_max: usize,

    /// Length of a message from a client in bytes; a longer one closes its connection (1009).
    pub message_bytes_max: usize,

    /// Messages that wait for one client to read; one more cuts the client (1008).
    pub outbox_frames_max: usize,

    /// Bytes that wait for one client to read; more cut the client (1008). A single message is
    /// always let in.
    pub outbox_bytes_max: usize,

    /// A socket that has not finished its TLS and HTTP handshakes after this long is closed.
    pub handshake_timeout: Duration,

    /// Each client is sent a WebSocket ping this often; taken as at least a millisecond and at
    /// most a day.
    pub ping_interval: Duration,

    /// A client that sends nothing, not even a pong, for this long after a ping is cut (1008).
    pub pong_timeout: Duration,

    /// How long a closing connection may take to deliver the close frame and to hang up.
    pub close_timeout: Duration,

    /// After this long a shutdown no longer waits for connections to close.
    pub shutdown_timeout: Duration,
}

impl Limits {
    /// A client is taken for gone after this long without a sign of life.
    pub(crate) fn silence_max(&self) -> Duration {
        self.ping_interval.saturating_add(self.pong_timeout)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            handshakes_max: HANDSHAKES_MAX,
            topics_max: TOPICS_MAX,
            connection_topics_max: CONNECTION_TOPICS_MAX,
            topic_bytes_max: TOPIC_BYTES_MAX,
            message_bytes_max: MESSAGE_BYTES_MAX,
            outbox_frames_max: OUTBOX_FRAMES_MAX,
            outbox_bytes_max: OUTBOX_BYTES_MAX,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            ping_interval: PING_INTERVAL,
            pong_timeout: PONG_TIMEOUT,
            close_timeout: CLOSE_TIMEOUT,
            shutdown_timeout: SHUTDOWN_TIMEOUT,
        }
    }
}

/// Under the 20 000 file descriptors that servers commonly allow a process.
const CONNECTIONS_MAX: usize = 16_384;

/// Enough for every client of a restarted relay to come back within seconds, and few enough
/// that unfinished handshakes can't use up the descriptors.
const HANDSHAKES_MAX: usize = 1_024;

/// A peer needs two topics per room (the room's and its own); this is 16 for each connection.
const TOPICS_MAX: usize = 262_144;

/// A process in 256 rooms, which is far more than a page or a bot joins.
const CONNECTION_TOPICS_MAX: usize = 512;

/// Trystero's topics are hashes of at most 40 characters.
const TOPIC_BYTES_MAX: usize = 256;

/// An offer with a dozen media tracks and all their codecs, encrypted and in base64, is some
/// 70 KiB; the usual one is 5 KiB.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// A whole room of a thousand peers may announce itself while a client's page is busy.
const OUTBOX_FRAMES_MAX: usize = 1_024;

/// The offers of some two hundred peers at once, or four messages of the largest size.
const OUTBOX_BYTES_MAX: usize = 1024 * 1024;

/// Two lost packets and a slow phone still fit; an idle socket does not stay.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Under the 60 s after which reverse proxies commonly close a silent connection.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Allows for a phone that loses its network for some seconds.
const PONG_TIMEOUT: Duration = Duration::from_secs(20);

/// A client that is there answers within a round trip; one that is not is not worth a socket.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Twice the close timeout, which is what an orderly end takes at most.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
