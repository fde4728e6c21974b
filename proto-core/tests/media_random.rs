//! Three nodes that do anything with audio and video while they come and go: what the events promise
//! holds all the same.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::media::{frame, with};
use common::{Who, World, room};
use tristero_proto::media::{Codec, MediaError, MediaOptions, TrackSpec};
use tristero_proto::{
    Event, PeerId, PeerStreamId, PeerTrackId, Rng, RoomKey, Seed, StreamKey, TrackId,
};

/// What one node was promised, and what it was told.
#[derive(Default)]
struct Witness {
    seen: usize,
    rooms: BTreeSet<RoomKey>,
    members: BTreeSet<(RoomKey, PeerId)>,
    streams: BTreeMap<(RoomKey, PeerStreamId), PeerId>,
    tracks: BTreeMap<(RoomKey, PeerTrackId), PeerStreamId>,
    /// What has to be answered, and how often.
    owed: BTreeMap<(RoomKey, u64, bool, PeerId), u32>,
}

impl Witness {
    fn owe(&mut self, room: RoomKey, subject: (u64, bool), peers: &[PeerId]) {
        for peer in peers {
            *self.owed.entry((room, subject.0, subject.1, peer.clone())).or_default() += 1;
        }
    }

    fn leave(&mut self, room: RoomKey) {
        self.rooms.remove(&room);
        self.members.retain(|(other, _)| *other != room);
        self.streams.retain(|(other, _), _| *other != room);
        self.tracks.retain(|(other, _), _| *other != room);
        self.owed.retain(|(other, ..), _| *other != room);
    }

    fn look(&mut self, events: &[Event]) {
        for event in &events[self.seen..] {
            if let Some(room) = event.room() {
                assert!(self.rooms.contains(&room), "we are not there: {event:?}");
            }
            self.on_event(event);
        }
        self.seen = events.len();
    }

    fn on_event(&mut self, event: &Event) {
        match event {
            Event::PeerJoined { room, peer } => {
                assert!(self.members.insert((*room, peer.clone())));
            }
            Event::PeerLeft { room, peer, .. } => {
                assert!(self.members.remove(&(*room, peer.clone())));
                let mut of_room = self.streams.iter().filter(|((at, _), _)| at == room);
                assert!(of_room.all(|(_, of)| of != peer), "its streams ended before");
            }
            Event::PeerStream { room, peer, stream, tracks, .. } => {
                self.on_stream(*room, peer, *stream);
                for track in tracks {
                    self.tracks.insert((*room, track.track), *stream);
                }
                assert!(!tracks.is_empty());
            }
            Event::PeerTrack { room, peer, stream, track, .. } => {
                self.on_stream(*room, peer, *stream);
                self.tracks.insert((*room, *track), *stream);
            }
            Event::TrackReplaced { room, track, .. } => {
                assert!(self.tracks.contains_key(&(*room, *track)));
            }
            Event::PeerTrackEnded { room, track, .. } => {
                assert!(self.tracks.remove(&(*room, *track)).is_some(), "it ends once");
            }
            Event::PeerStreamEnded { room, stream, .. } => {
                assert!(self.streams.remove(&(*room, *stream)).is_some(), "it ends once");
                let is_left = |(at, of): (&(RoomKey, PeerTrackId), &PeerStreamId)| {
                    at.0 == *room && of == stream
                };
                assert!(!self.tracks.iter().any(is_left), "its tracks ended before");
            }
            Event::Frame { track, .. } => {
                assert!(self.tracks.keys().any(|(_, known)| known == track), "a room knows it");
            }
            Event::StreamSent { room, stream, peer, .. } => {
                self.on_answer(*room, (stream.number(), true), peer);
            }
            Event::TrackSent { room, track, peer, .. } => {
                self.on_answer(*room, (track.number(), false), peer);
            }
            _ => {}
        }
    }

    fn on_stream(&mut self, room: RoomKey, peer: &PeerId, stream: PeerStreamId) {
        assert!(self.members.contains(&(room, peer.clone())), "it is a member");
        let before = self.streams.insert((room, stream), peer.clone());
        assert!(before.is_none_or(|before| before == *peer));
    }

