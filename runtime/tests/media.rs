//! Audio and video between two rooms, through the whole of the API.

#![allow(clippy::unwrap_used, reason = "a test that can not go on may panic")]

mod world;

use std::future::IntoFuture;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde_json::json;
use tristero::{
    AddError, Added, Codec, Config, LocalStream, LocalTrack, MediaError, MediaFrame, MediaKind,
    MediaTime, PeerStreams, PeerTracks, Relaying, RemoteTrack, Room, RoomEvent, Unread,
};
use world::{Inhabitant, World, now, poll};

fn frame(codec: Codec, ticks: u64, is_key: bool) -> MediaFrame {
    MediaFrame {
        codec,
        time: MediaTime::new(ticks, codec.clock_rate()),
        is_key,
        is_contiguous: true,
        bytes: Arc::from([7; 20]),
    }
}

/// Two nodes that have met.
struct Two {
    world: World,
    a: Inhabitant,
    b: Inhabitant,
    in_a: Room,
    in_b: Room,
}

impl Two {
    fn met() -> Self {
        let world = World::default();
        let (mut a, mut b) = (world.add(1, Unread::default()), world.add(2, Unread::default()));
        let (in_a, in_b) = world.meet(&mut a, &mut b);
        Two { world, a, b, in_a, in_b }
    }

    /// Lets both do what there is to do, for some seconds.
    fn run(&mut self) {
        for _ in 0..50 {
            self.world.run(&mut [&mut self.a, &mut self.b]);
            self.world.pass(Duration::from_millis(100));
        }
    }

    /// Lets both do what leads to this.
    fn wait<F: IntoFuture>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future.into_future());
        for _ in 0..10 {
            if let Poll::Ready(output) = poll(&mut future) {
                return output;
            }
            self.run();
        }
        panic!("it never is");
    }
}

fn camera() -> (LocalTrack, LocalTrack, LocalStream) {
    let (video, audio) = (LocalTrack::video([Codec::Vp8]), LocalTrack::audio([Codec::Opus]));
    let stream = LocalStream::new([video.clone(), audio.clone()]);
    (video, audio, stream)
}

fn times(track: &mut RemoteTrack) -> Vec<u64> {
    std::iter::from_fn(|| track.try_recv()).map(|frame| frame.time.ticks()).collect()
}

#[test]
fn handles_of_media_are_for_any_thread() {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<(LocalTrack, LocalStream, RemoteTrack, PeerStreams, PeerTracks)>();
    moved::<(Relaying, tristero::Adding, tristero::AddBuilder, tristero::ReplaceBuilder)>();
}

#[test]
fn a_stream_is_told_taken_and_its_frames_arrive() {
    let mut two = Two::met();
    let mut streams = two.in_b.peer_streams();
    let (video, audio, stream) = camera();
    let adding = two.in_a.add_stream(&stream).metadata(json!({"camera": "door"}));
    let added = two.wait(adding).unwrap();
    assert_eq!((added.taken, added.failed), (vec![two.in_b.self_id().clone()], vec![]));
    assert_eq!(video.codecs_of_peers()[two.in_b.self_id()], [Codec::Vp8]);

    let mut arrived = now(streams.recv()).unwrap();
    assert_eq!(&arrived.peer, two.in_a.self_id());
    assert_eq!(arrived.metadata, Some(json!({"camera": "door"})));
    let mut picture = arrived.stream.take(MediaKind::Video).unwrap();
    let mut sound = arrived.stream.take(MediaKind::Audio).unwrap();
    for ticks in 0..3 {
        assert_eq!(video.write(&frame(Codec::Vp8, ticks, ticks == 0)).unwrap().taken, 1);
        assert_eq!(audio.write(&frame(Codec::Opus, ticks, true)).unwrap().taken, 1);
    }
    two.run();
    assert_eq!((times(&mut picture).len(), times(&mut sound).len()), (3, 3));

    audio.set_muted(true);
    assert_eq!(audio.write(&frame(Codec::Opus, 3, true)).unwrap().taken, 0);
    let mut events = two.in_b.events();
    two.in_a.remove_stream(&stream).unwrap();
    two.run();
    assert!(picture.is_ended() && sound.is_ended());
    let id = arrived.stream.id();
    let ended = |event: RoomEvent| matches!(event, RoomEvent::PeerStreamEnded { stream, .. } if stream == id);
    assert!(std::iter::from_fn(|| events.try_recv()).any(ended));
    assert_eq!(video.write(&frame(Codec::Vp8, 9, true)).unwrap().taken, 0, "to nobody");

    let adding = two.in_a.add_stream(&stream);
    assert_eq!(two.wait(adding).unwrap().taken.len(), 1, "it may be added again");
    let again = now(streams.recv()).unwrap();
    assert_eq!((again.metadata, again.stream.tracks.len()), (None, 2));
    assert_eq!(audio.write(&frame(Codec::Opus, 4, true)).unwrap().taken, 0, "it is muted still");
}

