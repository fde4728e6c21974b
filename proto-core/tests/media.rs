//! Audio and video between nodes: what is told of it, and that it arrives.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate tristero_wasm_harness;

mod common;

use std::time::Duration;

use common::media::{camera, frame, video, with};
use common::{Who, World, room};
use tristero_proto::media::{
    Codec, MediaConfig, MediaError, MediaFailure, MediaKind, MediaOptions, TrackSpec, Written,
};
use tristero_proto::{Event, PeerTrackId, RoomConfig, RoomKey, TrackId};

const SECOND: Duration = Duration::from_secs(1);

/// Two members of one room, which know of each other that they are ours, or which take each other
/// for JavaScript.
fn pairs() -> [(World, Who, Who, RoomKey); 2] {
    [false, true].map(|is_plain| {
        let mut world = World::new();
        world.is_plain = is_plain;
        let (a, b) = (world.add("a"), world.add("b"));
        let key = world.join(a, room("app", "room"));
        world.join(b, room("app", "room"));
        world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
        (world, a, b, key)
    })
}

/// Sends a key frame and another one, and sees them arrive.
fn flows(world: &mut World, from: Who, track: TrackId, to: Who, as_track: PeerTrackId) {
    let before = world.frames(to, as_track).len();
    for (number, is_key) in [(1, true), (2, false)] {
        let written = world.write(from, track, &frame(Codec::Vp8, number, is_key));
        assert!(written.taken > 0, "{written:?}");
    }
    world.run_for(SECOND);
    assert_eq!(world.frames(to, as_track)[before..], [1, 2]);
}

#[test]
fn a_stream_is_told_with_its_metadata_and_its_frames_arrive_until_it_is_removed() {
    for (mut world, a, b, key) in pairs() {
        let added = world.add_stream(a, key, &camera(), with("camera"));
        assert_eq!(added.peers, [world.id(b)]);
        world.run_until(|world| !world.sent_streams(a).is_empty());
        assert_eq!(world.sent_streams(a), [(added.stream, b, Ok(()))]);
        let told = world.streams(b).remove(0);
        assert_eq!((told.room, told.peer, told.metadata), (key, a, Some("camera".into())));
        let kinds: Vec<MediaKind> = told.tracks.iter().map(|(_, kind)| *kind).collect();
        assert_eq!(kinds, [MediaKind::Audio, MediaKind::Video]);
        flows(&mut world, a, added.tracks[1], b, told.tracks[1].0);
        world.write(a, added.tracks[0], &frame(Codec::Opus, 7, true));
        world.run_for(SECOND);
        assert_eq!(world.frames(b, told.tracks[0].0), [7]);

        world.remove_stream(a, key, added.stream);
        world.run_for(SECOND);
        assert_eq!(world.ended_streams(b), [(key, told.stream)]);
        assert_eq!(world.ended_tracks(b).len(), 2);
        let now = world.now;
        let late = world
            .with(a, |node| node.write_frame(added.tracks[0], &frame(Codec::Opus, 8, true), now));
        assert_eq!(late, Err(MediaError::NoSuchTrack), "it ended with its last room");
    }
}

#[test]
fn what_is_removed_and_added_again_is_told_again_under_other_names() {
    for (mut world, a, b, key) in pairs() {
        let mut told = Vec::new();
        for round in 0..5 {
            let added = world.add_stream(a, key, &video(), with(round));
            world.run_for(SECOND);
            let stream = world.streams(b).pop().unwrap();
            assert_eq!(stream.metadata, Some(round.into()));
            flows(&mut world, a, added.tracks[0], b, stream.tracks[0].0);
            told.push(stream.stream);
            world.remove_stream(a, key, added.stream);
        }
        told.dedup();
        assert_eq!(told.len(), 5);
        world.run_for(SECOND);
        assert_eq!(world.ended_streams(b).len(), 5);
    }
}

#[test]
fn what_is_removed_before_it_was_agreed_on_is_not_taken_for_the_next() {
    for (mut world, a, b, key) in pairs() {
        let first = world.add_stream(a, key, &camera(), with("first"));
        let second = world.add_stream(a, key, &video(), with("second"));
        world.remove_stream(a, key, first.stream);
        let third = world.add_stream(a, key, &video(), with("third"));
        world.run_for(5 * SECOND);
        let results: Vec<_> = world.sent_streams(a);
        assert!(results.contains(&(first.stream, b, Err(MediaFailure::Removed))), "{results:?}");
        for (added, metadata) in [(&second, "second"), (&third, "third")] {
            let told = world.streams(b);
            let told = told.iter().find(|told| told.metadata == Some(metadata.into())).unwrap();
            assert_eq!(told.tracks.len(), 1);
            flows(&mut world, a, added.tracks[0], b, told.tracks[0].0);
        }
    }
}

