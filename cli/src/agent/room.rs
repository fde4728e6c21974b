//! A room of an agent: its members, its actions, and what is told of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::Value;
use tokio_util::task::TaskTracker;
use tristero_tokio::{
    Codec, Config, JoinFailure, MediaConfig, NodeHandle, Obstacle, PeerId, Room, RoomEvent,
    RoomEvents, ServerFailure,
};

use super::account::Account;
use super::command::{JoinOrder, Kind, RegisterOrder};
use super::events::{Events, Fields, unix_ms};
use super::facts::describe_pair;
use super::handshake::Greeting;
use super::media::{self, AgentMedia};
use super::messages::Messages;
use super::relays::{RoomRelays, describe_relay};
use super::reply::{Outcome, Refusal};
use super::requests::Answering;

/// See the [module](self).
pub(crate) struct AgentRoom {
    room: Room,
    teller: Teller,
    relays: RoomRelays,
    messages: BTreeMap<String, Messages>,
    requests: BTreeMap<String, Answering>,
    media: AgentMedia,
    /// What tells of the room's events and messages, and answers. All of it ends when the room is
    /// left.
    tasks: TaskTracker,
}

/// Tells of things that happen in one room.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    events: Events,
    room: String,
}

impl Teller {
    pub(crate) async fn tell(&self, event: &str, fields: Fields) {
        self.events.tell(event, self.head().with_all(fields)).await;
    }

    /// Tells of something that may be left out when too much waits to be told.
    pub(crate) fn try_tell(&self, event: &str, fields: Fields) {
        self.events.try_tell(event, self.head().with_all(fields));
    }

    /// What tells of progress, under this name of an event.
    pub(crate) fn on_progress(
        &self,
        event: &'static str,
        action: &str,
        metadata: Option<Value>,
    ) -> impl FnMut(&PeerId, f64) + Send + 'static {
        let (teller, action) = (self.clone(), action.to_owned());
        move |peer, fraction| {
            let fields = Fields::new()
                .with("action", action.as_str())
                .with("progress", fraction)
                .with("peer", peer.as_str())
                .with_option("metadata", metadata.clone());
            teller.try_tell(event, fields);
        }
    }

    fn head(&self) -> Fields {
        Fields::new().with("room", self.room.as_str())
    }
}

impl AgentRoom {
    /// Joins, and tells from now on what happens. The second value is when.
    pub(crate) async fn join(
        node: &NodeHandle,
        mut order: JoinOrder,
        events: &Events,
    ) -> Result<(Self, u64), Refusal> {
        let relays = RoomRelays::of(&order.meetings, &order.app_id)?;
        let greeting = match order.handshake.take() {
            Some(spec) => Some(Greeting::read(spec).await?),
            None => None,
        };
        let t0 = unix_ms();
        let config = config(&order, &relays, greeting.is_some())?;
        let room = node.join(&config, &order.room_id).map_err(Refusal::new)?;
        let teller = Teller { events: events.clone(), room: order.name().to_owned() };
        let joined = Fields::new()
            .with("t0", t0)
            .with("appId", order.app_id.as_str())
            .with("roomId", order.room_id.as_str())
            .with("passive", room.is_passive());
        teller.tell("joined", joined).await;

        let tasks = TaskTracker::new();
        let names = (order.app_id, order.room_id);
        let telling =
            tell_events(room.events(), node.clone(), relays.clone(), teller.clone(), names);
        tasks.spawn(telling);
        if let Some(greeting) = greeting {
            tasks.spawn(greeting.serve(&room, teller.clone()));
        }
        tasks.spawn(media::watch(room.clone(), teller.clone(), tasks.clone()));
        let media = AgentMedia::new(room.clone(), teller.clone(), tasks.clone());
        let (messages, requests) = (BTreeMap::new(), BTreeMap::new());
        Ok((AgentRoom { room, teller, relays, messages, requests, media, tasks }, t0))
    }

    /// Leaves. When this resolves everything that happened before was told, and nothing follows.
    pub(crate) async fn leave(self) {
        let AgentRoom { room, teller, tasks, requests, media, .. } = self;
        room.leave().await;
        // What answers requests waits for changes of how, and what plays for the end of a file.
        drop((requests, media));
        tasks.close();
        tasks.wait().await;
        teller.tell("left", Fields::new()).await;
    }

    /// Tells of what comes under a name, from now on in this way.
    pub(crate) fn register(&mut self, order: RegisterOrder) -> Result<Fields, Refusal> {
        let RegisterOrder { action, kind, manner, .. } = order;
        let (room, tasks) = (self.room.clone(), self.tasks.clone());
        match kind {
            Kind::Message => self.messages(&action)?.register(&action, manner, &room, &tasks)?,
            Kind::Request(respond) => self.requests(&action)?.register(manner, respond, &tasks)?,
        }
        Ok(Fields::new())
    }

    /// How much came under a name since it was registered last, or since the last `countDone`.
    pub(crate) fn count(&self, action: &str) -> Fields {
        let messages = self.messages.get(action).map(Messages::account);
        let account = messages.or_else(|| self.requests.get(action).map(Answering::account));
        Fields::new().with("received", account.map_or(0, Account::received))
    }

