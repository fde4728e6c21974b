use super::*;
use crate::media::{Codec, MediaTime};

const ROOM: RoomKey = RoomKey::from_number(1);
const OTHER: RoomKey = RoomKey::from_number(2);

/// What one peer does, and what is told of it.
struct Bench {
    received: Received,
    ids: ReceivedIds,
    is_ours: bool,
    now: Time,
    next: u64,
}

fn bench() -> Bench {
    let received = Received::new(PeerId::new("peer").unwrap());
    let ids = ReceivedIds::default();
    Bench { received, ids, is_ours: false, now: Time::from_millis(1_000), next: 0 }
}

fn stream(name: &str, metadata: &str) -> MediaSaid {
    let metadata = (!metadata.is_empty()).then(|| metadata.into());
    MediaSaid::Stream { key: format!("key of {name}"), stream: name.into(), metadata }
}

fn track(stream: &str, name: &str, metadata: &str) -> MediaSaid {
    let (key, metadata) = (format!("key of {name}"), Some(metadata.into()));
    MediaSaid::Track { key, stream: stream.into(), track: name.into(), metadata }
}

fn replacement(key: &str, name: &str) -> MediaSaid {
    let metadata = Some(key.into());
    MediaSaid::Replacement { key: key.into(), track: name.into(), metadata }
}

impl Bench {
    fn say(&mut self, room: RoomKey, said: MediaSaid) {
        self.received.on_said(room, said, 10, self.now);
    }

    /// A description has these tracks more, by the names of their streams and their own.
    fn begin(&mut self, tracks: &[(&str, &str)]) -> Vec<IncomingTrack> {
        let mut begun = Vec::new();
        for (stream, track) in tracks {
            self.next += 1;
            let incoming = IncomingTrack(self.next);
            let msid = Msid { stream: (*stream).into(), track: (*track).into() };
            let msid = Some(msid).filter(|_| !stream.is_empty());
            self.received.on_began(incoming, MediaKind::Video, msid, &mut self.ids);
            begun.push(incoming);
        }
        self.settle();
        begun
    }

    fn settle(&mut self) {
        self.received.settle(self.is_ours, &mut self.ids, self.now);
    }

    /// Lets time pass.
    fn wait(&mut self, seconds: u64) {
        let end = self.now + std::time::Duration::from_secs(seconds);
        while let Some(due) = self.received.poll_timeout().filter(|due| due.at <= end) {
            assert!(due.at >= self.now, "what is due is done once");
            self.now = due.at;
            self.received.wake(self.is_ours, self.now);
        }
        self.now = end;
    }

    /// What was told, in short: the room, what, its tracks, and the metadata.
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        let said = |metadata: &Option<Value>| {
            metadata.as_ref().map_or("-", |m| m.as_str().unwrap()).to_owned()
        };
        while let Some(event) = self.received.poll_event() {
            let room = event.room().unwrap().number();
            told.push(match event {
                Event::PeerStream { stream, tracks, metadata, .. } => {
                    let tracks: Vec<u64> = tracks.iter().map(|t| t.track.number()).collect();
                    format!("{room}: stream {} {tracks:?} {}", stream.number(), said(&metadata))
                }
                Event::PeerTrack { stream, track, metadata, .. } => {
                    let (stream, track) = (stream.number(), track.number());
                    format!("{room}: track {track} of {stream} {}", said(&metadata))
                }
                Event::TrackReplaced { track, metadata, .. } => {
                    format!("{room}: replaced {} {}", track.number(), said(&metadata))
                }
                Event::PeerTrackEnded { track, .. } => format!("{room}: end {}", track.number()),
                Event::PeerStreamEnded { stream, .. } => {
                    format!("{room}: end of stream {}", stream.number())
                }
                other => panic!("{other:?}"),
            });
        }
        told
    }
}

#[test]
fn a_stream_is_told_once_with_all_its_tracks_and_ends_with_the_last() {
    let mut bench = bench();
    bench.say(ROOM, stream("s", "camera"));
    assert!(bench.told().is_empty());
    let tracks = bench.begin(&[("s", "a"), ("s", "v")]);
    assert_eq!(bench.told(), ["1: stream 1 [1, 2] camera"]);
    bench.received.on_ended(tracks[0], bench.now);
    assert_eq!(bench.told(), ["1: end 1"]);
    bench.received.on_ended(tracks[1], bench.now);
    assert_eq!(bench.told(), ["1: end 2", "1: end of stream 1"]);
}

#[test]
fn streams_are_matched_by_their_names_and_not_in_order() {
    let mut bench = bench();
    bench.say(ROOM, stream("s", "first"));
    bench.say(ROOM, stream("t", "second"));
    bench.begin(&[("t", "1"), ("s", "2"), ("t", "3")]);
    assert_eq!(bench.told(), ["1: stream 2 [2] first", "1: stream 1 [1, 3] second"]);
}

#[test]
fn a_track_that_was_added_alone_is_told_alone() {
    let mut bench = bench();
    bench.say(ROOM, stream("s", "stream"));
    bench.say(ROOM, track("s", "two", "track"));
    bench.begin(&[("s", "one"), ("s", "two")]);
    assert_eq!(bench.told(), ["1: track 2 of 1 track", "1: stream 1 [1, 2] stream"]);
}