    fn on_answer(&mut self, room: RoomKey, subject: (u64, bool), peer: &PeerId) {
        // Those who come later are not owed it.
        if let Some(owed) = self.owed.get_mut(&(room, subject.0, subject.1, peer.clone())) {
            *owed = owed.saturating_sub(1);
        }
    }
}

struct Scene {
    world: World,
    nodes: Vec<Who>,
    witnesses: Vec<Witness>,
    rooms: Vec<[Option<RoomKey>; 2]>,
    streams: Vec<Vec<(StreamKey, Vec<TrackId>)>>,
    rng: Rng,
}

impl Scene {
    fn new(seed: u64, is_plain: bool) -> Self {
        let mut world = World::new();
        (world.is_plain, world.is_untraced) = (is_plain, true);
        let mut rng = Seed::from_number(seed).rng("random media");
        let jitter = Seed::from_number(seed).rng("jitter");
        world.jitter = (rng.below(2) > 0).then(|| (jitter, Duration::from_millis(30)));
        let nodes: Vec<Who> = ["a", "b", "c"].map(|id| world.add(id)).into();
        let witnesses = nodes.iter().map(|_| Witness::default()).collect();
        let (rooms, streams) = (vec![[None; 2]; 3], vec![Vec::new(); 3]);
        let mut scene = Scene { world, nodes, witnesses, rooms, streams, rng };
        for at in 0..3 {
            scene.join(at, 0);
            scene.join(at, 1);
        }
        scene.run(Duration::from_secs(3));
        scene
    }

    fn draw(&mut self, below: usize) -> usize {
        usize::try_from(self.rng.below(below as u64)).unwrap()
    }

    fn join(&mut self, at: usize, place: usize) {
        let key = self.world.join(self.nodes[at], room("app", ["one", "two"][place]));
        self.rooms[at][place] = Some(key);
        self.witnesses[at].rooms.insert(key);
    }

    fn run(&mut self, time: Duration) {
        let end = self.world.now + time;
        self.look();
        while self.world.advance(end) {
            self.look();
        }
        self.world.now = end;
    }

    fn look(&mut self) {
        for (who, witness) in self.nodes.iter().zip(&mut self.witnesses) {
            witness.look(self.world.events(*who));
        }
        assert!(self.world.overdue.is_empty(), "{:?}", self.world.overdue.first());
    }

    fn act(&mut self) {
        let (at, place) = (self.draw(3), self.draw(2));
        let Some(key) = self.rooms[at][place] else { return self.join(at, place) };
        match self.draw(20) {
            0 => {
                self.look();
                self.world.leave(self.nodes[at], key);
                self.rooms[at][place] = None;
                self.witnesses[at].leave(key);
            }
            1 if self.draw(3) == 0 => self.world.isolate(self.nodes[at]),
            1 => self.world.reconnect(self.nodes[at]),
            2..=4 => self.write(at),
            5..=9 => self.add(at, key),
            _ => self.change(at, key),
        }
        self.look();
    }

    fn options(&mut self) -> MediaOptions {
        let other = Who(self.draw(3));
        let targets = (self.draw(3) == 0).then(|| vec![self.world.id(other)]);
        MediaOptions { targets, late_joiners: self.draw(4) > 0, ..with(1) }
    }

    fn add(&mut self, at: usize, key: RoomKey) {
        let options = self.options();
        let specs = vec![TrackSpec::of(Codec::Vp8); 1 + self.draw(2)];
        let (who, now) = (self.nodes[at], self.world.now);
        let added =
            self.world.with(who, |node| node.add_stream(key, &specs, options, now)).unwrap();
        self.witnesses[at].owe(key, (added.stream.number(), true), &added.peers);
        self.streams[at].push((added.stream, added.tracks));
        if self.streams[at].len() > 5 {
            let (stream, _) = self.streams[at].remove(0);
            let places: Vec<RoomKey> = self.rooms[at].iter().flatten().copied().collect();
            for key in places {
                let removed =
                    self.world.with(who, |node| node.remove_stream(key, stream, None, now));
                assert!(matches!(removed, Ok(()) | Err(MediaError::NoSuchStream)));
            }
        }
    }

