//! What a node and its rooms are told at the beginning.

use std::sync::Arc;
use std::time::Duration;

use crate::crypto::Password;
use crate::ice::IceConfig;
use crate::ids::PeerId;
use crate::limits::{self, Limits};
use crate::media::MediaConfig;
use crate::peer::IDLE_TTL;
use crate::room::HANDSHAKE_TIMEOUT;
use crate::signaling::{RelayUrl, Strategy};

/// What a node is told at its beginning.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The node's id; drawn from the seed if there is none. Two nodes with one id never meet.
    pub self_id: Option<PeerId>,
    /// What may be open, held and waiting at once.
    pub limits: Limits,
    /// How long a connection is kept that no room uses; [`IDLE_TTL`] by default.
    pub idle_ttl: Duration,
    /// Whether only [`pause_relays`](crate::Node::pause_relays) and
    /// [`resume_relays`](crate::Node::resume_relays) say when relays are dialled again. By default
    /// they are also dialled at once when this machine gets a new address.
    pub manual_reconnection: bool,
}

impl Default for NodeConfig {
    fn default() -> Self {
        NodeConfig {
            self_id: None,
            limits: Limits::default(),
            idle_ttl: IDLE_TTL,
            manual_reconnection: false,
        }
    }
}

/// A relay to meet over, and how to speak there.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// How.
    pub strategy: Arc<dyn Strategy>,
    /// Where.
    pub url: RelayUrl,
}

impl PartialEq for RelayConfig {
    fn eq(&self, other: &Self) -> bool {
        *self.strategy == *other.strategy && self.url == other.url
    }
}

/// What a room is told at its beginning. Peers meet where app and room are the same.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomConfig {
    /// The application, so that rooms of different ones do not mix.
    pub app_id: String,
    /// The room.
    pub room_id: String,
    /// What hides the room's signals, and what members prove to know; empty is none.
    pub password: Password,
    /// Where to meet.
    pub relays: Vec<RelayConfig>,
    /// Whether candidates may follow a description; `None` leaves it to the strategies.
    pub trickle: Option<bool>,
    /// The STUN and TURN servers that help to connect. A connection that rooms share has those of
    /// the room that made it.
    pub ice: IceConfig,
    /// How audio and video are carried. A connection that rooms share does it as the room says that
    /// made it.
    pub media: MediaConfig,
    /// Whether this peer stays silent until an active one is heard, and two such peers ignore each
    /// other. For those that wait to be of use, such as an archive.
    pub passive: bool,
    /// Whether the application decides who becomes a member, by [`Event::Handshake`](crate::Event).
    pub handshake: bool,
    /// How long a connected peer may take to become a member.
    pub handshake_timeout: Duration,
}

/// Why a room can't be joined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// There is no appId.
    #[error("the appId is empty")]
    EmptyAppId,
    /// There is no roomId.
    #[error("the roomId is empty")]
    EmptyRoomId,
    /// A name or the password is too long.
    #[error("the {0} has more than {max} bytes", max = limits::NAME_BYTES_MAX)]
    TooLong(
        /// Which.
        &'static str,
    ),
    /// There is nowhere to meet.
    #[error("a room needs at least one relay")]
    NoRelays,
    /// There are too many relays.
    #[error("a room has at most {} relays", limits::RELAYS_PER_ROOM_MAX)]
    TooManyRelays,
    /// There are too many rooms.
    #[error("this node can be in {0} rooms at once")]
    TooManyRooms(
        /// The limit.
        usize,
    ),
    /// The room was joined already, and not in the same way.
    #[error("this room was joined already, with another {0}; leave it first")]
    Differs(
        /// In what.
        &'static str,
    ),
    /// The node was shut down.
    #[error("this node was shut down")]
    ShutDown,
}

impl RoomConfig {
    /// A room without relays yet, and with Trystero's defaults.
    pub fn new(app_id: impl Into<String>, room_id: impl Into<String>) -> Self {
        RoomConfig {
            app_id: app_id.into(),
            room_id: room_id.into(),
            password: Password::default(),
            relays: Vec::new(),
            trickle: None,
            ice: IceConfig::default(),
            media: MediaConfig::default(),
            passive: false,
            handshake: false,
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }

    pub(super) fn check(&self) -> Result<(), JoinError> {
        if self.app_id.is_empty() {
            return Err(JoinError::EmptyAppId);
        }
        if self.room_id.is_empty() {
            return Err(JoinError::EmptyRoomId);
        }
        let names = [
            ("appId", &*self.app_id),
            ("roomId", &*self.room_id),
            ("password", self.password.as_str()),
        ];
        for (name, text) in names {
            if text.len() > limits::NAME_BYTES_MAX {
                return Err(JoinError::TooLong(name));
            }
        }
        match self.relays.len() {
            0 => Err(JoinError::NoRelays),
            count if count > limits::RELAYS_PER_ROOM_MAX => Err(JoinError::TooManyRelays),
            _ => Ok(()),
        }
    }

    /// In what another configuration of the same room differs.
    pub(super) fn differs_in(&self, other: &RoomConfig) -> Option<&'static str> {
        [
            (self.password != other.password, "password"),
            (self.relays != other.relays, "list of relays"),
            (self.trickle != other.trickle, "choice of trickle ICE"),
            (self.ice != other.ice, "list of ICE servers"),
            (self.media != other.media, "choice of media"),
            (self.passive != other.passive, "choice of being passive"),
            (self.handshake != other.handshake, "choice of a handshake"),
            (self.handshake_timeout != other.handshake_timeout, "handshake timeout"),
        ]
        .into_iter()
        .find_map(|(differs, what)| differs.then_some(what))
    }

    /// Whether candidates may follow a description. They can't where a relay has no way to send
    /// them.
    pub(super) fn trickles(&self) -> bool {
        let strategies = || self.relays.iter().map(|relay| &relay.strategy);
        let by_default = || strategies().all(|strategy| strategy.trickles());
        !strategies().any(|strategy| strategy.trades_offers())
            && self.trickle.unwrap_or_else(by_default)
    }
}