#[test]
fn a_track_may_be_removed_while_its_stream_is_being_agreed_on() {
    for (mut world, a, b, key) in pairs() {
        let added = world.add_stream(a, key, &camera(), with("camera"));
        let next = world.add_stream(a, key, &camera(), with("next"));
        for track in [added.tracks[0], next.tracks[0]] {
            let now = world.now;
            world.with(a, |node| node.remove_track(key, track, None, now)).unwrap();
        }
        world.run_for(5 * SECOND);
        assert_eq!(world.sent_streams(a).len(), 2);
        assert!(world.sent_streams(a).iter().all(|(.., result)| result.is_ok()));
        let ended = world.ended_tracks(b);
        for (stream, name) in [(added, "camera"), (next, "next")] {
            let told = world.streams(b);
            let told = told.iter().find(|told| told.metadata == Some(name.into())).unwrap();
            let is_live = |(track, _): &&(PeerTrackId, MediaKind)| !ended.contains(&(key, *track));
            let live: Vec<_> = told.tracks.iter().filter(is_live).collect();
            assert_eq!(live.len(), 1);
            flows(&mut world, a, stream.tracks[1], b, live[0].0);
        }
    }
}

#[test]
fn a_track_is_added_to_a_stream_and_removed_alone() {
    for (mut world, a, b, key) in pairs() {
        let added = world.add_stream(a, key, &camera(), with("camera"));
        let screen = world.add_track(a, key, added.stream, video()[0].clone(), with("screen"));
        assert_eq!(screen.peers, [world.id(b)]);
        world.run_for(2 * SECOND);
        assert_eq!(world.sent_tracks(a), [(screen.track, Ok(()))]);
        let told = world.streams(b).remove(0);
        let (stream, track, metadata) = world.tracks(b).remove(0);
        assert_eq!((stream, metadata), (told.stream, Some("screen".into())));
        flows(&mut world, a, screen.track, b, track);
        let now = world.now;
        world.with(a, |node| node.remove_track(key, screen.track, None, now)).unwrap();
        world.with(a, |node| node.remove_track(key, added.tracks[0], None, now)).unwrap();
        world.run_for(SECOND);
        assert_eq!(world.ended_tracks(b).len(), 2);
        assert!(world.ended_streams(b).is_empty());
        flows(&mut world, a, added.tracks[1], b, told.tracks[1].0);
        world.with(a, |node| node.remove_track(key, added.tracks[1], None, now)).unwrap();
        world.run_for(SECOND);
        assert_eq!(world.ended_streams(b), [(key, told.stream)]);
    }
}

#[test]
fn a_replaced_track_goes_on_as_the_same_one() {
    for (mut world, a, b, key) in pairs() {
        let added = world.add_stream(a, key, &camera(), with("camera"));
        let alone = world.add_track(a, key, added.stream, video()[0].clone(), with("one"));
        world.run_for(2 * SECOND);
        let (_, track, _) = world.tracks(b).remove(0);
        let told = world.streams(b).remove(0).tracks[1].0;
        let mut current = alone.track;
        for name in ["two", "three", "four"] {
            let now = world.now;
            let metadata = Some(name.into());
            let replaced = world
                .with(a, |node| node.replace_track(key, current, video()[0].clone(), metadata, now))
                .unwrap();
            world.run_for(SECOND);
            assert_eq!(world.sent_tracks(a).pop(), Some((replaced.track, Ok(()))));
            let last = world.events(b).iter().rev().find_map(|event| match event {
                Event::TrackReplaced { track, metadata, .. } => Some((*track, metadata.clone())),
                _ => None,
            });
            assert_eq!(last, Some((track, Some(name.into()))));
            current = replaced.track;
            flows(&mut world, a, current, b, track);
        }
        // JavaScript can't be told of one that came with its stream.
        let now = world.now;
        let (old, spec, metadata) = (added.tracks[1], video()[0].clone(), Some("new".into()));
        let replaced =
            world.with(a, |node| node.replace_track(key, old, spec, metadata, now)).unwrap();
        world.run_for(SECOND);
        let result = world.sent_tracks(a).pop().unwrap().1;
        assert_eq!(result.is_ok(), !world.is_plain);
        flows(&mut world, a, replaced.track, b, told);
        assert!(world.ended_tracks(b).is_empty());
    }
}