    fn change(&mut self, at: usize, key: RoomKey) {
        if self.streams[at].is_empty() {
            return;
        }
        let index = self.draw(self.streams[at].len());
        let (stream, tracks) = self.streams[at][index].clone();
        let nth = self.draw(tracks.len());
        let (who, now, options) = (self.nodes[at], self.world.now, self.options());
        let spec = TrackSpec::of(Codec::Vp8);
        match self.draw(5) {
            0 => {
                let shared = self.world.with(who, |n| n.share_stream(key, stream, options, now));
                if let Ok(peers) = shared {
                    self.witnesses[at].owe(key, (stream.number(), true), &peers);
                }
            }
            1 => {
                let added = self.world.with(who, |n| n.add_track(key, stream, spec, options, now));
                if let Ok(added) = added {
                    self.witnesses[at].owe(key, (added.track.number(), false), &added.peers);
                    self.streams[at][index].1.push(added.track);
                }
            }
            2 => {
                let old = tracks[nth];
                let metadata = options.metadata;
                let replaced =
                    self.world.with(who, |n| n.replace_track(key, old, spec, metadata, now));
                if let Ok(replaced) = replaced {
                    self.streams[at][index].1[nth] = replaced.track;
                    let owed = std::mem::take(&mut self.witnesses[at].owed);
                    let renamed =
                        |id| if id == old.number() { replaced.track.number() } else { id };
                    self.witnesses[at].owed = owed
                        .into_iter()
                        .map(|((room, id, is_stream, peer), n)| {
                            let id = if is_stream { id } else { renamed(id) };
                            ((room, id, is_stream, peer), n)
                        })
                        .collect();
                }
            }
            3 => {
                let targets = options.targets;
                let removed = self
                    .world
                    .with(who, |n| n.remove_track(key, tracks[nth], targets.as_deref(), now));
                assert!(matches!(removed, Ok(()) | Err(MediaError::NoSuchTrack)));
            }
            _ => {
                let targets = options.targets;
                let removed =
                    self.world.with(who, |n| n.remove_stream(key, stream, targets.as_deref(), now));
                assert!(matches!(removed, Ok(()) | Err(MediaError::NoSuchStream)));
            }
        }
    }

    fn write(&mut self, at: usize) {
        let tracks: Vec<TrackId> =
            self.streams[at].iter().flat_map(|(_, tracks)| tracks).copied().collect();
        let (who, now, is_key) = (self.nodes[at], self.world.now, self.draw(2) > 0);
        for track in tracks {
            let frame = frame(Codec::Vp8, 1, is_key);
            let written = self.world.with(who, |node| node.write_frame(track, &frame, now));
            assert!(matches!(written, Ok(_) | Err(MediaError::NoSuchTrack)));
        }
    }

    /// In the end everything is answered, and what one sends is what the others know.
    fn end(&mut self) {
        for who in self.nodes.clone() {
            self.world.reconnect(who);
        }
        self.run(Duration::from_secs(200));
        for witness in &self.witnesses {
            let owed: Vec<_> = witness.owed.iter().filter(|(_, owed)| **owed > 0).collect();
            assert!(owed.is_empty(), "{owed:?}");
        }
        let sent = |at: usize| {
            let node = self.world.node(self.nodes[at]);
            let places = self.rooms[at].iter().flatten();
            let peers = places.flat_map(|key| node.peers(*key).map(|peer| (*key, peer.clone())));
            let peers: BTreeMap<PeerId, RoomKey> = peers.map(|(key, peer)| (peer, key)).collect();
            let infos = peers.into_iter().filter_map(|(peer, key)| node.media_info(key, &peer));
            infos
                .map(|info| (info.sent.len(), info.received.len()))
                .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
        };
        let all = [0, 1, 2].map(sent);
        let sent: usize = all.iter().map(|(sent, _)| sent).sum();
        let received: usize = all.iter().map(|(_, received)| received).sum();
        assert_eq!(sent, received, "everything that is sent was announced");
    }
}

#[test]
fn whatever_is_done_the_events_keep_their_promises() {
    for seed in 0..60 {
        let mut scene = Scene::new(seed, seed % 2 > 0);
        for _ in 0..80 {
            scene.act();
            let pause = scene.draw(120) as u64;
            scene.run(Duration::from_millis(pause * pause / 20));
        }
        scene.end();
    }
}
