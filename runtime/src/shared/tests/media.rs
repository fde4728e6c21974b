//! What the node says of audio and video, and what its readers get of it.

use std::future::Future as _;
use std::pin::pin;

use serde_json::json;
use tristero_proto::media::{Codec, MediaFrame, MediaKind, MediaTime};
use tristero_proto::{PeerStreamId, PeerTrackId, TrackId};

use super::*;
use crate::media::{LocalTrack, Wants};
use crate::shared::tracks::{KnownTrack, Wish};

const STREAM: PeerStreamId = PeerStreamId::from_number(7);
const VIDEO: KnownTrack = KnownTrack { id: PeerTrackId::from_number(1), kind: MediaKind::Video };
const AUDIO: KnownTrack = KnownTrack { id: PeerTrackId::from_number(2), kind: MediaKind::Audio };

fn peer() -> PeerId {
    PeerId::new("peer").unwrap()
}

fn track_began(room: RoomKey, track: KnownTrack) -> Event {
    Event::PeerTrack {
        room,
        peer: peer(),
        stream: STREAM,
        track: track.id,
        kind: track.kind,
        metadata: Some(json!("door")),
        size: 4,
    }
}

fn track_ended(room: RoomKey, track: KnownTrack) -> Event {
    Event::PeerTrackEnded { room, peer: peer(), track: track.id }
}

fn frame(track: KnownTrack, ticks: u64, is_key: bool) -> Event {
    let codec = if track.kind == MediaKind::Video { Codec::Vp8 } else { Codec::Opus };
    let time = MediaTime::new(ticks, codec.clock_rate());
    let bytes = Arc::from([1, 2, 3]);
    Event::Frame {
        track: track.id,
        frame: MediaFrame { codec, time, is_key, is_contiguous: true, bytes },
    }
}

fn tell(shared: &Shared, events: impl IntoIterator<Item = Event>) {
    for event in events {
        shared.with(|state| state.on_event(event, Time::ZERO));
    }
}

#[test]
fn a_track_is_read_from_its_beginning_to_its_end() {
    let (shared, key, room) = room();
    let mut tracks = room.peer_tracks();
    let frames = (0..3).map(|ticks| frame(VIDEO, ticks, ticks == 0));
    tell(&shared, [track_began(key, VIDEO)].into_iter().chain(frames));
    let mut arrived = tracks.try_recv().unwrap();
    assert_eq!((&arrived.peer, arrived.metadata), (&peer(), Some(json!("door"))));
    tell(&shared, [track_ended(key, VIDEO), frame(VIDEO, 3, false)]);
    let read: Vec<u64> =
        std::iter::from_fn(|| arrived.track.try_recv()).map(|frame| frame.time.ticks()).collect();
    assert_eq!(read, [0, 1, 2]);
    assert!(arrived.track.is_ended());
    let mut recv = pin!(arrived.track.recv());
    assert_eq!(recv.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(None));
}

#[test]
fn who_comes_later_has_what_stands_and_what_follows() {
    let (shared, key, room) = room();
    tell(&shared, [track_began(key, AUDIO), track_began(key, VIDEO), frame(AUDIO, 0, true)]);
    tell(&shared, [track_ended(key, VIDEO)]);
    let mut tracks = room.peer_tracks();
    let mut audio = tracks.try_recv().unwrap().track;
    assert_eq!((audio.kind(), audio.id()), (MediaKind::Audio, AUDIO.id));
    assert!(tracks.try_recv().is_none(), "that of video is over");
    tell(&shared, [frame(AUDIO, 1, true), frame(AUDIO, 2, true)]);
    let first = audio.try_recv().unwrap();
    assert_eq!((first.time.ticks(), first.is_contiguous), (1, false));
    assert!(audio.try_recv().unwrap().is_contiguous);
}

#[test]
fn each_reader_has_all_and_one_that_ignores_has_nothing() {
    let (shared, key, room) = room();
    let (mut first, mut second) = (room.peer_tracks(), room.peer_tracks());
    tell(&shared, [track_began(key, AUDIO)]);
    let (mut first, mut second) =
        (first.try_recv().unwrap().track, second.try_recv().unwrap().track);
    tell(&shared, [frame(AUDIO, 0, true)]);
    second.ignore(true);
    tell(&shared, [frame(AUDIO, 1, true)]);
    second.ignore(false);
    tell(&shared, [frame(AUDIO, 2, true)]);
    assert_eq!(std::iter::from_fn(|| first.try_recv()).count(), 3);
    let read: Vec<(u64, bool)> = std::iter::from_fn(|| second.try_recv())
        .map(|frame| (frame.time.ticks(), frame.is_contiguous))
        .collect();
    assert_eq!(read, [(0, false), (2, false)]);
}

