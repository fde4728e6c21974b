//! A room: who is in it, and what happens there.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;
use tristero_proto::engine::ConnectionInfo;
use tristero_proto::ice::{IceCredentials, IceUrl};
use tristero_proto::signaling::RelayStatus;
use tristero_proto::wire::ActionName;
use tristero_proto::{ActionKind, PeerId, RegisterError, RestartError, RoomKey, Time};

use crate::action::{Action, ActionError, ReceivingStream};
use crate::events::{RoomEvent, RoomEvents};
use crate::format::Format;
use crate::handle::NodeHandle;
use crate::handshake::{self, Handshake, Handshakes};
use crate::inbox::{Bounds, Inbox};
use crate::request::RequestAction;
use crate::shared::State;
use crate::transfer::TransferAction;

/// A server that does not take what it was given is not given anything else for this long.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// A room that this node is in.
///
/// Clones are handles of the same room. It is left by [`leave`](Room::leave), or when the last
/// handle and all that was made from it is gone: actions, and what is being sent, asked, served or
/// received.
#[derive(Clone)]
pub struct Room {
    inner: Arc<Inner>,
}

struct Inner {
    node: NodeHandle,
    key: RoomKey,
}

/// Why a peer did not answer a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PingError {
    /// The peer is not in the room.
    #[error("the peer is not in the room")]
    NotInRoom,
    /// It left before it answered.
    #[error("the peer left before it answered")]
    PeerLeft,
    /// Too many pings wait for its answer already.
    #[error("{0} pings wait for its answer already")]
    TooMany(
        /// How many.
        usize,
    ),
    /// The room was left.
    #[error("the room was left")]
    RoomLeft,
}

impl Room {
    pub(crate) fn new(node: NodeHandle, key: RoomKey) -> Self {
        Room { inner: Arc::new(Inner { node, key }) }
    }

    /// What happens in the room from now on. It begins with the relays as they are, and with a
    /// [`PeerJoined`](RoomEvent::PeerJoined) for each peer that is in the room already, so that
    /// nobody is missed. The first one begins with the failures to join that came before it, too.
    ///
    /// Messages come by other streams, one for each action. Between two streams there is no order:
    /// who selects over both may read that a peer left before its last message.
    pub fn events(&self) -> RoomEvents {
        let bounds = self.bounds();
        RoomEvents::new(self.call(|state, key, _| {
            let Some((node, desk)) = state.room(key) else { return Inbox::ended() };
            let relays = node.relays(key).into_iter().map(RoomEvent::Relay);
            let joined = node.peers(key).map(|peer| RoomEvent::PeerJoined { peer: peer.clone() });
            desk.read_events(bounds, relays.chain(joined).collect())
        }))
    }

    /// Sends and receives values of one type under this name, of 1 to 32 bytes. Messages that came
    /// before are received first. Of several actions with one name, each receives all that comes
    /// from then.
    ///
    /// The type is named on the left, `let chat: Action<String> = room.action("chat")?`, or as
    /// `action::<String, Json>`.
    ///
    /// # Errors
    ///
    /// Fails if the name is not valid, if the room was left, or has too many actions.
    pub fn action<T, F: Format<T>>(&self, name: &str) -> Result<Action<T, F>, ActionError> {
        let name = ActionName::new(name)?;
        let bounds = self.bounds();
        let inbox = self.call(|state, key, now| {
            let (node, desk) = state.room(key).ok_or(RegisterError::RoomGone)?;
            let options = desk.options(&name, ActionKind::Message);
            node.register(key, &name, options, now)?;
            Ok::<_, RegisterError>(desk.messages.entry(name.clone()).or_default().add(bounds))
        })?;
        Ok(Action::new(self.clone(), name, inbox))
    }

    /// Asks, and answers, questions of one type under this name, of 1 to 32 bytes.
    ///
    /// # Errors
    ///
    /// Fails if the name is not valid, or is that of another kind of action here, if the room was
    /// left, or has too many actions.
    pub fn request_action<Q, A, F>(&self, name: &str) -> Result<RequestAction<Q, A, F>, ActionError>
    where
        F: Format<Q> + Format<A>,
    {
        RequestAction::new(self.clone(), ActionName::new(name)?)
    }

    /// Sends and receives bytes of any length, such as files, under this name, of 1 to 32 bytes.
    ///
    /// # Errors
    ///
    /// Fails if the name is not valid, or is that of another kind of action here, if the room was
    /// left, or has too many actions.
    pub fn transfer_action(&self, name: &str) -> Result<TransferAction, ActionError> {
        TransferAction::new(self.clone(), ActionName::new(name)?)
    }

