//! A track that we send.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use tristero_proto::media::{
    Codec, MediaError, MediaFrame, MediaKind, RtpPacket, TrackSpec, TrackStats, Written,
};
use tristero_proto::{Node, PeerId, Time, TrackId};

use super::relaying::Relaying;
use super::remote_track::RemoteTrack;
use crate::engine::AnyEngine;
use crate::inbox::Wakes;
use crate::room::Room;
use crate::shared::Shared;

/// A track of audio or video of ours: frames that an encoder made go in here, and out to everyone
/// whom the track is sent to, by [`Room::add_stream`].
///
/// It is of no room and sends nothing before it is added to one. Clones are handles of one track. When
/// the last of them is gone, those that streams have among them, it ends in all rooms.
#[derive(Clone)]
pub struct LocalTrack(Arc<Inner>);

struct Inner {
    spec: TrackSpec,
    home: Mutex<Option<Home>>,
    is_muted: AtomicBool,
    wants: Arc<Wants>,
}

/// The node that sends a track, and what it calls it.
#[derive(Clone)]
pub(crate) struct Home {
    shared: Weak<Shared>,
    track: TrackId,
}

/// Whether somebody wants a key frame, and who waits for that.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    is_wanted: AtomicBool,
    waker: AtomicWaker,
}

impl LocalTrack {
    /// A track of pictures whose frames are encoded in one of these ways, the best first; in any that
    /// the room has, if none is given.
    ///
    /// With several ones each peer takes those that it can, and gets only frames that are encoded so:
    /// [`codecs_of_peers`](Self::codecs_of_peers) says which.
    ///
    /// # Panics
    ///
    /// Panics if one of them is for sound.
    pub fn video(codecs: impl IntoIterator<Item = Codec>) -> Self {
        Self::new(MediaKind::Video, codecs)
    }

    /// A track of sound, as [`video`](Self::video) is one of pictures.
    ///
    /// # Panics
    ///
    /// Panics if one of the codecs is for pictures.
    pub fn audio(codecs: impl IntoIterator<Item = Codec>) -> Self {
        Self::new(MediaKind::Audio, codecs)
    }

    /// A track of what this codec encodes.
    pub fn of(codec: Codec) -> Self {
        Self::new(codec.kind(), [codec])
    }

    /// A track for this, in any codec that the room has.
    pub fn any(kind: MediaKind) -> Self {
        Self::new(kind, [])
    }

    /// Sends a frame to everyone whom the track goes to, now or not at all: media is dropped and does
    /// not wait, so this never does. Says to how many it goes; to nobody, without an error, while
    /// the track is in no room, or was removed from it.
    ///
    /// A frame is whole, as an encoder makes it, and its [time](MediaFrame::time) has to go on as real
    /// time does. After a dropped frame of video a peer gets none before a key frame, and one is
    /// [wanted](Self::key_frame_wanted).
    ///
    /// # Errors
    ///
    /// Fails if the frame is empty or too large, or not of the track's kind.
    pub fn write(&self, frame: &MediaFrame) -> Result<Written, MediaError> {
        self.write_by(|node, track, now| node.write_frame(track, frame, now))
    }

    /// Sends an RTP packet, as [`write`](Self::write) a frame.
    ///
    /// # Errors
    ///
    /// Fails if the packet is empty or too large, or not of the track's kind.
    pub fn write_packet(&self, packet: &RtpPacket) -> Result<Written, MediaError> {
        self.write_by(|node, track, now| node.write_packet(track, packet, now))
    }

    /// Sends nothing of what is written, until it is no longer so. The track stays, and nobody is
    /// told, as where `enabled` of a track is false in JavaScript.
    pub fn set_muted(&self, is_muted: bool) {
        self.0.is_muted.store(is_muted, Ordering::Relaxed);
        self.with_home(|node, track, _| _ = node.mute_track(track, is_muted));
    }

    /// Whether nothing of what is written is sent.
    pub fn is_muted(&self) -> bool {
        self.0.is_muted.load(Ordering::Relaxed)
    }

    /// Resolves when somebody can't go on without a key frame: one who has just come, or who lost
    /// something. An encoder should make one at once. It may have been wanted before this is
    /// called, and is wanted at most every 500 ms for each peer.
    ///
    /// One task may wait at a time. Dropping the future loses nothing.
    pub async fn key_frame_wanted(&self) {
        poll_fn(|cx| self.poll_key_frame_wanted(cx)).await;
    }