#[test]
fn all_of_it_ends_with_the_room() {
    let (shared, key, room) = room();
    let mut tracks = room.peer_tracks();
    let mut streams = room.peer_streams();
    tell(&shared, [track_began(key, AUDIO)]);
    let track = tracks.try_recv().unwrap().track;
    shared.leave(key);
    assert!(track.is_ended());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(tracks.recv()).poll(&mut cx).is_ready());
    assert!(pin!(streams.recv()).poll(&mut cx).is_ready());
    tell(&shared, [track_began(key, VIDEO), frame(VIDEO, 0, true)]);
    assert!(room.peer_tracks().try_recv().is_none());
}

#[test]
fn what_nobody_reads_is_ignored_until_somebody_does() {
    let (_, key, _) = room();
    let mut tracks = Tracks::new(&Unread::default());
    let (mut wakes, mut wishes) = (Wakes::default(), Vec::new());
    tracks.on_track(key, (peer(), STREAM), VIDEO, (None, 0), &mut wakes, &mut wishes);
    assert_eq!(wishes, [Wish::Ignore(VIDEO.id, true)]);
    wishes.clear();
    let arrivals = tracks.read_tracks(key, &mut wishes);
    assert_eq!(wishes, [Wish::Ignore(VIDEO.id, false), Wish::KeyFrame(VIDEO.id)]);
    wishes.clear();
    drop(arrivals);
    let Event::Frame { frame, .. } = frame(VIDEO, 0, true) else { unreachable!() };
    tracks.on_frame(VIDEO.id, &frame, &mut wakes, &mut wishes);
    assert_eq!(wishes, [Wish::Ignore(VIDEO.id, true)]);
}

#[test]
fn what_nobody_reads_in_one_room_is_read_in_another() {
    let first = room().1;
    let second = RoomKey::from_number(first.number() + 1);
    let mut tracks = Tracks::new(&Unread::default());
    let (mut wakes, mut wishes) = (Wakes::default(), Vec::new());
    let (_streams, _tracks) =
        (tracks.read_streams(second, &mut wishes), tracks.read_tracks(second, &mut wishes));
    tracks.on_track(first, (peer(), STREAM), VIDEO, (None, 0), &mut wakes, &mut wishes);
    let who = (peer(), STREAM);
    tracks.on_stream(first, who.clone(), vec![AUDIO], (None, 0), &mut wakes, &mut wishes);
    assert_eq!(wishes, [Wish::Ignore(VIDEO.id, true), Wish::Ignore(AUDIO.id, true)]);
    wishes.clear();
    tracks.on_track(second, who.clone(), VIDEO, (None, 0), &mut wakes, &mut wishes);
    assert_eq!(wishes, [Wish::Ignore(VIDEO.id, false), Wish::KeyFrame(VIDEO.id)]);
    wishes.clear();
    tracks.on_stream(second, who, vec![AUDIO], (None, 0), &mut wakes, &mut wishes);
    assert_eq!(wishes, [Wish::Ignore(AUDIO.id, false)]);
}

#[test]
fn a_stream_that_is_told_again_and_again_has_few_readers() {
    const TIMES: u64 = 2_000;
    let (_, key, _) = room();
    let mut tracks = Tracks::new(&Unread::default());
    let (mut wakes, mut wishes) = (Wakes::default(), Vec::new());
    let arrivals = tracks.read_streams(key, &mut wishes);
    let mut tell = |tracks: &mut Tracks| {
        let mut wishes = Vec::new();
        let who = (peer(), STREAM);
        tracks.on_stream(key, who, vec![AUDIO], (None, 0), &mut wakes, &mut wishes);
    };
    (0..TIMES).for_each(|_| tell(&mut tracks));
    assert_eq!(arrivals.dropped(), TIMES - 1_024);
    let arrived: Vec<_> = std::iter::from_fn(|| arrivals.try_next()).collect();
    let live = arrived.iter().filter(|stream| !stream.tracks[0].frames.is_ended()).count();
    assert!(live <= 64, "{live} readers");
    drop(arrived);
    tell(&mut tracks);
    let arrived = arrivals.try_next().unwrap();
    assert!(!arrived.tracks[0].frames.is_ended(), "who is gone doesn't count");
}

