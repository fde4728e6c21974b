//! Adding a stream or a track to a room, up to the answers of those whom it goes to.

use std::collections::BTreeSet;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use serde_json::Value;
use tristero_proto::media::{MediaError, MediaFailure, MediaOptions};
use tristero_proto::{PeerId, RoomKey, Time};

use super::local_stream::LocalStream;
use super::local_track::{AtHome, LocalTrack};
use crate::inbox::Inbox;
use crate::room::Room;
use crate::shared::{SentTo, State};

/// Why a stream or a track is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// It can't be sent at all.
    #[error(transparent)]
    Invalid(#[from] MediaError),
    /// A track belongs to another stream, or is sent by another node.
    #[error("a track is in one stream of one node; make another for another")]
    TrackInUse,
    /// The track that is to be replaced is not sent in this room, or the stream that one is to be added
    /// to is another node's.
    #[error("this room's node does not send it")]
    NotSent,
    /// Some of the peers that it was sent to by name do not take it.
    #[error("not taken by all: {}", describe(.0))]
    NotTaken(
        /// Who, and why.
        Vec<(PeerId, MediaFailure)>,
    ),
    /// The room was left, or the node shut down, before all had answered.
    #[error("the room was left before all had answered")]
    RoomLeft,
}

/// What became of a stream or a track that was added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Added {
    /// Peers that take it, in the order in which they said so; none if nobody else was in the room.
    pub taken: Vec<PeerId>,
    /// Members of the room that do not, or that left before they said.
    pub failed: Vec<(PeerId, MediaFailure)>,
}

/// A stream or a track that is to be added to a room; `.await` adds it. Made by
/// [`Room::add_stream`] and [`Room::add_track`].
#[must_use = "nothing is added before this is awaited, detached, or made a future"]
#[derive(Debug)]
pub struct AddBuilder {
    room: Room,
    what: What,
    options: MediaOptions,
}

/// A track that is to be put in the place of another; `.await` does it. Made by
/// [`Room::replace_track`].
#[must_use = "nothing is replaced before this is awaited, detached, or made a future"]
#[derive(Debug)]
pub struct ReplaceBuilder {
    room: Room,
    old: LocalTrack,
    new: LocalTrack,
    stream: Option<LocalStream>,
    metadata: Option<Value>,
}

/// A stream or a track that was added, until those who are there now have said whether they take it:
/// the future of an [`AddBuilder`] and of a [`ReplaceBuilder`].
///
/// It is sent whether this is polled or not. Dropping it only stops waiting; what ends the stream is
/// [`Room::remove_stream`].
#[must_use = "this only waits; `detach` does not"]
pub struct Adding {
    is_targeted: bool,
    phase: Phase,
}

#[derive(Debug)]
enum What {
    Stream(LocalStream),
    Track(LocalTrack, LocalStream),
}

enum Phase {
    Refused(AddError),
    Waiting(Waiting),
    Over,
}

struct Waiting {
    /// It is not left meanwhile.
    _room: Room,
    answers: Inbox<SentTo>,
    left: BTreeSet<PeerId>,
    added: Added,
}

/// What the node did: who is to answer, and where.
struct Begun {
    peers: Vec<PeerId>,
    answers: Inbox<SentTo>,
}

impl AddBuilder {
    pub(crate) fn stream(room: Room, stream: &LocalStream) -> Self {
        let what = What::Stream(stream.clone());
        AddBuilder { room, what, options: MediaOptions::default() }
    }

    pub(crate) fn track(room: Room, track: &LocalTrack, stream: &LocalStream) -> Self {
        let what = What::Track(track.clone(), stream.clone());
        AddBuilder { room, what, options: MediaOptions::default() }
    }

    /// Sends it to this peer alone, or to one more. For a list, which may be empty, there is
    /// [`to_all`](Self::to_all).
    pub fn to(mut self, peer: &PeerId) -> Self {
        self.options.targets.get_or_insert_default().push(peer.clone());
        self
    }

