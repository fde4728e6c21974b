//! Audio and video between nodes on the real engine, over networks that lose.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

use std::collections::BTreeMap;
use std::time::Duration;

use tristero_proto::media::{Codec, MediaFrame, MediaOptions, MediaTime, TrackSpec};
use tristero_proto::{Event, PeerTrackId, RoomConfig, RoomKey, StreamKey, TrackId};
use tristero_sim::{Conditions, PeerOptions, Who, World, WsService};

const FRAME_TIME: Duration = Duration::from_millis(33);

/// Two peers who have met.
struct Pair {
    world: World,
    peers: [(Who, RoomKey); 2],
    /// Frames that were made, and whether the next has to be a key frame.
    made: u64,
}

impl Pair {
    fn meet(seed: u64) -> Self {
        let mut world = World::new(seed);
        let (_, config) = world.add_relay(WsService::new());
        let config = RoomConfig { relays: vec![config], ..RoomConfig::new("app", "room") };
        let peers = [(); 2].map(|()| {
            let who = world.add_peer(PeerOptions::default());
            (who, world.join(who, config.clone()).unwrap())
        });
        let have_met = world.run_until(Duration::from_secs(30), |world| {
            peers.iter().all(|(who, room)| world.members(*who, *room).len() == 1)
        });
        assert!(have_met);
        Pair { world, peers, made: 0 }
    }

    fn add(&mut self, side: usize, specs: &[TrackSpec], name: u64) -> (StreamKey, Vec<TrackId>) {
        let (who, room) = self.peers[side];
        let options = MediaOptions { metadata: Some(name.into()), ..MediaOptions::default() };
        let added = self.world.with(who, |node, now| node.add_stream(room, specs, options, now));
        let added = added.unwrap().unwrap();
        (added.stream, added.tracks)
    }

    fn remove(&mut self, side: usize, stream: StreamKey) {
        let (who, room) = self.peers[side];
        let removed = self.world.with(who, |node, now| node.remove_stream(room, stream, None, now));
        removed.unwrap().unwrap();
    }

    /// Sends a frame with its number in it.
    fn write(&mut self, side: usize, track: TrackId, codec: Codec, is_key: bool) {
        self.made += 1;
        let time = MediaTime::of(codec, FRAME_TIME * u32::try_from(self.made).unwrap());
        // The lowest bit of the first byte says that a frame of VP8 is no key frame.
        let mut bytes = vec![u8::from(!is_key) | 0x10, 2, 0, 0x9d, 0x01, 0x2a, 64, 1, 240, 0];
        bytes.extend_from_slice(&self.made.to_be_bytes());
        bytes.resize(if is_key { 12_000 } else { 2_500 }, 7);
        let bytes = bytes.into();
        let frame = MediaFrame { codec, time, is_key, is_contiguous: true, bytes };
        let (who, _) = self.peers[side];
        let written = self.world.with(who, |node, now| node.write_frame(track, &frame, now));
        written.unwrap().unwrap();
    }

    /// The streams that a side was told of, by their metadata.
    fn told(&self, side: usize) -> BTreeMap<u64, Vec<PeerTrackId>> {
        let told = |event: &Event| match event {
            Event::PeerStream { tracks, metadata, .. } => {
                let name = metadata.as_ref().unwrap().as_u64().unwrap();
                Some((name, tracks.iter().map(|track| track.track).collect()))
            }
            _ => None,
        };
        self.world.events(self.peers[side].0).filter_map(told).collect()
    }

    /// The frames that arrived: their numbers, and whether they are key frames and contiguous.
    fn frames(&self, side: usize, of: PeerTrackId) -> Vec<(u64, bool, bool)> {
        let frame = |event: &Event| match event {
            Event::Frame { track, frame } if *track == of => {
                let number = frame.bytes[10..18].try_into().unwrap();
                Some((u64::from_be_bytes(number), frame.is_key, frame.is_contiguous))
            }
            _ => None,
        };
        self.world.events(self.peers[side].0).filter_map(frame).collect()
    }

    /// How often a side was asked for a key frame.
    fn wanted(&self, side: usize) -> usize {
        let is_it = |event: &&Event| matches!(event, Event::KeyFrameWanted { .. });
        self.world.events(self.peers[side].0).filter(is_it).count()
    }

    fn run_for(&mut self, time: Duration) {
        self.world.run_for(time);
    }

    /// Sends pictures, and a key frame whenever one is wanted; gives how many.
    fn stream(&mut self, side: usize, track: TrackId, frames: u32) {
        let mut answered = None;
        for _ in 0..frames {
            let wanted = Some(self.wanted(side));
            self.write(side, track, Codec::Vp8, wanted != answered);
            answered = wanted;
            self.run_for(FRAME_TIME);
        }
        self.run_for(Duration::from_secs(1));
    }
}

fn camera() -> [TrackSpec; 2] {
    [TrackSpec::of(Codec::Opus), TrackSpec::of(Codec::Vp8)]
}

