//! What goes to one peer of audio and video: what was announced to it in each room, what is attached
//! to the connection because of that, and what is offered next.
//!
//! A track is attached once, whatever rooms announce it, and has names of its own for as long as it
//! is: JavaScript takes what it knows under a name for the same thing for ever. What is announced is
//! said once, before the first offer that has it, and never again, though that offer may be given
//! up. JavaScript takes what it was told in order and not by name: so it is told one thing at a
//! time, and the next one when that is agreed on.
//!
//! spec: docs/protocol.md, section 7

mod attachment;

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::{Codec, MediaFailure, MediaFrame, Msid, SentTrack, TrackSpec};
use crate::engine::MediaOutcome;
use crate::event::Event;
use crate::ids::{Counter, PeerId, RoomKey, StreamKey, TrackId};
use crate::limits;
use crate::rng::Rng;
use crate::time::Time;
use crate::wire::MediaSaid;

use attachment::Attachment;
pub(crate) use attachment::Passed;

/// The length of the keys and names that are made here, as of Trystero's keys.
const NAME_LENGTH: usize = 20;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Sent {
    peer: PeerId,
    rng: Rng,
    announcements: Vec<Announcement>,
    attachments: BTreeMap<TrackId, Attachment>,
    /// What is attached of each stream is called so.
    streams: BTreeMap<StreamKey, StreamNames>,
    /// Whether the other side has not been offered what is attached now.
    is_dirty: bool,
    /// Whether an offer is out.
    is_out: bool,
    /// Whether an offer was answered, and what came of it may not be known to the last.
    is_answered: bool,
    events: VecDeque<Event>,
}

/// Something that a room sends to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Stream(StreamKey),
    Track(StreamKey, TrackId),
}

#[derive(Debug)]
struct Announcement {
    room: RoomKey,
    subject: Subject,
    metadata: Option<Value>,
    tracks: Vec<(TrackId, TrackSpec)>,
    /// Those among them that go once they are agreed on, because JavaScript was told of them.
    leaving: Vec<TrackId>,
    phase: Phase,
    /// What the calls that it answers know it as: the track may have been replaced since.
    called: Subject,
    /// How many calls it answers.
    calls: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing was said of it.
    Waiting,
    /// It was said, and its tracks are not agreed on.
    Said,
    /// It was said and is not wanted any more. JavaScript has to get its tracks all the same, so
    /// that what it was told is not taken for another's.
    Unwanted,
    /// It is agreed on.
    Standing,
}

/// What a stream is called on this connection.
#[derive(Debug)]
struct StreamNames {
    key: String,
    name: String,
}

/// What comes next.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// What to say, in these rooms and in this order, before the offer.
    pub(crate) said: Vec<(RoomKey, MediaSaid)>,
    /// What to propose then, if anything.
    pub(crate) proposal: Option<Vec<SentTrack>>,
}

impl Sent {
    pub(crate) fn new(peer: PeerId, rng: Rng) -> Self {
        Sent {
            peer,
            rng,
            announcements: Vec::new(),
            attachments: BTreeMap::new(),
            streams: BTreeMap::new(),
            is_dirty: false,
            is_out: false,
            is_answered: false,
            events: VecDeque::new(),
        }
    }

    /// A room sends something to the peer from now on. In a room that does so already it is said
    /// again, with other metadata.
    pub(crate) fn announce(
        &mut self,
        room: RoomKey,
        subject: Subject,
        metadata: Option<Value>,
        tracks: Vec<(TrackId, TrackSpec)>,
    ) {
        let is_it = |known: &&mut Announcement| {
            known.is(room, subject) && matches!(known.phase, Phase::Waiting | Phase::Standing)
        };
        if let Some(known) = self.announcements.iter_mut().find(is_it) {
            known.calls = if known.phase == Phase::Waiting { known.calls + 1 } else { 1 };
            (known.metadata, known.phase, known.called) = (metadata, Phase::Waiting, subject);
            return;
        }
        let phase = Phase::Waiting;
        let (leaving, called, calls) = (Vec::new(), subject, 1);
        let known = Announcement { room, subject, metadata, tracks, leaving, phase, called, calls };
        self.announcements.push(known);
    }

    /// A room does not send a stream any more, nor the tracks that were added to it.
    pub(crate) fn withdraw_stream(&mut self, room: RoomKey, stream: StreamKey, is_ours: bool) {
        let is_it = |known: &Announcement| known.room == room && known.subject.stream() == stream;
        self.end_all(is_ours, MediaFailure::Removed, is_it);
    }

