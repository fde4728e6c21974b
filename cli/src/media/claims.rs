//! Tracks that are read once, however often their sender tells of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tristero_media_files::limits::TRACKS_MAX;
use tristero_tokio::{PeerTrackId, RemoteTrack};

/// The tracks that are read now. Clones are handles of one set, which is bounded by what peers send.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims(Arc<Mutex<BTreeSet<PeerTrackId>>>);

/// The right to read a track, until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    claims: Claims,
    track: PeerTrackId,
}

/// A track that nobody else reads for the same.
pub(crate) type Claimed = (RemoteTrack, Claim);

impl Claims {
    /// Those of these tracks that are not read yet. The others are dropped.
    pub(crate) fn claim_all(&self, tracks: Vec<RemoteTrack>) -> Vec<Claimed> {
        let claim = |track: RemoteTrack| self.claim(track.id()).map(|claim| (track, claim));
        tracks.into_iter().filter_map(claim).collect()
    }

    /// As [`claim_all`](Self::claim_all), in groups that a recording can have.
    pub(crate) fn claim_groups(&self, tracks: Vec<RemoteTrack>) -> Vec<Vec<Claimed>> {
        groups(self.claim_all(tracks))
    }

    fn claim(&self, track: PeerTrackId) -> Option<Claim> {
        self.lock().insert(track).then(|| Claim { claims: self.clone(), track })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<PeerTrackId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.track);
    }
}

/// A peer may have more tracks in a stream than a recording can.
fn groups<T>(tracks: Vec<T>) -> Vec<Vec<T>> {
    let mut tracks = tracks.into_iter();
    let next = || Some(tracks.by_ref().take(TRACKS_MAX).collect::<Vec<T>>());
    std::iter::from_fn(next).take_while(|group| !group.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_what_a_recording_can_have() {
        let sizes = |tracks: usize| -> Vec<usize> {
            groups(vec![(); tracks]).iter().map(Vec::len).collect()
        };
        assert!(sizes(0).is_empty());
        assert_eq!(sizes(16), [16]);
        assert_eq!(sizes(33), [16, 16, 1]);
    }

    #[test]
    fn a_track_is_claimed_once_until_its_end() {
        let claims = Claims::default();
        let (first, second) = (PeerTrackId::from_number(1), PeerTrackId::from_number(2));
        let claim = claims.claim(first);
        assert!(claim.is_some() && claims.claim(first).is_none());
        assert!(claims.claim(second).is_some());
        drop(claim);
        assert!(claims.claim(first).is_some());
    }
}
