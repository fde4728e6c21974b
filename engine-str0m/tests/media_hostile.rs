//! Media that somebody forged, and peers that send what no browser does.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod harness;

use std::time::Duration;

use harness::World;
use harness::media::{
    A, B, agree, answer, audio, connected, connected_with, frame, lines, propose, send_frame,
    track, video,
};
use tristero_proto::Seed;
use tristero_proto::engine::{Engine, MediaOutcome};
use tristero_proto::media::{Codec, MediaConfig, Medium, RtpPacket};

/// Something that looks like RTP.
fn packet(ssrc: u32, payload_type: u8, sequence: u16, length: usize) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 9]);
    packet.extend(ssrc.to_be_bytes());
    packet.resize(packet.len() + length, 7);
    packet
}

/// The sources of the first track that end A sends.
fn sources(world: &World) -> Vec<u32> {
    let offer = world.hosts[0].log(A.1).descriptions.last().unwrap();
    let mut sources: Vec<u32> = lines(offer, "a=ssrc:")
        .iter()
        .map(|line| line["a=ssrc:".len()..].split(' ').next().unwrap().parse().unwrap())
        .collect();
    sources.dedup();
    sources
}

fn send(world: &mut World, count: u64) {
    for index in 0..count {
        let frame = frame(Codec::Vp8, index, index == 0, 3_000);
        assert_eq!(send_frame(world, A, 1, &frame), MediaOutcome::Taken);
        world.run_for(Duration::from_millis(20));
    }
    world.run_for(Duration::from_millis(500));
}

#[test]
fn forged_packets_change_nothing() {
    let mut world = connected();
    agree(&mut world, A, B, &[video(1)]);
    let from = world.hosts[0].address;
    let known = sources(&world);
    let mut rng = Seed::from_number(1).rng("test");
    let before_any = world.hosts[1].engine.counters().surplus_media;
    for round in 0..20_u16 {
        for _ in 0..500 {
            let ssrc = u32::from_be_bytes(rng.bytes());
            let forged = packet(ssrc, 96, rng.below(65_536) as u16, 100);
            world.arrive(1, from, &forged);
        }
        // Some even have the right source.
        for (ssrc, number) in known.iter().zip([96, 97]) {
            let forged = packet(*ssrc, number, rng.below(65_536) as u16, 100);
            world.arrive(1, from, &forged);
            world.arrive(1, from, &forged[..usize::from(round % 14)]);
        }
        for report in [200, 201, 205, 206] {
            world.arrive(1, from, &packet(1, report, 6, 40));
        }
    }
    let counted = world.hosts[1].engine.counters().surplus_media - before_any;
    assert!(counted >= 10_000, "{counted}");
    assert!(world.hosts[1].log(B.1).frames.is_empty());
    send(&mut world, 10);
    assert_eq!(world.hosts[1].log(B.1).frames.len(), 10);
    world.assert_delivers(A, B, b"there");
}

#[test]
fn packets_on_a_connection_without_media_are_strangers() {
    let mut world = connected();
    let from = world.hosts[0].address;
    for number in 0..200 {
        world.arrive(1, from, &packet(0, number, 1, 100));
        world.arrive(1, from, &packet(9, number, 1, 100));
        world.arrive(1, "10.9.9.9:9".parse().unwrap(), &packet(9, number, 1, 100));
    }
    let counters = world.hosts[1].engine.counters();
    assert_eq!((counters.surplus_media, counters.stranger_datagrams), (400, 200));
    world.assert_delivers(A, B, b"there");
}

fn packets() -> MediaConfig {
    MediaConfig { medium: Medium::Packets, ..MediaConfig::default() }
}

fn rtp(sequence: u64, is_marked: bool, payload: &[u8]) -> RtpPacket {
    RtpPacket {
        codec: Codec::Vp8,
        sequence,
        time: 90_u32.wrapping_mul(sequence as u32),
        is_marked,
        payload: payload.to_vec().into(),
    }
}

fn send_packet(world: &mut World, packet: &RtpPacket) -> MediaOutcome {
    let now = world.now;
    let outcome = world.hosts[0].engine.send_packet(A.1, track(1), packet, now);
    world.drain();
    outcome
}

