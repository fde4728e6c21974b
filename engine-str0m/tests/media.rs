//! Audio and video between two of ours: tracks begin and end, and frames arrive.

#![allow(clippy::unwrap_used)]

mod harness;

use std::time::Duration;

use harness::World;
use harness::media::{
    A, B, End, agree, answer, audio, connected, connected_with, frame, lines, propose,
    propose_this, send_frame, track, video,
};
use tristero_proto::engine::{Engine, MediaOutcome, Proposal};
use tristero_proto::media::{Codec, MediaConfig, MediaKind, Medium};

const FRAME_TIME: Duration = Duration::from_millis(20);

/// Sends frames of one track, the first a key frame.
fn send(world: &mut World, from: End, number: u64, codec: Codec, count: u64) {
    for index in 0..count {
        let length = if codec.kind() == MediaKind::Audio { 160 } else { 3_000 };
        let frame = frame(codec, index, index == 0, length);
        assert_eq!(send_frame(world, from, number, &frame), MediaOutcome::Taken, "{codec}");
        world.run_for(FRAME_TIME);
    }
    world.run_for(Duration::from_millis(500));
}

#[test]
fn frames_of_every_codec_arrive_as_they_were_sent() {
    frames_arrive_from(&MediaConfig::default());
}

#[test]
fn who_receives_packets_may_send_frames() {
    frames_arrive_from(&MediaConfig { medium: Medium::Packets, ..MediaConfig::default() });
}

fn frames_arrive_from(sender: &MediaConfig) {
    for codec in Codec::ALL {
        let mut world = connected_with(sender, &MediaConfig::default());
        let mut sent = if codec.kind() == MediaKind::Audio { audio(1) } else { video(1) };
        sent.codecs = vec![codec];
        agree(&mut world, A, B, &[sent.clone()]);
        assert_eq!(world.hosts[0].log(A.1).agreed, [(track(1), vec![codec])]);
        let (incoming, kind, msid) = world.hosts[1].log(B.1).began[0].clone();
        assert_eq!((kind, msid), (codec.kind(), Some(sent.msid)));
        send(&mut world, A, 1, codec, 20);
        let frames = &world.hosts[1].log(B.1).frames;
        // Sound is held back for as long as what is missing may come.
        assert!(frames.len() >= if codec.kind() == MediaKind::Audio { 18 } else { 20 }, "{codec}");
        for (index, (of, arrived)) in frames.iter().enumerate() {
            let number = index as u64;
            let length = if codec.kind() == MediaKind::Audio { 160 } else { 3_000 };
            let expected = frame(codec, number, number == 0, length);
            assert_eq!(arrived.bytes, expected.bytes, "{codec} {number}");
            assert_eq!(*of, incoming);
            assert_eq!(arrived.codec, codec);
            assert_eq!(arrived.is_key, codec.kind() == MediaKind::Audio || number == 0);
            let since = arrived.time.ticks() - frames[0].1.time.ticks();
            assert_eq!(since, expected.time.ticks(), "{codec} {number}");
            assert_eq!(arrived.time.rate(), codec.clock_rate());
            assert!(arrived.is_contiguous);
        }
        let info = world.hosts[1].engine.media_info(B.1);
        assert!(info.is_possible);
        assert_eq!(info.received[0].1.frames, frames.len() as u64);
        assert_eq!(world.hosts[0].engine.media_info(A.1).sent[0].1.frames, 20);
    }
}

#[test]
fn both_sides_may_send_several_tracks_beside_data() {
    let mut world = connected();
    agree(&mut world, A, B, &[audio(1), video(2)]);
    agree(&mut world, B, A, &[video(1), audio(2)]);
    for index in 0..10 {
        for (end, number, codec) in
            [(A, 1, Codec::Opus), (A, 2, Codec::Vp8), (B, 1, Codec::Vp8), (B, 2, Codec::Opus)]
        {
            let frame = frame(codec, index, index == 0, 900);
            assert_eq!(send_frame(&mut world, end, number, &frame), MediaOutcome::Taken);
        }
        world.run_for(FRAME_TIME);
    }
    world.assert_delivers(A, B, b"one way");
    world.assert_delivers(B, A, b"the other");
    world.run_for(Duration::from_secs(1));
    for (host, id) in [A, B] {
        let log = world.hosts[host].log(id);
        assert_eq!(log.receiving().count(), 2);
        for incoming in log.receiving() {
            assert_eq!(log.frames.iter().filter(|(of, _)| *of == incoming).count(), 10);
        }
    }
}