    /// The peers that wait to be let in, if the room was joined with [`Config::handshake`]. In
    /// other rooms everyone is let in without being asked: there this ends at once, with a warning
    /// in the log. The first of several streams gets all, as long as it is there.
    ///
    /// [`Config::handshake`]: crate::Config::handshake
    pub fn handshakes(&self) -> Handshakes {
        let bounds = self.bounds();
        let inbox = self.call(|state, key, _| {
            let (node, desk) = state.room(key)?;
            if !node.has_handshake(key) {
                warn!(
                    "nobody is asked to shake hands: the room was joined without Config::handshake"
                );
                return None;
            }
            Some(desk.handshakes.read(bounds))
        });
        Handshakes::new(self.clone(), inbox.unwrap_or_else(Inbox::ended))
    }

    /// Decides by a function who is let in, from now on and until the room is left: `Ok` accepts,
    /// and an error refuses, with its text as the reason. Spawn the future that this gives, or
    /// poll it beside others.
    ///
    /// Many are decided on at once. Dropping the future refuses those that are not decided yet. A
    /// peer that is refused tries again, and each attempt is decided anew.
    ///
    /// This asks only in rooms that were joined with [`Config::handshake`]; see
    /// [`handshakes`](Self::handshakes). What the function needs of its surroundings it takes along
    /// for each call: `move |handshake: Handshake| { let words = words.clone(); async move { … } }`.
    ///
    /// [`Config::handshake`]: crate::Config::handshake
    ///
    /// ```
    /// # async fn example(room: tristero::Room) {
    /// room.serve_handshakes(async |handshake| {
    ///     handshake.send("the word?").map_err(|error| error.to_string())?;
    ///     match handshake.recv().await {
    ///         Some(said) if said.payload == "swordfish".into() => Ok(()),
    ///         _ => Err("it does not know the word".to_owned()),
    ///     }
    /// }).await;
    /// # }
    /// ```
    pub fn serve_handshakes<H, R, E>(&self, decide: H) -> impl Future<Output = ()> + use<H, R, E>
    where
        H: FnMut(Handshake) -> R,
        R: Future<Output = Result<(), E>>,
        E: Display,
    {
        handshake::serve(self.handshakes(), decide)
    }

    /// Gives a TURN server of this room other credentials, from now on; see
    /// [`serve_ice_credentials`](Self::serve_ice_credentials) for a server that asks for them.
    ///
    /// What it has given stays. If it refused, it is asked again at once. False if the room has no
    /// such server, or was left.
    pub fn set_ice_credentials(&self, url: &IceUrl, credentials: &IceCredentials) -> bool {
        self.call(|state, key, now| state.node.set_ice_credentials(key, url, credentials, now))
    }

    /// Renews credentials by a function, from now on and until the room is left: it is called for
    /// each TURN server that does not take those it has (STUN errors 401, 403 and 441), and what it
    /// gives is used in their place, every ten seconds at most. `None` leaves it at that. Spawn the
    /// future that this gives, or poll it beside others.
    ///
    /// Services that hand out credentials for a few hours need it: a process that runs for longer
    /// would find no relay any more.
    ///
    /// ```
    /// # async fn example(room: tristero::Room) {
    /// # async fn ask_my_service() -> Option<String> { None }
    /// use tristero::IceCredentials;
    ///
    /// room.serve_ice_credentials(async |_url| {
    ///     let credential = ask_my_service().await?;
    ///     Some(IceCredentials { username: "me".to_owned(), credential })
    /// }).await;
    /// # }
    /// ```
    pub fn serve_ice_credentials<R, F>(&self, renew: F) -> impl Future<Output = ()> + use<R, F>
    where
        F: FnMut(IceUrl) -> R,
        R: Future<Output = Option<IceCredentials>>,
    {
        renew_ice_credentials(self.clone(), self.events(), renew)
    }

    /// How long a member takes to answer. Dropping the future only stops waiting.
    ///
    /// # Errors
    ///
    /// Fails if the peer is not in the room, or leaves before it answers, if too many pings wait
    /// for its answer, or if the room is left.
    pub async fn ping(&self, peer: &PeerId) -> Result<Duration, PingError> {
        let pong = self.call(|state, key, now| {
            let (node, desk) = state.room(key).ok_or(PingError::RoomLeft)?;
            let ping = node.ping(key, peer, now)?;
            Ok::<_, PingError>(desk.pings.add(ping, Bounds::OWN))
        })?;
        pong.next().await.ok_or(PingError::RoomLeft)?.ok_or(PingError::PeerLeft)
    }

