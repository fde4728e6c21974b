//! Peers that say what no honest peer says: others stay well, and meet without them.

use std::time::Duration;

use bytes::Bytes;
use tristero_proto::wire::{ActionName, Payload};
use tristero_proto::{ActionKind, ActionOptions, Event, PeerId, RoomConfig, SendOptions};
use tristero_sim::{Malice, NostrService, PeerOptions, SimNode, Verdicts, Who, World, WsService};

/// What each layer is tried with: half of it spoiled on one, and nothing on the others.
fn one_layer_each() -> [Malice; 4] {
    let each = |change: fn(&mut Malice)| {
        let mut malice = Malice::default();
        change(&mut malice);
        malice
    };
    [
        each(|malice| malice.frames = 50),
        each(|malice| malice.signals = 50),
        each(|malice| malice.messages = 50),
        each(|malice| malice.datagrams = 50),
    ]
}

#[test]
fn two_honest_peers_talk_beside_a_hostile_one() {
    for (seed, malice) in (1..).zip(one_layer_each()) {
        let mut world = World::new(seed);
        let (_, ws) = world.add_relay(WsService::new());
        let (_, nostr) = world.add_relay(NostrService::new(Verdicts::First));
        let config = RoomConfig { relays: vec![ws, nostr], ..RoomConfig::new("app", "room") };
        let hostile = world.add_peer(PeerOptions::default().with_malice(malice));
        let bad = world.join(hostile, config.clone()).expect("the room is valid");
        let [a, b] = [(); 2].map(|()| world.add_peer(PeerOptions::default()));
        let rooms = [a, b].map(|who| world.join(who, config.clone()).expect("the room is valid"));
        let id_of_b = world.id(b);
        let have_met = |world: &World| world.members(a, rooms[0]).contains(&id_of_b);
        assert!(world.run_until(Duration::from_secs(60), have_met), "{malice:?}");
        let name = ActionName::new("a").expect("it is a name");
        let options = ActionOptions { kind: ActionKind::Message, progress: false };
        let registered = world.with(b, |node, now| node.register(rooms[1], &name, options, now));
        registered.expect("nobody sleeps").expect("we are in the room");
        for number in 0..50_u8 {
            let payload = Payload::Binary(Bytes::from(vec![number; 20_000]));
            for (who, room) in [(hostile, bad), (a, rooms[0])] {
                let options = SendOptions::default();
                let send = |node: &mut SimNode, now| {
                    node.send(room, &name, payload.clone(), &options, now)
                };
                _ = world.with(who, send).expect("nobody sleeps").expect("we are in the room");
            }
            world.run_for(Duration::from_millis(200));
        }
        world.run_for(Duration::from_secs(10));
        assert_eq!(heard_by(&world, b, &world.id(a)), (0..50).collect::<Vec<_>>(), "{malice:?}");
    }
}

/// The first bytes of the messages that a peer got from another.
fn heard_by(world: &World, who: Who, from: &PeerId) -> Vec<u8> {
    let of_peer = world.events(who).filter_map(|event| match event {
        Event::Message { peer, message, .. } if peer == from => match &message.payload {
            Payload::Binary(bytes) => bytes.first().copied(),
            _ => None,
        },
        _ => None,
    });
    of_peer.collect()
}