#[test]
fn a_track_that_is_removed_ends_and_another_takes_its_section() {
    let mut world = connected();
    agree(&mut world, A, B, &[video(1)]);
    send(&mut world, A, 1, Codec::Vp8, 5);
    let before = world.hosts[1].log(B.1).frames.len();
    assert_eq!(before, 5);
    let offer = agree(&mut world, A, B, &[]);
    assert_eq!(lines(&offer, "m=video").len(), 1);
    assert_eq!(world.hosts[1].log(B.1).receiving().count(), 0);
    let frame = frame(Codec::Vp8, 9, true, 100);
    assert_eq!(send_frame(&mut world, A, 1, &frame), MediaOutcome::Unwanted);
    world.run_for(Duration::from_secs(5));
    for round in 2..6 {
        let answer = agree(&mut world, A, B, &[video(round)]);
        assert_eq!(lines(&answer, "m=video").len(), 1, "one section is enough");
        assert_eq!(world.hosts[1].log(B.1).receiving().count(), 1);
        let (_, _, msid) = world.hosts[1].log(B.1).began.last().cloned().unwrap();
        assert_eq!(msid, Some(video(round).msid));
        let before = world.hosts[1].log(B.1).frames.len();
        send(&mut world, A, round, Codec::Vp8, 5);
        assert_eq!(world.hosts[1].log(B.1).frames.len(), before + 5, "in round {round}");
    }
}

#[test]
fn sections_do_not_grow_in_number_with_what_comes_and_goes() {
    let mut world = connected();
    for round in 0..6 {
        let first = 10 * round;
        let offer = agree(&mut world, A, B, &[video(first), video(first + 1), audio(first + 2)]);
        assert_eq!(lines(&offer, "m=").len(), 4, "in round {round}");
        assert_eq!(world.hosts[1].log(B.1).receiving().count(), 3);
        send(&mut world, A, first + 1, Codec::Vp8, 2);
        agree(&mut world, A, B, &[]);
    }
    assert_eq!(world.hosts[1].log(B.1).frames.len(), 12);
}

#[test]
fn key_frames_are_asked_for() {
    let mut world = connected();
    agree(&mut world, A, B, &[video(7)]);
    let incoming = world.hosts[1].log(B.1).began[0].0;
    send(&mut world, A, 7, Codec::Vp8, 3);
    let now = world.now;
    world.hosts[1].engine.request_key_frame(B.1, incoming, now);
    world.drain();
    world.run_for(Duration::from_millis(100));
    assert_eq!(world.hosts[0].log(A.1).key_frames_wanted, [track(7)]);
}

#[test]
fn what_is_lost_is_sent_again() {
    let mut world = connected();
    agree(&mut world, A, B, &[video(1)]);
    world.loses_one_of = 10;
    for index in 0..100 {
        let frame = frame(Codec::Vp8, index, index % 50 == 0, 3_000);
        send_frame(&mut world, A, 1, &frame);
        world.run_for(FRAME_TIME);
    }
    world.run_for(Duration::from_secs(1));
    let frames = &world.hosts[1].log(B.1).frames;
    assert!(frames.len() > 95, "{}", frames.len());
    let mut numbers =
        frames.iter().map(|(_, frame)| (frame.time.ticks() - frames[0].1.time.ticks()) / 1_800);
    let mut last = numbers.next().unwrap();
    for ((_, frame), number) in frames.iter().skip(1).zip(numbers) {
        assert!(!frame.is_contiguous || number == last + 1, "{number} after {last}");
        last = number;
    }
}