#[test]
fn a_track_whose_name_session_descriptions_do_not_have_is_the_next_of_its_stream() {
    let mut bench = bench();
    bench.say(ROOM, stream("s", "stream"));
    bench.begin(&[("s", "one")]);
    bench.say(ROOM, track("s", "renamed", "track"));
    bench.begin(&[("t", "not it"), ("s", "two")]);
    assert_eq!(bench.told(), ["1: stream 1 [1] stream", "1: track 3 of 1 track"]);
    bench.say(ROOM, replacement("another", "renamed"));
    assert_eq!(bench.told(), ["1: replaced 3 another"]);
}

#[test]
fn nobody_is_told_of_what_was_not_announced_until_it_is() {
    let mut bench = bench();
    let tracks = bench.begin(&[("s", "a")]);
    assert_eq!(bench.received.told(tracks[0]), None);
    bench.wait(40);
    assert!(bench.told().is_empty());
    bench.say(OTHER, stream("s", "late"));
    assert_eq!(bench.told(), ["2: stream 1 [1] late"]);
    assert!(bench.received.told(tracks[0]).is_some());
}

#[test]
fn each_room_is_told_with_its_own_metadata_and_of_its_own_end() {
    let mut bench = bench();
    bench.say(ROOM, stream("s", "one"));
    let tracks = bench.begin(&[("s", "a")]);
    bench.say(OTHER, stream("s", "two"));
    assert_eq!(bench.told(), ["1: stream 1 [1] one", "2: stream 1 [1] two"]);
    bench.received.on_left(ROOM);
    assert_eq!(bench.told(), ["1: end 1", "1: end of stream 1"]);
    bench.received.forget(OTHER);
    assert!(bench.told().is_empty());
    assert_eq!(bench.received.told(tracks[0]), None, "no room knows it");
}

#[test]
fn a_track_that_comes_to_a_known_stream_is_told_in_its_rooms() {
    let mut bench = bench();
    bench.say(ROOM, stream("s", "stream"));
    bench.begin(&[("s", "a")]);
    bench.told();
    bench.begin(&[("s", "b"), ("t", "c")]);
    assert_eq!(bench.told(), ["1: track 2 of 1 -"]);
}

#[test]
fn a_stream_that_is_removed_and_added_at_once_has_its_metadata() {
    let mut bench = bench();
    bench.say(ROOM, stream("s", "first"));
    let tracks = bench.begin(&[("s", "a")]);
    bench.say(ROOM, stream("s", "again"));
    assert_eq!(bench.told(), ["1: stream 1 [1] first", "1: stream 1 [1] again"]);
    bench.received.on_ended(tracks[0], bench.now);
    bench.begin(&[("s", "b")]);
    let told = ["1: end 1", "1: end of stream 1", "1: stream 2 [2] again"];
    assert_eq!(bench.told(), told);
}

#[test]
fn what_is_said_again_without_change_is_told_once_and_kept_for_when_it_begins_anew() {
    let mut bench = bench();
    bench.say(ROOM, stream("s", "same"));
    bench.say(ROOM, track("s", "b", "same"));
    let tracks = bench.begin(&[("s", "a"), ("s", "b")]);
    let first = ["1: track 2 of 1 same", "1: stream 1 [1, 2] same"];
    assert_eq!(bench.told(), first);
    for _ in 0..100 {
        bench.say(ROOM, stream("s", "same"));
        bench.say(ROOM, track("s", "b", "same"));
    }
    assert!(bench.told().is_empty());
    bench.say(OTHER, stream("s", "same"));
    bench.say(ROOM, track("s", "b", "other"));
    bench.say(ROOM, stream("s", "other"));
    bench.say(ROOM, stream("s", "same"));
    let changed = [
        "2: stream 1 [1, 2] same",
        "1: track 2 of 1 other",
        "1: stream 1 [1, 2] other",
        "1: stream 1 [1, 2] same",
    ];
    assert_eq!(bench.told(), changed);
    for track in tracks {
        bench.received.on_ended(track, bench.now);
    }
    bench.told();
    bench.begin(&[("s", "c"), ("s", "b")]);
    let anew = ["1: track 4 of 2 other", "1: stream 2 [3, 4] same", "2: stream 2 [3, 4] same"];
    assert_eq!(bench.told(), anew);
    // A room that left and came again knows nothing.
    bench.received.on_left(ROOM);
    bench.told();
    bench.say(ROOM, stream("s", "same"));
    assert_eq!(bench.told(), ["1: stream 2 [3, 4] same"]);
}

#[test]
fn a_room_that_is_told_just_before_a_stream_begins_anew_is_told_of_that() {
    let mut bench = bench();
    bench.say(ROOM, stream("s", "one"));
    let tracks = bench.begin(&[("s", "a")]);
    bench.say(OTHER, stream("s", "two"));
    bench.told();
    bench.received.on_ended(tracks[0], bench.now);
    bench.begin(&[("s", "b"), ("", "")]);
    let told = bench.told();
    assert_eq!(told.last().unwrap(), "2: stream 2 [2] two");
    // What was told once is never taken for something else.
    bench.say(OTHER, stream("s", "three"));
    bench.received.on_ended(IncomingTrack(2), bench.now);
    bench.told();
    bench.wait(40);
    assert!(bench.told().is_empty());
}