    /// A room does not send a track any more, however it was announced.
    pub(crate) fn withdraw_track(&mut self, room: RoomKey, track: TrackId, is_ours: bool) {
        let mut empty = Vec::new();
        let has_it = |known: &&mut Announcement| {
            known.room == room && known.tracks.iter().any(|(other, _)| *other == track)
        };
        for known in self.announcements.iter_mut().filter(has_it) {
            if !known.leaving.contains(&track) {
                known.leaving.push(track);
            }
            if known.leaving.len() == known.tracks.len() {
                empty.push(known.subject);
            } else if known.phase != Phase::Said || is_ours {
                known.let_go();
            }
        }
        for subject in empty {
            let is_it = |known: &Announcement| known.is(room, subject);
            self.end_all(is_ours, MediaFailure::Removed, is_it);
        }
        self.release();
    }

    /// The peer is a member of a room no longer, or we are not.
    pub(crate) fn on_left(&mut self, room: RoomKey, is_ours: bool) {
        self.end_all(is_ours, MediaFailure::Left, |known| known.room == room);
    }

    /// Like [`on_left`](Self::on_left), for a room that is told nothing any more.
    pub(crate) fn forget(&mut self, room: RoomKey, is_ours: bool) {
        self.on_left(room, is_ours);
        self.events.retain(|event| event.room() != Some(room));
    }

    /// The connection is gone, and all rooms were left.
    pub(crate) fn on_lost(&mut self) {
        self.announcements.clear();
        self.release();
    }

    /// Whether there is anything to say or to offer.
    pub(crate) fn has_more(&self) -> bool {
        self.is_dirty || self.announcements.iter().any(|known| known.phase == Phase::Waiting)
    }

    /// What is to be said and offered now, while nothing of ours is out. One of ours takes all at
    /// once.
    pub(crate) fn next_round(&mut self, is_ours: bool, ids: &mut Counter) -> Round {
        let mut round = Round::default();
        let is_open = |known: &Announcement| matches!(known.phase, Phase::Said | Phase::Unwanted);
        let mut is_closed = !is_ours && self.announcements.iter().any(is_open);
        for index in 0..self.announcements.len() {
            if is_closed || self.announcements[index].phase != Phase::Waiting {
                continue;
            }
            is_closed = self.begin(index, ids, &mut round) && !is_ours;
        }
        self.announcements.retain(|known| !known.tracks.is_empty());
        self.settle();
        if self.is_dirty {
            (self.is_dirty, self.is_out) = (false, true);
            let attachments = self.attachments.values_mut();
            round.proposal = Some(attachments.map(Attachment::propose).collect());
        }
        round
    }

    /// What was offered last is given up, and is to be offered again.
    pub(crate) fn on_rolled_back(&mut self) {
        for attachment in self.attachments.values_mut() {
            attachment.on_rolled_back();
        }
        self.is_dirty |= std::mem::take(&mut self.is_out);
    }

    /// Nobody answers what was offered, and it is not offered again.
    pub(crate) fn on_unanswered(&mut self) {
        self.on_rolled_back();
        let is_open = |known: &Announcement| matches!(known.phase, Phase::Said | Phase::Unwanted);
        for known in &mut self.announcements {
            if known.phase == Phase::Said {
                let answers = known.answers(&self.peer, Err(MediaFailure::NotAnswered));
                self.events.extend(answers);
            }
            if is_open(known) {
                known.tracks.clear();
            }
        }
        self.announcements.retain(|known| !known.tracks.is_empty());
        self.release();
        // Until something else is wanted.
        self.is_dirty = false;
    }

    /// The offer was answered. What came of it is told next.
    pub(crate) fn on_answered(&mut self) {
        (self.is_out, self.is_answered) = (false, true);
    }

    /// The other side says how it takes what is attached under this number.
    pub(crate) fn on_agreed(&mut self, wire: TrackId, codecs: Vec<Codec>) -> Option<TrackId> {
        let mut attachments = self.attachments.iter_mut();
        let (track, attachment) = attachments.find(|(_, known)| known.wire == wire)?;
        let track = *track;
        if attachment.on_agreed(&codecs) {
            let peer = self.peer.clone();
            self.events.push_back(Event::TrackAgreed { track, peer, codecs });
        }
        Some(track)
    }

    /// All that came of an answer was told.
    pub(crate) fn settle_answered(&mut self) {
        if std::mem::take(&mut self.is_answered) {
            for attachment in self.attachments.values_mut() {
                attachment.on_answered();
            }
            self.settle();
        }
    }

