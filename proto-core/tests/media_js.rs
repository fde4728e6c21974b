//! What JavaScript would make of what a node says of its audio and video: Trystero takes what it was
//! told in order, remembers for ever what it knows under a name, and loses what fits nothing.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use common::media::with;
use common::{Who, World, room};
use serde_json::Value;
use tristero_proto::media::{Codec, MediaError, TrackSpec};
use tristero_proto::wire::{Chunk, Frame, Tag};
use tristero_proto::{Event, Rng, RoomKey, Seed, StreamKey, Time, TrackId};

const LATENCY: Duration = Duration::from_millis(5);

/// A peer that hears what `from` says, by the rules of Trystero 0.25.4.
struct Javascript {
    from: Who,
    seen: usize,
    /// What is on its way, and when it arrives.
    inbox: VecDeque<(Time, String, String, Value)>,
    chunks: BTreeMap<(String, String, u16), Vec<u8>>,
    offer: Option<String>,
    /// The sections that are in use: what our side calls them.
    sections: BTreeSet<String>,
    rooms: BTreeMap<String, Pending>,
    streams_by_key: BTreeMap<String, String>,
    streams_by_id: BTreeMap<String, String>,
    tracks_by_key: BTreeMap<String, Track>,
    tracks_by_id: BTreeMap<String, Track>,
    events: u64,
    /// What the application was told: where, of what, and with what metadata.
    told: Vec<(String, &'static str, Value)>,
}

#[derive(Clone)]
struct Track {
    stream: String,
    name: String,
}

/// What a room was told and nothing came of yet.
#[derive(Default)]
struct Pending {
    streams: VecDeque<Value>,
    tracks: VecDeque<Value>,
}

impl Javascript {
    fn new(from: Who) -> Self {
        Javascript {
            from,
            seen: 0,
            inbox: VecDeque::new(),
            chunks: BTreeMap::new(),
            offer: None,
            sections: BTreeSet::new(),
            rooms: BTreeMap::new(),
            streams_by_key: BTreeMap::new(),
            streams_by_id: BTreeMap::new(),
            tracks_by_key: BTreeMap::new(),
            tracks_by_id: BTreeMap::new(),
            events: 0,
            told: Vec::new(),
        }
    }

    /// Looks at what was sent since the last time.
    fn look(&mut self, world: &World) {
        let new = world.sent[self.seen..].to_vec();
        self.seen = world.sent.len();
        for (who, message) in new {
            for (token, action, value) in self.read(who, &message) {
                if who == self.from {
                    self.inbox.push_back((world.now + LATENCY, token, action, value));
                } else if action == "@_signal" && value["type"] == "answer" {
                    self.hear(world.now);
                    let offer = self.offer.take().expect("it answers an offer");
                    self.apply(&offer);
                }
            }
        }
        self.hear(world.now);
    }

    /// The whole transmissions in a message.
    fn read(&mut self, who: Who, message: &Bytes) -> Vec<(String, String, Value)> {
        let (token, chunks) = match Frame::parse(message) {
            Ok(Frame::Room { token, chunk }) => (token, vec![chunk]),
            Ok(Frame::Bundle { token, chunks }) => (token, chunks.collect()),
            _ => return Vec::new(),
        };
        let token = String::from_utf8_lossy(token.as_bytes()).into_owned();
        let mut whole = Vec::new();
        for chunk in chunks {
            let chunk = Chunk::parse(&chunk).unwrap();
            let action = chunk.action.as_str().to_owned();
            let key = (format!("{who:?} {token}"), action.clone(), chunk.nonce);
            self.chunks.entry(key.clone()).or_default().extend_from_slice(&chunk.payload);
            if chunk.tag.has(Tag::LAST) {
                let bytes = self.chunks.remove(&key).unwrap();
                whole.extend(
                    serde_json::from_slice(&bytes).ok().map(|v| (token.clone(), action, v)),
                );
            }
        }
        whole
    }

