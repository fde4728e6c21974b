//! Two hosts that agree on tracks, and frames to send.

#![allow(clippy::cast_possible_truncation)]

use std::sync::Arc;
use std::time::Duration;

use tristero_proto::engine::{ConnOptions, DescriptionError, Engine, MediaOutcome, Proposal};
use tristero_proto::ice::IceConfig;
use tristero_proto::media::{
    Codec, MediaConfig, MediaFrame, MediaKind, MediaTime, Msid, SentTrack,
};
use tristero_proto::{ConnId, TrackId};

use super::World;

pub(crate) type End = (usize, ConnId);

/// Host 0, which offered the connection.
pub(crate) const A: End = (0, ConnId::from_number(1));
/// Host 1, which answered it.
pub(crate) const B: End = (1, ConnId::from_number(2));

pub(crate) fn track(number: u64) -> TrackId {
    TrackId::from_number(number)
}

/// A track, with a name of its own.
pub(crate) fn sent(number: u64, kind: MediaKind) -> SentTrack {
    SentTrack {
        track: track(number),
        kind,
        msid: Msid { stream: format!("stream-{number}"), track: format!("track-{number}") },
        codecs: Vec::new(),
    }
}

pub(crate) fn audio(number: u64) -> SentTrack {
    sent(number, MediaKind::Audio)
}

pub(crate) fn video(number: u64) -> SentTrack {
    sent(number, MediaKind::Video)
}

/// Both ends of a connection that stands.
pub(crate) fn connected() -> World {
    connected_with(&MediaConfig::default(), &MediaConfig::default())
}

pub(crate) fn with_media(media: &MediaConfig) -> ConnOptions {
    ConnOptions {
        media: Arc::new(media.clone()),
        ..ConnOptions::new(true, Arc::new(IceConfig::none()))
    }
}

pub(crate) fn connected_with(a: &MediaConfig, b: &MediaConfig) -> World {
    let mut world = World::new(2);
    let offer = world.offer(0, A.1, with_media(a)).unwrap();
    let now = world.now;
    world.hosts[1].engine.answer(B.1, &offer, with_media(b), now).unwrap();
    world.drain();
    let answer = world.hosts[1].log(B.1).descriptions.last().cloned().unwrap();
    world.accept(0, A.1, &answer);
    world.run_until(|world| world.is_open(A) && world.is_open(B));
    world
}

/// Proposes tracks, and gives the offer.
pub(crate) fn propose(world: &mut World, (host, id): End, tracks: &[SentTrack]) -> String {
    propose_this(world, (host, id), &Proposal::Tracks(tracks.to_vec()))
}

pub(crate) fn propose_this(world: &mut World, (host, id): End, proposal: &Proposal) -> String {
    let before = world.hosts[host].log(id).descriptions.len();
    let now = world.now;
    world.hosts[host].engine.propose(id, proposal, now);
    world.drain();
    let descriptions = &world.hosts[host].log(id).descriptions;
    assert_eq!(descriptions.len(), before + 1, "there is one offer");
    descriptions.last().cloned().unwrap()
}

/// Answers an offer.
pub(crate) fn answer(
    world: &mut World,
    (host, id): End,
    offer: &str,
) -> Result<String, DescriptionError> {
    let now = world.now;
    let answer = world.hosts[host].engine.renegotiate(id, offer, now);
    world.drain();
    answer
}

/// Tracks of one end, agreed on with the other.
pub(crate) fn agree(world: &mut World, from: End, to: End, tracks: &[SentTrack]) -> String {
    let offer = propose(world, from, tracks);
    let answer = answer(world, to, &offer).unwrap();
    world.accept(from.0, from.1, &answer);
    answer
}

/// A frame of so many bytes that no other is equal to.
pub(crate) fn frame(codec: Codec, number: u64, is_key: bool, length: usize) -> MediaFrame {
    let mut bytes: Vec<u8> = match codec {
        Codec::Vp8 => vec![u8::from(!is_key) | 0x10, 2, 0, 0x9D, 0x01, 0x2A, 64, 0, 64, 0],
        // Profile 0, shown; a key frame has its sync code.
        Codec::Vp9 if is_key => vec![0x82, 0x49, 0x83, 0x42, 0, 3, 0xF0, 3, 0xF6, 0],
        Codec::Vp9 => vec![0x86, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        Codec::H264 if is_key => {
            [&[0, 0, 0, 1, 0x67, 0x42, 0xE0, 0x1F, 1][..], &[0, 0, 0, 1, 0x68, 0xCE, 1]].concat()
        }
        _ => Vec::new(),
    };
    let body = |length: usize| (0..length).map(move |at| (number as u8) ^ (at as u8) | 1);
    match codec {
        Codec::H264 => {
            bytes.extend([0, 0, 0, 1, if is_key { 0x65 } else { 0x41 }]);
            bytes.extend(body(length));
        }
        Codec::Av1 => {
            // A sequence header begins a key frame. Then there is a frame.
            if is_key {
                bytes.extend([0x0A, 11, 0, 0, 0, 0x24, 0xC4, 0xFF, 0xDF, 0, 0x68, 2, 0]);
            }
            let size = length + 1;
            bytes.extend([0x32, 0x80 | (size & 0x7F) as u8, (size >> 7) as u8]);
            bytes.push(if is_key { 0x10 } else { 0x30 });
            bytes.extend(body(length));
        }
        _ => bytes.extend(body(length)),
    }
    MediaFrame {
        codec,
        time: MediaTime::of(codec, Duration::from_millis(20 * number)),
        is_key,
        is_contiguous: true,
        bytes: bytes.into(),
    }
}

pub(crate) fn send_frame(
    world: &mut World,
    (host, id): End,
    number: u64,
    frame: &MediaFrame,
) -> MediaOutcome {
    let now = world.now;
    let outcome = world.hosts[host].engine.send_frame(id, track(number), frame, now);
    world.drain();
    outcome
}

/// The lines of a description that begin so.
pub(crate) fn lines<'a>(sdp: &'a str, of: &str) -> Vec<&'a str> {
    sdp.lines().filter(|line| line.starts_with(of)).collect()
}