#[test]
fn a_track_that_is_replaced_before_it_is_agreed_on_is_answered_as_what_it_was_called() {
    for (mut world, a, b, key) in pairs() {
        for pause in [0, 1_000] {
            let added = world.add_stream(a, key, &camera(), with("camera"));
            world.run_for(Duration::from_millis(pause));
            let old = world.add_track(a, key, added.stream, video()[0].clone(), with("one")).track;
            let (now, spec) = (world.now, video()[0].clone());
            let new = world.with(a, |node| node.replace_track(key, old, spec, None, now));
            let new = new.unwrap().track;
            world.run_for(5 * SECOND);
            let mut sent = world.sent_tracks(a);
            sent.sort_by_key(|(track, _)| *track);
            assert_eq!(sent, [(old, Ok(())), (new, Ok(()))]);
            let (_, told, _) = world.tracks(b).pop().unwrap();
            flows(&mut world, a, new, b, told);
            world.take_events(a);
        }
    }
}

#[test]
fn both_may_add_and_remove_at_once_for_many_rounds() {
    for (mut world, a, b, key) in pairs() {
        let mut streams = Vec::new();
        for round in 0..20 {
            let both = [a, b].map(|who| world.add_stream(who, key, &camera(), with(round)));
            let tracks = [(a, 0), (b, 1)].map(|(who, at)| {
                world.add_track(who, key, both[at].stream, video()[0].clone(), with(round))
            });
            streams.push(both.clone());
            world.run_for(Duration::from_millis(round * 7 % 40));
            for (at, who) in [(0, a), (1, b)] {
                let (now, old) = (world.now, tracks[at].track);
                let spec = video()[0].clone();
                world.with(who, |node| node.replace_track(key, old, spec, None, now)).unwrap();
                if round % 3 != at as u64 {
                    world.remove_stream(who, key, both[at].stream);
                }
            }
        }
        let last = [a, b].map(|who| world.add_stream(who, key, &video(), with("last")));
        world.run_for(120 * SECOND);
        for (who, other, added) in [(a, b, &last[0]), (b, a, &last[1])] {
            let results = world.sent_streams(who);
            assert_eq!(results.len(), 21, "each is answered once");
            let told = world.streams(other);
            let told = told.iter().find(|told| told.metadata == Some("last".into())).unwrap();
            flows(&mut world, who, added.tracks[0], other, told.tracks[0].0);
        }
        let live =
            |world: &World, who: Who| world.streams(who).len() - world.ended_streams(who).len();
        assert_eq!((live(&world, b), live(&world, a)), (8, 8), "of a 7 stay, of b 7, and the last");
    }
}

#[test]
fn one_of_three_may_get_it() {
    for is_plain in [false, true] {
        let mut world = World::new();
        world.is_plain = is_plain;
        let [a, b, c] = ["a", "b", "c"].map(|id| world.add(id));
        let key = world.join(a, room("app", "room"));
        for who in [b, c] {
            world.join(who, room("app", "room"));
        }
        world.run_until(|world| {
            [b, c].iter().all(|who| world.has_joined(a, *who) && world.has_joined(*who, a))
        });
        let targets = Some(vec![world.id(c), "nobody".to_owned().try_into().unwrap()]);
        let added = world.add_stream(a, key, &video(), MediaOptions { targets, ..with("c") });
        assert_eq!(added.peers.len(), 2);
        world.run_for(2 * SECOND);
        assert_eq!((world.streams(b).len(), world.streams(c).len()), (0, 1));
        let track = world.streams(c)[0].tracks[0].0;
        flows(&mut world, a, added.tracks[0], c, track);
        // Then the other one gets it too, with metadata of its own.
        let targets = Some(vec![world.id(b)]);
        world.share_stream(a, key, added.stream, MediaOptions { targets, ..with("b") });
        world.run_for(2 * SECOND);
        assert_eq!(world.streams(b)[0].metadata, Some("b".into()));
        assert_eq!(world.streams(c).len(), 1);
        let (now, targets) = (world.now, [world.id(c)]);
        world.with(a, |node| node.remove_stream(key, added.stream, Some(&targets), now)).unwrap();
        world.run_for(2 * SECOND);
        assert_eq!((world.ended_streams(b).len(), world.ended_streams(c).len()), (0, 1));
        let track = world.streams(b)[0].tracks[0].0;
        flows(&mut world, a, added.tracks[0], b, track);
    }
}

