//! A room of an agent: its members, its actions, and what is told of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tristero_tokio::proto::signaling::RelayUrl;
use tristero_tokio::{
    Config, ConnectionInfo, NodeHandle, Payload, Raw, RelayState, RelayStatus, Room, RoomEvent,
    RoomEvents, Sender,
};

use super::Refusal;
use super::action::ActionEntry;
use super::command::{JoinOrder, RegisterOrder};
use super::events::{Events, Fields, unix_ms};

/// See the [module](self).
pub(crate) struct AgentRoom {
    room: Room,
    teller: Teller,
    /// As they were written: the room knows them in their normal form.
    relay_urls: Vec<String>,
    actions: BTreeMap<String, ActionEntry>,
    /// What tells of the room's events and messages. All of it ends when the room is left.
    tellers: JoinSet<()>,
}

/// What sends under one name.
pub(crate) type RawSender = Sender<Payload, Raw>;

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

    fn head(&self) -> Fields {
        Fields::new().with("room", self.room.as_str())
    }
}

impl AgentRoom {
    /// Joins, and tells from now on what happens. The second value is when.
    pub(crate) async fn join(
        node: &NodeHandle,
        order: &JoinOrder,
        events: &Events,
    ) -> Result<(Self, u64), Refusal> {
        if order.relays().is_empty() {
            return Err(Refusal::new("the ws strategy has no public relays: relayUrls is needed"));
        }
        let t0 = unix_ms();
        let config = config(order);
        let room = node.join(&config, &order.room_id).map_err(Refusal::new)?;
        let teller = Teller { events: events.clone(), room: order.name().to_owned() };
        let joined = Fields::new()
            .with("t0", t0)
            .with("appId", order.app_id.as_str())
            .with("roomId", order.room_id.as_str())
            .with("passive", false);
        teller.tell("joined", joined).await;

        let mut tellers = JoinSet::new();
        let names = (order.app_id.clone(), order.room_id.clone());
        tellers.spawn(tell_events(room.events(), teller.clone(), names));
        let relay_urls = order.relays().to_vec();
        Ok((AgentRoom { room, teller, relay_urls, actions: BTreeMap::new(), tellers }, t0))
    }

    /// Leaves. When this resolves everything that happened before was told, and nothing follows.
    pub(crate) async fn leave(mut self) {
        self.room.leave().await;
        while self.tellers.join_next().await.is_some() {}
        self.teller.tell("left", Fields::new()).await;
    }

    /// Tells of what comes under a name, from now on in this way.
    pub(crate) fn register(&mut self, order: RegisterOrder) -> Result<Fields, Refusal> {
        let AgentRoom { room, actions, teller, tellers, .. } = self;
        entry(actions, room, &order.action)?.register(order, room, teller, tellers)?;
        Ok(Fields::new())
    }

    /// How much came under a name since it was registered last, or since the last `countDone`.
    pub(crate) fn count(&self, action: &str) -> Fields {
        let received = self.actions.get(action).map_or(0, ActionEntry::received);
        Fields::new().with("received", received)
    }

    /// What sends under a name.
    pub(crate) fn sender(&mut self, action: &str) -> Result<RawSender, Refusal> {
        Ok(entry(&mut self.actions, &self.room, action)?.sender())
    }

    pub(crate) fn teller(&self) -> &Teller {
        &self.teller
    }

    pub(crate) fn peers(&self) -> Fields {
        let peers = self.room.peers();
        let peers = peers.keys().map(|peer| peer.as_str().into()).collect::<Vec<Value>>();
        Fields::new().with("peers", peers)
    }

    /// The addresses by which the peers are connected.
    pub(crate) fn pairs(&self) -> Fields {
        let pairs = self
            .room
            .peers()
            .iter()
            .fold(Fields::new(), |pairs, (peer, info)| pairs.with(peer.as_str(), pair(info)));
        Fields::new().with("pairs", pairs)
    }

    /// The room's relays, by the URLs that they were given by.
    pub(crate) fn relays(&self) -> Fields {
        let statuses = self.room.relays();
        let status = |url: &String| {
            let normal = RelayUrl::web_socket(url).ok()?;
            statuses.iter().find(|status| status.url == normal)
        };
        self.relay_urls.iter().fold(Fields::new(), |relays, url| {
            relays.with_option(url, status(url).map(describe_relay))
        })
    }
}

/// The action of this name, which is opened if it is not yet.
fn entry<'a>(
    actions: &'a mut BTreeMap<String, ActionEntry>,
    room: &Room,
    name: &str,
) -> Result<&'a mut ActionEntry, Refusal> {
    match actions.entry(name.to_owned()) {
        Entry::Occupied(known) => Ok(known.into_mut()),
        Entry::Vacant(unknown) => {
            let action = room.action(name).map_err(Refusal::new)?;
            Ok(unknown.insert(ActionEntry::new(action)))
        }
    }
}

fn config(order: &JoinOrder) -> Config {
    let mut config = Config::new(&order.app_id).password(order.password.as_str());
    for url in order.relays() {
        config = config.relay(url);
    }
    if let Some(trickle) = order.trickle_ice {
        config = config.trickle_ice(trickle);
    }
    match order.handshake_timeout() {
        Some(timeout) => config.handshake_timeout(timeout),
        None => config,
    }
}

/// Tells of peers until the room is left.
async fn tell_events(mut events: RoomEvents, teller: Teller, names: (String, String)) {
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
                let fields = Fields::new()
                    .with("error", failure.to_string())
                    .with("appId", app_id.as_str())
                    .with("roomId", room_id.as_str())
                    .with("peerId", peer.as_str());
                teller.tell("joinError", fields).await;
            }
            // Relays are told of when asked.
            _ => {}
        }
    }
}

fn pair(info: &ConnectionInfo) -> Value {
    let (local_kind, remote_kind) = info.candidate_kinds;
    let candidate = |kind: &str, address: Option<SocketAddr>| {
        json!({
            "type": kind,
            "address": address.map(|address| address.ip().to_string()),
            "port": address.map(|address| address.port()),
            "protocol": "udp",
        })
    };
    json!({
        "local": candidate(local_kind, info.path.map(|path| path.local)),
        "remote": candidate(remote_kind, info.path.map(|path| path.remote)),
        "rtt": info.rtt.map(|rtt| rtt.as_secs_f64() * 1000.0),
        "dtls": null,
        "cipher": null,
    })
}

/// A relay in the words of a browser's WebSocket, and then some.
fn describe_relay(relay: &RelayStatus) -> Fields {
    let (state, failures) = match relay.state {
        RelayState::Connecting => ("connecting", None),
        RelayState::Open => ("open", None),
        RelayState::BackingOff { failures, .. } => ("closed", Some(failures)),
        _ => ("unknown", None),
    };
    Fields::new()
        .with("state", state)
        .with_option("failures", failures)
        .with_option("lastError", relay.last_error.as_deref())
        .with("messagesIn", relay.messages_in)
        .with("messagesOut", relay.messages_out)
        .with("malformed", relay.malformed)
}