    /// As [`key_frame_wanted`](Self::key_frame_wanted), for those who write futures by hand.
    pub fn poll_key_frame_wanted(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.wants.waker.register(cx.waker());
        if self.take_key_frame_wanted() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether a key frame is wanted since this, or
    /// [`key_frame_wanted`](Self::key_frame_wanted), said so last. For encoders that ask before each
    /// frame.
    pub fn take_key_frame_wanted(&self) -> bool {
        self.0.wants.is_wanted.swap(false, Ordering::Acquire)
    }

    /// Sends what comes of a track of a peer on as this one, as it comes: nothing is decoded, and a
    /// key frame that is wanted here is asked for there. It is so until the future that this gives is
    /// dropped, or one of the two ends, which resolves it.
    ///
    /// # Errors
    ///
    /// Fails if this track was not added to a room of the same node, or if one of the two is over.
    pub fn relay(&self, from: &RemoteTrack) -> Result<Relaying, MediaError> {
        Relaying::begin(from, self)
    }

    /// What the node calls it that it was added to last; `None` before it is added to a room.
    pub fn id(&self) -> Option<TrackId> {
        self.0.lock_home().as_ref().map(|home| home.track)
    }

    /// What it is for.
    pub fn kind(&self) -> MediaKind {
        self.0.spec.kind
    }

    /// How its frames may be encoded, as it was made; any way, if there is none.
    pub fn codecs(&self) -> &[Codec] {
        &self.0.spec.codecs
    }

    /// How those whom it goes to take its frames now, the best first. Who does not take it is not
    /// among them.
    pub fn codecs_of_peers(&self) -> BTreeMap<PeerId, Vec<Codec>> {
        let Some((shared, track)) = self.home() else { return BTreeMap::new() };
        shared.with(|state| state.sent.agreed(track))
    }

    /// What was counted of it on the way to a member of a room.
    pub fn stats(&self, room: &Room, peer: &PeerId) -> Option<TrackStats> {
        let (_, track) = self.home()?;
        let sent = room.media_info(peer)?.sent;
        sent.into_iter().find(|(known, _)| *known == track).map(|(_, stats)| stats)
    }

    pub(crate) fn new(kind: MediaKind, codecs: impl IntoIterator<Item = Codec>) -> Self {
        let codecs: Vec<Codec> = codecs.into_iter().collect();
        assert!(codecs.iter().all(|codec| codec.kind() == kind), "a codec is not for {kind}");
        LocalTrack(Arc::new(Inner {
            spec: TrackSpec { kind, codecs },
            home: Mutex::new(None),
            is_muted: AtomicBool::new(false),
            wants: Arc::default(),
        }))
    }

    pub(crate) fn spec(&self) -> &TrackSpec {
        &self.0.spec
    }

    pub(crate) fn wants(&self) -> &Arc<Wants> {
        &self.0.wants
    }

    pub(crate) fn is(&self, other: &LocalTrack) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What this node calls the track; `None` if it does not know it.
    pub(crate) fn id_in(&self, shared: &Shared) -> Option<TrackId> {
        let home = self.0.lock_home();
        home.as_ref()
            .filter(|home| std::ptr::eq(home.shared.as_ptr(), shared))
            .map(|home| home.track)
    }

    /// Whether a node sends it already. Called under that node's lock or another's.
    pub(crate) fn is_at_home(&self, shared: &Shared, node: &mut Node<AnyEngine>) -> AtHome {
        let home = self.0.lock_home();
        let Some(home) = home.as_ref() else { return AtHome::Nowhere };
        if std::ptr::eq(home.shared.as_ptr(), shared) {
            // Muting it as it is asks whether there still is such a track.
            match node.mute_track(home.track, self.is_muted()) {
                Ok(()) => AtHome::Here,
                Err(_) => AtHome::Nowhere,
            }
        } else if home.shared.strong_count() == 0 {
            AtHome::Nowhere
        } else {
            AtHome::Elsewhere
        }
    }

    /// A node sends it from now on, under this name.
    pub(crate) fn settle(&self, shared: &Weak<Shared>, track: TrackId) {
        *self.0.lock_home() = Some(Home { shared: shared.clone(), track });
    }

    fn home(&self) -> Option<(Arc<Shared>, TrackId)> {
        self.0.home()
    }

    fn with_home<T>(
        &self,
        call: impl FnOnce(&mut Node<AnyEngine>, TrackId, Time) -> T,
    ) -> Option<T> {
        let (shared, track) = self.home()?;
        Some(shared.call(|state, now| call(&mut state.node, track, now)))
    }

    fn write_by(
        &self,
        write: impl FnOnce(&mut Node<AnyEngine>, TrackId, Time) -> Result<Written, MediaError>,
    ) -> Result<Written, MediaError> {
        match self.with_home(write) {
            None | Some(Err(MediaError::NoSuchTrack)) => Ok(Written::default()),
            Some(written) => written,
        }
    }
}

/// Where a track is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtHome {
    Nowhere,
    Here,
    Elsewhere,
}

impl Inner {
    fn lock_home(&self) -> MutexGuard<'_, Option<Home>> {
        self.home.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node's lock is not to be taken under that of the home.
    fn home(&self) -> Option<(Arc<Shared>, TrackId)> {
        let home = self.lock_home().clone()?;
        Some((home.shared.upgrade()?, home.track))
    }
}

impl Wants {
    pub(crate) fn want(&self, wakes: &mut Wakes) {
        self.is_wanted.store(true, Ordering::Release);
        wakes.extend(self.waker.take());
    }
}

impl fmt::Debug for LocalTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id();
        f.debug_struct("LocalTrack").field("spec", self.spec()).field("id", &id).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some((shared, track)) = self.home() else { return };
        shared.call(|state, now| {
            for room in state.sent.rooms_of(track) {
                state.remove_track(room, track, None, now).ok();
            }
        });
    }
}

/// Handles are equal if they are of one track.
impl PartialEq for LocalTrack {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl Eq for LocalTrack {}