    /// Sends it to these peers, or to these too. To none of them is to nobody.
    pub fn to_all<'a>(mut self, peers: impl IntoIterator<Item = &'a PeerId>) -> Self {
        self.options.targets.get_or_insert_default().extend(peers.into_iter().cloned());
        self
    }

    /// Sends this JSON along: up to 65,433 bytes.
    pub fn metadata(mut self, metadata: impl Into<Value>) -> Self {
        self.options.metadata = Some(metadata.into());
        self
    }

    /// Whether those get it too who join later; of peers that were named, those among them that do.
    /// True by default, other than in JavaScript, where an application adds it for each.
    pub fn late_joiners(mut self, late_joiners: bool) -> Self {
        self.options.late_joiners = late_joiners;
        self
    }

    /// Sends it, and does not wait for what the others say.
    ///
    /// # Errors
    ///
    /// Fails if it can't be sent at all.
    pub fn detach(self) -> Result<(), AddError> {
        self.begin().map(drop)
    }

    fn begin(&self) -> Result<Begun, AddError> {
        let AddBuilder { room, what, options } = self;
        match what {
            What::Stream(stream) => add_stream(room, stream, options),
            What::Track(track, stream) => add_track(room, track, stream, options),
        }
    }
}

impl ReplaceBuilder {
    pub(crate) fn new(room: Room, old: &LocalTrack, new: &LocalTrack) -> Self {
        ReplaceBuilder { room, old: old.clone(), new: new.clone(), stream: None, metadata: None }
    }

    /// Puts the new track in the place of the old one in this stream too, as it is seen by
    /// [`LocalStream::tracks`].
    pub fn stream(mut self, stream: &LocalStream) -> Self {
        self.stream = Some(stream.clone());
        self
    }

    /// Sends this JSON along: up to 65,433 bytes. A peer in JavaScript hears of it only if the old
    /// track was [added alone](Room::add_track); of others it is
    /// [`MediaFailure::MetadataUntold`], and they get the track all the same.
    pub fn metadata(mut self, metadata: impl Into<Value>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    /// Replaces it, and does not wait for what the others say.
    ///
    /// # Errors
    ///
    /// Fails if it can't be replaced at all.
    pub fn detach(self) -> Result<(), AddError> {
        self.begin().map(drop)
    }

    fn begin(&self) -> Result<Begun, AddError> {
        let ReplaceBuilder { room, old, new, stream, metadata } = self;
        let shared = room.node().weak();
        let begun = room.call(|state, key, now| {
            let home = room.node().shared();
            if new.is_at_home(home, &mut state.node) != AtHome::Nowhere {
                return Err(AddError::TrackInUse);
            }
            let old_id = old.id_in(home).ok_or(AddError::NotSent)?;
            let metadata = metadata.clone();
            let added = state.node.replace_track(key, old_id, new.spec().clone(), metadata, now)?;
            state.sent.replace(old_id, added.track, new.wants());
            new.settle(&shared, added.track);
            // It may be muted, which a new one is not.
            state.node.mute_track(added.track, new.is_muted())?;
            let answers = state.sent.await_track(key, added.track);
            Ok(Begun { peers: added.peers, answers })
        })?;
        if let Some(stream) = stream {
            stream.replace(old, new);
        }
        Ok(begun)
    }
}

impl IntoFuture for AddBuilder {
    type Output = Result<Added, AddError>;
    type IntoFuture = Adding;

    fn into_future(self) -> Adding {
        let begun = self.begin();
        Adding::new(self.room, self.options.targets.is_some(), begun)
    }
}

impl IntoFuture for ReplaceBuilder {
    type Output = Result<Added, AddError>;
    type IntoFuture = Adding;

    fn into_future(self) -> Adding {
        let begun = self.begin();
        Adding::new(self.room, false, begun)
    }
}

impl Adding {
    fn new(room: Room, is_targeted: bool, begun: Result<Begun, AddError>) -> Self {
        let phase = match begun {
            Err(error) => Phase::Refused(error),
            Ok(Begun { peers, answers }) => Phase::Waiting(Waiting {
                _room: room,
                answers,
                left: peers.into_iter().collect(),
                added: Added::default(),
            }),
        };
        Adding { is_targeted, phase }
    }
}

impl Future for Adding {
    type Output = Result<Added, AddError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match &mut self.phase {
            Phase::Refused(error) => Err(error.clone()),
            Phase::Waiting(waiting) => ready!(waiting.poll(cx)),
            Phase::Over => panic!("polled after it was over"),
        };
        self.phase = Phase::Over;
        Poll::Ready(match result {
            Ok(added) if self.is_targeted && !added.failed.is_empty() => {
                Err(AddError::NotTaken(added.failed))
            }
            result => result,
        })
    }
}