#[test]
fn a_second_room_is_told_without_another_offer_and_the_track_goes_once() {
    for (mut world, a, b, key) in pairs() {
        let other = world.join(a, room("app", "other"));
        world.join(b, room("app", "other"));
        world.run_until(|world| world.joins(a, b) == 2 && world.joins(b, a) == 2);
        let added = world.add_stream(a, key, &video(), with("one"));
        world.share_stream(a, other, added.stream, with("two"));
        world.run_for(2 * SECOND);
        let offers = world.transmitted(a, "memory tracks offer");
        assert_eq!(offers, 1);
        let told = world.streams(b);
        assert_eq!(told.len(), 2);
        assert_eq!(told[0].stream, told[1].stream);
        assert_eq!((told[0].room, told[1].room), (key, other));
        assert_eq!(told[1].metadata, Some("two".into()));
        flows(&mut world, a, added.tracks[0], b, told[0].tracks[0].0);
        world.leave(a, key);
        world.run_for(2 * SECOND);
        assert_eq!(world.ended_streams(b), [(key, told[0].stream)]);
        flows(&mut world, a, added.tracks[0], b, told[0].tracks[0].0);
        world.remove_stream(a, other, added.stream);
        world.run_for(2 * SECOND);
        assert_eq!(world.ended_streams(b).len(), 2);
    }
}

#[test]
fn a_stream_that_comes_to_a_room_again_has_the_tracks_that_were_removed_there() {
    for (mut world, a, b, key) in pairs() {
        let other = world.join(a, room("app", "other"));
        world.join(b, room("app", "other"));
        world.run_until(|world| world.joins(a, b) == 2 && world.joins(b, a) == 2);
        let added = world.add_stream(a, key, &camera(), with("one"));
        world.share_stream(a, other, added.stream, with("two"));
        world.run_for(2 * SECOND);
        let now = world.now;
        world.with(a, |node| node.remove_track(key, added.tracks[0], None, now)).unwrap();
        world.run_for(2 * SECOND);
        world.remove_stream(a, key, added.stream);
        world.run_for(2 * SECOND);
        // Who joins now sees what the room sends, and nothing of the other one.
        let c = world.add("c");
        world.join(c, room("app", "room"));
        world.run_until(|world| world.has_joined(c, a) && world.has_joined(a, c));
        world.share_stream(a, key, added.stream, with("again"));
        world.run_for(2 * SECOND);
        let told = world.streams(c);
        assert_eq!((told.len(), told[0].tracks.len()), (1, 2));
    }
}

#[test]
fn who_comes_later_gets_it_too_unless_that_is_not_wanted() {
    for (mut world, a, b, key) in pairs() {
        let added = world.add_stream(a, key, &video(), with("all"));
        let once = MediaOptions { late_joiners: false, ..with("once") };
        world.add_stream(a, key, &video(), once);
        world.run_for(2 * SECOND);
        assert_eq!(world.streams(b).len(), 2);
        let c = world.add("c");
        world.join(c, room("app", "room"));
        world.run_until(|world| world.has_joined(c, a) && world.has_joined(a, c));
        world.run_for(2 * SECOND);
        let told = world.streams(c);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].metadata, Some("all".into()));
        // It has no key frame yet, and needs one.
        world.take_events(a);
        world.write(a, added.tracks[0], &frame(Codec::Vp8, 5, false));
        assert_eq!(world.wanted(a), [added.tracks[0]; 2], "nobody got one yet");
        flows(&mut world, a, added.tracks[0], c, told[0].tracks[0].0);
        // Who leaves and comes again is as good as someone else.
        let key_of_b = key;
        world.leave(b, key_of_b);
        world.run_for(2 * SECOND);
        world.take_events(b);
        world.join(b, room("app", "room"));
        world.run_for(20 * SECOND);
        let told: Vec<_> = world.streams(b).into_iter().map(|told| told.metadata).collect();
        assert_eq!(told, [Some("all".into())]);
    }
}

#[test]
fn a_connection_that_is_replaced_carries_it_again() {
    for (mut world, a, b, key) in pairs() {
        let added = world.add_stream(a, key, &video(), with("camera"));
        world.run_for(70 * SECOND);
        assert_eq!(world.streams(b).len(), 1);
        world.network_is_cut = true;
        world.run_for(20 * SECOND);
        world.network_is_cut = false;
        world.run_until(|world| world.streams(b).len() == 2);
        let told = world.streams(b);
        assert_ne!(told[0].stream, told[1].stream);
        assert_eq!(world.ended_streams(b), [(key, told[0].stream)]);
        world.run_for(SECOND);
        flows(&mut world, a, added.tracks[0], b, told[1].tracks[0].0);
    }
}