    /// The messages of a name, which is opened for them if it is not yet.
    pub(crate) fn messages(&mut self, action: &str) -> Result<&mut Messages, Refusal> {
        match self.messages.entry(action.to_owned()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let teller = self.teller.clone();
                Ok(unknown.insert(Messages::open(&self.room, action, teller)?))
            }
        }
    }

    /// The requests of a name, which is opened for them if it is not yet.
    pub(crate) fn requests(&mut self, action: &str) -> Result<&mut Answering, Refusal> {
        match self.requests.entry(action.to_owned()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let teller = self.teller.clone();
                Ok(unknown.insert(Answering::open(&self.room, action, teller)?))
            }
        }
    }

    /// The audio and video of the room.
    pub(crate) fn media(&mut self) -> &mut AgentMedia {
        &mut self.media
    }

    pub(crate) fn teller(&self) -> &Teller {
        &self.teller
    }

    pub(crate) fn handle(&self) -> Room {
        self.room.clone()
    }

    pub(crate) fn peers(&self) -> Fields {
        let peers = self.room.peers();
        let peers = peers.keys().map(|peer| peer.as_str().into()).collect::<Vec<Value>>();
        Fields::new().with("peers", peers)
    }

    /// The addresses by which the peers are connected.
    pub(crate) fn pairs(&self) -> Fields {
        let pairs = self.room.peers().iter().fold(Fields::new(), |pairs, (peer, info)| {
            pairs.with(peer.as_str(), describe_pair(info))
        });
        Fields::new().with("pairs", pairs)
    }

    /// Has the connection to a peer look for another path.
    pub(crate) fn restart_ice(&self, target: &PeerId) -> Outcome {
        self.room.restart_ice(target).map_err(Refusal::new)?;
        Ok(Fields::new())
    }

    /// The room's relays, by what they are called.
    pub(crate) fn relays(&self) -> Fields {
        let now = self.room.node().now();
        self.room.relays().iter().fold(Fields::new(), |relays, relay| {
            relays.with(&self.relays.name(relay), describe_relay(relay, now))
        })
    }

    /// What the room's relays are called, and the names of their strategies.
    pub(crate) fn relay_names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.relays.names()
    }
}

fn config(order: &JoinOrder, relays: &RoomRelays, has_handshake: bool) -> Result<Config, Refusal> {
    let config =
        Config::new(&order.app_id).password(order.password.as_str()).passive(order.passive);
    let mut config = config.relays(relays.configs().iter().cloned()).ice(order.ice()?);
    if let Some(trickle) = order.trickle_ice {
        config = config.trickle_ice(trickle);
    }
    if let Some(codecs) = &order.codecs {
        let codecs = codecs.iter().map(|name| codec(name)).collect::<Result<_, _>>()?;
        config = config.media(MediaConfig { codecs, ..MediaConfig::default() });
    }
    if let Some(timeout) = order.handshake_timeout() {
        config = config.handshake_timeout(timeout);
    }
    Ok(if has_handshake { config.handshake() } else { config })
}

fn codec(name: &str) -> Result<Codec, Refusal> {
    let known = || Codec::ALL.map(Codec::name).join(", ");
    Codec::from_name(name)
        .ok_or_else(|| Refusal::new(format!("codecs: {name} is none of {}", known())))
}

/// Tells of peers and relays until the room is left.
async fn tell_events(
    mut events: RoomEvents,
    clock: NodeHandle,
    relays: RoomRelays,
    teller: Teller,
    names: (String, String),
) {
    let (app_id, room_id) = names;
    while let Some(event) = events.recv().await {
        match event {
            RoomEvent::PeerJoined { peer } => {
                teller.tell("peerJoin", Fields::new().with("peer", peer.as_str())).await;
            }
            RoomEvent::PeerLeft { peer, reason } => {
                let fields = Fields::new().with("peer", peer.as_str());
                teller.tell("peerLeave", fields.with("reason", reason.to_string())).await;
            }
            RoomEvent::JoinFailed { peer, failure } => {
                let reason = match &failure {
                    JoinFailure::NotConnected { obstacle, .. } => obstacle.map(Obstacle::code),
                    _ => None,
                };
                let fields = Fields::new()
                    .with("error", failure.to_string())
                    .with("code", failure.code())
                    .with_option("reason", reason)
                    .with("appId", app_id.as_str())
                    .with("roomId", room_id.as_str())
                    .with("peerId", peer.as_str());
                teller.tell("joinError", fields).await;
            }
            RoomEvent::TrackReplaced { peer, track, metadata } => {
                let fields = Fields::new()
                    .with("peer", peer.as_str())
                    .with("trackId", track.number().to_string())
                    .with_option("metadata", metadata);
                teller.tell("trackReplaced", fields).await;
            }
            RoomEvent::Relay(relay) => {
                let fields = Fields::new().with("relay", relays.name(&relay));
                teller.tell("relay", fields.with_all(describe_relay(&relay, clock.now()))).await;
            }
            RoomEvent::RelayNotice { url, text } => {
                let fields = Fields::new().with("relay", relays.name_of_url(&url));
                teller.tell("relayNotice", fields.with("text", text)).await;
            }
            RoomEvent::IceServerFailed { url, failure } => {
                let mut fields =
                    Fields::new().with("url", url.to_string()).with("error", failure.to_string());
                if let ServerFailure::Refused { code, .. } = failure {
                    fields = fields.with("code", code);
                }
                teller.tell("iceServer", fields).await;
            }
            _ => {}
        }
    }
}