#[test]
fn a_peer_whose_packets_never_make_a_frame_takes_little() {
    let mut world = connected_with(&packets(), &MediaConfig::default());
    agree(&mut world, A, B, &(1..=8).map(video).collect::<Vec<_>>());
    // It begins a frame, and goes on for ever.
    for sequence in 0..5_000 {
        for number in 1..=8 {
            let now = world.now;
            let packet = rtp(sequence, false, &[if sequence == 0 { 0x10 } else { 0 }; 900]);
            let _ = world.hosts[0].engine.send_packet(A.1, track(number), &packet, now);
        }
        world.run_for(Duration::from_millis(6));
        world.sent.clear();
    }
    let dropped = world.hosts[1].engine.counters().surplus_media;
    assert!(dropped > 5_000, "{dropped}");
    assert!(world.hosts[1].log(B.1).frames.is_empty());
    world.assert_delivers(A, B, b"there");
    // Another track is none the worse.
    let mut tracks: Vec<_> = (1..=8).map(video).collect();
    tracks.push(audio(9));
    agree(&mut world, A, B, &tracks);
    for sequence in 0..40 {
        let packet = RtpPacket {
            codec: Codec::Opus,
            time: sequence as u32 * 960,
            ..rtp(sequence, false, &[9; 50])
        };
        let now = world.now;
        let sent = world.hosts[0].engine.send_packet(A.1, track(9), &packet, now);
        assert_eq!(sent, MediaOutcome::Taken);
        world.run_for(Duration::from_millis(20));
    }
    assert!(world.hosts[1].log(B.1).frames.len() > 20);
}

#[test]
fn packets_that_make_no_sense_are_dropped_and_the_connection_goes_on() {
    let mut world = connected_with(&packets(), &MediaConfig::default());
    for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
        let mut only = video(1);
        only.codecs = vec![codec];
        agree(&mut world, A, B, &[only]);
        let mut rng = Seed::from_number(7).rng("test");
        for sequence in 0..400 {
            let mut payload = vec![0; 1 + rng.below(60) as usize];
            rng.fill(&mut payload);
            let packet = RtpPacket { codec, ..rtp(sequence, rng.below(2) == 0, &payload) };
            assert_eq!(send_packet(&mut world, &packet), MediaOutcome::Taken);
            world.run_for(Duration::from_millis(2));
        }
        world.run_for(Duration::from_secs(2));
        agree(&mut world, A, B, &[]);
    }
    assert!(world.is_open(A) && world.is_open(B));
    assert!(world.closed(A).is_empty() && world.closed(B).is_empty());
    world.assert_delivers(A, B, b"there");
    world.assert_delivers(B, A, b"and back");
}

#[test]
fn packets_go_as_they_are_between_two_who_want_them() {
    let mut world = connected_with(&packets(), &packets());
    agree(&mut world, A, B, &[video(1)]);
    let incoming = world.hosts[1].log(B.1).began[0].0;
    // Numbers wrap around, and some packets overtake others.
    let numbers = [65_530, 65_531, 65_533, 65_532, 65_534, 65_535, 65_536, 65_537];
    for number in numbers {
        assert_eq!(
            send_packet(&mut world, &rtp(number, true, &number.to_be_bytes())),
            MediaOutcome::Taken
        );
        world.run_for(Duration::from_millis(1));
    }
    assert_eq!(send_packet(&mut world, &rtp(1, false, &[1; 1_151])), MediaOutcome::Unwanted);
    assert_eq!(send_packet(&mut world, &rtp(1, false, &[])), MediaOutcome::Unwanted);
    // Another source begins anywhere.
    assert_eq!(send_packet(&mut world, &rtp(7, false, &[9; 1_150])), MediaOutcome::Taken);
    world.run_for(Duration::from_secs(1));
    let packets = &world.hosts[1].log(B.1).packets;
    assert_eq!(packets.len(), 9);
    let first = &packets[0].1;
    for ((of, packet), number) in packets.iter().zip(numbers) {
        assert_eq!((*of, packet.codec), (incoming, Codec::Vp8));
        assert_eq!(packet.payload[..], number.to_be_bytes()[..]);
        assert_eq!(packet.sequence - first.sequence, number - 65_530);
        assert_eq!(packet.time.wrapping_sub(first.time), 90 * (number - 65_530) as u32);
        assert!(packet.is_marked);
    }
    assert_eq!(packets[8].1.sequence, packets[7].1.sequence + 1);
    assert_eq!(packets[8].1.payload.len(), 1_150);
}