#[test]
fn what_a_peer_took_of_a_track_is_told_to_be_over_when_it_does_not_go_there_any_more() {
    for (mut world, a, b, key) in pairs() {
        let added = world.add_stream(a, key, &video(), with("camera"));
        world.run_for(70 * SECOND);
        let agreed = |world: &World| -> Vec<usize> {
            let count = |event: &Event| match event {
                Event::TrackAgreed { track, codecs, .. } if *track == added.tracks[0] => {
                    Some(codecs.len())
                }
                _ => None,
            };
            world.events(a).iter().filter_map(count).collect()
        };
        assert_eq!(agreed(&world), [1]);
        world.network_is_cut = true;
        world.run_for(20 * SECOND);
        world.network_is_cut = false;
        world.run_until(|world| world.streams(b).len() == 2);
        world.run_for(SECOND);
        assert_eq!(agreed(&world), [1, 0, 1], "the connection was lost");
        let (now, targets) = (world.now, [world.id(b)]);
        world.with(a, |node| node.remove_stream(key, added.stream, Some(&targets), now)).unwrap();
        world.run_for(SECOND);
        assert_eq!(agreed(&world), [1, 0, 1, 0], "it was removed");
        world.share_stream(a, key, added.stream, with("again"));
        world.run_for(2 * SECOND);
        world.leave(b, key);
        world.run_for(2 * SECOND);
        assert_eq!(agreed(&world), [1, 0, 1, 0, 1, 0], "the peer left");
    }
}

#[test]
fn everything_ends_before_the_member_leaves() {
    for (mut world, a, b, key) in pairs() {
        let added = world.add_stream(a, key, &camera(), with("camera"));
        world.run_for(2 * SECOND);
        world.add_stream(b, key, &camera(), with("late"));
        world.leave(a, key);
        world.run_for(2 * SECOND);
        let at = |is_it: &dyn Fn(&Event) -> bool| world.events(b).iter().position(is_it).unwrap();
        let left = at(&|event| matches!(event, Event::PeerLeft { .. }));
        let ended = at(&|event| matches!(event, Event::PeerStreamEnded { .. }));
        assert!(ended < left);
        assert_eq!(world.ended_tracks(b).len(), 2);
        assert_eq!(world.sent_streams(b).last().unwrap().2, Err(MediaFailure::Left));
        let now = world.now;
        let written = world
            .with(a, |node| node.write_frame(added.tracks[0], &frame(Codec::Opus, 1, true), now));
        assert_eq!(written, Err(MediaError::NoSuchTrack));
    }
}

#[test]
fn a_peer_that_takes_nothing_or_no_such_codec_refuses() {
    for is_plain in [false, true] {
        let mut world = World::new();
        world.is_plain = is_plain;
        let [a, b, c] = ["a", "b", "c"].map(|id| world.add(id));
        let key = world.join(a, room("app", "room"));
        let config = MediaConfig { receives: false, ..MediaConfig::default() };
        world.join(b, RoomConfig { media: config, ..room("app", "room") });
        let config = MediaConfig { codecs: vec![Codec::Av1], ..MediaConfig::default() };
        world.join(c, RoomConfig { media: config, ..room("app", "room") });
        world.run_until(|world| world.has_joined(a, b) && world.has_joined(a, c));
        let added = world.add_stream(a, key, &video(), with("vp8"));
        let any = [TrackSpec::any(MediaKind::Video)];
        let other = world.add_stream(a, key, &any, with("any"));
        world.run_for(3 * SECOND);
        let mut sent = world.sent_streams(a);
        sent.sort_by_key(|(stream, peer, _)| (*stream, *peer));
        let refused = Err(MediaFailure::Refused);
        assert_eq!(
            sent,
            [
                (added.stream, b, refused),
                (added.stream, c, refused),
                (other.stream, b, refused),
                (other.stream, c, Ok(()))
            ]
        );
        let written = world.write(a, other.tracks[0], &frame(Codec::Av1, 1, true));
        assert_eq!(written, Written { taken: 1, dropped: 1 });
        let written = world.write(a, other.tracks[0], &frame(Codec::Vp8, 1, true));
        assert_eq!(written, Written { taken: 0, dropped: 2 });
        world.run_for(SECOND);
        assert!(world.streams(b).is_empty());
    }
}

