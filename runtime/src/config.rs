//! How to join a room.

use std::sync::Arc;
use std::time::Duration;

use tristero_proto::crypto::Password;
use tristero_proto::signaling::{InvalidRelayUrl, RelayUrl, Strategy};
use tristero_proto::strategies::WsRelay;
use tristero_proto::{HANDSHAKE_TIMEOUT, RelayConfig, RoomConfig};

/// What rooms of one application have in common: its name, where to meet, and perhaps a password.
///
/// ```
/// use tristero::Config;
///
/// let config = Config::new("chess").relay("wss://relay.example").password("secret");
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    app_id: String,
    password: Password,
    relays: Vec<(Arc<dyn Strategy>, String)>,
    trickle: Option<bool>,
    passive: bool,
    handshake: bool,
    handshake_timeout: Duration,
}

/// Why a room can't be joined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// A relay's URL is not one.
    #[error(transparent)]
    RelayUrl(#[from] InvalidRelayUrl),
    /// The room's configuration is not valid, or the room can't be joined now.
    #[error(transparent)]
    Room(#[from] tristero_proto::JoinError),
}

impl Config {
    /// A configuration without a relay yet. Peers meet only where this name is the same.
    pub fn new(app_id: impl Into<String>) -> Self {
        Config {
            app_id: app_id.into(),
            password: Password::default(),
            relays: Vec::new(),
            trickle: None,
            passive: false,
            handshake: false,
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }

    /// Adds a WebSocket relay, such as `tristero relay` runs. Its URL is checked on joining.
    pub fn relay(self, url: impl Into<String>) -> Self {
        self.relay_by(Arc::new(WsRelay), url)
    }

    /// Adds a relay of another kind.
    pub fn relay_by(mut self, strategy: Arc<dyn Strategy>, url: impl Into<String>) -> Self {
        self.relays.push((strategy, url.into()));
        self
    }

    /// Encrypts signals with this password, and admits only those who know it. An empty one is
    /// none. Of two with different passwords perhaps only one is told, by
    /// [`JoinFailed`](crate::RoomEvent::JoinFailed).
    pub fn password(mut self, password: impl Into<Password>) -> Self {
        self.password = password.into();
        self
    }

    /// Whether ICE candidates may follow a session description. The strategy decides by default.
    pub fn trickle_ice(mut self, trickle: bool) -> Self {
        self.trickle = Some(trickle);
        self
    }

    /// Stays silent until an active peer is heard; two passive peers never meet. It is for those
    /// that are always there, such as an archive, and need not tell relays so. False by default.
    pub fn passive(mut self, passive: bool) -> Self {
        self.passive = passive;
        self
    }

    /// Lets the application decide who enters, by [`Room::handshakes`](crate::Room::handshakes) or
    /// [`Room::serve_handshakes`](crate::Room::serve_handshakes). Nobody enters without its word.
    pub fn handshake(mut self) -> Self {
        self.handshake = true;
        self
    }

    /// How long a connected peer may take to get ready, the application's handshake included; 10 s
    /// by default.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    pub(crate) fn room(&self, room_id: &str) -> Result<RoomConfig, JoinError> {
        let mut config = RoomConfig::new(&self.app_id, room_id);
        config.password.clone_from(&self.password);
        config.trickle = self.trickle;
        config.passive = self.passive;
        config.handshake = self.handshake;
        config.handshake_timeout = self.handshake_timeout;
        for (strategy, url) in &self.relays {
            let url = RelayUrl::web_socket(url)?;
            config.relays.push(RelayConfig { strategy: strategy.clone(), url });
        }
        Ok(config)
    }
}
