//! A track of a peer that is sent on as one of ours.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tristero_proto::PeerTrackId;
use tristero_proto::media::MediaError;

use super::local_track::LocalTrack;
use super::remote_track::RemoteTrack;
use crate::inbox::Inbox;
use crate::room::Room;
use crate::shared::RelayId;

/// A track of a peer that is sent on; made by [`LocalTrack::relay`].
///
/// It goes on whether this is polled or not, and whether the track is read or not. The future
/// resolves when the peer's track has ended, or the room that it came in was left. Dropping it ends
/// the relaying, unless there is another of the same two tracks.
#[must_use = "dropping this ends the relaying"]
pub struct Relaying {
    /// It is not left while something of it is sent on.
    room: Room,
    from: PeerTrackId,
    to: LocalTrack,
    relay: RelayId,
    ended: Inbox<Infallible>,
}

impl Relaying {
    pub(crate) fn begin(from: &RemoteTrack, to: &LocalTrack) -> Result<Self, MediaError> {
        let room = from.room().clone();
        let id = to.id_in(room.node().shared()).ok_or(MediaError::NoSuchTrack)?;
        let (relay, ended) = room.call(|state, key, now| {
            state.node.relay_track(from.id(), id, true, now)?;
            let relay = state.sent.begin_relay(from.id(), id);
            Ok::<_, MediaError>((relay, state.tracks.read_end(key, from.id())))
        })?;
        Ok(Relaying { room, from: from.id(), to: to.clone(), relay, ended })
    }
}

impl Future for Relaying {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match ready!(self.ended.poll_next(cx)) {
            None => Poll::Ready(()),
            Some(never) => match never {},
        }
    }
}

impl fmt::Debug for Relaying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Relaying { from, to, .. } = self;
        f.debug_struct("Relaying").field("from", from).field("to", to).finish_non_exhaustive()
    }
}

impl Drop for Relaying {
    fn drop(&mut self) {
        self.room.call(|state, _, now| {
            let (from, to) = state.sent.end_relay(self.relay)?;
            // If one of the two is over, so is this.
            state.node.relay_track(from, to, false, now).ok()
        });
    }
}
