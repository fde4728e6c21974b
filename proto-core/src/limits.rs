//! Every bound of the core, with what happens there.
//!
//! What is legitimate but too much is dropped, oldest first, and counted; what no honest peer
//! would send gets that peer's connection closed with a reason. The node itself never suffers.

use std::time::Duration;

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

/// Remote peers of one room that a connection is being negotiated with. Signals from one more
/// are dropped until an attempt ends.
pub const SESSIONS_PER_ROOM_MAX: usize = 1024;

/// Connected peers of one node. One more connection is closed when it opens.
pub const PEERS_MAX: usize = 4096;

/// Candidates that are held for one remote peer until the description they belong to is here.
/// The oldest is dropped.
pub const HELD_CANDIDATES_MAX: usize = 64;

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

/// Transmissions of one peer in one room that have begun and not ended. The oldest is dropped.
pub const PARTIAL_TRANSMISSIONS_MAX: usize = 256;

/// Bytes of one peer's unfinished transmissions in one room, each chunk counted with
/// [`CHUNK_COST`]. The peer's largest transmission can't be larger; the oldest is dropped.
pub const PARTIAL_BYTES_MAX: usize = 512 * 1024 * 1024;

/// What a chunk takes in memory beside its payload, in bytes: its headers, which are kept with it,
/// and the bookkeeping.
pub const CHUNK_COST: usize = 256;

/// The largest JSON payload, in bytes, that is sent or taken from a peer: read into a value it may
/// take some forty times as much. A larger one is dropped; sending one is an error.
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