#[test]
fn what_replaces_a_refused_track_is_offered_to_who_refused_it() {
    for is_plain in [false, true] {
        let mut world = World::new();
        world.is_plain = is_plain;
        let (a, b) = (world.add("a"), world.add("b"));
        let key = world.join(a, room("app", "room"));
        let config = MediaConfig { codecs: vec![Codec::Av1], ..MediaConfig::default() };
        world.join(b, RoomConfig { media: config, ..room("app", "room") });
        world.run_until(|world| world.has_joined(a, b) && world.has_joined(b, a));
        let added = world.add_stream(a, key, &video(), with("video"));
        world.run_for(SECOND);
        let refused = Err(MediaFailure::Refused);
        assert_eq!(world.sent_streams(a), [(added.stream, b, refused)]);
        let (now, spec) = (world.now, TrackSpec::of(Codec::Av1));
        let new = world
            .with(a, |node| node.replace_track(key, added.tracks[0], spec, None, now))
            .unwrap()
            .track;
        world.run_for(5 * SECOND);
        let written = world.write(a, new, &frame(Codec::Av1, 1, true));
        assert_eq!(written, Written { taken: 1, dropped: 0 });
        world.run_for(SECOND);
        let told = world.streams(b)[0].tracks[0].0;
        assert_eq!(world.frames(b, told), [1]);
    }
}

#[test]
fn what_replaces_a_track_while_that_is_offered_is_offered_if_it_has_other_codecs() {
    for (mut world, a, b, key) in pairs() {
        let added = world.add_stream(a, key, &[TrackSpec::of(Codec::Vp8)], with("video"));
        let (now, spec) = (world.now, TrackSpec::of(Codec::H264));
        let new = world
            .with(a, |node| node.replace_track(key, added.tracks[0], spec, None, now))
            .unwrap()
            .track;
        world.run_for(5 * SECOND);
        let written = world.write(a, new, &frame(Codec::H264, 1, true));
        assert_eq!(written, Written { taken: 1, dropped: 0 });
        world.run_for(SECOND);
        let told = world.streams(b)[0].tracks[0].0;
        assert_eq!(world.frames(b, told), [1]);
    }
}

#[test]
fn lost_frames_bring_key_frames_and_what_finds_no_room_is_dropped_until_one_comes() {
    for (mut world, a, b, key) in pairs() {
        let added = world.add_stream(a, key, &video(), with("video"));
        let track = added.tracks[0];
        world.run_for(2 * SECOND);
        let told = world.streams(b)[0].tracks[0].0;
        flows(&mut world, a, track, b, told);
        world.take_events(a);
        world.loses_media = true;
        world.write(a, track, &frame(Codec::Vp8, 3, false));
        world.run_for(SECOND);
        world.loses_media = false;
        for number in 4..24 {
            world.write(a, track, &frame(Codec::Vp8, number, false));
            world.run_for(Duration::from_millis(50));
        }
        assert_eq!(world.wanted(a), [track; 2], "one in each half second");
        flows(&mut world, a, track, b, told);
        world.take_events(a);
        // One that is too large is dropped, and so are those that need it.
        let mut large = frame(Codec::Vp8, 9, false);
        large.bytes = vec![9; 1_000_000].into();
        world.run_for(SECOND);
        let dropped = Written { taken: 0, dropped: 1 };
        assert_eq!(world.write(a, track, &large), dropped);
        assert_eq!(world.write(a, track, &frame(Codec::Vp8, 10, false)), dropped);
        assert_eq!(world.wanted(a), [track]);
        flows(&mut world, a, track, b, told);
        // Either side may ask, and ask too often.
        world.take_events(a);
        world.run_for(SECOND);
        for _ in 0..10 {
            let now = world.now;
            world.with(b, |node| node.request_key_frame(told, now));
        }
        world.run_for(Duration::from_millis(400));
        assert_eq!(world.wanted(a), [track]);
        // A track that is muted sends nothing, and one that is ignored is not told.
        world.with(a, |node| node.mute_track(track, true)).unwrap();
        assert_eq!(world.write(a, track, &frame(Codec::Vp8, 1, true)), Written::default());
        world.with(a, |node| node.mute_track(track, false)).unwrap();
        let late = world.write(a, track, &frame(Codec::Vp8, 2, false));
        assert_eq!(late, dropped, "it goes on with a key frame");
        let now = world.now;
        world.with(b, |node| node.ignore_track(told, true, now));
        let before = world.frames(b, told);
        world.write(a, track, &frame(Codec::Vp8, 1, true));
        world.run_for(SECOND);
        assert_eq!(world.frames(b, told), before);
        let now = world.now;
        world.with(b, |node| node.ignore_track(told, false, now));
        flows(&mut world, a, track, b, told);
        let info = world.node(b).media_info(key, &world.id(a)).unwrap();
        assert!(info.is_possible && info.received[0].0 == told);
        let info = world.node(a).media_info(key, &world.id(b)).unwrap();
        assert_eq!((info.sent[0].0, info.sent[0].1.key_frames), (track, 5));
    }
}