    /// Restarts ICE of the connection to a member, as `RTCPeerConnection.restartIce()` does: paths
    /// are looked for anew between all addresses that the two have by now, and the best one is used.
    /// The path in use goes on until then, and nothing is lost.
    ///
    /// There is no need to call it when an address of ours is gone: connections see to that
    /// themselves. It helps where a better path may have come up. That it is done is seen by
    /// [`ConnectionInfo::restarts`]; a peer that does not answer leaves all as it is.
    ///
    /// # Errors
    ///
    /// Fails if the peer is not in the room, or if the room was left, or where the peer's WebRTC is
    /// known not to understand it, as werift and node-datachannel in Node.js.
    pub fn restart_ice(&self, peer: &PeerId) -> Result<(), RestartError> {
        self.call(|state, key, now| state.node.restart_ice(key, peer, now))
    }

    /// The peers that are in the room now, without us, and what is known of the connections to
    /// them.
    pub fn peers(&self) -> BTreeMap<PeerId, ConnectionInfo> {
        self.call(|state, key, _| {
            let info = |peer: &PeerId| state.node.connection_info(key, peer).unwrap_or_default();
            state.node.peers(key).map(|peer| (peer.clone(), info(peer))).collect()
        })
    }

    /// How the room's relays are doing now.
    pub fn relays(&self) -> Vec<RelayStatus> {
        self.call(|state, key, _| state.node.relays(key))
    }

    /// What is known of the connection to a peer of the room.
    pub fn connection_info(&self, peer: &PeerId) -> Option<ConnectionInfo> {
        self.call(|state, key, _| state.node.connection_info(key, peer))
    }

    /// Whether the room was joined with [`Config::passive`](crate::Config::passive).
    pub fn is_passive(&self) -> bool {
        self.call(|state, key, _| state.node.is_passive(key))
    }

    /// Our own id, by which the others know us.
    pub fn self_id(&self) -> &PeerId {
        self.inner.node.self_id()
    }

    /// The node that this is a room of.
    pub fn node(&self) -> &NodeHandle {
        &self.inner.node
    }

    /// Leaves the room for all its handles. The others see it at once; this resolves when the
    /// goodbyes were handed to the network. Dropping the future before it was polled leaves the
    /// room only if this was the last handle; after that it only stops waiting.
    pub async fn leave(self) {
        let shared = self.inner.node.shared();
        shared.leave(self.inner.key);
        shared.flushed().await;
    }

    /// Calls the node about this room.
    pub(crate) fn call<T>(&self, call: impl FnOnce(&mut State, RoomKey, Time) -> T) -> T {
        self.inner.node.shared().call(|state, now| call(state, self.inner.key, now))
    }

    /// How what is sent on an action of this kind arrives.
    pub(crate) fn receiving(
        &self,
        action: &ActionName,
        kind: ActionKind,
    ) -> Result<ReceivingStream, ActionError> {
        let bounds = self.bounds();
        let inbox = self.call(|state, key, now| {
            let (node, desk) = state.room(key).ok_or(RegisterError::RoomGone)?;
            let inbox = desk.receiving.entry(action.clone()).or_default().add(bounds);
            let options = match kind {
                ActionKind::Request { .. } => desk.request_options(action),
                ActionKind::Message | ActionKind::Transfer => desk.options(action, kind),
            };
            node.register(key, action, options, now).map(|()| inbox)
        })?;
        Ok(ReceivingStream::new(inbox))
    }

    /// What may wait for a reader of messages or events.
    pub(crate) fn bounds(&self) -> Bounds {
        self.inner.node.shared().unread().messages()
    }
}

/// See [`Room::serve_ice_credentials`].
async fn renew_ice_credentials<R, F>(room: Room, mut events: RoomEvents, mut renew: F)
where
    F: FnMut(IceUrl) -> R,
    R: Future<Output = Option<IceCredentials>>,
{
    let mut renewed: BTreeMap<IceUrl, Time> = BTreeMap::new();
    while let Some(event) = events.recv().await {
        let RoomEvent::IceServerFailed { url, failure } = event else { continue };
        let now = room.node().now();
        let is_soon = |renewed: &Time| now.since(*renewed) < RENEWAL_PAUSE;
        if !failure.is_about_credentials() || renewed.get(&url).is_some_and(is_soon) {
            continue;
        }
        renewed.insert(url.clone(), now);
        if let Some(credentials) = renew(url.clone()).await {
            room.set_ice_credentials(&url, &credentials);
        }
    }
}

impl From<tristero_proto::PingError> for PingError {
    fn from(error: tristero_proto::PingError) -> Self {
        match error {
            tristero_proto::PingError::NotInRoom => PingError::NotInRoom,
            tristero_proto::PingError::TooMany(max) => PingError::TooMany(max),
            _ => PingError::RoomLeft,
        }
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("self_id", self.self_id())
            .field("key", &self.inner.key)
            .finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.node.shared().release(self.key);
    }
}
