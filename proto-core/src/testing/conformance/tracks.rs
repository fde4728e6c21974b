//! Tracks of audio and video.

use std::time::Duration;

use super::{CONN_A, CONN_B, PATIENCE, Pair, Side};
use crate::engine::{Engine, EngineEvent, IncomingTrack, MediaOutcome, Proposal};
use crate::ids::TrackId;
use crate::media::{Codec, MediaFrame, MediaKind, MediaTime, Msid, SentTrack};
use crate::rng::Seed;

/// What an engine said of tracks.
#[derive(Default)]
pub(super) struct Tracks {
    began: Vec<(IncomingTrack, MediaKind, Option<Msid>)>,
    ended: Vec<IncomingTrack>,
    frames: Vec<(IncomingTrack, MediaFrame)>,
    agreed: Vec<(TrackId, Vec<Codec>)>,
    wanted: Vec<TrackId>,
}

impl Tracks {
    pub(super) fn on_event(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::TrackBegan { track, kind, msid, .. } => {
                assert!(!self.has_begun(track), "no number is used twice");
                self.began.push((track, kind, msid));
            }
            EngineEvent::TrackEnded { track, .. } => {
                assert!(self.is_live(track), "it began, and ends once");
                self.ended.push(track);
            }
            EngineEvent::Frame { track, frame, .. } => {
                assert!(self.is_live(track), "frames come between the two");
                self.frames.push((track, frame));
            }
            EngineEvent::TrackAgreed { track, codecs, .. } => self.agreed.push((track, codecs)),
            EngineEvent::KeyFrameWanted { track, .. } => self.wanted.push(track),
            other => panic!("no frames were sent as packets, and nothing else was done: {other:?}"),
        }
    }

    fn has_begun(&self, track: IncomingTrack) -> bool {
        self.began.iter().any(|(begun, ..)| *begun == track)
    }

    fn is_live(&self, track: IncomingTrack) -> bool {
        self.has_begun(track) && !self.ended.contains(&track)
    }
}

/// Tracks are proposed and taken, frames arrive on them, a key frame can be asked for, and what is
/// proposed no longer ends, both ways.
pub fn sends_tracks_and_ends_them<E: Engine>(make: impl Fn(&Seed) -> E) {
    let mut pair = Pair::new(make);
    pair.connect(true);
    for (from, to) in [(Side::A, Side::B), (Side::B, Side::A)] {
        pair.agree(from, &[audio(1), video(2)]);
        let tracks = &pair.side(to).tracks;
        let kinds: Vec<MediaKind> = tracks.began.iter().map(|(_, kind, _)| *kind).collect();
        assert_eq!(kinds, [MediaKind::Audio, MediaKind::Video]);
        let msids: Vec<Option<Msid>> = tracks.began.iter().map(|(.., msid)| msid.clone()).collect();
        assert_eq!(msids, [Some(audio(1).msid), Some(video(2).msid)]);
        let agreed = &pair.side(from).tracks.agreed;
        let of = |number| agreed.iter().find(|(track, _)| *track == TrackId(number));
        assert_eq!(of(1), Some(&(TrackId(1), vec![Codec::Opus])));
        assert_eq!(of(2), Some(&(TrackId(2), vec![Codec::Vp8])));

        let (incoming, ..) = pair.side(to).tracks.began[1];
        for number in 0..10 {
            assert_eq!(pair.send_frame(from, 2, number), MediaOutcome::Taken);
            pair.run_for(FRAME_TIME);
        }
        pair.run_until(|pair| pair.side(to).tracks.frames.len() == 10);
        for (number, (track, arrived)) in (0..).zip(&pair.side(to).tracks.frames) {
            let sent = frame(number);
            assert_eq!(*track, incoming);
            assert!(arrived.is_contiguous && arrived.is_key == sent.is_key, "{number}");
            assert_eq!(arrived.bytes, sent.bytes, "{number}");
        }
        let now = pair.now;
        pair.side_mut(to).engine.request_key_frame(to.conn(), incoming, now);
        pair.run_until(|pair| !pair.side(from).tracks.wanted.is_empty());
        assert_eq!(pair.side(from).tracks.wanted, [TrackId(2)]);
        assert!(pair.side(to).engine.media_info(to.conn()).is_possible);

        // The other one stays, and the one that comes is not taken for the one that went.
        pair.agree(from, &[audio(1), video(3)]);
        assert_eq!(pair.side(to).tracks.ended, [incoming]);
        assert_eq!(pair.side(to).tracks.began.len(), 3);
        assert_eq!(pair.send_frame(from, 2, 10), MediaOutcome::Unwanted);
        assert_eq!(pair.send_frame(from, 3, 0), MediaOutcome::Taken);
        pair.agree(from, &[]);
        assert_eq!(pair.side(to).tracks.ended.len(), 3);
    }
    pair.send_when_drained(Side::A, b"still here");
    pair.run_until(|pair| !pair.b.messages.is_empty());
}

