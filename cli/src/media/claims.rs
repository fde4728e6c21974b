//! Tracks that are read once, however often their sender tells of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

#[cfg(test)]
mod tests {
    use super::*;

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