    /// Takes what has arrived.
    fn hear(&mut self, now: Time) {
        while self.inbox.front().is_some_and(|(at, ..)| *at <= now) {
            let (_, token, action, value) = self.inbox.pop_front().unwrap();
            match action.as_str() {
                "@_stream" => self.on_stream(&token, value),
                "@_track" => self.on_track(&token, value),
                "@_signal" if value["type"] == "offer" => {
                    self.offer = Some(value["sdp"].as_str().unwrap().to_owned());
                }
                _ => {}
            }
        }
    }

    fn on_stream(&mut self, token: &str, said: Value) {
        let (key, id) = (said["k"].as_str().unwrap(), said["s"].as_str().unwrap());
        let known = self.streams_by_key.get(key).or_else(|| self.streams_by_id.get(id));
        match known.cloned() {
            Some(stream) => self.tell_stream(token, &said, &stream),
            None => self.rooms.entry(token.to_owned()).or_default().streams.push_back(said),
        }
    }

    fn on_track(&mut self, token: &str, said: Value) {
        let (key, id) = (said["k"].as_str().unwrap(), said["t"].as_str().unwrap());
        let known = self.tracks_by_key.get(key).or_else(|| self.tracks_by_id.get(id));
        match known.cloned() {
            Some(track) => self.tell_track(token, &said, id, &track),
            None => self.rooms.entry(token.to_owned()).or_default().tracks.push_back(said),
        }
    }

    /// An offer is applied: each section that sends and did not before is a track event.
    fn apply(&mut self, offer: &str) {
        let lines: Vec<&str> = offer.lines().skip(1).collect();
        for line in &lines {
            let words: Vec<&str> = line.split(' ').collect();
            let (number, track) =
                (words[0], Track { stream: words[2].into(), name: words[3].into() });
            if self.sections.contains(number) {
                continue;
            }
            self.events += 1;
            // Where a section is used again the track keeps the name of the first one there.
            let id = match self.events % 2 {
                0 => track.name.clone(),
                _ => format!("another {}", self.events),
            };
            let tokens: Vec<String> = self.rooms.keys().cloned().collect();
            for token in tokens {
                let pending = self.rooms.get_mut(&token).unwrap();
                let (said_track, said_stream) =
                    (pending.tracks.pop_front(), pending.streams.pop_front());
                if let Some(said) = said_track {
                    assert_eq!(said["t"], track.name, "it takes one track for another");
                    self.tell_track(&token, &said, &id, &track);
                }
                if let Some(said) = said_stream {
                    assert_eq!(said["s"], track.stream, "it takes one stream for another");
                    self.tell_stream(&token, &said, &track.stream);
                }
            }
        }
        let number = |line: &&str| line.split(' ').next().unwrap().to_owned();
        self.sections = lines.iter().map(number).collect();
    }

    fn tell_stream(&mut self, token: &str, said: &Value, stream: &str) {
        assert_eq!(said["s"], stream, "it remembers another stream by that name");
        self.streams_by_key.insert(said["k"].as_str().unwrap().into(), stream.into());
        self.streams_by_id.insert(stream.into(), stream.into());
        self.told.push((token.into(), "stream", said["m"].clone()));
    }

    fn tell_track(&mut self, token: &str, said: &Value, id: &str, track: &Track) {
        assert_eq!(said["t"], track.name, "it remembers another track by that name");
        self.tracks_by_key.insert(said["k"].as_str().unwrap().into(), track.clone());
        self.tracks_by_id.insert(id.into(), track.clone());
        self.streams_by_id.insert(track.stream.clone(), track.stream.clone());
        self.told.push((token.into(), "track", said["m"].clone()));
    }
}

/// Two nodes that take each other for JavaScript, in two rooms, and what JavaScript makes of one.
struct Scene {
    world: World,
    a: Who,
    b: Who,
    rooms: [RoomKey; 2],
    javascript: Javascript,
    rng: Rng,
    /// What `a` sends, by room, and how often something was said.
    streams: Vec<(StreamKey, Vec<TrackId>)>,
    labels: u64,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let mut world = World::new();
        world.is_plain = true;
        // Which of the two offers the connection is drawn too.
        let (first, second) = if seed.is_multiple_of(2) { ("a", "b") } else { ("b", "a") };
        let (a, b) = (world.add(first), world.add(second));
        let rooms = ["one", "two"].map(|id| {
            world.join(b, room("app", id));
            world.join(a, room("app", id))
        });
        world.run_until(|world| world.joins(a, b) == 2 && world.joins(b, a) == 2);
        let rng = Seed::from_number(seed).rng("javascript");
        let (javascript, streams) = (Javascript::new(a), Vec::new());
        Scene { world, a, b, rooms, javascript, rng, streams, labels: 0 }
    }

