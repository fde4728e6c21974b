//! Every bound of the core, with what happens there.
//!
//! What is legitimate but too much is dropped, oldest first, and counted; what no honest peer
//! would send gets that peer's connection closed with a reason. The node itself never suffers.

use std::time::Duration;

/// The bounds that an application may want to move. The others are part of the protocol.
///
/// ```
/// # use tristero_proto::limits::Limits;
/// let mut limits = Limits::default();
/// limits.rooms = 1;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// [`ROOMS_MAX`].
    pub rooms: usize,
    /// [`PEERS_MAX`].
    pub peers: usize,
    /// [`SESSIONS_PER_ROOM_MAX`].
    pub sessions_per_room: usize,
    /// [`REMOTE_CANDIDATES_MAX`].
    pub candidates_per_session: usize,
    /// [`EARLY_FRAMES_MAX`].
    pub early_frames: usize,
    /// [`EARLY_FRAME_BYTES_MAX`].
    pub early_frame_bytes: usize,
    /// [`PARTIAL_TRANSMISSIONS_MAX`].
    pub partial_transmissions: usize,
    /// [`PARTIAL_BYTES_MAX`].
    pub partial_bytes_per_peer: usize,
    /// [`ALL_PARTIAL_BYTES_MAX`].
    pub partial_bytes_in_all: usize,
    /// [`UNCLAIMED_MESSAGES_MAX`].
    pub unclaimed_messages: usize,
    /// [`UNCLAIMED_BYTES_MAX`].
    pub unclaimed_bytes: usize,
    /// [`REQUESTS_MAX`].
    pub requests: usize,
    /// [`CALLS_MAX`].
    pub calls_per_peer: usize,
    /// [`PINGS_MAX`].
    pub pings_per_peer: usize,
    /// [`OUTBOX_TRANSMISSIONS_MAX`].
    pub outbox_transmissions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            rooms: ROOMS_MAX,
            peers: PEERS_MAX,
            sessions_per_room: SESSIONS_PER_ROOM_MAX,
            candidates_per_session: REMOTE_CANDIDATES_MAX,
            early_frames: EARLY_FRAMES_MAX,
            early_frame_bytes: EARLY_FRAME_BYTES_MAX,
            partial_transmissions: PARTIAL_TRANSMISSIONS_MAX,
            partial_bytes_per_peer: PARTIAL_BYTES_MAX,
            partial_bytes_in_all: ALL_PARTIAL_BYTES_MAX,
            unclaimed_messages: UNCLAIMED_MESSAGES_MAX,
            unclaimed_bytes: UNCLAIMED_BYTES_MAX,
            requests: REQUESTS_MAX,
            calls_per_peer: CALLS_MAX,
            pings_per_peer: PINGS_MAX,
            outbox_transmissions: OUTBOX_TRANSMISSIONS_MAX,
        }
    }
}

/// The longest id of a remote peer, in bytes. A signal from a longer one is malformed.
pub const PEER_ID_BYTES_MAX: usize = 128;

/// The longest `offerId`, in bytes (ours have 12, a tracker's 20). A signal with a longer one is
/// malformed.
pub const OFFER_ID_BYTES_MAX: usize = 64;

/// The longest appId, roomId or password, in bytes. Joining with a longer one is an error.
pub const NAME_BYTES_MAX: usize = 1024;

/// The largest signaling message, in bytes; a larger one is malformed. A browser's offer with
/// all its candidates, encrypted, stays below a tenth of this.
pub const SIGNAL_BYTES_MAX: usize = 128 * 1024;

/// The largest session description that is given to an engine, in bytes.
pub const SDP_BYTES_MAX: usize = 64 * 1024;

/// The longest candidate, in bytes of JSON; a longer one is malformed.
pub const CANDIDATE_BYTES_MAX: usize = 4096;

/// Rooms that a node can be in at once. Joining one more is an error.
pub const ROOMS_MAX: usize = 256;

/// Relays of one room. Joining with more is an error.
pub const RELAYS_PER_ROOM_MAX: usize = 64;

/// Remote peers of one room that a connection is being negotiated with. Of one more, the relay that
/// brought most of them loses its oldest; if that is the one that brings it, signals from it are
/// dropped until an attempt ends.
pub const SESSIONS_PER_ROOM_MAX: usize = 1024;

/// Connected peers of one node. One more connection is closed when it opens.
pub const PEERS_MAX: usize = 4096;