impl Waiting {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Added, AddError>> {
        while !self.left.is_empty() {
            let Some((peer, result)) = ready!(self.answers.poll_next(cx)) else {
                return Poll::Ready(Err(AddError::RoomLeft));
            };
            // Others may have become members meanwhile.
            if !self.left.remove(&peer) {
                continue;
            }
            match result {
                Ok(()) => self.added.taken.push(peer),
                Err(why) => self.added.failed.push((peer, why)),
            }
        }
        Poll::Ready(Ok(std::mem::take(&mut self.added)))
    }
}

impl fmt::Debug for Adding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adding").field("is_targeted", &self.is_targeted).finish_non_exhaustive()
    }
}

fn add_stream(
    room: &Room,
    stream: &LocalStream,
    options: &MediaOptions,
) -> Result<Begun, AddError> {
    let tracks = stream.tracks();
    room.call(|state, key, now| {
        let known = stream.key_in(room.node().shared());
        let (stream_key, peers) = match known {
            Some(known) => match state.node.share_stream(key, known, options.clone(), now) {
                Ok(peers) => (known, peers),
                Err(MediaError::NoSuchStream) => {
                    begin_stream(state, room, (stream, &tracks), options, (key, now))?
                }
                Err(error) => return Err(error.into()),
            },
            None => begin_stream(state, room, (stream, &tracks), options, (key, now))?,
        };
        for track in &tracks {
            if let Some(id) = track.id_in(room.node().shared()) {
                state.sent.begin(key, id, track.wants());
            }
        }
        Ok(Begun { peers, answers: state.sent.await_stream(key, stream_key) })
    })
}

/// Sends a stream that the node does not know yet.
fn begin_stream(
    state: &mut State,
    room: &Room,
    (stream, tracks): (&LocalStream, &[LocalTrack]),
    options: &MediaOptions,
    (key, now): (RoomKey, Time),
) -> Result<(tristero_proto::StreamKey, Vec<PeerId>), AddError> {
    let home = room.node().shared();
    if tracks.iter().any(|track| track.is_at_home(home, &mut state.node) != AtHome::Nowhere) {
        return Err(AddError::TrackInUse);
    }
    let specs: Vec<_> = tracks.iter().map(|track| track.spec().clone()).collect();
    let added = state.node.add_stream(key, &specs, options.clone(), now)?;
    let shared = room.node().weak();
    stream.settle(&shared, added.stream);
    for (track, id) in tracks.iter().zip(added.tracks) {
        track.settle(&shared, id);
        state.node.mute_track(id, track.is_muted())?;
    }
    Ok((added.stream, added.peers))
}

fn add_track(
    room: &Room,
    track: &LocalTrack,
    stream: &LocalStream,
    options: &MediaOptions,
) -> Result<Begun, AddError> {
    let shared = room.node().weak();
    let begun = room.call(|state, key, now| {
        let home = room.node().shared();
        if track.is_at_home(home, &mut state.node) != AtHome::Nowhere {
            return Err(AddError::TrackInUse);
        }
        let known = stream.key_in(home).ok_or(AddError::NotSent)?;
        let added = state.node.add_track(key, known, track.spec().clone(), options.clone(), now)?;
        track.settle(&shared, added.track);
        state.node.mute_track(added.track, track.is_muted())?;
        state.sent.begin(key, added.track, track.wants());
        Ok(Begun { peers: added.peers, answers: state.sent.await_track(key, added.track) })
    })?;
    stream.push(track);
    Ok(begun)
}

fn describe(failed: &[(PeerId, MediaFailure)]) -> String {
    let each = failed.iter().map(|(peer, failure)| format!("{peer}: {failure}"));
    each.collect::<Vec<_>>().join(", ")
}