#[test]
fn who_joins_later_gets_it_unless_that_is_not_wanted() {
    let world = World::default();
    let (mut a, mut b) = (world.add(1, Unread::default()), world.add(2, Unread::default()));
    let config = Config::new("app").relay("ws://relay.example");
    let in_a = a.handle.join(&config, "room").unwrap();
    let (_, _, stream) = camera();
    let (_, _, hidden) = camera();
    assert_eq!(now(in_a.add_stream(&stream).into_future()), Ok(Added::default()));
    now(in_a.add_stream(&hidden).late_joiners(false).into_future()).unwrap();
    let (in_a, in_b) = world.meet(&mut a, &mut b);
    let mut two = Two { world, a, b, in_a, in_b };
    two.run();
    let mut streams = two.in_b.peer_streams();
    assert!(streams.try_recv().is_some() && streams.try_recv().is_none());
}

#[test]
fn a_track_that_is_added_alone_and_one_in_its_place_come_alone() {
    let mut two = Two::met();
    let (mut tracks, mut events) = (two.in_b.peer_tracks(), two.in_b.events());
    let (_, _, stream) = camera();
    let adding = two.in_a.add_stream(&stream);
    two.wait(adding).unwrap();
    let screen = LocalTrack::video([Codec::Vp8]);
    let adding = two.in_a.add_track(&screen, &stream).metadata("screen");
    assert_eq!(two.wait(adding).unwrap().taken.len(), 1);
    assert_eq!(stream.tracks().len(), 3);
    let mut arrived = now(tracks.recv()).unwrap();
    assert_eq!(arrived.metadata, Some(json!("screen")));

    let other = LocalTrack::video([Codec::Vp8]);
    let adding = two.in_a.replace_track(&screen, &other).stream(&stream).metadata("other");
    assert_eq!(two.wait(adding).unwrap().taken.len(), 1);
    assert!(stream.tracks().contains(&other) && !stream.tracks().contains(&screen));
    assert_eq!(screen.write(&frame(Codec::Vp8, 1, true)).unwrap().taken, 0);
    assert_eq!(other.write(&frame(Codec::Vp8, 2, true)).unwrap().taken, 1);
    two.run();
    assert_eq!(times(&mut arrived.track).len(), 1);
    let id = arrived.track.id();
    let replaced = |event: RoomEvent| match event {
        RoomEvent::TrackReplaced { track, metadata, .. } => {
            track == id && metadata == Some(json!("other"))
        }
        _ => false,
    };
    assert!(std::iter::from_fn(|| events.try_recv()).any(replaced));

    two.in_a.remove_track(&other).unwrap();
    two.run();
    assert!(arrived.track.is_ended());
}

#[test]
fn who_waits_for_a_track_hears_of_the_one_in_its_place() {
    let mut two = Two::met();
    let (video, _, stream) = camera();
    let adding = two.in_a.add_stream(&stream);
    two.wait(adding).unwrap();
    let [screen, other] = [(); 2].map(|()| LocalTrack::video([Codec::Vp8]));
    let adding = two.in_a.add_track(&screen, &stream).into_future();
    let replacing = two.in_a.replace_track(&screen, &other).stream(&stream).into_future();
    assert_eq!(two.wait(adding).unwrap().taken.len(), 1);
    assert_eq!(two.wait(replacing).unwrap().taken.len(), 1);

    let agreed = video.codecs_of_peers();
    assert_eq!(agreed.len(), 1);
    let next = LocalTrack::video([Codec::Vp8]);
    let replacing = two.in_a.replace_track(&video, &next).stream(&stream);
    two.wait(replacing).unwrap();
    assert_eq!(next.codecs_of_peers(), agreed);
    assert!(video.codecs_of_peers().is_empty());
}

#[test]
fn a_track_ends_with_its_last_handle() {
    let mut two = Two::met();
    let mut streams = two.in_b.peer_streams();
    let (video, audio, stream) = camera();
    let adding = two.in_a.add_stream(&stream);
    two.wait(adding).unwrap();
    let mut arrived = now(streams.recv()).unwrap();
    let sound = arrived.stream.take(MediaKind::Audio).unwrap();
    let picture = arrived.stream.take(MediaKind::Video).unwrap();
    drop((stream, audio));
    two.run();
    assert!(sound.is_ended() && !picture.is_ended());
    drop(video);
    two.run();
    assert!(picture.is_ended());
}