#[test]
fn the_codecs_of_a_room_are_kept_to() {
    let only = |codecs: &[Codec]| MediaConfig { codecs: codecs.to_vec(), ..MediaConfig::default() };
    let mut world =
        connected_with(&MediaConfig::default(), &only(&[Codec::Vp9, Codec::Vp8, Codec::Pcma]));
    let answer = agree(&mut world, A, B, &[video(1), audio(2)]);
    let agreed = &world.hosts[0].log(A.1).agreed;
    assert_eq!(agreed[0], (track(1), vec![Codec::Vp9, Codec::Vp8]), "the answer decides");
    assert_eq!(agreed[1], (track(2), vec![Codec::Pcma]));
    assert!(!answer.contains("H264"));
    // And the other way round.
    let mut wished = video(1);
    wished.codecs = vec![Codec::H264];
    agree(&mut world, B, A, &[wished]);
    assert_eq!(world.hosts[1].log(B.1).agreed[0], (track(1), vec![]), "there is no codec");
}

#[test]
fn who_receives_nothing_refuses_and_goes_on() {
    let deaf = MediaConfig { receives: false, ..MediaConfig::default() };
    let mut world = connected_with(&MediaConfig::default(), &deaf);
    let answer = agree(&mut world, A, B, &[video(1), video(2), audio(3)]);
    assert_eq!(lines(&answer, "m=video 9").len(), 2, "they are used for the next tracks");
    assert_eq!(lines(&answer, "a=inactive").len(), 3);
    let agreed = &world.hosts[0].log(A.1).agreed;
    assert!(agreed.len() == 3 && agreed.iter().all(|(_, codecs)| codecs.is_empty()), "{agreed:?}");
    assert!(world.hosts[1].log(B.1).began.is_empty());
    world.assert_delivers(A, B, b"there");
    // It may send itself.
    agree(&mut world, B, A, &[video(1)]);
    send(&mut world, B, 1, Codec::Vp8, 3);
    assert_eq!(world.hosts[0].log(A.1).frames.len(), 3);
}

#[test]
fn of_two_proposals_at_once_one_is_given_up_and_made_again() {
    let mut world = connected();
    let ours = propose(&mut world, A, &[video(1)]);
    let theirs = propose(&mut world, B, &[video(1)]);
    let answered = answer(&mut world, B, &ours).unwrap();
    world.accept(0, A.1, &answered);
    let now = world.now;
    assert!(world.hosts[1].engine.accept_answer(B.1, &answered, now).is_err(), "{theirs}");
    agree(&mut world, B, A, &[video(1)]);
    send(&mut world, A, 1, Codec::Vp8, 3);
    send(&mut world, B, 1, Codec::Vp8, 3);
    for (host, id) in [A, B] {
        assert_eq!(world.hosts[host].log(id).frames.len(), 3);
    }
}

#[test]
fn an_offer_that_was_given_up_may_have_been_taken_all_the_same() {
    let mut world = connected();
    let offer = propose(&mut world, A, &[video(1)]);
    // It is answered, and the answer comes too late.
    let late = answer(&mut world, B, &offer).unwrap();
    let now = world.now;
    world.hosts[0].engine.roll_back(A.1, now);
    assert!(world.hosts[0].engine.accept_answer(A.1, &late, now).is_err());
    // Either may go on.
    let answered = agree(&mut world, A, B, &[audio(2)]);
    assert_eq!(lines(&answered, "m=").len(), 3, "{answered}");
    agree(&mut world, B, A, &[video(5)]);
    agree(&mut world, A, B, &[audio(2), video(1)]);
    send(&mut world, A, 1, Codec::Vp8, 3);
    send(&mut world, B, 5, Codec::Vp8, 4);
    send(&mut world, A, 2, Codec::Opus, 5);
    assert_eq!(world.hosts[0].log(A.1).frames.len(), 4);
    assert!(world.hosts[1].log(B.1).frames.len() >= 3 + 3);
}