    fn draw(&mut self, below: usize) -> usize {
        usize::try_from(self.rng.below(below as u64)).unwrap()
    }

    fn run(&mut self, time: Duration) {
        let end = self.world.now + time;
        self.javascript.look(&self.world);
        while self.world.advance(end) {
            self.javascript.look(&self.world);
        }
        self.world.now = end;
    }

    fn act(&mut self) {
        let key = self.rooms[self.draw(2)];
        let at = self.draw(self.streams.len().max(1));
        self.labels += 1;
        let (options, now, a) = (with(self.labels), self.world.now, self.a);
        let spec = TrackSpec::of(Codec::Vp8);
        let stream = self.streams.get(at).cloned();
        let is_full = self.streams.len() > 4;
        match (self.draw(6), stream) {
            (0 | 1, _) | (_, None) if !is_full => {
                let count = 1 + self.draw(2);
                let added = self.world.add_stream(a, key, &vec![spec; count], options);
                self.streams.push((added.stream, added.tracks));
            }
            (2, Some((stream, _))) => {
                let result =
                    self.world.with(a, |node| node.share_stream(key, stream, options, now));
                assert!(matches!(result, Ok(_) | Err(MediaError::NoSuchStream)), "{result:?}");
            }
            (3, Some((stream, _))) => {
                let added =
                    self.world.with(a, |node| node.add_track(key, stream, spec, options, now));
                if let Ok(added) = added {
                    self.streams[at].1.push(added.track);
                }
            }
            (4, Some((_, tracks))) => {
                let index = self.draw(tracks.len());
                let metadata = options.metadata;
                let replaced = self
                    .world
                    .with(a, |node| node.replace_track(key, tracks[index], spec, metadata, now));
                if let Ok(replaced) = replaced {
                    self.streams[at].1[index] = replaced.track;
                }
            }
            (_, Some((stream, tracks))) => {
                let track = tracks[self.draw(tracks.len())];
                let removes_all = self.draw(3) > 0;
                let result = self.world.with(a, |node| match removes_all {
                    true => node.remove_stream(key, stream, None, now),
                    false => node.remove_track(key, track, None, now),
                });
                if result.is_err() || removes_all {
                    self.streams.remove(at);
                }
            }
            (_, None) => {}
        }
    }

    /// How much of what `a` sends was agreed on.
    fn agreed(&self) -> usize {
        let is_ok = |event: &&Event| {
            matches!(
                event,
                Event::StreamSent { result: Ok(()), .. } | Event::TrackSent { result: Ok(()), .. }
            )
        };
        self.world.events(self.a).iter().filter(is_ok).count()
    }
}

#[test]
fn javascript_takes_everything_for_what_it_is() {
    for seed in 0..60 {
        let mut scene = Scene::new(seed);
        let b = scene.b;
        for _ in 0..40 {
            scene.act();
            if scene.draw(4) == 0 {
                let key = scene.rooms[scene.draw(2)];
                let theirs = scene.world.add_stream(b, key, &[TrackSpec::of(Codec::Opus)], with(0));
                scene.run(Duration::from_millis(3));
                scene.world.remove_stream(b, key, theirs.stream);
            }
            let pause = scene.draw(30) as u64;
            scene.run(Duration::from_millis(pause));
        }
        scene.run(Duration::from_secs(60));
        for (token, pending) in &scene.javascript.rooms {
            assert!(pending.streams.is_empty(), "{seed}: {token} {:?}", pending.streams);
            assert!(pending.tracks.is_empty(), "{seed}: {token} {:?}", pending.tracks);
        }
        assert!(scene.javascript.told.len() >= scene.agreed(), "{seed}: it was told of all");
        assert!(scene.agreed() > 10, "{seed}: something happened");
    }
}