#[test]
fn a_reader_that_is_too_slow_asks_for_a_key_frame() {
    let (_, key, _) = room();
    let unread = Unread { frames: 2, ..Unread::default() };
    let mut tracks = Tracks::new(&unread);
    let (mut wakes, mut wishes) = (Wakes::default(), Vec::new());
    tracks.on_track(key, (peer(), STREAM), VIDEO, (None, 0), &mut wakes, &mut wishes);
    let arrivals = tracks.read_tracks(key, &mut wishes);
    let mut push = |ticks, is_key| {
        let mut wishes = Vec::new();
        let Event::Frame { frame, .. } = frame(VIDEO, ticks, is_key) else { unreachable!() };
        tracks.on_frame(VIDEO.id, &frame, &mut wakes, &mut wishes);
        wishes
    };
    assert_eq!(push(0, true), []);
    assert_eq!(push(1, false), []);
    assert_eq!(push(2, false), [Wish::KeyFrame(VIDEO.id)]);
    assert_eq!(push(3, true), []);
    let track = arrivals.try_next().unwrap().track;
    assert_eq!(track.frames.try_next().unwrap().time.ticks(), 3);
    assert_eq!(track.frames.dropped(), 3);
}

#[test]
fn a_key_frame_that_is_wanted_wakes_who_waits_for_it() {
    let (shared, key, _) = room();
    let track = LocalTrack::video([Codec::Vp8]);
    let id = TrackId::from_number(1);
    shared.with(|state| state.sent.begin(key, id, track.wants()));
    let mut wanted = pin!(track.key_frame_wanted());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(wanted.as_mut().poll(&mut cx).is_pending());
    tell(&shared, [Event::KeyFrameWanted { track: id, peer: peer() }]);
    assert!(wanted.as_mut().poll(&mut cx).is_ready());
    assert!(!track.take_key_frame_wanted(), "it was said once");
    shared.with(|state| state.sent.end(key, id));
    tell(&shared, [Event::KeyFrameWanted { track: id, peer: peer() }]);
    assert!(!track.take_key_frame_wanted(), "nobody has it any more");
}

#[test]
fn what_is_written_to_a_track_of_no_room_goes_to_nobody() {
    let track = LocalTrack::of(Codec::Opus);
    let Event::Frame { frame, .. } = frame(AUDIO, 0, true) else { unreachable!() };
    let written = track.write(&frame).unwrap();
    assert_eq!((written.taken, written.dropped), (0, 0));
    assert_eq!(Arc::<Wants>::strong_count(track.wants()), 1);
}

#[test]
fn who_waits_for_a_track_waits_for_what_replaces_it() {
    let (shared, key, _room) = room();
    let [old, new] = [1, 2].map(TrackId::from_number);
    let wants = Arc::default();
    let codecs = vec![Codec::Vp8];
    let answers = shared.with(|state| {
        state.sent.begin(key, old, &wants);
        state.sent.await_track(key, old)
    });
    tell(&shared, [Event::TrackAgreed { track: old, peer: peer(), codecs: codecs.clone() }]);
    shared.with(|state| state.sent.replace(old, new, &wants));
    let agreed = shared.with(|state| [old, new].map(|track| state.sent.agreed(track)));
    assert_eq!(agreed, [BTreeMap::new(), BTreeMap::from([(peer(), codecs)])]);
    assert_eq!(shared.with(|state| state.sent.rooms_of(new)), [key]);
    tell(&shared, [Event::TrackSent { room: key, track: new, peer: peer(), result: Ok(()) }]);
    assert_eq!(answers.try_next(), Some((peer(), Ok(()))));
}

#[test]
fn what_a_peer_agreed_to_is_forgotten_with_the_last_room_that_it_is_in() {
    let first = room().1;
    let [second, third] = [1, 2].map(|more| RoomKey::from_number(first.number() + more));
    let track = TrackId::from_number(1);
    let mut sent = SentTracks::default();
    for room in [first, second] {
        sent.begin(room, track, &Arc::default());
    }
    sent.on_agreed(track, peer(), vec![Codec::Vp8]);
    sent.on_peer_left(third, &peer(), &[first].into());
    sent.on_peer_left(first, &peer(), &[second].into());
    assert_eq!(sent.agreed(track).len(), 1, "it still is where this is sent");
    sent.on_peer_left(second, &peer(), &[third].into());
    assert_eq!(sent.agreed(track).len(), 0);
}

#[test]
fn what_two_relay_is_relayed_until_both_are_done() {
    let [old, new] = [1, 2].map(TrackId::from_number);
    let mut sent = SentTracks::default();
    let [first, second] = [0; 2].map(|_| sent.begin_relay(VIDEO.id, old));
    let other = sent.begin_relay(AUDIO.id, old);
    assert_eq!(sent.end_relay(first), None);
    sent.replace(old, new, &Arc::default());
    assert_eq!(sent.end_relay(second), Some((VIDEO.id, new)));
    assert_eq!(sent.end_relay(other), Some((AUDIO.id, new)));
    assert_eq!(sent.end_relay(other), None);
}