#[test]
fn a_stream_flows_over_a_network_that_loses_and_begins_again_after_each_gap() {
    for seed in 0..4 {
        let mut pair = Pair::meet(seed);
        let conditions = Conditions::default().with_random_loss(if seed == 0 { 0.0 } else { 5.0 });
        pair.world.network().set_conditions(conditions);
        let (_, tracks) = pair.add(0, &camera(), 1);
        let is_told = pair.world.run_until(Duration::from_secs(10), |world| {
            world.events(pair.peers[1].0).any(|e| matches!(e, Event::PeerStream { .. }))
        });
        assert!(is_told, "{seed}");
        let told = pair.told(1).remove(&1).unwrap();
        assert_eq!(told.len(), 2);
        pair.run_for(Duration::from_secs(1));
        pair.stream(0, tracks[1], 300);
        let frames = pair.frames(1, told[1]);
        assert!(frames.len() > 250, "{seed}: {}", frames.len());
        let mut gaps = 0;
        for pair in frames.windows(2) {
            let [(before, ..), (number, is_key, is_contiguous)] = pair else { unreachable!() };
            assert!(number > before, "{seed}: in order");
            if *is_contiguous && !is_key {
                assert_eq!(*number, before + 1, "{seed}: nothing is missing");
            }
            gaps += usize::from(!is_contiguous);
        }
        if seed == 0 {
            assert_eq!((frames.len(), gaps), (300, 0));
        }
    }
}

#[test]
fn both_may_add_and_remove_at_the_same_moment() {
    for seed in 0..40 {
        let mut pair = Pair::meet(seed);
        for round in 0..6 {
            let streams = [0, 1].map(|side| pair.add(side, &camera(), round).0);
            pair.run_for(Duration::from_millis(seed * 7 % 90));
            for side in [0, 1] {
                pair.remove(side, streams[side]);
            }
            pair.run_for(Duration::from_millis(seed * 3 % 40));
        }
        let last = [0, 1].map(|side| pair.add(side, &camera(), 99).1);
        pair.run_for(Duration::from_secs(15));
        for (side, tracks) in last.into_iter().enumerate() {
            let told = pair.told(1 - side);
            let told = told.get(&99).unwrap_or_else(|| panic!("{seed} {side}: {told:?}"));
            pair.stream(side, tracks[1], 10);
            assert_eq!(pair.frames(1 - side, told[1]).len(), 10, "{seed} {side}");
        }
    }
}

#[test]
fn restarts_and_tracks_do_not_get_in_each_others_way() {
    for seed in 0..40 {
        let mut pair = Pair::meet(seed);
        let mut sent = [0, 1].map(|side| pair.add(side, &camera(), 0));
        for round in 1..5 {
            let side = usize::from(seed % 2 == round % 2);
            let (who, room) = pair.peers[side];
            let peer = pair.world.id(pair.peers[1 - side].0);
            let pause = |by: u64| Duration::from_millis(seed * by % 60);
            pair.world.with(who, |node, now| node.restart_ice(room, &peer, now)).unwrap().unwrap();
            pair.run_for(pause(5));
            let other = 1 - side;
            pair.remove(other, sent[other].0);
            sent[other] = pair.add(other, &camera(), round);
            pair.run_for(pause(11));
        }
        pair.run_for(Duration::from_secs(100));
        for (side, (_, tracks)) in sent.iter().enumerate() {
            let (name, told) = pair.told(1 - side).pop_last().unwrap();
            pair.stream(side, tracks[1], 10);
            let frames = pair.frames(1 - side, told[1]);
            assert_eq!(frames.len(), 10, "{seed} {side}: the last is {name}");
        }
    }
}

#[test]
fn tracks_outlive_a_path_and_those_that_are_added_while_there_is_none_come_later() {
    for seed in 0..12 {
        let mut pair = Pair::meet(seed);
        let old = [0, 1].map(|side| pair.add(side, &camera(), 1).1);
        pair.run_for(Duration::from_secs(2));
        let mover = pair.peers[usize::from(seed % 2 == 0)].0;
        pair.world.roam(mover);
        pair.run_for(Duration::from_millis(seed * 40));
        let new = [0, 1].map(|side| pair.add(side, &camera(), 2).1);
        pair.run_for(Duration::from_secs(60));
        for side in [0, 1] {
            let (who, _) = pair.peers[side];
            let left = pair.world.events(who).find(|e| matches!(e, Event::PeerLeft { .. }));
            assert_eq!(left, None, "{seed} {side} at {:?}", pair.world.now());
            for (name, tracks) in [(1, &old[side]), (2, &new[side])] {
                let told = pair.told(1 - side).remove(&name).unwrap();
                pair.stream(side, tracks[1], 10);
                assert_eq!(pair.frames(1 - side, told[1]).len(), 10, "{seed} {side} {name}");
            }
        }
    }
}
