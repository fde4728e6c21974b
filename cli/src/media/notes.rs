//! What people are told of a room while its audio and video go on, on stderr.

use tristero_tokio::{PeerId, RoomEvent};

use crate::chat::{LostRelays, join_failure, printable, relay_notice};

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Notes(LostRelays);

impl Notes {
    /// Says what is to be known of what happened.
    pub(crate) fn note(&mut self, event: &RoomEvent) {
        match event {
            RoomEvent::PeerJoined { peer } => eprintln!("{} is here", called(peer)),
            RoomEvent::PeerLeft { peer, .. } => eprintln!("{} is gone", called(peer)),
            RoomEvent::JoinFailed { peer, failure } => eprintln!("{}", join_failure(peer, failure)),
            RoomEvent::Relay(relay) => {
                if let Some(note) = self.0.note(relay) {
                    eprintln!("{note}");
                }
            }
            RoomEvent::RelayNotice { url, text } => eprintln!("{}", relay_notice(url, text)),
            _ => {}
        }
    }
}

/// A peer's id as it is safe to be shown.
pub(crate) fn called(peer: &PeerId) -> String {
    printable(peer.as_str()).to_string()
}