#[test]
fn a_track_is_relayed_inside_a_node_with_the_wish_for_key_frames() {
    let mut world = World::new();
    let [a, b, c] = ["a", "b", "c"].map(|id| world.add(id));
    let up = world.join(a, room("app", "up"));
    world.join(b, room("app", "up"));
    let down = world.join(b, room("app", "down"));
    world.join(c, room("app", "down"));
    world.run_until(|world| world.has_joined(b, a) && world.has_joined(b, c));
    let source = world.add_stream(a, up, &video(), with("source"));
    let relay = world.add_stream(b, down, &video(), with("relay"));
    world.run_for(2 * SECOND);
    let from = world.streams(b)[0].tracks[0].0;
    let told = world.streams(c)[0].tracks[0].0;
    world.take_events(a);
    let now = world.now;
    world.with(b, |node| node.relay_track(from, relay.tracks[0], true, now)).unwrap();
    world.run_for(SECOND);
    assert_eq!(world.wanted(a), [source.tracks[0]], "it begins with a key frame");
    let before = world.frames(c, told).len();
    for (number, is_key) in [(1, true), (2, false)] {
        world.write(a, source.tracks[0], &frame(Codec::Vp8, number, is_key));
    }
    world.run_for(SECOND);
    assert_eq!(world.frames(c, told)[before..], [1, 2]);
    world.take_events(a);
    let now = world.now;
    world.with(c, |node| node.request_key_frame(told, now));
    world.run_for(SECOND);
    assert_eq!(world.wanted(a), [source.tracks[0]]);
    assert!(world.wanted(b).is_empty(), "the source was asked");
    // What is lost on the way is a gap behind it too.
    world.loses_media = true;
    world.write(a, source.tracks[0], &frame(Codec::Vp8, 3, false));
    world.loses_media = false;
    for (number, is_key) in [(4, false), (5, true), (6, false)] {
        world.write(a, source.tracks[0], &frame(Codec::Vp8, number, is_key));
    }
    world.run_for(SECOND);
    assert_eq!(world.frames(c, told)[before..], [1, 2, 5, 6]);
    let now = world.now;
    world.with(b, |node| node.relay_track(from, relay.tracks[0], false, now)).unwrap();
    world.write(a, source.tracks[0], &frame(Codec::Vp8, 7, true));
    world.run_for(SECOND);
    assert_eq!(world.frames(c, told)[before..], [1, 2, 5, 6]);
}

#[test]
fn a_relay_asks_for_a_key_frame_as_soon_as_somebody_takes_it() {
    let mut world = World::new();
    let [a, b, c] = ["a", "b", "c"].map(|id| world.add(id));
    let up = world.join(a, room("app", "up"));
    world.join(b, room("app", "up"));
    let down = world.join(b, room("app", "down"));
    world.run_until(|world| world.has_joined(b, a));
    let source = world.add_stream(a, up, &video(), with("source"));
    let relay = world.add_stream(b, down, &video(), with("relay"));
    world.run_for(2 * SECOND);
    let from = world.streams(b)[0].tracks[0].0;
    world.take_events(a);
    let now = world.now;
    world.with(b, |node| node.relay_track(from, relay.tracks[0], true, now)).unwrap();
    world.run_for(SECOND);
    assert!(world.wanted(a).is_empty(), "nobody would see it");
    world.join(c, room("app", "down"));
    world.run_until(|world| !world.wanted(a).is_empty());
    assert_eq!(world.wanted(a), [source.tracks[0]], "though nothing came to be sent on");
    world.write(a, source.tracks[0], &frame(Codec::Vp8, 1, true));
    world.run_for(SECOND);
    let told = world.streams(c)[0].tracks[0].0;
    assert_eq!(world.frames(c, told), [1]);
}