    /// Something else is sent as a track from now on. Gives what to say of it in this room, if
    /// anything; `None` if the track is not attached.
    pub(crate) fn replace(
        &mut self,
        room: RoomKey,
        old: TrackId,
        new: (TrackId, &TrackSpec),
        metadata: Option<&Value>,
        is_ours: bool,
    ) -> Option<Option<MediaSaid>> {
        let (track, spec) = new;
        let mut is_in_room = false;
        for known in &mut self.announcements {
            for (other, their) in known.tracks.iter_mut().filter(|(other, _)| *other == old) {
                (*other, *their) = (track, spec.clone());
                is_in_room |= known.room == room;
            }
            known.leaving.iter_mut().filter(|other| **other == old).for_each(|id| *id = track);
            if let Subject::Track(stream, other) = known.subject
                && other == old
            {
                known.subject = Subject::Track(stream, track);
                if known.room == room && known.phase == Phase::Waiting {
                    known.metadata = metadata.cloned();
                }
            }
        }
        let Some(mut attachment) = self.attachments.remove(&old) else {
            return is_in_room.then_some(None);
        };
        self.is_dirty |= attachment.replace(spec);
        let Msid { track: name, .. } = attachment.msid.clone();
        let (key, is_told) = (attachment.key.clone(), attachment.is_agreed());
        let is_alone = attachment.is_alone;
        self.attachments.insert(track, attachment);
        let said = MediaSaid::Replacement { key, track: name, metadata: metadata.cloned() };
        is_in_room.then(|| Some(said).filter(|_| is_told && (is_ours || is_alone)))
    }

    /// Answers for something that went to the peer in another way than by an announcement.
    pub(crate) fn answer(
        &mut self,
        room: RoomKey,
        subject: Subject,
        result: Result<(), MediaFailure>,
    ) {
        let event = subject.answer(room, &self.peer, result);
        self.events.push_back(event);
    }

    /// What comes next of a track does not follow what came before.
    pub(crate) fn break_off(&mut self, track: TrackId) {
        if let Some(attachment) = self.attachments.get_mut(&track) {
            attachment.break_off();
        }
    }

    /// Whether a frame is of use to the peer, and under which number it goes. `None` if the track is
    /// not attached.
    pub(crate) fn pass_frame(
        &mut self,
        track: TrackId,
        frame: &MediaFrame,
        is_contiguous: bool,
        now: Time,
    ) -> Option<Passed> {
        let attachment = self.attachments.get_mut(&track)?;
        Some(attachment.pass_frame(frame, is_contiguous, now))
    }

    /// Under which number a packet goes, if it is of use. `None` if the track is not attached.
    pub(crate) fn pass_packet(&mut self, track: TrackId, codec: Codec) -> Option<Passed> {
        let attachment = self.attachments.get(&track)?;
        Some(attachment.pass_packet(codec))
    }

    /// What became of a frame: whether it is on its way, and whether a key frame has to be asked for.
    pub(crate) fn on_sent(
        &mut self,
        track: TrackId,
        outcome: MediaOutcome,
        now: Time,
    ) -> (bool, bool) {
        let attachment = self.attachments.get_mut(&track);
        (outcome.is_taken(), attachment.is_some_and(|known| known.on_sent(outcome, now)))
    }

    /// The other side wants a key frame of what is attached under this number. Gives the track, if
    /// that is to be told.
    pub(crate) fn on_key_frame_wanted(&mut self, wire: TrackId, now: Time) -> Option<TrackId> {
        let mut attachments = self.attachments.iter_mut();
        let (track, attachment) = attachments.find(|(_, known)| known.wire == wire)?;
        attachment.may_ask(now).then_some(*track)
    }

    /// The track that is attached under this number.
    pub(crate) fn track_of(&self, wire: TrackId) -> Option<TrackId> {
        self.attachments.iter().find(|(_, known)| known.wire == wire).map(|(track, _)| *track)
    }

    /// What to tell the application.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Says an announcement, and attaches its tracks. True if they have to be agreed on.
    fn begin(&mut self, index: usize, ids: &mut Counter, round: &mut Round) -> bool {
        let Announcement { room, subject, ref mut metadata, ref tracks, .. } =
            self.announcements[index];
        let (metadata, tracks) = (metadata.clone(), tracks.clone());
        let is_new = |(track, _): &&(TrackId, TrackSpec)| !self.attachments.contains_key(track);
        let new = tracks.iter().filter(is_new).count();
        if self.attachments.len() + new > limits::SENT_TRACKS_MAX {
            let known = &mut self.announcements[index];
            self.events.extend(known.answers(&self.peer, Err(MediaFailure::TooMany)));
            known.tracks.clear();
            return false;
        }
        let (stream, is_alone) = (subject.stream(), matches!(subject, Subject::Track(..)));
        let rng = &mut self.rng;
        let names = self.streams.entry(stream).or_insert_with(|| StreamNames {
            key: rng.alphanumeric(NAME_LENGTH),
            name: rng.alphanumeric(NAME_LENGTH),
        });
        for (track, spec) in &tracks {
            if !self.attachments.contains_key(track) {
                let wire = TrackId(ids.next());
                let (key, track_name) =
                    (rng.alphanumeric(NAME_LENGTH), rng.alphanumeric(NAME_LENGTH));
                let msid = Msid { stream: names.name.clone(), track: track_name };
                let attachment = Attachment::new(wire, stream, (key, msid), is_alone, spec.clone());
                self.attachments.insert(*track, attachment);
            }
        }
        // They are new, or were offered to a peer that did not answer.
        let is_wanted = |(track, _): &(TrackId, TrackSpec)| {
            self.attachments.get(track).is_some_and(Attachment::is_wanted)
        };
        let has_wanted = tracks.iter().any(is_wanted);
        self.is_dirty |= has_wanted;
        let said = match subject {
            Subject::Stream(_) => {
                let (key, stream) = (names.key.clone(), names.name.clone());
                Some(MediaSaid::Stream { key, stream, metadata })
            }
            Subject::Track(_, track) => self.attachments.get(&track).map(|known| {
                let Msid { stream, track } = known.msid.clone();
                MediaSaid::Track { key: known.key.clone(), stream, track, metadata }
            }),
        };
        round.said.extend(said.map(|said| (room, said)));
        self.announcements[index].phase = Phase::Said;
        has_wanted
    }