/// Candidates that are held for one remote peer until the description they belong to is here.
/// The oldest is dropped.
pub const HELD_CANDIDATES_MAX: usize = 64;

/// Signals that are kept of a peer while it is asked whether it still hears us: an offer, and the
/// candidates that come after it, of up to [`SIGNAL_BYTES_MAX`] each. More are dropped.
pub const PROBED_SIGNALS_MAX: usize = 32;

/// Remote candidates given to one connection. Later ones are dropped: no honest peer has so many.
pub const REMOTE_CANDIDATES_MAX: usize = 128;

/// Our own candidates kept for an offer, to send over relays that the peer is heard on later.
/// Later ones are dropped.
pub const LOCAL_CANDIDATES_MAX: usize = 64;

/// Room tokens remembered of one peer. Presence of one more is ignored.
pub const REMOTE_ROOMS_MAX: usize = 1024;

/// Bytes of room frames held for one peer until the room they name is attached. The oldest is
/// dropped.
pub const EARLY_FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Room frames held for one peer until the room they name is attached. The oldest is dropped.
pub const EARLY_FRAMES_MAX: usize = 256;

/// Transmissions of one peer in one room that have begun and not ended. JavaScript sends all that
/// it is given at once, so an honest page may have very many. The oldest is dropped, which counts
/// as an offence.
pub const PARTIAL_TRANSMISSIONS_MAX: usize = 4_096;

/// Bytes of one peer's unfinished transmissions in one room, each chunk counted with
/// [`CHUNK_COST`]. The peer's largest transmission can't be larger; the oldest is dropped.
pub const PARTIAL_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Bytes of unfinished transmissions of all peers in all rooms of a node. The oldest of the peer
/// that takes most is dropped.
pub const ALL_PARTIAL_BYTES_MAX: usize = 2 * 1024 * 1024 * 1024;

/// What a chunk takes in memory beside its payload, in bytes: its headers, which are kept with it,
/// and the bookkeeping.
pub const CHUNK_COST: usize = 256;

/// The largest JSON payload, in bytes, that is sent or taken from a peer: read into a value it may
/// take some seventy times as much. A larger one is dropped; sending one is an error.
pub const JSON_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The largest metadata that is taken from a peer, in bytes of JSON: what fits a message of the
/// largest size that anyone announces. A transmission with more is dropped.
pub const REMOTE_METADATA_BYTES_MAX: usize = 256 * 1024;

/// Bytes of one peer's unfinished transmissions while it is pending: a handshake needs no more.
pub const PENDING_PARTIAL_BYTES_MAX: usize = 1024 * 1024;

/// A transmission that got no chunk for this long is dropped. Trystero gives up on a channel that
/// stays full for 10 s, and never says so.
pub const PARTIAL_IDLE_MAX: Duration = Duration::from_secs(30);

/// Bytes that messages held in one room for actions that nobody registered take. The oldest is
/// dropped.
pub const UNCLAIMED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Messages held in one room for actions that nobody registered. The oldest is dropped.
pub const UNCLAIMED_MESSAGES_MAX: usize = 1024;

/// Actions that one room can register. One more is an error.
pub const ACTIONS_MAX: usize = 1024;

/// Transmissions that wait to be sent to one peer. `send` to a peer with so many fails for it.
pub const OUTBOX_TRANSMISSIONS_MAX: usize = 4096;

/// Frames of the protocol itself that wait to be sent to one peer. A peer that lets more pile up
/// takes nothing at all; it is cut.
pub const OUTBOX_CONTROL_MAX: usize = 4096;

/// The largest metadata, in bytes of JSON: it travels as one message, and werift takes messages of
/// 65,536 bytes, of which the headers take 103.
pub const METADATA_BYTES_MAX: usize = 65_536 - 103;

/// The largest payload of one call of `send`, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 512 * 1024 * 1024;

/// A transmission of which a peer's connection takes nothing for this long is given up, as
/// Trystero does.
pub const SEND_STALL_MAX: Duration = Duration::from_secs(10);

/// Chunks of what is sent as a stream that wait for the slowest target, at most about this many;
/// more is asked for when it has fewer. At 16 KiB each, a connection does not run dry.
pub const STREAM_WINDOW_CHUNKS: usize = 64;

/// The longest id of a request that is taken from a peer, in bytes (Trystero's have 20).
pub const WIRE_ID_BYTES_MAX: usize = 64;