#[test]
fn a_key_frame_is_asked_for_across() {
    let mut two = Two::met();
    let mut streams = two.in_b.peer_streams();
    let (video, _, stream) = camera();
    let adding = two.in_a.add_stream(&stream);
    two.wait(adding).unwrap();
    two.run();
    video.take_key_frame_wanted();
    let picture = now(streams.recv()).unwrap().stream.take(MediaKind::Video).unwrap();
    two.run();
    picture.request_key_frame();
    two.run();
    now(video.key_frame_wanted());
    assert!(!video.take_key_frame_wanted());
}

#[test]
fn what_comes_is_sent_on_without_being_read() {
    let mut two = Two::met();
    let mut streams = two.in_b.peer_streams();
    let mut back = two.in_a.peer_streams();
    let (video, _, stream) = camera();
    let adding = two.in_a.add_stream(&stream);
    two.wait(adding).unwrap();
    let picture = now(streams.recv()).unwrap().stream.take(MediaKind::Video).unwrap();

    let relayed = LocalTrack::video([]);
    assert!(relayed.relay(&picture).is_err(), "it is in no room");
    let adding = two.in_b.add_stream(&LocalStream::new([relayed.clone()]));
    two.wait(adding).unwrap();
    let mut relaying = relayed.relay(&picture).unwrap();
    drop(picture);
    let mut seen = now(back.recv()).unwrap().stream.take(MediaKind::Video).unwrap();
    video.write(&frame(Codec::Vp8, 1, true)).unwrap();
    two.run();
    assert_eq!(times(&mut seen).len(), 1);
    assert!(poll(&mut relaying).is_pending());
    two.in_a.remove_stream(&stream).unwrap();
    two.run();
    assert!(poll(&mut relaying).is_ready());
}

#[test]
fn of_two_relays_of_one_pair_the_last_ends_it() {
    let mut two = Two::met();
    let (mut streams, mut back) = (two.in_b.peer_streams(), two.in_a.peer_streams());
    let (video, _, stream) = camera();
    let adding = two.in_a.add_stream(&stream);
    two.wait(adding).unwrap();
    let picture = now(streams.recv()).unwrap().stream.take(MediaKind::Video).unwrap();
    let relayed = LocalTrack::video([]);
    let adding = two.in_b.add_stream(&LocalStream::new([relayed.clone()]));
    two.wait(adding).unwrap();
    let mut seen = now(back.recv()).unwrap().stream.take(MediaKind::Video).unwrap();
    let [first, second] = [(); 2].map(|()| relayed.relay(&picture).unwrap());
    let mut seen_after = |two: &mut Two, ticks| {
        video.write(&frame(Codec::Vp8, ticks, true)).unwrap();
        two.run();
        times(&mut seen).len()
    };
    assert_eq!(seen_after(&mut two, 1), 1);
    drop(first);
    assert_eq!(seen_after(&mut two, 2), 1);
    drop(second);
    assert_eq!(seen_after(&mut two, 3), 0);
}

#[test]
fn what_can_not_be_added_says_why() {
    let mut two = Two::met();
    let (video, _, stream) = camera();
    let adding = two.in_a.add_stream(&stream);
    two.wait(adding).unwrap();
    let other = LocalStream::new([video.clone()]);
    assert_eq!(two.in_a.add_stream(&other).detach(), Err(AddError::TrackInUse));
    assert_eq!(two.in_b.add_stream(&stream).detach(), Err(AddError::TrackInUse), "of another node");
    let loose = LocalTrack::of(Codec::Opus);
    assert_eq!(two.in_a.add_track(&loose, &other).detach(), Err(AddError::NotSent));
    assert!(matches!(two.in_a.replace_track(&loose, &video).detach(), Err(AddError::TrackInUse)));
    let empty = LocalStream::new([]);
    assert!(matches!(two.in_a.add_stream(&empty).detach(), Err(AddError::Invalid(_))));
    let nobody = tristero::PeerId::new("nobody").unwrap();
    let adding = two.in_a.add_stream(&stream).to(&nobody);
    assert!(matches!(two.wait(adding), Err(AddError::NotTaken(failed)) if failed.len() == 1));
}

#[test]
fn who_waits_for_answers_in_a_room_that_is_left_is_told_so() {
    let two = Two::met();
    let (_, _, stream) = camera();
    let mut adding = two.in_a.add_stream(&stream).into_future();
    assert!(poll(&mut adding).is_pending());
    let mut leaving = pin!(two.in_a.clone().leave());
    assert!(poll(&mut leaving).is_pending());
    assert_eq!(poll(&mut adding), Poll::Ready(Err(AddError::RoomLeft)));
    assert_eq!(two.in_a.add_stream(&stream).detach(), Err(MediaError::RoomGone.into()));
}