#[test]
fn a_relay_ends_with_the_track_that_is_replaced() {
    let mut world = World::new();
    let [a, b, c] = ["a", "b", "c"].map(|id| world.add(id));
    let up = world.join(a, room("app", "up"));
    world.join(b, room("app", "up"));
    let down = world.join(b, room("app", "down"));
    world.join(c, room("app", "down"));
    world.run_until(|world| world.has_joined(b, a) && world.has_joined(b, c));
    let source = world.add_stream(a, up, &video(), with("source"));
    let relay = world.add_stream(b, down, &video(), with("relay"));
    world.run_for(2 * SECOND);
    let from = world.streams(b)[0].tracks[0].0;
    let told = world.streams(c)[0].tracks[0].0;
    let (now, old) = (world.now, relay.tracks[0]);
    world.with(b, |node| node.relay_track(from, old, true, now)).unwrap();
    let spec = video()[0].clone();
    let new = world.with(b, |node| node.replace_track(down, old, spec, None, now)).unwrap().track;
    world.run_for(SECOND);
    for who in [a, b] {
        world.take_events(who);
    }
    world.write(a, source.tracks[0], &frame(Codec::Vp8, 7, true));
    world.run_for(SECOND);
    assert!(world.frames(c, told).is_empty(), "it is not sent on as the new one");
    let now = world.now;
    world.with(c, |node| node.request_key_frame(told, now));
    world.run_for(SECOND);
    assert_eq!(world.wanted(b), [new], "whoever writes the new one is asked");
    assert!(world.wanted(a).is_empty());
    flows(&mut world, b, new, c, told);
    // The new one may be relayed too, and that may be ended.
    for is_on in [true, false] {
        let now = world.now;
        world.with(b, |node| node.relay_track(from, new, is_on, now)).unwrap();
        let before = world.frames(c, told).len();
        world.write(a, source.tracks[0], &frame(Codec::Vp8, 8, true));
        world.run_for(SECOND);
        assert_eq!(world.frames(c, told).len() - before, usize::from(is_on));
    }
}

#[test]
fn a_packet_arrives_as_it_was_sent() {
    for (mut world, a, b, key) in pairs() {
        let added = world.add_stream(a, key, &video(), with("packets"));
        world.run_for(2 * SECOND);
        let told = world.streams(b)[0].tracks[0].0;
        let sent = tristero_proto::media::RtpPacket {
            codec: Codec::Vp8,
            sequence: 70_000,
            time: 7,
            is_marked: true,
            payload: vec![1, 2, 3].into(),
        };
        let now = world.now;
        world.with(a, |node| node.write_packet(added.tracks[0], &sent, now)).unwrap();
        world.run_for(SECOND);
        let arrived = world.events(b).iter().find_map(|event| match event {
            Event::Packet { track, packet } => Some((*track, packet.clone())),
            _ => None,
        });
        assert_eq!(arrived, Some((told, sent)));
    }
}

#[test]
fn mistakes_are_errors_and_change_nothing() {
    let (mut world, a, _, key) = World::met(&room("app", "room"));
    let nowhere = RoomKey::from_number(99);
    let now = world.now;
    let large = || with("x".repeat(70_000));
    world.with(a, |node| {
        let any = MediaOptions::default;
        assert_eq!(node.add_stream(key, &[], any(), now), Err(MediaError::NoTracks));
        assert_eq!(node.add_stream(nowhere, &video(), any(), now), Err(MediaError::RoomGone));
        let too_large = node.add_stream(key, &video(), large(), now);
        assert!(matches!(too_large, Err(MediaError::MetadataTooLarge { .. })));
        let spec = TrackSpec { kind: MediaKind::Audio, codecs: vec![Codec::Vp8] };
        let other_kind = node.add_stream(key, &[spec], any(), now);
        assert_eq!(other_kind, Err(MediaError::OtherKind(MediaKind::Video)));
        let many = vec![TrackSpec::of(Codec::Opus); 2_000];
        assert_eq!(node.add_stream(key, &many, any(), now), Err(MediaError::TooManyTracks));
        let added = node.add_stream(key, &video(), any(), now).unwrap();
        let track = added.tracks[0];
        let empty = tristero_proto::media::MediaFrame {
            bytes: Vec::new().into(),
            ..frame(Codec::Vp8, 1, true)
        };
        assert_eq!(node.write_frame(track, &empty, now), Err(MediaError::Empty));
        let opus = frame(Codec::Opus, 1, true);
        let other_kind = Err(MediaError::OtherKind(MediaKind::Audio));
        assert_eq!(node.write_frame(track, &opus, now), other_kind);
        let no_track = TrackId::from_number(99);
        let missing = node.remove_track(key, no_track, None, now);
        assert_eq!(missing, Err(MediaError::NoSuchTrack));
        let no_peer = PeerTrackId::from_number(99);
        let missing = node.relay_track(no_peer, track, true, now);
        assert_eq!(missing, Err(MediaError::NoSuchTrack));
        node.remove_stream(key, added.stream, None, now).unwrap();
        let missing = node.remove_stream(key, added.stream, None, now);
        assert_eq!(missing, Err(MediaError::NoSuchStream));
    });
}