/// Requests of one peer in one room that were not answered yet. One more is rejected at once.
pub const CALLS_MAX: usize = 1024;

/// Requests of ours in one room that wait for their response. One more is an error.
pub const REQUESTS_MAX: usize = 16_384;

/// Pings of ours to one peer that wait for their pong. One more is an error.
pub const PINGS_MAX: usize = 64;

/// Handshake messages of one peer that wait for the application's handshake to begin. The oldest
/// is dropped.
pub const EARLY_HANDSHAKE_MAX: usize = 16;

/// Offences of one peer beyond which it is cut, if they come faster than ten a second.
pub const OFFENCES_MAX: u32 = 1_000;

/// A chunk below this many bytes, with more to follow, is an offence: honest ones are full.
pub const CHUNK_BYTES_MIN: usize = 1_024;

/// The largest message of the application's handshake, in bytes: a receiver of ours takes no more
/// from a peer that is pending, with what each chunk costs.
pub const HANDSHAKE_BYTES_MAX: usize = 512 * 1024;

/// The longest text that a request is rejected with, in bytes: it travels as metadata, where it
/// may take six times as much. What is longer is cut off.
pub const REJECTION_BYTES_MAX: usize = 8 * 1024;

/// Transmissions of one peer in one room that were given up, remembered so that their rest is not
/// taken for something else. The oldest is forgotten.
pub const ABANDONED_MAX: usize = 1_024;

/// What those messages may take in memory, in bytes.
pub const EARLY_HANDSHAKE_BYTES_MAX: usize = 1024 * 1024;

/// Peers that were cut, remembered for a minute so that they are not connected to at once again.
/// The oldest is forgotten.
pub const SHUNNED_MAX: usize = 256;

/// Offers that a room remembers to have heard, so that copies of them take nothing's place. The
/// oldest is forgotten.
pub const HEARD_OFFERS_MAX: usize = 4_096;

/// The longest text of a relay that is told, in bytes. What is longer is cut off.
pub const RELAY_TEXT_BYTES_MAX: usize = 1_024;

/// Offers for anyone that a room has at once: enough for a burst over the three trackers that it uses
/// by default. A room with more announces the oldest again.
pub const POOLED_OFFERS_MAX: usize = 36;

/// STUN and TURN servers of a room that are asked. Each costs datagrams to every address of it, and a
/// candidate of its own in every description.
pub const ICE_SERVERS_MAX: usize = 8;

/// The payload of an RTP packet that is to be sent, in bytes, so that it travels whole.
pub const RTP_PAYLOAD_BYTES_MAX: usize = 1_150;

/// A frame of video that is to be sent, in bytes.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A frame of audio that is to be sent, in bytes: it can't be cut, and travels in one packet. Opus of
/// 20 ms has so many at 440 kbit/s.
pub const AUDIO_FRAME_BYTES_MAX: usize = 1_100;

/// The name of a stream or a track in a session description, in bytes (RFC 8830).
pub const MSID_BYTES_MAX: usize = 64;

/// A session description that comes over a connection which stands, in bytes. It has all that was ever
/// sent over the connection, at about 5 KiB for a track of video in a browser. One that is longer
/// is not read.
pub const RENEGOTIATION_BYTES_MAX: usize = 512 * 1024;

/// Streams that a node sends at once. One more is an error.
pub const STREAMS_MAX: usize = 256;

/// Tracks that a node sends at once. One more is an error.
pub const TRACKS_MAX: usize = 1_024;

/// Tracks that are sent over one connection at once. One more fails for that peer.
pub const SENT_TRACKS_MAX: usize = 32;

/// Tracks of one peer that are known at once. More are ignored.
pub const RECEIVED_TRACKS_MAX: usize = 32;

/// The longest name of a key, a stream or a track in what a peer says of its media, in bytes
/// (Trystero's have 20 and 36). What has a longer one is malformed.
pub const MEDIA_NAME_BYTES_MAX: usize = 128;

/// What a peer said in one room of media that did not come yet. The oldest is dropped.
pub const PENDING_MEDIA_MAX: usize = 64;

/// What that takes in memory, in bytes, for all rooms of a peer. The oldest is dropped.
pub const PENDING_MEDIA_BYTES_MAX: usize = 1024 * 1024;

/// Keys that are remembered of one track, from when it was replaced. The oldest is forgotten.
pub const TRACK_KEYS_MAX: usize = 8;
