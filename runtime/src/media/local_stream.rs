//! A stream that we send.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tristero_proto::StreamKey;

use super::local_track::LocalTrack;
use crate::shared::Shared;

/// Tracks of ours that belong together, such as the picture and the sound of one camera; sent by
/// [`Room::add_stream`](crate::Room::add_stream).
///
/// Clones are handles of one stream. It may be in several rooms: who is in more than one of them
/// gets it once.
#[derive(Clone)]
pub struct LocalStream(Arc<Inner>);

struct Inner {
    tracks: Mutex<Vec<LocalTrack>>,
    home: Mutex<Option<(Weak<Shared>, StreamKey)>>,
}

impl LocalStream {
    /// A stream of these tracks. A track is in one stream at most.
    pub fn new(tracks: impl IntoIterator<Item = LocalTrack>) -> Self {
        let tracks = Mutex::new(tracks.into_iter().collect());
        LocalStream(Arc::new(Inner { tracks, home: Mutex::new(None) }))
    }

    /// The tracks that are in it now.
    pub fn tracks(&self) -> Vec<LocalTrack> {
        self.lock_tracks().clone()
    }

    /// What the node calls it that it was added to last; `None` before it is added to a room.
    pub fn id(&self) -> Option<StreamKey> {
        self.lock_home().as_ref().map(|(_, key)| *key)
    }

    /// What a node calls it; `None` if that does not know it.
    pub(crate) fn key_in(&self, shared: &Shared) -> Option<StreamKey> {
        let home = self.lock_home();
        home.as_ref().filter(|(node, _)| std::ptr::eq(node.as_ptr(), shared)).map(|(_, key)| *key)
    }

    /// A node sends it from now on, under this name.
    pub(crate) fn settle(&self, shared: &Weak<Shared>, key: StreamKey) {
        *self.lock_home() = Some((shared.clone(), key));
    }

    pub(crate) fn push(&self, track: &LocalTrack) {
        let mut tracks = self.lock_tracks();
        if !tracks.contains(track) {
            tracks.push(track.clone());
        }
    }

    /// Puts a track where another was, which is given back.
    pub(crate) fn replace(&self, old: &LocalTrack, new: &LocalTrack) -> Option<LocalTrack> {
        let mut tracks = self.lock_tracks();
        let place = tracks.iter_mut().find(|known| *known == old)?;
        Some(std::mem::replace(place, new.clone()))
    }

    fn lock_tracks(&self) -> MutexGuard<'_, Vec<LocalTrack>> {
        self.0.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_home(&self) -> MutexGuard<'_, Option<(Weak<Shared>, StreamKey)>> {
        self.0.home.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LocalStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStream").field("tracks", &self.tracks()).finish_non_exhaustive()
    }
}
