//! How to join a room.

use std::sync::Arc;
use std::time::Duration;

use tristero_proto::crypto::Password;
use tristero_proto::ice::IceConfig;
use tristero_proto::media::MediaConfig;
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
    meeting: Vec<Meeting>,
    redundancy: Option<usize>,
    trickle: Option<bool>,
    ice: IceConfig,
    media: MediaConfig,
    passive: bool,
    handshake: bool,
    handshake_timeout: Duration,
}

/// A way to meet.
#[derive(Clone, Debug)]
enum Meeting {
    /// Over relays that the strategy chooses.
    Chosen(Arc<dyn Strategy>),
    /// Over relays that are named, in texts that were not read yet.
    Named(Arc<dyn Strategy>, Vec<String>),
    /// Over relays that stand already.
    Relays(Vec<RelayConfig>),
}

/// Why a room can't be joined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// A relay's URL is not one.
    #[error(transparent)]
    RelayUrl(#[from] InvalidRelayUrl),
    /// The configuration names a strategy without relays, and there are none that all would choose.
    #[error("the strategy {0} has no relays of its own: name some")]
    NoDefaultRelays(
        /// The strategy.
        String,
    ),
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
            meeting: Vec::new(),
            redundancy: None,
            trickle: None,
            ice: IceConfig::default(),
            media: MediaConfig::default(),
            passive: false,
            handshake: false,
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }

    /// Meets over a WebSocket relay, such as `tristero relay` runs, too. Its URL is checked on
    /// joining.
    pub fn relay(self, url: impl Into<String>) -> Self {
        self.strategy_at(WsRelay, [url])
    }

    /// Meets by this strategy too, over the relays that Trystero chooses for the application. There
    /// may be several strategies: everyone who is in the room by one of them is met, once.
    pub fn strategy(mut self, strategy: impl Strategy + 'static) -> Self {
        self.meeting.push(Meeting::Chosen(Arc::new(strategy)));
        self
    }

    /// Meets by this strategy too, over these relays. Others are met there alone who use one of
    /// them. Their URLs are checked on joining.
    pub fn strategy_at<U: Into<String>>(
        mut self,
        strategy: impl Strategy + 'static,
        urls: impl IntoIterator<Item = U>,
    ) -> Self {
        let urls = urls.into_iter().map(Into::into).collect();
        self.meeting.push(Meeting::Named(Arc::new(strategy), urls));
        self
    }

    /// Meets over these relays too, each with a strategy of its own: for programs that find out
    /// while they run which strategies there are to be.
    pub fn relays(mut self, relays: impl IntoIterator<Item = RelayConfig>) -> Self {
        self.meeting.push(Meeting::Relays(relays.into_iter().collect()));
        self
    }

    /// How many relays are used of each strategy that chooses them itself, in place of Trystero's
    /// number. More are more reliable and more work.
    pub fn redundancy(mut self, relays: usize) -> Self {
        self.redundancy = Some(relays);
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

    /// The STUN and TURN servers that help to connect, in place of Trystero's STUN servers:
    /// `rtcConfig` there.
    ///
    /// ```
    /// use tristero::{Config, IceConfig, IceServer};
    ///
    /// # fn example() -> Result<(), tristero::InvalidIceUrl> {
    /// let turn = IceServer::new("turn:turn.example.org".parse()?).with_credentials("me", "secret");
    /// let config = Config::new("chess").ice(IceConfig::default().with_servers([turn]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn ice(mut self, ice: IceConfig) -> Self {
        self.ice = ice;
        self
    }

    /// How audio and video are carried: the codecs, the best first, and whether frames or packets are
    /// received, or nothing. It is that of the connections that this room makes; those that another
    /// room of the node has made stay as they are.
    ///
    /// ```
    /// use tristero::{Codec, Config, MediaConfig};
    ///
    /// let codecs = vec![Codec::Opus, Codec::Vp8];
    /// let config = Config::new("chess").media(MediaConfig { codecs, ..MediaConfig::default() });
    /// ```
    pub fn media(mut self, media: MediaConfig) -> Self {
        self.media = media;
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
        config.ice = self.ice.clone();
        config.media = self.media.clone();
        config.passive = self.passive;
        config.handshake = self.handshake;
        config.handshake_timeout = self.handshake_timeout;
        for meeting in &self.meeting {
            let (strategy, urls) = match meeting {
                Meeting::Chosen(strategy) => (strategy, self.chosen(&**strategy)?),
                Meeting::Named(strategy, urls) => {
                    let urls = urls.iter().map(|url| strategy.relay_url(url));
                    (strategy, urls.collect::<Result<_, _>>()?)
                }
                Meeting::Relays(relays) => {
                    config.relays.extend_from_slice(relays);
                    continue;
                }
            };
            let relay = |url| RelayConfig { strategy: strategy.clone(), url };
            config.relays.extend(urls.into_iter().map(relay));
        }
        Ok(config)
    }

    fn chosen(&self, strategy: &dyn Strategy) -> Result<Vec<RelayUrl>, JoinError> {
        let mut relays = strategy.default_relays(&self.app_id);
        if relays.is_empty() {
            return Err(JoinError::NoDefaultRelays(strategy.name().to_owned()));
        }
        relays.truncate(self.redundancy.unwrap_or_else(|| strategy.redundancy()).max(1));
        Ok(relays)
    }
}