#[test]
fn ice_restarts_while_tracks_go_on() {
    let mut world = connected();
    agree(&mut world, A, B, &[video(1)]);
    agree(&mut world, B, A, &[audio(1)]);
    send(&mut world, A, 1, Codec::Vp8, 3);
    for (x, y) in [(A, B), (B, A)] {
        let offer = propose_this(&mut world, x, &Proposal::Restart);
        assert!(offer.contains("a=candidate:"), "{offer}");
        assert_eq!(lines(&offer, "m=").len(), 3, "{offer}");
        let answer = answer(&mut world, y, &offer).unwrap();
        world.accept(x.0, x.1, &answer);
        world.run_for(Duration::from_secs(1));
        let before = world.hosts[1].log(B.1).frames.len();
        send(&mut world, A, 1, Codec::Vp8, 3);
        let frames = &world.hosts[1].log(B.1).frames;
        assert_eq!(frames.len(), before + 3);
        send(&mut world, B, 1, Codec::Opus, 20);
    }
    assert!(world.hosts[0].log(A.1).frames.len() > 35);
    assert_eq!(world.hosts[0].log(A.1).began.len(), 1, "they are the same tracks");
    assert_eq!(world.hosts[1].log(B.1).began.len(), 1);
}

#[test]
fn tracks_end_with_their_connection() {
    let mut world = connected();
    agree(&mut world, A, B, &[video(1), audio(2)]);
    world.close(A);
    world.run_for(Duration::from_secs(1));
    let log = world.hosts[1].log(B.1);
    assert_eq!((log.ended.len(), log.closed.len()), (2, 1));
}

#[test]
fn what_was_not_agreed_on_or_makes_no_sense_is_not_sent() {
    let mut world = connected();
    let good = frame(Codec::Vp8, 0, true, 100);
    assert_eq!(send_frame(&mut world, A, 1, &good), MediaOutcome::Unwanted, "there is no track");
    propose(&mut world, A, &[video(1)]);
    assert_eq!(send_frame(&mut world, A, 1, &good), MediaOutcome::Unwanted, "nobody answered");
    let mut only = video(1);
    only.codecs = vec![Codec::H264];
    agree(&mut world, A, B, &[only]);
    assert_eq!(send_frame(&mut world, A, 1, &good), MediaOutcome::Unwanted, "it is another codec");
    for bytes in [&[][..], &[1, 2, 3], &[0, 0, 0, 1]] {
        let mut bad = frame(Codec::H264, 0, true, 100);
        bad.bytes = bytes.into();
        assert_eq!(send_frame(&mut world, A, 1, &bad), MediaOutcome::Unwanted, "{bytes:?}");
    }
    send(&mut world, A, 1, Codec::H264, 3);
    assert_eq!(world.hosts[1].log(B.1).frames.len(), 3);
}

#[test]
fn what_can_not_be_on_its_way_at_once_is_dropped() {
    let mut world = connected();
    agree(&mut world, A, B, &[video(1)]);
    let now = world.now;
    let engine = &mut world.hosts[0].engine;
    let large = frame(Codec::Vp8, 0, true, 300 * 1024);
    assert_eq!(engine.send_frame(A.1, track(1), &large, now), MediaOutcome::Taken);
    assert_eq!(engine.send_frame(A.1, track(1), &large, now), MediaOutcome::Full);
    for index in 0..255 {
        let small = frame(Codec::Vp8, index, false, 100);
        assert_eq!(engine.send_frame(A.1, track(1), &small, now), MediaOutcome::Taken);
    }
    let small = frame(Codec::Vp8, 300, false, 100);
    assert_eq!(engine.send_frame(A.1, track(1), &small, now), MediaOutcome::Full);
    assert_eq!(engine.media_info(A.1).sent[0].1.dropped, 2);
    world.run_for(Duration::from_secs(2));
    assert_eq!(world.hosts[1].log(B.1).frames.len(), 256);
    send(&mut world, A, 1, Codec::Vp8, 3);
}