#[test]
fn replacements_are_told_by_the_track_they_replace_and_never_wait() {
    let mut bench = bench();
    bench.say(ROOM, replacement("k0", "nobody"));
    bench.say(ROOM, track("s", "a", "track"));
    bench.begin(&[("s", "a")]);
    bench.say(ROOM, replacement("k1", "a"));
    // What it replaces now was never heard of; then it goes back to what it was.
    bench.say(ROOM, replacement("k2", "screen"));
    bench.say(ROOM, replacement("key of a", "other screen"));
    bench.say(OTHER, replacement("k3", "a"));
    let told =
        ["1: track 1 of 1 track", "1: replaced 1 k1", "1: replaced 1 k2", "1: replaced 1 key of a"];
    assert_eq!(bench.told(), told);
}

#[test]
fn what_names_nothing_is_taken_in_order_where_nothing_else_fits() {
    let mut bench = bench();
    bench.say(ROOM, stream("elsewhere", "first"));
    bench.say(ROOM, stream("s", "named"));
    bench.begin(&[("", ""), ("s", "a")]);
    assert_eq!(bench.told(), ["1: stream 2 [2] named"]);
    bench.wait(3);
    assert_eq!(bench.told(), ["1: stream 1 [1] first"]);
    // One of ours names what it means.
    let mut bench = Bench { is_ours: true, ..self::bench() };
    bench.say(ROOM, stream("elsewhere", "first"));
    bench.begin(&[("", "")]);
    bench.wait(40);
    assert!(bench.told().is_empty());
}

/// The other side says nothing twice, and does not know that its offer was taken before a restart
/// undid it.
#[test]
fn what_one_of_ours_said_is_told_again_where_a_restart_undoes_its_offer() {
    let mut bench = Bench { is_ours: true, ..self::bench() };
    bench.say(ROOM, stream("s", "stream"));
    bench.say(ROOM, track("t", "b", "track"));
    let begun = bench.begin(&[("s", "a"), ("t", "b")]);
    assert_eq!(bench.told(), ["1: track 2 of 2 track", "1: stream 1 [1] stream"]);
    for incoming in begun {
        bench.received.on_ended(incoming, bench.now);
    }
    bench.told();
    bench.wait(5);
    bench.begin(&[("s", "a"), ("t", "b")]);
    assert_eq!(bench.told(), ["1: track 4 of 4 track", "1: stream 3 [3] stream"]);
}

#[test]
fn what_never_comes_is_forgotten() {
    let mut bench = bench();
    bench.say(ROOM, stream("s", "old"));
    bench.wait(31);
    assert_eq!(bench.received.poll_timeout(), None);
    bench.begin(&[("s", "a")]);
    assert!(bench.told().is_empty());
}

#[test]
fn a_flood_is_bounded_and_each_room_loses_its_own() {
    let mut bench = bench();
    bench.say(OTHER, stream("s", "other"));
    for n in 0..10_000 {
        bench.say(ROOM, stream(&format!("s{n}"), "flood"));
    }
    bench.begin(&[("s", "a"), ("s0", "b"), ("s9999", "c")]);
    assert_eq!(bench.told(), ["2: stream 1 [1] other", "1: stream 3 [3] flood"]);
    let many: Vec<(&str, &str)> = (0..1_000).map(|_| ("m", "t")).collect();
    bench.begin(&many);
    assert_eq!(bench.received.ids().count(), limits::RECEIVED_TRACKS_MAX);
}

#[test]
fn frames_are_told_once_a_room_knows_the_track_and_it_is_not_ignored() {
    let mut bench = bench();
    let tracks = bench.begin(&[("s", "a")]);
    let frame = |is_key| {
        let time = MediaTime::new(0, 90_000);
        MediaFrame { codec: Codec::Vp8, time, is_key, is_contiguous: true, bytes: [1].into() }
    };
    let on_frame =
        |bench: &mut Bench, is_key| bench.received.on_frame(tracks[0], &frame(is_key), bench.now);
    assert_eq!(on_frame(&mut bench, true), Arrived::default());
    bench.say(ROOM, stream("s", "stream"));
    let arrived = on_frame(&mut bench, false);
    assert!(arrived.told.is_some() && arrived.asks, "the key frame came too early");
    bench.received.set_ignored(tracks[0], true);
    bench.wait(1);
    assert_eq!(on_frame(&mut bench, false), Arrived::default());
    bench.received.set_relay(tracks[0], TrackId::from_number(7), true);
    let arrived = on_frame(&mut bench, false);
    assert_eq!((arrived.told, arrived.relays.len(), arrived.asks), (None, 1, true));
    bench.received.set_ignored(tracks[0], false);
    assert!(on_frame(&mut bench, true).told.is_some());
}