/// What nobody answers is given up, by itself or for an offer of the other side, and can be proposed
/// again.
pub fn gives_up_what_it_proposed<E: Engine>(make: impl Fn(&Seed) -> E) {
    let mut pair = Pair::new(make);
    pair.connect(true);
    let offer = pair.propose(Side::A, &[video(1)]);
    pair.a.engine.roll_back(CONN_A, pair.now);
    pair.drain();
    assert!(pair.b.tracks.began.is_empty());
    let answer = pair.b.engine.renegotiate(CONN_B, &offer, pair.now);
    let late = pair.a.engine.accept_answer(CONN_A, &answer.expect("it is an offer"), pair.now);
    assert!(late.is_err(), "nobody waits for it");
    pair.drain();
    // Both propose, and one gives way.
    let _ = pair.propose(Side::A, &[video(2)]);
    let theirs = pair.propose(Side::B, &[audio(1)]);
    let answer = pair.a.engine.renegotiate(CONN_A, &theirs, pair.now).expect("it is an offer");
    assert_eq!(pair.b.engine.accept_answer(CONN_B, &answer, pair.now), Ok(()));
    pair.drain();
    assert_eq!((pair.a.tracks.began.len(), pair.b.tracks.agreed.len()), (1, 1));
    pair.agree(Side::A, &[video(2)]);
    assert_eq!(pair.a.tracks.agreed.last(), Some(&(TrackId(2), vec![Codec::Vp8])));
    // What is no description changes nothing.
    assert!(pair.b.engine.renegotiate(CONN_B, "nonsense", pair.now).is_err());
    let _ = pair.propose(Side::A, &[]);
    assert!(pair.a.engine.accept_answer(CONN_A, "nonsense", pair.now).is_err());
    pair.a.engine.roll_back(CONN_A, pair.now);
    pair.drain();
    assert_eq!(pair.send_frame(Side::A, 2, 0), MediaOutcome::Taken);
    pair.run_until(|pair| !pair.b.tracks.frames.is_empty());
}

/// Tracks end before the connection does, whoever ends it.
pub fn ends_all_tracks_before_the_connection<E: Engine>(make: impl Fn(&Seed) -> E) {
    let mut pair = Pair::new(make);
    pair.connect(true);
    pair.agree(Side::A, &[audio(1), video(2)]);
    pair.agree(Side::B, &[audio(1)]);
    pair.a.engine.close(CONN_A, pair.now);
    pair.run_for(PATIENCE);
    assert_eq!((pair.a.closed.len(), pair.b.closed.len()), (1, 1));
    assert_eq!((pair.a.tracks.ended.len(), pair.b.tracks.ended.len()), (1, 2));
    let proposal = Proposal::Tracks(vec![audio(3)]);
    pair.a.engine.propose(CONN_A, &proposal, pair.now);
    pair.drain();
    assert!(pair.a.descriptions.is_empty(), "it names nothing");
    assert_eq!(pair.send_frame(Side::A, 2, 0), MediaOutcome::Unwanted);
}

const FRAME_TIME: Duration = Duration::from_millis(33);

fn audio(number: u64) -> SentTrack {
    track(number, MediaKind::Audio, Codec::Opus)
}

fn video(number: u64) -> SentTrack {
    track(number, MediaKind::Video, Codec::Vp8)
}

fn track(number: u64, kind: MediaKind, codec: Codec) -> SentTrack {
    let msid = Msid { stream: format!("stream{number}"), track: format!("track{number}") };
    SentTrack { track: TrackId(number), kind, msid, codecs: vec![codec] }
}

/// A frame of VP8 with a header as an engine may read it (RFC 6386, section 9.1).
fn frame(number: u64) -> MediaFrame {
    let is_key = number == 0;
    let mut bytes = vec![u8::from(!is_key) | 0x10, 2, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0];
    bytes.resize(3_000, u8::try_from(number).unwrap_or_default());
    let time = MediaTime::new(number * 2_970, Codec::Vp8.clock_rate());
    let bytes = bytes.into();
    MediaFrame { codec: Codec::Vp8, time, is_key, is_contiguous: true, bytes }
}

impl<E: Engine> Pair<E> {
    /// One side proposes tracks; gives its offer.
    fn propose(&mut self, from: Side, tracks: &[SentTrack]) -> String {
        let (now, proposal) = (self.now, Proposal::Tracks(tracks.to_vec()));
        self.side_mut(from).engine.propose(from.conn(), &proposal, now);
        self.run_until(|pair| !pair.side(from).descriptions.is_empty());
        self.side_mut(from).descriptions.pop_front().map(|(_, sdp)| sdp).unwrap_or_default()
    }

    /// One side proposes tracks, and the other agrees.
    fn agree(&mut self, from: Side, tracks: &[SentTrack]) {
        let offer = self.propose(from, tracks);
        let (now, to) = (self.now, from.other());
        let answer = self.side_mut(to).engine.renegotiate(to.conn(), &offer, now);
        let answer = answer.expect("it is an offer");
        self.drain();
        let accepted = self.side_mut(from).engine.accept_answer(from.conn(), &answer, now);
        assert_eq!(accepted, Ok(()));
        self.drain();
    }

    fn send_frame(&mut self, from: Side, track: u64, number: u64) -> MediaOutcome {
        let now = self.now;
        let half = self.side_mut(from);
        let outcome = half.engine.send_frame(from.conn(), TrackId(track), &frame(number), now);
        self.drain();
        outcome
    }
}