    /// Looks which announcements are agreed on.
    fn settle(&mut self) {
        for known in &mut self.announcements {
            let attached = || known.tracks.iter().map(|(track, _)| self.attachments.get(track));
            let is_settled = attached().flatten().all(|track| track.is_settled());
            if !is_settled {
                continue;
            }
            match known.phase {
                Phase::Said => {
                    let is_taken = attached().flatten().any(Attachment::is_agreed);
                    let result = if is_taken { Ok(()) } else { Err(MediaFailure::Refused) };
                    self.events.extend(known.answers(&self.peer, result));
                    known.phase = Phase::Standing;
                    known.let_go();
                }
                Phase::Unwanted => known.tracks.clear(),
                Phase::Waiting | Phase::Standing => {}
            }
        }
        self.announcements.retain(|known| !known.tracks.is_empty());
        self.release();
    }

    fn end_all(
        &mut self,
        is_ours: bool,
        failure: MediaFailure,
        is_it: impl Fn(&Announcement) -> bool,
    ) {
        for known in self.announcements.iter_mut().filter(|known| is_it(known)) {
            match known.phase {
                Phase::Waiting | Phase::Said => {
                    self.events.extend(known.answers(&self.peer, Err(failure)));
                }
                Phase::Unwanted | Phase::Standing => {}
            }
            let is_owed = matches!(known.phase, Phase::Said | Phase::Unwanted) && !is_ours;
            if is_owed {
                known.phase = Phase::Unwanted;
            } else {
                known.tracks.clear();
            }
        }
        self.announcements.retain(|known| !known.tracks.is_empty());
        self.release();
    }

    /// Detaches what no announcement has any more, and tells that the peer takes it no longer.
    fn release(&mut self) {
        let announcements = &self.announcements;
        let is_held = |track: &TrackId| {
            let has_it = |known: &Announcement| known.tracks.iter().any(|(held, _)| held == track);
            announcements.iter().any(has_it)
        };
        let before = self.attachments.len();
        self.attachments.retain(|track, attachment| {
            let is_kept = is_held(track);
            if !is_kept && attachment.is_agreed() {
                let (track, peer, codecs) = (*track, self.peer.clone(), Vec::new());
                self.events.push_back(Event::TrackAgreed { track, peer, codecs });
            }
            is_kept
        });
        self.is_dirty |= self.attachments.len() < before;
        let attachments = &self.attachments;
        self.streams.retain(|stream, _| attachments.values().any(|known| known.stream == *stream));
    }
}

impl Announcement {
    fn is(&self, room: RoomKey, subject: Subject) -> bool {
        self.room == room && self.subject == subject
    }

    /// Has no part any more in the tracks that are to go.
    fn let_go(&mut self) {
        let leaving = std::mem::take(&mut self.leaving);
        self.tracks.retain(|(track, _)| !leaving.contains(track));
    }

    fn answers(
        &self,
        peer: &PeerId,
        result: Result<(), MediaFailure>,
    ) -> impl Iterator<Item = Event> + use<> {
        let answer = self.called.answer(self.room, peer, result);
        std::iter::repeat_n(answer, self.calls)
    }
}

impl Subject {
    fn stream(self) -> StreamKey {
        match self {
            Subject::Stream(stream) | Subject::Track(stream, _) => stream,
        }
    }

    /// The event that answers whoever sends it.
    pub(crate) fn answer(
        self,
        room: RoomKey,
        peer: &PeerId,
        result: Result<(), MediaFailure>,
    ) -> Event {
        let peer = peer.clone();
        match self {
            Subject::Stream(stream) => Event::StreamSent { room, stream, peer, result },
            Subject::Track(_, track) => Event::TrackSent { room, track, peer, result },
        }
    }
}