#[test]
fn lost_packets_are_sent_again_where_nobody_puts_them_together() {
    let mut world = connected_with(&packets(), &packets());
    agree(&mut world, A, B, &[video(1)]);
    world.loses_one_of = 20;
    for number in 0..200 {
        let _ = send_packet(&mut world, &rtp(number, true, &[5; 500]));
        world.run_for(Duration::from_millis(10));
    }
    world.loses_one_of = 0;
    world.run_for(Duration::from_secs(1));
    let arrived = world.hosts[1].log(B.1).packets.len();
    assert!(arrived >= 199, "{arrived}");
}

#[test]
fn the_rate_of_a_path_is_estimated_if_that_is_wanted() {
    let estimating = MediaConfig { estimates_bandwidth: true, ..MediaConfig::default() };
    let mut world = connected_with(&estimating, &MediaConfig::default());
    agree(&mut world, A, B, &[video(1)]);
    let mut full = 0;
    for index in 0..500 {
        let frame = frame(Codec::Vp8, index, index == 0, 3_000);
        full += u64::from(send_frame(&mut world, A, 1, &frame) == MediaOutcome::Full);
        world.run_for(Duration::from_millis(20));
    }
    let bitrate = world.hosts[0].engine.media_info(A.1).bitrate;
    assert!(bitrate.is_some_and(|bitrate| bitrate > 1_500_000), "{bitrate:?}");
    assert_eq!(world.hosts[1].engine.media_info(B.1).bitrate, None);
    let sent = world.hosts[0].engine.media_info(A.1).sent[0].1;
    assert_eq!((sent.dropped, sent.frames), (full, 500 - full));
    let frames = world.hosts[1].log(B.1).frames.len();
    assert!(frames > 450, "{frames}, and {full} were dropped");
}

#[test]
fn a_connection_whose_tracks_are_gone_costs_what_it_cost_before() {
    let wakes = |world: &mut World| {
        let end = world.now + Duration::from_secs(60);
        let mut count = 0;
        while world.step(end) {
            count += 1;
        }
        world.now = end;
        count
    };
    let mut world = connected();
    world.run_for(Duration::from_secs(5));
    let before = wakes(&mut world);
    agree(&mut world, A, B, &[video(1), audio(2)]);
    agree(&mut world, B, A, &[video(1)]);
    send(&mut world, 10);
    agree(&mut world, A, B, &[]);
    agree(&mut world, B, A, &[]);
    world.run_for(Duration::from_secs(5));
    let after = wakes(&mut world);
    assert!(after <= before + 2, "{after} instead of {before}");
}

#[test]
fn descriptions_with_changes_anywhere_are_refused_or_answered() {
    let mut rng = Seed::from_number(3).rng("test");
    let mut world = connected();
    agree(&mut world, A, B, &[video(1), audio(2)]);
    let offer = propose(&mut world, A, &[video(1), audio(2), video(3)]);
    let all: Vec<&str> = offer.lines().collect();
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..400 {
        let mut changed: Vec<String> = all.iter().map(|line| (*line).to_owned()).collect();
        for _ in 0..=rng.below(3) {
            let (at, other) =
                (rng.below(changed.len() as u64) as usize, rng.below(all.len() as u64) as usize);
            match rng.below(5) {
                0 => drop(changed.remove(at)),
                1 => changed.insert(at, all[other].to_owned()),
                2 => changed[at] = all[other].to_owned(),
                3 => changed[at] = changed[at].replace(['0', '9'], "1"),
                _ => changed[at].truncate(rng.below(12) as usize),
            }
        }
        match answer(&mut world, B, &(changed.join("\r\n") + "\r\n")) {
            Ok(_) => answered += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(answered > 50 && refused > 20, "{answered} and {refused}");
    assert!(world.closed(B).is_empty());
}
